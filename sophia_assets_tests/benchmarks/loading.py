"""`python -m sophia_assets_tests.benchmarks.loading`: what loading costs as a table grows.

Each load runs in a fresh process: a first one of wide rows, one that updates them all, one that finds nothing new
and sweeps. Prints rows, seconds, rows a second and the peak memory of the process that makes and loads the rows. With
`--versions` the table keeps the versions that are replaced.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sophia_assets.sources.columns import boolean, decimal, floating, integer, string, timestamp
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, ReadItem, Rows, Table, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Load, LoadKey

DEALS = Table(
    system="bench",
    name="deals",
    description="Wide rows.",
    group="deals",
    primary_key=("deal_id",),
    cursor="updated_at",
    columns=(
        string("deal_id", "Key."),
        string("deal_name", "Name."),
        string("owner_id", "Owner."),
        string("stage", "Stage."),
        decimal("amount", "Amount."),
        floating("probability", "Probability."),
        integer("seats", "Seats."),
        boolean("is_closed", "Closed."),
        string("note", "Free text."),
        timestamp("created_at", "Created."),
        timestamp("updated_at", "Version."),
    ),
)
_PAGE_ROWS = 100
_FIRST = datetime(2025, 1, 1, tzinfo=UTC)
_LOADS = ("first load", "all updated", "nothing new, swept")


def pages(rows: int, version: int) -> Iterator[ReadItem]:
    """The table as a source would page it; the last version repeats the one before."""
    random = Random(version)
    changed = timedelta(days=version)
    for first in range(0, rows, _PAGE_ROWS):
        yield Rows("deals", [_row(number, version, changed, random) for number in range(first, first + _PAGE_ROWS)])
        yield Checkpoint(first + _PAGE_ROWS)
    yield CompleteSet("deals")


def _row(number: int, version: int, changed: timedelta, random: Random) -> dict[str, Any]:
    created = _FIRST + timedelta(seconds=number)
    return {
        "deal_id": f"{number * 7919 % 100_000_007:09d}",
        "deal_name": f"Deal {number} with customer {number % 977}",
        "owner_id": str(number % 500),
        "stage": ("appointment", "qualified", "contract", "won", "lost")[random.randrange(5)],
        "amount": f"{random.randrange(10_000_000) / 100:.2f}",
        "probability": random.random(),
        "seats": random.randrange(1000),
        "is_closed": number % 3 == 0,
        "note": f"Version {version}: they asked for {random.randrange(10**9)} of them by {random.randrange(10**9)}",
        "created_at": created.isoformat(),
        "updated_at": (created + changed).isoformat(),
    }


def load_once(home: Path, rows: int, run: int, keeps_versions: bool) -> dict[str, float]:
    """One load in this process, of a day of its own; its figures."""
    table = replace(DEALS, keeps_versions=keeps_versions)
    warehouse = DuckDBWarehouse(home / "warehouse.duckdb", tables=[table])
    began = time.monotonic()
    window = Window(None, datetime(2026, 1, 1 + run, tzinfo=UTC))
    key = LoadKey("bench", "deals", window)
    [result] = warehouse.load(Load(f"run-{run}", "run", [table], window, key=key), lambda _: pages(rows, min(run, 1)))
    seconds = time.monotonic() - began
    expected = [(rows, 0, 0), (0, rows, 0), (0, 0, rows)][run]
    assert (result.inserted, result.updated, result.unchanged) == expected, result
    if keeps_versions:
        [kept] = warehouse.query(f"SELECT count(*) AS n FROM {table.history_name}").to_pylist()
        assert kept["n"] == (rows if run else 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"seconds": seconds, "peak_mb": peak}


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 100_000, 500_000, 2_000_000])
    parser.add_argument("--versions", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        home, rows, run = options.one
        print(json.dumps(load_once(Path(home), int(rows), int(run), options.versions)))
        return
    print("| load | rows | seconds | rows/s | peak MB |\n|---|---|---|---|---|")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as home:
            for run, name in enumerate(_LOADS):
                command = [sys.executable, "-m", __spec__.name, "--one", home, str(rows), str(run)]
                command += ["--versions"] if options.versions else []
                found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
                seconds = found["seconds"]
                print(
                    f"| {name} | {rows:,} | {seconds:.2f} | {rows / seconds:,.0f} | {found['peak_mb']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
