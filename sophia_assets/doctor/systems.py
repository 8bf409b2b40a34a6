"""One area for each business system: how it is switched, how its circuit stands, and whether it can really be read.

Belongs here: what is made of a client's answers. Does not belong here: how a vendor is asked (`sources`). Nothing goes
through the guard: a look is no outcome, moves no circuit and takes no probe.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sophia_assets.control.breaker import State
from sophia_assets.control.rollouts import rollout_flag
from sophia_assets.control.wording import in_words
from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.doctor.reaching import check_reach
from sophia_assets.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    PermissionMissing,
    QuotaExhausted,
    SourceError,
)
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources import registry
from sophia_assets.sources.permissions import Budget, Permission, Remark, TellsPermissions, Told

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient
    from sophia_assets.settings import Settings

# Two tries, since one answer that is lost says nothing yet.
PATIENCE = RetryPolicy(
    attempts=2,
    connection_attempts=1,
    first_delay=0.1,
    longest_delay=0.5,
    longest_wait=2.0,
    most_limited=3,
    connect_timeout=3.0,
    read_timeout=3.5,
    deadline=7.5,
)
_ADDRESSES = {
    "hubspot": "https://api.hubapi.com",
    "slack": "https://slack.com/api/",
    "linear": "https://api.linear.app/graphql",
    "pinecone": "https://api.pinecone.io",
}
_LITTLE_LEFT, _HARDLY_ANY = 0.1, 0.01
_SOON = timedelta(minutes=1)


def check_system(patient: Patient, system: str) -> Iterator[Finding]:
    """Everything about one system."""
    about = Findings(system)
    name = registry.display_name(system)
    if patient.settings.modes[system] == "off":
        yield about.skipped("mode", f"{name} is off", f"Set SOPHIA_{system.upper()}_MODE=live or sandbox to read it")
        return
    if system not in patient.services.connected:
        yield about.skipped("mode", f"this home's company does not use {name}")
        return
    yield from unused(patient.settings, system)
    yield from _switches(patient, about, system)
    yield from _last_read(patient, about, system)
    yield from _network(patient, about, system, name)


def unused(settings: Settings, system: str) -> Iterator[Finding]:
    """The account of a system that is set, and which is not read since the sandbox is."""
    given = [name for name in registry.settings_of(system).names if settings.environment.get(name)]
    if given and settings.is_sandboxed(system):
        mode = f"SOPHIA_{system.upper()}_MODE"
        are, it, them = ("is", "it is", "it") if len(given) == 1 else ("are", "they are", "them")
        told = f"{', '.join(given)} {are} set, and {mode} is sandbox, so {it} not used"
        remedy = f"Set {mode}=live to have the real account read, or unset {them}"
        yield Findings(system).warning("mode", told, remedy)


def _switches(patient: Patient, about: Findings, system: str) -> Iterator[Finding]:
    """What the control store says: flags, rollout, circuit, the last failure."""
    if not patient.store().is_usable:
        yield about.skipped("circuit", "how its circuit and flags stand is not known: see the control store")
        return
    services = patient.services
    flag = services.switched_off_by(system)
    if flag:
        remedy = f"Run `sophia flags set {flag} on --reason ...` where it is to be read again"
        yield about.warning("flags", f"the flag {flag} is off, so that it is not read", remedy)
    rollout = services.flags.get(rollout_flag(system))
    if isinstance(rollout, int) and rollout < 100:
        remedy = f"Run `sophia flags promote {system} --reason ...` for the next step"
        yield about.warning("flags", f"{rollout_flag(system)} serves {rollout} % of it", remedy)
    yield from check_circuit(patient, about, system)
    failure = services.attempts.last_failure(system)
    if failure is not None and services.circuits.get(system).is_closed:
        told = f"the last attempt to read {failure.group} failed, first at {_moment(failure.since)}: {failure.reason}"
        yield about.warning("last attempt", told, f"Do what it says, then run `sophia run` or the job ingest_{system}")


def check_circuit(patient: Patient, about: Findings, name: str) -> Iterator[Finding]:
    """How a circuit stands; nothing is written to find out."""
    services, now = patient.services, patient.now
    circuit = services.circuits.get(name)
    words = in_words(circuit, now, patient.settings.tzinfo)
    reset = f"`sophia circuit reset {name} --reason ...`"
    if circuit.force:
        remedy = f"Take it back with {reset}"
        yield about.warning("circuit", f"the circuit is {words}", remedy)
    elif circuit.state is not State.CLOSED and circuit.retry_at is None and circuit.state is State.OPEN:
        remedy = f"Do what it says, then run {reset}: it is tried again at once where the credential has changed"
        yield about.problem("circuit", f"the circuit is {words}", remedy)
    elif circuit.state is not State.CLOSED:
        remedy = f"It is tried again by itself. If it answers by now, {reset} has it read at once"
        yield about.problem("circuit", f"the circuit is {words}", remedy)
    elif circuit.not_before and now < circuit.not_before:
        remedy = f"Wait until then; if the vendor has raised the limit, run {reset}"
        yield about.warning("circuit", f"the circuit is {words}", remedy)
    else:
        yield about.ok("circuit", f"the circuit is {words}")


def _last_read(patient: Patient, about: Findings, system: str) -> Iterator[Finding]:
    """When it was last read well. How old its tables may grow is in the area `freshness`."""
    if not patient.warehouse().is_usable:
        return
    own = [reading for reading in patient.readings() if reading.policy.name.startswith(f"{system}.")]
    moments = [reading.loaded_at for reading in own if reading.loaded_at]
    if not moments:
        yield about.warning("last read", "it was never read", "Run `sophia run`, or the job ingest_" + system)
        return
    told = f"last read well at {max(moments):%Y-%m-%d %H:%M} UTC"
    never = len(own) - len(moments)
    if never:
        told += f"; {never} of {len(own)} tables never"
        yield about.warning("last read", told, f"See what the job ingest_{system} says of them")
    else:
        yield about.ok("last read", told)


def _network(patient: Patient, about: Findings, system: str, name: str) -> Iterator[Finding]:
    """Whether it answers, takes the credential, and lets everything be read that the tables need."""
    if patient.is_offline:
        yield about.skipped("connection", f"{name} was not asked (--offline)")
        return
    if patient.settings.is_sandboxed(system) and patient.sandbox is None:
        told = f"{name} is the sandbox's, which is not running; `sophia run` starts it by itself"
        yield about.skipped("connection", told, "Run `sophia sandbox up` beside this to have it asked")
        return
    if patient.settings.is_sandboxed(system):
        name = f"{name} in the sandbox"
    try:
        settings = patient.services.connections.settings_of(system)
    except (ConfigurationError, ConnectionFailed) as error:
        yield about.failed("connection", error)
        return
    address, setting = _address(system, settings)
    if address:
        reached = list(check_reach(patient, about, name, address, setting))
        yield from reached
        if reached[0].standing == "problem":
            return
    yield from _asked(patient, about, system, name)


def _address(system: str, settings: dict[str, str]) -> tuple[str, str]:
    """The address that is asked over HTTP, empty where it is none, and the setting that says it."""
    setting = registry.settings_of(system).address
    given = settings.get(setting) or _ADDRESSES.get(system, "")
    if system == "redis":
        return "", setting
    if system == "snowflake":
        host = settings.get("SNOWFLAKE_HOST") or f"{settings.get('SNOWFLAKE_ACCOUNT', '')}.snowflakecomputing.com"
        port = f":{settings['SNOWFLAKE_PORT']}" if settings.get("SNOWFLAKE_PORT") else ""
        return f"{settings.get('SNOWFLAKE_PROTOCOL') or 'https'}://{host}{port}", "SNOWFLAKE_ACCOUNT"
    return given if "://" in given else f"https://{given}", setting


def _asked(patient: Patient, about: Findings, system: str, name: str) -> Iterator[Finding]:
    connections = patient.services.connections
    source = registry.create_source_from_settings(
        system, connections.settings_of(system), retry=PATIENCE, limiters=connections.limiters
    )
    told: list[Told] = []
    try:
        if isinstance(source, TellsPermissions):
            for each in source.permissions():
                told.append(each)
        else:
            source.ping()
    except SourceError as error:
        yield from _permissions(about, name, told, is_whole=False)
        yield _refused(about, error, name)
        return
    yield about.ok("credential", f"{name} accepts it")
    yield from _permissions(about, name, told, is_whole=True)


def _refused(about: Findings, error: SourceError, name: str) -> Finding:
    if isinstance(error, PermissionMissing):
        return about.failed("permission", error)
    if isinstance(error, AuthenticationFailed):
        return about.failed("credential", error)
    if isinstance(error, QuotaExhausted):
        if error.not_before - datetime.now(UTC) < _SOON:
            told = f"{name} is being asked by others as often as it allows, so that it was not asked to the end"
            return about.warning("limit", told, "Run this again once what reads it has ended")
        return about.failed("limit", error)
    return about.failed("connection", error)


def _permissions(about: Findings, name: str, told: list[Told], *, is_whole: bool) -> Iterator[Finding]:
    permissions = [each for each in told if isinstance(each, Permission)]
    for each in permissions:
        if each.error is not None:
            what = "is missing" if isinstance(each.error, PermissionMissing) else "cannot be used"
            lost = f"{each.name} {what}, so that {', '.join(each.tables)} cannot be read: {each.error.message}"
            yield about.problem(f"permission {each.name}", lost, each.error.remedy or "Ask whoever runs the account")
    if is_whole and permissions and all(each.error is None for each in permissions):
        tables = {table for each in permissions for table in each.tables}
        yield about.ok("permissions", f"all that its {len(tables)} tables need are there ({len(permissions)} tried)")
    for remark in told:
        if isinstance(remark, Budget):
            yield _budget(about, remark)
        elif isinstance(remark, Remark):
            yield _remark(about, remark)


def _budget(about: Findings, budget: Budget) -> Finding:
    told = f"of {budget.name}, {budget.left:,.0f} of {budget.limit:,.0f} are left"
    remedy = "Have other programs that use the account ask less, or ask the vendor for more"
    share = budget.left / budget.limit if budget.limit else 0.0
    if share < _HARDLY_ANY:
        return about.problem("budget", told, remedy)
    return about.warning("budget", told, remedy) if share < _LITTLE_LEFT else about.ok("budget", told)


def _remark(about: Findings, remark: Remark) -> Finding:
    if not remark.remedy:
        return about.ok(remark.subject, remark.told)
    make = about.problem if remark.is_fatal else about.warning
    return make(remark.subject, remark.told, remark.remedy)


def _moment(text: str | None) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else "a time that is not known"
