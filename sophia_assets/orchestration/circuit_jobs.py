"""Jobs for circuits: the probe that a sensor asks for, and an operator's word, which is recorded."""

from datetime import UTC, datetime
from enum import Enum

import dagster as dg

from sophia_assets.control.breaker import State
from sophia_assets.control.durations import parse_duration
from sophia_assets.control.wording import in_words
from sophia_assets.errors import SophiaError
from sophia_assets.orchestration.circuit_checks import publish_changes
from sophia_assets.orchestration.launching import NO_RETRIES
from sophia_assets.services import Services

PROBE_JOB = "probe_system"
PROBE_OP = "probe"
CONTROL_JOB = "circuit_control"


class Action(Enum):
    """What an operator may do with a circuit."""

    open = "open"
    close = "close"
    reset = "reset"


class ProbeConfig(dg.Config):
    """The system to probe."""

    system: str


class ControlConfig(dg.Config):
    """What to do with which circuit, why, and who says so; `ttl` (such as 30m) is how long it holds, for good if empty.

    `open` holds all requests back, `close` lets all through, `reset` takes that back and begins anew.
    """

    system: str
    action: Action
    reason: str
    who: str
    ttl: str = ""


@dg.op(name=PROBE_OP, description="Asks the system once for a sign of life, where its circuit has a probe to give.")
def _probe(context: dg.OpExecutionContext, config: ProbeConfig, services: dg.ResourceParam[Services]) -> None:
    try:
        told = services.guard.probe(config.system, context.run.run_id)
        context.log.info(told or f"There is no probe to be made: the circuit is {_words(services, config.system)}")
    except SophiaError as error:
        raise dg.Failure(f"The probe failed: {error}", allow_retries=False) from None
    finally:
        publish_changes(context.instance, services, datetime.now(UTC))


@dg.op(name="control", description="Opens, closes or resets a circuit, and records who did it and why.")
def _control(context: dg.OpExecutionContext, config: ControlConfig, services: dg.ResourceParam[Services]) -> None:
    try:
        _apply(config, services)
        publish_changes(context.instance, services, datetime.now(UTC))
        context.log.info(f"The circuit of {config.system} is {_words(services, config.system)}")
    except SophiaError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def _apply(config: ControlConfig, services: Services) -> None:
    ttl = parse_duration(config.ttl) if config.ttl.strip() else None
    if config.action is Action.reset:
        services.reset_circuit(config.system, config.who, config.reason)
        return
    state = State.OPEN if config.action is Action.open else State.CLOSED
    services.circuits.force(config.system, state, config.who, config.reason, ttl)


def _words(services: Services, name: str) -> str:
    return in_words(services.circuits.get(name), datetime.now(UTC), services.settings.tzinfo)


def circuit_jobs(services: dg.ResourceDefinition) -> tuple[dg.JobDefinition, dg.JobDefinition]:
    """The jobs `probe_system` and `circuit_control`, bound to the resource: Dagster then leaves sensors as they are."""

    @dg.job(
        name=PROBE_JOB,
        description="Asks one system for a sign of life. The sensor of its circuit launches it when a probe is due.",
        tags=NO_RETRIES,
        resource_defs={"services": services},
        executor_def=dg.in_process_executor,
    )
    def probe_system() -> None:
        _probe()

    @dg.job(
        name=CONTROL_JOB,
        description=(
            "Opens, closes or resets the circuit of a system or an LLM provider. Say who you are and why: it is "
            "recorded."
        ),
        tags=NO_RETRIES,
        resource_defs={"services": services},
        executor_def=dg.in_process_executor,
    )
    def circuit_control() -> None:
        _control()

    return probe_system, circuit_control
