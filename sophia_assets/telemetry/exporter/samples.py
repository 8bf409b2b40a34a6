"""What one look finds.

A moment is kept as a moment, and told as an age when somebody asks: a picture that is some seconds old then still
tells the right age.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sophia_assets.telemetry.series import Point, Series


@dataclass(frozen=True)
class Age:
    """A gauge in seconds that grows by itself: the time since `since` (seconds of the epoch), never below 0."""

    series: Series
    labels: tuple[str, ...]
    since: float

    def at(self, now: float) -> float:
        """The age at `now` (seconds of the epoch)."""
        return max(0.0, now - self.since)


@dataclass(frozen=True)
class Distribution:
    """A histogram: how many observations fell into each bucket, by its upper bound as text, and their sum.

    `counts` are those of each bucket alone; what Prometheus wants, they are added up for.
    """

    series: Series
    labels: tuple[str, ...]
    counts: Mapping[str, float]
    total: float


Sample: TypeAlias = Point | Age | Distribution
"""What one look finds of one series with one set of labels."""


def age(series: Series, since: float, /, **labels: str) -> Age:
    """The age of a moment (seconds of the epoch), with labels by name."""
    return Age(series, tuple(labels[name] for name in series.labels), since)


def one_of(series: Series, label: str, value: str, allowed: Iterable[str], /, **labels: str) -> list[Point]:
    """1 for the value that a label has, and 0 for every other that it may have."""
    return [series.set(float(each == value), **labels, **{label: each}) for each in allowed]
