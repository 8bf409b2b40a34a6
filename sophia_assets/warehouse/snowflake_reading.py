"""Readings of a Snowflake warehouse: queries go there, each under the Snowflake role of whoever asks.

Belongs here: which role's session a query runs in, how old what is known of the data may be. Does not belong here:
sessions themselves (`snowflake_session`), what a state consists of (`ground`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sophia_assets.errors import ConfigurationError, SophiaError, WarehouseBusy, WarehouseUnavailable
from sophia_assets.settings.snowflake_roles import PREFIX
from sophia_assets.warehouse.ground import Ground, read_ground
from sophia_assets.warehouse.reading import QUERY_SECONDS, QueryRefused, QueryStopped
from sophia_assets.warehouse.snowflake_session import Sessions, SnowflakeAccount, query_tag

if TYPE_CHECKING:
    from sophia_assets.metrics.catalog import Catalog
    from sophia_assets.metrics.measuring import FactContext
    from sophia_assets.services import Services

# Asking keeps Snowflake's own warehouse running, which costs money.
_LOOK_SECONDS = 60.0


@dataclass(frozen=True)
class SnowflakeReading:
    """A `Reading` whose queries run in Snowflake under one of its roles. Each sees the last commit."""

    version: str
    day: date
    context: FactContext
    catalog: Catalog
    unusable: tuple[str, ...]
    sessions: Sessions
    role: str
    dialect: str = "snowflake"

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        seconds: float = QUERY_SECONDS,
    ) -> pa.Table:
        """See `Reading.query`. Parameters go by their place."""
        assert not isinstance(parameters, Mapping), "parameters go by their place"
        _refuse_all_but_a_select(sql)
        try:
            with self.sessions.session(query_tag(reader=self.role), seconds=seconds) as session:
                return session.execute(sql, parameters or ()).arrow()
        except WarehouseUnavailable:
            raise
        except WarehouseBusy as error:
            raise QueryStopped(
                f"the query was stopped after {seconds:g} s", remedy="Ask for less at once: fewer rows, a shorter time"
            ) from error
        except SophiaError as error:
            raise QueryRefused(error.message, request_id=error.request_id) from error

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Readable.session`: Snowflake has no snapshot of several statements."""
        yield


class SnowflakeReadings:
    """`Readings` of a home on Snowflake; what is known of the data is at most `seconds` old."""

    def __init__(self, services: Services, *, seconds: float = _LOOK_SECONDS) -> None:
        self._services, self._seconds = services, seconds
        self._ground: Ground | None = None
        self._read_at = 0.0
        self._guard = threading.Lock()
        self._looking = threading.Lock()
        self._sessions: dict[str, Sessions] = {}

    def current(self, role: str) -> SnowflakeReading:
        """See `Readings.current`. Raises ConfigurationError for a role without a Snowflake role, where others have."""
        sessions = self._sessions_of(role)
        ground = self._newest()
        return SnowflakeReading(
            ground.version, ground.day, ground.context, ground.catalog, ground.unusable, sessions, role
        )

    def close(self) -> None:
        """See `Readings.close`."""
        with self._guard:
            sessions, self._sessions = self._sessions, {}
            self._ground = None
        for each in sessions.values():
            each.close()

    def _newest(self) -> Ground:
        ground = self._ground
        if ground is not None and time.monotonic() - self._read_at < self._seconds:
            return ground
        # While one asks Snowflake, the others go on with what is known; the first ones wait.
        if ground is not None and self._looking.locked():
            return ground
        with self._looking:
            if self._ground is None or time.monotonic() - self._read_at >= self._seconds:
                with self._services.warehouse.session():
                    self._ground = read_ground(self._services)
                self._read_at = time.monotonic()
            return self._ground

    def _sessions_of(self, role: str) -> Sessions:
        roles = self._services.settings.snowflake_roles
        if roles and role not in roles:
            raise ConfigurationError(
                f"the role {role} has no role in Snowflake",
                remedy=f"Set {PREFIX}{role.upper()} to the role it reads as",
            )
        with self._guard:
            if role not in self._sessions:
                services = self._services
                account = SnowflakeAccount(**services.settings.snowflake_warehouse(services.connections.sandbox_env))
                self._sessions[role] = Sessions(replace(account, role=roles[role]) if roles else account)
            return self._sessions[role]


def _refuse_all_but_a_select(sql: str) -> None:
    import sqlglot
    from sqlglot import exp

    try:
        statements = sqlglot.parse(sql, read="snowflake")
    except sqlglot.errors.SqlglotError as error:
        raise QueryRefused(f"the query cannot be run: {str(error).splitlines()[0]}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryRefused("what is to be run is not one SELECT", remedy="Write one SELECT")
