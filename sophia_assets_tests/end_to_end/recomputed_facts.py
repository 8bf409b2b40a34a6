"""All the facts of a day, recomputed: values, comparisons, shares and ranks, and how each must read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sophia_assets_tests.end_to_end.recomputed_metrics import METRICS, Company, Entity, MetricWords
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


def recompute(answers: Answers, day: date, first_day: date) -> dict[Key, Expected]:
    """Every fact of `day` by key; nothing is compared to a time before `first_day`."""
    company = Company(answers)
    found: dict[Key, Expected] = {}
    for name, words in METRICS.items():
        if words.system in answers.systems:
            for fact in _Recomputation(company, name, words, day, first_day).facts():
                assert fact.key not in found
                found[fact.key] = fact
    return found


class _Recomputation:
    """One metric's facts."""

    def __init__(self, company: Company, name: str, words: MetricWords, day: date, first_day: date) -> None:
        self.company, self.name, self.words, self.day, self.first_day = company, name, words, day, first_day

    def facts(self) -> Iterator[Expected]:
        for key in self.words.periods:
            now, before = self._spans(key)
            fact = self._fact(
                (self.name, key, "", ""), now, self._whole(now), self._whole(before) if before else None, before
            )
            if fact:
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
        return now, before if before.start >= self.first_day else None

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
        return self._value([value for value, _ in self._items(span)])

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
        unit = self.words.unit
        before = before if before_span else None
        if now is None:
            return None
        delta = None if before is None else now - before
        change = delta / before if delta is not None and before and before > 0 and unit != "percent" else None
        share = now / whole if name and whole and self.words.is_additive else None
        size = None if delta is None else shown_delta(delta, unit)
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
                "display": shown(now, unit),
                "previous_display": None if before is None else shown(before, unit),
                "delta_display": size,
                "change_display": None if change is None else shown_change(change),
                "share_display": None if share is None else shown(share, "percent"),
            },
        )


def _direction(delta: Fraction | None, size: str | None) -> str | None:
    if delta is None or size is None:
        return None
    if not re.search("[1-9]", size):
        return "flat"
    return "up" if delta > 0 else "down"
