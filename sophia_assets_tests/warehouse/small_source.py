"""Two tables of an imaginary system, a parent and its children, and short ways to load them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sophia_assets.sources.columns import boolean, day, decimal, floating, integer, string, timestamp
from sophia_assets.sources.declarations import Column, ColumnType, ReadItem, Rows, Table, Window
from sophia_assets.warehouse.interface import Load, LoadResult, Warehouse

ITEMS = Table(
    system="shop",
    name="items",
    description="Things.",
    group="items",
    primary_key=("item_id",),
    cursor="updated_at",
    columns=(
        string("item_id", "Key."),
        string("name", "Name."),
        integer("pieces", "Count."),
        decimal("price", "Price."),
        floating("weight", "Weight."),
        boolean("sold", "Sold."),
        day("made_on", "Day."),
        Column("tags", ColumnType.JSON, "Tags."),
        timestamp("updated_at", "Version."),
    ),
)
PARTS = Table(
    system="shop",
    name="parts",
    description="Parts of things.",
    group="items",
    primary_key=("item_id", "part"),
    columns=(string("item_id", "Parent."), string("part", "Part.")),
)
TABLES = (ITEMS, PARTS)
END = datetime(2026, 1, 31, tzinfo=UTC)


def item(
    identifier: str, *, name: str = "Lamp", updated_at: str = "2026-01-01T00:00:00Z", **more: Any
) -> dict[str, Any]:
    """A row of ITEMS as a source would yield it."""
    return {"item_id": identifier, "name": name, "updated_at": updated_at, **more}


def rows(*found: dict[str, Any]) -> Rows:
    """Rows of ITEMS."""
    return Rows("items", found)


def load(warehouse: Warehouse, *items: ReadItem, run_id: str = "run", end: datetime = END) -> list[LoadResult]:
    """One load of both tables; a run id is used once."""
    return load_all(warehouse, items, run_id=run_id, end=end)


def load_all(
    warehouse: Warehouse, items: Iterable[ReadItem], *, run_id: str = "run", end: datetime = END
) -> list[LoadResult]:
    """One load of both tables from any iterable."""
    return warehouse.load(Load(run_id, run_id, TABLES, Window(None, end)), items)


def live(warehouse: Warehouse, columns: str = "item_id, name") -> list[tuple[Any, ...]]:
    """The live rows of ITEMS in the order of their key."""
    found = warehouse.query(f"SELECT {columns} FROM shop.items WHERE _deleted_at IS NULL ORDER BY item_id")
    return [tuple(row.values()) for row in found.to_pylist()]
