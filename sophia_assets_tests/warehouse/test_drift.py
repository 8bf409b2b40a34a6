"""What looks like a broken system instead of changed data is not believed: vanished columns, empty snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from sophia_assets.errors import SchemaDrift
from sophia_assets.sources.declarations import CompleteSet
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import TABLES, item, live, load, rows

LATE = "2026-01-02T00:00:00Z"


def items(count: int, first: int = 0, **values: Any) -> list[dict[str, Any]]:
    return [item(f"{number:03}", **values) for number in range(first, first + count)]


def missing(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    found = warehouse.query('SELECT table_name, column_name, rows_read, rows_held FROM "_sophia"."missing_columns"')
    return [tuple(row.values()) for row in found.to_pylist()]


def test_a_column_that_vanishes_from_rows_that_held_it_is_drift_and_changes_nothing(
    warehouse: DuckDBWarehouse,
) -> None:
    load(warehouse, rows(*items(40, pieces=5)), run_id="first")
    state = warehouse.table_state("shop.items")
    with pytest.raises(
        SchemaDrift, match=r"shop/items: no row has pieces any more.*SOPHIA_ACCEPT_MISSING=shop"
    ) as told:
        load(warehouse, rows(*items(25, updated_at=LATE), *items(30, first=100)), run_id="second")

    assert "\n" not in str(told.value)
    assert live(warehouse, "DISTINCT pieces") == [(5,)]
    assert warehouse.table_state("shop.items") == state
    assert missing(warehouse) == [("shop.items", "pieces", 55, 25)]


def test_a_column_that_comes_back_ends_the_drift(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*items(40, pieces=5)), run_id="first")
    with pytest.raises(SchemaDrift):
        load(warehouse, rows(*items(40, updated_at=LATE)), run_id="second")
    load(warehouse, rows(*items(5, updated_at=LATE)), run_id="third")
    assert len(missing(warehouse)) == 1

    load(warehouse, rows(*items(40, pieces=6, updated_at=LATE)), run_id="fourth")
    assert missing(warehouse) == []


def test_a_vanished_column_can_be_accepted(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*items(40, pieces=5)), run_id="first")
    with pytest.raises(SchemaDrift):
        load(warehouse, rows(*items(40, updated_at=LATE)), run_id="second")
    told = DuckDBWarehouse(warehouse.path, tables=TABLES, accepted_missing=["shop.items.pieces"])
    load(told, rows(*items(40, updated_at=LATE)), run_id="third")

    assert live(warehouse, "DISTINCT pieces") == [(None,)]
    assert missing(warehouse) == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (items(40, pieces=5), items(19, updated_at=LATE)),
        (items(40, pieces=5), items(40, first=100)),
        ([*items(15, pieces=5), *items(85, first=15)], items(100, updated_at=LATE)),
        ([*items(30, pieces=5), *items(70, first=30)], items(100, updated_at=LATE)),
        (items(40, pieces=5), [*items(39, updated_at=LATE), item("039", pieces=1, updated_at=LATE)]),
        (items(40, pieces=5), [*items(39, updated_at=LATE), item("039", pieces="?", updated_at=LATE)]),
    ],
    ids=["few rows", "new rows only", "held by few", "held by a minority", "one has it", "one has a misfit"],
)
def test_a_column_that_is_merely_empty_is_no_drift(
    before: list[dict[str, Any]], now: list[dict[str, Any]], warehouse: DuckDBWarehouse
) -> None:
    load(warehouse, rows(*before), run_id="first")
    load(warehouse, rows(*now), run_id="second")

    assert missing(warehouse) == []


def test_a_snapshot_of_nothing_is_believed_the_third_time(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*items(20)), CompleteSet("items"), run_id="first")
    for run in ("second", "third"):
        result, _ = load(warehouse, CompleteSet("items"), run_id=run)
        assert (result.deleted, result.rows_total) == (0, 20)
        assert result.unswept == "the system answered with no row at all"
    result, _ = load(warehouse, CompleteSet("items"), run_id="fourth")

    assert (result.deleted, result.rows_total, result.unswept) == (20, 0, "")


def test_an_answer_in_between_begins_the_count_anew(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*items(20)), run_id="first")
    load(warehouse, CompleteSet("items"), run_id="second")
    load(warehouse, rows(*items(20)), CompleteSet("items"), run_id="third")
    for run in ("fourth", "fifth"):
        load(warehouse, CompleteSet("items"), run_id=run)

    assert len(live(warehouse)) == 20
