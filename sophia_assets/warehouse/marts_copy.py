"""A copy of the models in memory, for many readers at once: nobody who asks a question holds the warehouse's file.

Belongs here: which tables are copied, and running SELECTs on the copy. Does not belong here: when a copy is made anew
(`copied_reading`), which tables a reader may name (`access`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from sophia_assets.warehouse.deadlines import DEADLINES
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.reading import QUERY_SECONDS, QueryRefused, QueryStopped

BESIDES_MARTS: Mapping[str, tuple[str, ...]] = {
    "staging.accounts": (),
    "staging.chat_messages": (),
    "staging.days": (),
    "staging.owners": (),
    # What quotes are looked up in: only the columns that they need.
    "gong.transcripts": ("call_id", "position", "start_ms", "text", "topic", "speaker_id", "_deleted_at"),
    "gong.call_parties": ("call_id", "speaker_id", "affiliation", "name", "_deleted_at"),
    "slack.messages": ("channel_id", "ts", "text", "posted_at", "edited_at", "_deleted_at"),
    "slack.channels": ("channel_id", "is_private", "_deleted_at"),
    "pinecone.documents": (
        "namespace",
        "document_id",
        "title",
        "account_id",
        "url",
        "metadata",
        "updated_at",
        "_deleted_at",
    ),
    # By which names nobody is quoted.
    "gong.users": ("first_name", "last_name"),
    "gong.trackers": ("name",),
    "slack.users": ("real_name", "display_name", "name"),
    "hubspot.contacts": ("first_name", "last_name"),
    "hubspot.owners": ("first_name", "last_name"),
    "linear.users": ("name", "display_name"),
}
"""Tables that are copied with the marts; those columns, or all."""

# One thread per query: with many readers at once, more would only get in each other's way.
_THREADS = 1
_QUERY_MEMORY_MB = 1024
# The limit above is the engine's own; what it hands over is counted here.
_MOST_RESULT_BYTES = 256_000_000
_BATCH_ROWS = 50_000
_LOCKED_DOWN = (
    # Nothing is spilled to disk, where it would lie in plain text.
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True)
class _Column:
    name: str
    type: str


@dataclass(frozen=True)
class CopiedTable:
    """The rows of one table with its columns' types, as the warehouse declares them."""

    name: str
    columns: tuple[_Column, ...]
    rows: pa.Table


def read_tables(warehouse: Warehouse) -> list[CopiedTable]:
    """Everything that a copy holds, read into memory; to be called within a session of a DuckDB warehouse."""
    declared = warehouse.query(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
        "ORDER BY table_schema, table_name, ordinal_position"
    ).to_pylist()
    columns: dict[str, list[_Column]] = {}
    for row in declared:
        name = f"{row['table_schema']}.{row['table_name']}"
        wanted = BESIDES_MARTS.get(name)
        if row["table_schema"] == "marts" or (wanted is not None and (not wanted or row["column_name"] in wanted)):
            columns.setdefault(name, []).append(_Column(row["column_name"], row["data_type"]))
    return [
        CopiedTable(name, tuple(of), warehouse.query(f"SELECT {_listed(of)} FROM {_quoted(name)}"))
        for name, of in columns.items()
    ]


class MartsCopy:
    """Tables in a database in memory that nobody can write to, and from which nothing else can be reached.

    Safe to use from many threads at once. It is freed when nobody holds it any more.
    """

    dialect = "duckdb"

    def __init__(self, tables: Sequence[CopiedTable]) -> None:
        # Replacements would let a SELECT read the variables of the program that runs it; what does not fit into memory
        # would be written to disk in plain form.
        config: dict[str, Any] = {"threads": _THREADS, "python_enable_replacements": False, "temp_directory": ""}
        self._connection = duckdb.connect(":memory:", config=config)
        self._idle: deque[duckdb.DuckDBPyConnection] = deque()
        for schema in sorted({table.name.partition(".")[0] for table in tables}):
            self._connection.execute(f'CREATE SCHEMA "{schema}"')
        for table in tables:
            declared = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
            self._connection.execute(f"CREATE TABLE {_quoted(table.name)} ({declared})")
            self._connection.register("arrived", table.rows)
            self._connection.execute(f"INSERT INTO {_quoted(table.name)} SELECT * FROM arrived")
            self._connection.unregister("arrived")
        self._lock_down()

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        found = self._connection.cursor().execute("SELECT SUM(memory_usage_bytes) FROM duckdb_memory()").fetchone()
        return int(found[0]) if found else 0

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        seconds: float = QUERY_SECONDS,
    ) -> pa.Table:
        """See `Reading.query`."""
        cursor = self._cursor()
        try:
            statements = cursor.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise QueryRefused("what is to be run is not one SELECT", remedy="Write one SELECT")
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            with DEADLINES.within(seconds, cursor):
                return _read(cursor.execute(statements[0], parameters).to_arrow_reader(_BATCH_ROWS))
        except duckdb.InterruptException as error:
            raise QueryStopped(
                f"the query was stopped after {seconds:g} s", remedy="Ask for less at once: fewer rows, a shorter time"
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise QueryStopped(
                "the query needs more memory than there is for queries", remedy="Ask for less at once"
            ) from error
        except duckdb.Error as error:
            raise QueryRefused(f"the query cannot be run: {' '.join(str(error).split())[:300]}") from error
        finally:
            self._give_back(cursor)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connection.cursor()

    def _give_back(self, cursor: duckdb.DuckDBPyConnection) -> None:
        # There is no transaction to end where the statement was refused before one began.
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        self._idle.append(cursor)

    def _lock_down(self) -> None:
        megabytes = self.bytes // 1_000_000 + _QUERY_MEMORY_MB
        for statement in (f"SET memory_limit = '{megabytes}MB'", *_LOCKED_DOWN):
            self._connection.execute(statement)


def _read(reader: pa.RecordBatchReader) -> pa.Table:
    """All rows of a result, if it is not too large."""
    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > _MOST_RESULT_BYTES:
            raise QueryStopped(
                f"the query's result is larger than {_MOST_RESULT_BYTES // 1_000_000} MB",
                remedy="Ask for fewer rows or columns",
            )
    return pa.Table.from_batches(batches, schema=reader.schema)


def _listed(columns: Sequence[_Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _quoted(name: str) -> str:
    schema, _, table = name.partition(".")
    return f'"{schema}"."{table}"'
