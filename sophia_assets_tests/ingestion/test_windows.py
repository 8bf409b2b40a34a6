"""Which span is read: everything at first, then from where loading has got to, a backfill exactly its days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sophia_assets.ingestion.windows import window_for
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.interface import TableState

DAY = timedelta(days=1)


def at(day: int) -> datetime:
    return datetime(2026, 3, day, tzinfo=UTC)


def partition(day: int) -> Window:
    return Window(at(day), at(day + 1))


def state(through: int) -> TableState:
    return TableState("shop.items", at(through), None, at(through), "id", 1)


def test_the_first_load_reads_everything_up_to_the_partitions_end() -> None:
    assert window_for(None, partition(10), lookback=DAY) == Window(None, at(11))


def test_the_first_load_begins_where_history_is_said_to_begin() -> None:
    assert window_for(None, partition(10), lookback=DAY, history_start=at(2)) == Window(at(2), at(11))


def test_the_next_day_is_read_with_the_lookback() -> None:
    assert window_for(state(10), partition(10), lookback=DAY) == Window(at(9), at(11))


def test_days_that_were_missed_are_caught_up() -> None:
    assert window_for(state(5), partition(10), lookback=DAY) == Window(at(4), at(11))


def test_the_newest_day_is_read_again_with_the_lookback() -> None:
    assert window_for(state(11), partition(10), lookback=7 * DAY) == Window(at(3), at(11))


def test_an_older_day_is_read_alone() -> None:
    assert window_for(state(20), partition(10), lookback=DAY) == partition(10)


def test_a_lookback_does_not_reach_behind_the_beginning_of_history() -> None:
    assert window_for(state(4), partition(4), lookback=7 * DAY, history_start=at(2)) == Window(at(2), at(5))


def test_the_newest_day_is_read_up_to_the_present() -> None:
    assert window_for(state(10), partition(10), lookback=DAY, now=at(11) + DAY / 4) == Window(at(9), at(11) + DAY / 4)


def test_the_first_load_of_a_past_day_reads_up_to_the_present() -> None:
    assert window_for(None, partition(4), lookback=DAY, now=at(11)) == Window(None, at(11))


def test_the_last_day_is_read_again_from_where_loading_has_got_to() -> None:
    later = at(11) + DAY / 2
    assert window_for(state(11), partition(10), lookback=DAY, now=later) == Window(at(9), later)


def test_an_older_day_is_read_alone_whatever_the_time_is() -> None:
    assert window_for(state(20), partition(10), lookback=DAY, now=at(21)) == partition(10)
