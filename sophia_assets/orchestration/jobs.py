"""Jobs and schedules.

Each system is read by a job of its own, so that one that fails takes nobody with it; the briefing's
job builds models, facts and the briefing on whatever good data there is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from sophia_assets.settings import WEEKDAYS
from sophia_assets.sources import registry

BRIEFING_JOB = "daily_briefing"
CHECK_JOB = "check_sources"
# Reading starts this long before the briefing is written.
_READ_AHEAD_MINUTES = 30
# The briefing is late when it is not there this long after its schedule.
_GRACE_MINUTES = 30


def ingest_job_name(system: str) -> str:
    """The name of the job that reads a system."""
    return f"ingest_{system}"


def build_jobs(partitions: dg.DailyPartitionsDefinition) -> list[Any]:
    """One ingestion job per system, and the briefing's."""
    ingestion = [
        dg.define_asset_job(
            ingest_job_name(system),
            selection=dg.AssetSelection.groups(system),
            partitions_def=partitions,
            description=f"Reads {registry.display_name(system)} for a day or a range of days and checks what came.",
            tags={"dagster/retry_on_asset_or_op_failure": "false"},
        )
        for system in registry.SYSTEMS
    ]
    briefing = dg.define_asset_job(
        BRIEFING_JOB,
        selection=dg.AssetSelection.groups("staging", "marts", "insight"),
        partitions_def=partitions,
        description="Builds the models, computes the day's facts and writes its briefing, on the last good data.",
    )
    checks = dg.define_asset_job(
        CHECK_JOB,
        selection=dg.AssetSelection.checks_for_assets(
            *(dg.AssetKey([table.system, table.name]) for table in registry.tables())
        ),
        description="Checks every raw table again as it lies in the warehouse, without reading any system.",
    )
    return [*ingestion, briefing, checks]


def build_schedules(
    jobs: Sequence[Any],
    working_days: Sequence[str],
    hour: int,
    timezone: str,
    connected: Callable[[], Collection[str]],
) -> list[dg.ScheduleDefinition]:
    """Every day: read each system. On working days: write the briefing of the day before, at `hour`.

    Reading rests on no day, so that every day's partition is filled and no table looks stale after a
    weekend. `connected` is asked at each tick which systems are read at all.
    """
    by_name = {job.name: job for job in jobs}
    days = _cron_days(working_days)
    return [
        *(_ingestion_schedule(system, by_name, hour, timezone, connected) for system in registry.SYSTEMS),
        _briefing_schedule(by_name[BRIEFING_JOB], f"0 {hour} * * {days}", timezone),
    ]


def briefing_deadline(working_days: Sequence[str], hour: int, timezone: str) -> dg.FreshnessPolicy:
    """By when the briefing has to be there: half an hour after its schedule, on working days."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=f"{_GRACE_MINUTES} {hour} * * {_cron_days(working_days)}",
        lower_bound_delta=timedelta(hours=3),
        timezone=timezone,
    )


def _cron_days(working_days: Sequence[str]) -> str:
    return ",".join(str((WEEKDAYS.index(day) + 1) % 7) for day in working_days)


def _ingestion_schedule(
    system: str, jobs: Mapping[str, Any], hour: int, timezone: str, connected: Callable[[], Collection[str]]
) -> dg.ScheduleDefinition:
    job = jobs[ingest_job_name(system)]

    @dg.schedule(
        name=f"{job.name}_every_day",
        job=job,
        cron_schedule=f"{60 - _READ_AHEAD_MINUTES} {hour - 1} * * *",
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Reads what has changed up to the end of the last complete day.",
    )
    def read_last_complete_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if system not in connected():
            return dg.SkipReason(f"{registry.display_name(system)} is not connected, so there is nothing to read.")
        return _for_last_complete_day(job, context)

    return read_last_complete_day


def _briefing_schedule(job: Any, cron: str, timezone: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job.name}_on_working_days",
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Writes the briefing of the last complete day before work begins.",
    )
    def brief_last_complete_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return _for_last_complete_day(job, context)

    return brief_last_complete_day


def _for_last_complete_day(job: Any, context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    # As of the tick: one that is caught up on later is still for its own day.
    with dg.partition_loading_context(effective_dt=context.scheduled_execution_time):
        key = job.partitions_def.get_last_partition_key()
    if key is None:
        return dg.SkipReason("No day is complete yet: the first partition has not ended.")
    return dg.RunRequest(run_key=key, partition_key=key)
