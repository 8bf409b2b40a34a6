"""Computes the facts of a day: every metric of the catalog for its periods, trends and breakdowns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sophia_assets.metrics import derived, formats
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.compiler import CompiledMetric
from sophia_assets.metrics.facts import Fact, FactSet, Period, Unknown
from sophia_assets.metrics.measuring import FactContext, Measuring, Row
from sophia_assets.metrics.periods import long_date, period_for, quarter_start, series_periods, shift_months
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model

# A breakdown with more entities keeps the largest; a briefing names a handful.
BREAKDOWN_LIMIT = 500
# Engines divide in floating point; past this place a value is noise that could tip a rounding.
_LAST_PLACE = Decimal("1e-9")

__all__ = ["FactContext", "compute_facts"]


@dataclass(frozen=True)
class _Entity:
    """What a fact of a breakdown is about; `slug` stands for it in the fact's id."""

    dimension: str
    id: str
    name: str
    slug: str


def compute_facts(warehouse: Warehouse, catalog: Catalog, models: Mapping[str, Model], context: FactContext) -> FactSet:
    """All facts of the day, from one look at the warehouse. Company-wide ones first, then trends, then breakdowns in
    rank order."""
    with warehouse.session():
        return _computed(Measuring(warehouse, catalog, models, context), catalog, context)


def _computed(measuring: Measuring, catalog: Catalog, context: FactContext) -> FactSet:
    facts: list[Fact] = []
    unknown: list[Unknown] = []
    for metric in catalog.metrics.values():
        if not all(table in context.loaded_through for table in measuring.sources(metric)):
            continue
        missing = measuring.unknown_since(metric, context.day)
        if missing:
            unknown.append(Unknown(metric.name, metric.label, context.day, missing[1], missing[0]))
        else:
            facts.extend(_MetricComputation(measuring, metric).facts())
    return FactSet(facts, unknown)


class _MetricComputation:
    """The facts of one metric."""

    def __init__(self, measuring: Measuring, metric: Metric) -> None:
        self.measuring, self.metric, self.context = measuring, metric, measuring.context
        sources = measuring.sources(metric)
        ends = [self.context.loaded_through[table] for table in sources]
        self.as_of = min([*ends, self.context.end_of(self.context.day).replace(tzinfo=UTC)])
        # What rests on the platform's own record has no system behind it.
        self.sources = sources or measuring.catalog.tables_of(metric)

    def facts(self) -> Iterator[Fact]:
        """Totals, trends, breakdowns."""
        pairs = [self._pair(key) for key in self.metric.periods]
        points = [
            period
            for grain in self.metric.series
            for period in series_periods(grain, self.context.day, self.context.fiscal_year_start_month)
            if period.end >= self.context.history_start and self._is_known(period)
        ]
        # A share is one of the whole company's value, also where rows belong to no entity or to several.
        wholes = [self._pair(key)[0] for key in self.metric.breakdowns.values()]
        wanted = {period.key: period for period in (*(p for pair in pairs for p in pair if p), *points, *wholes)}
        query, rows = self.measuring.measure(self.metric, None, list(wanted.values()))
        values = {key: found.get(None) for key, found in rows.items()}
        course = self._course(points, values)
        for place, (period, previous) in enumerate(pairs):
            fact = self._fact(
                period, previous, values.get(period.key), values.get(previous.key) if previous else None, query
            )
            if fact:
                yield replace(fact, **course) if place == 0 else fact
        for period in points:
            fact = self._fact(period, None, values.get(period.key), None, query)
            if fact:
                yield fact
        for dimension, key in self.metric.breakdowns.items():
            yield from self._breakdown(dimension, key, values)

    def _is_known(self, period: Period) -> bool:
        return self.measuring.unknown_since(self.metric, period.end) is None

    def _course(self, points: Sequence[Period], values: Mapping[str, Row | None]) -> dict[str, Any]:
        """The trend over whole months, or over whole weeks where there are too few of them."""
        nothing = Decimal(0) if self.metric.is_additive else None
        for grain, noun in (("month", "months"), ("week", "weeks")):
            whole = [
                period
                for period in points
                if period.key.startswith(f"{grain}.")
                and period.start >= self.context.history_start
                and (grain == "week" or (period.end + timedelta(days=1)).day == 1)
            ]
            rows = [values.get(period.key) for period in whole]
            exact = [row.exact if row else nothing for row in rows]
            known = [value for value in exact if value is not None]
            found = derived.trend(known) if len(known) == len(exact) else None
            if found is not None:
                words = {"up": "an upward trend", "down": "a downward trend", "none": "no clear trend"}
                return {
                    "trend": found.direction,
                    "trend_display": f"{words[found.direction]} over {found.points} {noun}",
                    "trend_slope": float(_settled(found.slope)),
                }
        return {}

    def _breakdown(self, dimension: str, key: str, wholes: Mapping[str, Row | None]) -> Iterator[Fact]:
        period, previous = self._pair(key)
        query, rows = self.measuring.measure(self.metric, dimension, [period, *([previous] if previous else [])])
        now, before = rows.get(period.key, {}), rows.get(previous.key, {}) if previous else {}
        had = {i: row for i, row in before.items() if row.exact is not None and self.metric.is_additive}
        listed = {**had, **now}
        sizes = {i: (now[i].exact if i in now else Decimal(0)) for i in listed}
        known = {i: _settled(size) for i, size in sizes.items() if size is not None}
        ranked = derived.ranked(known, {i: listed[i].entity for i in known})
        whole = wholes.get(period.key)
        slugs: set[str] = set()
        for position, entity_id in enumerate(ranked[:BREAKDOWN_LIMIT], start=1):
            slug = _slug(str(entity_id), slugs)
            slugs.add(slug)
            fact = self._fact(
                period,
                previous,
                now.get(entity_id),
                before.get(entity_id),
                query,
                entity=_Entity(dimension, str(entity_id), listed[entity_id].entity, slug),
                rank=position,
                total=whole.exact if whole else None,
            )
            if fact:
                yield fact

    def _pair(self, key: str) -> tuple[Period, Period | None]:
        period, previous = period_for(key, self.context.day, self.context.fiscal_year_start_month)
        compares = previous.start >= self.context.history_start and self._is_known(previous)
        return period, previous if compares else None

    def _fact(
        self,
        period: Period,
        previous: Period | None,
        now: Row | None,
        before: Row | None,
        query: CompiledMetric,
        *,
        entity: _Entity | None = None,
        rank: int | None = None,
        total: Decimal | None = None,
    ) -> Fact | None:
        metric, unit = self.metric, self.metric.unit
        nothing = Decimal(0) if metric.is_additive else None
        now_exact = now.exact if now else nothing
        before_exact = (before.exact if before else nothing) if previous else None
        if now_exact is None:
            return None
        value = _settled(now_exact)
        earlier = delta = change = None
        if before_exact is not None:
            earlier, delta = _settled(before_exact), _settled(derived.delta(now_exact, before_exact))
            change = None if unit == "percent" else derived.change(now_exact, before_exact)
        share = derived.share(now_exact, total) if metric.is_additive else None
        delta_text = formats.display_delta(delta, unit, metric.format) if delta is not None else None
        has_target = metric.target is not None and entity is None and period.key == next(iter(metric.periods), None)
        target = metric.target if has_target else None
        pace = self._run_rate(period, now_exact) if entity is None else None
        return Fact(
            id=_fact_id(metric.name, period.key, entity),
            metric=metric.name,
            label=metric.label,
            dimensions={entity.dimension: entity.name} if entity else {},
            entity_ids={entity.dimension: entity.id} if entity else {},
            period=period,
            value=float(value),
            unit=unit,
            display=formats.display(value, unit, metric.format),
            good_direction=metric.good,
            sources=self.sources,
            as_of=self.as_of,
            query_hash=query.hash,
            previous=_number(earlier),
            previous_display=formats.display(earlier, unit, metric.format) if earlier is not None else None,
            previous_period=previous if earlier is not None else None,
            delta=_number(delta),
            delta_display=delta_text,
            change=_number(change),
            change_display=formats.display_change(_settled(change)) if change is not None else None,
            direction=_direction(delta, delta_text),
            rank=rank,
            share=_number(share),
            share_display=formats.display(_settled(share), "percent") if share is not None else None,
            target=target,
            target_display=formats.display(target, unit, metric.format) if target is not None else None,
            run_rate=_number(pace),
            run_rate_display=formats.display(_settled(pace), unit, metric.format) if pace is not None else None,
            caveats=self._caveats(period, previous, entity),
        )

    def _run_rate(self, period: Period, exact: Decimal) -> Decimal | None:
        """What the quarter to date comes to at its end, by the days that the metric goes by."""
        if self.metric.run_rate is None or period.key != "qtd":
            return None
        weekdays = self.context.working_days if self.metric.run_rate == "working_days" else derived.ALL_DAYS
        start = quarter_start(period.start, self.context.fiscal_year_start_month)
        end = shift_months(start, 3) - timedelta(days=1)
        elapsed, whole = (derived.days_between(start, last, weekdays) for last in (period.end, end))
        return derived.run_rate(exact, elapsed, whole)

    def _caveats(self, period: Period, previous: Period | None, entity: _Entity | None) -> tuple[str, ...]:
        """Why there is no comparison where a reader would expect one."""
        if previous is not None or entity is not None or "." in period.key or self.metric.snapshot:
            return ()
        _, before = period_for(period.key, self.context.day, self.context.fiscal_year_start_month)
        missing = self.measuring.unknown_since(self.metric, before.end)
        if missing is None:
            return ()
        since = missing[1].astimezone(self.context.zone).date()
        return (f"Known since {long_date(since)}, so there is nothing to compare it to.",)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(_settled(value))


def _settled(value: Decimal) -> Decimal:
    """The value at the last place that is more than noise."""
    return value.quantize(_LAST_PLACE, rounding=ROUND_HALF_UP)


def _direction(delta: Decimal | None, shown: str | None) -> str | None:
    """Which way a value moved; a move that rounds to nothing is none."""
    if delta is None or shown is None:
        return None
    if formats.is_nothing(shown):
        return "flat"
    return "up" if delta > 0 else "down"


def _fact_id(metric: str, period_key: str, entity: _Entity | None) -> str:
    return f"{metric}.{period_key}.{entity.dimension}.{entity.slug}" if entity else f"{metric}.{period_key}"


def _slug(entity_id: str, taken: set[str]) -> str:
    """The id in the characters of fact ids; where that loses something, or is taken, with a mark of its own."""
    plain = re.sub(r"[^a-z0-9]+", "-", entity_id.lower()).strip("-")
    if plain not in taken and re.sub(r"[ _-]+", "-", entity_id.lower()) == plain:
        return plain
    return f"{plain}-{hashlib.sha256(entity_id.encode()).hexdigest()[:8]}".lstrip("-")
