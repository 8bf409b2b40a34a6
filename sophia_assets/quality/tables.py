"""Validates raw tables where they lie: which rows are looked at, their volume, newest event, fields and quarantine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sophia_assets.quality.outcomes import Outcome, span_in_words
from sophia_assets.sources.declarations import Expectation, Table
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

# The newest rows are looked at; older ones were when they were new, and a frame has to stay bounded.
ROWS_LOOKED_AT = 100_000
# More than this share of a table set aside is no slip any more: its figures are no longer whole.
QUARANTINE_TOLERATED = 0.01
_FIELDS_NAMED = 20


def rows_to_validate(warehouse: Warehouse, table: Table, expectations: Sequence[Expectation]) -> pa.Table:
    """The table's newest live rows, in the columns that the expectations are about."""
    needed = {name for item in expectations for name in _columns(item)}
    columns = [name for name in table.column_names if name in needed] or [table.primary_key[0]]
    order = f" ORDER BY {table.cursor} DESC NULLS LAST" if table.cursor else ""
    return warehouse.query(
        f"SELECT {', '.join(columns)} FROM {table.qualified_name} "
        f"WHERE _deleted_at IS NULL{order} LIMIT {ROWS_LOOKED_AT}"
    )


def volume(warehouse: Warehouse, table: Table, name: str) -> Outcome:
    """Whether the table has any live row; an empty table is a warning, since a system may hold nothing."""
    counted = warehouse.query(f"SELECT COUNT(*) AS n FROM {table.qualified_name} WHERE _deleted_at IS NULL")
    rows: int = counted["n"][0].as_py()
    return Outcome(
        name=name,
        passed=rows > 0,
        severity="warn",
        expected="at least one row",
        observed=f"{rows:,} rows",
        rows=rows,
        recovery="See whether the system really holds none, and whether the credential may read them.",
    )


def newest_event(warehouse: Warehouse, table: Table, name: str) -> Outcome:
    """Whether the newest row is recent, measured from the time up to which the table was read."""
    limit = table.freshness.newest_event
    assert limit is not None
    state = warehouse.table_state(table.qualified_name)
    expected = f"an event within {span_in_words(limit)} of the time up to which the table was read"
    recovery = "Look into the system itself: it answers, but nothing new has happened in it for longer than usual."
    newest = state.newest if state else None
    if table.freshness.event_column:
        newest = _newest(warehouse, table, table.freshness.event_column)
    if state is None or newest is None:
        return Outcome(name, False, "warn", expected, "no event at all", recovery=recovery)
    age = state.loaded_through - newest
    return Outcome(
        name=name,
        passed=age <= limit,
        severity="warn",
        expected=expected,
        observed=f"newest event {newest:%Y-%m-%d %H:%M}, read up to {state.loaded_through:%Y-%m-%d %H:%M} (UTC)",
        rows=state.rows_total,
        recovery=recovery,
    )


def _newest(warehouse: Warehouse, table: Table, column: str) -> datetime | None:
    found = warehouse.query(f"SELECT max({column}) AS newest FROM {table.qualified_name} WHERE _deleted_at IS NULL")
    return aware_utc(found["newest"][0].as_py())


def declared_fields(warehouse: Warehouse, table: Table, name: str) -> Outcome:
    """Whether the system still sends what is declared, as the loader found; fields beyond that are only listed."""
    expected = "every declared column still comes, and deletions can be told"
    missing = warehouse.query(
        'SELECT column_name, rows_read, rows_held, found_at FROM "_sophia"."missing_columns" WHERE table_name = ? '
        "ORDER BY column_name",
        [table.qualified_name],
    ).to_pylist()
    if missing:
        first = missing[0]
        names = ", ".join(row["column_name"] for row in missing)
        return Outcome(
            name, False, "error", expected,
            f"{names} vanished from {first['rows_read']:,} rows, {first['rows_held']:,} of which had held a value "
            f"({first['found_at']:%Y-%m-%d %H:%M} UTC); that load was not stored",
            unexpected=first["rows_read"], rows=first["rows_read"],
            recovery=f"Change the declaration in sources/{table.system}/tables.py where the system has dropped or "
            "renamed the field; set SOPHIA_ACCEPT_MISSING for one load where it was really emptied.",
        )  # fmt: skip
    last = _last_load(warehouse, table)
    if last.get("unswept"):
        recovery = "See whether the system really holds nothing any more; the third such answer in a row is believed."
        return Outcome(
            name, False, "error", expected, f"deletions were not taken over: {last['unswept']}", recovery=recovery
        )
    found = warehouse.query(
        'SELECT DISTINCT field FROM "_sophia"."fields" WHERE table_name = ? ORDER BY field', [table.qualified_name]
    ).to_pylist()
    new = [row["field"] for row in found if row["field"] not in table.column_names]
    observed = "as declared"
    if new:
        more = f" and {len(new) - _FIELDS_NAMED} more" if len(new) > _FIELDS_NAMED else ""
        observed += f"; not declared, kept in _extra: {', '.join(new[:_FIELDS_NAMED])}{more}"
    return Outcome(name, True, "error", expected, observed, rows=last.get("rows_total") or 0)


def quarantine(warehouse: Warehouse, table: Table, name: str) -> Outcome:
    """Whether rows are set aside because a value did not fit; an error above a share of the table's rows."""
    held = warehouse.query(
        'SELECT column_name, count(*) AS n FROM "_sophia"."quarantine" WHERE table_name = ? '
        "GROUP BY 1 ORDER BY 2 DESC, 1",
        [table.qualified_name],
    ).to_pylist()
    last = _last_load(warehouse, table)
    # Only so many are kept; the last load knows how many it set aside in all.
    aside = max(sum(row["n"] for row in held), sum(json.loads(last.get("quarantined") or "{}").values()) if held else 0)
    rows = (last.get("rows_total") or 0) + aside
    columns = ", ".join(row["column_name"] for row in held)
    return Outcome(
        name=name,
        passed=not aside,
        severity="error" if aside > QUARANTINE_TOLERATED * rows else "warn",
        expected="no row set aside",
        observed=f"{aside:,} of {rows:,} rows set aside, for {columns}" if aside else "no row set aside",
        unexpected=aside,
        rows=rows,
        recovery="Look at their reasons in _sophia.quarantine; correct them in the system, or the column's declared "
        "type. The last good version of each row serves until a good one comes.",
    )


def _last_load(warehouse: Warehouse, table: Table) -> dict[str, Any]:
    """The ledger's newest row for the table; empty where it was never loaded."""
    found = warehouse.query(
        'SELECT rows_total, unswept, quarantined FROM "_sophia"."loads" WHERE table_name = ? '
        "ORDER BY rowid DESC LIMIT 1",
        [table.qualified_name],
    ).to_pylist()
    return dict(found[0]) if found else {}


def _columns(expectation: Expectation) -> Sequence[str]:
    if "column" in expectation.arguments:
        return [str(expectation.arguments["column"])]
    return [str(column) for column in expectation.arguments.get("column_list", ())]
