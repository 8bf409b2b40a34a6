"""What was known when: replaced versions are kept with their spans, and what is gone is gone since a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConnectionFailed, SchemaDrift
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, Deleted, ReadItem, Rows, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Load, LoadKey, LoadResult
from sophia_assets_tests.warehouse.small_source import ITEMS, PARTS, item, live, rows

TABLES = (replace(ITEMS, keeps_versions=True), PARTS)
MOMENT = datetime(2026, 1, 2, 15, 30, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=TABLES, checkpoint_seconds=0)


def day(number: int) -> datetime:
    """Midnight at the beginning of a day of January."""
    return datetime(2026, 1, number, tzinfo=UTC)


def end_of(number: int) -> datetime:
    """The last moment of a day of January, as it is stored."""
    return (day(number + 1) - INSTANT).replace(tzinfo=None)


def load(warehouse: DuckDBWarehouse, number: int, *items: ReadItem, run_id: str = "", hour: int = 0) -> LoadResult:
    """Loads a day of January to its end, or up to `hour` of the morning after; the result of the table of items."""
    window = Window(None, day(number + 1) + timedelta(hours=hour))
    key = LoadKey("shop", "items", Window(day(number), day(number + 1)))
    run_id = run_id or f"day {number}"
    return warehouse.load(Load(run_id, run_id, warehouse.tables, window, key=key), items)[0]


def versions(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    """The replaced versions: key, name, known from, known to."""
    found = warehouse.query("SELECT item_id, name, _known_from, _known_to FROM history.shop_items ORDER BY 1, 2")
    return [tuple(row.values()) for row in found.to_pylist()]


def stored(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    """The rows of ITEMS, tombstoned ones too: key, name, known from, deleted at."""
    found = warehouse.query("SELECT item_id, name, _known_from, _deleted_at FROM shop.items ORDER BY 1, 2")
    return [tuple(row.values()) for row in found.to_pylist()]


def test_a_replaced_version_is_kept_with_the_span_in_which_it_was_known(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1"), item("2")))
    load(warehouse, 2, rows(item("1", name="Chair")))
    load(warehouse, 3, rows(item("1", name="Table")))

    assert versions(warehouse) == [("1", "Chair", end_of(2), end_of(3)), ("1", "Lamp", end_of(1), end_of(2))]
    assert stored(warehouse) == [("1", "Table", end_of(3), None), ("2", "Lamp", end_of(1), None)]


def test_loading_the_same_again_writes_no_version_and_moves_no_moment(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1"), item("2")), Deleted("items", [("2",)], [MOMENT]))
    before = stored(warehouse)
    load(warehouse, 2, rows(item("1"), item("2")), Deleted("items", [("2",)], [MOMENT]))

    assert (stored(warehouse), versions(warehouse)) == (before, [])


def test_a_version_that_ends_when_it_begins_was_never_known(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1")), run_id="first")
    load(warehouse, 1, rows(item("1", name="Chair")), run_id="second")

    assert (stored(warehouse), versions(warehouse)) == ([("1", "Chair", end_of(1), None)], [])


def test_a_table_that_keeps_no_versions_has_no_history(warehouse: DuckDBWarehouse) -> None:
    found = warehouse.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'history'")
    assert [row["table_name"] for row in found.to_pylist()] == ["shop_items"]


def test_what_is_deleted_is_gone_since_the_moment_that_the_system_says(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1"), item("2"), item("3")))
    result = load(warehouse, 4, Deleted("items", [("1",), ("2",)], [MOMENT, None]), CompleteSet("items"))

    gone = {key: at for key, _, _, at in stored(warehouse)}
    assert gone == {"1": MOMENT.replace(tzinfo=None), "2": end_of(4), "3": end_of(4)}
    assert (result.deleted, result.rows_total) == (3, 0)


def test_a_tombstone_s_moment_moves_only_where_the_system_says_another(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1"), item("2")))
    load(warehouse, 2, Deleted("items", [("1",), ("2",)], [MOMENT, None]))
    load(warehouse, 3, Deleted("items", [("1",), ("2",)]))
    assert [at for *_, at in stored(warehouse)] == [MOMENT.replace(tzinfo=None), end_of(2)]

    result = load(warehouse, 4, Deleted("items", [("2",)], [MOMENT]))
    assert [at for *_, at in stored(warehouse)] == [MOMENT.replace(tzinfo=None)] * 2
    assert result.deleted == 0


def test_a_row_that_comes_deleted_is_stored_for_the_days_before(warehouse: DuckDBWarehouse) -> None:
    result = load(warehouse, 5, rows(item("1"), item("2")), Deleted("items", [("2",)], [MOMENT]))

    assert live(warehouse, "item_id") == [("1",)]
    assert stored(warehouse)[1] == ("2", "Lamp", end_of(5), MOMENT.replace(tzinfo=None))
    assert (result.inserted, result.deleted, result.rows_total) == (2, 1, 1)


def test_a_row_that_changed_before_it_was_deleted_ends_at_that_moment(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1")))
    result = load(warehouse, 5, rows(item("1", name="Chair")), Deleted("items", [("1",)], [MOMENT]))

    assert versions(warehouse) == [("1", "Lamp", end_of(1), MOMENT.replace(tzinfo=None))]
    assert stored(warehouse) == [("1", "Chair", end_of(5), MOMENT.replace(tzinfo=None))]
    assert (result.updated, result.deleted, result.rows_total) == (1, 1, 0)


def test_a_row_that_is_back_was_gone_in_between(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1")))
    load(warehouse, 3, Deleted("items", [("1",)], [MOMENT]))
    load(warehouse, 5, rows(item("1")))

    assert versions(warehouse) == [("1", "Lamp", end_of(1), MOMENT.replace(tzinfo=None))]
    assert stored(warehouse) == [("1", "Lamp", end_of(5), None)]


def test_a_row_that_was_gone_when_it_first_came_was_so_until_it_is_back(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 3, rows(item("1")), Deleted("items", [("1",)], [MOMENT]))
    load(warehouse, 5, rows(item("1")))

    assert versions(warehouse) == [("1", "Lamp", end_of(3), MOMENT.replace(tzinfo=None))]


def test_a_morning_s_load_for_the_day_before_is_known_at_that_day_s_end(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1")), hour=6)
    load(warehouse, 2, rows(item("1", name="Chair")), hour=7)

    assert versions(warehouse) == [("1", "Lamp", end_of(1), end_of(2))]


def test_a_first_load_of_a_day_long_past_is_known_from_when_it_was_read(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 1, rows(item("1")), hour=24 * 9)

    assert stored(warehouse) == [("1", "Lamp", end_of(10), None)]


def test_what_an_older_day_s_load_brings_is_known_from_now_on(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, 5, rows(item("1")))
    load(warehouse, 2, rows(item("2")), run_id="backfill")
    load(warehouse, 6, rows(item("2", name="Chair")))

    assert versions(warehouse) == [("2", "Lamp", end_of(5), end_of(6))]


def test_nothing_is_known_before_it_is_read(warehouse: DuckDBWarehouse) -> None:
    window = Window(None, datetime(2999, 1, 1, tzinfo=UTC))
    warehouse.load(Load("run", "run", TABLES, window), [rows(item("1"))])

    [(_, _, known_from, _)] = stored(warehouse)
    assert known_from <= datetime.now(UTC).replace(tzinfo=None)


def test_of_moments_said_twice_the_latest_counts(warehouse: DuckDBWarehouse) -> None:
    earlier = Deleted("items", [("1",), ("1",)], [MOMENT - timedelta(hours=1), None])
    load(warehouse, 3, Deleted("items", [("1",)], [MOMENT]), earlier, rows(item("1")), rows(item("1")), earlier)

    assert [at for *_, at in stored(warehouse)] == [MOMENT.replace(tzinfo=None)]


def test_a_moment_outlives_a_kill(warehouse: DuckDBWarehouse) -> None:
    window = Window(None, day(4))
    request = Load("run", "run", TABLES, window, key=LoadKey("shop", "items", window))

    def read(position: Any) -> Iterator[ReadItem]:
        if position is None:
            yield rows(item("1"), item("2"))
            yield Deleted("items", [("1",)], [MOMENT])
            yield Checkpoint(1)
            raise ConnectionFailed("cut off")

    with pytest.raises(ConnectionFailed):
        warehouse.load(request, read)
    warehouse.load(request, read)

    assert [at for *_, at in stored(warehouse)] == [MOMENT.replace(tzinfo=None), None]


def test_what_a_later_read_found_keeps_its_moment(warehouse: DuckDBWarehouse) -> None:
    window = Window(None, day(4))
    early = Load("early", "early", TABLES, window, key=LoadKey("shop", "items", window))

    def cut(_: Any) -> Iterator[ReadItem]:
        yield rows(item("1"))
        yield Deleted("items", [("1",)], [MOMENT - timedelta(days=1)])
        yield Checkpoint(1)
        raise ConnectionFailed("cut off")

    with pytest.raises(ConnectionFailed):
        warehouse.load(early, cut)
    load(warehouse, 4, rows(item("1")), Deleted("items", [("1",)], [MOMENT]), run_id="later")
    warehouse.load(early, lambda _: ())

    assert [at for *_, at in stored(warehouse)] == [MOMENT.replace(tzinfo=None)]


def test_a_load_that_fails_leaves_no_version(warehouse: DuckDBWarehouse) -> None:
    parts = [{"item_id": str(number), "part": "a"} for number in range(30)]
    load(warehouse, 1, rows(item("1")), rows(*(item(f"x{n}", pieces=n) for n in range(30))), Rows("parts", parts))

    with pytest.raises(SchemaDrift):
        load(warehouse, 2, rows(item("1", name="Chair")), rows(*(item(f"x{n}") for n in range(30))))

    assert versions(warehouse) == []


def test_versions_are_known_since_the_first_load(warehouse: DuckDBWarehouse) -> None:
    assert warehouse.known_since() == {}

    load(warehouse, 1, rows(item("1")))
    load(warehouse, 2, rows(item("1", name="Chair")))

    assert warehouse.known_since() == {"shop.items": day(2) - INSTANT}


def test_an_older_file_is_brought_up_and_known_since_its_last_load(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    old = DuckDBWarehouse(path, tables=TABLES)
    load(old, 4, rows(item("1"), item("2")), Rows("parts", [{"item_id": "1", "part": "a"}]))
    old.execute_in_transaction(
        [
            "DROP SCHEMA history CASCADE",
            "ALTER TABLE shop.items DROP COLUMN _known_from",
            "ALTER TABLE shop.parts DROP COLUMN _known_from",
            'ALTER TABLE "_sophia"."state" DROP COLUMN known_since',
            'ALTER TABLE "_sophia"."state" DROP COLUMN known_through',
            'UPDATE "_sophia"."schema_version" SET fingerprint = \'older\'',
        ]
    )

    warehouse = DuckDBWarehouse(path, tables=TABLES)

    assert stored(warehouse) == [("1", "Lamp", end_of(4), None), ("2", "Lamp", end_of(4), None)]
    assert warehouse.row_counts() == {"shop.items": 2, "shop.parts": 1}
    assert warehouse.known_since() == {"shop.items": day(5) - INSTANT}

    load(warehouse, 6, rows(item("1", name="Chair")))

    assert versions(warehouse) == [("1", "Lamp", end_of(4), end_of(6))]
    assert warehouse.known_since() == {"shop.items": day(5) - INSTANT}
    assert live(warehouse) == [("1", "Chair"), ("2", "Lamp")]


def test_a_table_that_begins_to_keep_versions_knows_them_since_its_last_load(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    before = DuckDBWarehouse(path, tables=(ITEMS, PARTS))
    load(before, 1, rows(item("1"), item("2")))
    load(before, 3, rows(item("1", name="Chair")))
    assert before.known_since() == {}

    warehouse = DuckDBWarehouse(path, tables=TABLES)
    load(warehouse, 5, rows(item("1", name="Table"), item("2", name="Sofa")))

    assert versions(warehouse) == [("1", "Chair", end_of(3), end_of(5)), ("2", "Lamp", end_of(1), end_of(5))]
    assert warehouse.known_since() == {"shop.items": day(4) - INSTANT}


def test_many_versions_and_moments_go_through_in_parts(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sophia_assets.warehouse.merge.ROWIDS_AT_ONCE", 7)
    numbers = [f"{number:03}" for number in range(50)]
    load(warehouse, 1, rows(*(item(number) for number in numbers)))
    moments = [MOMENT + timedelta(minutes=place) for place in range(20)]
    load(
        warehouse,
        4,
        rows(*(item(number, name="Chair") for number in reversed(numbers))),
        Deleted("items", [(number,) for number in numbers[:20]], moments),
    )

    gone = {key: at for key, _, _, at in stored(warehouse) if at}
    assert gone == {key: at.replace(tzinfo=None) for key, at in zip(numbers[:20], moments, strict=True)}
    ends = {key: until for key, _, _, until in versions(warehouse)}
    assert ends == {number: gone.get(number, end_of(4)) for number in numbers}
