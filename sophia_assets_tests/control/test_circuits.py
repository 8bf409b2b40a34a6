"""Circuits that processes share: who is held back with which words, what operators do, and what is remembered of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sophia_assets.control.actions import tail
from sophia_assets.control.breaker import BreakerPolicy, Failure, State, Verdict
from sophia_assets.control.circuits import MOST_CHANGES, Circuits
from sophia_assets.control.schema import circuit_changes
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import CircuitOpen, ConfigurationError, QuotaExhausted

NO_ANSWER = Failure("connection", "no answer\nfrom api.gong.io")
REFUSED = Failure("authentication", "the token was refused")


class Clock:
    """A moment that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 9, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuits(store: ControlStore, clock: Clock) -> Circuits:
    return Circuits(store, clock=clock, jitter=lambda: 0.0)


@pytest.fixture
def elsewhere(store_url: str, clock: Clock) -> Iterator[Circuits]:
    """The same circuits as another process has them."""
    store = ControlStore(store_url)
    yield Circuits(store, clock=clock, jitter=lambda: 0.0)
    store.close()


def fail(circuits: Circuits, failure: Failure = NO_ANSWER, times: int = 5) -> None:
    for _ in range(times):
        circuits.failed("gong", failure)


def test_a_circuit_that_one_process_opened_holds_all_back(circuits: Circuits, elsewhere: Circuits) -> None:
    fail(circuits)

    with pytest.raises(CircuitOpen) as refusal:
        elsewhere.admit("gong", obj="calls")
    assert str(refusal.value) == (
        "gong/calls: not asked, since its circuit is open since 09:12 UTC after 5 failures in a row: no "
        "answer from api.gong.io; next try at 09:13 UTC. It is tried again by itself; until then the last good data "
        "serves"
    )
    assert refusal.value.not_before == datetime(2026, 3, 1, 9, 13, tzinfo=UTC)


def test_a_refusal_for_good_has_no_moment_and_says_what_to_do(circuits: Circuits) -> None:
    fail(circuits, REFUSED, 1)

    with pytest.raises(CircuitOpen, match="Renew the credential, or run `sophia circuit reset gong") as refusal:
        circuits.admit("gong")
    assert refusal.value.not_before is None


def test_a_spent_limit_says_until_when(circuits: Circuits, clock: Clock) -> None:
    fail(circuits, Failure("quota", "spent", clock.now + timedelta(hours=2)), 1)

    with pytest.raises(QuotaExhausted, match="spent until 2026-03-01 11:12 UTC") as refusal:
        circuits.admit("gong")
    assert refusal.value.not_before == clock.now + timedelta(hours=2)


def test_one_circuit_says_nothing_of_another(circuits: Circuits) -> None:
    fail(circuits)

    circuits.admit("slack")


def test_a_probe_heals_a_circuit(circuits: Circuits, elsewhere: Circuits, clock: Clock) -> None:
    fail(circuits)
    clock.forward(seconds=60)

    assert circuits.take_probe("gong", "run")
    assert not elsewhere.take_probe("gong", "another")
    circuits.succeeded("gong", "run")
    elsewhere.admit("gong")


def test_another_credential_may_probe_what_a_refused_one_opened(circuits: Circuits) -> None:
    circuits.failed("gong", REFUSED, credential="old")

    assert not circuits.take_probe("gong", "run", "old")
    assert circuits.take_probe("gong", "run", "new")


def test_the_policy_of_each_circuit_is_its_own(store: ControlStore) -> None:
    policies = {"gong": BreakerPolicy(failure_threshold=1)}
    circuits = Circuits(store, lambda name: policies.get(name, BreakerPolicy()))
    fail(circuits, times=1)
    circuits.failed("slack", NO_ANSWER)

    assert [circuits.get(name).state for name in ("gong", "slack")] == [State.OPEN, State.CLOSED]


def test_every_circuit_is_listed_those_too_that_were_never_used(circuits: Circuits) -> None:
    fail(circuits)
    found = {circuit.name: circuit.state for circuit in circuits.all()}

    assert (found["gong"], found["redis"], found["openai"]) == (State.OPEN, State.CLOSED, State.CLOSED)


def test_an_operators_word_holds_for_its_time(circuits: Circuits, elsewhere: Circuits, clock: Clock) -> None:
    circuits.force("gong", State.OPEN, "ada", "maintenance", timedelta(minutes=30))

    with pytest.raises(CircuitOpen, match=r"forced open by ada .* \(maintenance\), until 09:42 UTC"):
        elsewhere.admit("gong")
    clock.forward(minutes=30)
    elsewhere.admit("gong")


def test_an_operators_deeds_are_recorded_with_who_and_why(circuits: Circuits, store: ControlStore) -> None:
    circuits.force("gong", State.OPEN, "ada", "maintenance", timedelta(minutes=30))
    circuits.reset("gong", "bob", "it is\nback")

    assert [(deed.actor, deed.action, deed.target, deed.reason, deed.details) for deed in tail(store)] == [
        ("bob", "circuit.reset", "gong", "it is back", {}),
        ("ada", "circuit.open", "gong", "maintenance", {"until": "2026-03-01T09:42:00+00:00"}),
    ]


def test_each_change_is_remembered_with_why_and_by_whom(circuits: Circuits, clock: Clock) -> None:
    fail(circuits)
    circuits.force("gong", State.CLOSED, "ada", "a test", timedelta(minutes=1))
    clock.forward(minutes=5)
    circuits.take_probe("gong", "run")
    circuits.succeeded("gong", "run")

    assert [(change.event, change.by, change.reason) for change in circuits.changes("gong")] == [
        ("opened", None, "no answer from api.gong.io"),
        ("forced_closed", "ada", "a test"),
        ("force_ended", None, "it was forced closed until then"),
        ("closed", None, ""),
    ]
    assert [change.seq for change in circuits.changes("gong", after_seq=2)] == [3, 4]
    assert circuits.changes("gong")[2].at == datetime(2026, 3, 1, 9, 13, tzinfo=UTC)


def test_a_change_is_published_once(circuits: Circuits, elsewhere: Circuits, clock: Clock) -> None:
    circuits.force("gong", State.OPEN, "ada", "maintenance", timedelta(minutes=1))
    (found,) = circuits.unpublished()
    circuits.mark_published("gong", found.change_seq)
    assert elsewhere.unpublished() == []
    clock.forward(minutes=1)
    (ended,) = elsewhere.unpublished()
    assert ended.force is None


def test_failures_and_calls_are_counted_by_hour(circuits: Circuits, clock: Clock) -> None:
    began = clock.now
    circuits.failed("gong", Failure("validation", "no JSON"))
    circuits.failed("gong", Failure("quota", "spent", clock.now))
    clock.forward(hours=1)
    circuits.succeeded("gong")

    assert circuits.errors_of("gong", began) == (1, 2)
    assert circuits.errors_of("gong", began, until=clock.now) == (1, 1)
    assert circuits.errors_of("gong", clock.now) == (0, 1)
    assert circuits.errors_of("slack", began) == (0, 0)


def test_the_history_of_a_circuit_does_not_grow_without_end(circuits: Circuits, store: ControlStore) -> None:
    circuits.reset("gong", "ada", "first")
    with store.transaction() as connection:
        connection.execute(circuit_changes.update().values(seq=1 - MOST_CHANGES))
    circuits.reset("gong", "ada", "second")

    assert [change.reason for change in circuits.changes("gong", after_seq=-MOST_CHANGES)] == ["second"]


def test_a_very_long_reason_is_cut(circuits: Circuits) -> None:
    fail(circuits, Failure("authentication", "no " * 1000), 1)
    cause = circuits.get("gong").cause

    assert cause is not None and len(cause.reason) == 500


@pytest.mark.parametrize("by_whom", ["", " \n"])
@pytest.mark.parametrize("act", ["force", "reset"])
def test_who_and_why_must_be_said(circuits: Circuits, act: str, by_whom: str) -> None:
    before = {"force": (State.OPEN,), "reset": ()}[act]
    for by, reason in ((by_whom, "why"), ("ada", by_whom)):
        with pytest.raises(ConfigurationError, match="was not given"):
            getattr(circuits, act)("gong", *before, by, reason)
    assert circuits.changes("gong") == []


@pytest.mark.parametrize("ttl", [timedelta(), timedelta(seconds=-1)])
def test_a_ttl_of_nothing_is_refused(circuits: Circuits, ttl: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="ttl"):
        circuits.force("gong", State.OPEN, "ada", "maintenance", ttl)


@pytest.mark.parametrize(
    "act",
    [
        lambda circuits: circuits.get("gogn"),
        lambda circuits: circuits.admit("gogn"),
        lambda circuits: circuits.take_probe("gogn", "run"),
        lambda circuits: circuits.succeeded("gogn"),
        lambda circuits: circuits.failed("gogn", NO_ANSWER),
        lambda circuits: circuits.force("gogn", State.OPEN, "ada", "why"),
        lambda circuits: circuits.reset("gogn", "ada", "why"),
        lambda circuits: circuits.changes("gogn"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(act: object, circuits: Circuits) -> None:
    assert callable(act)
    with pytest.raises(ConfigurationError, match=re.escape("there is no circuit 'gogn'. Use one of gong, hubspot")):
        act(circuits)


def test_whoever_is_held_back_writes_nothing(circuits: Circuits, store: ControlStore) -> None:
    fail(circuits)

    def version() -> object:
        with store.reading() as connection:
            return connection.exec_driver_sql("SELECT version FROM circuits").scalar()

    before = version()
    for _ in range(3):
        assert circuits.admission("gong").verdict is Verdict.OPEN
        assert not circuits.take_probe("gong", "run")
    assert version() == before
