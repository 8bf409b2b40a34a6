"""A load as a whole: its identity, its progress, and answers of an unexpected shape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError, ResponseInvalid
from sophia_assets.ingestion.ingest import ingest_group
from sophia_assets.ingestion.request_count import RequestCount
from sophia_assets.sources.declarations import ReadItem, Rows, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse

WINDOW = Window(None, datetime(2026, 1, 31, tzinfo=UTC))


class _Owners:
    """A stand-in for HubSpot's client that yields one owner, or breaks."""

    system = "hubspot"

    def __init__(self, *, broken: bool = False) -> None:
        self.requests = RequestCount()
        self.broken = broken

    @property
    def requests_made(self) -> int:
        return self.requests.number

    def ping(self) -> str:
        return "here"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        self.requests.add()
        yield Rows(group, [{"owner_id": "1", "last_name": "Example"}])
        if self.broken:
            raise KeyError("results")


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def test_the_result_says_what_was_read_and_progress_is_told(warehouse: DuckDBWarehouse) -> None:
    told: list[tuple[str, int]] = []
    [result] = ingest_group(
        _Owners(), "owners", WINDOW, warehouse, run_id="one", progress=lambda table, rows: told.append((table, rows))
    )

    assert (result.table, result.inserted, result.requests, result.window) == ("hubspot.owners", 1, 1, WINDOW)
    assert told == [("hubspot.owners", 1)]


def test_the_same_run_does_not_read_the_same_window_twice(warehouse: DuckDBWarehouse) -> None:
    source = _Owners()
    first = ingest_group(source, "owners", WINDOW, warehouse, run_id="one")

    assert ingest_group(source, "owners", WINDOW, warehouse, run_id="one") == first
    assert source.requests_made == 1
    ingest_group(source, "owners", WINDOW, warehouse, run_id="two")
    assert source.requests_made == 2


def test_an_answer_of_another_shape_is_an_invalid_response(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ResponseInvalid, match=r"hubspot/owners.*KeyError"):
        ingest_group(_Owners(broken=True), "owners", WINDOW, warehouse, run_id="one")
    assert warehouse.row_counts()["hubspot.owners"] == 0


def test_an_unknown_group_is_refused_with_the_ones_there_are(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ConfigurationError, match="pipelines"):
        ingest_group(_Owners(), "no_such_group", WINDOW, warehouse, run_id="one")
