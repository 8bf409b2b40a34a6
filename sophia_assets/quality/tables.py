"""Validates raw tables where they lie: which rows are looked at, their volume, their newest event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sophia_assets.quality.outcomes import Outcome, span_in_words
from sophia_assets.sources.declarations import Expectation, Table
from sophia_assets.warehouse.interface import Warehouse

if TYPE_CHECKING:
    from sophia_assets.quality.client import QualityWorker

# The newest rows are looked at; older ones were when they were new, and a frame has to stay bounded.
ROWS_LOOKED_AT = 100_000


def validate(
    worker: QualityWorker, warehouse: Warehouse, table: Table, expectations: Sequence[Expectation]
) -> list[Outcome]:
    """Runs expectations over the table's newest live rows, one outcome each."""
    if not expectations:
        return []
    needed = {name for item in expectations for name in _columns(item)}
    columns = [name for name in table.column_names if name in needed] or [table.primary_key[0]]
    order = f" ORDER BY {table.cursor} DESC NULLS LAST" if table.cursor else ""
    rows = warehouse.query(
        f"SELECT {', '.join(columns)} FROM {table.qualified_name} "
        f"WHERE _deleted_at IS NULL{order} LIMIT {ROWS_LOOKED_AT}"
    )
    return worker.validate(table.qualified_name, rows, expectations)


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
    if state is None or state.newest is None:
        return Outcome(name, False, "warn", expected, "no event at all", recovery=recovery)
    age = state.loaded_through - state.newest
    return Outcome(
        name=name,
        passed=age <= limit,
        severity="warn",
        expected=expected,
        observed=f"newest event {state.newest:%Y-%m-%d %H:%M}, read up to {state.loaded_through:%Y-%m-%d %H:%M} (UTC)",
        rows=state.rows_total,
        recovery=recovery,
    )


def _columns(expectation: Expectation) -> Sequence[str]:
    if "column" in expectation.arguments:
        return [str(expectation.arguments["column"])]
    return [str(column) for column in expectation.arguments.get("column_list", ())]
