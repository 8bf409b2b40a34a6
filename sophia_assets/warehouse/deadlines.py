"""Stops queries that take too long, whoever runs them: one thread watches all of them.

Belongs here: when a DuckDB connection is interrupted. Does not belong here: what a query may read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import duckdb

_LOOK_SECONDS = 0.05


class Deadlines:
    """The queries that run, each with the moment by which it must have ended; exact to a twentieth of a second."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, duckdb.DuckDBPyConnection]] = {}
        self._numbers = count()
        self._guard = threading.Lock()
        self._has_some = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupts what the connection runs in the block, once it has taken so long."""
        with self._guard:
            number = next(self._numbers)
            self._running[number] = (time.monotonic() + seconds, connection)
            # A process that was forked off has a copy of the thread's name, and no thread.
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="query-deadlines", daemon=True)
                self._watcher.start()
        self._has_some.set()
        try:
            yield
        finally:
            # Under the guard, so that no interrupt comes late and hits the connection's next query.
            with self._guard:
                self._running.pop(number, None)

    def _watch(self) -> None:
        while True:
            self._has_some.wait()
            with self._guard:
                now = time.monotonic()
                for number in [number for number, (until, _) in self._running.items() if until <= now]:
                    self._running.pop(number)[1].interrupt()
                if not self._running:
                    self._has_some.clear()
            time.sleep(_LOOK_SECONDS)


DEADLINES = Deadlines()
