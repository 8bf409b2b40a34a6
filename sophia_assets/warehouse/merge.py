"""The merge of one staged table into its raw table, inside a transaction that the caller opened.

Every row's fate is decided once, by `judge`, from keys, cursors and hashes alone; what is changed comes from
there. Wide rows are read a second time from the stage and go through memory in chunks: what grows with
the table is a few bytes per row, and DuckDB's own part of it spills to disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import SQL_TYPES
from sophia_assets.warehouse.spool import Spool
from sophia_assets.warehouse.staging import TableStage

RowNumbers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

ROWIDS_AT_ONCE = 100_000

_SAME, _OLDER, _UPDATE, _INSERT = 1, 2, 3, 4
_TEMPORARY = ("fresh", "gone", "set_aside")


@dataclass(frozen=True)
class MergeCounts:
    """What a merge did, and how the table stands after it. `newest` is naive UTC."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int
    rows_total: int
    newest: datetime | None


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a staged table.

    `fates` has a code per staged row, by `_sequence`; `held` marks, by rowid, the raw table's rows whose key came,
    `outdated` those of them that are replaced, and `settled` all that a load has written that began to read later.
    """

    fates: npt.NDArray[np.uint8]
    held: Marks
    outdated: Marks
    settled: Marks

    @property
    def inserted(self) -> int:
        return int((self.fates == _INSERT).sum())

    @property
    def updated(self) -> int:
        return int((self.fates == _UPDATE).sum())


def judge(connection: duckdb.DuckDBPyConnection, staged: TableStage, overtaken_by: Sequence[str] = ()) -> Verdict:
    """Decides every staged row's fate. Leaves the keys that came, that are gone and that were set aside in
    the temporary tables `fresh`, `gone` and `set_aside`.

    Of several versions of a key the newest counts, then the last that came; it loses against a newer one in the
    table. A key that the same read also says is gone is left out: the tombstone is what counts. What the loads
    `overtaken_by` have written, which began to read later than this one, gives way only to a newer version.
    """
    table = staged.table
    keys = key_list(table)
    versions = list(dict.fromkeys([*table.primary_key, *([table.cursor] if table.cursor else [])]))
    _spill(connection, "fresh", table, staged.rows, [*versions, "_row_hash", "_sequence"])
    _spill(connection, "gone", table, staged.gone, list(table.primary_key))
    _spill(connection, "set_aside", table, staged.set_aside, staged.set_aside.schema.names)
    order = f'"{table.cursor}" DESC NULLS LAST, _sequence DESC' if table.cursor else "_sequence DESC"
    older = f'WHEN newest."{table.cursor}" < held."{table.cursor}" THEN {_OLDER}' if table.cursor else ""
    settled = _if_settled(table) if overtaken_by else ""
    held, outdated = no_rows(connection, table), no_rows(connection, table)
    found = connection.execute(
        f"""
        WITH newest AS (
            SELECT * FROM fresh ANTI JOIN gone USING ({keys})
            QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1
        )
        SELECT _sequence, coalesce(held.rowid, -1) AS held_row,
            CASE
                WHEN held._row_hash IS NULL THEN {_INSERT}
                {older}
                {settled}
                WHEN held._deleted_at IS NULL AND held._row_hash = newest._row_hash THEN {_SAME}
                ELSE {_UPDATE}
            END::UTINYINT AS fate
        FROM newest LEFT JOIN {target(table)} AS held USING ({keys})""",
        [list(overtaken_by)] if overtaken_by else [],
    )
    fates = np.zeros(staged.sequence, dtype=np.uint8)
    for batch in found.to_arrow_reader(ROWIDS_AT_ONCE):
        rows, codes = batch[1].to_numpy(), batch[2].to_numpy()
        fates[batch[0].to_numpy()] = codes
        held[rows[rows >= 0]] = True
        outdated[rows[codes == _UPDATE]] = True
    return Verdict(fates, held, outdated, _written_by(connection, table, overtaken_by))


def _if_settled(table: Table) -> str:
    """The case of a row that a load has written that began to read later; the parameter is those loads."""
    written = "list_contains(?, held._load_id)"
    if table.cursor:
        is_no_newer = f'(newest."{table.cursor}" > held."{table.cursor}") IS NOT TRUE'
        written += f" AND (held._deleted_at IS NOT NULL OR {is_no_newer})"
    return f"WHEN {written} THEN {_OLDER}"


def _written_by(connection: duckdb.DuckDBPyConnection, table: Table, load_ids: Sequence[str]) -> Marks:
    written = no_rows(connection, table)
    if load_ids:
        sql = f"SELECT rowid FROM {target(table)} WHERE list_contains(?, _load_id)"
        mark(connection.execute(sql, [list(load_ids)]), written)
    return written


def apply(
    connection: duckdb.DuckDBPyConnection,
    staged: TableStage,
    verdict: Verdict,
    *,
    doomed: Marks,
    load_id: str,
    loaded_at: datetime,
) -> MergeCounts:
    """Inserts new rows, replaces changed ones, tombstones the `doomed`, revives what is back."""
    table = staged.table
    marks = [loaded_at, load_id]
    _each_part(connection, f"UPDATE {target(table)} SET _deleted_at = ?, _load_id = ?", doomed, marks)
    # Replacing instead of updating: an update of many rows would be held in memory until the commit.
    _each_part(connection, f"DELETE FROM {target(table)}", verdict.outdated, [])
    if verdict.inserted or verdict.updated:
        _insert(connection, staged, verdict, marks)
    rows_total, newest = standing(connection, table)
    unchanged = staged.rows_read - staged.rejected - sum(staged.misfits.values()) - verdict.inserted - verdict.updated
    return MergeCounts(verdict.inserted, verdict.updated, unchanged, int(doomed.sum()), rows_total, newest)


def forget(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops the temporary tables of `judge`."""
    connection.execute("; ".join(f"DROP TABLE IF EXISTS temp.{name}" for name in _TEMPORARY))


def standing(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, datetime | None]:
    """The number of live rows and the newest cursor value among them (naive UTC)."""
    newest = f'max("{table.cursor}")' if table.cursor else "NULL"
    row = connection.execute(f"SELECT count(*), {newest} FROM {target(table)} WHERE _deleted_at IS NULL").fetchone()
    return (int(row[0]), row[1]) if row else (0, None)


def target(table: Table) -> str:
    """The raw table's quoted name."""
    return f'"{table.system}"."{table.name}"'


def key_list(table: Table) -> str:
    """The primary key's quoted names."""
    return ", ".join(f'"{name}"' for name in table.primary_key)


def no_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> Marks:
    """Marks for every rowid of the raw table, none of them set."""
    row = connection.execute(f"SELECT coalesce(max(rowid), -1) + 1 FROM {target(table)}").fetchone()
    return np.zeros(int(row[0]) if row else 0, dtype=np.bool_)


def mark(found: duckdb.DuckDBPyConnection, marks: Marks) -> None:
    """Sets the marks of the rowids that a query finds."""
    for batch in found.to_arrow_reader(ROWIDS_AT_ONCE):
        marks[batch[0].to_numpy()] = True


def parts(marked: Marks) -> Iterator[tuple[str, pa.Table]]:
    """The marked rowids in bounded parts, each with the condition that picks its rows, given the part as `part`.

    The bounds let DuckDB skip what lies outside them, so that all parts together read the table about once.
    """
    rowids: RowNumbers = np.flatnonzero(marked)
    for start in range(0, len(rowids), ROWIDS_AT_ONCE):
        some = rowids[start : start + ROWIDS_AT_ONCE]
        condition = f"rowid BETWEEN {some[0]} AND {some[-1]} AND rowid IN (SELECT number FROM part)"
        yield condition, pa.table({"number": some})


def execute_over(
    connection: duckdb.DuckDBPyConnection, sql: str, part: pa.Table, marks: Sequence[Any] = ()
) -> duckdb.DuckDBPyConnection:
    """Executes `sql`, which reads `part`: DuckDB finds the argument by its name.

    A registered table would be kept in memory until the end of the transaction.
    """
    return connection.execute(sql, list(marks))


def _spill(
    connection: duckdb.DuckDBPyConnection, name: str, table: Table, spool: Spool, columns: Sequence[str]
) -> None:
    kinds = {column.name: SQL_TYPES[column.type] for column in table.columns} | {"_sequence": "BIGINT"}
    definition = ", ".join(f'"{column}" {kinds.get(column, "VARCHAR")}' for column in columns)
    connection.execute(f"CREATE TEMP TABLE {name} ({definition})")
    listed = ", ".join(f'"{column}"' for column in columns)
    for part in spool.chunks(columns):
        execute_over(connection, f"INSERT INTO {name} SELECT {listed} FROM part", part)


def _each_part(connection: duckdb.DuckDBPyConnection, statement: str, marked: Marks, values: Sequence[Any]) -> None:
    for condition, part in parts(marked):
        execute_over(connection, f"{statement} WHERE {condition}", part, values)


def _insert(connection: duckdb.DuckDBPyConnection, staged: TableStage, verdict: Verdict, marks: Sequence[Any]) -> None:
    names = ", ".join(f'"{name}"' for name in [*staged.table.column_names, "_extra", "_row_hash"])
    insert = f"INSERT INTO {target(staged.table)} ({names}, _loaded_at, _load_id) SELECT {names}, ?, ? FROM part"
    for chunk in staged.rows.chunks():
        wanted = verdict.fates[chunk["_sequence"].to_numpy()] >= _UPDATE
        if wanted.any():
            execute_over(connection, insert, chunk.filter(pa.array(wanted)), marks)
