"""Which live rows a read has shown to be gone: deleted by key, or missing from what it said was complete."""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import naive_utc
from sophia_assets.warehouse.merge import (
    ROWIDS_AT_ONCE,
    Marks,
    Sweep,
    Tombstones,
    Verdict,
    execute_over,
    key_list,
    mark,
    no_rows,
    said_gone,
    target,
)
from sophia_assets.warehouse.staging import TableStage

_LIVE = "held._deleted_at IS NULL"


def find_gone(connection: duckdb.DuckDBPyConnection, staged: TableStage, verdict: Verdict, *, known: datetime) -> Sweep:
    """Needs the temporary tables of `merge.judge`; `known`, naive UTC, is the moment of what the system dates not.

    A row that came, was listed as present, or was set aside is never taken to be gone, unless its key was deleted;
    nor is one that a load has written that began to read later.
    """
    table = staged.table
    told, count = _told(connection, table, verdict, known)
    nothing = np.zeros_like(verdict.held)
    if not staged.is_swept and not staged.replaced:
        return Sweep(nothing, told, count)
    if staged.unplaced:
        return Sweep(nothing, told, count, "rows came whose key could not be read")
    kept = _kept(connection, staged, verdict)
    kept[told.numbers] = True
    whole = _beyond_the_complete(connection, staged) & ~kept
    children = _children(connection, staged) & ~kept
    unswept = ""
    is_silent = staged.rows_read == 0 and not staged.present.sync()
    # A read of nothing that would take several rows away is rather a system that is broken; the last one may go.
    if is_silent and int(whole.sum()) > 1 and ledger.is_silence_doubted(connection, table):
        whole, unswept = np.zeros_like(whole), "the system answered with no row at all"
    missing = whole | children
    return Sweep(missing, told, count + int(missing.sum()), unswept)


def _told(
    connection: duckdb.DuckDBPyConnection, table: Table, verdict: Verdict, known: datetime
) -> tuple[Tombstones, int]:
    """The held rows whose keys were deleted, with their moments, and how many of them are live.

    A tombstone's moment moves only where the system says another one; one that is replaced ends as it was known.
    """
    found = connection.execute(
        f"SELECT held.rowid, epoch_us(coalesce(said.gone_at, ?)), {_LIVE} FROM {target(table)} AS held "
        f"INNER JOIN {said_gone(table)} AS said USING ({key_list(table)}) "
        f"WHERE {_LIVE} OR held._deleted_at <> said.gone_at",
        [known],
    )
    told, count = [], 0
    for batch in found.to_arrow_reader(ROWIDS_AT_ONCE):
        rows, moments = batch[0].to_numpy(), batch[1].to_numpy()
        is_live = batch[2].to_numpy(zero_copy_only=False)
        wanted = ~verdict.settled[rows] & (is_live | ~verdict.outdated[rows])
        told.append((rows[wanted], moments[wanted]))
        count += int((wanted & is_live).sum())
    return Tombstones.of(told), count


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
