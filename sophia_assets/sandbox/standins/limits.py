"""The vendors' request limits: rolling windows and days."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

DAY_S = 86_400.0

# Requests that a client spaces by exactly one second may arrive a few milliseconds closer together.
ARRIVAL_JITTER = 0.05


class RollingLimit:
    """At most `maximum` requests in any span of `window_s` seconds."""

    def __init__(self, maximum: int, window_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.maximum = maximum
        self.window_s = window_s
        self._counted_s = window_s * (1 - ARRIVAL_JITTER) if window_s <= 1 else window_s
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> float:
        """Count a request: 0.0 when it may pass, otherwise the seconds until the next one may."""
        present = self._clock()
        self._forget(present)
        if len(self._taken) >= self.maximum:
            return max(self._taken[0] + self._counted_s - present, 0.001)
        self._taken.append(present)
        return 0.0

    @property
    def remaining(self) -> int:
        """Requests that may still be made now."""
        self._forget(self._clock())
        return self.maximum - len(self._taken)

    def _forget(self, present: float) -> None:
        while self._taken and self._taken[0] <= present - self._counted_s:
            self._taken.popleft()


class DailyLimit:
    """At most `maximum` requests in a day that starts with the first of them."""

    def __init__(self, maximum: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.maximum = maximum
        self._clock = clock
        self._started = clock()
        self._used = 0

    def take(self) -> float:
        """Count a request: 0.0 when it may pass, otherwise the seconds until the day is over."""
        present = self._clock()
        if present - self._started >= DAY_S:
            self._started, self._used = present, 0
        if self._used >= self.maximum:
            return self._started + DAY_S - present
        self._used += 1
        return 0.0

    @property
    def remaining(self) -> int:
        """Requests left today."""
        return self.maximum - self._used
