"""The SELECTs that read one table: its rows in a resumable order, its keys, their number.

Belongs here: SQL text and its parameters. Does not belong here: sessions, or what the answers become.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sophia_assets.errors import SchemaDrift
from sophia_assets.sources.declarations import Table, Window
from sophia_assets.sources.snowflake.tables import LOCATIONS, SYSTEM

_MOMENTS = ("TIMESTAMP", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "TIMESTAMP_NTZ", "DATE")
# Bytes have no place in a row's JSON.
_NOT_KEPT = ("BINARY",)

Query = tuple[str, list[str | None]]


@dataclass(frozen=True)
class TableReader:
    """What to ask of one source table. `columns` maps our names to those of the source, as they are spelt there."""

    table: Table
    location: str
    columns: Mapping[str, str]

    @classmethod
    def of(cls, table: Table, location: str, described: Mapping[str, str]) -> TableReader:
        """For a source table whose columns and their Snowflake types are `described`.

        All its columns are read: those that the table does not declare are new ones. Declared ones may be
        missing. Raises SchemaDrift where one is missing that nothing can be done without, or the watermark
        is no longer a time.
        """
        columns = {name.lower(): name for name, kind in described.items() if kind not in _NOT_KEPT}
        required = {rule.arguments["column"] for rule in table.expectations if rule.kind == "column_to_exist"}
        missing = sorted((required | set(table.primary_key)) - columns.keys())
        if missing:
            raise _drift(table, f"lacks {', '.join(name.upper() for name in missing)}")
        if table.cursor in columns and described[columns[table.cursor]] not in _MOMENTS:
            raise _drift(table, f"has a {table.cursor.upper()} that is no longer a time")
        return cls(table, location, columns)

    @property
    def watermark(self) -> str | None:
        """Our name of the column that says when a row was last touched, where the source table has it."""
        return self.table.cursor if self.table.cursor in self.columns else None

    def rows(self, window: Window, after: Sequence[str | None] | None = None) -> Query:
        """Rows touched in the window, in the order of watermark and key; without a watermark, all rows.

        `after` is the `place` of the last row that was read: that row, and those alike, come again. Rows in
        which the watermark is empty belong to every window, since nothing tells when they change; they come last.
        """
        selected = ", ".join(self._name(column) for column in self.columns)
        conditions, parameters = self._in_window(window)
        if after is not None:
            condition, place = self._from_place(after)
            conditions.append(condition)
            parameters += place
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = ", ".join(f"{self._name(column)} NULLS LAST" for column in self._order)
        return f"SELECT {selected} FROM {self.location}{where} ORDER BY {order}", parameters

    def keys(self) -> Query:
        """The keys of all rows."""
        return f"SELECT {', '.join(map(self._name, self.table.primary_key))} FROM {self.location}", []

    def count(self) -> Query:
        """The number of rows, which Snowflake knows without reading them."""
        return f"SELECT COUNT(*) FROM {self.location}", []

    def place(self, row: Mapping[str, Any]) -> list[str | None]:
        """Where a row stands in the order of `rows`, as JSON."""
        return [_text(row[column]) for column in self._order]

    @property
    def _order(self) -> tuple[str, ...]:
        return ((self.watermark,) if self.watermark else ()) + self.table.primary_key

    def _in_window(self, window: Window) -> tuple[list[str], list[str | None]]:
        if self.watermark is None:
            return [], []
        watermark = self._name(self.watermark)
        if window.start is None:
            return [f"({watermark} < ? OR {watermark} IS NULL)"], [_text(window.end)]
        inside = f"({watermark} >= ? AND {watermark} < ?)"
        return [f"({inside} OR {watermark} IS NULL)"], [_text(window.start), _text(window.end)]

    def _from_place(self, place: Sequence[str | None]) -> tuple[str, list[str | None]]:
        """The condition of being at a place or behind it. A key is not unique in Snowflake, hence not only behind."""
        columns = [self._name(column) for column in self._order]
        alternatives, parameters = [], list[str | None]()
        for position, (column, value) in enumerate(zip(columns, place, strict=True)):
            before = list(zip(columns[:position], place[:position], strict=True))
            terms = [f"{name} = ?" if known is not None else f"{name} IS NULL" for name, known in before]
            last = position == len(columns) - 1
            if value is None and not last:
                continue  # nothing comes behind what comes last
            terms.append(
                f"({column} {'>=' if last else '>'} ? OR {column} IS NULL)"
                if value is not None
                else f"{column} IS NULL"
            )
            alternatives.append(f"({' AND '.join(terms)})")
            parameters += [known for _, known in before if known is not None]
            parameters += [value] if value is not None else []
        return f"({' OR '.join(alternatives)})", parameters

    def _name(self, column: str) -> str:
        quoted = self.columns[column].replace('"', '""')
        return f'"{quoted}"'


def location_of(table: Table, database: str) -> str:
    """Where the table lies, with the database if one is set."""
    return f"{database}.{LOCATIONS[table.name]}" if database else LOCATIONS[table.name]


def _text(value: Any) -> str | None:
    """A value as Snowflake compares it; a time as naive UTC, which is how the session reads a text."""
    if value is None:
        return None
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC)
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else str(value)


def _drift(table: Table, what: str) -> SchemaDrift:
    location = LOCATIONS[table.name]
    return SchemaDrift(
        f"{location} {what}",
        system=SYSTEM,
        obj=table.name,
        remedy=f"Restore it in {location}, or put a view with the expected columns in its place",
    )
