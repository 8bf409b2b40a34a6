"""Makes facts of measured values: the one place where a value gets its comparison, its words and its caveats.

Belongs here: a metric's fact for a period, of the whole company or of one entity, and its course over time. Does not
belong here: which facts a day has (`computation`), which are asked for (`on_demand`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sophia_assets.metrics import derived, formats
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.compiler import CompiledMetric
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.measuring import Measuring, Row
from sophia_assets.metrics.periods import long_date, period_for, quarter_start, shift_months

# Engines divide in floating point; past this place a value is noise that could tip a rounding.
_LAST_PLACE = Decimal("1e-9")


@dataclass(frozen=True)
class Entity:
    """What a fact of a breakdown is about; `slug` stands for it in the fact's id."""

    dimension: str
    id: str
    name: str
    slug: str


@dataclass(frozen=True)
class Ranked:
    """An entity of a breakdown with its place, the largest first, and its rows in both periods."""

    entity: Entity
    rank: int
    now: Row | None
    before: Row | None


@dataclass(frozen=True)
class Part:
    """What a fact is about besides metric, period and entity.

    `mark` goes into its id; `names` and `ids` are those of the entities that the rows are narrowed to, by dimension.
    With `is_whole` it is about all rows and one of the day's own periods, for which targets and run rates are.
    """

    mark: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = True


WHOLE = Part()


def ranked_entities(metric: Metric, dimension: str, now: Mapping[Any, Row], before: Mapping[Any, Row]) -> list[Ranked]:
    """Every entity with a value, the largest first; of a sum or count also those that have come to nothing since."""
    had = {i: row for i, row in before.items() if row.exact is not None and metric.is_additive}
    listed = {**had, **now}
    sizes = {i: (now[i].exact if i in now else Decimal(0)) for i in listed}
    known = {i: settled(size) for i, size in sizes.items() if size is not None}
    slugs: set[str] = set()
    found = []
    for rank, i in enumerate(derived.ranked(known, {i: listed[i].entity for i in known}), start=1):
        slug = _slug(str(i), slugs)
        slugs.add(slug)
        found.append(Ranked(Entity(dimension, str(i), listed[i].entity, slug), rank, now.get(i), before.get(i)))
    return found


class FactMaking:
    """Makes the facts of one metric. `as_of` and `sources` are those of all of them."""

    def __init__(self, measuring: Measuring, metric: Metric) -> None:
        self.measuring, self.metric, self.context = measuring, metric, measuring.context
        sources = measuring.sources(metric)
        ends = [self.context.loaded_through[table] for table in sources]
        self.as_of = min([*ends, self.context.end_of(self.context.day).replace(tzinfo=UTC)])
        # What rests on the platform's own record has no system behind it.
        self.sources = sources or measuring.catalog.tables_of(metric)

    def is_known(self, period: Period) -> bool:
        """Whether the metric is known of the end of a period."""
        return self.measuring.unknown_since(self.metric, period.end) is None

    def course(self, points: Sequence[Period], values: Mapping[str, Row | None]) -> dict[str, Any]:
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
                    "trend_slope": float(settled(found.slope)),
                }
        return {}

    def fact(
        self,
        period: Period,
        previous: Period | None,
        now: Row | None,
        before: Row | None,
        query: CompiledMetric,
        *,
        entity: Entity | None = None,
        rank: int | None = None,
        total: Decimal | None = None,
        part: Part = WHOLE,
        caveats: tuple[str, ...] = (),
    ) -> Fact | None:
        """The fact of a value and of the one that it is compared to; None where there is no value.

        `total` is what a share is of. `caveats` come before those that follow from the metric and the periods.
        """
        metric, unit = self.metric, self.metric.unit
        nothing = Decimal(0) if metric.is_additive else None
        now_exact = now.exact if now else nothing
        before_exact = (before.exact if before else nothing) if previous else None
        if now_exact is None:
            return None
        value = settled(now_exact)
        earlier = delta = change = None
        if before_exact is not None:
            earlier, delta = settled(before_exact), settled(derived.delta(now_exact, before_exact))
            change = None if unit == "percent" else derived.change(now_exact, before_exact)
        share = derived.share(now_exact, total) if metric.is_additive else None
        delta_text = formats.display_delta(delta, unit, metric.format) if delta is not None else None
        is_whole = entity is None and part.is_whole
        has_target = metric.target is not None and is_whole and period.key == next(iter(metric.periods), None)
        target = metric.target if has_target else None
        pace = self._run_rate(period, now_exact) if is_whole else None
        return Fact(
            id=_fact_id(metric.name, period.key, entity, part),
            metric=metric.name,
            label=metric.label,
            dimensions=_about(entity.dimension, entity.name, part.names) if entity else part.names,
            entity_ids=_about(entity.dimension, entity.id, part.ids) if entity else part.ids,
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
            change_display=formats.display_change(settled(change)) if change is not None else None,
            direction=_direction(delta, delta_text),
            rank=rank,
            share=_number(share),
            share_display=formats.display(settled(share), "percent") if share is not None else None,
            target=target,
            target_display=formats.display(target, unit, metric.format) if target is not None else None,
            run_rate=_number(pace),
            run_rate_display=formats.display(settled(pace), unit, metric.format) if pace is not None else None,
            caveats=(*caveats, *(self._caveats(period, previous) if is_whole else ())),
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

    def _caveats(self, period: Period, previous: Period | None) -> tuple[str, ...]:
        """Why there is no comparison where a reader would expect one."""
        if previous is not None or "." in period.key or self.metric.snapshot:
            return ()
        _, before = period_for(period.key, self.context.day, self.context.fiscal_year_start_month)
        missing = self.measuring.unknown_since(self.metric, before.end)
        if missing is None:
            return ()
        since = missing[1].astimezone(self.context.zone).date()
        return (f"Known since {long_date(since)}, so there is nothing to compare it to.",)


def _about(dimension: str, entity: str, others: Mapping[str, str]) -> dict[str, str]:
    """The entity first, then what else the rows are narrowed to."""
    return {dimension: entity} | {name: text for name, text in others.items() if name != dimension}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(settled(value))


def settled(value: Decimal) -> Decimal:
    """A value at the last place that is more than noise."""
    return value.quantize(_LAST_PLACE, rounding=ROUND_HALF_UP)


def _direction(delta: Decimal | None, shown: str | None) -> str | None:
    """Which way a value moved; a move that rounds to nothing is none."""
    if delta is None or shown is None:
        return None
    if formats.is_nothing(shown):
        return "flat"
    return "up" if delta > 0 else "down"


def _fact_id(metric: str, period_key: str, entity: Entity | None, part: Part) -> str:
    whole = f"{metric}.{period_key}{part.mark}"
    return f"{whole}.{entity.dimension}.{entity.slug}" if entity else whole


def _slug(entity_id: str, taken: set[str]) -> str:
    """The id in the characters of fact ids; where that loses something, or is taken, with a mark of its own."""
    plain = re.sub(r"[^a-z0-9]+", "-", entity_id.lower()).strip("-")
    if plain not in taken and re.sub(r"[ _-]+", "-", entity_id.lower()) == plain:
        return plain
    return f"{plain}-{hashlib.sha256(entity_id.encode()).hexdigest()[:8]}".lstrip("-")
