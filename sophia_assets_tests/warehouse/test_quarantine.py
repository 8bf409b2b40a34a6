"""A row with a value that does not fit its type is set aside whole; the last good version of it stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sophia_assets.sources.declarations import CompleteSet, Deleted, ReplacedChildren, Rows
from sophia_assets.warehouse import quarantine
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import item, live, load, rows

LATE = "2026-01-02T00:00:00Z"


def held(warehouse: DuckDBWarehouse, columns: str = "table_name, key, column_name, load_id") -> list[tuple[Any, ...]]:
    """What is in quarantine."""
    found = warehouse.query(f'SELECT {columns} FROM "_sophia"."quarantine" ORDER BY key, set_aside_at').to_pylist()
    return [tuple(row.values()) for row in found]


def test_the_row_is_kept_with_its_reason_and_its_last_good_version_stays(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", pieces=3), item("2")), run_id="first")
    bad = item("1", name="New", pieces="a few", price="a lot", updated_at=LATE)
    result, _ = load(warehouse, rows(bad, item("2", name="Chair", updated_at=LATE)), run_id="second")

    assert live(warehouse, "item_id, name, pieces") == [("1", "Lamp", 3), ("2", "Chair", None)]
    assert (result.quarantined, result.updated, result.unchanged, result.rejected) == ({"pieces": 1}, 1, 0, 0)
    assert warehouse.recorded("second") == [result, _]
    assert held(warehouse) == [("shop.items", '["1"]', "pieces", "second")]
    [(reason, original)] = held(warehouse, "reason, original")
    assert reason == "str that does not fit integer"
    assert json.loads(original) == bad


@pytest.mark.parametrize(
    ("column", "value"),
    [("pieces", "1.5"), ("price", "a lot"), ("weight", "nan"), ("sold", "perhaps"), ("made_on", "soon"),
     ("updated_at", "never"), ("updated_at", {"at": 1}), ("pieces", 2**70)],
)  # fmt: skip
def test_whatever_does_not_fit_sets_the_row_aside(column: str, value: Any, warehouse: DuckDBWarehouse) -> None:
    result, _ = load(warehouse, rows(item("1"), item("2") | {column: value}))

    assert result.quarantined == {column: 1}
    assert live(warehouse) == [("1", "Lamp")]


def test_a_later_good_version_releases_it(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", pieces="many"), item("2", pieces="many")), run_id="first")
    load(warehouse, rows(item("1", pieces=4, updated_at=LATE)), run_id="second")

    assert [key for (key,) in held(warehouse, "key")] == ['["2"]']
    load(warehouse, Deleted("items", [("2",)]), run_id="third")
    assert held(warehouse) == []


def test_of_a_good_and_a_bad_version_in_one_read_the_last_decides(warehouse: DuckDBWarehouse) -> None:
    good, bad = item("1", pieces=1), item("1", pieces="one")
    load(warehouse, rows(bad, good), run_id="first")
    assert (live(warehouse), held(warehouse)) == ([("1", "Lamp")], [])

    load(warehouse, rows(good, bad), run_id="second")
    assert (live(warehouse), len(held(warehouse))) == ([("1", "Lamp")], 1)


def test_a_row_that_is_set_aside_did_come(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1"), item("2"), item("3")), run_id="first")
    result, _ = load(warehouse, rows(item("1", pieces="?"), item("2")), CompleteSet("items"), run_id="second")

    assert live(warehouse, "item_id") == [("1",), ("2",)]
    assert result.deleted == 1


def test_a_row_that_was_set_aside_and_comes_no_more_is_released_with_its_tombstone(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1"), item("2")), run_id="first")
    load(warehouse, rows(item("1", pieces="?"), item("2")), CompleteSet("items"), run_id="second")
    load(warehouse, rows(item("2")), CompleteSet("items"), run_id="third")

    assert (live(warehouse, "item_id"), held(warehouse)) == ([("2",)], [])


def test_where_a_key_cannot_be_read_nothing_is_taken_to_be_gone(warehouse: DuckDBWarehouse) -> None:
    part = {"item_id": "1", "part": "a"}
    load(warehouse, rows(item("1"), item("2")), Rows("parts", [part, part | {"part": "b"}]), run_id="first")
    items, parts = load(
        warehouse,
        rows(item("1"), {"name": "Nobody"}), CompleteSet("items"),
        Rows("parts", [part, {"item_id": "1"}]), ReplacedChildren("parts", "item_id", ["1"]),
        run_id="second",
    )  # fmt: skip

    assert (items.rejected, items.deleted, parts.deleted) == (1, 0, 0)
    assert items.unswept == parts.unswept == "rows came whose key could not be read"
    assert len(live(warehouse)) == 2


def test_the_quarantine_is_bounded_and_all_are_counted(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "ROWS_KEPT", 10)
    for run in ("first", "second"):
        found = [item(f"{run}-{number}", pieces="?") for number in range(25)]
        result, _ = load(warehouse, rows(*found), run_id=run)
        assert result.quarantined == {"pieces": 25}

    assert held(warehouse, "load_id") == [("second",)] * 10


def test_new_fields_are_told_once_and_kept(warehouse: DuckDBWarehouse) -> None:
    first, _ = load(warehouse, rows(item("1", colour="red"), item("2", colour="blue", size=2)), run_id="first")
    second, _ = load(warehouse, rows(item("3", colour="red", shape="round")), run_id="second")

    assert (first.new_fields, second.new_fields) == ({"colour": 2, "size": 1}, {"shape": 1})
    assert live(warehouse, "_extra ->> 'colour' AS colour") == [("red",), ("blue",), ("red",)]
