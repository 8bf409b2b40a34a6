"""What a read says is complete, a span of it, or listed by key alone: the rest gets tombstones, and nothing more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sophia_assets.errors import ConnectionFailed
from sophia_assets.sources.declarations import Checkpoint, CompleteSpan, PresentKeys, ReadItem, Rows, Through, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Load, LoadKey
from sophia_assets_tests.warehouse.small_source import END, TABLES, item, live, load, rows

FROM, UNTIL = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)
SPAN = CompleteSpan("items", "updated_at", FROM, UNTIL)


def on(day: int, **more: Any) -> dict[str, Any]:
    """An item of a day of January."""
    return item(f"{day:02}", updated_at=f"2026-01-{day:02}T00:00:00Z", **more)


def ids(warehouse: DuckDBWarehouse) -> list[str]:
    return [identifier for (identifier,) in live(warehouse, "item_id")]


def test_a_span_takes_away_what_lies_in_it_and_did_not_come(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*(on(day) for day in (9, 10, 15, 19, 20)), {"item_id": "undated"}), run_id="first")
    result, _ = load(warehouse, rows(on(15)), SPAN, run_id="second")

    assert ids(warehouse) == ["09", "15", "20", "undated"]
    assert (result.deleted, result.unswept) == (2, "")


def test_a_span_without_a_start_and_several_spans(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*(on(day) for day in (1, 9, 15, 25, 28))), run_id="first")
    load(
        warehouse,
        rows(on(9)),
        CompleteSpan("items", "updated_at", None, FROM),
        CompleteSpan("items", "updated_at", datetime(2026, 1, 27, tzinfo=UTC), END),
        run_id="second",
    )

    assert ids(warehouse) == ["09", "15", "25"]


def test_a_span_of_the_parents_takes_away_their_children(warehouse: DuckDBWarehouse) -> None:
    parts = [{"item_id": parent, "part": part} for parent in ("09", "15", "16", "orphan") for part in "ab"]
    load(warehouse, rows(on(9), on(15), on(16)), Rows("parts", parts), run_id="first")
    through = CompleteSpan("parts", "updated_at", FROM, UNTIL, Through("shop.items", "item_id"))
    _, result = load(warehouse, rows(on(15)), Rows("parts", parts[2:3]), SPAN, through, run_id="second")

    found = warehouse.query("SELECT item_id, part FROM shop.parts WHERE _deleted_at IS NULL ORDER BY 1, 2").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("09", "a"), ("09", "b"), ("15", "a"), ("orphan", "a"), ("orphan", "b"),
    ]  # fmt: skip
    assert result.deleted == 3


def test_a_busy_span_of_which_nothing_comes_is_left_alone(warehouse: DuckDBWarehouse) -> None:
    busy = [item(f"{number}", updated_at="2026-01-12T00:00:00Z") for number in range(11)]
    load(warehouse, rows(*busy), run_id="first")
    result, _ = load(warehouse, SPAN, run_id="second")

    assert (len(ids(warehouse)), result.deleted) == (11, 0)
    assert result.unswept == "the system answered with no row at all"


def test_listed_keys_keep_their_rows_and_the_rest_goes(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(*(on(day) for day in (1, 2, 3, 4))), run_id="first")
    result, _ = load(
        warehouse,
        PresentKeys("items", [("01",), ("01",)]),
        rows(on(2, pieces=1), on(3, pieces="?")),
        PresentKeys("items", [("unknown",)]),
        run_id="second",
    )

    assert ids(warehouse) == ["01", "02", "03"]
    assert (result.deleted, result.inserted) == (1, 0)


def test_a_list_without_any_key_is_doubted_twice_and_then_believed(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(on(1), on(2)), run_id="first")
    for run_id in ("second", "third"):
        doubted, _ = load(warehouse, PresentKeys("items", ()), run_id=run_id)
        assert (doubted.deleted, bool(doubted.unswept)) == (0, True)

    believed, _ = load(warehouse, PresentKeys("items", ()), run_id="fourth")
    assert (believed.deleted, believed.unswept) == (2, "")


def test_spans_keys_and_versions_outlive_a_kill(warehouse: DuckDBWarehouse) -> None:
    eager = DuckDBWarehouse(warehouse.path, tables=TABLES, checkpoint_seconds=0)
    load(eager, rows(on(1), on(12), on(13)), Rows("parts", [{"item_id": "01", "part": "a"}]), run_id="first")
    window = Window(None, END)
    behind: list[Any] = []

    def read(position: Any) -> Any:
        behind.append(position)
        if position is None:
            newer: list[ReadItem] = [
                rows(item("12", name="Newer", updated_at="2026-01-14T00:00:00Z")),
                SPAN,
                PresentKeys("parts", [("01", "a")]),
                Checkpoint({"page": 1}),
            ]
            yield from newer
            raise ConnectionFailed("cut off")
        yield rows(item("12", name="Older", updated_at="2026-01-13T00:00:00Z"))

    request = Load("second", "second", TABLES, window, key=LoadKey("shop", "items", window))
    try:
        eager.load(request, read)
    except ConnectionFailed:
        items, parts = eager.load(request, read)

    assert behind == [None, {"page": 1}]
    assert live(eager) == [("01", "Lamp"), ("12", "Newer")]
    assert (items.deleted, parts.deleted, parts.rows_total) == (1, 0, 1)
