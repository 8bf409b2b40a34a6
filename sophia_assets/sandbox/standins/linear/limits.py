"""Linear's hourly limits, in requests and in points of complexity."""

from __future__ import annotations

import time
from collections.abc import Callable

REQUESTS_PER_HOUR = 2_500
COMPLEXITY_PER_HOUR = 3_000_000
# What a stand-in without limits announces, so that clients do not hold themselves back either.
UNLIMITED = 10**12
_HOUR_S = 3600.0


class HourlyLimit:
    """At most `maximum` in an hour that starts with the first request after the last hour has ended."""

    def __init__(self, name: str, maximum: int, *, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.maximum = maximum
        self._clock = clock
        self._reset = 0.0
        self._used = 0

    @property
    def reset(self) -> float:
        """When the hour ends, in epoch seconds."""
        self._renew()
        return self._reset

    def allows(self, cost: int) -> bool:
        """Whether that much is left."""
        self._renew()
        return self._used + cost <= self.maximum

    def take(self, cost: int) -> None:
        """Count `cost`."""
        self._renew()
        self._used += cost

    @property
    def headers(self) -> dict[str, str]:
        """What every answer tells of the limit; the reset is in milliseconds."""
        self._renew()
        prefix = f"X-RateLimit-{self.name.capitalize()}"
        return {
            f"{prefix}-Limit": str(self.maximum),
            f"{prefix}-Remaining": str(self.maximum - self._used),
            f"{prefix}-Reset": str(int(self._reset * 1000)),
        }

    def _renew(self) -> None:
        present = self._clock()
        if present >= self._reset:
            self._reset, self._used = present + _HOUR_S, 0
