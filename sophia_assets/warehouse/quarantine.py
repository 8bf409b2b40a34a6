"""Rows that were set aside because a value did not fit its declared type, kept until a good version comes.

Bounded: the newest `ROWS_KEPT` of a table stay; how many a load set aside in all is in the ledger.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import orjson
import pyarrow as pa

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import ARROW_TYPES, coerce_column
from sophia_assets.warehouse.merge import execute_over
from sophia_assets.warehouse.staging import TableStage

ROWS_KEPT = 1_000

_TABLE = '"_sophia"."quarantine"'


def update_quarantine(
    connection: duckdb.DuckDBPyConnection, staged: TableStage, *, load_id: str, at: datetime, swept: bool
) -> None:
    """Releases the rows whose key came good, was deleted or, where all rows came, did not come; adds the new ones.

    Needs the temporary tables of `merge.judge`. `at` is naive UTC.
    """
    if staged.rows_read == 0 and not staged.has_content:
        return
    name = staged.table.qualified_name
    held = connection.execute(f"SELECT key FROM {_TABLE} WHERE table_name = ?", [name]).fetchall()
    if held:
        _release(connection, staged.table, [key for (key,) in held if key is not None], everything=swept)
    if staged.misfits:
        _add(connection, staged.table, load_id, at)


def _release(connection: duckdb.DuckDBPyConnection, table: Table, keys: list[str], *, everything: bool) -> None:
    # Rows whose key could not be read are this load's or nobody's.
    clause = "" if everything else " AND key IS NULL"
    connection.execute(f"DELETE FROM {_TABLE} WHERE table_name = ?{clause}", [table.qualified_name])
    if everything or not keys:
        return
    kinds = {column.name: column.type for column in table.columns}
    values = list(zip(*(orjson.loads(key) for key in keys), strict=True))
    columns = [coerce_column(column, kinds[name])[0] for column, name in zip(values, table.primary_key, strict=True)]
    names = list(table.primary_key)
    arrays = [pa.array(column, type=ARROW_TYPES[kinds[name]]) for column, name in zip(columns, names, strict=True)]
    part = pa.table([*arrays, pa.array(keys)], names=[*names, "_key"])
    listed = ", ".join(f'"{key}"' for key in names)
    good = f"(SELECT {listed} FROM fresh UNION ALL SELECT {listed} FROM gone)"
    released = f"SELECT _key FROM part SEMI JOIN {good} AS good USING ({listed})"
    sql = f"DELETE FROM {_TABLE} WHERE table_name = ? AND key IN ({released})"
    execute_over(connection, sql, part, [table.qualified_name])


def _add(connection: duckdb.DuckDBPyConnection, table: Table, load_id: str, at: datetime) -> None:
    """The last bad version of each key, unless a good one came after it or the key is gone."""
    name = table.qualified_name
    keys = ", ".join(f'"{key}"' for key in table.primary_key)
    same = " AND ".join(f'fresh."{key}" = bad."{key}"' for key in table.primary_key)
    connection.execute(
        f"""CREATE TEMP TABLE standing AS
        SELECT _key, _column, _reason, _row, _sequence FROM set_aside AS bad ANTI JOIN gone USING ({keys})
        WHERE NOT EXISTS (SELECT 1 FROM fresh WHERE {same} AND fresh._sequence > bad._sequence)
        QUALIFY _key IS NULL OR row_number() OVER (PARTITION BY _key ORDER BY _sequence DESC) = 1
        ORDER BY _sequence DESC LIMIT {ROWS_KEPT}"""
    )
    connection.execute(f"DELETE FROM {_TABLE} WHERE table_name = ? AND key IN (SELECT _key FROM standing)", [name])
    connection.execute(
        f"INSERT INTO {_TABLE} (table_name, key, column_name, reason, original, load_id, set_aside_at) "
        "SELECT ?, _key, _column, _reason, _row, ?, ? FROM standing",
        [name, load_id, at],
    )
    connection.execute("DROP TABLE standing")
    connection.execute(
        f"DELETE FROM {_TABLE} WHERE table_name = ? AND rowid NOT IN (SELECT rowid FROM {_TABLE} "
        f"WHERE table_name = ? ORDER BY set_aside_at DESC, rowid DESC LIMIT {ROWS_KEPT})",
        [name, name],
    )
