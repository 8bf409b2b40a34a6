"""How loads merge: by key, newest version wins, deletions are tombstones, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError, ConnectionFailed
from sophia_assets.sources.declarations import CompleteSet, Deleted, ReadItem, ReplacedChildren, Rows
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import END, item, live, load, load_all, rows

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def test_new_rows_are_inserted_and_changed_ones_updated(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1"), item("2")), run_id="first")
    result, _ = load(warehouse, rows(item("2", name="Chair", updated_at=LATE), item("3")), run_id="second")

    assert (result.inserted, result.updated, result.unchanged, result.rows_total) == (1, 1, 0, 3)
    assert live(warehouse) == [("1", "Lamp"), ("2", "Chair"), ("3", "Lamp")]
    assert result.newest == datetime(2026, 1, 2, tzinfo=UTC)


def test_an_unchanged_row_keeps_the_time_at_which_it_was_loaded(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1")), run_id="first")
    before = live(warehouse, "_loaded_at, _load_id")
    load(warehouse, rows(item("1")), run_id="second")

    assert live(warehouse, "_loaded_at, _load_id") == before


def test_an_older_version_does_not_overwrite_a_newer_one(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", name="New", updated_at=LATE)), run_id="first")
    result, _ = load(warehouse, rows(item("1", name="Old", updated_at=EARLY)), run_id="second")

    assert (result.updated, result.unchanged) == (0, 1)
    assert live(warehouse) == [("1", "New")]


def test_a_change_without_a_newer_version_is_taken(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", name="Before")), run_id="first")
    load(warehouse, rows(item("1", name="After")), run_id="second")

    assert live(warehouse) == [("1", "After")]


def test_of_duplicates_in_one_load_the_newest_version_wins_then_the_last(warehouse: DuckDBWarehouse) -> None:
    newest = item("1", name="Newest", updated_at=LATE)
    result, _ = load(warehouse, rows(newest, item("1", name="Old")), rows(item("2", name="A"), item("2", name="B")))

    assert live(warehouse) == [("1", "Newest"), ("2", "B")]
    assert (result.rows_read, result.inserted, result.unchanged) == (4, 2, 2)


def test_deletions_are_tombstones_and_a_row_that_is_back_is_revived(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1"), item("2")), run_id="first")
    deleted, _ = load(warehouse, Deleted("items", [("1",), ("unknown",)]), run_id="second")
    again, _ = load(warehouse, Deleted("items", [("1",)]), run_id="third")

    assert (deleted.deleted, deleted.rows_total, again.deleted) == (1, 1, 0)
    assert warehouse.query("SELECT count(*) AS n FROM shop.items").to_pylist() == [{"n": 2}]

    revived, _ = load(warehouse, rows(item("1")), run_id="fourth")

    assert (revived.updated, revived.rows_total) == (1, 2)


def test_a_key_that_comes_and_is_deleted_in_the_same_read_is_gone(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1")), run_id="first")
    result, _ = load(warehouse, rows(item("1"), item("2")), Deleted("items", [("1",), ("2",)]), run_id="second")

    assert (result.inserted, result.deleted) == (1, 2)
    assert live(warehouse) == []


def test_what_a_complete_set_lacks_is_tombstoned(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1"), item("2")), run_id="first")
    result, _ = load(warehouse, rows(item("2")), CompleteSet("items"), run_id="second")

    assert result.deleted == 1
    assert live(warehouse) == [("2", "Lamp")]


def test_replaced_children_leave_the_children_of_others_alone(warehouse: DuckDBWarehouse) -> None:
    def part(parent: str, name: str) -> dict[str, Any]:
        return {"item_id": parent, "part": name}

    load(warehouse, Rows("parts", [part("1", "a"), part("1", "b"), part("2", "a")]), run_id="first")
    _, result = load(
        warehouse, Rows("parts", [part("1", "b")]), ReplacedChildren("parts", "item_id", ["1"]), run_id="second"
    )

    assert result.deleted == 1
    found = warehouse.query("SELECT item_id, part FROM shop.parts WHERE _deleted_at IS NULL ORDER BY 1, 2")
    assert [tuple(row.values()) for row in found.to_pylist()] == [("1", "b"), ("2", "a")]


def test_values_take_their_declared_types(warehouse: DuckDBWarehouse) -> None:
    load(
        warehouse,
        rows(
            item(
                "1", pieces="12", price="10.50", weight="2.5", sold="true", made_on="2026-03-01", tags={"b": 1, "a": []}
            )
        ),
    )

    columns = "pieces, price, weight, sold, made_on, tags, updated_at"
    assert live(warehouse, columns) == [
        (12, Decimal("10.5000"), 2.5, True, date(2026, 3, 1), '{"a":[],"b":1}', datetime(2026, 1, 1)),
    ]


def test_a_time_with_a_zone_is_stored_as_utc(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", updated_at="2026-01-01T02:00:00+02:00")))

    assert live(warehouse, "updated_at") == [(datetime(2026, 1, 1),)]


def test_undeclared_fields_are_kept_in_extra(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", colour="red")))

    assert live(warehouse, "_extra ->> 'colour' AS colour") == [("red",)]


def test_a_row_without_its_key_is_rejected_and_counted(warehouse: DuckDBWarehouse) -> None:
    result, _ = load(warehouse, rows(item("1"), {"name": "Nobody"}))

    assert (result.inserted, result.rejected) == (1, 1)


def test_a_read_that_fails_midway_changes_nothing(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1")), run_id="first")
    state = warehouse.table_state("shop.items")

    def broken() -> Iterator[ReadItem]:
        yield rows(item("1", name="Half", updated_at=LATE), item("2"))
        raise ConnectionFailed("cut off")

    with pytest.raises(ConnectionFailed):
        load_all(warehouse, broken(), run_id="second")

    assert live(warehouse) == [("1", "Lamp")]
    assert warehouse.table_state("shop.items") == state


def test_a_load_that_was_committed_is_not_repeated(warehouse: DuckDBWarehouse) -> None:
    first = load(warehouse, rows(item("1")), run_id="same")

    unread = iter([rows(item("2"))])

    assert load_all(warehouse, unread, run_id="same") == first
    assert len(list(unread)) == 1
    assert warehouse.recorded("same") == first
    assert warehouse.recorded("other") is None


def test_the_ledger_and_the_state_say_what_was_loaded(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1")), run_id="first")
    state = warehouse.table_state("shop.items")

    assert state is not None
    assert (state.loaded_through, state.newest, state.rows_total) == (END, datetime(2026, 1, 1, tzinfo=UTC), 1)
    assert warehouse.table_state("shop.nothing") is None
    ledger = warehouse.query('SELECT table_name, rows_read, inserted FROM "_sophia"."loads" ORDER BY 1').to_pylist()
    assert [tuple(row.values()) for row in ledger] == [("shop.items", 1, 1), ("shop.parts", 0, 0)]


def test_loading_an_older_window_does_not_move_the_state_back(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1")), run_id="first")
    load(warehouse, rows(item("2")), run_id="second", end=datetime(2026, 1, 10, tzinfo=UTC))
    state = warehouse.table_state("shop.items")

    assert state is not None
    assert state.loaded_through == END


def test_a_window_that_ends_in_the_future_is_covered_only_until_now(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1")), end=datetime(2999, 1, 1, tzinfo=UTC))
    state = warehouse.table_state("shop.items")

    assert state is not None
    assert state.loaded_through <= datetime.now(UTC)


def test_a_table_that_the_load_does_not_name_is_refused(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ConfigurationError, match="strangers"):
        load(warehouse, Rows("strangers", [{}]))


def test_statements_are_executed_all_or_none(warehouse: DuckDBWarehouse) -> None:
    import duckdb

    with pytest.raises(duckdb.Error):
        warehouse.execute_in_transaction(["CREATE TABLE shop.half_done AS SELECT 1 AS one", "SELECT * FROM nowhere"])

    assert "half_done" not in str(warehouse.query("SHOW ALL TABLES").to_pylist())


def test_row_counts_are_of_live_rows(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1"), item("2")), run_id="first")
    load(warehouse, Deleted("items", [("1",)]), run_id="second")

    assert warehouse.row_counts() == {"shop.items": 1, "shop.parts": 0}
