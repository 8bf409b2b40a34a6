"""The small company with every table that the connectors declare, and its ways in, for tests of all sources alike."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sophia_assets.ingestion.ingest import ingest_group
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.company_data import CompanyData, SnowflakeData, SnowflakeTable
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Source, Table, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import LoadResult
from sophia_assets_tests.sandbox.small_company import START, small_company, small_gong, small_hubspot
from sophia_assets_tests.sandbox.small_pinecone import small_pinecone
from sophia_assets_tests.sandbox.small_redis import small_redis
from sophia_assets_tests.sources.unlimited import Unlimited

END = datetime(2026, 7, 1, tzinfo=UTC)
EVERYTHING = Window(None, END)
IMPATIENT = RetryPolicy(
    attempts=2, connection_attempts=2, first_delay=0.01, longest_delay=0.05, longest_wait=2.0, read_timeout=5.0
)
GROUPS = [(system, group) for system in registry.SYSTEMS for group in registry.groups(system)]

_SQL_TYPES = {
    "string": "VARCHAR",
    "integer": "NUMBER(38,0)",
    "decimal": "NUMBER(18,2)",
    "float": "FLOAT",
    "timestamp": "TIMESTAMP_NTZ",
    "date": "DATE",
}
_FIRST = date(2026, 1, 1)


def _value(column: str, kind: str, number: int) -> Any:
    known = {"change_type": "new", "currency": "USD", "score": number % 5 + 1, "probability": 0.5}
    if column in known:
        return known[column]
    by_kind = {
        "string": f"{column}-{number}",
        "integer": number,
        "decimal": Decimal(number) + Decimal("0.25"),
        "float": number / 2,
        "timestamp": datetime(2026, 1, 1, 9) + timedelta(days=number, microseconds=123),
        "date": _FIRST + timedelta(days=number),
    }
    return by_kind[kind]


def snowflake_data(rows: int = 30) -> SnowflakeData:
    """Every declared Snowflake table, one row a day from the company's start."""
    from sophia_assets.sources.snowflake.tables import LOCATIONS

    tables = []
    for table in registry.tables("snowflake"):
        columns = {column.name.upper(): _SQL_TYPES[column.type] for column in table.columns}
        values = [tuple(_value(c.name, c.type, number) for c in table.columns) for number in range(rows)]
        tables.append(SnowflakeTable(LOCATIONS[table.name], columns, values))
    return SnowflakeData("SANDBOX", tables)


def complete_company(*, calls: int = 120, deals: int = 120) -> CompanyData:
    """Rows in every group; all of them touched between START and END."""
    return small_company(
        hubspot=small_hubspot(deals),
        gong=small_gong(calls),
        snowflake=snowflake_data(),
        pinecone=small_pinecone(),
        redis=small_redis(),
    )


def source_for(system: str, env: dict[str, str], *, retry: RetryPolicy = IMPATIENT) -> Source:
    """The system's client, through the registry, as production makes it.

    It keeps to no limits of its own, since some are by the minute, and what one client was told to wait
    must not hold up the next test's.
    """
    return registry.create_source_from_settings(system, env, retry=retry, limiters=Unlimited())


def ingest(
    source: Source, group: str, warehouse: DuckDBWarehouse, window: Window = EVERYTHING, run_id: str = "run"
) -> list[LoadResult]:
    """One load, through the public way in."""
    return ingest_group(source, group, window, warehouse, run_id=run_id)


def another(warehouse: DuckDBWarehouse, name: str) -> DuckDBWarehouse:
    """An empty warehouse beside `warehouse`, with the same tables."""
    return DuckDBWarehouse(warehouse.path.with_name(f"{name}.duckdb"), tables=warehouse.tables)


def contents(warehouse: DuckDBWarehouse, qualified_name: str) -> list[dict[str, Any]]:
    """A raw table's live rows in the order of their key, without what says when they were loaded."""
    key = ", ".join(registry.table(qualified_name).primary_key)
    columns = "* EXCLUDE (_loaded_at, _load_id, _known_from)"
    found: pa.Table = warehouse.query(
        f"SELECT {columns} FROM {qualified_name} WHERE _deleted_at IS NULL ORDER BY {key}"
    )
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def stored_contents(warehouse: DuckDBWarehouse, table: Table) -> dict[str, list[dict[str, Any]]]:
    """What is kept of a raw table: `rows` with the tombstoned ones, and `history`, both with the moments they hold."""
    key = ", ".join(table.primary_key)
    rows = warehouse.query(f"SELECT * EXCLUDE (_loaded_at, _load_id) FROM {table.qualified_name} ORDER BY {key}")
    kept: list[dict[str, Any]] = []
    if table.keeps_versions:
        kept = warehouse.query(f"SELECT * FROM {table.history_name} ORDER BY {key}, _known_from").to_pylist()
    return {"rows": rows.to_pylist(), "history": kept}


def group_contents(warehouse: DuckDBWarehouse, system: str, group: str) -> dict[str, list[dict[str, Any]]]:
    """The contents of all tables of a group, by name."""
    return {t.qualified_name: contents(warehouse, t.qualified_name) for t in registry.groups(system)[group]}


__all__ = [
    "END",
    "EVERYTHING",
    "GROUPS",
    "IMPATIENT",
    "START",
    "complete_company",
    "contents",
    "group_contents",
    "ingest",
    "snowflake_data",
    "source_for",
    "stored_contents",
]
