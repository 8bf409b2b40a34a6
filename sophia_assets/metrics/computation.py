"""Computes the facts of a day: every metric of the catalog for its periods, trends and breakdowns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.fact_making import FactMaking, ranked_entities
from sophia_assets.metrics.facts import Fact, FactSet, Period, Unknown
from sophia_assets.metrics.measuring import FactContext, Measuring, Row
from sophia_assets.metrics.periods import period_for, series_periods
from sophia_assets.warehouse.models import Model
from sophia_assets.warehouse.reading import Readable

# A breakdown with more entities keeps the largest; a briefing names a handful.
BREAKDOWN_LIMIT = 500

__all__ = ["FactContext", "compute_facts"]


def compute_facts(warehouse: Readable, catalog: Catalog, models: Mapping[str, Model], context: FactContext) -> FactSet:
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
        self.making = FactMaking(measuring, metric)

    def facts(self) -> Iterator[Fact]:
        """Totals, trends, breakdowns."""
        pairs = [self._pair(key) for key in self.metric.periods]
        points = [
            period
            for grain in self.metric.series
            for period in series_periods(grain, self.context.day, self.context.fiscal_year_start_month)
            if period.end >= self.context.history_start and self.making.is_known(period)
        ]
        # A share is one of the whole company's value, also where rows belong to no entity or to several.
        wholes = [self._pair(key)[0] for key in self.metric.breakdowns.values()]
        wanted = {period.key: period for period in (*(p for pair in pairs for p in pair if p), *points, *wholes)}
        query, rows = self.measuring.measure(self.metric, None, list(wanted.values()))
        values = {key: found.get(None) for key, found in rows.items()}
        course = self.making.course(points, values)
        for place, (period, previous) in enumerate(pairs):
            fact = self.making.fact(
                period, previous, values.get(period.key), values.get(previous.key) if previous else None, query
            )
            if fact:
                yield replace(fact, **course) if place == 0 else fact
        for period in points:
            fact = self.making.fact(period, None, values.get(period.key), None, query)
            if fact:
                yield fact
        for dimension, key in self.metric.breakdowns.items():
            yield from self._breakdown(dimension, key, values)

    def _breakdown(self, dimension: str, key: str, wholes: Mapping[str, Row | None]) -> Iterator[Fact]:
        period, previous = self._pair(key)
        query, rows = self.measuring.measure(self.metric, dimension, [period, *([previous] if previous else [])])
        now, before = rows.get(period.key, {}), rows.get(previous.key, {}) if previous else {}
        whole = wholes.get(period.key)
        for each in ranked_entities(self.metric, dimension, now, before)[:BREAKDOWN_LIMIT]:
            fact = self.making.fact(
                period,
                previous,
                each.now,
                each.before,
                query,
                entity=each.entity,
                rank=each.rank,
                total=whole.exact if whole else None,
            )
            if fact:
                yield fact

    def _pair(self, key: str) -> tuple[Period, Period | None]:
        period, previous = period_for(key, self.context.day, self.context.fiscal_year_start_month)
        compares = previous.start >= self.context.history_start and self.making.is_known(previous)
        return period, previous if compares else None
