"""Measures what somebody asks for: any metric for any period, compared to any other, narrowed, and broken down.

Belongs here: whether that can be measured, and the facts that come of it, equal to the day's own where these exist.
Does not belong here: how a value becomes a fact (`fact_making`), how a question becomes periods and filters
(`assistant`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Literal

import orjson

from sophia_assets.errors import SophiaError
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.catalog.entries import DAYS_OF
from sophia_assets.metrics.compiler import Narrowing
from sophia_assets.metrics.computation import BREAKDOWN_LIMIT
from sophia_assets.metrics.fact_making import FactMaking, Part, ranked_entities
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.measuring import FactContext, Measuring, divides_by_opening
from sophia_assets.metrics.periods import long_date, period_for, series_periods
from sophia_assets.warehouse.models import load_models
from sophia_assets.warehouse.reading import Reading

_NOW, _BEFORE = "now", "before"
_KEYS = ("qtd", "last_7d", "last_30d", "last_60d", "as_of")
_GRAINS = ("week", "month", "quarter")


class Unmeasurable(SophiaError):
    """What was asked for cannot be measured: a dimension that the metric has not, a time of which nothing is known."""


def measure(
    reading: Reading,
    metric: Metric,
    period: Period | None = None,
    previous: Period | None = None,
    *,
    dimension: str | None = None,
    filters: Sequence[Filter] = (),
    condition: str | None = None,
    limit: int | None = None,
    order: Literal["largest", "smallest"] = "largest",
) -> list[Fact]:
    """The metric's fact for a period, or with `dimension` one per entity; none where no row has a value.

    Without `period` it is the metric's own first one, with its own comparison. `previous` None compares to nothing;
    one of which nothing is known is left out, and a caveat says so. `condition` says which rows may be seen at all
    (Snowflake's dialect, alias `t`); shares are of the value of those. Of a breakdown come the `limit` largest or
    smallest, in that order; a rank always counts from the largest. Raises Unmeasurable with the reason.
    """
    asked = _Asked(reading, metric, Narrowing(tuple(filters), condition), dimension)
    if period is None:
        period, own = asked.own_period()
        previous = previous or own
    asked.refuse_unknown(period)
    compared, why_not = asked.comparable(previous)
    part = asked.part(period, compared)
    caveats = () if asked.is_own(period) else (*asked.doubts(period), *why_not)
    if dimension is None:
        return asked.total(period, compared, part, caveats)
    return asked.breakdown(dimension, period, compared, part, caveats, limit=limit, order=order)


def measure_series(
    reading: Reading,
    metric: Metric,
    periods: Sequence[Period],
    *,
    filters: Sequence[Filter] = (),
    condition: str | None = None,
) -> list[Fact]:
    """The metric's facts for periods in their order, without those of which nothing is known; in one query.

    Raises Unmeasurable where nothing is known of any of them.
    """
    asked = _Asked(reading, metric, Narrowing(tuple(filters), condition), None)
    known = [period for period in periods if asked.why_unknown(period) is None]
    if not known:
        if periods:
            asked.refuse_unknown(periods[-1])
        return []
    keyed = {f"p{place}": period for place, period in enumerate(known)}
    query, rows = asked.measuring.measure(
        metric, None, [replace(period, key=key) for key, period in keyed.items()], asked.narrowing
    )
    facts = (
        asked.making.fact(period, None, rows.get(key, {}).get(None), None, query, part=asked.part(period, None))
        for key, period in keyed.items()
    )
    return [fact for fact in facts if fact]


def dimensions_of(catalog: Catalog, metric: Metric) -> tuple[str, ...]:
    """What the metric can be filtered and broken down by: its dimensions, for a ratio those of both its parts."""
    first, *others = catalog.parts(metric)
    return tuple(name for name in first.dimensions if all(name in other.dimensions for other in others))


def refuse_unfit(
    catalog: Catalog, metric: Metric, dimension: str | None, filters: Sequence[Filter], condition: str | None
) -> None:
    """Raises Unmeasurable where the metric is not known by the dimension, the filters, or what access is limited by."""
    allowed = dimensions_of(catalog, metric)
    for name in [*([dimension] if dimension else []), *(each.dimension for each in filters)]:
        if name not in allowed:
            known = f"It is known by {', '.join(allowed)}" if allowed else "It is known of the whole company only"
            raise Unmeasurable(f"{metric.label} is not known by {name}", remedy=known)
    if condition is not None:
        models = load_models()
        for table in catalog.tables_of(metric):
            if table not in models or "account_id" not in models[table].columns:
                raise Unmeasurable(f"{metric.label} is not known by account, which your access is limited by")


class _Asked:
    """One metric as it is asked for, on one state of the data."""

    def __init__(self, reading: Reading, metric: Metric, narrowing: Narrowing, dimension: str | None) -> None:
        self.metric, self.narrowing, self.dimension = metric, narrowing, dimension
        self.context, self.catalog = reading.context, reading.catalog
        if metric.name not in self.catalog.metrics:
            raise Unmeasurable(f"there is no good data for {metric.label} at present")
        self.measuring = Measuring(reading, self.catalog, load_models(), self.context)
        missing = [table for table in self.measuring.sources(metric) if table not in self.context.loaded_through]
        if missing:
            raise Unmeasurable(f"{metric.label} rests on {missing[0]}, which has not been loaded")
        self.making = FactMaking(self.measuring, metric)
        refuse_unfit(self.catalog, metric, dimension, narrowing.filters, narrowing.condition)

    def own_period(self) -> tuple[Period, Period]:
        """The period that is meant where none is given, and what it is compared to."""
        by = self.metric.breakdowns.get(self.dimension) if self.dimension else None
        keys = [*([by] if by else []), *self.metric.periods, *self.metric.breakdowns.values()]
        key = next(iter(keys), "as_of" if self.metric.kind == "stock" else "last_30d")
        return _own_pairs(self.context.day, self.context.fiscal_year_start_month)[key]

    def is_own(self, period: Period) -> bool:
        """Whether it is one of the periods that the day's facts are of."""
        return _own(self.context).get(period.key) == period

    def why_unknown(self, period: Period) -> str | None:
        """Why nothing is known of a period; None where something is."""
        label, context = self.metric.label, self.context
        if period.start > period.end:
            return f"{period.label} ends before it begins"
        if period.end < context.history_start:
            return f"nothing is known of {period.label}: the data begins on {long_date(context.history_start)}"
        newest = period.end if self.metric.kind == "stock" else period.start
        if newest > context.day:
            return f"nothing is known of {period.label} yet: the data ends on {long_date(context.day)}"
        missing = self.measuring.unknown_since(self.metric, period.end)
        if missing:
            since = missing[1].astimezone(context.zone).date()
            return f"{label} is known since {long_date(since)}, not of {period.label}"
        parts = self.catalog.parts(self.metric)
        if len(parts) == 2 and divides_by_opening(*parts) and self.measuring.lacks_opening(parts[1], period):
            return f"{label} needs {parts[1].spoken} as it stood before {period.label}, which is not known"
        return None

    def refuse_unknown(self, period: Period) -> None:
        """Raises Unmeasurable where nothing is known of a period."""
        why = self.why_unknown(period)
        if why:
            raise Unmeasurable(why)

    def comparable(self, previous: Period | None) -> tuple[Period | None, tuple[str, ...]]:
        """What can be compared to, and the caveat where that is nothing although something was wanted."""
        if previous is None:
            return None, ()
        is_whole = previous.start >= self.context.history_start
        if is_whole and previous.end <= self.context.day and self.making.is_known(previous):
            return previous, ()
        return None, (f"Too little is known of {previous.label} to compare it to.",)

    def doubts(self, period: Period) -> tuple[str, ...]:
        """What a reader must know of a period that is not one of the day's own."""
        context, found = self.context, []
        if self.metric.kind != "stock":
            if period.start < context.history_start:
                found.append(f"The data begins on {long_date(context.history_start)}, so the period is not whole.")
            if period.end > context.day:
                found.append(f"The data ends on {long_date(context.day)}, so the period is not over.")
            days = (period.end - period.start).days + 1
            if days < DAYS_OF[self.metric.grain]:
                found.append(f"{self.metric.label} is meant for a {self.metric.grain} and more.")
        return tuple(found)

    def part(self, period: Period, previous: Period | None) -> Part:
        """What tells these facts from others of the same metric and key."""
        is_own, filters = self.is_own(period), self.narrowing.filters
        mark = "" if is_own else f".{period.start}.{period.end}"
        if previous != (self._own_comparison(period) if is_own else None):
            mark += f".vs.{previous.start}.{previous.end}" if previous else ".alone"
        if not self.narrowing.is_nothing:
            narrowed = [[each.dimension, sorted(each.ids), each.is_excluded] for each in filters]
            mark += "." + sha256(orjson.dumps([sorted(narrowed), self.narrowing.condition])).hexdigest()[:8]
        single = {each.dimension: each.ids[0] for each in filters if len(each.ids) == 1 and not each.is_excluded}
        names = {each.dimension: _named(each) for each in filters}
        return Part(mark, names, single, is_whole=is_own and self.narrowing.is_nothing)

    def total(self, period: Period, previous: Period | None, part: Part, caveats: tuple[str, ...]) -> list[Fact]:
        """The fact of all rows that count, if there is one."""
        query, rows = self.measuring.measure(self.metric, None, _keyed(period, previous), self.narrowing)
        now, before = rows.get(_NOW, {}).get(None), rows.get(_BEFORE, {}).get(None)
        fact = self.making.fact(period, previous, now, before, query, part=part, caveats=caveats)
        return [fact] if fact else []

    def breakdown(
        self,
        dimension: str,
        period: Period,
        previous: Period | None,
        part: Part,
        caveats: tuple[str, ...],
        *,
        limit: int | None,
        order: str,
    ) -> list[Fact]:
        """The facts of the dimension's entities."""
        query, rows = self.measuring.measure(self.metric, dimension, _keyed(period, previous), self.narrowing)
        ranked = ranked_entities(self.metric, dimension, rows.get(_NOW, {}), rows.get(_BEFORE, {}))
        if order == "smallest":
            ranked.reverse()
        most = BREAKDOWN_LIMIT if limit is None else max(0, min(limit, BREAKDOWN_LIMIT))
        total = self._whole(period)
        facts = (
            self.making.fact(
                period,
                previous,
                each.now,
                each.before,
                query,
                entity=each.entity,
                rank=each.rank,
                total=total,
                part=part,
                caveats=caveats,
            )
            for each in ranked[:most]
        )
        return [fact for fact in facts if fact]

    def _whole(self, period: Period) -> Decimal | None:
        """What shares are of: also rows that belong to no entity, or to several, count in it."""
        if not self.metric.is_additive:
            return None
        _, rows = self.measuring.measure(self.metric, None, _keyed(period, None), self.narrowing)
        row = rows.get(_NOW, {}).get(None)
        return row.exact if row else None

    def _own_comparison(self, period: Period) -> Period | None:
        _, previous = _own_pairs(self.context.day, self.context.fiscal_year_start_month).get(period.key, (None, None))
        return self.comparable(previous)[0]


def _keyed(period: Period, previous: Period | None) -> list[Period]:
    """The periods under keys of their own: what the caller calls them need not tell them apart."""
    return [replace(period, key=_NOW), *([replace(previous, key=_BEFORE)] if previous else [])]


def _named(given: Filter) -> str:
    names = ", ".join(given.names or given.ids)
    return f"all but {names}" if given.is_excluded else names


def _own(context: FactContext) -> dict[str, Period]:
    return _own_periods(context.day, context.fiscal_year_start_month)


@lru_cache(maxsize=64)
def _own_pairs(day: date, fiscal_year_start_month: int) -> dict[str, tuple[Period, Period]]:
    return {key: period_for(key, day, fiscal_year_start_month) for key in _KEYS}


@lru_cache(maxsize=64)
def _own_periods(day: date, fiscal_year_start_month: int) -> dict[str, Period]:
    """All periods of a day's facts by key."""
    found = {key: pair[0] for key, pair in _own_pairs(day, fiscal_year_start_month).items()}
    for grain in _GRAINS:
        found |= {period.key: period for period in series_periods(grain, day, fiscal_year_start_month)}
    return found
