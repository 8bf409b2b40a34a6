"""Which days are measured, and which they are held against.

Belongs here: settling the times of a question for its metrics. Does not belong here: what words mean which days
(`spans`), the calendar (`calendar_spans`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sophia_assets.assistant.interface import Intent, NotRead
from sophia_assets.assistant.understanding import asking_back
from sophia_assets.assistant.understanding.asking_back import Unread
from sophia_assets.assistant.understanding.calendar_spans import Calendar, Span
from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import Draft
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.times import Time
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.catalog.entries import DAYS_OF
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.periods import long_date, period_for

_AT_AN_END = re.compile(r"\b(?:at|as of|by) (?:the )?(?:very )?(?:end|close) of\b")
_RANKS = {"day": 0, "week": 1, "month": 2, "quarter": 3}


@dataclass
class TimeRead:
    """The times of a reading; `notes` are said with the answer."""

    period: Period | None = None
    compared_to: Period | None = None
    grain: Literal["week", "month", "quarter"] | None = None
    notes: list[str] = field(default_factory=list)


def read_times(draft: Draft, metrics: Sequence[Metric], intent: Intent, ground: Ground) -> TimeRead:
    """The times of a question, for its metrics. Raises Unread."""
    return _Times(draft, metrics, intent, ground).read()


@dataclass
class _Times:
    draft: Draft
    metrics: Sequence[Metric]
    intent: Intent
    ground: Ground

    def read(self) -> TimeRead:
        for time in (*self.draft.times, *self.draft.compared):
            if time.problem:
                raise Unread(NotRead("abstained", time.problem))
        if len(self.draft.times) > 1 or len(self.draft.compared) > 1:
            raise Unread(asking_back.several_times())
        made = TimeRead()
        main = self._main()
        made.notes += [time.note for time in (*self.draft.times, *self.draft.compared) if time.note]
        held = self._held_against(main, made)
        if main and held and held.end > main.end:
            main, held = held, main
        if main:
            self._check(main, made)
            made.period = self._period(main, made)
        if held:
            self._check(held, made)
            made.compared_to = self._period(held, made)
            if made.period is None and main is None:
                made.period = self._own()
        if self.intent is Intent.TREND:
            made.grain = self._grain(main)
            if main and main.days < DAYS_OF[made.grain] and not main.is_to_date:
                made.period = None
        return made

    @property
    def _calendar(self) -> Calendar:
        return self.ground.calendar

    @property
    def _are_stocks(self) -> bool:
        return bool(self.metrics) and all(metric.kind == "stock" for metric in self.metrics)

    def _is_stock(self, metric: Metric) -> bool:
        return metric.kind == "stock" or all(part.kind == "stock" for part in self.ground.known.parts(metric))

    def _main(self) -> Span | None:
        time = self.draft.times[0] if self.draft.times else None
        if time is None:
            return None
        return self._span(time)

    def _span(self, time: Time) -> Span | None:
        if time.span is None and time.shift and self.draft.anchor and self.draft.anchor.span:
            return self._calendar.before(self.draft.anchor.span)
        if time.span is None and time.shift == "before" and not time.is_compared:
            return self._calendar.back(time.unit or "month", 1)
        if time.point is not None and self._are_stocks:
            return self._calendar.of_day(time.point)
        return time.span

    def _held_against(self, main: Span | None, made: TimeRead) -> Span | None:
        time = self.draft.compared[0] if self.draft.compared else None
        if time is None:
            if self.intent is Intent.COMPARISON and Cue.CHANGE in self.draft.cues and len(self.metrics) == 1:
                before = self._calendar.before(main or self._default(made))
                return before if before.start >= self._calendar.history_start else None
            return None
        whole = main or time.main or self._usual(time, made)
        if main is None and whole is not None and not self._are_stocks:
            self._implied = whole
        if time.shift == "year":
            return self._checked_shift(self._calendar.year_before(whole))
        if time.shift == "before":
            return self._before(whole)
        span = self._span(time)
        if span is None:
            return None
        if span.unit == "year" and whole.unit in ("day", "week", "month", "quarter") and span.start < whole.start:
            made.notes.append("It is held against the same time of the year before.")
            return self._checked_shift(self._calendar.year_before(whole))
        if not self._are_stocks and whole.is_to_date and span.unit == whole.unit and not span.is_to_date:
            same = self._calendar.same_point(whole, span)
            if same.end != span.end:
                made.notes.append(f"It is held against {same.label}, so that as many days are compared.")
            return same
        return span

    def _checked_shift(self, span: Span) -> Span:
        if span.end < self._calendar.history_start:
            start = long_date(self._calendar.history_start)
            raise Unread(NotRead("abstained", f"The data begins on {start} and knows nothing before it."))
        return span

    def _before(self, span: Span) -> Span:
        return self._checked_shift(self._calendar.before(span))

    def _usual(self, time: Time, made: TimeRead) -> Span:
        """What is measured where only what it is held against is named: the current one of its kind."""
        if self._are_stocks:
            return self._calendar.of_day(self._calendar.day)
        if time.span and time.span.is_calendar and time.span.unit in ("day", "week", "month", "quarter", "year"):
            span = self._calendar.of_unit(time.span.unit, self._calendar.day)
        else:
            span = self._default(made)
        made.notes.append(f"What is compared is {span.label}.")
        made.period = span.period()
        return span

    def _default(self, made: TimeRead) -> Span:
        if self._are_stocks:
            return self._calendar.of_day(self._calendar.day)
        span = self._calendar.quarter(self._calendar.day)
        made.period = span.period()
        return span

    def _own(self) -> Period | None:
        if self._are_stocks:
            return period_for("as_of", self._calendar.day)[0]
        return None

    def _check(self, span: Span, made: TimeRead) -> None:
        """Raises Unread for what a metric is not measured for."""
        starts = self._calendar.history_start
        for metric in self.metrics:
            if metric.snapshot and span.end != self._calendar.day and self.intent is not Intent.OVERVIEW:
                raise Unread(asking_back.only_now(metric))
            if self._is_stock(metric) or self.intent in (Intent.DEFINITION, Intent.OVERVIEW):
                continue
            if span.days == 1 and _AT_AN_END.search(" ".join(token.folded for token in self.draft.tokens)):
                raise Unread(asking_back.no_stock(metric, self._calendar.of_unit("quarter", span.end)))
            if span.key != "qtd" and span.days < DAYS_OF[metric.grain]:
                raise Unread(asking_back.too_short(metric, span, self.draft))
            if span.start < starts:
                if self.intent is Intent.TREND:
                    made.notes.append(f"The data begins on {long_date(starts)}.")
                    continue
                raise Unread(asking_back.begins_later(span, self._calendar, self.draft))

    def _period(self, span: Span, made: TimeRead) -> Period:
        if self.intent is not Intent.TREND and self._are_stocks:
            if span.end == self._calendar.day:
                if span.unit != "day":
                    made.notes.append(f"It stands for a day, and is told for {long_date(span.end)}.")
                return period_for("as_of", self._calendar.day)[0]
            if span.start != span.end:
                made.notes.append(f"It stands for a day; of {span.label} the last one is told, {long_date(span.end)}.")
                if not span.is_calendar or span.key.endswith((".prev",)) or ".to." in span.key:
                    return self._calendar.of_day(span.end).period()
        return span.period()

    def _grain(self, main: Span | None) -> Literal["week", "month", "quarter"]:
        wanted = self.draft.rhythm
        coarsest = max((_RANKS[metric.grain] for metric in self.metrics), default=0)
        if wanted in ("day", "year"):
            raise Unread(asking_back.no_such_grain(wanted))
        if wanted is not None:
            if any(metric.snapshot for metric in self.metrics):
                raise Unread(asking_back.only_now(self.metrics[0]))
            if _RANKS[wanted] < coarsest:
                raise Unread(asking_back.too_fine(self.metrics, wanted))
            return wanted  # type: ignore[return-value]
        if any(metric.snapshot for metric in self.metrics):
            raise Unread(asking_back.only_now(self.metrics[0]))
        if main is not None and main.days <= 45 and coarsest < _RANKS["month"]:
            return "week"
        series = [set(metric.series) for metric in self.metrics]
        common = set.intersection(*series) if series else set()
        for grain in ("month", "week", "quarter"):
            if grain in common and not (grain == "week" and main is not None and main.days > 100):
                return grain
        return "month"
