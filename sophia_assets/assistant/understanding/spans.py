"""Times in a question: which days its words mean.

Belongs here: the words for days, weeks, months, quarters and years, and what they mean on the last day with data.
Does not belong here: which of several times is measured and which is compared to (`time_reading`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from sophia_assets.assistant.understanding.calendar_spans import Calendar
from sophia_assets.assistant.understanding.dates import DATE, DAY, MONTH, WEEKDAYS, NoSuchTime
from sophia_assets.assistant.understanding.time_words import (
    NUMBERS,
    read_ago,
    read_as_of,
    read_between_units,
    read_fiscal_year,
    read_half,
    read_last_units,
    read_month,
    read_named_unit,
    read_next_units,
    read_now,
    read_numbered_month,
    read_quarter,
    read_range,
    read_relative_day,
    read_same_time,
    read_shift,
    read_since,
    read_single,
    read_slashed,
    read_to_date,
    read_unit_before,
    read_until,
    read_week_number,
    read_week_of,
    read_year,
)
from sophia_assets.assistant.understanding.times import Grain, Rhythm, Time
from sophia_assets.assistant.understanding.words import Line
from sophia_assets.metrics.periods import long_date

_COUNT = (
    r"(?P<n>\d{1,3}|(?:a )?couple of|twenty four|"
    + "|".join(sorted((word for word in NUMBERS if " " not in word), key=len, reverse=True))
    + ")"
)


_UNIT = r"(?P<unit>day|week|month|quarter|year)s?"


_YEAR = r"(?:20\d{2}|'?\d{2})"


def times_in(line: Line, calendar: Calendar, *, are_apart: bool = False) -> list[Time]:
    """The times that the words name, in order. With `are_apart`, `Q2 to Q3` are two times and no span."""
    found: list[Time] = []
    place = 0
    while place < len(line.text):
        best: tuple[re.Match[str], Callable[[re.Match[str], Calendar], Time]] | None = None
        for pattern, read in _PATTERNS:
            if are_apart and pattern is _PLAIN_RANGE:
                continue
            match = pattern.match(line.text, place)
            if match and (best is None or match.end() > best[0].end()):
                best = match, read
        if best is None:
            next_word = line.text.find(" ", place)
            place = len(line.text) if next_word < 0 else next_word + 1
            continue
        match, read = best
        tokens = line.covered(*match.span())
        try:
            time = replace(read(match, calendar), tokens=tokens)
        except (NoSuchTime, ValueError, OverflowError):
            time = Time(tokens, problem=f'There is no such time as "{match.group()}".')
        found.append(_checked(time, calendar))
        place = match.end() + 1
    return found


def rhythms_in(line: Line) -> Iterator[Rhythm]:
    """The words that ask for one value per day, week, month, quarter or year."""
    for match in _RHYTHM.finditer(line.text):
        word = next(group for group in match.groups() if group)
        grain: dict[str, Grain] = {
            "daily": "day",
            "weekly": "week",
            "monthly": "month",
            "quarterly": "quarter",
            "yearly": "year",
            "annually": "year",
            "day": "day",
            "week": "week",
            "month": "month",
            "quarter": "quarter",
            "year": "year",
        }
        yield Rhythm(line.covered(*match.span()), grain[word])


_RHYTHM = re.compile(
    r"\b(?:(?:per|by|each|every) (?:calendar |fiscal )?(day|week|month|quarter|year)s?"
    r"|(day|week|month|quarter|year) (?:by|after|on|over) (?:day|week|month|quarter|year)(?= trend| basis| chart)"
    r"|(day|week|month|quarter|year) by (?:day|week|month|quarter|year)"
    r"|(?:on a )?(daily|weekly|monthly|quarterly|yearly|annually)(?: basis| trend)?)\b"
)


def _checked(time: Time, calendar: Calendar) -> Time:
    """The time, with what keeps it from being told: it lies ahead, or before the data begins."""
    span = time.span
    if span is None or time.problem:
        return time
    if span.start > calendar.day or (span.end > calendar.day and not span.is_to_date):
        return replace(
            time, problem=f"The data ends on {long_date(calendar.day)} and says nothing of what comes after it."
        )
    if span.end < calendar.history_start:
        return replace(
            time, problem=f"The data begins on {long_date(calendar.history_start)} and knows nothing before it."
        )
    return time


def _compiled(
    *pairs: tuple[str, Callable[[re.Match[str], Calendar], Time]],
) -> list[tuple[re.Pattern[str], Callable[[re.Match[str], Calendar], Time]]]:
    return [(re.compile(rf"{pattern}(?![^ ])"), read) for pattern, read in pairs]


_WHICH = (
    r"(?P<which>this|the current|current|next|the next|coming|upcoming|the coming|the upcoming|following|the following"
    r"|last|the last|past|the past|previous|the previous|prior|the prior|the preceding|preceding)"
)


_OF_YEAR = (
    r"(?: of (?:the|this|the current) year| (?:of )?(?:fy ?|fiscal year )?(?P<year>20\d{2}|\d{2}(?![^ ]))"
    r"| (?P<lastyear>last year)| of this year)?"
)


_PATTERNS = _compiled(
    (
        r"(?:right now|now|currently|at the moment|at present|presently|as of now|as of today|to date|so far|nowadays"
        r"|these days)",
        read_now,
    ),
    (r"(?:the )?(?P<day>day before yesterday|today|yesterday|tomorrow)", read_relative_day),
    (
        rf"(?:in |during |for |over |of )?{_WHICH} (?P<fiscal>fiscal |financial |calendar )?(?P<unit>day|week"
        rf"|month|quarter|year)"
        r"(?: so far| to date)?",
        read_named_unit,
    ),
    (r"(?:in )?the (?P<unit>week|month|quarter|year) (?P<before>before) (?P<which>last)", read_named_unit),
    (
        r"(?:so far )?(?:the )?(?P<fiscal>fiscal )?(?:(?P<td>week|month|quarter|year) to date|(?P<short>[wmqy]td))",
        read_to_date,
    ),
    (
        rf"(?:since |(?:(?:in|over|during|for|within) )?(?:the )?(?:last|past|previous|prior|trailing|preceding) )"
        rf"(?:full )?{_COUNT} "
        rf"(?:full |calendar |business )?{_UNIT}",
        read_last_units,
    ),
    (
        rf"(?:in |over |during |for |within )?(?:the )?(?:next|coming|upcoming|following) {_COUNT} {_UNIT}",
        read_next_units,
    ),
    (rf"{_COUNT} {_UNIT} (?:ago|earlier)", read_ago),
    (
        rf"(?:in )?(?:the )?(?:fiscal )?(?:q(?P<q>[1-4])|(?P<ordinal>first|second|third|fourth|1st|2nd|3rd|4th) "
        rf"quarter)"
        rf"{_OF_YEAR}",
        read_quarter,
    ),
    (r"(?:in )?(?P<year2>20\d{2}) q(?P<q>[1-4])", read_quarter),
    (rf"(?:in )?(?:the )?(?:h(?P<h>[12])|(?P<ordinal>first|second|1st|2nd) half){_OF_YEAR}", read_half),
    (r"(?:in )?(?:fy ?(?P<year>20\d{2}|\d{2})|(?:the )?(?:fiscal|financial) year )", read_fiscal_year),
    (r"(?:in )?(?:the )?(?:fiscal|financial) year (?P<year>20\d{2})", read_fiscal_year),
    (r"(?:in |during |for |of )?(?:the )?(?:year |calendar year |all of |whole of )?(?P<year>20\d{2})", read_year),
    (
        rf"(?:in |during |for |of |over |throughout )(?P<month>{MONTH})(?: (?P<year>{_YEAR})| (?P<lastyear>(?:of "
        rf")?last year)| this year)?",
        read_month,
    ),
    (
        rf"(?:last |this )?(?P<month>(?!(?:may|mar|march|jan|dec|jun)(?! (?:vs|versus|and|to|compared"
        rf"|against|than))){MONTH})(?: (?P<year>20\d{{2}})| "
        rf"(?P<lastyear>(?:of )?last year))?",
        read_month,
    ),
    (rf"(?P<month>{MONTH}) (?P<year>20\d{{2}})", read_month),
    (r"(?:in |during |for |of )?(?P<numbered>20\d{2}-\d{2}|\d{1,2}/20\d{2})", read_numbered_month),
    (
        r"(?:in |during |for |of )?(?:the )?(?:(?:calendar |iso )?(?:week|wk) (?:number |no |nr )?|[ck]?w ?)"
        r"(?P<n>\d{1,2})(?: (?:of )?(?P<year>20\d{2}))?",
        read_week_number,
    ),
    (
        rf"(?:on |at )?(?P<date>\d{{4}}-\d{{2}}-\d{{2}}|(?:the )?{DAY} (?:of )?{MONTH}(?: 20\d{{2}})?"
        rf"|{MONTH} (?:the )?{DAY}(?: 20\d{{2}})?|(?:last )?(?:{'|'.join(WEEKDAYS)}))",
        read_single,
    ),
    (
        rf"(?:at |by )?(?P<date>(?:the )?(?:end|start|beginning) of (?:(?:the|this|last) (?:week|month|quarter|year)"
        rf"|{MONTH}(?: 20\d{{2}})?|q[1-4](?: 20\d{{2}})?|(?:the )?(?:first|second|third|fourth) quarter(?: 20\d{{2}})?"
        rf"|20\d{{2}}))",
        read_as_of,
    ),
    (rf"(?:between|from) (?P<first>{DATE}) (?:and|to|until|till|through|thru|-) (?P<last>{DATE})", read_range),
    (rf"(?P<first>{DATE}) (?:to|until|till|through|thru|-) (?P<last>{DATE})", read_range),
    (rf"(?P<how>since|after|starting|from) (?P<date>{DATE})(?: on| onwards?)?", read_since),
    (rf"(?P<how>until|till|before|prior to|up to|through) (?P<date>{DATE})", read_until),
    (rf"(?:as of|as at|at|by|on) (?P<date>{DATE})", read_as_of),
    (
        r"(?:the )?(?:same|corresponding) (?:time|period|point|month|quarter|week|day|span)(?: (?:in|of))?"
        r"(?: the)? (?:last|previous|prior|a|one|the year before)(?: (?:year|quarter|month|week))?(?: ago| "
        r"earlier| before)?",
        read_same_time,
    ),
    (r"(?:the |a )?(?P<unit>day|week|month|quarter|year) (?:before(?: that)?|earlier|prior)", read_unit_before),
    (
        r"(?:in |over |during )?(?:the )?(?:last|past|previous) fortnight",
        lambda match, calendar: Time((), calendar.last(2, "week")),
    ),
    (rf"(?:in |during |for )?(?:the )?week (?:of|from|starting|beginning)(?: on)? (?P<date>{DATE})", read_week_of),
    (
        r"(?:in |during |for )?(?:the )?(?P<ordinal>first|second|third|fourth|last) quarter of (?P<year>20\d{2}"
        r"|\d{2}(?![^ ]))",
        read_quarter,
    ),
    (r"(?:on )?(?P<slashed>\d{1,2}[./]\d{1,2}[./]\d{2,4})", read_slashed),
    (
        r"(?:from |between )?(?P<slashed>\d{1,2}[./]\d{1,2}[./]\d{2,4}) (?:to|and|until|-) "
        r"(?P<slashed2>\d{1,2}[./]\d{1,2}[./]\d{2,4})",
        read_slashed,
    ),
    (
        r"(?:the )?(?:previous|prior|preceding) (?:period|one|time)|(?:the )?(?:period|time) before|last time",
        read_shift,
    ),
    (r"(?:year|quarter|month|week) (?:over|on) (?:year|quarter|month|week)|yoy|qoq|mom|wow", read_between_units),
)
_PLAIN_RANGE = next(pattern for pattern, _ in _PATTERNS if pattern.pattern.startswith("(?P<first>"))
