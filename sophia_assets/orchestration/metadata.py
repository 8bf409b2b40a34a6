"""What the Dagster UI shows of a table: its columns and a few rows, never personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model

_PREVIEW_ROWS = 5
_PREVIEW_WIDTH = 60


def column_schema(table: Table) -> dg.TableSchema:
    """A raw table's columns with types and descriptions."""
    keys = set(table.primary_key)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                str(column.type),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.name not in keys),
                tags={"personal": ""} if column.personal else {},
            )
            for column in table.columns
        ]
    )


def model_column_schema(model: Model, types: Mapping[str, str] | None = None) -> dg.TableSchema:
    """A model's columns with descriptions, and with types once it has been built."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, (types or {}).get(name, "unknown"), description=description)
            for name, description in model.columns.items()
        ]
    )


def preview(warehouse: Warehouse, table: Table) -> str:
    """A few live rows as a Markdown table, without columns that hold personal data."""
    names = [column.name for column in table.columns if not column.personal]
    order = f" ORDER BY {table.cursor} DESC NULLS LAST" if table.cursor in names else ""
    return rows_as_markdown(
        warehouse, f"SELECT {', '.join(names)} FROM {table.qualified_name} WHERE _deleted_at IS NULL{order}", names
    )


def rows_as_markdown(warehouse: Warehouse, select: str, names: Sequence[str]) -> str:
    """The first rows of a query as a Markdown table; long values are cut."""
    rows = warehouse.query(f"{select} LIMIT {_PREVIEW_ROWS}").to_pylist()
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row.values())} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    short = text if len(text) <= _PREVIEW_WIDTH else text[: _PREVIEW_WIDTH - 1] + "…"
    for special in "\\|<>[]`*_":
        short = short.replace(special, f"\\{special}")
    return short
