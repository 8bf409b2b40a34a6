"""Dates as questions write them: days, months, quarters and years by their names.

Belongs here: what one date's words mean. Does not belong here: spans between dates, and words of time (`spans`).
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from sophia_assets.assistant.understanding.calendar_spans import Calendar, Span, Unit, add_months, last_of
from sophia_assets.insight.lexicon import MONTHS
from sophia_assets.metrics.periods import shift_months

WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

MONTH = "(?:" + "|".join(f"{name}|{name[:3]}" + ("|sept" if name == "september" else "") for name in MONTHS) + ")"

DAY = r"(?:[0-3]?\d)(?:st|nd|rd|th)?"

DATE = (
    r"(?:\d{4}-\d{2}-\d{2}"
    rf"|(?:the )?{DAY} (?:of )?{MONTH}(?: 20\d{{2}})?"
    rf"|{MONTH} (?:the )?{DAY}(?!\d)(?: 20\d{{2}})?"
    rf"|(?:early |late |mid |the end of |the close of |the start of |the beginning of )?{MONTH}(?: 20\d{{2}})?"
    r"|(?:fiscal )?q[1-4](?: (?:of )?(?:fy ?)?20\d{2})?"
    r"|(?:the )?(?:start|beginning|end|close) of (?:the|this|last) (?:week|month|quarter|year)"
    r"|(?:last|this|the previous) (?:week|month|quarter|year)"
    rf"|(?:last )?(?:{'|'.join(WEEKDAYS)})"
    r"|yesterday|today|now|20\d{2})"
)


class NoSuchTime(Exception):
    """The words name no day of the calendar."""


def quarter_of(number: int, year: int | None, calendar: Calendar, *, is_last_year: bool = False) -> Span:
    current = calendar.year(calendar.day, is_fiscal=True)
    start = shift_months(current.start, 3 * (number - 1))
    if year is not None:
        ends_in = calendar.year(start, is_fiscal=True).start.year + (0 if calendar.fiscal_month == 1 else 1)
        start = shift_months(start, 12 * (year - ends_in))
    elif is_last_year or start > calendar.day:
        start = shift_months(start, -12)
    return calendar.quarter(start)


def _quarter_spelled(text: str) -> str:
    """`the second quarter` is `q2`."""
    names = {"first": 1, "second": 2, "third": 3, "fourth": 4}
    return re.sub(r"(?:the )?(\w+) quarter", lambda match: f"q{names[match[1]]}", text)


def month_number(word: str) -> int:
    return next(place for place, name in enumerate(MONTHS, start=1) if name[:3] == word[:3])


def dated(text: str, calendar: Calendar) -> Span:
    """The day, month, quarter or year that a date's words mean."""
    text = text.removeprefix("the ").replace("close of", "end of")
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text):
        return calendar.of_day(date(*(int(part) for part in match.groups())))
    if match := re.fullmatch(r"(end|start|beginning) of (?:the|this|last) (week|month|quarter|year)", text):
        unit: Unit = match[2]  # type: ignore[assignment]
        span = calendar.back(unit, 1 if " last " in text else 0)
        return calendar.of_day(span.end if match[1] == "end" else span.start)
    if match := re.fullmatch(r"(end|start|beginning) of (.*(?:q[1-4]|quarter)(?: 20\d{2})?|20\d{2})", text):
        whole = dated(_quarter_spelled(match[2]), calendar)
        return calendar.of_day(whole.end if match[1] == "end" else whole.start)
    if match := re.fullmatch(r"(?:last|this|previous) (week|month|quarter|year)", text):
        unit = match[1]  # type: ignore[assignment]
        return calendar.back(unit, 0 if text.startswith("this") else 1)
    if text in ("yesterday", "today", "now"):
        return calendar.of_day(calendar.day - timedelta(days=text == "yesterday"))
    if text.removeprefix("last ") in WEEKDAYS:
        back = (calendar.day.weekday() - WEEKDAYS.index(text.removeprefix("last "))) % 7
        return calendar.of_day(calendar.day - timedelta(days=back or 7 * text.startswith("last ")))
    if match := re.fullmatch(r"(?:fiscal )?q([1-4])(?: (?:of )?(?:fy ?)?(20\d{2}))?", text):
        return quarter_of(int(match[1]), int(match[2]) if match[2] else None, calendar)
    if re.fullmatch(r"20\d{2}", text):
        return calendar.year(date(int(text), 6, 1))
    return _day_or_month(text, calendar)


def _day_or_month(text: str, calendar: Calendar) -> Span:
    year_found = re.search(r"20\d{2}", text)
    name = re.search(MONTH, text)
    if name is None:
        raise NoSuchTime
    number = month_number(name.group())
    rest = text.replace(name.group(), " ", 1)
    rest = rest.replace(year_found.group(), " ") if year_found else rest
    day_found = re.search(r"\d{1,2}", rest)
    day = int(day_found.group()) if day_found else 1
    year = int(year_found.group()) if year_found else calendar.day.year
    start = date(year, number, min(day, last_of(date(year, number, 1)).day))
    if day_found and start.day != day:
        raise NoSuchTime
    if not year_found and start > calendar.day:
        start = add_months(start, -12)
    if day_found:
        return calendar.of_day(start)
    month = calendar.month(start)
    if "the end of" in text or text.startswith("end of"):
        return calendar.of_day(month.end)
    return calendar.of_day(month.start) if re.match("(?:the )?(?:start|beginning)", text) else month
