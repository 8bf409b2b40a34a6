"""Which days are due: the newest that are missing, in one go, at the right time, and not again and again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sophia_assets.ingestion.due_windows import MOST_DAYS_BACK, Asked, DayRange, ask_again_at, last_day_due, next_range

BERLIN, NEW_YORK, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("UTC")
LAST = date(2026, 3, 20)
LONG_AGO = date(2025, 1, 1)
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)


def days_but(*missing: int) -> set[str]:
    """The sixty days up to `LAST` without those so many days before it."""
    return {(LAST - timedelta(days=back)).isoformat() for back in range(60) if back not in missing}


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2026, 2, 3, 5, 29, tzinfo=BERLIN), BERLIN, date(2026, 2, 1)),
        (datetime(2026, 2, 3, 5, 30, tzinfo=BERLIN), BERLIN, date(2026, 2, 2)),
        (datetime(2026, 2, 3, 3, tzinfo=UTC), NEW_YORK, date(2026, 2, 1)),
        # Clocks go forward on Sunday, 8 March, and back on Sunday, 1 November.
        (datetime(2026, 3, 8, 5, 30, tzinfo=NEW_YORK), NEW_YORK, date(2026, 3, 7)),
        (datetime(2026, 11, 1, 5, 29, tzinfo=NEW_YORK), NEW_YORK, date(2026, 10, 30)),
        (datetime(2026, 11, 1, 5, 30, tzinfo=NEW_YORK), NEW_YORK, date(2026, 10, 31)),
    ],
)
def test_a_day_is_due_half_an_hour_before_the_briefing_of_the_business_time_zone(
    moment: datetime, zone: ZoneInfo, day: date
) -> None:
    assert last_day_due(moment.astimezone(UTC), 6, zone) == day


def test_a_briefing_just_after_midnight_is_read_for_before_midnight() -> None:
    assert last_day_due(datetime(2026, 2, 3, 0, 30, tzinfo=UTC), 1, LONDON) == date(2026, 2, 2)


def test_nothing_is_due_where_every_table_has_every_day() -> None:
    assert next_range(LONG_AGO, LAST, [days_but(), days_but()]) is None


def test_a_day_that_one_table_lacks_is_due() -> None:
    assert next_range(LONG_AGO, LAST, [days_but(), days_but(0)]) == DayRange(LAST, LAST)


def test_days_that_hang_together_are_read_in_one_go() -> None:
    due = next_range(LONG_AGO, LAST, [days_but(0, 1, 2), days_but(2, 3)])
    assert due == DayRange(LAST - timedelta(days=3), LAST)


def test_the_newest_gap_comes_first_and_older_ones_after_it() -> None:
    assert next_range(LONG_AGO, LAST, [days_but(0, 5, 6)]) == DayRange(LAST, LAST)
    older = next_range(LONG_AGO, LAST, [days_but(5, 6)])
    assert older == DayRange(LAST - timedelta(days=6), LAST - timedelta(days=5))


def test_what_was_missed_longer_ago_than_a_month_is_left_to_a_backfill() -> None:
    assert next_range(LONG_AGO, LAST, [days_but(MOST_DAYS_BACK)]) is None
    first = LAST - timedelta(days=MOST_DAYS_BACK - 1)
    assert next_range(LONG_AGO, LAST, [days_but(MOST_DAYS_BACK - 1)]) == DayRange(first, first)


def test_nothing_is_due_before_the_history_begins() -> None:
    assert next_range(LAST, LAST, [days_but(0, 1, 2)]) == DayRange(LAST, LAST)
    assert next_range(LAST + timedelta(days=1), LAST, [set()]) is None


def test_a_table_that_was_never_read_is_read_with_one_day() -> None:
    assert next_range(LONG_AGO, LAST, [days_but(0, 1, 2), set()]) == DayRange(LAST, LAST)


def test_days_that_were_never_asked_for_are_asked_for() -> None:
    assert ask_again_at([], "1:") is None


def test_days_that_fail_by_themselves_are_asked_for_once_an_hour() -> None:
    asked = [Asked(NOON - timedelta(hours=1), "1:"), Asked(NOON, "1:")]
    assert ask_again_at(asked, "1:") == NOON + timedelta(hours=1)


def test_days_that_the_circuit_held_back_are_asked_for_as_soon_as_it_has_changed() -> None:
    assert ask_again_at([Asked(NOON, "1:")], "3:") == NOON


def test_a_system_that_answers_probes_and_fails_reads_is_asked_ever_more_seldom() -> None:
    waits = []
    for times in range(1, 9):
        again = ask_again_at([Asked(NOON, f"{number}:") for number in range(times)], "99:")
        assert again is not None
        waits.append((again - NOON) // timedelta(minutes=1))
    assert waits == [0, 5, 10, 20, 40, 60, 60, 60]


def test_a_system_that_does_not_answer_is_asked_again_within_minutes() -> None:
    waits = []
    for times in range(1, 7):
        again = ask_again_at([Asked(NOON, "1:")] * times, "1:", does_not_answer=True)
        assert again is not None
        waits.append((again - NOON) // timedelta(minutes=1))
    assert waits == [5, 10, 20, 40, 60, 60]
