"""Which days a period key means for a briefing's day, and which days it is compared to.

All days are business days of the business time zone's calendar; spans include both ends.
"""

from __future__ import annotations

from datetime import date, timedelta

from sophia_assets.metrics.facts import Period

STOCK_COMPARISON_DAYS = 30
WEEKS_SHOWN = 6
MONTHS_SHOWN = 12
QUARTERS_SHOWN = 5


def quarter_start(day: date, fiscal_year_start_month: int = 1) -> date:
    """The first day of the fiscal quarter that holds `day`."""
    months_in = (day.month - fiscal_year_start_month) % 3
    return shift_months(day.replace(day=1), -months_in)


def shift_months(day: date, months: int) -> date:
    """`day` moved by whole months; only for days that every month has."""
    index = day.year * 12 + day.month - 1 + months
    return day.replace(year=index // 12, month=index % 12 + 1)


def quarter_label(start: date, fiscal_year_start_month: int = 1) -> str:
    """`Q3 2026`; a fiscal year that does not start in January is named `FY` after the year it ends in."""
    number = (start.month - fiscal_year_start_month) % 12 // 3 + 1
    if fiscal_year_start_month == 1:
        return f"Q{number} {start.year}"
    ends_in = start.year + (1 if start.month >= fiscal_year_start_month else 0)
    return f"Q{number} FY{ends_in}"


def period_for(key: str, day: date, fiscal_year_start_month: int = 1) -> tuple[Period, Period]:
    """The period that `key` means on `day`, and the one it is compared to.

    A quarter to date is compared to the same number of days from the previous quarter's start,
    never past its end; a whole quarter to the whole previous one. Raises KeyError for an unknown key.
    """
    if key == "as_of":
        before = day - timedelta(days=STOCK_COMPARISON_DAYS)
        return (
            Period(key, day, day, f"on {long_date(day)}"),
            Period(f"{key}.prev", before, before, f"on {long_date(before)}"),
        )
    if key == "qtd":
        start = quarter_start(day, fiscal_year_start_month)
        previous_start = shift_months(start, -3)
        previous_end = min(previous_start + (day - start), start - timedelta(days=1))
        if day + timedelta(days=1) == shift_months(start, 3):
            previous_end = start - timedelta(days=1)
        return (
            Period(key, start, day, f"{quarter_label(start, fiscal_year_start_month)} to date"),
            Period(
                f"{key}.prev",
                previous_start,
                previous_end,
                f"the same point of {quarter_label(previous_start, fiscal_year_start_month)}",
            ),
        )
    days = {"last_7d": 7, "last_30d": 30, "last_60d": 60}[key]
    start = day - timedelta(days=days - 1)
    return (
        Period(key, start, day, f"the last {days} days"),
        Period(f"{key}.prev", start - timedelta(days=days), start - timedelta(days=1), f"the {days} days before"),
    )


def series_periods(grain: str, day: date, fiscal_year_start_month: int = 1) -> list[Period]:
    """The periods of a trend that ends on `day`, oldest first.

    Weeks run from Monday and are complete; months and quarters include the current one, to date.
    """
    if grain == "week":
        monday = day - timedelta(days=(day.weekday() + 1) % 7) - timedelta(days=6)
        starts = [monday - timedelta(weeks=back) for back in reversed(range(WEEKS_SHOWN))]
        return [
            Period(f"week.{start.isoformat()}", start, start + timedelta(days=6), f"week of {start:%b} {start.day}")
            for start in starts
        ]
    if grain == "month":
        first = day.replace(day=1)
        starts = [shift_months(first, -back) for back in reversed(range(MONTHS_SHOWN))]
        ends = [min(shift_months(start, 1) - timedelta(days=1), day) for start in starts]
        return [
            Period(f"month.{start:%Y-%m}", start, end, f"{start:%b %Y}")
            for start, end in zip(starts, ends, strict=True)
        ]
    current = quarter_start(day, fiscal_year_start_month)
    starts = [shift_months(current, -3 * back) for back in reversed(range(QUARTERS_SHOWN))]
    periods = []
    for start in starts:
        label = quarter_label(start, fiscal_year_start_month)
        key = f"quarter.{label.split()[1].lower()}-{label.split()[0].lower()}"
        periods.append(Period(key, start, min(shift_months(start, 3) - timedelta(days=1), day), label))
    return periods


def long_date(day: date) -> str:
    """`March 3, 2026`."""
    return f"{day:%B} {day.day}, {day.year}"
