"""The job that removes old records, and its schedule: every night, before the systems are read."""

from typing import TYPE_CHECKING

import dagster as dg

from sophia_assets.errors import SophiaError
from sophia_assets.orchestration.launching import MAX_RUNTIME_TAG, NO_RETRIES
from sophia_assets.retention.rules import rule
from sophia_assets.services import Services

if TYPE_CHECKING:
    from sophia_assets.retention.applying import Keeper, Outcome

RETENTION_JOB = "retention_job"
BY = "retention_job"
REASON = "the daily schedule"
# No rule may take longer than two minutes, and there are thirteen.
_LONGEST_SECONDS = 60 * 60


def every_keeper(services: Services, instance: dg.DagsterInstance, *, by: str, reason: str) -> "list[Keeper]":
    """The keepers of all rules, in the rules' order."""
    from sophia_assets.orchestration.run_retention import dagster_keepers
    from sophia_assets.retention.keepers import own_keepers

    return [*dagster_keepers(instance, services.control), *own_keepers(services, by=by, reason=reason)]


@dg.op(name="remove_old_records", description="Removes what is older than the settings SOPHIA_RETENTION_* keep it.")
def _remove(context: dg.OpExecutionContext, services: dg.ResourceParam[Services]) -> None:
    from sophia_assets.retention.applying import run

    try:
        outcomes = run(services, every_keeper(services, context.instance, by=BY, reason=REASON), by=BY, reason=REASON)
    except SophiaError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    for outcome in outcomes:
        (context.log.warning if outcome.problem else context.log.info)(in_words(outcome))
    failed = [outcome.name for outcome in outcomes if outcome.problem]
    if failed:
        raise dg.Failure(f"Not everything could be looked after: {', '.join(failed)}", allow_retries=False)


def in_words(outcome: "Outcome") -> str:
    """What became of a rule, as one line."""
    what = rule(outcome.name).what
    if outcome.problem:
        return f"{what}: {outcome.problem}; {outcome.removed:,} removed before"
    rest = "" if outcome.is_whole else "; there was no time for all, the next time goes on"
    return f"{what}: {outcome.removed:,} removed in {outcome.seconds:.1f} s{rest}"


@dg.job(
    name=RETENTION_JOB,
    description="Removes what is too old from Dagster's storage, the control store, the warehouse's records and the "
    "home's files. `sophia retention show` says what is kept for how long.",
    tags={**NO_RETRIES, MAX_RUNTIME_TAG: str(_LONGEST_SECONDS)},
)
def _retention() -> None:
    """See the description."""
    _remove()


def retention_job() -> dg.JobDefinition:
    """The job `retention_job`."""
    return _retention


def retention_schedule(hour: int, timezone: str) -> dg.ScheduleDefinition:
    """Every day at `hour`, in the business time zone."""

    @dg.schedule(
        name="retention_daily",
        job=_retention,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes old records every night.",
    )
    def remove_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}")

    return remove_daily
