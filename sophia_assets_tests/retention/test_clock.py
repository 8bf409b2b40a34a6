"""A clock that was set wrong costs a week of records at most; a right one is believed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sophia_assets.control.store import ControlStore
from sophia_assets.retention.applying import Held, run
from sophia_assets.retention.clock import AHEAD, believe, believed
from sophia_assets.services import Services
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import QUESTIONS
from sophia_assets_tests.retention.conftest import NOW

DAY = timedelta(days=1)
IN_TEN_YEARS = NOW + 3650 * DAY


class Keeper:
    """Remembers the moments before which it was to remove something."""

    name = "measures"

    def __init__(self) -> None:
        self.cutoffs: list[datetime] = []

    def held(self, cutoff: datetime | None) -> Held:
        return Held(0, None, None, 0)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        self.cutoffs.append(cutoff)
        yield 0


def _recorded(store: ControlStore, *moments: datetime) -> None:
    with store.transaction() as connection:
        for moment in moments:
            write(connection, [QUESTIONS.add(1, channel="page", status="answered")], moment)


def _applied(store: ControlStore, now: datetime) -> datetime:
    return store.run(lambda connection: believe(connection, now))


def test_a_home_without_records_believes_its_clock(store: ControlStore) -> None:
    assert believed(store, NOW) == NOW
    assert _applied(store, NOW) == NOW


def test_of_years_of_records_nothing_is_removed_by_a_clock_that_jumps_for_a_night(services: Services) -> None:
    _recorded(services.control, *(NOW - back * DAY for back in range(40)))
    keeper = Keeper()
    for moment in (NOW, IN_TEN_YEARS, NOW + DAY):
        run(services, [keeper], by="ada", reason="a night", now=moment)
    kept = services.settings.retention.days["measures"] * DAY
    right, wrong, right_again = (cutoff + kept for cutoff in keeper.cutoffs)
    assert right == NOW
    assert wrong <= NOW + AHEAD + DAY
    assert right_again == NOW + DAY


def test_a_first_night_with_a_wrong_clock_is_bounded_as_well(store: ControlStore) -> None:
    _recorded(store, NOW - DAY, NOW, IN_TEN_YEARS)
    assert _applied(store, IN_TEN_YEARS) <= NOW + AHEAD
    assert _applied(store, NOW + DAY) == NOW + DAY, "once it is right again nothing is left of it"


def test_weeks_at_a_wrong_clock_remove_no_faster_than_a_week_a_night(store: ControlStore) -> None:
    _recorded(store, NOW)
    _applied(store, NOW)
    for night in range(5):
        _recorded(store, IN_TEN_YEARS + night * DAY)
        assert _applied(store, IN_TEN_YEARS + night * DAY) <= NOW + (night + 1) * (AHEAD + night * DAY)


def test_after_a_year_that_the_machine_was_off_it_goes_on_a_week_at_a_time(store: ControlStore) -> None:
    _recorded(store, NOW)
    _applied(store, NOW)
    later, nights = NOW + 365 * DAY, 0
    while (moment := _applied(store, later + nights * DAY)) < later + nights * DAY:
        _recorded(store, later + nights * DAY)
        assert moment <= NOW + (nights + 1) * (AHEAD + nights * DAY)
        nights += 1
    assert 5 < nights < 60


def test_a_platform_at_work_whose_records_nobody_removed_for_months_is_believed_at_once(store: ControlStore) -> None:
    _applied(store, NOW)
    later = NOW + 200 * DAY
    _recorded(store, *(NOW + back * DAY for back in range(1, 200)))
    assert _applied(store, later) == later


def test_a_clock_in_the_past_removes_nothing_and_is_forgotten(store: ControlStore) -> None:
    _recorded(store, NOW)
    _applied(store, NOW)
    assert _applied(store, NOW - 20_000 * DAY) == NOW - 20_000 * DAY
    assert _applied(store, NOW + DAY) == NOW + DAY
