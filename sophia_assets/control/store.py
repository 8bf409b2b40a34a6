"""The control store: one small database that every process of the platform shares, SQLite here, Postgres in production.

On SQLite writers take turns (WAL, `BEGIN IMMEDIATE`), and a commit waits for the disk (`synchronous=FULL`): writes are
few, and an operator's word must outlast a power cut as well as a killed process. On Postgres nobody waits: a row is
written only where its `version` is still the one that was read, else the work is done anew. Never on a network share:
SQLite's locks do not hold there.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from sophia_assets.access.audit_chain import AFTER_COMMIT, CHAIN, Chain
from sophia_assets.control.schema import REVISION, VERSION_TABLE
from sophia_assets.errors import ConfigurationError, ControlStoreUnavailable

T = TypeVar("T")

_MIGRATIONS = Path(__file__).with_name("migrations")
# Any fixed number: who creates or migrates a store on Postgres holds it.
_MIGRATION_LOCK = 7_364_116_504
_SETTING = "SOPHIA_CONTROL_URL"
# alembic's context is one per process.
_MIGRATING = threading.Lock()


class Stale(Exception):
    """Somebody else wrote the row first; `ControlStore.run` does the work anew."""


class ControlStore:
    """A store by its URL: `sqlite:///path` or `postgresql://user:password@host/database`.

    It is created, and brought up to date, when it is first used. Threads may share one; a process that was forked
    opens connections of its own. Everything raises ControlStoreUnavailable where the database cannot be reached or is
    in use for more than `wait_seconds`, ConfigurationError where it is none of ours.

    `chain` signs the audit trail in it; a file's own lies beside the file. On a server without one, deeds are recorded
    and not signed.
    """

    def __init__(
        self, url: str | URL, *, wait_seconds: float = 10.0, tries: int = 100, chain: Chain | None = None
    ) -> None:
        self._url = _parsed(url)
        if chain is None and self.is_sqlite:
            chain = Chain.beside(Path(str(self._url.database)).parent)
        self.chain = chain
        self._wait_seconds = wait_seconds
        self._tries = tries
        self._opening = threading.RLock()
        self._engine: Engine | None = None
        self._pid = 0
        self._abandoned: list[Engine] = []

    @classmethod
    def at(cls, path: Path, *, chain: Chain | None = None) -> ControlStore:
        """The SQLite store in a file."""
        return cls(URL.create("sqlite", database=str(path)), chain=chain)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file here, and not a server."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def place(self) -> str:
        """Where it is, for messages: no user, no password."""
        if self.is_sqlite:
            return str(self._url.database)
        port = f":{self._url.port}" if self._url.port else ""
        return f"Postgres at {self._url.host or self._url.query.get('host') or 'localhost'}{port}/{self._url.database}"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, all or nothing; not to be nested."""
        with self._explained(), self._ready().begin() as connection:
            connection.info.pop(AFTER_COMMIT, None)
            yield connection
            work = connection.info.pop(AFTER_COMMIT, ())
        for after_commit in work:
            after_commit()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """For SELECTs that must all see one state; what is read streams."""
        option: dict[str, Any] = {"sophia_begin": "BEGIN"} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._explained(), self._ready().execution_options(**option, stream_results=True).begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """For SELECTs, which wait for nobody."""
        option = {"sophia_begin": "BEGIN"} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        with self._explained(), self._ready().execution_options(**option).connect() as connection:
            yield connection

    def run(self, work: Callable[[Connection], T]) -> T:
        """Does `work` in a transaction, anew where another process was faster (`Stale`)."""
        for attempt in range(self._tries):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except Stale:
                time.sleep(random.uniform(0, min(0.001 * 2 ** min(attempt, 10), 0.05)))
        raise ControlStoreUnavailable(
            f"the control store ({self.place}) was changed by others {self._tries} times in a row",
            remedy="Run this again; nothing was changed",
        )

    def close(self) -> None:
        """Closes this process's connections; the next use opens new ones."""
        if self.chain is not None:
            self.chain.close()
        with self._opening:
            if self._engine is not None and self._pid == os.getpid():
                self._engine.dispose()
            self._engine = None

    def _ready(self) -> Engine:
        engine = self._engine
        if engine is not None and self._pid == os.getpid():
            return engine
        with self._opening:
            if self._engine is not None and self._pid != os.getpid():
                # A parent's connections; closing them here would disturb it.
                self._abandoned.append(self._engine)
                self._engine = None
            if self._engine is None:
                engine = self._new_engine()
                try:
                    self._bring_up_to_date(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine, self._pid = engine, os.getpid()
            return self._engine

    def _new_engine(self) -> Engine:
        if self.is_sqlite:
            folder = Path(str(self._url.database)).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(
                    f"the control store's folder {folder} cannot be made: {error.strerror}",
                    remedy="Set SOPHIA_HOME to a folder that can be written",
                ) from None
            engine = create_engine(
                self._url, connect_args={"timeout": self._wait_seconds}, execution_options={CHAIN: self.chain}
            )
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        try:
            engine = create_engine(
                self._url,
                connect_args={
                    "connect_timeout": max(2, round(self._wait_seconds / 2)),
                    # A server that has vanished without a word is noticed.
                    "keepalives_idle": 10,
                    "tcp_user_timeout": max(1000, round(self._wait_seconds * 1000)),
                },
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                pool_timeout=self._wait_seconds,
                execution_options={CHAIN: self.chain},
            )
        except ModuleNotFoundError:
            raise ConfigurationError(
                f"{_SETTING} names a Postgres, for which psycopg2 is needed",
                remedy="Install it: pip install 'sophia-assets[postgres]'",
            ) from None
        event.listen(engine, "connect", partial(_prepare_postgres, round(self._wait_seconds * 1000)))
        return engine

    def _bring_up_to_date(self, engine: Engine) -> None:
        """The ordinary case compares one row; only a store of another version is migrated, by one process at a time."""
        with engine.connect().execution_options(sophia_begin="BEGIN") as connection:
            if _revision(connection) == REVISION:
                return
        if self.is_sqlite:
            self._turn_on_wal(engine)
        with _MIGRATING, engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            if _revision(connection) != REVISION:
                self._migrate(connection)

    def _turn_on_wal(self, engine: Engine) -> None:
        """The file keeps it. SQLite does not wait for others here, so this does."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                connection = engine.raw_connection()
                try:
                    connection.cursor().execute("PRAGMA journal_mode=WAL")
                finally:
                    connection.close()
                return
            except Exception as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _migrate(self, connection: Connection) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise ConfigurationError(
                f"the control store ({self.place}) was written by a newer version of sophia-assets",
                remedy=f"Update sophia-assets, or point {_SETTING} at another store",
            ) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what the drivers raise into one line that says where and what to do, and holds no password."""
        try:
            yield
        except (DBAPIError, PoolTimeout) as error:
            raise self._explanation(error) from error

    def _explanation(self, error: DBAPIError | PoolTimeout) -> ConfigurationError | ControlStoreUnavailable:
        why = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        if self._url.password:
            why = why.replace(str(self._url.password), "***")
        if "not a database" in why or "malformed" in why:
            return ConfigurationError(
                f"{self.place} is not a control store: {why}",
                remedy="Restore it from a backup; else move it away, and a new one is made without users, audit trail "
                "and circuits",
            )
        if "locked" in why or "lock timeout" in why:
            return ControlStoreUnavailable(
                f"{self.place} has been in use by another process for more than {self._wait_seconds:g} s",
                remedy="Run this again; nothing was changed",
            )
        if self.is_sqlite:
            remedy = "See that the file and its folder can be written, and that the disk has room"
        else:
            remedy = f"See that the server runs and that {_SETTING} is right"
        return ControlStoreUnavailable(f"the control store ({self.place}) cannot be used: {why}", remedy=remedy)


def insert_new(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    """Inserts a row; Stale where another process has just done so."""
    try:
        connection.execute(table.insert().values(values))
    except IntegrityError:
        raise Stale from None


def update_version(connection: Connection, table: Table, name: str, version: int, values: dict[str, Any]) -> None:
    """Writes the row called `name` where it still has the `version` that was read; else Stale."""
    statement = table.update().where(table.c.name == name, table.c.version == version)
    if connection.execute(statement.values(values | {"version": version + 1})).rowcount != 1:
        raise Stale


def _parsed(url: str | URL) -> URL:
    remedy = f"Set {_SETTING} to sqlite:///path/to/control.db or postgresql://user:password@host:5432/database"
    if isinstance(url, str) and url.startswith("postgres://"):
        url = "postgresql" + url.removeprefix("postgres")
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        # What it says is not repeated: there may be a password in it.
        raise ConfigurationError(f"{_SETTING} is not a URL of a database", remedy=remedy) from None
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite", database=str(Path(parsed.database).expanduser().resolve()))
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")
    what = "no file" if backend == "sqlite" else f"{backend!r}, which is neither SQLite nor Postgres"
    raise ConfigurationError(f"{_SETTING} names {what}", remedy=remedy)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return str(found) if found is not None else None


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and too late
    connection.execute("PRAGMA synchronous=FULL")


def _prepare_postgres(wait_milliseconds: int, connection: Any, _: ConnectionPoolEntry) -> None:
    """Nobody waits for ever for a process that stands still inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {wait_milliseconds}")
        cursor.execute("SET idle_in_transaction_session_timeout = 60000")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(str(connection.get_execution_options().get("sophia_begin", "BEGIN IMMEDIATE")))
