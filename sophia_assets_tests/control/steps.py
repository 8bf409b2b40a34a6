"""`python -m sophia_assets_tests.control.steps`: circuits on a real store, step by step against the pure rules.

Two processes' worth of `Circuits` share one store; the clock and the jitter are given. After each step the store must
say what the rules say, and what was promised to operators must hold by a count of its own, whatever the rules are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sophia_assets.control import breaker
from sophia_assets.control.actions import tail
from sophia_assets.control.breaker import BreakerPolicy, Circuit, Failure, Force, State, Verdict
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.schema import metadata
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.postgres import running_postgres

NAMES = ("gong", "openai")
POLICY = BreakerPolicy(
    failure_threshold=3,
    minimum_outcomes=4,
    window=timedelta(minutes=5),
    recovery_timeout=timedelta(seconds=60),
    longest=timedelta(minutes=10),
    lease=timedelta(seconds=90),
)
STEPS_PER_EXAMPLE = 60
_LONG = timedelta(days=3650)

names = st.sampled_from(NAMES)
desks = st.integers(0, 1)
owners = st.sampled_from(["", "run-1", "run-2", "run-3"])
credentials = st.sampled_from(["", "old key", "new key"])
lengths = st.sampled_from([0.0, 1.0, 30.0, 59.0, 61.0, 90.0, 200.0, 1500.0, 4000.0]).map(lambda s: timedelta(seconds=s))
kinds = st.sampled_from(["connection"] * 5 + ["authentication", "quota", "validation", "permission"])


class CircuitsByRules(RuleBasedStateMachine):
    """Every public act on circuits, in any order; a `lab` gives the two desks and counts the steps."""

    lab: ClassVar[Lab]

    def __init__(self) -> None:
        super().__init__()
        self.lab.clear()
        self.model = {name: Circuit(name) for name in NAMES}
        self.leases: dict[str, tuple[str, datetime]] = {}
        self.calls: Counter[tuple[str, bool]] = Counter()
        self.deeds = 0
        self.published = dict.fromkeys(NAMES, 0)

    @property
    def now(self) -> datetime:
        return self.lab.now

    @initialize(is_broken=st.booleans(), jitter=st.floats(-1, 1))
    def it_begins_closed_or_broken(self, is_broken: bool, jitter: float) -> None:
        assert [circuit.state for circuit in self.lab.desks[0].all()] == [State.CLOSED] * len(NAMES)
        for name in NAMES if is_broken else ():
            self.it_breaks(name, 0, "old key", jitter)

    @rule(length=lengths)
    def time_passes(self, length: timedelta) -> None:
        self.lab.now += length

    @precondition(lambda self: any(circuit.state is not State.CLOSED for circuit in self.model.values()))
    @rule(name=names, early=st.sampled_from([timedelta(), timedelta(microseconds=1)]))
    def the_moment_comes_that_it_waits_for(self, name: str, early: timedelta) -> None:
        """To the very moment, or just before it."""
        circuit = self._settled(name)
        due = circuit.probe_lease_until if circuit.state is State.HALF_OPEN else circuit.retry_at
        if due is not None:
            self.lab.now = max(self.now, due - early)

    @rule(name=names, desk=desks, credential=credentials, jitter=st.floats(-1, 1))
    def it_breaks(self, name: str, desk: int, credential: str, jitter: float) -> None:
        """As many calls fail in a row as it takes."""
        for _ in range(POLICY.failure_threshold):
            self.a_call_fails(name, desk, "", credential, "connection", timedelta(), jitter)
        assert self.model[name].state is not State.CLOSED

    @rule(name=names, desk=desks, kind=st.sampled_from(["validation", "permission", "quota"]))
    def it_answers_wrongly_again_and_again(self, name: str, desk: int, kind: str) -> None:
        for _ in range(POLICY.minimum_outcomes):
            self.a_call_fails(name, desk, "", "", kind, timedelta(), 0.0)

    @precondition(lambda self: bool(self.leases))
    @rule(name=names, desk=desks, kind=st.sampled_from([""]) | kinds, wait=lengths, jitter=st.floats(-1, 1))
    def the_probes_holder_tells(self, name: str, desk: int, kind: str, wait: timedelta, jitter: float) -> None:
        """How its probe went, in time or too late."""
        holder = self.leases[name][0] if name in self.leases else "run-1"
        if kind:
            self.a_call_fails(name, desk, holder, "new key", kind, wait, jitter)
        else:
            self.a_call_goes_well(name, desk, holder)

    @rule(name=names, desk=desks, owner=owners)
    def a_call_goes_well(self, name: str, desk: int, owner: str) -> None:
        before = self._settled(name)
        self.lab.reached[f"success while {before.state}"] += 1
        self._expect(name, breaker.after_success(before, self.now, POLICY, owner))
        self.lab.desks[desk].succeeded(name, owner)
        self.calls[name, True] += 1
        if before.state is not State.CLOSED and self.model[name].state is State.CLOSED:
            assert self._holds_probe(name, owner), "only the probe's holder closes a circuit"

    @rule(
        name=names, desk=desks, owner=owners, credential=credentials, kind=kinds, wait=lengths, jitter=st.floats(-1, 1)
    )
    def a_call_fails(
        self, name: str, desk: int, owner: str, credential: str, kind: str, wait: timedelta, jitter: float
    ) -> None:
        failure = Failure(kind, f"{kind} failed", self.now + wait if kind == "quota" else None)
        before = self._settled(name)
        self.lab.reached[f"failure while {before.state}"] += 1
        self._expect(
            name,
            breaker.after_failure(before, failure, self.now, POLICY, owner=owner, credential=credential, jitter=jitter),
        )
        self.lab.jitter = jitter
        after = self.lab.desks[desk].failed(name, failure, owner, credential)
        self.calls[name, False] += kind != "quota"
        if kind in ("validation", "permission", "quota") and before.state is State.CLOSED:
            assert after.state is State.CLOSED, "data errors and limits never open a circuit"
        if kind == "authentication" and before.state is State.CLOSED:
            assert after.state is State.OPEN and after.retry_at is None, "a refused credential is not tried again"

    @precondition(lambda self: any(circuit.state is not State.CLOSED for circuit in self.model.values()))
    @rule(name=names, desk=desks, owner=owners.filter(bool), credential=credentials, is_patient=st.booleans())
    def somebody_reaches_for_the_probe(
        self, name: str, desk: int, owner: str, credential: str, is_patient: bool
    ) -> None:
        if is_patient:
            self.the_moment_comes_that_it_waits_for(name, timedelta())
        before = self._settled(name)
        expected = breaker.take_probe(before, owner, self.now, POLICY, credential)
        has_it = self.lab.desks[desk].take_probe(name, owner, credential)
        assert has_it == (expected is not None)
        self.lab.reached["probes granted" if has_it else "probes refused"] += 1
        if not has_it:
            return
        self._expect(name, expected or before)
        held = self.leases.get(name)
        assert held is None or held[1] <= self.now, f"{held} still holds the probe"
        assert before.state is State.OPEN
        assert not (before.force and before.force.holds(self.now)), "nobody probes what is forced"
        assert not (before.not_before and self.now < before.not_before), "who asked to be left alone is"
        self.leases[name] = (owner, self.now + POLICY.lease)

    @rule(
        name=names,
        desk=desks,
        state=st.sampled_from([State.OPEN, State.CLOSED]),
        ttl=lengths.filter(bool) | st.none(),
    )
    def an_operator_forces_it(self, name: str, desk: int, state: State, ttl: timedelta | None) -> None:
        force = Force(state, "ada", "a reason", self.now, self.now + ttl if ttl else None)
        self._expect(name, breaker.forced(self._settled(name), force))
        self.lab.desks[desk].force(name, state, "ada", "a reason", ttl)
        self.deeds += 1

    @precondition(lambda self: any(circuit.force or circuit.open_seq > 1 for circuit in self.model.values()))
    @rule(name=names, desk=desks)
    def an_operator_resets_it(self, name: str, desk: int) -> None:
        self._expect(name, breaker.reset(self._settled(name), self.now))
        self.lab.desks[desk].reset(name, "ada", "a reason")
        self.deeds += 1
        assert self.lab.desks[1 - desk].admission(name).is_allowed

    @rule(desk=desks)
    def changes_are_published(self, desk: int) -> None:
        found = {circuit.name: circuit.change_seq for circuit in self.lab.desks[desk].unpublished()}
        model = {name: self._settled(name).change_seq for name in NAMES}
        assert found == {name: seq for name, seq in model.items() if seq > self.published[name]}
        for name, seq in found.items():
            self.lab.desks[1 - desk].mark_published(name, seq)
        self.published = model

    @precondition(lambda self: any(circuit.state is State.OPEN for circuit in self.model.values()))
    @rule(name=names, desk=desks)
    def an_open_circuit_heals_or_waits_for_somebody(self, name: str, desk: int) -> None:
        """However long one waits: a circuit that is open by itself is probed, one without a credential is not."""
        circuit, later = self._settled(name), self.now + _LONG
        if circuit.state is not State.OPEN or circuit.force:
            return
        verdict = breaker.admit(self.lab.desks[desk].get(name), later, circuit.credential).verdict
        assert verdict is (Verdict.OPEN if circuit.retry_at is None else Verdict.PROBE_DUE)

    @invariant()
    def the_store_says_what_the_rules_say(self) -> None:
        self.lab.steps += 1
        for name in NAMES:
            expected = self._settled(name)
            found = self.lab.desks[self.lab.steps % 2].get(name)
            assert found == expected
            self._allowed_only_where_it_may_be(found)
            held = self.leases.get(name)
            if found.state is State.HALF_OPEN:
                assert held == (found.probe_owner, found.probe_lease_until)

    def _allowed_only_where_it_may_be(self, circuit: Circuit) -> None:
        verdict = self.lab.desks[0].admission(circuit.name).verdict
        force = circuit.force
        if force and force.state is State.OPEN:
            assert verdict is Verdict.FORCED_OPEN
        elif circuit.not_before and self.now < circuit.not_before:
            assert verdict is Verdict.LEFT_ALONE
        elif circuit.state is not State.CLOSED and force is None:
            assert verdict is not Verdict.ALLOWED
        else:
            assert verdict is Verdict.ALLOWED

    def teardown(self) -> None:
        """What was written beside the circuits: every change once, every call counted, every deed with its reason."""
        desk = self.lab.desks[0]
        desk.unpublished()  # writes what time alone has changed
        for name in NAMES:
            assert [change.seq for change in desk.changes(name)] == list(range(1, self._settled(name).change_seq + 1))
            failed, calls = desk.errors_of(name, self.lab.started)
            assert (failed, calls) == (self.calls[name, False], self.calls[name, False] + self.calls[name, True])
        assert len(tail(desk.store, 10_000)) == self.deeds

    def _settled(self, name: str) -> Circuit:
        self.model[name] = breaker.settled(self.model[name], self.now)
        if self.model[name].state is not State.HALF_OPEN:
            self.leases.pop(name, None)
        return self.model[name]

    def _expect(self, name: str, circuit: Circuit) -> None:
        self.model[name] = circuit

    def _holds_probe(self, name: str, owner: str) -> bool:
        held = self.leases.get(name)
        return held is not None and held[0] == owner and self.now < held[1]


class Lab:
    """One store, two desks on it as two processes would have, and what they are given: clock and jitter."""

    started = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, url: str) -> None:
        self.now, self.jitter, self.steps = self.started, 0.0, 0
        self.reached: Counter[str] = Counter()
        self.stores = [ControlStore(url), ControlStore(url)]
        self.desks = [
            Circuits(store, lambda _: POLICY, clock=lambda: self.now, jitter=lambda: self.jitter, names=NAMES)
            for store in self.stores
        ]

    def clear(self) -> None:
        """Empties the store: each example begins anew."""
        self.now = self.started
        with self.stores[0].transaction() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())

    def close(self) -> None:
        """Closes both desks' connections."""
        for store in self.stores:
            store.close()


def play(url: str, examples: int, *, seeded: bool = False) -> Lab:
    """Plays that many examples; what it returns has counted them. `seeded` plays the same ones each time."""
    lab = Lab(url)
    try:
        run_state_machine_as_test(
            type("CircuitsOnThisStore", (CircuitsByRules,), {"lab": lab}),
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS_PER_EXAMPLE,
                deadline=None,
                derandomize=seeded,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        lab.close()
    return lab


def main() -> None:
    """Plays examples until there are enough steps, and prints how many; a wrong step ends it with an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--postgres", action="store_true", help="on a Postgres of its own, not on SQLite")
    options = parser.parse_args()
    played, reached = 0, Counter[str]()
    with ExitStack() as stack:
        if options.postgres:
            url = stack.enter_context(running_postgres()).new_database()
        else:
            url = f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'control.db'}"
        while played < options.steps:
            lab = play(url, max(1, (options.steps - played) // STEPS_PER_EXAMPLE))
            played, reached = played + lab.steps, reached + lab.reached
    store = "postgres" if options.postgres else "sqlite"
    print(json.dumps({"steps": played, "wrong": 0, "store": store, "reached": dict(sorted(reached.items()))}))


if __name__ == "__main__":
    main()
