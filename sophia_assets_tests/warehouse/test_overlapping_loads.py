"""Loads of one table that overlap: what was read later counts, whichever of them is stored first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConnectionFailed
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, Deleted, ReadItem, Rows, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Load, LoadKey, LoadResult
from sophia_assets_tests.warehouse.small_source import END, TABLES, item, live, load, rows

WHOLE = Window(None, END)
EARLY = Load("early", "early", TABLES, WHOLE, key=LoadKey("shop", "items", WHOLE))
COMPLETE = (CompleteSet("items"), CompleteSet("parts"))


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=TABLES, checkpoint_seconds=0)


def parts(*keys: str) -> Rows:
    return Rows("parts", [{"item_id": key[0], "part": key[1:]} for key in keys])


def live_parts(warehouse: DuckDBWarehouse) -> list[str]:
    found = warehouse.query("SELECT item_id || part AS key FROM shop.parts WHERE _deleted_at IS NULL ORDER BY key")
    return [str(row["key"]) for row in found.to_pylist()]


def begin_early(warehouse: DuckDBWarehouse, *items: ReadItem) -> None:
    """A load that reads `items` and is then cut off."""

    def cut(_: Any) -> Iterator[ReadItem]:
        yield from items
        yield Checkpoint(1)
        raise ConnectionFailed("cut off")

    with pytest.raises(ConnectionFailed):
        warehouse.load(EARLY, cut)


def end_early(warehouse: DuckDBWarehouse) -> list[LoadResult]:
    return warehouse.load(EARLY, lambda _: ())


def test_a_row_that_a_later_read_found_gone_is_not_revived(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("A"), item("B")), parts("A1", "B2"), run_id="before")
    begin_early(warehouse, rows(item("A"), item("B", updated_at="2026-01-05")), parts("A1", "B2"))
    load(warehouse, rows(item("A")), parts("A1"), *COMPLETE, run_id="later")
    end_early(warehouse)

    assert live(warehouse, "item_id") == [("A",)]
    assert live_parts(warehouse) == ["A1"]


def test_a_row_that_a_later_read_brought_is_not_taken_to_be_gone(warehouse: DuckDBWarehouse) -> None:
    begin_early(warehouse, rows(item("A")), parts("A1"), Deleted("items", [("C",)]), *COMPLETE)
    load(warehouse, rows(item("A"), item("C")), parts("A1", "C3"), run_id="later")
    [items, _] = end_early(warehouse)

    assert live(warehouse, "item_id") == [("A",), ("C",)]
    assert live_parts(warehouse) == ["A1", "C3"]
    assert items.deleted == 0


def test_a_version_of_a_later_read_is_kept_where_nothing_tells_which_is_newer(warehouse: DuckDBWarehouse) -> None:
    begin_early(warehouse, rows(item("A", name="old"), item("B", name="newer", updated_at="2026-01-09")))
    load(warehouse, rows(item("A", name="new"), item("B", name="old")), run_id="later")
    end_early(warehouse)

    assert live(warehouse) == [("A", "new"), ("B", "newer")]


def test_what_was_stored_before_a_read_began_is_swept_whatever_the_clock_said(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("A"), item("B")), run_id="before")
    warehouse.execute_in_transaction(
        ['UPDATE "_sophia"."loads" SET read_from = read_from + INTERVAL 1 HOUR']  # the clock was set back since
    )
    load(warehouse, rows(item("A", name="new")), CompleteSet("items"), run_id="now")

    assert live(warehouse) == [("A", "new")]
