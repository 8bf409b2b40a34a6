"""The raw tables' and the ledger's DDL on Snowflake, and views over source tables that lie in the same account.

In Snowflake a DDL statement commits whatever came before it, so that none is ever part of a load's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sophia_assets.sources.declarations import Column, ColumnType, Table
from sophia_assets.warehouse import schema
from sophia_assets.warehouse.coercion import SQL_TYPES
from sophia_assets.warehouse.schema import LEDGER, fingerprint
from sophia_assets.warehouse.snowflake_session import Session

Place = tuple[str, str]
"""A table's schema and name, in lower case."""

STAGE_SCHEMA = "_sophia_stage"

_TYPES = {
    "VARCHAR": "VARCHAR",
    "BIGINT": "NUMBER(38, 0)",
    "DECIMAL(18, 4)": "NUMBER(18, 4)",
    "DOUBLE": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP_NTZ(6)",
    "DATE": "DATE",
    "JSON": "VARIANT",
}
# One row, which whoever merges updates first: Snowflake then lets the next one wait until the commit.
_WRITER = {"held_by": "VARCHAR"}
_MOMENTS_WITH_ZONE = ("TIMESTAMP_LTZ", "TIMESTAMP_TZ")


def columns_of(table: Table) -> dict[str, str]:
    """Every column of the raw table with its Snowflake type, the loader's own included."""
    return {name: _TYPES[kind] for name, kind in schema.columns_of(table).items()}


def staged_type(kind: str) -> str:
    """The type in which a value of a Snowflake type is staged: JSON as the text that it came as."""
    return "VARCHAR" if kind == "VARIANT" else kind


def target(table: Table) -> str:
    """The raw table's name."""
    return f'"{table.system}"."{table.name}"'


def is_current(session: Session, tables: Sequence[Table], in_place: Mapping[str, str]) -> bool:
    """Whether the database was already brought up to these declarations."""
    if ("_sophia", "schema_version") not in _held(session):
        return False
    row = session.execute('SELECT fingerprint FROM "_sophia"."schema_version"').fetchone()
    return row is not None and row[0] == _mark(tables, in_place)


def bring_up(session: Session, tables: Sequence[Table], in_place: Mapping[str, str]) -> None:
    """Creates what is missing and adds new columns; nothing is ever dropped. Can be repeated after a failure."""
    copied = [table for table in tables if table.qualified_name not in in_place]
    views = [table for table in tables if table.qualified_name in in_place]
    wanted = _wanted(copied)
    for name in dict.fromkeys([STAGE_SCHEMA, *(place for place, _ in wanted), *(table.system for table in views)]):
        session.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
    held = _make_room(session, wanted.keys(), {(table.system, table.name) for table in views})
    for (place, name), columns in wanted.items():
        qualified = f'"{place}"."{name}"'
        definition = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        if (place, name) not in held:
            session.execute(f"CREATE TABLE IF NOT EXISTS {qualified} ({definition})")
        for column in columns.keys() - held.get((place, name), columns.keys()):
            session.execute(f'ALTER TABLE {qualified} ADD COLUMN "{column}" {columns[column]}')
    for table in views:
        show_in_place(session, table, in_place[table.qualified_name])
    if session.execute('SELECT 1 FROM "_sophia"."writer"').fetchone() is None:
        session.execute('INSERT INTO "_sophia"."writer" (held_by) VALUES (?)', ["nobody"])
    session.execute('DELETE FROM "_sophia"."schema_version"')
    session.execute('INSERT INTO "_sophia"."schema_version" (fingerprint) VALUES (?)', [_mark(tables, in_place)])


def number_load(session: Session) -> None:
    """Gives the ledger's new row its number; the caller is the only one who writes."""
    session.execute(
        'UPDATE "_sophia"."loads" SET rowid = (SELECT COALESCE(MAX(rowid), 0) + 1 FROM "_sophia"."loads") '
        "WHERE rowid IS NULL"
    )


def show_in_place(session: Session, table: Table, location: str) -> None:
    """Makes the view over a source table anew, as its columns are now."""
    session.execute(view_over(table, location, described(session, location)))


def described(session: Session, location: str) -> dict[str, str]:
    """The columns of a table of the account, as they are spelt there, and their Snowflake types."""
    return session.execute(f"SELECT * FROM {location} LIMIT 0").columns


def view_over(table: Table, location: str, found: Mapping[str, str]) -> str:
    """The view that shows a source table as a raw table: declared names and types, and the newest row of each key.

    A declared column that the source lacks is empty, as is a text that does not fit a declared type. The loader's
    columns are empty, since nothing was loaded, and no row has a tombstone.
    """
    spelt = {name.lower(): name for name in found}
    selected = [
        _shown(column, f'source."{spelt[column.name]}"', found[spelt[column.name]])
        if column.name in spelt
        else f"CAST(NULL AS {_TYPES[schema.columns_of(table)[column.name]]})"
        for column in table.columns
    ]
    loaded = {name: kind for name, kind in columns_of(table).items() if name not in table.column_names}
    selected += [f"CAST(NULL AS {kind})" for kind in loaded.values()]
    named = ", ".join(
        f'{expression} AS "{name}"' for expression, name in zip(selected, [*table.column_names, *loaded], strict=True)
    )
    keys = [f'source."{spelt.get(name, name)}"' for name in table.primary_key]
    newest = f'source."{spelt[table.cursor]}" DESC NULLS LAST' if table.cursor in spelt else keys[0]
    return (
        f"CREATE OR REPLACE VIEW {target(table)} AS SELECT {named} FROM {location} AS source "
        f"WHERE {' AND '.join(f'{key} IS NOT NULL' for key in keys)} "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {', '.join(keys)} ORDER BY {newest}) = 1"
    )


def _shown(column: Column, expression: str, kind: str) -> str:
    """A source column's value as the declared type."""
    if kind in _MOMENTS_WITH_ZONE:
        expression = f"CONVERT_TIMEZONE('UTC', {expression})"
    if column.type is ColumnType.JSON:
        return f"TRY_PARSE_JSON({expression})" if kind == "TEXT" else f"CAST({expression} AS VARIANT)"
    if kind == "TEXT" and column.type is not ColumnType.STRING:
        return f"TRY_CAST({expression} AS {_TYPES[SQL_TYPES[column.type]]})"
    return f"CAST({expression} AS {_TYPES[SQL_TYPES[column.type]]})"


def _wanted(tables: Sequence[Table]) -> dict[Place, dict[str, str]]:
    """The columns of every table, by schema and name: the ledger's, the raw ones', those of replaced versions."""
    wanted = {("_sophia", name): _ledger_columns(name) for name in LEDGER} | {("_sophia", "writer"): _WRITER}
    for table in tables:
        wanted[table.system, table.name] = columns_of(table)
        if table.keeps_versions:
            place, _, name = table.history_name.partition(".")
            wanted[place, name] = {column: _TYPES[kind] for column, kind in schema.history_columns_of(table).items()}
    return wanted


def _ledger_columns(name: str) -> dict[str, str]:
    columns = {column: staged_type(_TYPES[kind]) for column, kind in LEDGER[name].items()}
    # DuckDB numbers rows by itself; here it is a column of the same name.
    return {"rowid": "NUMBER(38, 0)"} | columns if name == "loads" else columns


def _make_room(session: Session, tables: Collection[Place], views: Collection[Place]) -> dict[Place, set[str]]:
    """Moves copies out of the way of views, and views out of the way of tables; the columns of what is held then."""
    kinds = {
        (str(place).lower(), str(name).lower()): kind
        for place, name, kind in session.execute(
            "SELECT table_schema, table_name, table_type FROM information_schema.tables"
        ).fetchall()
    }
    for place, name in (each for each in views if kinds.get(each) == "BASE TABLE"):
        copied = f"{name}_copied_until_{datetime.now(UTC):%Y%m%d%H%M%S}"
        session.execute(f'ALTER TABLE "{place}"."{name}" RENAME TO "{place}"."{copied}"')
    for place, name in (each for each in tables if kinds.get(each) == "VIEW"):
        session.execute(f'DROP VIEW "{place}"."{name}"')
    return _held(session)


def _held(session: Session) -> dict[Place, set[str]]:
    """The columns of every table, by schema and name, in lower case."""
    held: dict[Place, set[str]] = {}
    for parts in session.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    ).fetchall():
        place, name, column = (str(part).lower() for part in parts)
        held.setdefault((place, name), set()).add(column)
    return held


def _mark(tables: Sequence[Table], in_place: Mapping[str, str]) -> str:
    shown = sorted(f"{name} {location}" for name, location in in_place.items())
    return " ".join([fingerprint(tables), *shown])
