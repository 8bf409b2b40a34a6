"""Waiting for what another process or thread brings about: as short as can be, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_LOOK_SECONDS = 0.1
_LONGEST_SECONDS = 90.0

T = TypeVar("T")


def until(
    found: Callable[[], T | None],
    what: str,
    seconds: float = _LONGEST_SECONDS,
    *,
    despite: tuple[type[Exception], ...] = (),
) -> T:
    """What `found` finds, as soon as it is neither None nor False. Fails after `seconds`, saying what did not come.

    `despite` are exceptions that only mean that it is not there yet.
    """
    ends, last = time.monotonic() + seconds, ""
    while True:
        try:
            value = found()
        except despite as error:
            value, last = None, f" ({type(error).__name__}: {error})"
        if value is not None and value is not False:
            return value
        assert time.monotonic() < ends, f"{what}: not within {seconds:g} s{last}"
        time.sleep(_LOOK_SECONDS)
