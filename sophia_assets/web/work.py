"""Threads for what takes a while: so many at once, so many more that wait, and a clear refusal beyond.

Belongs here: how work leaves the event loop. Does not belong here: what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import ParamSpec, TypeVar

from sophia_assets.telemetry.logs import carried

P = ParamSpec("P")
T = TypeVar("T")


class Overloaded(Exception):
    """All threads are busy and no more may wait; to be tried again after `retry_after` seconds."""

    retry_after = 2


class WorkPool:
    """Runs functions on `threads` threads; at most `waiting` more wait their turn. One event loop uses it."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = threads
        self._most = threads + waiting
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """How much is done or waited for at this moment; what nobody waits for any more included."""
        return self._under_way

    @property
    def waiting(self) -> int:
        """How much of it waits for a thread."""
        return max(0, self._under_way - self._threads)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function gives, or raises. Raises Overloaded at once where no more may wait.

        Whoever is cancelled stops waiting; the function goes on to its end, and keeps its place until then.
        """
        if self._under_way >= self._most:
            raise Overloaded
        loop = asyncio.get_running_loop()
        self._under_way += 1
        try:
            future = self._executor.submit(carried(partial(function, *args, **kwargs)))
        except BaseException:
            self._under_way -= 1
            raise
        future.add_done_callback(partial(self._release_on, loop))
        return await asyncio.wrap_future(future)

    def close(self, *, wait: bool) -> None:
        """Takes no more; what has not begun is dropped."""
        self._executor.shutdown(wait=wait, cancel_futures=True)

    def _release_on(self, loop: asyncio.AbstractEventLoop, _: Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self._under_way -= 1


class Timings:
    """How long the parts of one request took, in milliseconds, for its Server-Timing header."""

    def __init__(self) -> None:
        self._parts: dict[str, float] = {}

    def add(self, name: str, since: float) -> None:
        """Adds what has passed since `since` (`perf_counter`) to a part."""
        self._parts[name] = self._parts.get(name, 0.0) + (perf_counter() - since) * 1000

    def header(self) -> str:
        """The header's value."""
        return ", ".join(f"{name};dur={milliseconds:.1f}" for name, milliseconds in self._parts.items())
