"""How runs that live for seconds leave figures behind: rows in the control store that one exporter reads.

Each point is added twice, in one transaction: to what has come together since ever, which is never removed, since
Prometheus takes a counter that falls for one that began anew; and to its day (UTC), which `slo` reads and retention
removes. What belongs to a change in the control store is written in that change's own transaction (`write`);
everything else by a `Recorder`, which never fails whoever measures.
"""

from __future__ import annotations

import atexit
import json
import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from math import inf
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from sophia_assets.control.schema import measures
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import SophiaError
from sophia_assets.telemetry.series import Kind, Point

EVER = ""
"""The day of what has come together since ever."""
SUM = "sum"
COUNT = "count"
VALUE = "value"

_log = structlog.get_logger(__name__)
Cell = tuple[str, str, str]  # series, labels, part


def label_text(labels: Iterable[str]) -> str:
    """The label values as one text, by which a row is found again."""
    return json.dumps(list(labels), ensure_ascii=False, separators=(",", ":"))


def bound_text(bound: float) -> str:
    """A bucket's upper bound as Prometheus writes it."""
    return "+Inf" if bound == inf else f"{bound:g}"


def write(connection: Connection, points: Iterable[Point], at: datetime | None = None) -> None:
    """Adds the points in somebody's transaction. `at` is now unless given; it decides the day."""
    added, settled = _cells(points)
    day = (at or datetime.now(UTC)).astimezone(UTC).date().isoformat()
    # Always in the same order, so that two writers never wait for each other.
    rows = [
        {"day": when, "series": cell[0], "labels": cell[1], "part": cell[2], "value": amount}
        for when in (EVER, day)
        for cell, amount in sorted(added.items())
    ]
    _upsert(connection, rows, adds=True)
    gauges = [
        {"day": EVER, "series": cell[0], "labels": cell[1], "part": cell[2], "value": amount}
        for cell, amount in sorted(settled.items())
    ]
    _upsert(connection, gauges, adds=False)


def _cells(points: Iterable[Point]) -> tuple[dict[Cell, float], dict[Cell, float]]:
    """What is to be added to which cell, and what is to be set."""
    added: dict[Cell, float] = defaultdict(float)
    settled: dict[Cell, float] = {}
    for point in points:
        series, labels = point.series, label_text(point.labels)
        if series.kind is Kind.GAUGE:
            settled[series.name, labels, VALUE] = point.value
        elif series.kind is Kind.COUNTER:
            added[series.name, labels, VALUE] += point.value
        else:
            bound = next(bound for bound in series.buckets if point.value <= bound)
            added[series.name, labels, bound_text(bound)] += 1
            added[series.name, labels, SUM] += point.value
            added[series.name, labels, COUNT] += 1
    return added, settled


def _upsert(connection: Connection, rows: list[dict[str, Any]], *, adds: bool) -> None:
    if not rows:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(measures)
    value = measures.c.value + statement.excluded.value if adds else statement.excluded.value
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(measures.primary_key), set_={"value": value}), rows
    )


class Recorder:
    """Writes points down in a transaction of their own, or together every so many seconds (`hold_seconds`).

    Whoever measures is never disturbed: where the store cannot be written, the points wait for the next ones. Safe
    for threads; what is held is written at the end of the process, or with `close`.
    """

    def __init__(self, store: ControlStore, *, hold_seconds: float = 0.0) -> None:
        self._store = store
        self._hold_seconds = hold_seconds
        self._waiting: list[Point] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        atexit.register(self.flush)

    def record(self, *points: Point) -> None:
        """Writes the points down, now or within the time for which they may be held."""
        with self._lock:
            self._waiting.extend(points)
            if self._hold_seconds:
                if self._timer is None and self._waiting:
                    self._timer = threading.Timer(self._hold_seconds, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Writes what is held."""
        with self._lock:
            points, self._waiting, self._timer = self._waiting, [], None
        if not points:
            return
        try:
            with self._store.transaction() as connection:
                write(connection, points)
        except SophiaError as error:
            _log.warning("figures could not be written down yet", problem=str(error))
            with self._lock:
                self._waiting = points[-_MOST_WAITING:] + self._waiting

    def close(self) -> None:
        """Writes what is held, and forgets about the end of the process."""
        atexit.unregister(self.flush)
        self.flush()


_MOST_WAITING = 10_000
