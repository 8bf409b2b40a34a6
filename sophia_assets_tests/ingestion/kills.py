"""Kills a loading process again and again, and compares what the warehouse holds in the end with an undisturbed load.

`python -m sophia_assets_tests.ingestion.kills --count 1000 [--seed 1]` kills at every named fault point in turn
and at random moments, in every group of every system, read over HTTP, and in a source of many pages.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sophia_assets.ingestion.ingest import group_window, ingest_group
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Source, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.fault_points import FAULT_POINTS, KILL_AT
from sophia_assets_tests.conformance.changes import Altering, renamed
from sophia_assets_tests.ingestion.paged_source import PagedOwners
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import END, START, complete_company, source_for, stored_contents

PAGED = ("hubspot", "owners")
PARTITION = Window(END - timedelta(days=1), END)
# What a process that is killed may have asked for ahead of its last checkpoint, and what a client asks first.
_REQUESTS_LOST = 10
_LONGEST_LOAD_SECONDS = 120.0


@dataclass(frozen=True)
class Target:
    """One group to load: a real source over HTTP, or (`paged`) the source of many pages."""

    system: str
    group: str
    paged: bool = False

    @property
    def name(self) -> str:
        return f"{self.system}/{self.group}{' (many pages)' if self.paged else ''}"


@dataclass
class Tally:
    """What a campaign did and found."""

    cycles: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.kills.values())


def load_once(home: Path, target: Target, env: Mapping[str, str], run_id: str, kill_at: str | None) -> None:
    """What the process that is killed does: one load, as the platform does it, with a checkpoint at every page."""
    if kill_at:
        os.environ[KILL_AT] = kill_at
    warehouse = _warehouse(home, target)
    source: Source = PagedOwners(home / "asked") if target.paged else source_for(target.system, dict(env))
    window = group_window(target.system, target.group, PARTITION, warehouse, now=END)
    ingest_group(source, target.group, window, warehouse, run_id=run_id, partition=PARTITION)


class Campaign:
    """Cycles of kills over all targets; each ends with a load that is left alone, and a comparison."""

    def __init__(
        self,
        folder: Path,
        sandbox: Served,
        systems: Sequence[str],
        *,
        seed: int,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.tally = Tally()
        self._progress = progress
        self._folder = folder
        self._sandbox = sandbox
        self._random = random.Random(seed)
        self._processes = multiprocessing.get_context("forkserver")
        # Whatever a load imports is imported once, so that a process is made in milliseconds.
        clients = [f"sophia_assets.sources.{system}.client" for system in systems]
        self._processes.set_forkserver_preload([__name__, *clients, "snowflake.connector", "requests"])
        real = [Target(system, group) for system in systems for group in registry.groups(system)]
        self.targets = [*real, Target(*PAGED, paged=True)]
        self._oracles: dict[Target, Any] = {}
        self._points = 0

    def run(self, kills: int) -> Tally:
        """Goes on until the process has been killed `kills` times."""
        while self.tally.count < kills:
            self._cycle(self.targets[self.tally.cycles % len(self.targets)])
            self.tally.cycles += 1
            if self._progress and self.tally.cycles % 20 == 0:
                self._progress(f"{self.tally.count} kills, {len(self.tally.findings)} findings")
        return self.tally

    def _cycle(self, target: Target) -> None:
        contents, requests, seconds, template = self._oracle(target)
        home = self._folder / f"cycle-{self.tally.cycles}"
        shutil.copytree(template, home)
        before, attempts = self._requests(target), 0
        for attempt in range(self._random.randint(1, 4)):
            attempts += 1
            how = self._killed(home, target, f"run-{attempt}", seconds)
            if how is None:
                break
            self.tally.kills[how] += 1
        self._process(home, target, "last", None).join(_LONGEST_LOAD_SECONDS)
        self._compare(target, home, contents)
        asked = self._requests(target) - before
        # A load that came to its commit, whether it died then or not, is followed by a whole one.
        if asked > 2 * requests + attempts * _REQUESTS_LOST:
            self._find(target, f"{asked} requests for {attempts} attempts, {requests} undisturbed")
        shutil.rmtree(home)

    def _killed(self, home: Path, target: Target, run_id: str, seconds: float) -> str | None:
        """Starts a load and kills it at a fault point or a random moment; how, or None where it got through."""
        by_moment = self._random.random() < 0.4
        point = FAULT_POINTS[self._points % len(FAULT_POINTS)]
        kill_at = None
        if not by_moment:
            self._points += 1
            often = point in ("page_received", "segment_half_written", "checkpoint_written", "before_journal_line")
            kill_at = f"{point}:{self._random.randint(1, 6) if often and target.paged else 1}"
        process = self._process(home, target, run_id, kill_at)
        if by_moment:
            time.sleep(self._random.uniform(0, seconds))
            process.kill()
        process.join(_LONGEST_LOAD_SECONDS)
        if process.exitcode == -signal.SIGKILL:
            return "at a random moment" if by_moment else point
        if process.exitcode != 0:
            self._find(target, f"a load ended with exit code {process.exitcode}")
        return None

    def _process(self, home: Path, target: Target, run_id: str, kill_at: str | None) -> Any:
        process = self._processes.Process(target=load_once, args=(home, target, self._sandbox.env, run_id, kill_at))
        process.start()
        return process

    def _oracle(self, target: Target) -> tuple[Any, int, float, Path]:
        """An undisturbed load's contents, requests and seconds, and a warehouse file from before it."""
        if target not in self._oracles:
            template = self._folder / f"template-{len(self._oracles)}"
            template.mkdir()
            warehouse = _warehouse(template, target)
            if len(self._oracles) % 2 and not target.paged:
                # Every other group already holds its first days, with other values: there is something to update.
                early = Window(None, START + timedelta(days=3))
                source = Altering(source_for(target.system, dict(self._sandbox.env)), partial(_before, target))
                ingest_group(source, target.group, early, warehouse, run_id="early")
            clean = self._folder / f"clean-{len(self._oracles)}"
            shutil.copytree(template, clean)
            before, started = self._requests(target), time.monotonic()
            self._process(clean, target, "clean", None).join(_LONGEST_LOAD_SECONDS)
            seconds = time.monotonic() - started
            contents = _contents(_warehouse(clean, target), target)
            if not any(kept["rows"] for kept in contents.values()):
                self._find(target, "the undisturbed load gave no rows")
            self._oracles[target] = (contents, self._requests(target) - before, seconds, template)
        found: tuple[Any, int, float, Path] = self._oracles[target]
        return found

    def _compare(self, target: Target, home: Path, contents: Mapping[str, Any]) -> None:
        warehouse = _warehouse(home, target)
        for table, kept in _contents(warehouse, target).items():
            keys = registry.table(table).primary_key
            for part, rows in kept.items():
                names = [*keys, "_known_from"] if part == "history" else keys
                held = Counter(tuple(row[name] for name in names) for row in rows)
                wanted = Counter(tuple(row[name] for name in names) for row in contents[table][part])
                lost, doubled = (wanted - held).total(), (held - wanted).total()
                self.tally.lost += lost
                self.tally.doubled += doubled
                if rows != contents[table][part]:
                    self._find(target, f"{table} ({part}) differs: {lost} rows lost, {doubled} doubled")
            self._compare_ledger(target, warehouse, table, sum(row["_deleted_at"] is None for row in kept["rows"]))
        left = [path for path in (home / "staging").rglob("*") if path.parent.parent.name == "staging"]
        if left:
            self._find(target, f"{len(left)} stages were left")

    def _compare_ledger(self, target: Target, warehouse: DuckDBWarehouse, table: str, rows: int) -> None:
        state = warehouse.table_state(table)
        found = warehouse.query(
            "SELECT sum(inserted)::BIGINT AS inserted, count(*) AS loads, count(DISTINCT load_id) AS ids, "
            'max_by(rows_total, rowid) AS rows_total, max_by(load_id, rowid) AS newest FROM "_sophia"."loads" '
            f"WHERE table_name = '{table}'"
        ).to_pylist()[0]
        held = warehouse.query(
            f'SELECT count(*) AS n, count(*) FILTER (_load_id NOT IN (SELECT load_id FROM "_sophia"."loads")) '
            f"AS strangers FROM {table}"
        ).to_pylist()[0]
        agrees = (
            state is not None
            and state.rows_total == found["rows_total"] == rows
            and state.load_id == found["newest"]
            and found["loads"] == found["ids"]
            and found["inserted"] == held["n"]
            and held["strangers"] == 0
        )
        if not agrees:
            self._find(target, f"{table}: ledger {found}, data {held}, state {state}")

    def _requests(self, target: Target) -> int:
        if target.paged:
            return 0
        counters: Mapping[str, Any] = self._sandbox.app.standins[target.system].counters.as_dict()
        return int(counters["requests"])

    def _find(self, target: Target, what: str) -> None:
        finding = f"cycle {self.tally.cycles}, {target.name}: {what}"
        self.tally.findings.append(finding)
        if self._progress:
            self._progress(finding)


@contextmanager
def campaign(
    folder: Path,
    *,
    seed: int,
    systems: Sequence[str] = registry.SYSTEMS,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Campaign]:
    """A campaign against stand-ins of its own."""
    with served(complete_company(), limits=False) as sandbox:
        yield Campaign(folder, sandbox, systems, seed=seed, progress=progress)


def _warehouse(home: Path, target: Target) -> DuckDBWarehouse:
    # The group's own tables would not do: spans of children are found through parents of other groups.
    return DuckDBWarehouse(home / "warehouse.duckdb", tables=registry.tables(target.system), checkpoint_seconds=0)


def _contents(warehouse: DuckDBWarehouse, target: Target) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What is kept of the group's tables, by name: rows, tombstones and replaced versions, with their moments."""
    tables = registry.groups(target.system)[target.group]
    return {table.qualified_name: stored_contents(warehouse, table) for table in tables}


def _before(target: Target, table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return renamed(registry.table(f"{target.system}.{table}"), row)


def main() -> None:
    """Runs a campaign and prints what it found; the exit code is 1 where anything was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--systems", nargs="+", default=registry.SYSTEMS, choices=registry.SYSTEMS)
    options = parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        campaign(
            Path(folder), seed=options.seed, systems=options.systems, progress=partial(print, flush=True)
        ) as running,
    ):
        tally = running.run(options.count)
        for how, count in sorted(tally.kills.items()):
            print(f"{count:6} killed {how if how.startswith('at') else f'at {how}'}")
        print(
            f"{tally.count} kills in {tally.cycles} cycles over {len(running.targets)} groups in "
            f"{time.monotonic() - started:.0f} s (seed {options.seed}): {tally.lost} rows lost, "
            f"{tally.doubled} doubled, {len(tally.findings)} findings"
        )
    raise SystemExit(bool(tally.findings))


if __name__ == "__main__":
    main()
