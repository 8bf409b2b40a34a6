"""Generated schedules of what can go wrong while a system is read page by page; the outcome is known beforehand.

`python -m sophia_assets_tests.conformance.schedules --count 200` plays 200 of them on every registered
system: short, empty and repeated pages, torn answers, cut connections, 5xx, limits, expired cursors,
pages doubled and swapped on the way, reads that die and are resumed. Each must leave exactly what the
company's records say.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from sophia_assets.errors import ConnectionFailed
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.standins.registry import fault_kinds
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Rows, Source, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.conformance.oracle import Rows as Expected
from sophia_assets_tests.conformance.oracle import expected, seen
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import EVERYTHING, complete_company, contents, ingest, source_for
from sophia_assets_tests.sources.wrapped import Wrapped

PATIENT = RetryPolicy(attempts=12, first_delay=0.001, longest_delay=0.01, longest_wait=60.0, read_timeout=10.0)
_MOST_DEATHS = 6


@dataclass(frozen=True)
class Schedule:
    """One way in which the reads of a system go: its faults, and how the pages fare behind the client."""

    seed: int
    faults: tuple[str, ...]
    doubled: float
    swapped: float
    deaths: int

    @classmethod
    def generate(cls, system: str, seed: int) -> Schedule:
        """The schedule of that number for a system; always the same one."""
        chance = random.Random(f"{system} {seed}")
        faults = [f"{system}:pages:{seed}"]
        faults += [f"{system}:{kind}:{rate}" for kind, rate in _RATES.items() if chance.random() < 0.35]
        if "expired_cursor" in fault_kinds(system) and chance.random() < 0.35:
            faults.append(f"{system}:expired_cursor:{chance.randint(1, 2)}")
        return cls(
            seed,
            tuple(faults),
            doubled=chance.choice([0.0, 0.0, 0.3]),
            swapped=chance.choice([0.0, 0.0, 0.3]),
            deaths=chance.choice([0, 0, 1, 2, 4]),
        )


_RATES = {"torn": 0.1, "cut": 0.1, "errors": 0.15}


class Rough(Wrapped):
    """A source whose pages come doubled and swapped, and which dies after some items."""

    def __init__(self, source: Source, schedule: Schedule) -> None:
        super().__init__(source)
        self.schedule, self.deaths_left = schedule, schedule.deaths
        self.chance = random.Random(schedule.seed)

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        dies_after = self.chance.randint(0, 12) if self.deaths_left else None
        held: Rows | None = None
        for number, item in enumerate(self.source.read(group, window, resume)):
            if number == dies_after:
                self.deaths_left -= 1
                raise ConnectionFailed("the read died, as the schedule says", system=self.system, obj=group)
            if held is not None:
                # Only what lies between two checkpoints may change places.
                if isinstance(item, Rows):
                    yield item
                    yield held
                    held = None
                    continue
                yield held
                held = None
            if isinstance(item, Rows) and self.chance.random() < self.schedule.swapped:
                held = item
                continue
            yield item
            if isinstance(item, Rows) and self.chance.random() < self.schedule.doubled:
                yield item
        if held is not None:
            yield held


def play(sandbox: Served, system: str, schedule: Schedule, folder: Path) -> list[str]:
    """Loads every group of the system under the schedule; returns how the tables differ from what is expected."""
    warehouse = DuckDBWarehouse(folder / f"{system}-{schedule.seed}.duckdb", tables=registry.tables(system))
    source = Rough(source_for(system, sandbox.env, retry=PATIENT), schedule)
    for fault in schedule.faults:
        sandbox.app.faults.add(fault)
    try:
        for group in registry.groups(system):
            _load(source, group, warehouse)
    finally:
        sandbox.app.faults.clear()
    told = []
    for name, rows in expected(system, sandbox.app.company).items():
        told += [f"{name}: {line}" for line in differences(warehouse, name, rows)]
    return told


def _load(source: Rough, group: str, warehouse: DuckDBWarehouse) -> None:
    for attempt in range(_MOST_DEATHS + 1):
        try:
            ingest(source, group, warehouse, EVERYTHING, run_id=f"{group}-{attempt}")
            return
        except ConnectionFailed:
            if attempt == _MOST_DEATHS:
                raise


def differences(warehouse: DuckDBWarehouse, qualified_name: str, rows: Expected) -> list[str]:
    """How a table differs from the expected rows: keys that are lost or too many, values that are others."""
    key = registry.table(qualified_name).primary_key
    held = {tuple(str(row[name]) for name in key): row for row in contents(warehouse, qualified_name)}
    told = [f"lost {found}" for found in sorted(rows.keys() - held.keys())[:3]]
    told += [f"not expected {found}" for found in sorted(held.keys() - rows.keys())[:3]]
    for found in sorted(rows.keys() & held.keys()):
        for name, value in rows[found].items():
            if seen(held[found][name]) != value:
                told.append(f"{found}.{name} is {seen(held[found][name])!r}, not {value!r}")
    return told[:6]


def campaign(system: str, first: int, count: int) -> list[str]:
    """Plays the schedules [first, first + count) on one system; returns the failures."""
    failures = []
    with served(complete_company(), limits=False) as sandbox, tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            schedule = Schedule.generate(system, seed)
            try:
                told = play(sandbox, system, schedule, Path(folder))
            except Exception as error:
                told = [f"{type(error).__name__}: {error}"]
            failures += [f"{system} schedule {seed} {schedule.faults}: {line}" for line in told]
            for file in Path(folder).glob("*.duckdb*"):
                file.unlink()
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sophia_assets_tests.conformance.schedules", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="schedules per system")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--system", action="append", choices=registry.SYSTEMS)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    systems = options.system or registry.SYSTEMS
    began = time.monotonic()
    with ProcessPoolExecutor(options.processes) as pool:
        found = list(pool.map(campaign, systems, repeat(options.first), repeat(options.count)))
    failures = [failure for part in found for failure in part]
    for failure in failures:
        print(failure)
    print(
        f"{options.count} schedules x {len(systems)} systems in {time.monotonic() - began:.0f} s: "
        f"{len(failures)} differences"
    )
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
