"""The merge of one staged table into its raw table, inside a transaction that the caller opened.

Every row's fate is decided once, by `judge`, from keys, cursors and hashes alone; what is changed comes from
there. Wide rows are read a second time from the stage and go through memory in chunks: what grows with
the table is a few bytes per row, and DuckDB's own part of it spills to disk. Versions that are replaced are
copied to the table's history, where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import SQL_TYPES
from sophia_assets.warehouse.schema import history_of
from sophia_assets.warehouse.spool import Spool
from sophia_assets.warehouse.staging import TableStage

RowNumbers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

ROWIDS_AT_ONCE = 100_000

_SAME, _OLDER, _UPDATE, _INSERT = 1, 2, 3, 4
_TEMPORARY = ("fresh", "gone", "set_aside")


@dataclass(frozen=True)
class MergeCounts:
    """What a merge did, and how the table stands after it. `newest` is naive UTC.

    A row that came with its own tombstone counts as `inserted` and as `deleted`.
    """

    inserted: int
    updated: int
    unchanged: int
    deleted: int
    rows_total: int
    newest: datetime | None


@dataclass(frozen=True)
class Tombstones:
    """Since when rows are gone: `moments`, in microseconds since 1970, of the rows `numbers`, which ascend."""

    numbers: RowNumbers
    moments: RowNumbers

    @classmethod
    def of(cls, found: Sequence[tuple[RowNumbers, RowNumbers]]) -> Tombstones:
        """From batches of numbers and moments, in any order."""
        if not found:
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        numbers, moments = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(numbers)
        return cls(numbers[order], moments[order])

    def column(self, numbers: RowNumbers) -> pa.Array:
        """The moments of these rows, null where they have none."""
        if not len(self.numbers):
            return pa.nulls(len(numbers), pa.timestamp("us"))
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return pa.array(self.moments[places], mask=self.numbers[places] != numbers).cast(pa.timestamp("us"))


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a staged table.

    `fates` has a code per staged row, by `_sequence`; `held` marks, by rowid, the raw table's rows whose key came,
    `outdated` those of them that are replaced, and `settled` all that a load has written that began to read later.
    `born_gone` has, by `_sequence`, the rows to be stored whose key the same read says is gone.
    """

    fates: npt.NDArray[np.uint8]
    held: Marks
    outdated: Marks
    settled: Marks
    born_gone: Tombstones

    @property
    def inserted(self) -> int:
        return int((self.fates == _INSERT).sum())

    @property
    def updated(self) -> int:
        return int((self.fates == _UPDATE).sum())


@dataclass(frozen=True)
class Sweep:
    """The held rows that are gone, by rowid: `missing` from what was complete, or `told` with a moment of their own.

    `count` is how many of them were live; `unswept` says why some that did not come are left alone.
    """

    missing: Marks
    told: Tombstones
    count: int
    unswept: str = ""


def judge(
    connection: duckdb.DuckDBPyConnection, staged: TableStage, *, known: datetime, overtaken_by: Sequence[str] = ()
) -> Verdict:
    """Decides every staged row's fate. Leaves the keys that came, that are gone and that were set aside in
    the temporary tables `fresh`, `gone` and `set_aside`.

    Of several versions of a key the newest counts, then the last that came; it loses against a newer one in the
    table. One whose key the same read also says is gone is stored with a tombstone: at the moment that the system
    says, else the one that it has already, else `known` (naive UTC). What the loads `overtaken_by` have written,
    which began to read later than this one, gives way only to a newer version.
    """
    table = staged.table
    keys = key_list(table)
    versions = list(dict.fromkeys([*table.primary_key, *([table.cursor] if table.cursor else [])]))
    _spill(connection, "fresh", table, staged.rows, [*versions, "_row_hash", "_sequence"])
    _spill(connection, "gone", table, staged.gone, [*table.primary_key, "_gone_at"])
    _spill(connection, "set_aside", table, staged.set_aside, staged.set_aside.schema.names)
    order = f'"{table.cursor}" DESC NULLS LAST, _sequence DESC' if table.cursor else "_sequence DESC"
    older = f'WHEN newest."{table.cursor}" < held."{table.cursor}" THEN {_OLDER}' if table.cursor else ""
    settled = _if_settled(table) if overtaken_by else ""
    held, outdated = no_rows(connection, table), no_rows(connection, table)
    found = connection.execute(
        f"""
        WITH newest AS (
            SELECT * FROM fresh QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1
        )
        SELECT _sequence, coalesce(held.rowid, -1) AS held_row,
            CASE
                WHEN held._row_hash IS NULL THEN {_INSERT}
                {older}
                {settled}
                WHEN held._row_hash = newest._row_hash AND (held._deleted_at IS NULL OR said.is_gone) THEN {_SAME}
                ELSE {_UPDATE}
            END::UTINYINT AS fate,
            CASE WHEN said.is_gone THEN epoch_us(coalesce(said.gone_at, held._deleted_at, ?)) END AS gone_at
        FROM newest LEFT JOIN {target(table)} AS held USING ({keys})
        LEFT JOIN {said_gone(table)} AS said USING ({keys})""",
        [*([list(overtaken_by)] if overtaken_by else []), known],
    )
    fates = np.zeros(staged.sequence, dtype=np.uint8)
    born_gone = []
    for batch in found.to_arrow_reader(ROWIDS_AT_ONCE):
        numbers, rows, codes = (batch[place].to_numpy() for place in range(3))
        fates[numbers] = codes
        held[rows[rows >= 0]] = True
        outdated[rows[codes == _UPDATE]] = True
        gone = batch[3].is_valid().to_numpy(zero_copy_only=False) & (codes >= _UPDATE)
        if gone.any():
            born_gone.append((numbers[gone], batch[3].fill_null(0).to_numpy()[gone]))
    return Verdict(fates, held, outdated, _written_by(connection, table, overtaken_by), Tombstones.of(born_gone))


def said_gone(table: Table) -> str:
    """The keys of the temporary table `gone`, each once, with the moment that the system says, if any."""
    keys = key_list(table)
    return f"(SELECT {keys}, true AS is_gone, max(_gone_at) AS gone_at FROM gone GROUP BY {keys})"


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
    sweep: Sweep,
    *,
    load_id: str,
    loaded_at: datetime,
    known: datetime,
) -> MergeCounts:
    """Inserts new rows, replaces changed ones, tombstones what the `sweep` found, revives what is back.

    `known` is the moment (naive UTC) from which this load's versions are known, and at which those it replaces end.
    """
    table = staged.table
    _each_part(connection, f"UPDATE {target(table)} SET _deleted_at = ?, _load_id = ?", sweep.missing, [known, load_id])
    _tombstone(connection, table, sweep.told, load_id)
    if table.keeps_versions:
        _keep_versions(connection, table, verdict.outdated, known)
    # Replacing instead of updating: an update of many rows would be held in memory until the commit.
    _each_part(connection, f"DELETE FROM {target(table)}", verdict.outdated, [])
    if verdict.inserted or verdict.updated:
        _insert(connection, staged, verdict, [loaded_at, load_id, known])
    rows_total, newest = standing(connection, table)
    unchanged = staged.rows_read - staged.rejected - sum(staged.misfits.values()) - verdict.inserted - verdict.updated
    deleted = sweep.count + int((verdict.fates[verdict.born_gone.numbers] == _INSERT).sum())
    return MergeCounts(verdict.inserted, verdict.updated, unchanged, deleted, rows_total, newest)


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
    connection: duckdb.DuckDBPyConnection, sql: str, part: pa.Table, marks: Sequence[Any] | Mapping[str, Any] = ()
) -> duckdb.DuckDBPyConnection:
    """Executes `sql`, which reads `part`: DuckDB finds the argument by its name.

    A registered table would be kept in memory until the end of the transaction.
    """
    return connection.execute(sql, marks)


def _spill(
    connection: duckdb.DuckDBPyConnection, name: str, table: Table, spool: Spool, columns: Sequence[str]
) -> None:
    kinds = {column.name: SQL_TYPES[column.type] for column in table.columns}
    kinds |= {"_sequence": "BIGINT", "_gone_at": "TIMESTAMP"}
    definition = ", ".join(f'"{column}" {kinds.get(column, "VARCHAR")}' for column in columns)
    connection.execute(f"CREATE TEMP TABLE {name} ({definition})")
    listed = ", ".join(f'"{column}"' for column in columns)
    for part in spool.chunks(columns):
        execute_over(connection, f"INSERT INTO {name} SELECT {listed} FROM part", part)


def _each_part(connection: duckdb.DuckDBPyConnection, statement: str, marked: Marks, values: Sequence[Any]) -> None:
    for condition, part in parts(marked):
        execute_over(connection, f"{statement} WHERE {condition}", part, values)


def _tombstone(connection: duckdb.DuckDBPyConnection, table: Table, told: Tombstones, load_id: str) -> None:
    """Gives the rows, by rowid, each its own moment."""
    for start in range(0, len(told.numbers), ROWIDS_AT_ONCE):
        some = slice(start, start + ROWIDS_AT_ONCE)
        numbers = told.numbers[some]
        part = pa.table({"number": numbers, "moment": told.column(numbers)})
        execute_over(
            connection,
            f"UPDATE {target(table)} AS held SET _deleted_at = part.moment, _load_id = ? FROM part "
            f"WHERE held.rowid BETWEEN {numbers[0]} AND {numbers[-1]} AND held.rowid = part.number",
            part,
            [load_id],
        )


def _keep_versions(connection: duckdb.DuckDBPyConnection, table: Table, outdated: Marks, known: datetime) -> None:
    """Copies what is replaced, with the span in which it was known.

    One that ended when it began is none, unless it is the tombstone of a row that is back: the row was gone until now.
    """
    names = ", ".join(f'"{name}"' for name in table.column_names)
    until = "least(_deleted_at, $known)"
    for condition, part in parts(outdated):
        execute_over(
            connection,
            f"INSERT INTO {history_of(table)} ({names}, _known_from, _known_to) SELECT {names}, _known_from, {until} "
            f"FROM {target(table)} WHERE {condition} AND (_deleted_at IS NOT NULL OR _known_from < $known)",
            part,
            {"known": known},
        )


def _insert(connection: duckdb.DuckDBPyConnection, staged: TableStage, verdict: Verdict, marks: Sequence[Any]) -> None:
    names = ", ".join(f'"{name}"' for name in [*staged.table.column_names, "_extra", "_row_hash"])
    insert = (
        f"INSERT INTO {target(staged.table)} ({names}, _deleted_at, _loaded_at, _load_id, _known_from) "
        f"SELECT {names}, _deleted_at, ?, ?, ? FROM part"
    )
    for chunk in staged.rows.chunks():
        wanted = verdict.fates[chunk["_sequence"].to_numpy()] >= _UPDATE
        if wanted.any():
            part = chunk.filter(pa.array(wanted))
            tombstones = verdict.born_gone.column(part["_sequence"].to_numpy())
            execute_over(connection, insert, part.append_column("_deleted_at", tombstones), marks)
