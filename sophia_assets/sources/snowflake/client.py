"""Reads tables of a Snowflake account by watermark, in Arrow batches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sophia_assets.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    ResponseInvalid,
    SourceError,
)
from sophia_assets.ingestion.http import RetryPolicy
from sophia_assets.sources.declarations import CompleteSet, ReadItem, Rows, Table, Window
from sophia_assets.sources.snowflake.errors import as_source_error
from sophia_assets.sources.snowflake.tables import LOCATIONS, SYSTEM, TABLES

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection as Session

_LOGIN_SECONDS = 15
_NETWORK_SECONDS = 45
_SOCKET_SECONDS = 30
_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class SnowflakeConnection:
    """The account and a way in: a password, or the path of a private key (PEM, unencrypted).

    `host`, `port` and `protocol` are for private links and proxies; empty, the account decides.
    """

    account: str
    user: str
    password: str = field(default="", repr=False)
    private_key_path: str = field(default="", repr=False)
    database: str = ""
    warehouse: str = ""
    role: str = ""
    host: str = ""
    port: int | None = None
    protocol: str = ""

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> SnowflakeConnection:
        """From the SNOWFLAKE_* settings. Raises ConfigurationError where SNOWFLAKE_PORT is no number."""
        port = settings.get("SNOWFLAKE_PORT", "").strip()
        if port and not port.isdigit():
            raise ConfigurationError(
                f"SNOWFLAKE_PORT is {port!r}", system=SYSTEM, remedy="Set it to a number such as 443, or leave it out"
            )
        names = ("account", "user", "password", "private_key_path", "database", "warehouse", "role", "host", "protocol")
        given = {name: settings.get(f"SNOWFLAKE_{name.upper()}", "") for name in names}
        return cls(**given, port=int(port) if port else None)


CONNECTION = SnowflakeConnection


def create_source(connection: SnowflakeConnection, *, retry: RetryPolicy | None = None) -> SnowflakeSource:
    """A client for the account; nothing is contacted, nor the connector imported, yet."""
    return SnowflakeSource(connection, retry=retry)


class SnowflakeSource:
    """A Snowflake account as a `Source`. Each read has a session of its own, so threads do not meet."""

    system = SYSTEM

    def __init__(self, connection: SnowflakeConnection, *, retry: RetryPolicy | None = None) -> None:
        self._connection = connection
        self._retry = retry or RetryPolicy(attempts=3)
        self._tables = {table.group: table for table in TABLES}
        self._count_lock = threading.Lock()
        self.requests_made = 0

    def ping(self) -> str:
        """See `Source.ping`."""
        with self._session("account") as session, _errors("account", None), session.cursor() as cursor:
            self._count()
            cursor.execute("SELECT CURRENT_VERSION()")
            row = cursor.fetchone()
            version = row[0] if isinstance(row, tuple) else "?"
        return f"Snowflake {version} answers for account {self._connection.account} and accepts the login"

    def read(self, group: str, window: Window) -> Iterator[ReadItem]:
        """See `Source.read`. Without a start the whole table is read, rows without a watermark included.

        Declared columns that the table does not have stay empty; a table without UPDATED_AT is read
        whole every time.
        """
        table = self._tables[group]
        location = _location(table, self._connection.database)
        with self._session(table.name) as session, _errors(table.name, self._connection), session.cursor() as cursor:
            self._count()
            cursor.execute(f"SELECT * FROM {location} LIMIT 0")
            names = _readable(table, {column.name.lower() for column in cursor.description})
            whole = window.start is None or table.cursor not in names
            self._count()
            cursor.execute(*_select(table, names, location, window))
            # The connector cannot make a table out of an answer that has no batch at all.
            for batch in cursor.fetch_arrow_batches() if cursor.rowcount else ():
                yield from _rows(table, batch)
        if whole:
            yield CompleteSet(table.name)

    @contextmanager
    def _session(self, obj: str) -> Iterator[Session]:
        import snowflake.connector

        # The connector reports every retry as an error of its own; what matters is raised.
        logging.getLogger("snowflake.connector").setLevel(logging.CRITICAL)
        session = self._connect(obj, snowflake.connector.connect)
        try:
            yield session
        finally:
            session.close(retry=False)

    def _connect(self, obj: str, connect: Callable[..., Session]) -> Session:
        """Logs in; tries again where Snowflake could not be reached, as the policy says."""
        arguments = self._arguments()
        for attempt in range(1, self._retry.attempts + 1):
            self._count()
            try:
                with _errors(obj, self._connection):
                    return connect(**arguments)
            except ConnectionFailed:
                if attempt == self._retry.attempts:
                    raise
                time.sleep(min(self._retry.first_delay * 2**attempt, self._retry.longest_delay))
        raise AssertionError("a policy has at least one attempt")

    def _arguments(self) -> dict[str, Any]:
        connection = self._connection
        arguments: dict[str, Any] = {
            "account": connection.account,
            "user": connection.user,
            "database": connection.database,
            "warehouse": connection.warehouse,
            "role": connection.role,
            "host": connection.host,
            "port": connection.port,
            "protocol": connection.protocol,
        }
        arguments = {name: value for name, value in arguments.items() if value}
        if connection.private_key_path:
            arguments["private_key"] = _private_key(connection.private_key_path)
        else:
            arguments["password"] = connection.password
        return arguments | {
            "application": "SophiaAssets",
            "session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "sophia-assets"},
            "login_timeout": _LOGIN_SECONDS,
            "network_timeout": _NETWORK_SECONDS,
            "socket_timeout": _SOCKET_SECONDS,
            "backoff_policy": self._backoff,
            "disable_ocsp_checks": connection.protocol == "http",
            "paramstyle": "qmark",
        }

    def _backoff(self) -> Iterator[float]:
        """Seconds between the connector's own tries."""
        delay = self._retry.first_delay
        while True:
            yield delay
            delay = min(2 * delay, self._retry.longest_delay)

    def _count(self) -> None:
        with self._count_lock:
            self.requests_made += 1


def _location(table: Table, database: str) -> str:
    return f"{database}.{LOCATIONS[table.name]}" if database else LOCATIONS[table.name]


def _readable(table: Table, present: set[str]) -> list[str]:
    """The declared columns that the source table has. Raises ResponseInvalid where an indispensable one is missing."""
    required = {rule.arguments["column"] for rule in table.expectations if rule.kind == "column_to_exist"}
    missing = sorted((required | set(table.primary_key)) - present)
    if missing:
        location = LOCATIONS[table.name]
        raise ResponseInvalid(
            f"{location} lacks {', '.join(name.upper() for name in missing)}",
            system=SYSTEM,
            obj=table.name,
            remedy=f"Add what is missing to {location}, or put a view with the expected columns in its place",
        )
    return [name for name in table.column_names if name in present]


def _select(table: Table, names: list[str], location: str, window: Window) -> tuple[str, list[str]]:
    """SELECT of `names` with a closed upper bound, and its parameters; all rows where there is no watermark."""
    statement = f"SELECT {', '.join(name.upper() for name in names)} FROM {location}"
    if table.cursor not in names:
        return statement, []
    watermark = table.cursor.upper()
    if window.start is None:
        return f"{statement} WHERE {watermark} < ? OR {watermark} IS NULL", [_stamp(window.end)]
    return f"{statement} WHERE {watermark} >= ? AND {watermark} < ?", [_stamp(window.start), _stamp(window.end)]


def _stamp(value: datetime) -> str:
    """Naive UTC, which is how the session reads a text compared with a timestamp."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _rows(table: Table, batch: Any) -> Iterator[Rows]:
    named = batch.rename_columns([name.lower() for name in batch.column_names])
    for part in named.to_batches(max_chunksize=_BATCH_ROWS):
        yield Rows(table.name, part.to_pylist())


def _private_key(path: str) -> bytes:
    """The key as DER. Raises AuthenticationFailed where the file is no private key."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise AuthenticationFailed(
            f"the private key cannot be read ({type(error).__name__})",
            system=SYSTEM,
            remedy="Point SNOWFLAKE_PRIVATE_KEY_PATH at an unencrypted PEM file that this user may read",
        ) from error
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@contextmanager
def _errors(obj: str, connection: SnowflakeConnection | None) -> Iterator[None]:
    """Turns what the connector raises into a SourceError."""
    import snowflake.connector.errors

    try:
        yield
    except SourceError:
        raise
    except (snowflake.connector.errors.Error, OSError) as error:
        raise as_source_error(error, obj, connection.role if connection else "") from error
