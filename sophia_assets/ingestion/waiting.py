"""Waiting that can be ended: by a KeyboardInterrupt, by closing what waits, by the reader's consumer going away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A wait looks this often whether it has been ended.
_LOOK_SECONDS = 0.1

_ends: ContextVar[tuple[threading.Event, ...]] = ContextVar("ends", default=())


class WaitEnded(Exception):
    """What was waited for is no longer wanted."""


@contextmanager
def waits_end_with(event: threading.Event) -> Iterator[None]:
    """While in this block, waits of the same thread end with WaitEnded once `event` is set."""
    token = _ends.set((*_ends.get(), event))
    try:
        yield
    finally:
        _ends.reset(token)


def wait(seconds: float) -> None:
    """Sleeps for `seconds`. Raises WaitEnded as soon as the wait has been ended."""
    ends = _ends.get()
    if any(event.is_set() for event in ends):
        raise WaitEnded
    if not ends:
        time.sleep(max(seconds, 0.0))
        return
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        ends[0].wait(min(left, _LOOK_SECONDS) if len(ends) > 1 else left)
        if any(event.is_set() for event in ends):
            raise WaitEnded
