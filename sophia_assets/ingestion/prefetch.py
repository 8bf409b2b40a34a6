"""Reads ahead: the next pages are on their way while the last ones are being stored."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sophia_assets.ingestion.waiting import wait, waits_end_with

T = TypeVar("T")


class _End:
    """Put on the queue once the source is exhausted."""


_END: Final = _End()
_STOP_CHECK_SECONDS = 0.05
_LONGEST_GOODBYE_SECONDS = 5.0


class Stop:
    """Ends one reader. Where several are ended, setting all first lets them come to their ends at the same time."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._until = 0.0

    def set(self) -> None:
        """Has the reader stop as soon as it can."""
        if not self.event.is_set():
            self._until = time.monotonic() + _LONGEST_GOODBYE_SECONDS
            self.event.set()

    @property
    def seconds_left(self) -> float:
        """How much longer a reader that was told to stop is waited for."""
        return max(0.0, self._until - time.monotonic())


class _Room:
    """How much may lie on the queue, in the sizes of its items."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Takes room for an item, of any size, while there is some left."""
        with self._lock:
            if size and self._held >= self._most:
                return False
            self._held += size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._held -= size


@contextmanager
def prefetched(
    source: Generator[T, None, None],
    *,
    ahead: int,
    at_once: bool = False,
    on_rest: Callable[[], None] | None = None,
    stop: Stop | None = None,
    size_of: Callable[[T], int] = lambda _: 0,
    most: float = math.inf,
) -> Iterator[Iterator[T]]:
    """Iterates over `source` in a thread of its own, at most `ahead` items before the consumer, and no more once those
    items' sizes, by `size_of`, are `most` in all.

    The thread starts with the first item that is asked for, or `at_once`. What the source raises is raised to the
    consumer at the place where it happened. On leaving, the thread stops after the item it is working on,
    and at once where it waits for a limit; it is waited for briefly, since it may be in the middle of a
    slow request. Setting `stop` has it stop before that. `on_rest` is called once, in the thread: when the source has
    ended, or is as far ahead as it may be.
    """
    items: queue.Queue[T | BaseException | _End] = queue.Queue(maxsize=ahead)
    stop = stop or Stop()
    stopped = stop.event
    room = _Room(most)
    rested = False

    def rest() -> None:
        nonlocal rested
        if on_rest and not rested:
            rested = True
            on_rest()

    def put(item: T | BaseException | _End, size: int = 0) -> bool:
        while not room.take(size):
            rest()
            if stopped.wait(_STOP_CHECK_SECONDS):
                return False
        while not stopped.is_set():
            try:
                items.put(item, timeout=_STOP_CHECK_SECONDS)
                return True
            except queue.Full:
                rest()
        return False

    def work() -> None:
        try:
            with waits_end_with(stopped):
                for item in source:
                    if not put(item, size_of(item)):
                        return
            put(_END)
        except BaseException as error:
            put(error)
        finally:
            source.close()
            rest()

    worker = threading.Thread(target=work, name="read-ahead", daemon=True)

    def consume() -> Iterator[T]:
        if worker.ident is None:
            worker.start()
        while True:
            try:
                item = items.get(timeout=_STOP_CHECK_SECONDS)
            except queue.Empty:
                # The consumer may itself be a reader that was told to stop.
                wait(0.0)
                continue
            if isinstance(item, _End):
                return
            if isinstance(item, BaseException):
                raise item
            room.give_back(size_of(item))
            yield item

    try:
        if at_once:
            worker.start()
        yield consume()
    finally:
        stop.set()
        if worker.ident is not None:
            worker.join(stop.seconds_left)
