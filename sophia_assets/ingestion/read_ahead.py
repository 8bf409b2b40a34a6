"""Reads groups before their turn, onto disk, so that slow systems are read while others are being merged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from sophia_assets.ingestion.ingest import GroupLoad
from sophia_assets.ingestion.prefetch import LONGEST_GOODBYE_SECONDS
from sophia_assets.ingestion.waiting import waits_end_with
from sophia_assets.telemetry.logs import carried
from sophia_assets.warehouse.interface import LoadResult, Progress


class ReadAhead:
    """Reads that were started, each under a key, and that nobody has merged yet. Used from one thread."""

    def __init__(self) -> None:
        self._started: dict[Hashable, _Read] = {}
        self._stop = threading.Event()

    def start(
        self,
        key: Hashable,
        load: GroupLoad,
        *,
        progress: Progress | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Begins to read `load`. `on_end` is called from another thread once the read has ended, well or not."""
        self._started[key] = _Read(load, self._stop, progress, on_end)

    def has(self, key: Hashable) -> bool:
        """Whether a read was started under `key` and waits to be merged."""
        return key in self._started

    def load(self, key: Hashable) -> GroupLoad:
        """What is read under `key`."""
        return self._started[key].load

    def merge(self, key: Hashable, run_id: str) -> list[LoadResult]:
        """Waits for the read's end and merges it for `run_id`. Raises what the read or the merge raises."""
        self._started[key].thread.join()
        read = self._started.pop(key)
        with read.load:
            if read.failure is not None:
                raise read.failure
            return read.load.merge(run_id)

    def close(self) -> None:
        """Stops the reads that nobody merged, waits a little for all of them together, and leaves what they have read
        to a later load."""
        self._stop.set()
        until = time.monotonic() + LONGEST_GOODBYE_SECONDS
        while self._started:
            _, read = self._started.popitem()
            read.thread.join(max(0.0, until - time.monotonic()))
            # One in the middle of a slow request still writes: what it holds is freed with the process.
            if not read.thread.is_alive():
                read.load.__exit__(None, None, None)


class _Read:
    """One load that is read in a thread of its own. `failure` is what ended it, other than its end."""

    def __init__(
        self, load: GroupLoad, stop: threading.Event, progress: Progress | None, on_end: Callable[[], None]
    ) -> None:
        self.load = load
        self.failure: BaseException | None = None
        self._stop, self._progress, self._on_end = stop, progress, on_end
        self.thread = threading.Thread(target=carried(self._work), name="read-ahead", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            with waits_end_with(self._stop):
                self.load.read(self._progress)
        except BaseException as error:
            self.failure = error
        finally:
            self._on_end()


class Countdown:
    """Calls `then` when it was counted down `number` times, from any thread; at once where that is zero."""

    def __init__(self, number: int, then: Callable[[], None]) -> None:
        self._left, self._then = number, then
        self._lock = threading.Lock()
        if not number:
            then()

    def count_down(self) -> None:
        """One less."""
        with self._lock:
            self._left -= 1
            is_over = self._left == 0
        if is_over:
            self._then()
