"""Spans of the business calendar, under the keys that facts have.

Belongs here: days, weeks, months, quarters and years around the last day with data. Does not belong here: what words
mean them (`spans`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.periods import long_date, period_for, quarter_label, quarter_start, shift_months

Unit = Literal["day", "week", "month", "quarter", "year", "range"]
_ONE = timedelta(days=1)
MONTHS_OF: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Span:
    """Days from `start` to `end`, both included; `unit` is what they were called by.

    `is_to_date` tells that the unit goes on after `end`, `is_calendar` that it is one whole day, week, month, quarter
    or year of the calendar (so far as it has come).
    """

    start: date
    end: date
    unit: Unit
    key: str
    label: str
    is_to_date: bool = False
    is_calendar: bool = True

    @property
    def days(self) -> int:
        """How many days it holds."""
        return (self.end - self.start).days + 1

    def period(self) -> Period:
        """The same as facts have it."""
        return Period(self.key, self.start, self.end, self.label)


@dataclass(frozen=True)
class Calendar:
    """The calendar as a question of `day` sees it; `history_start` is the first day with data."""

    day: date
    history_start: date
    fiscal_month: int = 1

    def of_day(self, day: date) -> Span:
        """One day."""
        return Span(day, day, "day", f"day.{day.isoformat()}", f"on {long_date(day)}")

    def week(self, day: date) -> Span:
        """The week from Monday that holds `day`."""
        start = day - timedelta(days=day.weekday())
        label = f"the week of {start:%b} {start.day}"
        return self._to_date(Span(start, start + timedelta(days=6), "week", f"week.{start.isoformat()}", label))

    def month(self, day: date) -> Span:
        """The month that holds `day`."""
        start = day.replace(day=1)
        return self._to_date(
            Span(start, shift_months(start, 1) - _ONE, "month", f"month.{start:%Y-%m}", f"{start:%B %Y}")
        )

    def quarter(self, day: date) -> Span:
        """The fiscal quarter that holds `day`; the current one has the key of the quarter to date."""
        start = quarter_start(day, self.fiscal_month)
        if start <= self.day < shift_months(start, 3):
            period = period_for("qtd", self.day, self.fiscal_month)[0]
            is_over = self.day + _ONE == shift_months(start, 3)
            return Span(period.start, period.end, "quarter", "qtd", period.label, is_to_date=not is_over)
        label = quarter_label(start, self.fiscal_month)
        number, year = label.lower().split()
        return Span(start, shift_months(start, 3) - _ONE, "quarter", f"quarter.{year}-{number}", label)

    def year(self, day: date, *, is_fiscal: bool = False) -> Span:
        """The calendar or fiscal year that holds `day`."""
        month = self.fiscal_month if is_fiscal else 1
        start = date(day.year if day.month >= month else day.year - 1, month, 1)
        ends_in = start.year if month == 1 else start.year + 1
        name = f"FY{ends_in}" if is_fiscal and month != 1 else str(ends_in)
        return self._to_date(Span(start, shift_months(start, 12) - _ONE, "year", f"year.{name.lower()}", name))

    def half(self, day: date) -> Span:
        """The half of the fiscal year that holds `day`."""
        year = self.year(day, is_fiscal=True)
        second = shift_months(year.start, 6)
        start, number = (year.start, 1) if day < second else (second, 2)
        key = f"half.{year.key.removeprefix('year.')}-h{number}"
        name = year.key.removeprefix("year.").upper()
        return self._to_date(Span(start, shift_months(start, 6) - _ONE, "range", key, f"H{number} {name}"))

    def last_days(self, days: int, label: str = "") -> Span:
        """So many days up to the last one."""
        start = self.day - timedelta(days=days - 1)
        label = label or f"the last {days} days"
        return Span(start, self.day, "range", f"last_{days}d", label, is_calendar=False)

    def last(self, count: int, unit: Unit) -> Span:
        """The last so many units, rolling, up to the last day."""
        if unit in ("day", "week"):
            days = count * (7 if unit == "week" else 1)
            return self.last_days(days, "" if unit == "day" else f"the last {count} {_plural(unit, count)}")
        start = add_months(self.day + _ONE, -count * MONTHS_OF[unit])
        span = self.between(start, self.day)
        return replace(span, label=f"the last {count} {_plural(unit, count)}")

    def between(self, start: date, end: date) -> Span:
        """Days from one to another."""
        label = f"{long_date(start)} to {long_date(end)}"
        return Span(start, end, "range", f"range.{start.isoformat()}.{end.isoformat()}", label, is_calendar=False)

    def of_unit(self, unit: Unit, day: date, *, is_fiscal: bool = False) -> Span:
        """The unit of the calendar that holds `day`."""
        if unit == "week":
            return self.week(day)
        if unit == "month":
            return self.month(day)
        if unit == "quarter":
            return self.quarter(day)
        return self.year(day, is_fiscal=is_fiscal) if unit == "year" else self.of_day(day)

    def back(self, unit: Unit, count: int, *, is_fiscal: bool = False) -> Span:
        """The whole unit that lies so many units before the current one; 0 is the current one, -1 the next."""
        current = self.of_unit(unit, self.day, is_fiscal=is_fiscal)
        if unit in ("day", "week"):
            return self.of_unit(unit, self.day - timedelta(days=count * (7 if unit == "week" else 1)))
        return self.of_unit(unit, shift_months(current.start, -count * MONTHS_OF[unit]), is_fiscal=is_fiscal)

    def same_point(self, span: Span, earlier: Span) -> Span:
        """As much of an earlier unit as has passed of one that goes on."""
        if not span.is_to_date:
            return earlier
        whole = (earlier.end - earlier.start).days + 1
        if span.days >= whole:
            return earlier
        end = earlier.start + timedelta(days=span.days - 1)
        key = f"{span.key}.prev" if span.key == "qtd" else f"{earlier.key}.to.{end.isoformat()}"
        return replace(earlier, end=end, key=key, label=f"the same point of {earlier.label}")

    def before(self, span: Span) -> Span:
        """The span of the same kind right before one; of a unit that goes on, as much as has passed of it."""
        if span.key == "qtd":
            period = period_for("qtd", self.day, self.fiscal_month)[1]
            return Span(period.start, period.end, "quarter", period.key, period.label)
        if span.is_calendar and span.unit != "range":
            is_fiscal = span.key.startswith("year.fy")
            return self.same_point(span, self.of_unit(span.unit, span.start - _ONE, is_fiscal=is_fiscal))
        end = span.start - _ONE
        start = end - timedelta(days=span.days - 1)
        return replace(
            self.between(start, end), key=f"{span.key}.prev", label=f"the {span.days} days before", is_calendar=False
        )

    def year_before(self, span: Span) -> Span:
        """The same span one year earlier."""
        if span.is_calendar and span.unit in ("month", "quarter", "year"):
            is_fiscal = span.key.startswith("year.fy")
            earlier = self.of_unit(span.unit, add_months(span.start, -12), is_fiscal=is_fiscal)
            return self.same_point(span, earlier)
        if span.unit == "week":
            return self.same_point(span, self.week(span.start - timedelta(weeks=52)))
        start, end = add_months(span.start, -12), add_months(span.end, -12)
        return self.of_day(start) if start == end else self.between(start, end)

    def _to_date(self, span: Span) -> Span:
        if not span.start <= self.day < span.end:
            return span
        return replace(span, end=self.day, label=f"{span.label} to date", is_to_date=True)


def add_months(day: date, months: int) -> date:
    """`day` moved by months; the month's last day where it has no such day."""
    first = shift_months(day.replace(day=1), months)
    return min(day.replace(year=first.year, month=first.month, day=1) + timedelta(days=day.day - 1), last_of(first))


def last_of(day: date) -> date:
    """The last day of the month that holds `day`."""
    return shift_months(day.replace(day=1), 1) - _ONE


def _plural(unit: str, count: int) -> str:
    return unit if count == 1 else f"{unit}s"
