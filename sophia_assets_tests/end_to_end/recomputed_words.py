"""The vocabulary of recomputed metrics: items, how they become a value, and what the catalog says of a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from statistics import median
from typing import Any

from sophia_assets_tests.end_to_end.shown_values import Span

Entity = tuple[str, str]
"""An id and the name that is shown."""


@dataclass(frozen=True)
class Item:
    """What a metric aggregates: a number (None where the system has none) and the entities it belongs to."""

    value: Any
    entities: dict[str, Entity]


Select = Callable[[Any, Span, datetime], Iterator[Item]]
Aggregate = Callable[[Sequence[Any]], Fraction | None]


def total(values: Sequence[Any]) -> Fraction | None:
    known = [Fraction(value) for value in values if value is not None]
    return sum(known, Fraction(0)) if known else None


def number(values: Sequence[Any]) -> Fraction | None:
    return Fraction(len(values)) if values else None


def different(values: Sequence[Any]) -> Fraction | None:
    return Fraction(len({value for value in values if value is not None})) if values else None


def mean(values: Sequence[Any]) -> Fraction | None:
    known = [Fraction(value) for value in values if value is not None]
    return sum(known, Fraction(0)) / len(known) if known else None


def middle(values: Sequence[Any]) -> Fraction | None:
    return Fraction(median([Fraction(value) for value in values])) if values else None


def largest(values: Sequence[Any]) -> Fraction | None:
    return Fraction(max(values)) if values else None


def smallest(values: Sequence[Any]) -> Fraction | None:
    return Fraction(min(values)) if values else None


ADDITIVE = (total, number, different)


@dataclass(frozen=True)
class MetricWords:
    """What the catalog says of a metric, written again.

    `form` is how it is shown where its unit does not say so, `run_rate` whether its quarter is extrapolated by working
    days, `parts` what a ratio divides by what. A snapshot is known of the newest day only.
    """

    system: str
    select: Select
    aggregate: Aggregate
    unit: str
    periods: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    breakdowns: dict[str, str] = field(default_factory=dict)
    form: str = ""
    is_snapshot: bool = False
    run_rate: bool = False
    parts: tuple[str, str] | None = None

    @property
    def is_additive(self) -> bool:
        """Whether nothing means zero."""
        return self.aggregate in ADDITIVE
