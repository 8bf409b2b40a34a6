"""Jobs and schedules.

Each system is read by a job of its own, so that one that fails takes nobody with it; the briefing's
job builds models, facts and the briefing on whatever good data there is.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from sophia_assets.settings import WEEKDAYS
from sophia_assets.sources import registry

BRIEFING_JOB = "daily_briefing"
# Reading starts this long before the briefing is written.
_READ_AHEAD_MINUTES = 30


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
    return [*ingestion, briefing]


def build_schedules(
    jobs: Sequence[Any], working_days: Sequence[str], hour: int, timezone: str
) -> list[dg.ScheduleDefinition]:
    """On working days: read every system, then write the briefing of the day before."""
    days = ",".join(str((WEEKDAYS.index(day) + 1) % 7) for day in working_days)
    early = timedelta(hours=hour + 24) - timedelta(minutes=_READ_AHEAD_MINUTES)
    early_hour, early_minute = divmod(int(early.total_seconds()) // 60 % (24 * 60), 60)
    schedules = []
    for job in jobs:
        is_briefing = job.name == BRIEFING_JOB
        cron = f"0 {hour} * * {days}" if is_briefing else f"{early_minute} {early_hour} * * {days}"
        schedules.append(_schedule(job, cron, timezone, is_briefing))
    return schedules


def _schedule(job: Any, cron: str, timezone: str, is_briefing: bool) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{job.name}_on_working_days",
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=(
            "Writes the briefing of the last complete day before work begins."
            if is_briefing
            else "Reads what has changed up to the end of the last complete day."
        ),
    )
    def last_complete_day(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        partitions = job.partitions_def
        key = partitions.get_last_partition_key(context.scheduled_execution_time)
        if key is None:
            yield dg.SkipReason("No day is complete yet: the first partition has not ended.")
            return
        yield dg.RunRequest(run_key=key, partition_key=key)

    return last_complete_day
