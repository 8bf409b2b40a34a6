"""Jobs that read, check and brief, and the briefing's schedule. What reads the systems in time are circuits' sensors.

Each system is read by a job of its own, so that one that fails takes nobody with it; the briefing's
job builds models, facts and the briefing on whatever good data there is.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from sophia_assets.orchestration.launching import MAX_RUNTIME_TAG, NO_RETRIES
from sophia_assets.settings import WEEKDAYS
from sophia_assets.sources import registry

BRIEFING_JOB = "daily_briefing"
CHECK_JOB = "check_sources"
# A run that reads for longer is taken to be lost; what it has read is kept.
_LONGEST_READ_SECONDS = 6 * 60 * 60
# The briefing is late when it is not there this long after its schedule.
_GRACE_MINUTES = 30


def ingest_job_name(system: str) -> str:
    """The name of the job that reads a system."""
    return f"ingest_{system}"


def build_jobs(partitions: dg.DailyPartitionsDefinition, without: Sequence[dg.AssetChecksDefinition]) -> list[Any]:
    """One ingestion job per system, the briefing's, and the checks'; none runs the checks `without`."""
    left_out = dg.AssetSelection.checks(*without)
    ingestion = [
        dg.define_asset_job(
            ingest_job_name(system),
            selection=dg.AssetSelection.groups(system) - left_out,
            partitions_def=partitions,
            description=f"Reads {registry.display_name(system)} for a day or a range of days and checks what came.",
            tags={**NO_RETRIES, MAX_RUNTIME_TAG: str(_LONGEST_READ_SECONDS)},
        )
        for system in registry.SYSTEMS
    ]
    briefing = dg.define_asset_job(
        BRIEFING_JOB,
        selection=dg.AssetSelection.groups("staging", "marts", "insight"),
        partitions_def=partitions,
        description="Builds the models, computes the day's facts and writes its briefing, on the last good data.",
    )
    tables = [dg.AssetKey([table.system, table.name]) for table in registry.tables()]
    checks = dg.define_asset_job(
        CHECK_JOB,
        selection=dg.AssetSelection.checks_for_assets(*tables) - left_out,
        description="Checks every raw table again as it lies in the warehouse, without reading any system.",
    )
    return [*ingestion, briefing, checks]


def briefing_schedule(
    jobs: Sequence[Any], working_days: Sequence[str], hour: int, timezone: str
) -> dg.ScheduleDefinition:
    """On working days, at `hour`: write the briefing of the day before."""
    job = next(job for job in jobs if job.name == BRIEFING_JOB)

    @dg.schedule(
        name=f"{job.name}_on_working_days",
        job=job,
        cron_schedule=f"0 {hour} * * {_cron_days(working_days)}",
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Writes the briefing of the last complete day before work begins.",
    )
    def brief_last_complete_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # As of the tick: one that is caught up on later is still for its own day.
        with dg.partition_loading_context(effective_dt=context.scheduled_execution_time):
            key = job.partitions_def.get_last_partition_key()
        if key is None:
            return dg.SkipReason("No day is complete yet: the first partition has not ended.")
        return dg.RunRequest(run_key=key, partition_key=key)

    return brief_last_complete_day


def briefing_deadline(working_days: Sequence[str], hour: int, timezone: str) -> dg.FreshnessPolicy:
    """By when the briefing has to be there: half an hour after its schedule, on working days."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=f"{_GRACE_MINUTES} {hour} * * {_cron_days(working_days)}",
        lower_bound_delta=timedelta(hours=3),
        timezone=timezone,
    )


def _cron_days(working_days: Sequence[str]) -> str:
    return ",".join(str((WEEKDAYS.index(day) + 1) % 7) for day in working_days)
