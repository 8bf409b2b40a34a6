"""The raw tables' and the ledger's DDL on DuckDB, and bringing an older file up to what is declared now."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import duckdb

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import SQL_TYPES
from sophia_assets.warehouse.merge import target

LOADER_COLUMNS: dict[str, str] = {
    "_extra": "JSON",
    "_row_hash": "VARCHAR",
    "_loaded_at": "TIMESTAMP",
    "_deleted_at": "TIMESTAMP",
    "_load_id": "VARCHAR",
}

_LEDGER = (
    'CREATE SCHEMA IF NOT EXISTS "_sophia"',
    'CREATE TABLE IF NOT EXISTS "_sophia"."schema_version" (fingerprint VARCHAR)',
    """CREATE TABLE IF NOT EXISTS "_sophia"."loads" (
        load_id VARCHAR, table_name VARCHAR, run_id VARCHAR, window_start TIMESTAMP, window_end TIMESTAMP,
        committed_at TIMESTAMP, rows_read BIGINT, inserted BIGINT, updated BIGINT, unchanged BIGINT,
        deleted BIGINT, rejected BIGINT, coercion_failures JSON, newest TIMESTAMP, requests BIGINT,
        seconds DOUBLE, rows_total BIGINT)""",
    """CREATE TABLE IF NOT EXISTS "_sophia"."state" (
        table_name VARCHAR, loaded_through TIMESTAMP, newest TIMESTAMP, loaded_at TIMESTAMP,
        load_id VARCHAR, rows_total BIGINT)""",
)


def columns_of(table: Table) -> dict[str, str]:
    """Every column of the raw table with its DuckDB type, the loader's own included."""
    return {column.name: SQL_TYPES[column.type] for column in table.columns} | LOADER_COLUMNS


def fingerprint(tables: Sequence[Table]) -> str:
    """Changes whenever a declared table or column does."""
    text = repr([(table.qualified_name, columns_of(table)) for table in tables]) + repr(_LEDGER)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def is_current(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> bool:
    """Whether the file was already brought up to these declarations."""
    try:
        row = connection.execute('SELECT fingerprint FROM "_sophia"."schema_version"').fetchone()
    except duckdb.CatalogException:
        return False
    return row is not None and row[0] == fingerprint(tables)


def bring_up(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    """Creates what is missing and adds new columns; nothing is ever dropped. Inside the caller's transaction."""
    for statement in _LEDGER:
        connection.execute(statement)
    for system in dict.fromkeys(table.system for table in tables):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{system}"')
    held = set(
        connection.execute("SELECT table_schema, table_name, column_name FROM information_schema.columns").fetchall()
    )
    for table in tables:
        wanted = columns_of(table)
        definition = ", ".join(f'"{name}" {kind}' for name, kind in wanted.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {target(table)} ({definition})")
        if any(schema == table.system and name == table.name for schema, name, _ in held):
            for name, kind in wanted.items():
                if (table.system, table.name, name) not in held:
                    connection.execute(f'ALTER TABLE {target(table)} ADD COLUMN "{name}" {kind}')
    connection.execute('DELETE FROM "_sophia"."schema_version"')
    connection.execute('INSERT INTO "_sophia"."schema_version" VALUES (?)', [fingerprint(tables)])
