"""Computes the facts of a day: every metric of the catalog for its periods, trends and breakdowns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.metrics import formats
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.compiler import CompiledMetric, MeasuredPeriod, compile_metric
from sophia_assets.metrics.facts import Fact, FactSet, Period
from sophia_assets.metrics.periods import period_for, series_periods
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model, required_tables

# A breakdown with more entities keeps the largest; a briefing names a handful.
BREAKDOWN_LIMIT = 500
# Engines divide in floating point; past this place a value is noise that could tip a rounding.
_LAST_PLACE = Decimal("1e-9")


@dataclass(frozen=True)
class FactContext:
    """For which day facts are computed, and on what ground.

    `loaded_through` gives, per raw table that has ever been loaded, up to when (UTC) it was read; a
    metric that rests on a table without one yields no fact, since nothing is known, not zero.
    `history_start` is the first day with data; nothing is compared to a time before it.
    """

    day: date
    timezone: str
    history_start: date
    loaded_through: Mapping[str, datetime]
    fiscal_year_start_month: int = 1

    def end_of(self, day: date) -> datetime:
        """Midnight at the end of a business day, as naive UTC."""
        local = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(self.timezone))
        return local.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class _Entity:
    """What a fact of a breakdown is about; `slug` stands for it in the fact's id."""

    dimension: str
    id: str
    name: str
    slug: str


@dataclass(frozen=True)
class _Row:
    """What a query gave for an entity; no `exact` where rows count, but none of them has a value: that is not zero."""

    entity: str
    exact: Decimal | None


def compute_facts(
    warehouse: Warehouse,
    catalog: Catalog,
    models: Mapping[str, Model],
    context: FactContext,
    *,
    dialect: str = "duckdb",
) -> FactSet:
    """All facts of the day. Company-wide ones first, then trends, then breakdowns in rank order."""
    facts: list[Fact] = []
    for metric in catalog.metrics.values():
        sources = tuple(sorted(required_tables(metric.table, models)))
        if not all(table in context.loaded_through for table in sources):
            continue
        facts.extend(_MetricComputation(warehouse, catalog, metric, sources, context, dialect).facts())
    return FactSet(facts)


class _MetricComputation:
    """One metric's queries and the facts made of them."""

    def __init__(
        self,
        warehouse: Warehouse,
        catalog: Catalog,
        metric: Metric,
        sources: tuple[str, ...],
        context: FactContext,
        dialect: str,
    ) -> None:
        self.warehouse, self.catalog, self.metric = warehouse, catalog, metric
        self.sources, self.context, self.dialect = sources, context, dialect
        ends = [context.loaded_through[table] for table in sources]
        self.as_of = min([*ends, context.end_of(context.day).replace(tzinfo=UTC)])

    def facts(self) -> Iterator[Fact]:
        yield from self._totals()
        for dimension, key in self.metric.breakdowns.items():
            yield from self._breakdown(dimension, key)

    def _totals(self) -> Iterator[Fact]:
        pairs = [self._pair(key) for key in self.metric.periods]
        trends = [
            period
            for grain in self.metric.series
            for period in series_periods(grain, self.context.day, self.context.fiscal_year_start_month)
            if period.end >= self.context.history_start
        ]
        wanted = [period for pair in pairs for period in pair if period] + trends
        if not wanted:
            return
        query, rows = self._measure(None, wanted)
        values = {key: found.get(None) for key, found in rows.items()}
        for period, previous in pairs:
            fact = self._fact(
                period, previous, values.get(period.key), values.get(previous.key) if previous else None, query
            )
            if fact:
                yield fact
        for period in trends:
            fact = self._fact(period, None, values.get(period.key), None, query)
            if fact:
                yield fact

    def _breakdown(self, dimension: str, key: str) -> Iterator[Fact]:
        period, previous = self._pair(key)
        query, rows = self._measure(dimension, [period, *([previous] if previous else [])])
        now, before = rows.get(period.key, {}), rows.get(previous.key, {}) if previous else {}
        had = {i: row for i, row in before.items() if row.exact is not None and self.metric.is_additive}
        listed = {**had, **now}
        sizes = {i: (now[i].exact if i in now else Decimal(0)) for i in listed}
        names = {i: listed[i].entity for i, size in sizes.items() if size is not None}
        ranked = sorted(names, key=lambda i: (-(sizes[i] or Decimal(0)), names[i], str(i)))
        # A share is one of the whole company's value, also where rows belong to no entity or to several.
        _, whole = self._measure(None, [period])
        total = whole.get(period.key, {}).get(None)
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
                entity=_Entity(dimension, str(entity_id), names[entity_id], slug),
                rank=position,
                total=total.exact if total else None,
            )
            if fact:
                yield fact

    def _pair(self, key: str) -> tuple[Period, Period | None]:
        period, previous = period_for(key, self.context.day, self.context.fiscal_year_start_month)
        return period, previous if previous.start >= self.context.history_start else None

    def _measure(
        self, dimension: str | None, periods: Sequence[Period]
    ) -> tuple[CompiledMetric, dict[str, dict[Any, _Row]]]:
        # What a flow counts is judged by what is known now; what a stock was, by what was known then.
        known = self.context.day if self.metric.kind == "flow" else None
        measured = [MeasuredPeriod(period, self.context.end_of(known or period.end)) for period in periods]
        by = self.catalog.dimensions[dimension] if dimension else None
        query = compile_metric(self.metric, by, measured, dialect=self.dialect)
        found: dict[str, dict[Any, _Row]] = {}
        try:
            result = self.warehouse.query(query.sql).rename_columns(["period_key", "entity_id", "entity", "value"])
        except SophiaError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"the metric {self.metric.name} cannot be computed: {str(error).splitlines()[0]}",
                remedy=f"Correct its block in the catalog; {self.metric.table} has the columns that it may use",
            ) from error
        for row in result.to_pylist():
            exact = None if row["value"] is None else Decimal(str(row["value"]))
            name = " ".join(str(row["entity"]).split())
            found.setdefault(row["period_key"], {})[row["entity_id"]] = _Row(name, exact)
        return query, found

    def _fact(
        self,
        period: Period,
        previous: Period | None,
        now: _Row | None,
        before: _Row | None,
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
        earlier = delta = change = share = None
        if before_exact is not None:
            earlier, delta = _settled(before_exact), _settled(now_exact - before_exact)
            if before_exact > 0 and unit != "percent":
                change = _settled((now_exact - before_exact) / before_exact)
        if total and total > 0 and metric.is_additive:
            share = _settled(now_exact / total)
        delta_text = formats.display_delta(delta, unit) if delta is not None else None
        has_target = metric.target is not None and entity is None and period.key == next(iter(metric.periods), None)
        return Fact(
            id=_fact_id(metric.name, period.key, entity),
            metric=metric.name,
            label=metric.label,
            dimensions={entity.dimension: entity.name} if entity else {},
            entity_ids={entity.dimension: entity.id} if entity else {},
            period=period,
            value=float(value),
            unit=unit,
            display=formats.display(value, unit),
            good_direction=metric.good,
            sources=self.sources,
            as_of=self.as_of,
            query_hash=query.hash,
            previous=float(earlier) if earlier is not None else None,
            previous_display=formats.display(earlier, unit) if earlier is not None else None,
            previous_period=previous if earlier is not None else None,
            delta=float(delta) if delta is not None else None,
            delta_display=delta_text,
            change=float(change) if change is not None else None,
            change_display=formats.display_change(change) if change is not None else None,
            direction=_direction(delta, delta_text),
            rank=rank,
            share=float(share) if share is not None else None,
            share_display=formats.display(share, "percent") if share is not None else None,
            target=metric.target if has_target else None,
            target_display=formats.display(metric.target, unit) if has_target and metric.target is not None else None,
        )


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
