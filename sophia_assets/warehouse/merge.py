"""The SQL that merges one staged table into its raw table, inside a transaction that the caller opened.

Every row's fate is decided once, in `verdict`; the counts and the changes both come from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import ARROW_TYPES
from sophia_assets.warehouse.staging import TableStage


@dataclass(frozen=True)
class MergeCounts:
    """What a merge did, and how the table stands after it. `newest` is naive UTC."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int
    rows_total: int
    newest: datetime | None


def merge(
    connection: duckdb.DuckDBPyConnection, staged: TableStage, *, load_id: str, loaded_at: datetime
) -> MergeCounts:
    """Inserts new rows, updates changed ones, tombstones what is gone, revives what is back."""
    table = staged.table
    _stage(connection, staged)
    verdicts: dict[str, int] = dict(
        connection.execute("SELECT _verdict, count(*) FROM verdict GROUP BY _verdict").fetchall()
    )
    marks = [loaded_at, load_id]
    if verdicts.get("update"):
        connection.execute(_update(table), marks)
    if verdicts.get("insert"):
        connection.execute(_insert(table), marks)
    deleted = _tombstone(connection, staged, marks)
    connection.execute("DROP TABLE incoming; DROP TABLE verdict; DROP TABLE gone")
    rows_total, newest = _standing(connection, table)
    inserted, updated = verdicts.get("insert", 0), verdicts.get("update", 0)
    unchanged = staged.rows_read - staged.rejected - inserted - updated
    return MergeCounts(inserted, updated, unchanged, deleted, rows_total, newest)


def _stage(connection: duckdb.DuckDBPyConnection, staged: TableStage) -> None:
    table = staged.table
    connection.register("arriving", staged.reader())
    connection.execute("CREATE TEMP TABLE incoming AS SELECT * FROM arriving")
    connection.unregister("arriving")
    key_types = {column.name: ARROW_TYPES[column.type] for column in table.columns}
    gone = pa.table(
        [
            pa.array(v, type=key_types[n])
            for v, n in zip(staged.key_columns(staged.deleted_keys), table.primary_key, strict=True)
        ],
        names=list(table.primary_key),
    )
    connection.register("arriving", gone)
    connection.execute("CREATE TEMP TABLE gone AS SELECT DISTINCT * FROM arriving")
    connection.unregister("arriving")
    connection.execute(_verdict(table))


def _verdict(table: Table) -> str:
    """One row per key that came: its newest version's `_sequence`, and what is to be done with it.

    A key that the same read also says is gone is left out: the tombstone is what counts. Only keys,
    cursors and hashes are sorted and joined here, so that wide rows do not cost memory.
    """
    keys = _key_list(table)
    cursor = f', "{table.cursor}"' if table.cursor and table.cursor not in table.primary_key else ""
    order = f'"{table.cursor}" DESC NULLS LAST, _sequence DESC' if table.cursor else "_sequence DESC"
    older = f'WHEN fresh."{table.cursor}" < held."{table.cursor}" THEN \'older\'' if table.cursor else ""
    return f"""
        CREATE TEMP TABLE verdict AS
        WITH fresh AS (
            SELECT {keys}{cursor}, _row_hash, _sequence FROM incoming ANTI JOIN gone USING ({keys})
            QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1
        )
        SELECT {keys}, _sequence,
            CASE
                WHEN held._row_hash IS NULL THEN 'insert'
                {older}
                WHEN held._deleted_at IS NULL AND held._row_hash = fresh._row_hash THEN 'same'
                ELSE 'update'
            END AS _verdict
        FROM fresh LEFT JOIN {target(table)} AS held USING ({keys})"""


def _judged(verdict: str) -> str:
    return f"(SELECT incoming.* FROM incoming JOIN verdict USING (_sequence) WHERE _verdict = '{verdict}')"


def _update(table: Table) -> str:
    names = [name for name in table.column_names if name not in table.primary_key]
    changes = ", ".join(f'"{name}" = fresh."{name}"' for name in [*names, "_extra", "_row_hash"])
    return (
        f"UPDATE {target(table)} AS held SET {changes}, _loaded_at = ?, _deleted_at = NULL, _load_id = ? "
        f"FROM {_judged('update')} AS fresh WHERE {_same_key(table, 'fresh')}"
    )


def _insert(table: Table) -> str:
    names = ", ".join(f'"{name}"' for name in [*table.column_names, "_extra", "_row_hash"])
    return (
        f"INSERT INTO {target(table)} ({names}, _loaded_at, _load_id) "
        f"SELECT {names}, ?, ? FROM {_judged('insert')} AS fresh"
    )


def _tombstone(connection: duckdb.DuckDBPyConnection, staged: TableStage, marks: list[Any]) -> int:
    table = staged.table
    mark = f"UPDATE {target(table)} AS held SET _deleted_at = ?, _load_id = ? WHERE held._deleted_at IS NULL"
    absent = f"NOT EXISTS (SELECT 1 FROM verdict WHERE {_same_key(table, 'verdict')})"
    deleted = 0
    if staged.deleted_keys:
        clause = f"EXISTS (SELECT 1 FROM gone WHERE {_same_key(table, 'gone')})"
        deleted += _changed(connection.execute(f"{mark} AND {clause}", marks))
    if staged.complete:
        deleted += _changed(connection.execute(f"{mark} AND {absent}", marks))
    for column, parents in staged.replaced.items():
        kind = next(c.type for c in table.columns if c.name == column)
        connection.register("parents", pa.table({"parent": pa.array(sorted(parents), type=ARROW_TYPES[kind])}))
        clause = f'held."{column}" IN (SELECT parent FROM parents)'
        deleted += _changed(connection.execute(f"{mark} AND {clause} AND {absent}", marks))
        connection.unregister("parents")
    return deleted


def _standing(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, datetime | None]:
    newest = f'max("{table.cursor}")' if table.cursor else "NULL"
    row = connection.execute(f"SELECT count(*), {newest} FROM {target(table)} WHERE _deleted_at IS NULL").fetchone()
    return (int(row[0]), row[1]) if row else (0, None)


def target(table: Table) -> str:
    """The raw table's quoted name."""
    return f'"{table.system}"."{table.name}"'


def _key_list(table: Table) -> str:
    return ", ".join(f'"{name}"' for name in table.primary_key)


def _same_key(table: Table, other: str) -> str:
    return " AND ".join(f'held."{name}" = {other}."{name}"' for name in table.primary_key)


def _changed(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.fetchone()
    return int(row[0]) if row else 0
