"""The circuits that every process shares: whether a system may be asked, what became of it, and operators' word.

Reads are one SELECT. Whatever changes a circuit, the history of changes, the count of outcomes and the record of an
operator's deed are written in one transaction, so that a kill at any point leaves all of it or nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Connection, func, select

from sophia_assets.control import breaker
from sophia_assets.control.actions import not_given, record
from sophia_assets.control.breaker import Admission, BreakerPolicy, Circuit, Effect, Failure, Force, State, Verdict
from sophia_assets.control.circuit_rows import circuit_of, read_circuit, values_of
from sophia_assets.control.durations import LONGEST_DURATION
from sophia_assets.control.schema import circuit_changes, circuits, outcomes
from sophia_assets.control.store import ControlStore, insert_new, update_version
from sophia_assets.control.wording import details, in_words
from sophia_assets.errors import CircuitOpen, ConfigurationError, QuotaExhausted
from sophia_assets.settings.breakers import CIRCUITS
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import CIRCUIT_CHANGES

MOST_CHANGES = 1000
"""So many changes of a circuit are kept, the newest."""
OUTCOMES_KEPT = timedelta(days=90)

_LONGEST_REASON = 500


@dataclass(frozen=True)
class Change:
    """A change of state that operators are told of. `event` is opened, closed, reset, forced_open, forced_closed or
    force_ended; `kind` the failure's, `by` who did it, where anybody did. `at` is UTC."""

    seq: int
    at: datetime
    event: str
    reason: str
    kind: str | None = None
    by: str | None = None


def _now() -> datetime:
    return datetime.now(UTC)


def _any_jitter() -> float:
    return random.uniform(-1.0, 1.0)


class Circuits:
    """One circuit per system and LLM provider (`names`). Everything raises ConfigurationError for an unknown name.

    `policy_of` gives each its policy, `clock` the moment (aware), `jitter` a number between -1 and 1; `timezone` is
    the one in which moments are told. `on_denial` is called with the name whenever somebody is kept back. Processes on
    several machines have clocks that agree far better than a lease is long.
    """

    def __init__(
        self,
        store: ControlStore,
        policy_of: Callable[[str], BreakerPolicy] = lambda _: BreakerPolicy(),
        *,
        clock: Callable[[], datetime] = _now,
        jitter: Callable[[], float] = _any_jitter,
        names: Sequence[str] = CIRCUITS,
        timezone: tzinfo = UTC,
        on_denial: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.store = store
        self.names = tuple(names)
        self.timezone = timezone
        self._policy_of = policy_of
        self._clock = clock
        self._jitter = jitter
        self._on_denial = on_denial

    def get(self, name: str) -> Circuit:
        """The circuit as it is now."""
        self._known(name)
        with self.store.reading() as connection:
            circuit, _ = read_circuit(connection, name)
        return breaker.settled(circuit, self._clock())

    def all(self) -> list[Circuit]:
        """Every circuit as it is now, those too that were never used."""
        with self.store.reading() as connection:
            stored = {row.name: circuit_of(row) for row in connection.execute(select(circuits))}
        now = self._clock()
        return [breaker.settled(stored.get(name, Circuit(name)), now) for name in self.names]

    def admission(self, name: str, credential: str = "") -> Admission:
        """Whether the system may be asked. `credential` is a digest of what opens its account."""
        return breaker.admit(self.get(name), self._clock(), credential)

    def admit(self, name: str, credential: str = "", *, obj: str | None = None) -> None:
        """Raises CircuitOpen, or QuotaExhausted, with why and until when, unless the system may be asked.

        `obj` names in the message what was to be asked for. Where a probe is due, that comes first.
        """
        circuit, now = self.get(name), self._clock()
        admission = breaker.admit(circuit, now, credential)
        if admission.is_allowed:
            return
        self._on_denial(name)
        if admission.verdict is Verdict.LEFT_ALONE and admission.until:
            raise QuotaExhausted(
                f"not asked, since its limit is spent until {admission.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
                not_before=admission.until,
                remedy="Run again after that; until then the last good data serves",
                system=name,
                obj=obj,
            )
        raise CircuitOpen(
            f"not asked, since its circuit is {in_words(circuit, now, self.timezone)}",
            not_before=admission.until,
            remedy=_remedy(name, admission),
            system=name,
            obj=obj,
        )

    def details(self, circuit: Circuit) -> dict[str, Any]:
        """The circuit as plain values, with `words`; for the command line and the UI."""
        return details(circuit, self._clock(), self.timezone)

    def take_probe(self, name: str, owner: str, credential: str = "") -> bool:
        """Whether `owner` (a run's id) now holds the circuit's one probe, until it tells or its lease ends."""
        if not owner:
            raise ConfigurationError("a probe needs an owner", system=name, remedy="Give the run's id")
        self._known(name)
        policy = self._policy_of(name)

        def work(connection: Connection) -> bool:
            now = self._clock()
            before, version = self._settle(connection, name, now)
            taken = breaker.take_probe(before, owner, now, policy, credential)
            if taken is None:
                return False
            self._write(connection, before, taken, version)
            return True

        # A look first: whoever cannot have it does not make the others wait.
        if self.admission(name, credential).verdict is not Verdict.PROBE_DUE:
            return False
        return self.store.run(work)

    def succeeded(self, name: str, owner: str = "") -> Circuit:
        """Records a call that went well; where `owner` holds the probe, it closes the circuit."""
        return self._change(
            name,
            lambda circuit, now: breaker.after_success(circuit, now, self._policy_of(name), owner),
            lambda connection, now: self._count(connection, name, now, went_well=True),
        )

    def failed(self, name: str, failure: Failure, owner: str = "", credential: str = "") -> Circuit:
        """Records a call that failed, once, after its retries."""
        jitter = self._jitter()
        told = Failure(failure.kind, one_line(failure.reason), failure.not_before)

        def counted(connection: Connection, now: datetime) -> None:
            if told.effect is not Effect.WAITS:
                self._count(connection, name, now, went_well=False)

        return self._change(
            name,
            lambda circuit, now: breaker.after_failure(
                circuit, told, now, self._policy_of(name), owner=owner, credential=credential, jitter=jitter
            ),
            counted,
        )

    def force(self, name: str, state: State, by: str, reason: str, ttl: timedelta | None = None) -> Circuit:
        """Puts an operator's word above the circuit, for `ttl` or until it is taken back."""
        by, reason = self._deed(name, by, reason)
        if state is State.HALF_OPEN:
            raise ConfigurationError("a circuit can be forced open or closed", system=name, remedy="Use open or close")
        if ttl is not None and not timedelta() < ttl <= LONGEST_DURATION:
            raise ConfigurationError(f"the ttl is {ttl}", system=name, remedy="Give one from 1s to 366d, or none")

        def deed(connection: Connection, now: datetime) -> None:
            until = (now + ttl).isoformat() if ttl else None
            action = "circuit.open" if state is State.OPEN else "circuit.close"
            record(connection, by, action, name, reason, {"until": until}, at=now)

        def change(circuit: Circuit, now: datetime) -> Circuit:
            return breaker.forced(circuit, Force(state, by, reason, now, now + ttl if ttl else None))

        return self._change(name, change, deed, event=f"forced_{state}", by=by, reason=reason)

    def reset(self, name: str, by: str, reason: str) -> Circuit:
        """Closes the circuit, takes back what was forced, and no longer waits because it asked to be left alone."""
        by, reason = self._deed(name, by, reason)
        return self._change(
            name,
            breaker.reset,
            lambda connection, now: record(connection, by, "circuit.reset", name, reason, at=now),
            event="reset",
            by=by,
            reason=reason,
        )

    def changes(self, name: str, after_seq: int = 0) -> list[Change]:
        """The changes of state after the one with that number, oldest first."""
        self._known(name)
        table = circuit_changes
        wanted = select(table).where(table.c.name == name, table.c.seq > after_seq).order_by(table.c.seq)
        with self.store.reading() as connection:
            rows = connection.execute(wanted).all()
        return [Change(row.seq, row.at, row.event, row.reason, row.kind, row.by) for row in rows]

    def unpublished(self) -> list[Circuit]:
        """The circuits that have changed since the change that was told last. What time alone changed is written."""
        with self.store.reading() as connection:
            rows = {row.name: row for row in connection.execute(select(circuits))}
        found = []
        for name in self.names:
            if name not in rows:
                continue
            circuit = circuit_of(rows[name])
            if breaker.settled(circuit, self._clock()) != circuit:
                circuit = self._change(name, lambda same, _: same)
            if circuit.change_seq > rows[name].published_seq:
                found.append(circuit)
        return found

    def mark_published(self, name: str, change_seq: int) -> None:
        """Remembers that the change with that number, and all before it, were told."""
        self._known(name)
        table = circuits
        with self.store.transaction() as connection:
            connection.execute(
                table.update()
                .where(table.c.name == name, table.c.published_seq < change_seq)
                .values(published_seq=change_seq)
            )

    def errors_of(self, name: str, since: datetime, until: datetime | None = None) -> tuple[int, int]:
        """How many calls failed, and how many there were, in the hours from `since` to before `until` (begun hours
        count whole; spent limits are no errors). Hours are kept for 90 days."""
        self._known(name)
        table = outcomes
        wanted = select(func.sum(table.c.failures), func.sum(table.c.successes)).where(
            table.c.name == name, table.c.hour >= _hour(since)
        )
        if until is not None:
            wanted = wanted.where(table.c.hour < _hour(until))
        with self.store.reading() as connection:
            failures, successes = connection.execute(wanted).one()
        return int(failures or 0), int(failures or 0) + int(successes or 0)

    def _change(
        self,
        name: str,
        change: Callable[[Circuit, datetime], Circuit],
        beside: Callable[[Connection, datetime], None] | None = None,
        *,
        event: str = "",
        by: str | None = None,
        reason: str = "",
    ) -> Circuit:
        """Applies a change and writes what goes with it, in one transaction; anew where another process was faster."""
        self._known(name)

        def work(connection: Connection) -> Circuit:
            now = self._clock()
            before, version = self._settle(connection, name, now)
            after = change(before, now)
            if after != before:
                self._write(connection, before, after, version)
            if after.change_seq > before.change_seq:
                told = event or ("opened" if after.state is State.OPEN else "closed")
                cause = after.cause if told == "opened" else None
                self._tell(connection, after, now, told, reason or (cause.reason if cause else ""), by, cause)
            if beside is not None:
                beside(connection, now)
            return after

        return self.store.run(work)

    def _settle(self, connection: Connection, name: str, now: datetime) -> tuple[Circuit, int]:
        """The circuit, after writing what time alone has changed, and the version of its row; 0 where it has none."""
        before, row = read_circuit(connection, name)
        version = row.version if row is not None else 0
        after = breaker.settled(before, now)
        if after == before:
            return before, version
        self._write(connection, before, after, version)
        if before.force and after.force is None:
            ended = before.force.until or now
            self._tell(connection, after, ended, "force_ended", f"it was forced {before.force.state} until then")
        return after, version + 1

    def _write(self, connection: Connection, before: Circuit, after: Circuit, version: int) -> None:
        if version:
            update_version(connection, circuits, after.name, version, values_of(after))
        else:
            insert_new(connection, circuits, values_of(after) | {"name": after.name, "published_seq": 0, "version": 1})

    def _tell(
        self,
        connection: Connection,
        circuit: Circuit,
        at: datetime,
        event: str,
        reason: str,
        by: str | None = None,
        cause: Failure | None = None,
    ) -> None:
        table, seq = circuit_changes, circuit.change_seq
        row = {"name": circuit.name, "seq": seq, "at": at, "event": event, "reason": reason, "by": by}
        insert_new(connection, table, row | {"kind": cause.kind if cause else None})
        connection.execute(table.delete().where(table.c.name == circuit.name, table.c.seq <= seq - MOST_CHANGES))
        write(connection, [CIRCUIT_CHANGES.add(name=circuit.name, event=event)], at)

    def _count(self, connection: Connection, name: str, now: datetime, *, went_well: bool) -> None:
        table, hour = outcomes, _hour(now)
        column = table.c.successes if went_well else table.c.failures
        this_hour = table.update().where(table.c.name == name, table.c.hour == hour)
        if connection.execute(this_hour.values({column: column + 1})).rowcount == 0:
            insert_new(
                connection,
                table,
                {"name": name, "hour": hour, "successes": int(went_well), "failures": int(not went_well)},
            )
            connection.execute(table.delete().where(table.c.name == name, table.c.hour < hour - OUTCOMES_KEPT))

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise ConfigurationError(f"there is no circuit {name!r}", remedy=f"Use one of {', '.join(self.names)}")

    def _deed(self, name: str, by: str, reason: str) -> tuple[str, str]:
        self._known(name)
        by, reason = one_line(by), one_line(reason)
        for what, value in (("who does this", by), ("a reason", reason)):
            if not value:
                raise not_given(what, system=name)
        return by, reason


def one_line(text: str) -> str:
    """A reason as it is kept: on one line, of at most 500 characters."""
    told = " ".join(text.split())
    return told if len(told) <= _LONGEST_REASON else told[: _LONGEST_REASON - 1] + "…"


def _remedy(name: str, admission: Admission) -> str:
    if admission.verdict is Verdict.FORCED_OPEN:
        return f"Take it back with `sophia circuit reset {name} --reason ...`; the last good data serves"
    if admission.verdict is Verdict.OPEN and admission.until is None:
        return f"Renew the credential, or run `sophia circuit reset {name} --reason ...`; the last good data serves"
    return "It is tried again by itself; until then the last good data serves"


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
