"""fakesnow's engine, and how a company's tables get into it. Importing fakesnow takes seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import SnowflakeTable

if TYPE_CHECKING:
    import pyarrow
    from fakesnow.instance import FakeSnow

WAREHOUSE_DATABASE = "SOPHIA"


def make_engine(database: str, tables: Sequence[SnowflakeTable]) -> FakeSnow:
    """A fakesnow instance that holds the tables. Raises ConfigurationError for one that it cannot hold."""
    import fakesnow.server  # noqa: F401 - imported here, in the thread, because it takes seconds
    from fakesnow.instance import FakeSnow

    _keep_missing_timestamps()
    _keep_transactions()
    _copy_statements_once()
    for name in ("fakesnow.server", "sqlglot"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    engine = FakeSnow()
    # Beside the company's own database an empty one, for whoever wants a warehouse.
    engine.connect(WAREHOUSE_DATABASE)
    fill(engine, database, tables)
    return engine


@cache
def _keep_missing_timestamps() -> None:
    """Make fakesnow send a missing timestamp as one: it sends the first moment of 1970."""
    import fakesnow.arrow
    import pyarrow

    as_structs: Callable[[Any], Any] = fakesnow.arrow.timestamp_to_sf_struct

    def with_gaps(moments: pyarrow.Array | pyarrow.ChunkedArray) -> pyarrow.StructArray:
        structs = as_structs(moments)
        missing = moments.is_null()
        if isinstance(missing, pyarrow.ChunkedArray):
            missing = missing.combine_chunks()
        children = [child.fill_null(0) for child in structs.flatten()]
        return pyarrow.StructArray.from_arrays(children, fields=list(structs.type), mask=missing)

    setattr(fakesnow.arrow, "timestamp_to_sf_struct", with_gaps)  # noqa: B010 - an assignment is refused by mypy


@cache
def _keep_transactions() -> None:
    """Make fakesnow answer BEGIN, which it begins and then fails to describe; let a MERGE be part of a transaction,
    although what fakesnow notes of the MERGE's own temporary table lies in another database; and say as Snowflake does
    that another transaction was in the way, which it reports as a failure of the service."""
    import duckdb
    import snowflake.connector.errors
    import sqlglot
    from fakesnow.cursor import SQL_SUCCESS, FakeSnowflakeCursor
    from sqlglot import exp

    execute: Callable[..., None] = FakeSnowflakeCursor._execute

    def executed(cursor: FakeSnowflakeCursor, statement: Any, params: Any = None) -> None:
        if isinstance(statement, exp.Create) and _name_of(statement) == "MERGE_CANDIDATES":
            for note in ("table_comment", "text_lengths"):
                statement.args.pop(note, None)
        try:
            execute(cursor, statement, params)
        except duckdb.TransactionException as problem:
            message = "Statement was aborted because the number of waiters for this lock exceeds the limit"
            raise snowflake.connector.errors.ProgrammingError(msg=message, errno=625, sqlstate="57014") from problem
        if isinstance(statement, exp.Transaction):
            execute(cursor, sqlglot.parse_one(SQL_SUCCESS, read="duckdb"))

    setattr(FakeSnowflakeCursor, "_execute", executed)  # noqa: B010 - an assignment is refused by mypy


@cache
def _copy_statements_once() -> None:
    """Make fakesnow copy a statement once: it does so before each of its seventy ways to rewrite it, which takes most
    of its time."""
    from fakesnow.cursor import FakeSnowflakeCursor
    from sqlglot.expressions import Expression

    transform: Callable[..., Any] = Expression.transform
    rewrite: Callable[..., Any] = FakeSnowflakeCursor._transform
    here = threading.local()

    def transformed(node: Any, function: Any, *given: Any, copy: bool = True, **more: Any) -> Any:
        return transform(node, function, *given, copy=copy and not getattr(here, "is_own", False), **more)

    def rewritten(cursor: FakeSnowflakeCursor, statement: Any, params: Any) -> Any:
        here.is_own = True
        try:
            return rewrite(cursor, statement.copy(), params)
        finally:
            here.is_own = False

    setattr(Expression, "transform", transformed)  # noqa: B010 - an assignment is refused by mypy
    setattr(FakeSnowflakeCursor, "_transform", rewritten)  # noqa: B010


def _name_of(statement: Any) -> str:
    """The table that a CREATE makes."""
    from sqlglot import exp

    table = statement.find(exp.Table)
    return table.name.upper() if table else ""


def fill(engine: FakeSnow, database: str, tables: Sequence[SnowflakeTable]) -> None:
    """Put the tables into the engine, in the place of those of the same name. Raises ConfigurationError."""
    # A database that does not exist is an error in Snowflake, not created by connecting.
    engine.create_database_on_connect = engine.create_schema_on_connect = True
    try:
        for table in tables:
            _put(engine, database.upper(), table)
    finally:
        engine.create_database_on_connect = engine.create_schema_on_connect = False


def drop(engine: FakeSnow, database: str, names: Sequence[str]) -> None:
    """Take tables out of the engine."""
    for name in names:
        schema, _, table = name.upper().partition(".")
        connection = engine.connect(database.upper(), schema)
        try:
            connection.cursor().execute(f"DROP TABLE IF EXISTS {table}")
        finally:
            connection.close()


def _put(engine: FakeSnow, database: str, table: SnowflakeTable) -> None:
    schema, _, name = table.name.upper().partition(".")
    connection = engine.connect(database, schema)
    try:
        columns = ", ".join(f"{column} {kind}" for column, kind in table.columns.items())
        connection.cursor().execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        _insert(engine, f"{database}.{schema}.{name}", table)
    except Exception as problem:
        raise ConfigurationError(
            f"table {table.name} cannot be served: {problem}", system="snowflake", remedy="Check its columns' types"
        ) from problem
    finally:
        connection.close()


def _insert(engine: FakeSnow, name: str, table: SnowflakeTable) -> None:
    if not table.rows:
        return
    import pyarrow

    columns = zip(*table.rows, strict=True)
    rows = pyarrow.table([_array(values) for values in columns], names=list(table.columns))
    with engine.duck_conn.cursor() as duck:
        duck.register("_rows", rows)
        duck.execute(f"INSERT INTO {name} SELECT * FROM _rows")
        duck.unregister("_rows")


def _array(values: Sequence[Any]) -> pyarrow.Array:
    """A column as Arrow; where the values' types are mixed, as text, which the insert casts."""
    import pyarrow

    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([_text(value) for value in values], pyarrow.string())


def _text(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return None if value is None else str(value)
