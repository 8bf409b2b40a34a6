"""Which days a period means, and which it is compared to."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.periods import period_for, quarter_label, quarter_start, series_periods

DAYS = st.dates(date(2015, 1, 1), date(2035, 12, 31))
MONTHS = st.integers(1, 12)
ONE = timedelta(days=1)


def span(period: Period) -> tuple[str, str]:
    return period.start.isoformat(), period.end.isoformat()


@pytest.mark.parametrize(
    ("day", "now", "before"),
    [
        ("2026-01-01", ("2026-01-01", "2026-01-01"), ("2025-10-01", "2025-10-01")),
        ("2026-02-14", ("2026-01-01", "2026-02-14"), ("2025-10-01", "2025-11-14")),
        ("2026-03-30", ("2026-01-01", "2026-03-30"), ("2025-10-01", "2025-12-28")),
        ("2026-03-31", ("2026-01-01", "2026-03-31"), ("2025-10-01", "2025-12-31")),
        ("2024-03-31", ("2024-01-01", "2024-03-31"), ("2023-10-01", "2023-12-31")),
        ("2026-06-30", ("2026-04-01", "2026-06-30"), ("2026-01-01", "2026-03-31")),
        ("2024-06-29", ("2024-04-01", "2024-06-29"), ("2024-01-01", "2024-03-30")),
        ("2026-12-31", ("2026-10-01", "2026-12-31"), ("2026-07-01", "2026-09-30")),
    ],
)
def test_a_quarter_to_date_is_compared_to_the_same_point_of_the_quarter_before(
    day: str, now: tuple[str, str], before: tuple[str, str]
) -> None:
    period, previous = period_for("qtd", date.fromisoformat(day))
    assert (span(period), span(previous)) == (now, before)


@given(DAYS, MONTHS)
def test_a_quarter_to_date_never_overlaps_what_it_is_compared_to(day: date, first_month: int) -> None:
    period, previous = period_for("qtd", day, first_month)
    assert period.end == day
    assert period.start <= day < period.start + timedelta(days=92)
    assert previous.start <= previous.end < period.start
    assert quarter_start(period.start - ONE, first_month) == previous.start
    ends_quarter = quarter_start(day + ONE, first_month) != period.start
    if ends_quarter:
        assert previous.end == period.start - ONE
    else:
        assert previous.end - previous.start <= period.end - period.start


@given(DAYS, st.sampled_from([("last_7d", 7), ("last_30d", 30), ("last_60d", 60)]))
def test_the_last_days_are_compared_to_as_many_days_just_before(day: date, key: tuple[str, int]) -> None:
    name, days = key
    period, previous = period_for(name, day)
    assert period.end == day
    assert previous.end == period.start - ONE
    assert (period.end - period.start).days + 1 == (previous.end - previous.start).days + 1 == days


def test_a_stock_is_compared_to_the_one_of_thirty_days_before() -> None:
    period, previous = period_for("as_of", date(2024, 3, 1))
    assert (span(period), span(previous)) == (("2024-03-01", "2024-03-01"), ("2024-01-31", "2024-01-31"))
    assert period.label == "on March 1, 2024"


def test_an_unknown_period_is_refused() -> None:
    with pytest.raises(KeyError):
        period_for("last_90d", date(2026, 1, 1))


@pytest.mark.parametrize(
    ("start", "first_month", "label"),
    [
        (date(2026, 1, 1), 1, "Q1 2026"),
        (date(2026, 10, 1), 1, "Q4 2026"),
        (date(2026, 4, 1), 4, "Q1 FY2027"),
        (date(2026, 1, 1), 4, "Q4 FY2026"),
        (date(2025, 11, 1), 2, "Q4 FY2026"),
        (date(2026, 12, 1), 12, "Q1 FY2027"),
    ],
)
def test_a_quarter_is_named_after_the_year_in_which_its_fiscal_year_ends(
    start: date, first_month: int, label: str
) -> None:
    assert quarter_start(start, first_month) == start
    assert quarter_label(start, first_month) == label


@pytest.mark.parametrize(
    ("day", "last_week"),
    [
        ("2026-03-22", "2026-03-16"),
        ("2026-03-23", "2026-03-16"),
        ("2026-03-28", "2026-03-16"),
        ("2026-01-01", "2025-12-22"),
    ],
)
def test_a_trend_of_weeks_ends_with_the_last_whole_one(day: str, last_week: str) -> None:
    weeks = series_periods("week", date.fromisoformat(day))
    assert len(weeks) == 6
    assert weeks[-1].key == f"week.{last_week}"
    assert all(week.start.weekday() == 0 and (week.end - week.start).days == 6 for week in weeks)


def test_a_trend_of_months_has_whole_months_and_the_running_one() -> None:
    months = series_periods("month", date(2024, 3, 10))
    assert [month.key for month in months][:2] == ["month.2023-04", "month.2023-05"]
    assert span(months[-2]) == ("2024-02-01", "2024-02-29")
    assert span(months[-1]) == ("2024-03-01", "2024-03-10")


def test_a_trend_of_quarters_follows_the_fiscal_year() -> None:
    quarters = series_periods("quarter", date(2026, 5, 15), 2)
    assert [quarter.key for quarter in quarters] == [
        "quarter.fy2026-q2",
        "quarter.fy2026-q3",
        "quarter.fy2026-q4",
        "quarter.fy2027-q1",
        "quarter.fy2027-q2",
    ]
    assert span(quarters[-1]) == ("2026-05-01", "2026-05-15")


@given(DAYS, MONTHS, st.sampled_from(["week", "month", "quarter"]))
def test_a_trend_has_no_gap_no_overlap_and_nothing_after_its_day(day: date, first_month: int, grain: str) -> None:
    periods = series_periods(grain, day, first_month)
    assert len({period.key for period in periods}) == len(periods) == {"week": 6, "month": 12, "quarter": 5}[grain]
    assert all(a.end + ONE == b.start for a, b in pairwise(periods))
    assert periods[-1].end <= day
    if grain != "week":
        assert periods[-1].end == day
