"""The circuit breaker as pure rules: what a circuit's state means, and how an event changes it.

A circuit guards one system or one LLM provider. Nothing here reads a clock, draws a random number or stores anything:
moments (UTC) and the jitter are given, so that every store and every test plays by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sophia_assets.errors import ConfigurationError


class State(StrEnum):
    """Closed lets requests through, open holds them back, half-open lets one probe through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Effect(StrEnum):
    """What a kind of failure means for the circuit."""

    COUNTS = "counts"
    OPENS = "opens"
    WAITS = "waits"
    IGNORED = "ignored"


# By `SourceError.kind`. A system that answers is alive, whatever is wrong with the answer; and one missing permission
# leaves the rest of a system readable.
EFFECTS = {"connection": Effect.COUNTS, "authentication": Effect.OPENS, "quota": Effect.WAITS}


@dataclass(frozen=True)
class BreakerPolicy:
    """When a circuit opens, and for how long.

    It opens after `failure_threshold` failures in a row, or where at least `failure_ratio` of the outcomes within
    `window` failed, of which there must be `minimum_outcomes`: a system that is asked four times an hour is never
    judged by a ratio. It stays open for `recovery_timeout`, twice as long after each failed probe, at most `longest`,
    each time more or less by up to `jitter` of it. A probe that says nothing within `lease` counts as lost.
    """

    failure_threshold: int = 5
    failure_ratio: float = 0.5
    minimum_outcomes: int = 10
    window: timedelta = timedelta(minutes=10)
    recovery_timeout: timedelta = timedelta(seconds=60)
    longest: timedelta = timedelta(hours=1)
    jitter: float = 0.1
    lease: timedelta = timedelta(seconds=120)

    def __post_init__(self) -> None:
        for name, is_right, allowed in (
            ("failure_threshold", self.failure_threshold >= 1, "1 or more"),
            ("failure_ratio", 0 < self.failure_ratio <= 1, "more than 0, at most 1"),
            ("minimum_outcomes", self.minimum_outcomes >= 1, "1 or more"),
            ("window", self.window > timedelta(), "more than 0 s"),
            ("recovery_timeout", self.recovery_timeout > timedelta(), "more than 0 s"),
            ("longest", self.longest >= self.recovery_timeout, "at least the recovery timeout"),
            ("jitter", 0 <= self.jitter < 1, "at least 0, less than 1"),
            ("lease", self.lease > timedelta(), "more than 0 s"),
        ):
            if not is_right:
                raise ConfigurationError(f"the breaker's {name} is {getattr(self, name)}", remedy=f"Allowed: {allowed}")

    def open_time(self, attempt: int, jitter: float) -> timedelta:
        """How long to stay open after `attempt` probes that did not help; `jitter` lies between -1 and 1."""
        doublings = min(attempt, 62)
        seconds = min(self.recovery_timeout.total_seconds() * 2.0**doublings, self.longest.total_seconds())
        return timedelta(seconds=seconds * (1 + self.jitter * jitter))


@dataclass(frozen=True)
class Force:
    """An operator's word, which stands above what the breaker finds: `until` None means until it is taken back."""

    state: State
    by: str
    reason: str
    since: datetime
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it is still in force."""
        return self.until is None or now < self.until


@dataclass(frozen=True)
class Failure:
    """A failed call: its `kind` (`SourceError.kind`), why in one line, and when (UTC) the system may be asked again."""

    kind: str
    reason: str
    not_before: datetime | None = None

    @property
    def effect(self) -> Effect:
        """What it means for the circuit."""
        return EFFECTS.get(self.kind, Effect.IGNORED)


@dataclass(frozen=True)
class Circuit:
    """One circuit. Moments are UTC.

    `outcomes` are the recent ones, oldest first: when, and whether it went well. `open_seq` counts how often it has
    opened from closed, `attempt` the failed probes since. `retry_at` is when a probe is due, None where only somebody
    who acts, or another `credential`, brings one. `not_before` is until when the system asked to be left alone.
    `relapses` counts the probes that closed it and after which nothing has been read well yet: a system that answers a
    ping and nothing else is left alone for longer each time. `change_seq` counts the changes of state that operators
    are told of.
    """

    name: str
    state: State = State.CLOSED
    consecutive_failures: int = 0
    outcomes: tuple[tuple[datetime, bool], ...] = ()
    open_seq: int = 0
    attempt: int = 0
    relapses: int = 0
    since: datetime | None = None
    cause: Failure | None = None
    credential: str = ""
    retry_at: datetime | None = None
    not_before: datetime | None = None
    probe_owner: str | None = None
    probe_lease_until: datetime | None = None
    force: Force | None = None
    change_seq: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether requests go through, by an operator's word where there is one (of a settled circuit)."""
        return (self.force.state if self.force else self.state) is State.CLOSED

    @property
    def probe_key(self) -> str:
        """What tells this chance to probe from every other one."""
        return f"probe:{self.name}:{self.open_seq}:{self.attempt}"


class Verdict(StrEnum):
    """What becomes of one who wants to ask the system."""

    ALLOWED = "allowed"
    PROBE_DUE = "probe_due"
    PROBING = "probing"
    OPEN = "open"
    LEFT_ALONE = "left_alone"
    FORCED_OPEN = "forced_open"


@dataclass(frozen=True)
class Admission:
    """A verdict; `until` is when it may change, None where nobody knows."""

    verdict: Verdict
    until: datetime | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the system may be asked for data."""
        return self.verdict is Verdict.ALLOWED


def admit(circuit: Circuit, now: datetime, credential: str = "") -> Admission:
    """Whether the system may be asked at `now`. `credential` tells what opens its account from what did before."""
    circuit = settled(circuit, now)
    force = circuit.force
    if force and force.state is State.OPEN:
        return Admission(Verdict.FORCED_OPEN, force.until)
    if circuit.not_before and now < circuit.not_before:
        return Admission(Verdict.LEFT_ALONE, circuit.not_before)
    if force or circuit.state is State.CLOSED:
        return Admission(Verdict.ALLOWED)
    if circuit.state is State.HALF_OPEN:
        return Admission(Verdict.PROBING, circuit.probe_lease_until)
    if circuit.retry_at is None and credential and circuit.credential and credential != circuit.credential:
        return Admission(Verdict.PROBE_DUE)
    if circuit.retry_at is not None and now >= circuit.retry_at:
        return Admission(Verdict.PROBE_DUE)
    return Admission(Verdict.OPEN, circuit.retry_at)


def settled(circuit: Circuit, now: datetime) -> Circuit:
    """The circuit after what time alone has changed: a force that has ended, a probe whose holder is lost.

    A lost probe says nothing about the system, so that the next one is due at once, under a key of its own; only where
    none was due by itself, it takes another credential again.
    """
    if circuit.force and not circuit.force.holds(now):
        circuit = replace(circuit, force=None, change_seq=circuit.change_seq + 1)
    lease = circuit.probe_lease_until
    if circuit.state is State.HALF_OPEN and (lease is None or now >= lease):
        circuit = replace(
            circuit,
            state=State.OPEN,
            attempt=circuit.attempt + 1,
            probe_owner=None,
            probe_lease_until=None,
        )
    return circuit


def take_probe(
    circuit: Circuit, owner: str, now: datetime, policy: BreakerPolicy, credential: str = ""
) -> Circuit | None:
    """The circuit with its one probe in the hands of `owner` (a run's id), or None where there is none to be had."""
    circuit = settled(circuit, now)
    if admit(circuit, now, credential).verdict is not Verdict.PROBE_DUE:
        return None
    return replace(circuit, state=State.HALF_OPEN, probe_owner=owner, probe_lease_until=now + policy.lease)


def after_success(circuit: Circuit, now: datetime, policy: BreakerPolicy, owner: str = "") -> Circuit:
    """The circuit after a call that went well. One that is not closed is closed by its probe's `owner` alone."""
    circuit = settled(circuit, now)
    if circuit.state is State.CLOSED:
        return replace(circuit, consecutive_failures=0, relapses=0, outcomes=_remembered(circuit, now, True, policy))
    if circuit.state is State.HALF_OPEN and owner and circuit.probe_owner == owner:
        return closed(circuit, now)
    return circuit


def after_failure(
    circuit: Circuit,
    failure: Failure,
    now: datetime,
    policy: BreakerPolicy,
    *,
    owner: str = "",
    credential: str = "",
    jitter: float = 0.0,
) -> Circuit:
    """The circuit after a call that failed, after its retries."""
    circuit = settled(circuit, now)
    if failure.effect is Effect.WAITS and failure.not_before:
        later = max(filter(None, (circuit.not_before, failure.not_before)))
        circuit = replace(circuit, not_before=later)
    if circuit.state is State.HALF_OPEN and owner and circuit.probe_owner == owner:
        return _after_failed_probe(circuit, failure, now, policy, credential, jitter)
    if circuit.state is not State.CLOSED:
        return circuit
    if failure.effect is Effect.OPENS:
        return _opened(circuit, failure, now, policy, credential, jitter)
    if failure.effect is not Effect.COUNTS:
        return circuit
    counted = replace(
        circuit,
        consecutive_failures=circuit.consecutive_failures + 1,
        outcomes=_remembered(circuit, now, False, policy),
    )
    return _opened(counted, failure, now, policy, credential, jitter) if _trips(counted, policy) else counted


def closed(circuit: Circuit, now: datetime) -> Circuit:
    """The circuit closed, with a clean slate; how often it has opened is remembered, and an operator's word stays."""
    return Circuit(
        circuit.name,
        open_seq=circuit.open_seq,
        relapses=circuit.relapses + 1,
        since=now,
        not_before=circuit.not_before,
        force=circuit.force,
        change_seq=circuit.change_seq + 1,
    )


def forced(circuit: Circuit, force: Force) -> Circuit:
    """The circuit with an operator's word above it."""
    if force.state is State.HALF_OPEN:
        raise ValueError("a circuit can be forced open or closed")
    return replace(settled(circuit, force.since), force=force, change_seq=circuit.change_seq + 1)


def reset(circuit: Circuit, now: datetime) -> Circuit:
    """The circuit as new: closed, nothing forced, nobody to be left alone."""
    return replace(closed(settled(circuit, now), now), relapses=0, force=None, not_before=None)


def _after_failed_probe(
    circuit: Circuit, failure: Failure, now: datetime, policy: BreakerPolicy, credential: str, jitter: float
) -> Circuit:
    if failure.effect is Effect.WAITS:
        return closed(circuit, now)  # it answered; when to ask it next is another matter
    attempt = circuit.attempt + 1
    by_itself = failure.effect is not Effect.OPENS and failure.kind != "permission"
    return replace(
        circuit,
        state=State.OPEN,
        attempt=attempt,
        cause=failure,
        credential=credential,
        retry_at=now + policy.open_time(circuit.relapses + attempt, jitter) if by_itself else None,
        probe_owner=None,
        probe_lease_until=None,
    )


def _opened(
    circuit: Circuit, failure: Failure, now: datetime, policy: BreakerPolicy, credential: str, jitter: float
) -> Circuit:
    return replace(
        circuit,
        state=State.OPEN,
        open_seq=circuit.open_seq + 1,
        attempt=0,
        since=now,
        cause=failure,
        credential=credential,
        retry_at=None if failure.effect is Effect.OPENS else now + policy.open_time(circuit.relapses, jitter),
        change_seq=circuit.change_seq + 1,
    )


def _trips(circuit: Circuit, policy: BreakerPolicy) -> bool:
    if circuit.consecutive_failures >= policy.failure_threshold:
        return True
    failed = sum(not went_well for _, went_well in circuit.outcomes)
    number = len(circuit.outcomes)
    return number >= policy.minimum_outcomes and failed >= policy.failure_ratio * number


# Enough for any ratio; a busy circuit's row must not grow with its traffic.
_MOST_OUTCOMES = 100


def _remembered(
    circuit: Circuit, now: datetime, went_well: bool, policy: BreakerPolicy
) -> tuple[tuple[datetime, bool], ...]:
    recent = [outcome for outcome in circuit.outcomes if outcome[0] > now - policy.window]
    return (*recent, (now, went_well))[-_MOST_OUTCOMES:]
