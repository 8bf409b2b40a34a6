"""The charts of a briefing: always the same ones, in the same place, and every point is a fact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sophia_assets.insight.names import safe_name
from sophia_assets.insight.slots import day_phrase
from sophia_assets.metrics.facts import Fact, FactSet
from sophia_assets.metrics.origins import systems_behind

MAX_BARS = 8


@dataclass(frozen=True)
class ChartPoint:
    """One mark: what it stands for, its value with unit as shown, and the fact behind it."""

    label: str
    value: float
    display: str
    fact_id: str


@dataclass(frozen=True)
class Chart:
    """One chart of the fixed layout; without points, `missing` says why it is empty.

    `columns` show flows by time, `line` a level over time, `bars` a breakdown.
    """

    id: str
    title: str
    kind: Literal["columns", "line", "bars"]
    unit: str
    points: tuple[ChartPoint, ...]
    missing: str = ""


@dataclass(frozen=True)
class _Place:
    id: str
    title: str
    kind: Literal["columns", "line", "bars"]
    metric: str
    by: str


LAYOUT: tuple[_Place, ...] = (
    _Place("bookings_by_month", "Bookings by month", "columns", "bookings", "month"),
    _Place("bookings_by_week", "Bookings by week", "columns", "bookings", "week"),
    _Place("mrr_by_month", "Monthly recurring revenue", "line", "mrr", "month"),
    _Place("satisfaction_by_month", "Customer satisfaction, out of 5", "line", "satisfaction_score", "month"),
    _Place("pipeline_by_stage", "Open pipeline by stage", "bars", "pipeline_value", "stage"),
    _Place("calls_by_week", "Customer calls by week", "columns", "calls", "week"),
)


def build_charts(facts: FactSet, off: dict[str, str]) -> list[Chart]:
    """The charts of the fixed layout; `off` maps a system that gave no data to the sentence that says so."""
    return [_chart(facts, place, off) for place in LAYOUT]


def _chart(facts: FactSet, place: _Place, off: dict[str, str]) -> Chart:
    if place.by in ("month", "week"):
        found = facts.series(place.metric, place.by)
        points = [ChartPoint(_time_label(fact), fact.value, fact.display, fact.id) for fact in found]
    else:
        found = facts.by(place.metric, "as_of", place.by)[:MAX_BARS]
        points = [ChartPoint(safe_name(fact.subject or ""), fact.value, fact.display, fact.id) for fact in found]
    if not points:
        return Chart(place.id, place.title, place.kind, "", (), _reason(place, off))
    return Chart(place.id, place.title, place.kind, found[0].unit, tuple(points))


def _reason(place: _Place, off: dict[str, str]) -> str:
    return next((off[system] for system in systems_behind(place.metric) if system in off), "No data for these periods.")


def _time_label(fact: Fact) -> str:
    """`Mar 2026` for a month, `Mar so far` for one that is running, `16 Mar` for the week that starts then."""
    words = day_phrase(fact.period.start).split()
    if fact.period.key.startswith("month."):
        whole = (fact.period.end + timedelta(days=1)).day == 1
        return f"{words[1][:3]} {words[2]}" if whole else f"{words[1][:3]} so far"
    return f"{words[0]} {words[1][:3]}"
