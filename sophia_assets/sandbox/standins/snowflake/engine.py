"""fakesnow's engine, and how a company's tables get into it. Importing fakesnow takes seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import SnowflakeTable

if TYPE_CHECKING:
    import pyarrow
    from fakesnow.instance import FakeSnow


def make_engine(database: str, tables: Sequence[SnowflakeTable]) -> FakeSnow:
    """A fakesnow instance that holds the tables. Raises ConfigurationError for one that it cannot hold."""
    import fakesnow.server  # noqa: F401 - imported here, in the thread, because it takes seconds
    from fakesnow.instance import FakeSnow

    _keep_missing_timestamps()
    logging.getLogger("fakesnow.server").setLevel(logging.CRITICAL)
    engine = FakeSnow()
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
