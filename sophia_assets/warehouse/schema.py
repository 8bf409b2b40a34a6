"""The raw tables' and the ledger's DDL on DuckDB, and bringing an older file up to what is declared now."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import duckdb

from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.coercion import SQL_TYPES

LOADER_COLUMNS: dict[str, str] = {
    "_extra": "JSON",
    "_row_hash": "VARCHAR",
    "_loaded_at": "TIMESTAMP",
    "_deleted_at": "TIMESTAMP",
    "_load_id": "VARCHAR",
}

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
    return {column.name: SQL_TYPES[column.type] for column in table.columns} | LOADER_COLUMNS


def fingerprint(tables: Sequence[Table]) -> str:
    """Changes whenever a declared table, column or key does, or what is kept beside them."""
    declared = [(table.qualified_name, columns_of(table), table.primary_key, table.cursor) for table in tables]
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
    """Creates what is missing and adds new columns; nothing is ever dropped. Inside the caller's transaction."""
    held: dict[tuple[str, str], set[str]] = {}
    for schema, name, column in connection.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    ).fetchall():
        held.setdefault((schema, name), set()).add(column)
    wanted = {("_sophia", name): columns for name, columns in LEDGER.items()}
    wanted |= {(table.system, table.name): columns_of(table) for table in tables}
    for schema in dict.fromkeys(schema for schema, _ in wanted):
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    for place, columns in wanted.items():
        qualified = '"{}"."{}"'.format(*place)
        definition = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {qualified} ({definition})")
        for name in (name for name in columns if name not in held.get(place, columns)):
            connection.execute(f'ALTER TABLE {qualified} ADD COLUMN "{name}" {columns[name]}')
    connection.execute('DELETE FROM "_sophia"."schema_version"')
    connection.execute('INSERT INTO "_sophia"."schema_version" VALUES (?)', [fingerprint(tables)])
