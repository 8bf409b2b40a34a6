"""What the words for a time mean on the last day with data: one function for each way to say one.

Belongs here: from a matched pattern to a time. Does not belong here: the patterns (`spans`), names of dates (`dates`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

from sophia_assets.assistant.understanding.calendar_spans import MONTHS_OF, Calendar, Unit, add_months, last_of
from sophia_assets.assistant.understanding.dates import NoSuchTime, dated, month_number, quarter_of
from sophia_assets.assistant.understanding.times import Time
from sophia_assets.metrics.periods import long_date, shift_months

NUMBERS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
        ]
    )
} | {
    "a": 1,
    "an": 1,
    "couple of": 2,
    "a couple of": 2,
    "eighteen": 18,
    "twenty": 20,
    "twenty four": 24,
    "thirty": 30,
    "sixty": 60,
    "ninety": 90,
}


_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "last": 4}


def _in(match: re.Match[str], name: str) -> str:
    """What a group of a pattern caught; nothing where the pattern has no such group."""
    return match.groupdict().get(name) or ""


def _full_year(digits: str) -> int:
    """The year that two or four digits mean."""
    return int(f"20{digits[-2:]}")


def _count(word: str) -> int:
    number = int(word) if word.isdigit() else NUMBERS[word]
    if not 1 <= number <= 999:
        raise NoSuchTime
    return number


def _unit(match: re.Match[str]) -> Unit:
    units: dict[str, Unit] = {"day": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
    return units[match["unit"]]


def read_now(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), is_now=True)


def read_relative_day(match: re.Match[str], calendar: Calendar) -> Time:
    word = match["day"]
    back = {"today": 0, "yesterday": 1, "day before yesterday": 2, "tomorrow": -1}[word]
    span = calendar.of_day(calendar.day - timedelta(days=back))
    return Time((), span, note=f"Today is taken as {long_date(calendar.day)}, the last day with complete data.")


def read_named_unit(match: re.Match[str], calendar: Calendar) -> Time:
    which, unit = match["which"], _unit(match)
    is_rolling = which in ("past", "the past") or (
        unit == "year" and match.group().startswith(("over the last", "during the last"))
    )
    if is_rolling and not _in(match, "fiscal"):
        return Time((), calendar.last(1, unit))
    back = {
        "this": 0,
        "the current": 0,
        "current": 0,
        "next": -1,
        "the next": -1,
        "coming": -1,
        "upcoming": -1,
        "the coming": -1,
        "the upcoming": -1,
        "following": -1,
        "the following": -1,
    }.get(which, 1)
    is_fiscal = bool(_in(match, "fiscal"))
    span = calendar.back(unit, back, is_fiscal=is_fiscal)
    if _in(match, "before"):
        span = calendar.back(unit, back + 1, is_fiscal=is_fiscal)
    return Time((), span)


def read_to_date(match: re.Match[str], calendar: Calendar) -> Time:
    word = _in(match, "td") or _in(match, "short")
    unit: Unit = {"w": "week", "m": "month", "q": "quarter", "y": "year"}[word[0]]  # type: ignore[assignment]
    return Time((), calendar.back(unit, 0, is_fiscal=bool(_in(match, "fiscal"))))


def read_last_units(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), calendar.last(_count(match["n"]), _unit(match)))


def read_next_units(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), calendar.of_day(calendar.day + timedelta(days=1)))


def read_ago(match: re.Match[str], calendar: Calendar) -> Time:
    count, unit = _count(match["n"]), _unit(match)
    if unit == "year":
        day = add_months(calendar.day, -12 * count)
        return Time((), calendar.month(day), point=day)
    if unit in ("day", "week"):
        day = calendar.day - timedelta(days=count * (7 if unit == "week" else 1))
    else:
        day = add_months(calendar.day, -count * MONTHS_OF[unit])
    return Time((), calendar.back(unit, count), point=day)


def read_quarter(match: re.Match[str], calendar: Calendar) -> Time:
    number = int(_in(match, "q")) if _in(match, "q") else _ORDINALS[_in(match, "ordinal")]
    year = _in(match, "year") or _in(match, "year2")
    last = bool(_in(match, "lastyear"))
    return Time((), quarter_of(number, _full_year(year) if year else None, calendar, is_last_year=last))


def read_half(match: re.Match[str], calendar: Calendar) -> Time:
    number = int(_in(match, "h")) if _in(match, "h") else _ORDINALS[_in(match, "ordinal")]
    year = _in(match, "year") or _in(match, "year2")
    current = calendar.year(calendar.day, is_fiscal=True)
    start = shift_months(current.start, 6 * (number - 1))
    if year:
        ends_in = current.start.year + (0 if calendar.fiscal_month == 1 else 1)
        start = shift_months(start, 12 * (_full_year(year) - ends_in))
    elif _in(match, "lastyear") or start > calendar.day:
        start = shift_months(start, -12)
    return Time((), calendar.half(start))


def read_fiscal_year(match: re.Match[str], calendar: Calendar) -> Time:
    year = _full_year(_in(match, "year"))
    month = calendar.fiscal_month
    return Time((), calendar.year(date(year - (0 if month == 1 else 1), month, 1), is_fiscal=True))


def read_numbered_month(match: re.Match[str], calendar: Calendar) -> Time:
    """`2026-03` and `3/2026`."""
    year, month = sorted(map(int, re.split("[-/]", match["numbered"])), reverse=True)
    return Time((), calendar.month(date(year, month, 1)))


def read_week_number(match: re.Match[str], calendar: Calendar) -> Time:
    """`week 45`: a week of the ISO calendar, the newest one of that number that has begun."""
    number = int(match["n"])
    year = int(_in(match, "year") or calendar.day.isocalendar().year)
    start = date.fromisocalendar(year, number, 1)
    if start > calendar.day and not _in(match, "year"):
        start = date.fromisocalendar(year - 1, number, 1)
    return Time((), calendar.week(start))


def read_year(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), calendar.year(date(int(_in(match, "year")), 6, 1)))


def read_month(match: re.Match[str], calendar: Calendar) -> Time:
    number = month_number(match["month"])
    if _in(match, "year"):
        start = date(_full_year(_in(match, "year")), number, 1)
    else:
        start = date(calendar.day.year, number, 1)
        if start > calendar.day or (_in(match, "lastyear") and start.year == calendar.day.year):
            start = shift_months(start, -12)
    return Time((), calendar.month(start))


def read_single(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), dated(match["date"], calendar))


def read_range(match: re.Match[str], calendar: Calendar) -> Time:
    first, last = dated(match["first"], calendar), dated(match["last"], calendar)
    if first.start > last.end and not re.search(r"20\d{2}", match["first"]):
        earlier = add_months(first.start, -12)
        first = replace(first, start=earlier, end=earlier if first.unit == "day" else last_of(earlier))
    if first.start > last.end:
        raise NoSuchTime
    if last.end > calendar.day and last.start > calendar.day:
        return Time((), last)
    return Time((), calendar.between(first.start, last.end))


def read_since(match: re.Match[str], calendar: Calendar) -> Time:
    span = dated(match["date"], calendar)
    start = span.end + timedelta(days=1) if match["how"] == "after" else span.start
    if start > calendar.day:
        return Time((), span)
    return Time((), replace(calendar.between(start, calendar.day), label=f"since {long_date(start)}"))


def read_until(match: re.Match[str], calendar: Calendar) -> Time:
    span = dated(match["date"], calendar)
    end = span.start - timedelta(days=1) if match["how"] in ("before", "prior to") else span.end
    if end < calendar.history_start or end > calendar.day:
        return Time((), calendar.of_day(end))
    whole = calendar.between(calendar.history_start, end)
    note = f"What came until then is counted from {long_date(calendar.history_start)}, when the data begins."
    return Time((), replace(whole, label=f"until {long_date(end)}"), note=note)


def read_as_of(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), calendar.of_day(dated(match["date"], calendar).end))


def read_shift(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), shift="year" if "year" in match.group() or match.group() == "yoy" else "before", is_compared=True)


def read_same_time(match: re.Match[str], calendar: Calendar) -> Time:
    is_year = "year" in match.group()
    return Time((), shift="year" if is_year else "before", is_compared=True)


def read_between_units(match: re.Match[str], calendar: Calendar) -> Time:
    unit: Unit = {"yoy": "year", "qoq": "quarter", "mom": "month", "wow": "week"}.get(  # type: ignore[assignment]
        match.group(), match.group().split()[0]
    )
    if unit == "year":
        return Time((), shift="year", is_compared=True)
    return Time((), shift="before", is_compared=True, main=calendar.back(unit, 0))


def read_unit_before(match: re.Match[str], calendar: Calendar) -> Time:
    """`the month before`: told by another time."""
    return Time((), shift="before", unit=_unit(match))


def read_week_of(match: re.Match[str], calendar: Calendar) -> Time:
    return Time((), calendar.week(dated(match["date"], calendar).start))


def read_slashed(match: re.Match[str], calendar: Calendar) -> Time:
    """`10/31/2026`: sure only where one of its parts can be no month."""
    parts = [
        [int(part) for part in re.split("[./]", text)] for text in (match["slashed"], _in(match, "slashed2")) if text
    ]
    is_month_first = any(two > 12 for _, two, _ in parts)
    if not is_month_first and not any(one > 12 for one, _, _ in parts) and any(one != two for one, two, _ in parts):
        raise NoSuchTime
    days = [
        date(year % 100 + 2000, one if is_month_first else two, two if is_month_first else one)
        for one, two, year in parts
    ]
    return Time((), calendar.of_day(days[0]) if len(days) == 1 else calendar.between(days[0], days[-1]))
