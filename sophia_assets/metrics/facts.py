"""Facts: the only values that a briefing or an answer may show.

A fact is one metric's value for one period and one set of dimensions, with what it is compared to,
where it comes from, and how it reads. Every string that may be shown is made here, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class Period:
    """An inclusive span of business days; `key` (`qtd`, `last_30d`, `as_of`, `month.2026-03`) is stable.

    A stock metric's period is the single day at whose end it was measured (`start == end`).
    """

    key: str
    start: date
    end: date
    label: str


@dataclass(frozen=True)
class Fact:
    """One value that may be shown, with everything needed to trust it.

    `display`, `previous_display`, `delta_display` and `change_display` are what a reader sees: a
    delta and a change are shown without a sign, since `direction` carries it. `change` is a ratio
    (0.12 for +12 %). `entity_ids` holds the ids behind the names in `dimensions`.
    `run_rate` is what the period comes to at its end if it goes on at its pace: no forecast. `trend` is up, down or
    none over the newest points of the metric's series, `trend_slope` the move from one point to the next.
    `as_of` is the newest data time (UTC) of the tables behind it.
    """

    id: str
    metric: str
    label: str
    dimensions: Mapping[str, str]
    period: Period
    value: float
    unit: str
    display: str
    good_direction: str
    sources: tuple[str, ...]
    as_of: datetime | None
    query_hash: str
    entity_ids: Mapping[str, str] = field(default_factory=dict)
    previous: float | None = None
    previous_display: str | None = None
    previous_period: Period | None = None
    delta: float | None = None
    delta_display: str | None = None
    change: float | None = None
    change_display: str | None = None
    direction: str | None = None
    rank: int | None = None
    share: float | None = None
    share_display: str | None = None
    target: float | None = None
    target_display: str | None = None
    run_rate: float | None = None
    run_rate_display: str | None = None
    trend: str | None = None
    trend_display: str | None = None
    trend_slope: float | None = None
    caveats: tuple[str, ...] = ()

    @property
    def subject(self) -> str | None:
        """The name the fact is about, or None for the whole company."""
        return next(iter(self.dimensions.values()), None)

    @property
    def is_good(self) -> bool | None:
        """Whether the move since the comparison is welcome; None where there is none or no preference."""
        if self.direction not in ("up", "down") or self.good_direction not in ("up", "down"):
            return None
        return self.direction == self.good_direction


@dataclass(frozen=True)
class Unknown:
    """A metric that has no fact for a day, because nobody kept what stood then: it is known only `since` (UTC).

    `table` is the raw table whose versions begin there.
    """

    metric: str
    label: str
    day: date
    since: datetime
    table: str


class FactSet:
    """All facts computed for one day, found by id or by metric, period and dimension.

    `unknown` holds what cannot be known of the day, one entry a metric; `shares` the percentage that was served of
    each system of which not all was.
    """

    def __init__(
        self, facts: Iterable[Fact], unknown: Iterable[Unknown] = (), shares: Mapping[str, int] | None = None
    ) -> None:
        self.unknown = tuple(unknown)
        self.shares = dict(shares or {})
        self._by_id = {fact.id: fact for fact in facts}
        self._by_metric: dict[tuple[str, str, tuple[str, ...]], list[Fact]] = {}
        for fact in self._by_id.values():
            self._by_metric.setdefault((fact.metric, fact.period.key, tuple(sorted(fact.dimensions))), []).append(fact)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._by_id

    def get(self, fact_id: str) -> Fact | None:
        """The fact with that id, or None."""
        return self._by_id.get(fact_id)

    def total(self, metric: str, period: str) -> Fact | None:
        """The company-wide fact of a metric for a period key, or None."""
        found = self._by_metric.get((metric, period, ()))
        return found[0] if found else None

    def by(self, metric: str, period: str, dimension: str) -> list[Fact]:
        """A metric's facts broken down by one dimension, in rank order (largest first)."""
        return list(self._by_metric.get((metric, period, (dimension,)), []))

    def series(self, metric: str, grain: str) -> list[Fact]:
        """A metric's company-wide facts for the periods of `grain` (`week`, `month`), oldest first."""
        found = [
            f
            for (name, key, dims), facts in self._by_metric.items()
            if name == metric and not dims and key.startswith(f"{grain}.")
            for f in facts
        ]
        return sorted(found, key=lambda fact: fact.period.start)


def fact_as_json(fact: Fact) -> dict[str, Any]:
    """The public JSON form of a fact, as served in evidence."""

    def period(value: Period | None) -> dict[str, str] | None:
        if value is None:
            return None
        return {"key": value.key, "start": value.start.isoformat(), "end": value.end.isoformat(), "label": value.label}

    return {
        "id": fact.id,
        "metric": fact.metric,
        "label": fact.label,
        "dimensions": dict(fact.dimensions),
        "entity_ids": dict(fact.entity_ids),
        "period": period(fact.period),
        "value": fact.value,
        "unit": fact.unit,
        "display": fact.display,
        "previous": fact.previous,
        "previous_display": fact.previous_display,
        "previous_period": period(fact.previous_period),
        "delta": fact.delta,
        "delta_display": fact.delta_display,
        "change": fact.change,
        "change_display": fact.change_display,
        "direction": fact.direction,
        "good_direction": fact.good_direction,
        "rank": fact.rank,
        "share": fact.share,
        "share_display": fact.share_display,
        "target": fact.target,
        "target_display": fact.target_display,
        "run_rate": fact.run_rate,
        "run_rate_display": fact.run_rate_display,
        "trend": fact.trend,
        "trend_display": fact.trend_display,
        "trend_slope": fact.trend_slope,
        "sources": list(fact.sources),
        "as_of": fact.as_of.isoformat() if fact.as_of else None,
        "query_hash": fact.query_hash,
        "caveats": list(fact.caveats),
    }
