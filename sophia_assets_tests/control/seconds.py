"""A clock of seconds that only a test moves."""

from __future__ import annotations


class SecondsClock:
    """Stands in for `time.monotonic`."""

    def __init__(self) -> None:
        self._now = 1_000.0

    def __call__(self) -> float:
        return self._now

    def pass_seconds(self, seconds: float) -> None:
        """Lets time pass."""
        self._now += seconds
