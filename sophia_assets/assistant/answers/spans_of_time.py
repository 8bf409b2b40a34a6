"""Which days an answer measures and what it holds them against, where the question leaves that to the metric.

Belongs here: a metric's own period, the period before another, and how both are said. Does not belong here: reading
times in questions (`understanding`), measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sophia_assets.insight.slots import day_phrase, period_phrase
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.measuring import FactContext
from sophia_assets.metrics.periods import (
    STOCK_COMPARISON_DAYS,
    long_date,
    period_for,
    quarter_label,
    quarter_start,
    series_periods,
    shift_months,
)

_KNOWN = ("qtd", "last_7d", "last_30d", "last_60d", "as_of")
_DAY = timedelta(days=1)


def is_stock(metric: Metric, parts: Sequence[Metric]) -> bool:
    """Whether a metric says what stands at the end of a day."""
    return metric.kind == "stock" or (metric.kind == "ratio" and all(part.kind == "stock" for part in parts))


def own_period(metric: Metric, parts: Sequence[Metric], context: FactContext) -> Period:
    """The period in which a metric is told first: a stock's day, a flow's first period."""
    if is_stock(metric, parts):
        return period_for("as_of", context.day, context.fiscal_year_start_month)[0]
    key = next(iter([*metric.periods, *metric.breakdowns.values()]), "last_30d")
    return period_for(key, context.day, context.fiscal_year_start_month)[0]


def at_its_end(period: Period, context: FactContext) -> Period:
    """The last day of a period that the data covers: what a stock of the period is."""
    day = min(period.end, context.day)
    if day == context.day:
        return period_for("as_of", day)[0]
    return Period(f"day.{day.isoformat()}", day, day, f"on {long_date(day)}")


def before(period: Period, context: FactContext, stock: bool) -> Period | None:
    """What a period is held against by itself: the one of its kind before it, of one that still runs as many days.

    None before the data's first day, and for days that are no week, month, quarter or year.
    """
    found = _before(period, context, stock)
    return found if found is not None and found.start >= context.history_start else None


def _before(period: Period, context: FactContext, stock: bool) -> Period | None:
    fiscal = context.fiscal_year_start_month
    if period.key in _KNOWN and period.end == context.day:
        return period_for(period.key, context.day, fiscal)[1]
    if stock or period.start == period.end:
        day = period.end - (timedelta(days=STOCK_COMPARISON_DAYS) if stock else _DAY)
        return Period(f"day.{day.isoformat()}", day, day, f"on {long_date(day)}")
    grain = period.key.partition(".")[0]
    if grain.startswith("last_"):
        days = (period.end - period.start).days + 1
        start = period.start - timedelta(days=days)
        return Period(f"{period.key}.prev", start, period.start - _DAY, f"the {days} days before")
    months = _MONTHS.get(grain)
    if (grain != "week" and months is None) or not has_phrase(period):
        return None
    week = timedelta(days=7)
    start = period.start - week if months is None else shift_months(period.start, -months)
    after = period.start + week if months is None else shift_months(period.start, months)
    whole = _span(grain, start, period.start - _DAY, fiscal)
    if period.end + _DAY >= after:
        return whole
    # As much as has passed of the one that runs, never past the other's end.
    end = min(whole.end, start + (period.end - period.start))
    return Period(f"{whole.key}.to.{end.isoformat()}", start, end, f"the same point of {whole.label}")


_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}


def _span(grain: str, start: date, end: date, fiscal: int) -> Period:
    """The whole unit of a kind from `start` to `end`."""
    if grain in ("half", "year"):
        label = str(start.year) if start.month == 1 and grain == "year" else f"{long_date(start)} to {long_date(end)}"
        return Period(f"{grain}.{start.isoformat()}", start, end, label)
    return _point(grain, start, end, fiscal)


def points(grain: str, span: Period | None, context: FactContext) -> list[Period]:
    """The periods of a series, oldest first: those of a trend up to the data's day, or those that touch `span`.

    None begins before the data does, and none is more than 60.
    """
    fiscal = context.fiscal_year_start_month
    if span is None:
        return [p for p in series_periods(grain, context.day, fiscal) if p.start >= context.history_start]
    found: list[Period] = []
    day = min(span.end, context.day)
    while day >= max(span.start, context.history_start) and len(found) < 60:
        start = _start_of(grain, day, fiscal)
        end = min(_end_of(grain, start), context.day)
        if start >= context.history_start:
            found.append(_point(grain, start, end, fiscal))
        day = start - _DAY
    return found[::-1]


def _start_of(grain: str, day: date, fiscal: int) -> date:
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else quarter_start(day, fiscal)


def _end_of(grain: str, start: date) -> date:
    if grain == "week":
        return start + timedelta(days=6)
    return shift_months(start, 1 if grain == "month" else 3) - _DAY


def _point(grain: str, start: date, end: date, fiscal: int) -> Period:
    if grain == "week":
        return Period(f"week.{start.isoformat()}", start, end, f"the week of {start:%b} {start.day}")
    if grain == "month":
        return Period(f"month.{start:%Y-%m}", start, end, f"{start:%b %Y}")
    label = quarter_label(start, fiscal)
    return Period(f"quarter.{label.split()[1].lower()}-{label.split()[0].lower()}", start, end, label)


def is_whole(period: Period) -> bool:
    """Whether a point of a series covers all of its week, month or quarter."""
    grain = period.key.partition(".")[0]
    return grain not in ("week", "month", "quarter") or _end_of(grain, period.start) == period.end


def is_to_date(period: Period) -> bool:
    """Whether a period still runs."""
    return period.key == "qtd" or (
        period.key.partition(".")[0] in ("week", "month", "quarter") and not is_whole(period)
    )


def said(period: Period) -> str:
    """A period behind a figure: `so far this quarter`, `in October 2026`, `so far in November 2026`."""
    phrase = period_phrase(period) if has_phrase(period) else led(period.label)
    return f"so far {phrase}" if period.key != "qtd" and is_to_date(period) else phrase


def has_phrase(period: Period) -> bool:
    """Whether a period's own slot says which days it has: not of a part of a unit that is over."""
    return not period.key.endswith(".prev") and ".to." not in period.key


def is_compared_as_usual(period: Period, previous: Period) -> bool:
    """Whether the slot of what a period is held against says which days those are."""
    if period.key == "as_of":
        return previous.start == previous.end
    if period.key == "qtd":
        start = shift_months(period.start, -3)
        lengths = {(period.end - period.start).days, (period.start - _DAY - start).days}
        # What counts are the days: another year's quarter may go by the same key.
        return previous.start == start and (previous.end - previous.start).days in lengths
    if period.key.startswith("last_") and period.key.endswith("d"):
        return previous.end == period.start - _DAY and previous.start == period.start - (period.end - previous.end)
    return has_phrase(previous) and (previous.start == previous.end or is_whole(previous))


def is_usual(period: Period, previous: Period | None) -> bool:
    """Whether the slots of a fact say rightly which days it is about and which it is held against."""
    return has_phrase(period) and (previous is None or is_compared_as_usual(period, previous))


def led(label: str) -> str:
    """A period's label behind a figure, with the preposition it takes: `at the same point of Q4 2025`."""
    if label.startswith(("on ", "in ", "at ", "from ")):
        return label
    if label.startswith("the same point"):
        return f"at {label}"
    return f"from {label}" if " to " in label and not label.endswith("to date") else f"in {label}"


def day_of(day: date) -> str:
    """`20 November 2026`."""
    return day_phrase(day)
