"""The raw tables', their history's and the ledger's DDL on DuckDB, and bringing an older file up to what is declared.

Besides the declared columns, a raw table has those of the loader (`LOADER_COLUMNS`). `_known_from` is the last moment
of the span whose load brought the row as it stands, `_deleted_at` the moment since when it is gone: as the system
says, or the last moment of the span whose load found it gone. Both are naive UTC, and lie just before a day's end where
the day was loaded to its end. A table that keeps versions has a second table, `history.<system>_<name>`, with the
declared columns of each replaced version and the span [`_known_from`, `_known_to`) in which it was the known one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import duckdb

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import SQL_TYPES

# A span's end lies outside of it: its last moment is this much earlier.
INSTANT = timedelta(microseconds=1)

LOADER_COLUMNS: dict[str, str] = {
    "_extra": "JSON",
    "_row_hash": "VARCHAR",
    "_loaded_at": "TIMESTAMP",
    "_deleted_at": "TIMESTAMP",
    "_load_id": "VARCHAR",
    "_known_from": "TIMESTAMP",
}

HISTORY_COLUMNS: dict[str, str] = {"_known_from": "TIMESTAMP", "_known_to": "TIMESTAMP"}

# What the loader keeps about the loads, in the schema `_sophia`; "missing_columns" are those that drift was raised for.
LEDGER: dict[str, dict[str, str]] = {
    "schema_version": {"fingerprint": "VARCHAR"},
    "loads": {
        "load_id": "VARCHAR",
        "table_name": "VARCHAR",
        "run_id": "VARCHAR",
        "read_from": "TIMESTAMP",
        "window_start": "TIMESTAMP",
        "window_end": "TIMESTAMP",
        "committed_at": "TIMESTAMP",
        "rows_read": "BIGINT",
        "inserted": "BIGINT",
        "updated": "BIGINT",
        "unchanged": "BIGINT",
        "deleted": "BIGINT",
        "rejected": "BIGINT",
        "quarantined": "JSON",
        "new_fields": "JSON",
        "unswept": "VARCHAR",
        "notices": "JSON",
        "newest": "TIMESTAMP",
        "requests": "BIGINT",
        "seconds": "DOUBLE",
        "rows_total": "BIGINT",
    },
    "state": {
        "table_name": "VARCHAR",
        "loaded_through": "TIMESTAMP",
        "newest": "TIMESTAMP",
        "loaded_at": "TIMESTAMP",
        "load_id": "VARCHAR",
        "rows_total": "BIGINT",
        "known_since": "TIMESTAMP",
        "known_through": "TIMESTAMP",
    },
    "quarantine": {
        "table_name": "VARCHAR",
        "key": "VARCHAR",
        "column_name": "VARCHAR",
        "reason": "VARCHAR",
        "original": "JSON",
        "load_id": "VARCHAR",
        "set_aside_at": "TIMESTAMP",
    },
    # Up to when the data reached that each model was last built from, and, in its row without a table, which systems
    # it was built from in part, such as gong=10.
    "builds": {
        "model": "VARCHAR",
        "table_name": "VARCHAR",
        "load_id": "VARCHAR",
        "loaded_through": "TIMESTAMP",
        "shares": "VARCHAR",
    },
    "fields": {"table_name": "VARCHAR", "field": "VARCHAR", "load_id": "VARCHAR", "first_seen_at": "TIMESTAMP"},
    "missing_columns": {
        "table_name": "VARCHAR",
        "column_name": "VARCHAR",
        "rows_read": "BIGINT",
        "rows_held": "BIGINT",
        "found_at": "TIMESTAMP",
    },
}


def columns_of(table: Table) -> dict[str, str]:
    """Every column of the raw table with its DuckDB type, the loader's own included."""
    return _declared(table) | LOADER_COLUMNS


def _declared(table: Table) -> dict[str, str]:
    return {column.name: SQL_TYPES[column.type] for column in table.columns}


def history_columns_of(table: Table) -> dict[str, str]:
    """Every column of the table of replaced versions with its DuckDB type."""
    return _declared(table) | HISTORY_COLUMNS


def history_of(table: Table) -> str:
    """The quoted name of the table of replaced versions."""
    return '"{}"."{}"'.format(*table.history_name.split("."))


def fingerprint(tables: Sequence[Table]) -> str:
    """Changes whenever a declared table, column or key does, or what is kept beside them."""
    declared = [
        (table.qualified_name, columns_of(table), table.primary_key, table.cursor, table.keeps_versions)
        for table in tables
    ]
    text = repr(declared) + repr(LEDGER)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def is_current(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> bool:
    """Whether the file was already brought up to these declarations."""
    try:
        row = connection.execute('SELECT fingerprint FROM "_sophia"."schema_version"').fetchone()
    except duckdb.CatalogException:
        return False
    return row is not None and row[0] == fingerprint(tables)


def bring_up(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Creates what is missing and adds new columns; nothing is ever dropped. Inside the caller's transaction.

    Rows of a file that did not yet keep since when they are known count as known since it was last loaded.
    """
    held: dict[tuple[str, str], set[str]] = {}
    for schema, name, column in connection.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    ).fetchall():
        held.setdefault((schema, name), set()).add(column)
    wanted = {("_sophia", name): columns for name, columns in LEDGER.items()}
    wanted |= {(table.system, table.name): columns_of(table) for table in tables}
    for table in tables:
        if table.keeps_versions:
            schema, _, name = table.history_name.partition(".")
            wanted[schema, name] = history_columns_of(table)
    for schema in dict.fromkeys(schema for schema, _ in wanted):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    for place, columns in wanted.items():
        qualified = '"{}"."{}"'.format(*place)
        definition = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {qualified} ({definition})")
        for name in (name for name in columns if name not in held.get(place, columns)):
            known = _loaded_through(connection, place) if name == "_known_from" else None
            default = f" DEFAULT TIMESTAMP '{known - INSTANT}'" if known else ""
            connection.execute(f'ALTER TABLE {qualified} ADD COLUMN "{name}" {columns[name]}{default}')
            if known:
                connection.execute(f'ALTER TABLE {qualified} ALTER COLUMN "{name}" DROP DEFAULT')
    connection.execute('DELETE FROM "_sophia"."schema_version"')
    connection.execute('INSERT INTO "_sophia"."schema_version" VALUES (?)', [fingerprint(tables)])


def _loaded_through(connection: duckdb.DuckDBPyConnection, place: tuple[str, str]) -> datetime | None:
    row = connection.execute(
        'SELECT loaded_through FROM "_sophia"."state" WHERE table_name = ?', [".".join(place)]
    ).fetchone()
    return row[0] if row else None
