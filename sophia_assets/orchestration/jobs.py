"""Jobs that read, check and brief, and the briefings' schedules. What reads the systems in time are circuits' sensors.

Each system is read by a job of its own, so that one that fails takes nobody with it; the briefing's
job builds models, facts and the briefing on whatever good data there is.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.orchestration.delivery_assets import delivered_key
from sophia_assets.orchestration.launching import MAX_RUNTIME_TAG, NO_RETRIES
from sophia_assets.settings import WEEKDAYS
from sophia_assets.sources import registry

BRIEFING_JOB = DAILY.key
WEEKLY_JOB = WEEKLY.key
CHECK_JOB = "check_sources"
# A run that reads for longer is taken to be lost; what it has read is kept.
_LONGEST_READ_SECONDS = 6 * 60 * 60
# The weekly review is written so long after the daily briefing of the same morning.
_WEEKLY_AFTER_MINUTES = 15
# The briefing is late when it is not there this long after its schedule.
_GRACE_MINUTES = 30


def ingest_job_name(system: str) -> str:
    """The name of the job that reads a system."""
    return f"ingest_{system}"


def build_jobs(
    partitions: dg.DailyPartitionsDefinition,
    weeks: dg.WeeklyPartitionsDefinition,
    without: Sequence[dg.AssetChecksDefinition],
) -> list[Any]:
    """One ingestion job per system, the briefings', and the checks'; none runs the checks `without`."""
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
        selection=dg.AssetSelection.groups("staging", "marts", "insight") - dg.AssetSelection.assets(_asset_of(WEEKLY))
        | dg.AssetSelection.assets(delivered_key(DAILY)),
        partitions_def=partitions,
        description="Builds the models, computes the day's facts and writes its briefing, on the last good data.",
    )
    weekly = dg.define_asset_job(
        WEEKLY_JOB,
        selection=dg.AssetSelection.groups("staging", "marts")
        | dg.AssetSelection.assets(_asset_of(WEEKLY), delivered_key(WEEKLY)),
        partitions_def=weeks,
        description="Builds the models and writes the business review of a week, on the last good data.",
    )
    tables = [dg.AssetKey([table.system, table.name]) for table in registry.tables()]
    checks = dg.define_asset_job(
        CHECK_JOB,
        selection=dg.AssetSelection.checks_for_assets(*tables) - left_out,
        description="Checks every raw table again as it lies in the warehouse, without reading any system.",
    )
    return [*ingestion, briefing, weekly, checks]


def _asset_of(kind: BriefingKind) -> dg.AssetKey:
    return dg.AssetKey(["insight", kind.key])


def briefing_schedule(
    jobs: Sequence[Any], working_days: Sequence[str], hour: int, timezone: str
) -> dg.ScheduleDefinition:
    """On working days, at `hour`: write the briefing of the day before."""
    return _schedule(
        next(job for job in jobs if job.name == BRIEFING_JOB),
        f"{BRIEFING_JOB}_on_working_days",
        f"0 {hour} * * {_cron_days(working_days)}",
        timezone,
        "Writes the briefing of the last complete day before work begins.",
        "No day is complete yet: the first partition has not ended.",
    )


def weekly_schedule(jobs: Sequence[Any], hour: int, timezone: str) -> dg.ScheduleDefinition:
    """On Mondays, soon after the daily briefing's `hour`: write the review of the week before."""
    return _schedule(
        next(job for job in jobs if job.name == WEEKLY_JOB),
        f"{WEEKLY_JOB}_on_mondays",
        f"{_WEEKLY_AFTER_MINUTES} {hour} * * 1",
        timezone,
        "Writes the business review of the week that ended on Sunday, after the daily briefing.",
        "No week is complete yet: the first partition has not ended.",
    )


def _schedule(
    job: Any, name: str, cron: str, timezone: str, description: str, nothing_yet: str
) -> dg.ScheduleDefinition:
    """Launches the job for its last complete partition."""

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def brief_last_complete(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # As of the tick: one that is caught up on later is still for its own day.
        with dg.partition_loading_context(effective_dt=context.scheduled_execution_time):
            key = job.partitions_def.get_last_partition_key()
        if key is None:
            return dg.SkipReason(nothing_yet)
        return dg.RunRequest(run_key=key, partition_key=key)

    return brief_last_complete


def briefing_deadline(working_days: Sequence[str], hour: int, timezone: str) -> dg.FreshnessPolicy:
    """By when the briefing has to be there: half an hour after its schedule, on working days."""
    return _deadline(f"{_GRACE_MINUTES} {hour} * * {_cron_days(working_days)}", timezone)


def weekly_deadline(hour: int, timezone: str) -> dg.FreshnessPolicy:
    """By when the weekly review has to be there: half an hour after its schedule, on Mondays."""
    return _deadline(f"{_WEEKLY_AFTER_MINUTES + _GRACE_MINUTES} {hour} * * 1", timezone)


def _deadline(cron: str, timezone: str) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.cron(deadline_cron=cron, lower_bound_delta=timedelta(hours=3), timezone=timezone)


def _cron_days(working_days: Sequence[str]) -> str:
    return ",".join(str((WEEKDAYS.index(day) + 1) % 7) for day in working_days)
