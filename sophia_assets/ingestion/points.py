"""What reading the systems adds to the platform's figures of itself, and how their tables stand.

Belongs here: from loads, failures and the warehouse's ledger to points. Does not belong here: the series
(`telemetry.series`), how points are kept (`telemetry.recording`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sophia_assets.errors import (
    CircuitOpen,
    ConfigurationError,
    SourceError,
    SystemSwitchedOff,
    WarehouseBusy,
    WarehouseUnavailable,
)
from sophia_assets.ingestion.ingest import GroupLoad
from sophia_assets.ingestion.waiting import WaitEnded
from sophia_assets.sources import registry
from sophia_assets.telemetry.labels import FETCH_KINDS
from sophia_assets.telemetry.series import (
    DATA_REACHES,
    EMPTY_RESULTS,
    FETCH_ERRORS,
    FETCH_REQUESTS,
    FETCH_SECONDS,
    FETCHES,
    LAST_LOAD,
    ROWS,
    ROWS_LOADED,
    Point,
)
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import LoadResult, Warehouse

_STATE = 'SELECT table_name, loaded_at, loaded_through, rows_total FROM "_sophia"."state"'


class Fetch:
    """One read of a group of a system's tables and its merge; the block tells how it ended.

    `load` is the load once it has begun, `results` what it brought. A read that is held back, or no longer wanted, has
    neither succeeded nor failed. Where a read waits for its turn to be merged, that is not the system's time.
    """

    def __init__(self, system: str, record: Callable[..., object]) -> None:
        self.load: GroupLoad | None = None
        self.results: Sequence[LoadResult] = ()
        self._system, self._record = system, record
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        points = []
        if self.load is not None and self.load.requests_made:
            points.append(FETCH_REQUESTS.add(self.load.requests_made, source=self._system))
        if error is None or _is_failure(error):
            seconds = time.monotonic() - self._began if self.load is None else self.load.seconds
            points.append(FETCHES.add(source=self._system))
            points.append(FETCH_SECONDS.observe(seconds, source=self._system))
        if error is None:
            points += _points_of_results(self._system, self.results, datetime.now(UTC))
        elif _is_failure(error):
            points.append(FETCH_ERRORS.add(source=self._system, kind=kind_of(error)))
        self._record(*points)


def kind_of(error: BaseException) -> str:
    """The kind of a failed read, one of `FETCH_KINDS`."""
    if isinstance(error, SourceError):
        return error.kind if error.kind in FETCH_KINDS else "source"
    if isinstance(error, ConfigurationError):
        return "configuration"
    return "warehouse" if isinstance(error, WarehouseBusy | WarehouseUnavailable) else "unexpected"


def points_of_state(warehouse: Warehouse) -> list[Point]:
    """When each table was last loaded, up to when its data goes and how many rows it has, as the ledger knows it.

    Runs tell that as they load; this is for what was loaded before they did, and for a run that was killed.
    """
    points = []
    tables = {table.qualified_name for table in registry.tables()}
    for row in warehouse.query(_STATE).to_pylist():
        loaded_at, reaches = aware_utc(row["loaded_at"]), aware_utc(row["loaded_through"])
        if row["table_name"] in tables and loaded_at and reaches:
            points += _standing(row["table_name"], loaded_at, reaches, row["rows_total"] or 0)
    return points


def _is_failure(error: BaseException) -> bool:
    if isinstance(error, CircuitOpen | SystemSwitchedOff) or (isinstance(error, SourceError) and not error.was_asked):
        return False
    return isinstance(error, Exception) and not isinstance(error, WaitEnded)


def _points_of_results(system: str, results: Sequence[LoadResult], now: datetime) -> list[Point]:
    points = []
    counts = {"new": 0, "changed": 0, "deleted": 0, "unchanged": 0}
    for result in results:
        counts["new"] += result.inserted
        counts["changed"] += result.updated
        counts["deleted"] += result.deleted
        counts["unchanged"] += result.unchanged
        points += _standing(result.table, now, min(result.window.end, now), result.rows_total)
        if not result.rows_read:
            points.append(EMPTY_RESULTS.add(source=system, table=_name(result.table)))
    return points + [ROWS_LOADED.add(number, source=system, change=change) for change, number in counts.items()]


def _standing(table: str, loaded_at: datetime, reaches: datetime, rows: int) -> list[Point]:
    where = {"source": table.partition(".")[0], "table": _name(table)}
    return [
        LAST_LOAD.set(loaded_at.timestamp(), **where),
        DATA_REACHES.set(min(reaches, loaded_at).timestamp(), **where),
        ROWS.set(rows, **where),
    ]


def _name(table: str) -> str:
    """A table's name without its system."""
    return table.partition(".")[2]
