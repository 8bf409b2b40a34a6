"""fakesnow's server behind the real connector, and empty warehouses in it, each in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from sophia_assets.sandbox.standins.snowflake.standin import SnowflakeStandin
from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
from sophia_assets_tests.sandbox.small_company import Served, served, small_company, small_snowflake

_numbers = count(1)


@dataclass(frozen=True)
class SnowflakeServer:
    """A running server and a login to it."""

    sandbox: Served
    account: SnowflakeAccount

    def new_account(self) -> SnowflakeAccount:
        """A login with an empty database of its own."""
        database = f"WAREHOUSE_{next(_numbers)}"
        self.engine.create_database_on_connect = True
        try:
            self.engine.connect(database)
        finally:
            self.engine.create_database_on_connect = False
        return replace(self.account, database=database)

    @property
    def engine(self) -> Any:
        """fakesnow's engine itself."""
        standin = self.sandbox.app.standins["snowflake"]
        assert isinstance(standin, SnowflakeStandin)
        return standin._engine

    def end_sessions(self) -> None:
        """Rolls back what clients have left open, as Snowflake does with a dead client's transaction in time."""
        from fakesnow.server import sessions

        for token in list(sessions):
            sessions.pop(token)._duck_conn.close()


@contextmanager
def snowflake_server() -> Iterator[SnowflakeServer]:
    """A server with a small company's tables in one database."""
    with served(small_company(hubspot=None, gong=None, snowflake=small_snowflake(30))) as sandbox:
        yield SnowflakeServer(sandbox, account_of(sandbox.env))


def account_of(env: dict[str, str]) -> SnowflakeAccount:
    """The login that a sandbox's settings describe, to the database that it keeps for a warehouse."""
    names = ("account", "user", "warehouse", "role", "password", "host", "port", "protocol")
    return SnowflakeAccount(database="SOPHIA", **{name: env[f"SNOWFLAKE_{name.upper()}"] for name in names})
