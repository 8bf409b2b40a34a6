"""Times in questions: which days their words mean on Friday, November 20, 2026, with data from May 1, 2025 on."""

from __future__ import annotations

from datetime import date

import pytest

from sophia_assets.assistant.understanding.calendar_spans import Calendar
from sophia_assets.assistant.understanding.spans import rhythms_in, times_in
from sophia_assets.assistant.understanding.times import Time
from sophia_assets.assistant.understanding.words import Line, cleaned, tokens_of
from sophia_assets.metrics.periods import period_for, series_periods
from sophia_assets_tests.assistant.small_ground import CALENDAR, DAY, HISTORY_START


def _time(words: str, calendar: Calendar = CALENDAR) -> Time:
    found = times_in(Line(tokens_of(cleaned(words)), signs="-"), calendar)
    assert len(found) == 1, f"{words!r} gave {found}"
    return found[0]


@pytest.mark.parametrize(
    ("words", "span"),
    [
        ("today", "2026-11-20..2026-11-20"),
        ("yesterday", "2026-11-19..2026-11-19"),
        ("this week", "2026-11-16..2026-11-20"),
        ("last week", "2026-11-09..2026-11-15"),
        ("month to date", "2026-11-01..2026-11-20"),
        ("last month", "2026-10-01..2026-10-31"),
        ("the quarter before last", "2026-04-01..2026-06-30"),
        ("this year so far", "2026-01-01..2026-11-20"),
        ("since March", "2026-03-01..2026-11-20"),
        ("in March", "2026-03-01..2026-03-31"),
        ("in December", "2025-12-01..2025-12-31"),
        ("in May", "2026-05-01..2026-05-31"),
        ("Q3", "2026-07-01..2026-09-30"),
        ("first quarter of 2026", "2026-01-01..2026-03-31"),
        ("last quarter of 2025", "2025-10-01..2025-12-31"),
        ("H1 2026", "2026-01-01..2026-06-30"),
        ("last 6 weeks", "2026-10-10..2026-11-20"),
        ("over the past 90 days", "2026-08-23..2026-11-20"),
        ("the last fortnight", "2026-11-07..2026-11-20"),
        ("between 1 March and 15 April", "2026-03-01..2026-04-15"),
        ("from Q1 to Q3", "2026-01-01..2026-09-30"),
        ("2026-03-01", "2026-03-01..2026-03-01"),
        ("Nov 3rd, 2026", "2026-11-03..2026-11-03"),
        ("10/31/2026", "2026-10-31..2026-10-31"),
        ("as of 1 June", "2026-06-01..2026-06-01"),
        ("week 45", "2026-11-02..2026-11-08"),
        ("week 50", "2025-12-08..2025-12-14"),
        ("2026-03", "2026-03-01..2026-03-31"),
        ("since two months", "2026-09-21..2026-11-20"),
        ("at the end of the second quarter", "2026-06-30..2026-06-30"),
        ("at the end of Q3", "2026-09-30..2026-09-30"),
        ("at the end of last quarter", "2026-09-30..2026-09-30"),
        ("until April", "2025-05-01..2026-04-30"),
        ("last Friday", "2026-11-13..2026-11-13"),
        ("the week of November 2", "2026-11-02..2026-11-08"),
    ],
)
def test_words_mean_days(words: str, span: str) -> None:
    time = _time(words)
    assert time.span is not None, time.problem
    assert f"{time.span.start}..{time.span.end}" == span
    assert time.problem is None


@pytest.mark.parametrize("words", ["next quarter", "tomorrow", "in 2027", "the next 3 months", "Q1 2027", "2027-01-01"])
def test_the_future_is_told_as_such(words: str) -> None:
    assert "ends on November 20, 2026" in (_time(words).problem or "")


@pytest.mark.parametrize("words", ["in 2019", "January 2024", "Q1 2025", "on March 3, 2020"])
def test_a_time_before_history_is_told_as_such(words: str) -> None:
    assert "begins on May 1, 2025" in (_time(words).problem or "")


@pytest.mark.parametrize("words", ["30 February 2026", "March 32", "2026-13-01", "03/04/2026"])
def test_a_day_that_does_not_exist_or_may_be_two_is_no_time(words: str) -> None:
    assert _time(words).span is None
    assert "no such time" in (_time(words).problem or "")


@pytest.mark.parametrize("words", ["we may win", "they march on", "a second deal", "the next deal", "sat down"])
def test_words_that_only_look_like_times_are_none(words: str) -> None:
    assert times_in(Line(tokens_of(words)), CALENDAR) == []


def test_standard_spans_have_the_keys_and_days_of_the_briefings_periods() -> None:
    for words, key in (("this quarter", "qtd"), ("last 7 days", "last_7d"), ("last 30 days", "last_30d")):
        span = _time(words).span
        period = period_for(key, DAY)[0]
        assert span is not None
        assert (span.key, span.start, span.end) == (period.key, period.start, period.end)
    for words, grain, back in (("in March 2026", "month", -9), ("Q3 2026", "quarter", -2), ("last week", "week", -1)):
        span, period = _time(words).span, series_periods(grain, DAY)[back]
        assert span is not None
        assert (span.key, span.start, span.end) == (period.key, period.start, period.end)


def test_a_fiscal_year_begins_when_the_company_says() -> None:
    calendar = Calendar(DAY, HISTORY_START, fiscal_month=2)
    quarter, year = _time("Q3", calendar).span, _time("FY2027", calendar).span
    assert quarter is not None
    assert year is not None
    assert (quarter.start, quarter.end, quarter.key) == (date(2026, 8, 1), date(2026, 10, 31), "quarter.fy2027-q3")
    assert (year.start, year.end, year.is_to_date) == (date(2026, 2, 1), DAY, True)


def test_what_is_compared_to_a_span_that_goes_on_has_as_many_days() -> None:
    month = CALENDAR.month(DAY)
    assert CALENDAR.before(month).end == date(2026, 10, 20)
    assert CALENDAR.year_before(CALENDAR.quarter(DAY)).end == date(2025, 11, 20)
    assert CALENDAR.before(CALENDAR.month(date(2026, 3, 5))).end == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("words", "grain"), [("monthly", "month"), ("per week", "week"), ("quarter by quarter", "quarter")]
)
def test_words_for_a_rhythm_are_found(words: str, grain: str) -> None:
    assert [rhythm.grain for rhythm in rhythms_in(Line(tokens_of(words)))] == [grain]
