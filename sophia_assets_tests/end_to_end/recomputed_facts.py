"""All the facts of a day, recomputed: values, comparisons, shares and ranks, and how each must read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations
from statistics import median

from sophia_assets_tests.end_to_end.recomputed_metrics import METRICS, Company
from sophia_assets_tests.end_to_end.recomputed_words import Entity, MetricWords
from sophia_assets_tests.end_to_end.shown_values import (
    Span,
    compared_spans,
    shown,
    shown_change,
    shown_delta,
    trend_spans,
)
from sophia_assets_tests.end_to_end.stand_in_answers import Answers

Key = tuple[str, str, str, str]
"""Metric, period key, dimension and entity id; the last two are empty for the whole company."""

# A breakdown names no more entities than this.
MOST_ENTITIES = 500

STOCKS = {name for name, words in METRICS.items() if "as_of" in {*words.periods, *words.breakdowns.values()}}
# The least points and days that a trend and a run-rate need.
LEAST_POINTS, LEAST_DAYS = 6, 5


@dataclass(frozen=True)
class Expected:
    """A fact as it must be. `shown` holds every string by the key it has in the evidence."""

    key: Key
    unit: str
    span: Span
    name: str | None
    value: Fraction
    previous: Fraction | None
    delta: Fraction | None
    change: Fraction | None
    share: Fraction | None
    rank: int | None
    direction: str | None
    shown: dict[str, str | None]


def recompute(
    answers: Answers, day: date, first_day: date, unknown: Collection[str] = (), since: Mapping[str, date] | None = None
) -> dict[Key, Expected]:
    """Every fact of `day` by key; nothing is compared to a time before `first_day`.

    `unknown` names metrics of which nothing is known on the day, `since` the first day of which a metric is known.
    """
    company = Company(answers)
    found: dict[Key, Expected] = {}
    for name, words in METRICS.items():
        if words.system in answers.systems and name not in unknown:
            known_from = max(first_day, (since or {}).get(name, first_day))
            for fact in _Recomputation(company, name, words, day, known_from).facts():
                assert fact.key not in found
                found[fact.key] = fact
    return found


class _Recomputation:
    """One metric's facts."""

    def __init__(self, company: Company, name: str, words: MetricWords, day: date, first_day: date) -> None:
        self.company, self.name, self.words, self.day, self.first_day = company, name, words, day, first_day

    def facts(self) -> Iterator[Expected]:
        for place, key in enumerate(self.words.periods):
            now, before = self._spans(key)
            fact = self._fact(
                (self.name, key, "", ""), now, self._whole(now), self._whole(before) if before else None, before
            )
            if fact:
                fact.shown["run_rate_display"] = self._run_rate(key, fact.value)
                fact.shown["trend_display"] = self._trend() if place == 0 else None
                yield fact
        for grain in self.words.series:
            for key, span in trend_spans(grain, self.day).items():
                fact = self._fact((self.name, key, "", ""), span, self._whole(span), None, None)
                if fact and span.end >= self.first_day:
                    yield fact
        for dimension, key in self.words.breakdowns.items():
            yield from self._breakdown(dimension, key)

    def _breakdown(self, dimension: str, key: str) -> Iterator[Expected]:
        now, before = self._spans(key)
        values, names = self._by(dimension, now)
        old_values, old_names = self._by(dimension, before) if before else ({}, {})
        nothing = Fraction(0) if self.words.is_additive else None
        if self.words.is_additive:
            names = {entity: old_names[entity] for entity, value in old_values.items() if value is not None} | names
        sizes = {entity: values.get(entity, nothing) for entity in names}
        known = {entity: size for entity, size in sizes.items() if size is not None}
        order = sorted(known, key=lambda entity: (-known[entity], names[entity], entity))
        whole = self._whole(now)
        for rank, entity in enumerate(order[:MOST_ENTITIES], start=1):
            fact = self._fact(
                (self.name, key, dimension, entity),
                now,
                known[entity],
                old_values.get(entity, nothing),
                before,
                name=names[entity],
                rank=rank,
                whole=whole,
            )
            if fact:
                yield fact

    def _spans(self, key: str) -> tuple[Span, Span | None]:
        now, before = compared_spans(key, self.day)
        return now, before if before.start >= self.first_day and not self.words.is_snapshot else None

    def _run_rate(self, key: str, value: Fraction) -> str | None:
        if not self.words.run_rate or key != "qtd":
            return None
        start = compared_spans(key, self.day)[0].start
        days = [start + timedelta(days=step) for step in range(92)]
        working = [day for day in days if day.weekday() < 5 and (day.month - 1) // 3 == (start.month - 1) // 3]
        elapsed = sum(day <= self.day for day in working)
        if elapsed < LEAST_DAYS or elapsed == len(working):
            return None
        return shown(value / elapsed * len(working), self.words.unit, self.words.form)

    def _trend(self) -> str | None:
        for grain, noun in (("month", "months"), ("week", "weeks")):
            spans = trend_spans(grain, self.day).values() if grain in self.words.series else ()
            whole = [s for s in spans if s.start >= self.first_day and (grain == "week" or _ends_month(s.end))]
            whole.sort(key=lambda span: span.start)
            values = [self._whole(span) for span in whole]
            known = [value for value in values if value is not None]
            if len(known) == len(values) >= LEAST_POINTS:
                return f"{_course(known)} over {len(known)} {noun}"
        return None

    def _items(self, span: Span) -> list[tuple[object, dict[str, Entity]]]:
        # What stood on a day is judged by what was known at its end, what happened by what is known today.
        known = self.company.answers.end_of(span.end if self.name in STOCKS else self.day)
        return [(item.value, item.entities) for item in self.words.select(self.company, span, known)]

    def _value(self, values: list[object]) -> Fraction | None:
        """The metric's value: of nothing it may be zero, of rows that all lack their number it is unknown."""
        if not values and self.words.is_additive:
            return Fraction(0)
        return self.words.aggregate(values)

    def _whole(self, span: Span) -> Fraction | None:
        if self.words.parts:
            return self._ratio(span, *self.words.parts)
        return self._value([value for value, _ in self._items(span)])

    def _ratio(self, span: Span, above: str, below: str) -> Fraction | None:
        of, per = (
            _Recomputation(self.company, name, METRICS[name], self.day, self.first_day) for name in (above, below)
        )
        base = span
        if below in STOCKS and above not in STOCKS:
            # What happened in a period is measured by what stood before it.
            base = Span(span.start - timedelta(days=1), span.start - timedelta(days=1))
            if base.start < self.first_day:
                return None
        top, bottom = of._whole(span), per._whole(base)
        return top / bottom if top is not None and bottom else None

    def _by(self, dimension: str, span: Span) -> tuple[dict[str, Fraction | None], dict[str, str]]:
        groups: dict[str, list[object]] = {}
        names: dict[str, str] = {}
        for value, entities in self._items(span):
            if dimension in entities:
                entity, name = entities[dimension]
                groups.setdefault(entity, []).append(value)
                name = " ".join(name.split())
                names[entity] = min(name, names.get(entity, name))
        return {entity: self._value(items) for entity, items in groups.items()}, names

    def _fact(
        self,
        key: Key,
        span: Span,
        now: Fraction | None,
        before: Fraction | None,
        before_span: Span | None,
        *,
        name: str | None = None,
        rank: int | None = None,
        whole: Fraction | None = None,
    ) -> Expected | None:
        unit, form = self.words.unit, self.words.form
        before = before if before_span else None
        if now is None:
            return None
        delta = None if before is None else now - before
        change = delta / before if delta is not None and before and before > 0 and unit != "percent" else None
        share = now / whole if name and whole and self.words.is_additive else None
        size = None if delta is None else shown_delta(delta, unit, form)
        return Expected(
            key=key,
            unit=unit,
            span=span,
            name=name,
            value=now,
            previous=before,
            delta=delta,
            change=change,
            share=share,
            rank=rank,
            direction=_direction(delta, size),
            shown={
                "display": shown(now, unit, form),
                "previous_display": None if before is None else shown(before, unit, form),
                "delta_display": size,
                "change_display": None if change is None else shown_change(change),
                "share_display": None if share is None else shown(share, "percent"),
                "run_rate_display": None,
                "trend_display": None,
            },
        )


def _direction(delta: Fraction | None, size: str | None) -> str | None:
    if delta is None or size is None:
        return None
    if not re.search("[1-9]", size):
        return "flat"
    return "up" if delta > 0 else "down"


def _ends_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def _course(values: list[Fraction]) -> str:
    """The direction of a series, if so many pairs in one order come about by chance at most once in twenty times."""
    pairs = list(combinations(values, 2))
    surplus = sum((later > earlier) - (later < earlier) for earlier, later in pairs)
    slopes = [(values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2)]
    if not median(slopes) or _chance(len(values), abs(surplus)) > Fraction(1, 20):
        return "no clear trend"
    return "an upward trend" if median(slopes) > 0 else "a downward trend"


def _chance(count: int, surplus: int) -> Fraction:
    """How likely a random order has at least this surplus: by the surpluses that each further value may add."""
    chances = {0: Fraction(1)}
    for others in range(1, count):
        following: dict[int, Fraction] = {}
        for held, chance in chances.items():
            for added in range(-others, others + 1, 2):
                following[held + added] = following.get(held + added, Fraction(0)) + chance / (others + 1)
        chances = following
    return sum((chance for held, chance in chances.items() if abs(held) >= surplus), Fraction(0))
