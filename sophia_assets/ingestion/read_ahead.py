"""Starts reading groups before their turn, so that slow systems are read while others are being stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, cast

from sophia_assets.ingestion.prefetch import Stop, prefetched
from sophia_assets.sources.declarations import ReadItem, Rows, Source, Window

# Items (pages and checkpoints) and rows held per group until its turn comes; a reader that is further ahead waits.
_ITEMS_AHEAD = 400
_ROWS_AHEAD = 40_000


class _Countdown:
    """Calls `then` when it was counted down `number` times; from any thread."""

    def __init__(self, number: int, then: Callable[[], None]) -> None:
        self._left, self._then = number, then
        self._lock = threading.Lock()

    def count_down(self) -> None:
        with self._lock:
            self._left -= 1
            is_over = self._left == 0
        if is_over:
            self._then()


class ReadAheadSource:
    """A `Source` whose `start` begins reads that a later `read` of the same group and window takes over."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._started: dict[tuple[str, Window], tuple[ExitStack, Iterator[ReadItem]]] = {}
        self._readers = ExitStack()
        self._stops: list[Stop] = []
        self.system = source.system

    @property
    def requests_made(self) -> int:
        """See `Source.requests_made`."""
        return self._source.requests_made

    def ping(self) -> str:
        """See `Source.ping`."""
        return self._source.ping()

    def start(self, windows: Mapping[str, Window], on_ready: Callable[[], None]) -> None:
        """Begins to read each group for its window, in threads. What a read raises is raised by `read`.

        `on_ready` is called once, from any thread: when all of them have ended or wait to be taken over.
        """
        if not windows:
            on_ready()
        left = _Countdown(len(windows), on_ready)
        for group, window in windows.items():
            generator = cast(Generator[ReadItem, None, None], self._source.read(group, window))
            reader, stop = self._readers.enter_context(ExitStack()), Stop()
            items = reader.enter_context(
                prefetched(
                    generator,
                    ahead=_ITEMS_AHEAD,
                    at_once=True,
                    on_rest=left.count_down,
                    stop=stop,
                    size_of=_rows_of,
                    most=_ROWS_AHEAD,
                )
            )
            self._stops.append(stop)
            self._started[group, window] = reader, items

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. A read that goes on behind a position is never one that was started from the beginning."""
        reader, started = self._started.pop((group, window), (None, None))
        if reader is not None and started is not None and resume is None:
            with reader:
                yield from started
            return
        if reader is not None:
            reader.close()
        yield from self._source.read(group, window, resume)

    def stop(self) -> None:
        """Has every read that was started stop as soon as it can; `close` waits for them."""
        for stop in self._stops:
            stop.set()

    def close(self) -> None:
        """Stops the reads that nobody took over, and waits a little for all of them together."""
        self.stop()
        self._started.clear()
        self._readers.close()


def _rows_of(item: ReadItem) -> int:
    return len(item.rows) if isinstance(item, Rows) else 0
