"""What the Dagster UI shows of a table: its columns and a few rows, never personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

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
    return markdown_table(names, [list(row.values()) for row in rows], width=_PREVIEW_WIDTH)


def markdown_table(
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    width: int | None = None,
    links: Mapping[int, Sequence[str]] | None = None,
) -> str:
    """Rows as a Markdown table. Values longer than `width` are cut; `links` has a column's addresses, row by row."""
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for number, row in enumerate(rows):
        cells = [_cell(value, width) for value in row]
        for column, addresses in (links or {}).items():
            cells[column] = f"[{cells[column]}]({addresses[number]})"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def moment_in_words(moment: datetime | None) -> str:
    """A moment (UTC) to the minute; empty where there is none."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _cell(value: object, width: int | None) -> str:
    text = "" if value is None else " ".join(str(value).split())
    short = text if width is None or len(text) <= width else text[: width - 1] + "…"
    for special in "\\|<>[]`*_":
        short = short.replace(special, f"\\{special}")
    return short
