"""What a drill tells of what it has seen."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sophia_assets.drill.dagster_api import Tick
from sophia_assets.drill.place import Days
from sophia_assets.drill.report import Report, Step, timeline

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def tick(seconds: int, reason: str | None = None, *, key: str = "", run: str = "", error: str | None = None) -> Tick:
    runs, keys = ((run,) if run else ()), ((key,) if key else ())
    return Tick(NOON + timedelta(seconds=seconds), "SKIPPED", reason, runs, keys, error)


def test_ticks_that_say_the_same_are_told_once() -> None:
    ticks = [tick(0, "Gong is not asked."), tick(5, "Gong is not asked."), tick(10, key="probe:gong:1:0", run="a" * 36)]

    assert [group.line() for group in timeline(ticks)] == [
        "12:00:00  Gong is not asked. (2 ticks)",
        "12:00:10  asks for probe:gong:1:0 (runs aaaaaaaa)",
    ]


def test_a_tick_that_failed_says_why() -> None:
    assert [group.says for group in timeline([tick(0, error="no disk left")])] == ["failed: no disk left"]


def test_what_did_not_happen_is_told_in_one_line() -> None:
    report = Report("gong", "down", [Step("Gong fails", 3.0, "")], problem="no probe went out", duration_s=200.4)

    assert report.verdict() == "The drill of Gong failed after 200 s: no probe went out"
    assert report.as_json()["passed"] is False


@pytest.mark.parametrize(("now", "last"), [((0, 29), date(2026, 2, 28)), ((0, 30), date(2026, 3, 1))])
def test_the_last_day_of_a_drill_is_the_last_that_is_due(now: tuple[int, int], last: date) -> None:
    days = Days.until(datetime(2026, 3, 2, *now, tzinfo=UTC), 2)

    assert days.last == last
    assert days.missed == (last - timedelta(days=1), last)
    assert days.read == last - timedelta(days=2)
