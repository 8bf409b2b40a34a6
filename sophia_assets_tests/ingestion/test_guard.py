"""The guard: who may ask a system, who probes it, and what counts against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.control.breaker import BreakerPolicy, State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import (
    AuthenticationFailed,
    CircuitOpen,
    ConnectionFailed,
    PermissionMissing,
    QuotaExhausted,
    ResponseInvalid,
    SchemaDrift,
    SourceError,
    SystemSwitchedOff,
)
from sophia_assets.ingestion.guard import Guard

POLICY = BreakerPolicy(failure_threshold=3, jitter=0.0)
START = datetime(2026, 3, 20, 9, tzinfo=UTC)
NO_ANSWER = ConnectionFailed("no answer", system="gong", obj="calls")


@dataclass
class Place:
    """A guard over a real store, on a clock of its own, in front of a system that answers pings as it is told."""

    store: ControlStore
    now: datetime = START
    seconds: float = 0.0
    flag: str = ""
    credential: str = "first"
    answer: SourceError | None = None
    pings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.circuits = Circuits(self.store, lambda _: POLICY, clock=lambda: self.now, jitter=lambda: 0.0)
        self.guard = self.another()

    def another(self) -> Guard:
        """Another process's guard over the same store."""
        return Guard(
            self.circuits,
            switched_off_by=lambda _: self.flag,
            credential_of=lambda _: self.credential,
            ping=self._ping,
            clock=lambda: self.seconds,
        )

    def _ping(self, system: str) -> str:
        self.pings.append(system)
        if self.answer is not None:
            raise self.answer
        return f"{system} answers"

    def fail(self, error: SourceError = NO_ANSWER, times: int = 3) -> None:
        for _ in range(times):
            self.guard.failed("gong", error)

    def wait(self, **length: float) -> None:
        self.now += timedelta(**length)

    @property
    def state(self) -> State:
        return self.circuits.get("gong").state


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    store = ControlStore.at(tmp_path / "control.db")
    yield Place(store)
    store.close()


def test_a_closed_circuit_lets_everybody_through_and_is_not_probed(place: Place) -> None:
    place.guard.admit("gong", "calls", "run")
    assert place.guard.lets_through("gong")
    assert place.pings == []


def test_failures_in_a_row_open_the_circuit_and_nothing_is_asked_any_more(place: Place) -> None:
    place.fail(times=2)
    place.guard.admit("gong", "calls", "run")
    place.fail(times=1)
    with pytest.raises(CircuitOpen) as refused:
        place.guard.admit("gong", "calls", "run")
    assert not refused.value.was_asked
    assert refused.value.not_before == START + POLICY.recovery_timeout
    assert str(refused.value).startswith(
        "gong/calls: not asked, since its circuit is open since 09:00 UTC after 3 failures"
    )
    assert not place.guard.lets_through("gong")
    assert place.pings == []


def test_a_refusal_of_the_guards_own_does_not_count_against_the_system(place: Place) -> None:
    place.fail(times=2)
    place.circuits.force("gong", State.OPEN, "ada", "a test")
    with pytest.raises(CircuitOpen) as refused:
        place.guard.admit("gong", "calls", "run")
    place.circuits.reset("gong", "ada", "over")
    place.fail(refused.value)
    assert place.circuits.get("gong").consecutive_failures == 0


@pytest.mark.parametrize(
    "error",
    [
        ResponseInvalid("not shaped as expected", system="gong"),
        SchemaDrift("a column vanished", system="gong"),
        PermissionMissing("a scope is missing", system="gong"),
    ],
    ids=lambda error: error.kind,
)
def test_bad_data_and_one_missing_permission_never_open_the_circuit(place: Place, error: SourceError) -> None:
    place.fail(error, times=20)
    place.guard.admit("gong", "calls", "run")


def test_a_spent_limit_holds_everybody_back_until_then_and_counts_for_nothing(place: Place) -> None:
    until = START + timedelta(hours=2)
    place.fail(QuotaExhausted("spent", not_before=until, system="gong"), times=9)
    with pytest.raises(QuotaExhausted) as refused:
        place.guard.admit("gong", "calls", "run")
    assert refused.value.not_before == until and not refused.value.was_asked
    assert place.state is State.CLOSED
    place.wait(hours=2)
    place.guard.admit("gong", "calls", "run")
    assert place.pings == []


def test_whoever_comes_when_a_probe_is_due_makes_it_and_goes_on(place: Place) -> None:
    place.fail()
    place.wait(seconds=61)
    place.guard.admit("gong", "calls", "run")
    assert place.pings == ["gong"]
    assert place.state is State.CLOSED


def test_a_probe_that_fails_keeps_the_circuit_open_for_longer(place: Place) -> None:
    place.fail()
    place.answer = ConnectionFailed("still no answer", system="gong")
    place.wait(seconds=61)
    with pytest.raises(CircuitOpen, match="still no answer") as refused:
        place.guard.admit("gong", "calls", "run")
    assert refused.value.not_before == place.now + 2 * POLICY.recovery_timeout
    with pytest.raises(CircuitOpen):
        place.guard.admit("gong", "users", "run")
    assert place.pings == ["gong"], "one probe, and no other for those who come after it"


def test_while_one_probes_the_others_are_refused(place: Place) -> None:
    place.fail()
    place.wait(seconds=61)
    assert place.circuits.take_probe("gong", "somebody else")
    with pytest.raises(CircuitOpen, match="a probe is on its way") as refused:
        place.another().admit("gong", "calls", "run")
    assert refused.value.not_before == place.now + POLICY.lease
    assert place.pings == []


def test_a_probe_whose_holder_was_killed_is_made_by_the_next_who_comes_after_its_lease(place: Place) -> None:
    place.fail()
    place.wait(seconds=61)
    assert place.circuits.take_probe("gong", "killed")
    place.wait(seconds=121)
    place.guard.admit("gong", "calls", "run")
    assert place.state is State.CLOSED


def test_a_refused_credential_waits_for_another_one_and_for_nothing_else(place: Place) -> None:
    place.fail(AuthenticationFailed("refused", system="gong"), times=1)
    place.wait(days=30)
    with pytest.raises(CircuitOpen, match="Renew the credential") as refused:
        place.guard.admit("gong", "calls", "run")
    assert refused.value.not_before is None and place.pings == []
    place.credential = "renewed"
    place.guard.admit("gong", "calls", "run")
    assert place.pings == ["gong"] and place.state is State.CLOSED


def test_a_system_that_is_switched_off_is_not_even_probed(place: Place) -> None:
    place.fail()
    place.wait(seconds=61)
    place.flag = "gong.enabled"
    with pytest.raises(SystemSwitchedOff, match=r"the flag gong\.enabled is off") as refused:
        place.guard.admit("gong", "calls", "run")
    with pytest.raises(SystemSwitchedOff):
        place.guard.probe("gong", "run")
    assert not refused.value.was_asked and not place.guard.lets_through("gong")
    assert place.pings == []


def test_a_probe_that_ends_otherwise_than_by_an_error_of_ours_gives_its_slot_back(place: Place) -> None:
    place.fail()
    place.wait(seconds=61)
    place.answer = ValueError("a bug")  # type: ignore[assignment]
    with pytest.raises(ValueError, match="a bug"):
        place.guard.admit("gong", "calls", "run")
    assert place.state is State.OPEN


def test_a_read_ends_at_the_next_page_once_its_system_is_switched_off(place: Place) -> None:
    look = place.guard.before_each_page("gong", "calls")
    look()
    place.flag = "enable_real_data"
    look()
    place.seconds += 0.2
    with pytest.raises(SystemSwitchedOff):
        look()


def test_a_read_ends_at_the_next_page_once_its_circuit_is_forced_open(place: Place) -> None:
    look = place.guard.before_each_page("gong", "calls")
    place.circuits.force("gong", State.OPEN, "ada", "it is being moved")
    place.seconds += 0.2
    with pytest.raises(CircuitOpen, match="forced open by ada"):
        look()


def test_a_read_that_is_under_way_goes_on_when_others_open_the_circuit(place: Place) -> None:
    look = place.guard.before_each_page("gong", "calls")
    place.fail()
    place.seconds += 0.2
    look()
