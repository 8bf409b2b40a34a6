"""How runs that live for seconds leave figures behind: rows in the control store that one exporter reads.

Each point is added twice, in one transaction: to what has come together since ever, which is never removed, since
Prometheus takes a counter that falls for one that began anew; and to its day (UTC), which `slo` reads and retention
removes. What belongs to a change in the control store is written in that change's own transaction (`write`);
everything else by a `Recorder`, which never fails whoever measures.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from math import inf, isfinite

from sqlalchemy import Connection, TextClause, text

from sophia_assets.control.store import ControlStore
from sophia_assets.errors import SophiaError
from sophia_assets.telemetry.series import Kind, Point

EVER = ""
"""The day of what has come together since ever."""
SUM = "sum"
COUNT = "count"
VALUE = "value"
HOLD_SECONDS = 5.0
"""For so long a process keeps figures before it writes them down together: what a `kill -9` may cost."""

_COLUMNS = ("day", "series", "labels", "part", "value")
_LONGEST_LABEL = 100
_MOST_WAITING = 10_000
_SECONDS_AFTER_FAILURE = 5.0

Cell = tuple[str, str, str, str]  # day, series, labels, part: the key of a row


def label_text(labels: Iterable[str]) -> str:
    """The label values as one text, by which a row is found again: no halves of characters, none too long to keep."""
    sound = [label[:_LONGEST_LABEL].encode("utf-8", "replace").decode() for label in labels]
    return json.dumps(sound, ensure_ascii=False, separators=(",", ":"))


def bound_text(bound: float) -> str:
    """A bucket's upper bound as Prometheus writes it."""
    return "+Inf" if bound == inf else f"{bound:g}"


def write(connection: Connection, points: Iterable[Point], at: datetime | None = None) -> None:
    """Adds the points in somebody's transaction, best at its end. `at` is now unless given; it decides the day."""
    batch = _Batch()
    batch.take(points, at or datetime.now(UTC))
    batch.write(connection)


class _Batch:
    """What is to be added to which rows, and what they are to be set to."""

    def __init__(self) -> None:
        self._added: dict[Cell, float] = {}
        self._settled: dict[Cell, float] = {}

    def __len__(self) -> int:
        return len(self._added) + len(self._settled)

    def take(self, points: Iterable[Point], at: datetime) -> None:
        """Adds points that belong to the moment `at`; what is no number is left out."""
        day = at.astimezone(UTC).date().isoformat()
        for point in points:
            if not isfinite(point.value):
                continue
            series, name, labels = point.series, point.series.name, label_text(point.labels)
            if series.kind is Kind.GAUGE:
                self._settled[EVER, name, labels, VALUE] = point.value
            elif series.kind is Kind.COUNTER:
                self._add(day, name, labels, VALUE, point.value)
            else:
                bound = series.buckets[bisect_left(series.buckets, point.value)]
                self._add(day, name, labels, bound_text(bound), 1.0)
                self._add(day, name, labels, SUM, point.value)
                self._add(day, name, labels, COUNT, 1.0)

    def _add(self, day: str, series: str, labels: str, part: str, amount: float) -> None:
        for when in (EVER, day):
            cell = (when, series, labels, part)
            self._added[cell] = self._added.get(cell, 0.0) + amount

    def take_over(self, earlier: _Batch) -> None:
        """Adds what could not be written before; of what was set, the newer stands."""
        for cell, amount in earlier._added.items():
            self._added[cell] = self._added.get(cell, 0.0) + amount
        self._settled = earlier._settled | self._settled

    def write(self, connection: Connection) -> None:
        """Writes all of it, always in the same order, so that two writers never wait for each other."""
        _upsert(connection, self._added, adds=True)
        _upsert(connection, self._settled, adds=False)


def _upsert(connection: Connection, cells: dict[Cell, float], *, adds: bool) -> None:
    if not cells:
        return
    rows = [(*cell, amount) for cell, amount in sorted(cells.items())]
    statement = _statement(connection.dialect.name, adds)
    if connection.dialect.name == "sqlite":
        connection.execute(statement, [dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    else:
        # One message for all rows, since each may take a millisecond to the server and back.
        connection.execute(statement, dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True)))


@cache
def _statement(dialect: str, adds: bool) -> TextClause:
    names = ", ".join(_COLUMNS)
    if dialect == "sqlite":
        given = f"VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
    else:
        types = {"value": "double precision[]"}
        arrays = ", ".join(f"CAST(:{name} AS {types.get(name, 'text[]')})" for name in _COLUMNS)
        given = f"SELECT * FROM unnest({arrays})"
    value = "measures.value + excluded.value" if adds else "excluded.value"
    return text(
        f"INSERT INTO measures ({names}) {given} ON CONFLICT ({', '.join(_COLUMNS[:-1])}) DO UPDATE SET value = {value}"
    )


class Recorder:
    """Writes points down in a transaction of their own, or together every so many seconds (`hold_seconds`).

    Whoever measures is never disturbed: where the store cannot be written, the points wait for the next ones, and the
    log is told once. Safe for threads; what is held is written at the end of the process, or with `close`, and lost
    where the process is killed.
    """

    def __init__(self, store: ControlStore, *, hold_seconds: float = 0.0) -> None:
        self._store = store
        self._hold_seconds = hold_seconds
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting = _Batch()
        self._timer: threading.Timer | None = None
        self._is_failing = self._is_registered = False

    def record(self, *points: Point) -> None:
        """Writes the points down, now or within the time for which they may be held."""
        self._leave_to_parent()
        with self._lock:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.take(points, datetime.now(UTC))
            if not self._is_registered:
                atexit.register(self.flush)
                self._is_registered = True
            hold = self._hold_seconds or (_SECONDS_AFTER_FAILURE if self._is_failing else 0.0)
            if hold:
                self._wake_in(hold)
                return
        self.flush()

    def flush(self) -> None:
        """Writes what is held."""
        self._leave_to_parent()
        with self._writing:
            with self._lock:
                batch, self._waiting, self._timer = self._waiting, _Batch(), None
            if not len(batch):
                return
            try:
                with self._store.transaction() as connection:
                    batch.write(connection)
            except Exception as error:
                with self._lock:
                    self._waiting.take_over(batch)
                self._tell(error)
                return
            self._is_failing = False

    def close(self) -> None:
        """Writes what is held."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self.flush()
        atexit.unregister(self.flush)
        self._is_registered = False

    def _wake_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = threading.Timer(seconds, self.flush)
            self._timer.name, self._timer.daemon = "recorder", True
            self._timer.start()

    def _leave_to_parent(self) -> None:
        """What a forked process finds here is its parent's, which writes it down itself."""
        if self._pid != os.getpid():
            self._begin()

    def _tell(self, error: Exception) -> None:
        if not self._is_failing:
            # It takes longer to import than a run of the command line may take to start.
            from sophia_assets.telemetry.logs import get_logger

            problem = str(error) if isinstance(error, SophiaError) else type(error).__name__
            get_logger(__name__).warning(
                "figures of the platform's own work could not be written down yet", problem=problem
            )
        self._is_failing = True
