"""Reads ahead: the next pages are on their way while the last ones are being stored."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Final, TypeVar

from sophia_assets.ingestion.waiting import wait, waits_end_with

T = TypeVar("T")


class _End:
    """Put on the queue once the source is exhausted."""


_END: Final = _End()
_STOP_CHECK_SECONDS = 0.05
LONGEST_GOODBYE_SECONDS = 5.0


@contextmanager
def prefetched(source: Generator[T, None, None], *, ahead: int) -> Iterator[Iterator[T]]:
    """Iterates over `source` in a thread of its own, at most `ahead` items before the consumer.

    The thread starts with the first item that is asked for, in the context of the block. What the source raises is
    raised to the consumer at the place where it happened. On leaving, the thread stops after the item it is working
    on, and at once where it waits for a limit; it is waited for briefly, since it may be in the middle of a slow
    request. A consumer that was itself told to stop (see `waits_end_with`) gets WaitEnded instead of an item.
    """
    items: queue.Queue[T | BaseException | _End] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(item: T | BaseException | _End) -> bool:
        while not stopped.is_set():
            try:
                items.put(item, timeout=_STOP_CHECK_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            with waits_end_with(stopped):
                for item in source:
                    if not put(item):
                        return
            put(_END)
        except BaseException as error:
            put(error)
        finally:
            source.close()

    worker = threading.Thread(target=copy_context().run, args=(work,), name="read-ahead", daemon=True)

    def consume() -> Iterator[T]:
        if worker.ident is None:
            worker.start()
        while True:
            wait(0.0)
            try:
                item = items.get(timeout=_STOP_CHECK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    try:
        yield consume()
    finally:
        stopped.set()
        if worker.ident is not None:
            worker.join(LONGEST_GOODBYE_SECONDS)
