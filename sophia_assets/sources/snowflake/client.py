"""Reads tables of a Snowflake account by watermark, in Arrow batches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sophia_assets.errors import ConnectionFailed, SourceError
from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.request_count import RequestCount
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.ingestion.waiting import WaitEnded, wait, waits_end_with
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, PresentKeys, ReadItem, Rows, Window
from sophia_assets.sources.permissions import Told, tried
from sophia_assets.sources.snowflake.connection import SnowflakeConnection
from sophia_assets.sources.snowflake.errors import as_source_error
from sophia_assets.sources.snowflake.queries import Query, TableReader, location_of
from sophia_assets.sources.snowflake.tables import SYSTEM, TABLES

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection as Session
    from snowflake.connector.cursor import SnowflakeCursor
    from snowflake.connector.result_batch import ResultBatch

_BATCH_ROWS = 10_000
# Tables up to this size have their keys listed with every read, larger ones once a week.
_ALWAYS_SWEPT = 250_000

CONNECTION = SnowflakeConnection

_setting_up_native_reader = threading.Lock()
_is_native_reader_set_up = threading.Event()


def create_source(
    connection: SnowflakeConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> SnowflakeSource:
    """A client for the account; nothing is contacted, nor the connector imported, yet. Snowflake has no request
    limit, so that `limiters` is not used."""
    return SnowflakeSource(connection, retry=retry)


@dataclass(frozen=True)
class Standing:
    """The role and the virtual warehouse of a session, empty where it has none, and whether the database is there."""

    role: str
    warehouse: str
    has_database: bool


class SnowflakeSource:
    """A Snowflake account as a `Source`. Each read has a session of its own, so threads do not meet."""

    system = SYSTEM

    def __init__(self, connection: SnowflakeConnection, *, retry: RetryPolicy | None = None) -> None:
        self._connection = connection
        self._retry = retry or RetryPolicy(attempts=3)
        self._tables = {table.group: table for table in TABLES}
        self._requests = RequestCount()
        self._closed = threading.Event()

    @property
    def requests_made(self) -> int:
        """See `Source.requests_made`."""
        return self._requests.number

    def close(self) -> None:
        """Ends waits."""
        self._closed.set()

    def permissions(self) -> Iterator[Told]:
        """Which of the source tables the role may read, in one session. Raises a SourceError."""
        with self._session("account") as session, self._errors("account"), session.cursor() as cursor:
            for table in TABLES:
                location = location_of(table, self._connection.database)

                def described(name: str = table.name, place: str = location) -> None:
                    with self._errors(name):
                        self._described(cursor, place)

                yield tried(f"SELECT on {location}", (table.qualified_name,), described)

    def standing(self, database: str) -> Standing:
        """What a session comes to stand on, and whether `database` is there. Raises a SourceError."""
        with self._session("account") as session, self._errors("account"), session.cursor() as cursor:
            self._requests.add()
            cursor.execute("SHOW DATABASES")
            names = {str(row[1]).upper() for row in cursor.fetchall()}
            # What the login came to stand on: Snowflake leaves out what the role may not use.
            return Standing(session.role or "", session.warehouse or "", database.upper() in names)

    def ping(self) -> str:
        """See `Source.ping`."""
        failures = 0
        while True:
            try:
                version = self._version()
                return f"Snowflake {version} answers for account {self._connection.account} and accepts the login"
            except ConnectionFailed as error:
                failures += 1
                self._before_next_try(failures, error)

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. Rows whose watermark is empty come with every window.

        Declared columns that the table does not have are left out; a table without a watermark is read whole
        every time. A read that is cut off goes on behind its last checkpoint in a new session.
        """
        position = resume
        failures = 0
        while True:
            try:
                for item in self._read(group, window, position):
                    if isinstance(item, Checkpoint):
                        position, failures = item.position, 0
                    yield item
                return
            except ConnectionFailed as error:
                failures += 1
                self._before_next_try(failures, error)

    def _read(self, group: str, window: Window, resume: Any) -> Iterator[ReadItem]:
        table = self._tables[group]
        location = location_of(table, self._connection.database)
        position = resume if isinstance(resume, Mapping) else {}
        with self._session(table.name) as session, self._errors(table.name), session.cursor() as cursor:
            reader = TableReader.of(table, location, self._described(cursor, location))
            if not position.get("rows_done"):
                for rows in self._batches(cursor, reader.rows(window, position.get("after"))):
                    yield Rows(table.name, rows)
                    yield Checkpoint({"after": reader.place(rows[-1])})
                yield Checkpoint({"rows_done": True})
            if reader.watermark is None:
                yield CompleteSet(table.name)
            elif self._is_sweep_due(cursor, reader, window):
                yield from self._present_keys(cursor, reader)

    def _described(self, cursor: SnowflakeCursor, location: str) -> dict[str, str]:
        """The source table's columns and their types, which SELECT is enough to ask for."""
        from snowflake.connector.constants import FIELD_ID_TO_NAME

        self._requests.add()
        cursor.execute(f"SELECT * FROM {location} LIMIT 0")
        return {column.name: FIELD_ID_TO_NAME[column.type_code] for column in cursor.description}

    def _is_sweep_due(self, cursor: SnowflakeCursor, reader: TableReader, window: Window) -> bool:
        """Whether keys are to be listed: in a small table always, in a large one where the window sees a Monday."""
        if window.start is None or _monday_before(window.start) != _monday_before(window.end):
            return True
        self._requests.add()
        cursor.execute(*reader.count())
        row = _first_row(cursor)
        return int(row[0] if isinstance(row, tuple) else 0) <= _ALWAYS_SWEPT

    def _present_keys(self, cursor: SnowflakeCursor, reader: TableReader) -> Iterator[ReadItem]:
        table = reader.table
        yield PresentKeys(table.name, ())
        for rows in self._batches(cursor, reader.keys()):
            yield PresentKeys(table.name, [tuple(row[name] for name in table.primary_key) for row in rows])

    def _batches(self, cursor: SnowflakeCursor, query: Query) -> Iterator[list[dict[str, Any]]]:
        """The rows of an answer, in lists that are never empty."""
        self._requests.add()
        cursor.execute(*query)
        for batch in cursor.get_result_batches() or ():
            # The connector's native reader crashes the process on a stream whose batch has no rows.
            if not batch.rowcount:
                continue
            found = arrow_table(batch)
            named = found.rename_columns([name.lower() for name in found.column_names])
            for part in named.to_batches(max_chunksize=_BATCH_ROWS):
                if part.num_rows:
                    yield part.to_pylist()

    def _version(self) -> str:
        with self._session("account") as session, self._errors("account"), session.cursor() as cursor:
            self._requests.add()
            cursor.execute("SELECT CURRENT_VERSION()")
            row = _first_row(cursor)
            return str(row[0]) if isinstance(row, tuple) else "?"

    @contextmanager
    def _session(self, obj: str) -> Iterator[Session]:
        import snowflake.connector

        # The connector reports every retry as an error of its own; what matters is raised.
        logging.getLogger("snowflake.connector").setLevel(logging.CRITICAL)
        self._requests.add()
        with self._errors(obj):
            session = snowflake.connector.connect(**self._connection.arguments(self._retry))
        try:
            yield session
        finally:
            session.close(retry=False)

    def _before_next_try(self, failures: int, error: ConnectionFailed) -> None:
        """Waits, or raises `error` where the policy's tries are spent."""
        if failures >= self._retry.attempts:
            raise error
        try:
            with waits_end_with(self._closed):
                wait(self._retry.delay(failures))
        except WaitEnded:
            raise error from None

    @contextmanager
    def _errors(self, obj: str) -> Iterator[None]:
        """Turns what the connector raises into a SourceError."""
        import snowflake.connector.errors

        try:
            yield
        except SourceError:
            raise
        except (snowflake.connector.errors.Error, OSError) as error:
            raise as_source_error(error, obj, self._connection) from error


def arrow_table(batch: ResultBatch) -> Any:
    """The rows of a batch as a pyarrow Table; from any thread."""
    with _native_reader():
        # Microseconds, since the year 9999 does not fit into nanoseconds.
        return batch.to_arrow(force_microsecond_precision=True)  # type: ignore[call-arg]


def _first_row(cursor: SnowflakeCursor) -> Any:
    with _native_reader():
        return cursor.fetchone()


@contextmanager
def _native_reader() -> Iterator[None]:
    """Lets one thread in until the connector's native reader has been used once, then all.

    The reader sets itself up with its first answer. Two threads that meet there wait for each other for ever: one
    holds that set-up's lock, and the other the interpreter's.
    """
    if _is_native_reader_set_up.is_set():
        yield
        return
    with _setting_up_native_reader:
        yield
        _is_native_reader_set_up.set()


def _monday_before(moment: datetime) -> datetime:
    """The Monday, midnight UTC, on or before which the moment's week began."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())
