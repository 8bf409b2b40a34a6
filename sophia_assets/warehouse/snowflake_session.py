"""Sessions of the Snowflake account that is the warehouse: opened through dagster-snowflake, tagged, given back.

Belongs here: the login, query tags, transactions, answers as Arrow, what the connector's errors mean here. Does not
belong here: which statements a load or a model needs. Importing dagster-snowflake takes ten seconds, so that it is
imported when the first session is opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
import pyarrow as pa

from sophia_assets.errors import ConfigurationError, SophiaError, WarehouseBusy, WarehouseUnavailable

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import ResultMetadata, SnowflakeCursor

_LOGIN_SECONDS = 15
_NETWORK_SECONDS = 60
# A statement that takes longer is cancelled by Snowflake, so that a lost client costs no credits for days.
_STATEMENT_SECONDS = 3_600
# Snowflake ends a dead client's transaction only when it has kept another one waiting for five minutes.
_LOCK_SECONDS = 600
# Snowflake forgets a session that was idle for four hours.
_IDLE_SECONDS = 1_800
_LOCKED = (625, 604, 630)
_LOGIN_REFUSED = range(390100, 394600)


@dataclass(frozen=True)
class SnowflakeAccount:
    """The account, the database that is the warehouse in it, and a way in: a password or a private key.

    `private_key_path` is a PEM file, `private_key_passphrase` what opens it, where it is encrypted. `host`, `port` and
    `protocol` are for private links and proxies; empty, the account decides.
    """

    account: str
    user: str
    database: str
    warehouse: str
    role: str = ""
    password: str = field(default="", repr=False)
    private_key_path: str = field(default="", repr=False)
    private_key_passphrase: str = field(default="", repr=False)
    host: str = ""
    port: str = ""
    protocol: str = ""

    def is_same_as(self, account: str, host: str, port: str) -> bool:
        """Whether another login goes to the same account."""
        mine, other = (self.host or self.account, self.port), (host or account, port)
        return [part.lower() for part in mine] == [part.lower() for part in other]

    def resource_arguments(self) -> dict[str, Any]:
        """What `dagster_snowflake.SnowflakeResource` is made of."""
        names = ("account", "user", "database", "warehouse", "role")
        arguments: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.private_key_path:
            arguments["private_key_path"] = self.private_key_path
            if self.private_key_passphrase:
                arguments["private_key_password"] = self.private_key_passphrase
        else:
            arguments["password"] = self.password
        reached = {name: getattr(self, name) for name in ("host", "protocol") if getattr(self, name)}
        if self.port:
            reached["port"] = int(self.port)
        return arguments | {
            "schema": "_SOPHIA",
            "autocommit": True,
            "paramstyle": "qmark",
            "login_timeout": _LOGIN_SECONDS,
            "network_timeout": _NETWORK_SECONDS,
            "additional_snowflake_connection_args": {
                **reached,
                "application": "SophiaAssets",
                "session_parameters": {
                    "TIMEZONE": "UTC",
                    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
                    "WEEK_START": 1,
                    # Names are written in lower case, quoted or not, and lie in upper case.
                    "QUOTED_IDENTIFIERS_IGNORE_CASE": True,
                    "TRANSACTION_ABORT_ON_ERROR": True,
                    "STATEMENT_TIMEOUT_IN_SECONDS": _STATEMENT_SECONDS,
                    "LOCK_TIMEOUT": _LOCK_SECONDS,
                    "QUERY_TAG": query_tag(),
                },
                "disable_ocsp_checks": self.protocol == "http",
                # NUMBER(38, s) as exact decimals: the connector makes doubles of them otherwise.
                "arrow_number_to_decimal": True,
            },
        }


def query_tag(**about: str) -> str:
    """What Snowflake's query history shows of a statement: JSON with the application and, say, run and table."""
    return orjson.dumps({"app": "sophia-assets", **about}).decode()


class Answer:
    """The rows of one statement."""

    def __init__(self, cursor: SnowflakeCursor) -> None:
        self._cursor = cursor
        self._rows: Iterator[tuple[Any, ...]] | None = None

    @property
    def rowcount(self) -> int:
        """How many rows came or were touched."""
        return self._cursor.rowcount or 0

    @property
    def columns(self) -> dict[str, str]:
        """The names of the columns, as they are spelt, and their Snowflake types."""
        from snowflake.connector.constants import FIELD_ID_TO_NAME

        return {column.name: FIELD_ID_TO_NAME[column.type_code] for column in self._cursor.description}

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._iterator(), None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._iterator())

    def arrow(self) -> pa.Table:
        """The rows, names in lower case, times as naive UTC in microseconds, whole numbers as int64 where they fit."""
        from sophia_assets.sources.snowflake.client import arrow_table

        # The connector's native reader crashes the process on a stream whose batch has no rows.
        batches = [arrow_table(batch) for batch in self._cursor.get_result_batches() or () if batch.rowcount]
        described = self._cursor.description
        columns = [
            _column([chunk for batch in batches for chunk in batch.column(place).chunks], column)
            for place, column in enumerate(described)
        ]
        return pa.table(columns, names=[column.name.lower() for column in described])

    def _iterator(self) -> Iterator[tuple[Any, ...]]:
        if self._rows is None:
            columns = [column.to_pylist() for column in self.arrow().columns]
            self._rows = zip(*columns, strict=True)
        return self._rows


def _column(chunks: Sequence[pa.Array], column: ResultMetadata) -> pa.ChunkedArray:
    kind = _arrow_type(column)
    try:
        return pa.chunked_array([chunk.cast(kind) for chunk in chunks], type=kind)
    except pa.ArrowInvalid:
        # A whole number of more than 64 bits.
        wide = pa.decimal128(38, 0)
        return pa.chunked_array([chunk.cast(wide) for chunk in chunks], type=wide)


def _arrow_type(column: ResultMetadata) -> pa.DataType:
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    match FIELD_ID_TO_NAME[column.type_code]:
        case "FIXED":
            return pa.decimal128(38, column.scale) if column.scale else pa.int64()
        case "REAL":
            return pa.float64()
        case "BOOLEAN":
            return pa.bool_()
        case "DATE":
            return pa.date32()
        case "TIMESTAMP" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return pa.timestamp("us")
        case _:
            return pa.string()


class Session:
    """One session, used by one thread at a time. `tag` goes with each statement into Snowflake's query history.

    Each statement may take `seconds`; the session's own limit where that is None.
    """

    def __init__(self, connection: SnowflakeConnection, tag: str, seconds: float | None = None) -> None:
        self.connection = connection
        self.tag = tag
        # Snowflake takes whole seconds, and zero for the longest time there is.
        self._limits = {} if seconds is None else {"STATEMENT_TIMEOUT_IN_SECONDS": str(max(1, round(seconds)))}

    def execute(self, query: str, parameters: Sequence[Any] = (), /, *, stream: BinaryIO | None = None) -> Answer:
        """Runs one statement, `?` standing for parameters. Raises a SophiaError for what the connection refuses.

        A PUT uploads `stream`, where one is given, instead of a file.
        """
        import snowflake.connector.errors

        cursor = self.connection.cursor()
        try:
            # Per statement, since setting the session's tag would be a statement of its own.
            about = {"QUERY_TAG": self.tag, **self._limits}
            more: dict[str, Any] = {"file_stream": stream} if stream else {}
            cursor.execute(query, tuple(parameters) or None, _statement_params=about, **more)
        except (snowflake.connector.errors.Error, OSError) as error:
            raise as_warehouse_error(error) from error
        return Answer(cursor)

    def put(self, files: Path, stage: str) -> None:
        """Uploads the files of a pattern to an internal stage."""
        place = files.as_posix().replace("\\", "\\\\").replace("'", "\\'")
        self.execute(f"PUT 'file://{place}' @{stage} AUTO_COMPRESS = FALSE")

    def put_content(self, content: BinaryIO, name: str, stage: str) -> None:
        """Uploads what never was a file on this machine's disk."""
        self.execute(f"PUT 'file://{name}' @{stage} AUTO_COMPRESS = FALSE", stream=content)


class Sessions:
    """The sessions of one process: opened when needed, kept for the next one who needs one. Thread-safe."""

    def __init__(self, account: SnowflakeAccount) -> None:
        self.account = account
        self._idle: list[tuple[float, SnowflakeConnection]] = []
        self._guard = threading.Lock()

    @contextmanager
    def session(self, tag: str = "", *, seconds: float | None = None) -> Iterator[Session]:
        """A session for the block alone, whose statements may each take `seconds`.

        Raises WarehouseUnavailable, WarehouseBusy and ConfigurationError.
        """
        session = Session(self._taken() or self._opened(), tag or query_tag(), seconds)
        try:
            yield session
        except BaseException as error:
            # After an error nobody knows what the session is in the middle of.
            if isinstance(error, SophiaError) and not isinstance(error, WarehouseUnavailable | WarehouseBusy):
                self._give_back(session.connection)
            else:
                _close(session.connection)
            raise
        self._give_back(session.connection)

    @contextmanager
    def transaction(self, tag: str = "") -> Iterator[Session]:
        """A session in a transaction that is committed at the end of the block, or rolled back where it raises."""
        with self.session(tag) as session, in_transaction(session):
            yield session

    def close(self) -> None:
        """Ends all sessions that nobody uses."""
        with self._guard:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            _close(connection)

    def _taken(self) -> SnowflakeConnection | None:
        with self._guard:
            while self._idle:
                since, connection = self._idle.pop()
                if time.monotonic() - since < _IDLE_SECONDS:
                    return connection
                _close(connection)
        return None

    def _give_back(self, connection: SnowflakeConnection) -> None:
        with self._guard:
            self._idle.append((time.monotonic(), connection))

    def _opened(self) -> SnowflakeConnection:
        import snowflake.connector.errors
        from dagster_snowflake import SnowflakeResource

        resource = SnowflakeResource(**self.account.resource_arguments())
        try:
            # Entered and not left: the session outlives the block, and is closed by `_close`.
            return resource.get_connection().__enter__()
        except snowflake.connector.errors.Error as error:
            raise as_warehouse_error(error) from error
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"the warehouse's private key cannot be read ({type(error).__name__})",
                remedy="Point SNOWFLAKE_PRIVATE_KEY_PATH at a PEM file that this user may read, and set "
                "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE where it is encrypted",
            ) from error


@contextmanager
def in_transaction(session: Session) -> Iterator[None]:
    """Commits what the block does, or rolls it back where it raises."""
    session.execute("BEGIN")
    try:
        yield
        session.execute("COMMIT")
    except BaseException:
        with suppress(SophiaError):
            session.execute("ROLLBACK")
        raise


def take_turn(session: Session, who: str) -> None:
    """Waits until no other transaction writes: the first statement of every transaction that does."""
    session.execute('UPDATE "_sophia"."writer" SET held_by = ?', [who])


def as_warehouse_error(error: Exception) -> SophiaError:
    """The error of our tree for what the connector raised."""
    import snowflake.connector.errors as connector

    number = getattr(error, "errno", None) or -1
    said = " ".join(str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error).split())[:300]
    request = getattr(error, "sfqid", None) or None
    if number in _LOCKED:
        return WarehouseBusy(
            f"Snowflake gave a statement up that had waited too long ({said})",
            remedy="Run again when the other run has ended; nothing was changed",
            request_id=request,
        )
    if number in _LOGIN_REFUSED:
        return WarehouseUnavailable(
            f"Snowflake refused the warehouse's login ({said})",
            remedy="Check SOPHIA_WAREHOUSE_SNOWFLAKE_* or, where they are not set, SNOWFLAKE_*",
            request_id=request,
        )
    is_refusal = isinstance(error, connector.ProgrammingError) and number < 250000
    if is_refusal:
        return SophiaError(f"Snowflake refused a statement ({said})", request_id=request)
    return WarehouseUnavailable(
        f"Snowflake, the warehouse, cannot be reached ({said})",
        remedy="Check the network and the account, then run again; what was read is kept",
        request_id=request,
    )


def _close(connection: SnowflakeConnection) -> None:
    with suppress(Exception):  # whatever it says, nobody uses it any more
        connection.close(retry=False)
