"""Columns that have vanished from what a system answers, told from columns that are merely empty.

The rule: at least 20 rows of the table came, none of them has a value for the column, and of the live rows *with
the same keys* at least 20, and at least half, hold one. Comparing the same records keeps out what
is often empty for good reasons (a reason of loss, a date of cancelling, an end of validity): new records
that lack it say nothing, and known ones must have lost it in bulk. The lookback of an incremental read and the
whole of a snapshot bring known records with every load. What still looks alike is a person clearing the field of
everything that a window holds; that is what `SOPHIA_ACCEPT_MISSING` is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.merge import Verdict, execute_over, parts, target
from sophia_assets.warehouse.staging import TableStage

LEAST_ROWS = 20
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class MissingColumn:
    """A column that `rows_read` rows lack although `rows_held` of the same rows hold a value."""

    table: Table
    column: str
    rows_read: int
    rows_held: int

    @property
    def qualified_name(self) -> str:
        return f"{self.table.qualified_name}.{self.column}"


def missing_columns(connection: duckdb.DuckDBPyConnection, staged: TableStage, verdict: Verdict) -> list[MissingColumn]:
    """The declared columns that have vanished, by the rule above."""
    candidates = suspects(staged, int(verdict.held.sum()))
    if not candidates:
        return []
    wanted = ", ".join(f'count("{name}")' for name in candidates)
    totals = [0] * (len(candidates) + 1)
    for condition, part in parts(verdict.held):
        sql = f"SELECT count(*), {wanted} FROM {target(staged.table)} WHERE _deleted_at IS NULL AND {condition}"
        row = execute_over(connection, sql, part).fetchone() or totals
        totals = [total + more for total, more in zip(totals, row, strict=True)]
    return vanished(staged, candidates, totals[0], totals[1:])


def suspects(staged: TableStage, held: int) -> list[str]:
    """The declared columns that no row that came has a value of; none where too few rows came, or are `held`."""
    if staged.sequence < LEAST_ROWS or held < LEAST_ROWS:
        return []
    return [name for name in staged.absent_columns if name not in staged.table.primary_key]


def vanished(staged: TableStage, columns: Sequence[str], rows: int, values: Sequence[int]) -> list[MissingColumn]:
    """Those of the `columns` that enough of the `rows` held a value of before; `values` says how many, one by one."""
    return [
        MissingColumn(staged.table, name, staged.rows_read, held)
        for name, held in zip(columns, values, strict=True)
        if held >= LEAST_ROWS and held >= LEAST_SHARE * rows
    ]
