"""A circuit's state in plain words: for skip reasons, checks, the command line and the briefing."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from sophia_assets.control.breaker import Circuit, Failure, Force, State, admit, settled

_SHOWN_OWNER = 8
_SOON_SECONDS = 60


def in_words(circuit: Circuit, now: datetime, timezone: tzinfo = UTC) -> str:
    """Since when it is as it is at `now`, why, and when that may change; moments in `timezone`. One line."""
    circuit = settled(circuit, now)
    clock = Clock(now, timezone)
    parts = [_forced(circuit.force, clock)] if circuit.force else []
    if not (circuit.force and circuit.state is State.CLOSED):
        parts.append(_found(circuit, clock))
    if circuit.not_before and now < circuit.not_before:
        parts.append(f"its limit is spent until {clock.told(circuit.not_before)}")
    return " ".join("; ".join(parts).split())


def details(circuit: Circuit, now: datetime, timezone: tzinfo = UTC) -> dict[str, Any]:
    """A circuit at `now` as plain values: moments in ISO 8601 (UTC), and all of it in `words`."""
    circuit = settled(circuit, now)
    force = circuit.force
    waits = circuit.not_before if circuit.not_before and now < circuit.not_before else None
    admission = admit(circuit, now)
    return {
        "name": circuit.name,
        "state": circuit.state.value,
        "verdict": admission.verdict.value,
        "words": in_words(circuit, now, timezone),
        "since": iso_utc(circuit.since),
        "kind": circuit.cause.kind if circuit.cause else None,
        "reason": circuit.cause.reason if circuit.cause else None,
        "consecutive_failures": circuit.consecutive_failures,
        "open_seq": circuit.open_seq,
        "attempt": circuit.attempt,
        "retry_at": iso_utc(circuit.retry_at),
        "not_before": iso_utc(waits),
        "probe_owner": circuit.probe_owner,
        "forced": force
        and {
            "state": force.state.value,
            "by": force.by,
            "reason": force.reason,
            "since": iso_utc(force.since),
            "until": iso_utc(force.until),
        },
    }


class Clock:
    """Tells moments as people do: the time of day alone while it is the same day."""

    def __init__(self, now: datetime, timezone: tzinfo) -> None:
        self._now = now
        self._today = now.astimezone(timezone).date()
        self._timezone = timezone

    def told(self, moment: datetime) -> str:
        """Such as `09:12 UTC`, or `2026-03-01 09:12 UTC` where that is another day."""
        local = moment.astimezone(self._timezone)
        return f"{local:%H:%M %Z}" if local.date() == self._today else f"{local:%Y-%m-%d %H:%M %Z}"

    def to_come(self, moment: datetime) -> str:
        """Such as `at 09:12 UTC`; with how long that is, where it is soon."""
        seconds = (moment - self._now).total_seconds()
        soon = f", in {max(1, round(seconds))} s" if 0 < seconds < _SOON_SECONDS else ""
        return f"at {self.told(moment)}{soon}"

    def is_past(self, moment: datetime) -> bool:
        """Whether it has come."""
        return moment <= self._now


def iso_utc(moment: datetime | None) -> str | None:
    """A moment in ISO 8601, UTC; None for none."""
    return moment.astimezone(UTC).isoformat() if moment else None


def _forced(force: Force, clock: Clock) -> str:
    until = f"until {clock.told(force.until)}" if force.until else "until it is taken back"
    return f"forced {force.state} by {force.by} since {clock.told(force.since)} ({force.reason}), {until}"


def _found(circuit: Circuit, clock: Clock) -> str:
    """What the breaker itself has found, whatever an operator has said."""
    since = f" since {clock.told(circuit.since)}" if circuit.since else ""
    lead = "by itself it would be " if circuit.force else ""
    if circuit.state is State.CLOSED:
        failures = circuit.consecutive_failures
        return f"{lead}closed{since}" + (f", {_times(failures, 'failure')} in a row" if failures else "")
    cause = _cause(circuit.cause) if circuit.cause else ""
    probes = f"; {_times(circuit.attempt, 'probe')} without success" if circuit.attempt else ""
    told = f"{lead}open{since}{_count(circuit)}{cause}{probes}"
    if circuit.force and circuit.force.state is State.OPEN:
        return told
    if circuit.state is State.HALF_OPEN:
        until = f" by {clock.told(circuit.probe_lease_until)}" if circuit.probe_lease_until else ""
        return f"{told}; a probe is on its way (run {(circuit.probe_owner or '')[:_SHOWN_OWNER]}), answer due{until}"
    if circuit.retry_at is None:
        return f"{told}; it is not tried again until its credential is renewed or somebody resets the circuit"
    if clock.is_past(circuit.retry_at):
        return f"{told}; the next try is due"
    return f"{told}; next try {clock.to_come(circuit.retry_at)}"


def _count(circuit: Circuit) -> str:
    """After how many failures it opened; nothing where one was enough."""
    if circuit.cause and circuit.cause.kind == "authentication":
        return ""
    outcomes = len(circuit.outcomes)
    failed = sum(not went_well for _, went_well in circuit.outcomes)
    told = f" after {_times(circuit.consecutive_failures, 'failure')} in a row" if circuit.consecutive_failures else ""
    others = circuit.consecutive_failures < failed < outcomes
    return told + (f", {failed} of the last {outcomes} calls" if told and others else "")


def _cause(cause: Failure) -> str:
    return f": {cause.reason.rstrip('. ')}"


def _times(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
