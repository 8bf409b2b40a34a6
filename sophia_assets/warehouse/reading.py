"""The modelled data as readers see it: one state at a time, read by many at once, never in a writer's way.

Belongs here: `Reading`, what is asked of such a state, and `Readings`, which gives the newest. Does not belong here:
metrics, who may see what, how a copy is made (`marts_copy`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from sophia_assets.errors import SophiaError

if TYPE_CHECKING:
    from sophia_assets.metrics.catalog import Catalog
    from sophia_assets.metrics.measuring import FactContext
    from sophia_assets.services import Services

QUERY_SECONDS = 20.0
"""A query that takes longer is stopped, unless its caller gives it another limit."""


class QueryStopped(SophiaError):
    """A query took longer than it may, or more memory than there is for it and its result."""


class QueryRefused(SophiaError):
    """What was to be run is not one SELECT, or is not understood by the engine."""


class Readable(Protocol):
    """What SELECTs are run on: a warehouse, or a copy of its models. See `Warehouse` for each of them."""

    @property
    def dialect(self) -> str:
        """The engine's SQL, as sqlglot names it."""
        ...

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """Runs one SELECT."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """A block whose queries, on this thread, see one state."""
        ...


class Reading(Readable, Protocol):
    """One state of the models, safe to use from many threads at once, for as long as it is held.

    `version` differs between any two states whose answers may differ. `day` is the last complete business day that the
    data covers: what "today" means in an answer. `context` is the ground for facts of that day; `catalog` holds the
    metrics that have good data to rest on, `unusable` the models that have none.
    """

    @property
    def version(self) -> str: ...

    @property
    def day(self) -> date: ...

    @property
    def context(self) -> FactContext: ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def unusable(self) -> tuple[str, ...]: ...

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        seconds: float = QUERY_SECONDS,
    ) -> pa.Table:
        """Runs one SELECT, for at most so many seconds.

        Raises QueryStopped after them, QueryRefused for anything but a SELECT that the engine understands.
        """
        ...


class Readings(Protocol):
    """Gives the newest state; cheap to ask for each question."""

    def current(self, role: str) -> Reading:
        """The newest state for a role (on Snowflake its queries run under the Snowflake role of that name).

        Raises SophiaError where there is no data yet.
        """
        ...

    def close(self) -> None:
        """Lets go of what is held."""
        ...


def readings_for(services: Services) -> Readings:
    """The readings of one home, by its warehouse."""
    if services.settings.warehouse == "snowflake":
        from sophia_assets.warehouse.snowflake_reading import SnowflakeReadings

        return SnowflakeReadings(services)
    from sophia_assets.warehouse.copied_reading import CopiedReadings

    return CopiedReadings(services)
