"""Replaces tables by the rows of SELECTs, all or none, although in Snowflake each CREATE ends a transaction.

Every table is first built beside the one that it is to replace, where readers do not see it. Then one transaction
empties and fills all of them. A table whose columns or types have changed cannot be filled so: it is replaced whole,
by a statement of its own, just before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

from sophia_assets.errors import SophiaError
from sophia_assets.warehouse.snowflake_schema import STAGE_SCHEMA
from sophia_assets.warehouse.snowflake_session import Session, in_transaction, take_turn


def replace_tables(
    session: Session,
    selects: Mapping[str, str],
    began: Callable[[str], None],
    *,
    kept: Collection[str],
    record: Iterable[str],
) -> None:
    """See `Warehouse.replace_tables`."""
    prefix = f"{STAGE_SCHEMA}.l{datetime.now(UTC):%Y%m%d%H}_{uuid4().hex[:12]}"
    replaced = [name for name in selects if name not in kept]
    beside = {name: f"{prefix}_{number}" for number, name in enumerate(replaced)}
    for schema in dict.fromkeys(name.partition(".")[0] for name in selects):
        session.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    try:
        for name, select in selects.items():
            began(name)
            if name in kept:
                empty = f"SELECT * FROM ({_reading(select, beside)}) AS built LIMIT 0"
                session.execute(f"CREATE TABLE IF NOT EXISTS {name} AS {empty}")
            else:
                session.execute(f"CREATE TRANSIENT TABLE {beside[name]} AS {_reading(select, beside)}")
        alike = _shaped_alike(session, beside)
        with in_transaction(session):
            take_turn(session, "models")
            for name in alike:
                session.execute(f"DELETE FROM {name}")
                session.execute(f"INSERT INTO {name} SELECT * FROM {beside[name]}")
            for statement in record:
                session.execute(statement)
    finally:
        for name in beside.values():
            # What stays is dropped with what killed loads left; the tables have been replaced all the same.
            with suppress(SophiaError):
                session.execute(f"DROP TABLE IF EXISTS {name}")


def _shaped_alike(session: Session, beside: Mapping[str, str]) -> list[str]:
    """The tables that have the columns of what was built beside them. New ones are made; others are replaced now."""
    shapes = _shapes(session)
    alike = []
    for name, built in beside.items():
        if name not in shapes:
            session.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM {built} LIMIT 0")
        elif shapes[name] != shapes[built]:
            session.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {built}")
            continue
        alike.append(name)
    return alike


def _reading(select: str, beside: Mapping[str, str]) -> str:
    """The SELECT, reading the tables that are being replaced where they are built."""
    import sqlglot
    from sqlglot import exp

    parsed = sqlglot.parse_one(select, read="snowflake")
    for table in list(parsed.find_all(exp.Table)):
        built = beside.get(f"{table.db}.{table.name}".lower())
        if built is not None:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name))
            replaced = exp.to_table(built, dialect="snowflake")
            replaced.set("alias", alias)
            replaced.set("joins", table.args.get("joins"))
            table.replace(replaced)
    return parsed.sql(dialect="snowflake")


def _shapes(session: Session) -> dict[str, list[tuple[object, ...]]]:
    """The columns of every table with their types, in order, by qualified name in lower case."""
    found = session.execute(
        "SELECT LOWER(table_schema) || '.' || LOWER(table_name) AS name, LOWER(column_name) AS column_name, data_type, "
        "numeric_precision, numeric_scale FROM information_schema.columns ORDER BY ordinal_position"
    ).fetchall()
    shapes: dict[str, list[tuple[object, ...]]] = {}
    for name, *shape in found:
        shapes.setdefault(name, []).append(tuple(shape))
    return shapes
