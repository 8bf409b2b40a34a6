"""The briefing's schedule: when it ticks, for which day, and when it has nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from sophia_assets.definitions import build_definitions
from sophia_assets.home import Home
from sophia_assets.orchestration.jobs import BRIEFING_JOB, WEEKLY_JOB

NEW_YORK = ZoneInfo("America/New_York")
BRIEFING = f"{BRIEFING_JOB}_on_working_days"
REVIEW = f"{WEEKLY_JOB}_on_mondays"


@dataclass(frozen=True)
class Defined:
    """A schedule among the definitions that it belongs to."""

    definitions: dg.Definitions
    name: str

    @property
    def schedule(self) -> Any:
        return self.definitions.resolve_schedule_def(self.name)


def schedule(name: str, home: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Defined:
    for setting, value in settings.items():
        monkeypatch.setenv(setting, value)
    return Defined(build_definitions(home=Home(home)), name)


def tick(defined: Defined, moment: datetime) -> Any:
    repository = defined.definitions.get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=moment, repository_def=repository
        )
        return defined.schedule.evaluate_tick(context)


def partition(defined: Defined, moment: datetime) -> str | None:
    (request,) = tick(defined, moment).run_requests
    assert request.run_key == request.partition_key, "a day is asked for once, however often the tick is repeated"
    key: str | None = request.partition_key
    return key


def ticks(defined: Defined, first: datetime, days: int) -> Iterator[datetime]:
    """The local times of a schedule's ticks from `first` on."""
    last = first + timedelta(days=days)
    cron, timezone = defined.schedule.cron_schedule, defined.schedule.execution_timezone
    for moment in schedule_execution_time_iterator(first.timestamp(), cron, timezone, ascending=True):
        if moment >= last:
            return
        yield moment.astimezone(first.tzinfo)


def test_every_schedule_runs_by_default_in_the_business_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHIA_TIMEZONE", "America/New_York")
    schedules = list(build_definitions(home=Home(tmp_path)).schedules or ())
    assert [item.name for item in schedules] == [BRIEFING, REVIEW, "retention_daily"]
    for item in schedules:
        assert isinstance(item, dg.ScheduleDefinition)
        assert item.execution_timezone == "America/New_York"
        assert item.default_status is dg.DefaultScheduleStatus.RUNNING


def test_the_briefing_is_written_on_working_days_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    briefing = schedule(BRIEFING, tmp_path, monkeypatch, SOPHIA_TIMEZONE="America/New_York")
    moments = list(ticks(briefing, datetime(2026, 2, 2, tzinfo=NEW_YORK), days=14))
    assert [f"{moment:%a}" for moment in moments] == ["Mon", "Tue", "Wed", "Thu", "Fri"] * 2
    assert {(moment.hour, moment.minute) for moment in moments} == {(6, 0)}


def test_working_days_and_hour_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"SOPHIA_WORKING_DAYS": "SUN,MON,TUE,WED,THU", "SOPHIA_BRIEFING_HOUR": "1", "SOPHIA_TIMEZONE": "Asia/Dubai"}
    dubai = ZoneInfo("Asia/Dubai")
    briefing = schedule(BRIEFING, tmp_path, monkeypatch, **given)
    moments = list(ticks(briefing, datetime(2026, 2, 1, tzinfo=dubai), days=7))
    assert [f"{moment:%a %H:%M}" for moment in moments] == [
        "Sun 01:00",
        "Mon 01:00",
        "Tue 01:00",
        "Wed 01:00",
        "Thu 01:00",
    ]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 2, 2, 6, tzinfo=NEW_YORK), "2026-02-01"),
        (datetime(2026, 2, 2, 23, 59, tzinfo=NEW_YORK), "2026-02-01"),
        # Already the third in UTC, still the second in New York.
        (datetime(2026, 2, 3, 3, tzinfo=UTC), "2026-02-01"),
        # Clocks go forward on Sunday, 8 March, and back on Sunday, 1 November.
        (datetime(2026, 3, 8, 6, tzinfo=NEW_YORK), "2026-03-07"),
        (datetime(2026, 3, 9, 0, 0, 1, tzinfo=NEW_YORK), "2026-03-08"),
        (datetime(2026, 3, 9, 6, tzinfo=NEW_YORK), "2026-03-08"),
        (datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=1), "2026-10-31"),
        (datetime(2026, 11, 2, 6, tzinfo=NEW_YORK), "2026-11-01"),
        (datetime(2026, 1, 1, 6, tzinfo=NEW_YORK), "2025-12-31"),
    ],
)
def test_a_tick_is_for_the_last_complete_day_in_the_business_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: datetime, day: str
) -> None:
    defined = schedule(BRIEFING, tmp_path, monkeypatch, SOPHIA_TIMEZONE="America/New_York")
    assert partition(defined, moment) == day


def test_mondays_briefing_is_of_sunday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    briefing = schedule(BRIEFING, tmp_path, monkeypatch)
    days = [partition(briefing, moment) for moment in ticks(briefing, datetime(2026, 2, 6, tzinfo=UTC), days=4)]
    assert days == ["2026-02-05", "2026-02-08"]


def test_the_weekly_review_is_written_on_mondays_after_the_daily_briefing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = schedule(REVIEW, tmp_path, monkeypatch, SOPHIA_TIMEZONE="America/New_York", SOPHIA_BRIEFING_HOUR="7")
    moments = list(ticks(review, datetime(2026, 2, 2, tzinfo=NEW_YORK), days=14))
    assert [f"{moment:%a %m-%d %H:%M}" for moment in moments] == ["Mon 02-02 07:15", "Mon 02-09 07:15"]
    assert [partition(review, moment) for moment in moments] == ["2026-01-26", "2026-02-02"]


def test_a_week_of_which_a_day_is_missing_is_not_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    review = schedule(REVIEW, tmp_path, monkeypatch, SOPHIA_HISTORY_START="2026-02-03")
    result = tick(review, datetime(2026, 2, 9, 6, 15, tzinfo=UTC))
    assert not result.run_requests
    assert result.skip_message == "No week is complete yet: the first partition has not ended."


def test_a_tick_before_the_first_day_is_over_says_why_it_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    briefing = schedule(BRIEFING, tmp_path, monkeypatch, SOPHIA_HISTORY_START="2026-02-02")
    result = tick(briefing, datetime(2026, 2, 2, 6, tzinfo=UTC))
    assert not result.run_requests
    assert result.skip_message == "No day is complete yet: the first partition has not ended."
