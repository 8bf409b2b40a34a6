"""Reads that begin before their turn are on disk when it comes, and what was stopped is gone on with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConnectionFailed
from sophia_assets.ingestion.ingest import begin_group, ingest_group
from sophia_assets.ingestion.read_ahead import Countdown, ReadAhead
from sophia_assets.ingestion.workers import Workers
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.ingestion.paged_source import WINDOW, PagedOwners


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    tables = registry.groups("hubspot")["owners"]
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=tables, checkpoint_seconds=0)


@pytest.fixture
def ahead() -> Iterator[ReadAhead]:
    started = ReadAhead()
    yield started
    started.close()


@dataclass
class GatedOwners(PagedOwners):
    """Gives the pages from `gate` on only once `opened` is set; `reached` says that it was asked for that one."""

    gate: int = 10
    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for item in super().read(group, window, resume):
            if len(self.pages_asked()) > self.gate:
                self.reached.set()
                while not self.opened.wait(0.01):
                    pass
            yield item


def start(ahead: ReadAhead, source: PagedOwners, warehouse: DuckDBWarehouse) -> threading.Event:
    """Starts a read under the key "owners"; the event says that it has ended."""
    ended = threading.Event()
    load = begin_group(source, "owners", WINDOW, warehouse, run_id="ahead")
    ahead.start("owners", load, on_end=ended.set)
    return ended


def test_a_started_read_is_on_disk_before_anybody_asks_for_it(
    ahead: ReadAhead, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    source = PagedOwners(tmp_path / "asked")
    assert start(ahead, source, warehouse).wait(20)
    assert source.pages_asked() == list(range(30))

    [result] = ahead.merge("owners", "run")
    assert (result.inserted, result.requests, source.requests_made) == (600, 30, 30)
    assert not ahead.has("owners")


def test_a_merge_is_recorded_for_the_run_that_made_it(
    ahead: ReadAhead, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    start(ahead, PagedOwners(tmp_path / "asked"), warehouse)
    ahead.merge("owners", "run")

    assert warehouse.query("SELECT DISTINCT run_id FROM _sophia.loads").to_pylist() == [{"run_id": "run"}]


def test_a_failed_read_fails_where_it_is_merged_and_is_gone_on_with(
    ahead: ReadAhead, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    broken = PagedOwners(tmp_path / "asked", broken_at=17, error=ConnectionFailed("cut off"))
    assert start(ahead, broken, warehouse).wait(20)
    with pytest.raises(ConnectionFailed, match="cut off"):
        ahead.merge("owners", "run")

    whole = PagedOwners(tmp_path / "asked")
    [result] = ingest_group(whole, "owners", WINDOW, warehouse, run_id="next")
    assert (result.inserted, result.requests) == (600, 30), "the requests of both processes"
    assert whole.pages_asked() == list(range(30))


def test_a_read_that_is_stopped_before_its_turn_is_gone_on_with(
    ahead: ReadAhead, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    gated = GatedOwners(tmp_path / "asked")
    start(ahead, gated, warehouse)
    assert gated.reached.wait(20)
    threading.Timer(0.2, gated.opened.set).start()
    ahead.close()

    whole = PagedOwners(tmp_path / "asked")
    [result] = ingest_group(whole, "owners", WINDOW, warehouse, run_id="next")
    assert result.inserted == 600
    assert whole.pages_asked()[: gated.gate] == list(range(gated.gate))
    assert len(whole.pages_asked()) <= 30 + 4, "only pages that were on their way are asked for again"


def test_a_merge_waits_for_the_end_of_its_read(ahead: ReadAhead, warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    gated = GatedOwners(tmp_path / "asked")
    start(ahead, gated, warehouse)
    assert gated.reached.wait(20)
    threading.Timer(0.2, gated.opened.set).start()

    [result] = ahead.merge("owners", "run")
    assert result.inserted == 600


def test_each_of_several_reads_counts_its_own_requests(
    ahead: ReadAhead, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    other = DuckDBWarehouse(tmp_path / "other.duckdb", tables=warehouse.tables)
    source = PagedOwners(tmp_path / "asked")
    start(ahead, source, warehouse)
    ahead.start("again", begin_group(source, "owners", WINDOW, other, run_id="ahead"))

    assert ahead.merge("owners", "run")[0].requests == ahead.merge("again", "run")[0].requests == 30
    assert source.requests_made == 60


def test_requests_that_workers_make_count_for_their_read(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    class Concurrent(PagedOwners):
        def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
            with Workers(2) as workers:
                for _ in range(5):
                    workers.submit(self.requests.add).result()
            yield from super().read(group, window, resume)

    [result] = ingest_group(Concurrent(tmp_path / "asked"), "owners", WINDOW, warehouse, run_id="run")
    assert result.requests == 35


def test_a_countdown_from_zero_is_over_at_once() -> None:
    over = threading.Event()
    Countdown(0, over.set)
    assert over.is_set()


def test_a_countdown_is_over_once_all_are_counted() -> None:
    over = threading.Event()
    left = Countdown(2, over.set)
    left.count_down()
    assert not over.is_set()
    left.count_down()
    assert over.is_set()
