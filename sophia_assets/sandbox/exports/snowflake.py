"""Snowflake's part of an export folder: tables as they are, typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sophia_assets.sandbox.company.publish import DATABASE, TABLE_COLUMNS
from sophia_assets.sandbox.company_data import SnowflakeData, SnowflakeTable
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.values import Cells, hubspot_id

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {
    "snowflake/SALES.DEALS": ("DEAL_ID",),
    "snowflake/FINANCE.SUBSCRIPTIONS": ("TERM_ID",),
    "snowflake/FINANCE.INVOICES": ("INVOICE_ID",),
    "snowflake/SUPPORT.SATISFACTION": ("RESPONSE_ID",),
}

_EVENTS = {"LAST_ACTIVITY_DATE", "VALID_FROM", "ISSUED_ON", "PAID_ON", "RESPONDED_AT", "UPDATED_AT"}
_CRM_IDS = {"DEAL_ID", "ACCOUNT_ID"}
# What dates a row that does not say when it was last touched: the newest of these.
_TOUCHES = ("LAST_ACTIVITY_DATE", "VALID_FROM", "VALID_TO", "ISSUED_ON", "PAID_ON", "RESPONDED_AT")


def build(objects: Mapping[str, ExportFile], cells: Cells) -> SnowflakeData | None:
    """All tables, empty where they have no file, or None where none has one."""
    tables = [
        _table(name.removeprefix("snowflake/"), file, cells)
        for name, file in objects.items()
        if name.startswith("snowflake/")
    ]
    if not tables:
        return None
    given = {table.name for table in tables}
    absent = [SnowflakeTable(name, dict(columns), []) for name, columns in TABLE_COLUMNS.items() if name not in given]
    return SnowflakeData(DATABASE, [*tables, *absent])


def _table(name: str, file: ExportFile, cells: Cells) -> SnowflakeTable:
    extra = sorted(file.columns - set(TABLE_COLUMNS[name]))
    columns = {**TABLE_COLUMNS[name], **dict.fromkeys(extra, "VARCHAR")}
    key = KEYS[f"snowflake/{name}"][0]
    rows = []
    for row in file.rows:
        cells.required(row, key)
        values = {column: _value(row, column, kind, cells) for column, kind in columns.items()}
        if values["UPDATED_AT"] is None:
            values["UPDATED_AT"] = _last_touch(row, cells)
        rows.append(tuple(values.values()))
    return SnowflakeTable(name, columns, rows)


def _value(row: Row, column: str, kind: str, cells: Cells) -> Any:
    if column in _CRM_IDS:
        return hubspot_id(cells.text(row, column))
    if kind == "FLOAT":
        number = cells.number(row, column)
        return None if number is None else float(number)
    readers: dict[str, Callable[[], Any]] = {
        "DATE": lambda: cells.day(row, column, event=column in _EVENTS),
        "TIMESTAMP_TZ": lambda: cells.moment(row, column, event=column in _EVENTS),
        "NUMBER(38,0)": lambda: cells.whole(row, column),
        "NUMBER(18,2)": lambda: cells.number(row, column),
    }
    return readers.get(kind, lambda: cells.text(row, column))()


def _last_touch(row: Row, cells: Cells) -> Any:
    days: list[date] = [day for day in (cells.day(row, column) for column in _TOUCHES) if day is not None]
    newest = max(days, default=cells.last_event)
    return cells.midnight(newest) if newest else None
