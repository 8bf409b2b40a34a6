"""Starts reading groups before their turn, so that slow systems are read while others are being stored."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any, cast

from sophia_assets.ingestion.prefetch import prefetched
from sophia_assets.sources.declarations import ReadItem, Source, Window

# Pages held per group until their turn comes; a reader that is further ahead waits.
_PAGES_AHEAD = 400


class ReadAheadSource:
    """A `Source` whose `start` begins a read that a later `read` of the same group and window takes over."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._started: dict[tuple[str, Window], tuple[ExitStack, Iterator[ReadItem]]] = {}
        self._readers = ExitStack()
        self.system = source.system

    @property
    def requests_made(self) -> int:
        """See `Source.requests_made`."""
        return self._source.requests_made

    def ping(self) -> str:
        """See `Source.ping`."""
        return self._source.ping()

    def start(self, group: str, window: Window) -> None:
        """Begins to read `group` for `window` in a thread. What it raises is raised by `read`."""
        generator = cast(Generator[ReadItem, None, None], self._source.read(group, window))
        reader = self._readers.enter_context(ExitStack())
        items = reader.enter_context(prefetched(generator, ahead=_PAGES_AHEAD, at_once=True))
        self._started[group, window] = reader, items

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. A read that goes on behind a position is never one that was started from the beginning."""
        reader, started = self._started.pop((group, window), (None, None))
        if started is not None and resume is None:
            yield from started
            return
        if reader is not None:
            reader.close()
        yield from self._source.read(group, window, resume)

    def close(self) -> None:
        """Stops the reads that nobody took over."""
        self._started.clear()
        self._readers.close()
