"""Which live rows a read has shown to be gone: deleted by key, or missing from what it said was complete."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import naive_utc
from sophia_assets.warehouse.merge import Marks, Verdict, execute_over, key_list, mark, no_rows, target
from sophia_assets.warehouse.staging import TableStage

_LIVE = "held._deleted_at IS NULL"


@dataclass(frozen=True)
class Sweep:
    """The rows that get a tombstone, by rowid; `unswept` says why some that did not come are left alone."""

    doomed: Marks
    unswept: str


def find_gone(connection: duckdb.DuckDBPyConnection, staged: TableStage, verdict: Verdict) -> Sweep:
    """Needs the temporary tables of `merge.judge`.

    A row that came, was listed as present, or was set aside is never taken to be gone, unless its key was deleted;
    nor is one that a load has written that began to read later.
    """
    table = staged.table
    keys = key_list(table)
    deleted = np.zeros_like(verdict.held)
    mark(connection.execute(f"{_live(table)} SEMI JOIN gone USING ({keys}) WHERE {_LIVE}"), deleted)
    deleted &= ~verdict.settled
    if not staged.is_swept and not staged.replaced:
        return Sweep(deleted, "")
    if staged.unplaced:
        return Sweep(deleted, "rows came whose key could not be read")
    kept = _kept(connection, staged, verdict)
    whole = _beyond_the_complete(connection, staged) & ~kept
    children = _children(connection, staged) & ~kept
    unswept = ""
    is_silent = staged.rows_read == 0 and not staged.present.sync()
    # A read of nothing that would take several rows away is rather a system that is broken; the last one may go.
    if is_silent and int(whole.sum()) > 1 and ledger.is_silence_doubted(connection, table):
        whole, unswept = np.zeros_like(whole), "the system answered with no row at all"
    return Sweep(deleted | whole | children, unswept)


def _kept(connection: duckdb.DuckDBPyConnection, staged: TableStage, verdict: Verdict) -> Marks:
    table, keys = staged.table, key_list(staged.table)
    kept = verdict.held | verdict.settled
    mark(connection.execute(f"{_live(table)} SEMI JOIN set_aside USING ({keys}) WHERE {_LIVE}"), kept)
    for part in staged.present.chunks():
        mark(execute_over(connection, f"{_live(table)} SEMI JOIN part USING ({keys}) WHERE {_LIVE}", part), kept)
    return kept


def _beyond_the_complete(connection: duckdb.DuckDBPyConnection, staged: TableStage) -> Marks:
    """The live rows of what the read called complete: the table, or spans of it."""
    found = no_rows(connection, staged.table)
    if staged.complete or staged.lists_keys:
        mark(connection.execute(f"{_live(staged.table)} WHERE {_LIVE}"), found)
    for span in staged.spans:
        bounds = [naive_utc(bound) for bound in (span.start, span.end) if bound]
        inside = f'"{span.column}" < ?' if span.start is None else f'"{span.column}" >= ? AND "{span.column}" < ?'
        if span.through is None:
            sql = f"{_live(staged.table)} WHERE {_LIVE} AND {inside}"
        else:
            parent = '"{}"."{}"'.format(*span.through.table.split("."))
            key = span.through.column
            parents = f'(SELECT "{key}" FROM {parent} WHERE {inside})'
            sql = f'{_live(staged.table)} SEMI JOIN {parents} AS parent USING ("{key}") WHERE {_LIVE}'
        mark(connection.execute(sql, bounds), found)
    return found


def _children(connection: duckdb.DuckDBPyConnection, staged: TableStage) -> Marks:
    """The live rows of the parents whose children all came."""
    found = no_rows(connection, staged.table)
    for column, spool in staged.replaced.items():
        sql = f'{_live(staged.table)} SEMI JOIN part ON held."{column}" = part.parent WHERE {_LIVE}'
        for part in spool.chunks():
            mark(execute_over(connection, sql, part), found)
    return found


def _live(table: Table) -> str:
    return f"SELECT held.rowid FROM {target(table)} AS held"
