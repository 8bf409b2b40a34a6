"""What is computed from values, so that no writer ever calculates: exact decimals in, exact decimals out.

A share, a ratio or a change of nothing is not zero but unknown: None.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import factorial
from statistics import median
from typing import Literal, TypeVar

_Key = TypeVar("_Key", bound=Hashable)

#: Fewer points than this show no trend, whatever they do.
LEAST_TREND_POINTS = 6
#: How rarely noise alone may look like a trend.
TREND_ERROR = Fraction(1, 20)
#: Fewer days of a period than this say nothing about its end.
LEAST_RUN_RATE_DAYS = 5
ALL_DAYS = frozenset(range(7))


@dataclass(frozen=True)
class Trend:
    """Where a series goes: `direction` none where its order could well be chance; `slope` is per point."""

    direction: Literal["up", "down", "none"]
    slope: Decimal
    points: int


def delta(now: Decimal, before: Decimal) -> Decimal:
    """The move from `before` to `now`."""
    return now - before


def change(now: Decimal, before: Decimal) -> Decimal | None:
    """The move as a share of `before`; None where that is not positive."""
    return (now - before) / before if before > 0 else None


def share(part: Decimal, whole: Decimal | None) -> Decimal | None:
    """What `part` is of `whole`; None where the whole is unknown or not positive."""
    return part / whole if whole is not None and whole > 0 else None


def ratio(above: Decimal | None, below: Decimal | None) -> Decimal | None:
    """One value over another; None where either is unknown or there is nothing to divide by."""
    return above / below if above is not None and below is not None and below > 0 else None


def ranked(sizes: Mapping[_Key, Decimal], names: Mapping[_Key, str]) -> list[_Key]:
    """The keys from the largest to the smallest; equal ones by name, then by key, so that the order never changes."""
    return sorted(sizes, key=lambda key: (-sizes[key], names[key], str(key)))


def run_rate(value: Decimal, elapsed: int, whole: int) -> Decimal | None:
    """What `value` of `elapsed` days comes to in `whole` days at the same pace.

    None where the period is over, and where too little of it has passed to say.
    """
    if elapsed < LEAST_RUN_RATE_DAYS or elapsed >= whole:
        return None
    return value * whole / elapsed


def days_between(start: date, end: date, weekdays: frozenset[int] = ALL_DAYS) -> int:
    """How many days from `start` to `end`, both included, fall on `weekdays` (Monday is 0)."""
    length = max(0, (end - start).days + 1)
    weeks, rest = divmod(length, 7)
    return weeks * len(weekdays) + sum((start + timedelta(days=day)).weekday() in weekdays for day in range(rest))


def trend(values: Sequence[Decimal]) -> Trend | None:
    """The direction of a series by the Mann-Kendall test, its slope by Theil and Sen; None for too few points.

    Both look at every pair of points, so that one outlier moves neither. The test is exact: a series whose order
    would come about by chance more often than `TREND_ERROR` has no direction.
    """
    count = len(values)
    if count < LEAST_TREND_POINTS:
        return None
    pairs = [
        (values[later] - values[earlier], later - earlier)
        for earlier in range(count)
        for later in range(earlier + 1, count)
    ]
    slope = median(move / steps for move, steps in pairs)
    surplus = sum((move > 0) - (move < 0) for move, _ in pairs)
    if not slope or chance_of_surplus(count, abs(surplus)) > TREND_ERROR:
        return Trend("none", slope, count)
    return Trend("up" if slope > 0 else "down", slope, count)


def chance_of_surplus(count: int, surplus: int) -> Fraction:
    """How likely `count` values in random order have at least so many more pairs in one order than in the other."""
    pairs = count * (count - 1) // 2
    orders = _orders_by_inversions(count)
    extreme = sum(orders[inversions] for inversions in range(pairs + 1) if abs(pairs - 2 * inversions) >= surplus)
    return Fraction(extreme, factorial(count))


@cache
def _orders_by_inversions(count: int) -> tuple[int, ...]:
    """How many orders of `count` values have 0, 1, 2 ... pairs the wrong way round."""
    orders = [1]
    for size in range(2, count + 1):
        longer = [0] * (len(orders) + size - 1)
        for inversions, number in enumerate(orders):
            for more in range(size):
                longer[inversions + more] += number
        orders = longer
    return tuple(orders)
