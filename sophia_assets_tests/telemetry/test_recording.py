"""Figures that short-lived processes leave in the control store: added up, held for a while, never in anybody's way."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from sophia_assets.control.schema import measures
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import ControlStoreUnavailable
from sophia_assets.telemetry.recording import EVER, Recorder, write
from sophia_assets.telemetry.series import BRIEFING_SECONDS, FETCH_SECONDS, FETCHES, RETENTION_RUN, ROWS, Point
from sophia_assets_tests.telemetry.recorded import cells, value

MONDAY = datetime(2026, 11, 16, 23, 59, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 17, 0, 1, tzinfo=UTC)


def written(store: ControlStore, *points: Point, at: datetime | None = None) -> None:
    with store.transaction() as connection:
        write(connection, points, at)


def test_what_happens_is_added_up_since_ever_and_by_day(store: ControlStore) -> None:
    written(store, FETCHES.add(source="gong"), FETCHES.add(2, source="gong"), at=MONDAY)
    written(store, FETCHES.add(4, source="gong"), FETCHES.add(source="slack"), at=TUESDAY)
    gong, slack = (FETCHES.name, ("gong",), "value"), (FETCHES.name, ("slack",), "value")
    assert cells(store) == {gong: 7, slack: 1}
    assert cells(store, "2026-11-16") == {gong: 3}
    assert cells(store, "2026-11-17") == {gong: 4, slack: 1}


def test_an_observation_is_counted_in_the_first_bucket_that_holds_it(store: ControlStore) -> None:
    for seconds in (0.0, 0.1, 0.11, 3_601.0):
        written(store, FETCH_SECONDS.observe(seconds, source="gong"))
    found = {part: amount for (_, _, part), amount in cells(store).items()}
    assert found == {"0.1": 2, "0.5": 1, "+Inf": 1, "sum": pytest.approx(3_601.21), "count": 4}


def test_a_gauge_is_what_it_was_set_to_last_and_has_no_day(store: ControlStore) -> None:
    for rows in (5, 7, 3):
        written(store, ROWS.set(rows, source="gong", table="calls"), at=MONDAY)
    assert value(store, ROWS, source="gong", table="calls") == 3
    assert cells(store, "2026-11-16") == {}


def test_one_without_labels_is_kept_like_others(store: ControlStore) -> None:
    written(store, RETENTION_RUN.set(12.5))
    assert value(store, RETENTION_RUN) == 12.5


@pytest.mark.parametrize("text", ["\0", "\ud800", "x" * 100_000, '"\\' * 5_000, "Zoë 🦆 שלום", "", "a\nb"])
def test_a_label_of_any_kind_is_kept_and_never_too_long(store: ControlStore, text: str) -> None:
    written(store, FETCHES.add(source=text))
    written(store, FETCHES.add(source=text))
    with store.reading() as connection:
        rows = connection.execute(select(measures).where(measures.c.day == EVER)).all()
    assert [row.value for row in rows] == [2]
    assert len(rows[0].labels) <= 500


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_what_is_no_number_is_left_out(store: ControlStore, number: float) -> None:
    written(store, ROWS.set(number, source="a", table="b"), FETCH_SECONDS.observe(number, source="a"))
    assert cells(store) == {}


def test_held_points_are_written_together_once_the_time_is_over(store: ControlStore) -> None:
    recorder = Recorder(store, hold_seconds=0.05)
    for _ in range(100):
        recorder.record(FETCHES.add(source="gong"), BRIEFING_SECONDS.observe(1.5, kind="daily_briefing"))
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()
    assert value(store, FETCHES, source="gong") == 100
    assert value(store, BRIEFING_SECONDS, "sum", kind="daily_briefing") == 150
    recorder.close()


def test_what_is_held_is_written_when_the_recorder_is_closed(store: ControlStore) -> None:
    recorder = Recorder(store, hold_seconds=3_600)
    recorder.record(FETCHES.add(source="gong"))
    assert value(store, FETCHES, source="gong") is None
    recorder.close()
    recorder.close()
    assert value(store, FETCHES, source="gong") == 1
    recorder.record(FETCHES.add(source="gong"))
    recorder.close()
    assert value(store, FETCHES, source="gong") == 2


def test_many_threads_lose_nothing(store: ControlStore) -> None:
    recorder = Recorder(store, hold_seconds=0.01)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(4_000):
            threads.submit(recorder.record, FETCHES.add(source="gong"), ROWS.set(1, source="gong", table="calls"))
    recorder.close()
    assert value(store, FETCHES, source="gong") == 4_000


def test_what_somebody_writes_and_does_not_commit_is_not_there(store: ControlStore) -> None:
    with pytest.raises(RuntimeError, match="no"), store.transaction() as connection:
        write(connection, [FETCHES.add(source="gong")])
        raise RuntimeError("no")
    assert cells(store) == {}


class Moody(ControlStore):
    """A store that cannot be used while it is told so, and counts how often that was tried."""

    is_away, tries = False, 0

    def transaction(self):  # type: ignore[no-untyped-def]
        """As the store's own."""
        self.tries += 1
        if self.is_away:
            raise ControlStoreUnavailable("it is away")
        return super().transaction()


@pytest.mark.parametrize("hold_seconds", [0.0, 3_600.0])
def test_a_store_that_is_away_disturbs_nobody_and_gets_everything_later(tmp_path: Path, hold_seconds: float) -> None:
    store = Moody(f"sqlite:///{tmp_path / 'control.db'}")
    recorder = Recorder(store, hold_seconds=hold_seconds)
    store.is_away = True
    with capture_logs() as told:
        for rows in range(50):
            recorder.record(FETCHES.add(source="gong"), ROWS.set(rows, source="gong", table="calls"))
            if hold_seconds:
                recorder.flush()
        recorder.flush()
    assert [each["problem"] for each in told] == ["it is away"]
    store.is_away = False
    recorder.close()
    assert value(store, FETCHES, source="gong") == 50
    assert value(store, ROWS, source="gong", table="calls") == 49


def test_who_need_not_hold_does_not_wait_for_a_store_that_is_away_each_time(tmp_path: Path) -> None:
    store = Moody(f"sqlite:///{tmp_path / 'control.db'}")
    store.is_away = True
    recorder = Recorder(store)
    for _ in range(50):
        recorder.record(FETCHES.add(source="gong"))
    assert store.tries == 1
    recorder.close()


def test_a_forked_process_leaves_to_its_parent_what_that_has_measured(tmp_path: Path) -> None:
    store = ControlStore(f"sqlite:///{tmp_path / 'control.db'}")
    recorder = Recorder(store, hold_seconds=3_600)
    recorder.record(FETCHES.add(source="gong"))
    child = os.fork()
    if child == 0:
        try:
            recorder.record(FETCHES.add(source="slack"))
            recorder.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert value(store, FETCHES, source="slack") == 1
    assert value(store, FETCHES, source="gong") is None
    recorder.close()
    assert value(store, FETCHES, source="gong") == 1
