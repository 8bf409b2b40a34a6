"""The charts of a briefing: always the same ones, in the same place, and every point is a fact.

Each headline metric has two, side by side: the trailing twelve months and the trailing six weeks. Every period has a
place of its own, so that one without data shows as a gap and moves no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sophia_assets.access.roles import EXECUTIVE, may_see
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.slots import day_phrase
from sophia_assets.metrics.facts import Fact, FactSet, Period
from sophia_assets.metrics.origins import systems_behind
from sophia_assets.metrics.periods import MONTHS_SHOWN, WEEKS_SHOWN, series_periods

MAX_BARS = 8
Kind = Literal["columns", "line", "bars"]


@dataclass(frozen=True)
class ChartPoint:
    """One mark: what it stands for, its value with unit as shown, and the fact behind it.

    `slot` is its place from 0 on; `is_partial` says that its period is still running.
    """

    label: str
    value: float
    display: str
    fact_id: str
    slot: int = 0
    is_partial: bool = False


@dataclass(frozen=True)
class Chart:
    """One chart of the fixed layout; without points, `missing` says why it is empty.

    `columns` show flows by time, `line` a level over time, `bars` a breakdown. `note` names the unit, the periods, and
    which of them is still running or left out. `slots` is how many places there are, taken or not; `bounds` are the
    ends of a scale that is not from zero.
    """

    id: str
    title: str
    kind: Kind
    unit: str
    points: tuple[ChartPoint, ...]
    missing: str = ""
    note: str = ""
    slots: int = 0
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Headline:
    """A metric that every briefing shows over time; `measures` says what its figures are, with a place for it."""

    metric: str
    title: str
    kind: Kind
    measures: str
    bounds: tuple[float, float] | None = None


HEADLINES: tuple[_Headline, ...] = (
    _Headline("bookings", "Bookings", "columns", "US dollars a {}"),
    _Headline("mrr", "Monthly recurring revenue", "line", "US dollars, at each {}'s end"),
    _Headline("satisfaction_score", "Customer satisfaction", "line", "Mean score of each {}", (1, 5)),
    _Headline("calls", "Customer calls", "columns", "Calls a {}"),
    _Headline("product_actions", "Use of the product", "columns", "Actions a {}"),
    _Headline("issues_completed", "Issues completed", "columns", "Issues a {}"),
)
_PIPELINE = ("pipeline_by_stage", "Open pipeline by stage", "pipeline_value")
#: The charts by id, in the order in which every briefing has them.
LAYOUT: tuple[str, ...] = (
    *(f"{headline.metric.removesuffix('_score')}_by_{grain}" for headline in HEADLINES for grain in ("month", "week")),
    _PIPELINE[0],
)


def build_charts(facts: FactSet, off: Mapping[str, str], role: str = EXECUTIVE, day: date | None = None) -> list[Chart]:
    """The charts of the fixed layout that `role` may see, as of `day` (default: the newest that the facts know).

    `off` maps a system that gave no data to the sentence that says so.
    """
    day = day or max((fact.period.end for fact in facts), default=date.min)
    charts = [
        _over_time(facts, headline, grain, day, off)
        for headline in HEADLINES
        if may_see(role, headline.metric)
        for grain in ("month", "week")
    ]
    return [*charts, _by_stage(facts, off)] if may_see(role, _PIPELINE[2]) else charts


def _over_time(facts: FactSet, headline: _Headline, grain: str, day: date, off: Mapping[str, str]) -> Chart:
    chart_id = f"{headline.metric.removesuffix('_score')}_by_{grain}"
    title = f"{headline.title} by {grain}"
    slots = {"month": MONTHS_SHOWN, "week": WEEKS_SHOWN}[grain]
    found = {fact.period.key: fact for fact in facts.series(headline.metric, grain)}
    periods = series_periods(grain, day) if found else []
    points = tuple(
        _point(found[period.key], slot, is_level=headline.kind == "line")
        for slot, period in enumerate(periods)
        if period.key in found
    )
    if not points:
        return Chart(chart_id, title, headline.kind, "", (), _reason(headline.metric, off), "", slots, headline.bounds)
    unit = next(iter(found.values())).unit
    note = _note(headline, grain, periods, points)
    return Chart(chart_id, title, headline.kind, unit, points, "", note, slots, headline.bounds)


def _point(fact: Fact, slot: int, *, is_level: bool) -> ChartPoint:
    # A level that was measured before its period's end is as good as any other.
    running = fact.period.key.startswith("month.") and not _is_over(fact.period)
    return ChartPoint(_time_label(fact), fact.value, fact.display, fact.id, slot, running and not is_level)


def _is_over(period: Period) -> bool:
    return (period.end + timedelta(days=1)).day == 1


def _note(headline: _Headline, grain: str, periods: Sequence[Period], points: Sequence[ChartPoint]) -> str:
    """`US dollars a month; November is still running, up to 21 November.`"""
    last = periods[-1]
    if grain == "week":
        ending = "Monday to Sunday; the running week is left out"
    elif _is_over(last):
        ending = f"up to {last.end:%B}"
    else:
        ending = f"{last.end:%B} is still running, up to {_day(last.end)}"
    scale = f", on a scale from {headline.bounds[0]:g} to {headline.bounds[1]:g}" if headline.bounds else ""
    gaps = len(periods) - len(points)
    missing = f"; no data for {gaps} of {len(periods)} {grain}s" if gaps else ""
    return f"{headline.measures.format(grain)}{scale}; {ending}{missing}."


def _by_stage(facts: FactSet, off: Mapping[str, str]) -> Chart:
    chart_id, title, metric = _PIPELINE
    every = facts.by(metric, "as_of", "stage")
    found = every[:MAX_BARS]
    if not found:
        return Chart(chart_id, title, "bars", "", (), _reason(metric, off))
    points = tuple(
        ChartPoint(safe_name(fact.subject or ""), fact.value, fact.display, fact.id, slot)
        for slot, fact in enumerate(found)
    )
    more = len(every) - len(found)
    rest = f"; {more} smaller one{'s' if more > 1 else ''} left out" if more else ""
    note = f"US dollars in open deals on {day_phrase(found[0].period.end)}, the largest stage first{rest}."
    return Chart(chart_id, title, "bars", found[0].unit, points, "", note, len(points))


def _reason(metric: str, off: Mapping[str, str]) -> str:
    return next((off[system] for system in systems_behind(metric) if system in off), "No data for these periods.")


def _day(day: date) -> str:
    return day_phrase(day).rpartition(" ")[0]


def _time_label(fact: Fact) -> str:
    """`Mar 2026` for a month, `Mar so far` for one that is running, `16 Mar` for the week that starts then."""
    words = day_phrase(fact.period.start).split()
    if fact.period.key.startswith("month."):
        return f"{words[1][:3]} {words[2]}" if _is_over(fact.period) else f"{words[1][:3]} so far"
    return f"{words[0]} {words[1][:3]}"
