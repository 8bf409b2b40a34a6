"""The job that changes a flag from the UI."""

from enum import Enum
from typing import Any

import dagster as dg

from sophia_assets.control.flag_operations import Operation, operate
from sophia_assets.errors import SophiaError
from sophia_assets.orchestration.launching import NO_RETRIES
from sophia_assets.services import Services

FLAGS_JOB = "flags_control"


class FlagAction(Enum):
    """What an operator may do with a flag."""

    set = "set"
    promote = "promote"
    rollback = "rollback"


class FlagConfig(dg.Config):
    """What to do with which flag, why, and who says so. `set` takes a `value`: on or off, or a percentage.

    `promote` takes the rollout of a system (such as gong) one step further; `rollback` takes the last change back.
    """

    flag: str
    action: FlagAction
    reason: str
    who: str
    value: str = ""


@dg.op(name="change_flag", description="Changes a flag at once, records who and why, and rebuilds what rests on it.")
def _change_flag(context: dg.OpExecutionContext, config: FlagConfig, services: dg.ResourceParam[Services]) -> None:
    try:
        done = operate(services, config.action.value, config.flag, config.value, config.who, config.reason)
    except SophiaError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    for line in done.lines():
        context.log.info(line)
    _show_rebuilt(context, done)
    if done.failure:
        raise dg.Failure(done.failed_rebuild(), allow_retries=False)


def _show_rebuilt(context: dg.OpExecutionContext, done: Operation) -> None:
    """Shows each rebuilt model in the UI as materialized, with what it was rebuilt for."""
    if done.rebuilt is None:
        return
    for model, rows in done.rebuilt.rows.items():
        told = {"rebuilt for": done.change.in_words(), "why": done.change.reason}
        metadata: dict[str, Any] = {"dagster/row_count": rows, **told}
        context.log_event(dg.AssetMaterialization(dg.AssetKey(model.split(".")), metadata=metadata))


@dg.job(
    name=FLAGS_JOB,
    description=(
        "Sets, promotes or rolls back a flag (`sophia flags list` has all of them), then rebuilds the models that rest "
        "on it. Say who you are and why: it is recorded."
    ),
    tags=NO_RETRIES,
)
def flags_control() -> None:
    """See the description."""
    _change_flag()


def flags_control_job() -> dg.JobDefinition:
    """The job `flags_control`."""
    return flags_control
