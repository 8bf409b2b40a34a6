"""The calling loop and its circuits: which failures open one, who probes, and that a vendor is then left alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.control.breaker import State
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.interface import BudgetSpent, FailureKind, NoModelAnswered, Prompt
from sophia_assets_tests.llm.stand_ins import POLICY, Place, Scripted
from sophia_assets_tests.llm.vendors import PROMPT, TEXT

IN_TROUBLE = [
    FailureKind.CONNECTION,
    FailureKind.TIMEOUT,
    FailureKind.OVERLOADED,
    FailureKind.SERVER_ERROR,
    FailureKind.CUT,
]
OPERATORS = [FailureKind.QUOTA, FailureKind.AUTHENTICATION]
NOT_THE_VENDORS = [
    FailureKind.WRONG_JSON,
    FailureKind.TRUNCATED,
    FailureKind.REFUSAL,
    FailureKind.CONTEXT_OVERFLOW,
    FailureKind.BAD_REQUEST,
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ControlStore]:
    found = ControlStore.at(tmp_path / "control.db")
    yield found
    found.close()


class TestCircuits:
    @pytest.mark.parametrize("kind", IN_TROUBLE)
    def test_failures_in_a_row_open_the_circuit_and_then_the_vendor_is_not_asked(
        self, place: Place, first: Scripted, kind: FailureKind
    ) -> None:
        first.outcomes = [kind]
        for number in range(POLICY.failure_threshold):
            place.complete(replace(PROMPT, user=f"{number}"))
        assert place.circuit("anthropic").state is State.OPEN
        completion = place.complete(replace(PROMPT, user="one more"))
        assert (completion.provider, completion.calls, completion.failures) == ("openai", 1, ())
        assert first.calls == POLICY.failure_threshold
        assert place.circuit("openai").state is State.CLOSED

    def test_all_open_means_that_nobody_is_asked_and_says_why(
        self, place: Place, first: Scripted, second: Scripted
    ) -> None:
        first.outcomes, second.outcomes = [FailureKind.CONNECTION], [FailureKind.CONNECTION]
        for number in range(2):
            with pytest.raises(NoModelAnswered):
                place.complete(replace(PROMPT, user=f"{number}"))
        calls = first.calls + second.calls
        with pytest.raises(NoModelAnswered, match="anthropic: not asked, since its circuit is open") as raised:
            place.complete()
        assert first.calls + second.calls == calls == 6
        assert raised.value.failures == ()

    @pytest.mark.parametrize("kind", NOT_THE_VENDORS)
    def test_what_is_not_the_vendors_fault_does_not_count(
        self, place: Place, first: Scripted, kind: FailureKind
    ) -> None:
        first.outcomes = ["no json" if kind is FailureKind.WRONG_JSON else kind]
        for number in range(POLICY.failure_threshold * 2):
            with suppress(NoModelAnswered):
                place.complete(replace(PROMPT, user=f"{number}"))
        circuit = place.circuit("anthropic")
        assert (circuit.state, circuit.consecutive_failures) == (State.CLOSED, 0)

    @pytest.mark.parametrize("kind", OPERATORS)
    def test_quota_and_keys_open_the_circuit_at_once_until_somebody_acts_with_one_alert(
        self, place: Place, first: Scripted, kind: FailureKind, caplog: pytest.LogCaptureFixture
    ) -> None:
        first.outcomes = [kind]
        for number in range(3):
            assert place.complete(replace(PROMPT, user=f"{number}")).provider == "openai"
        circuit = place.circuit("anthropic")
        assert (circuit.state, circuit.retry_at, first.calls) == (State.OPEN, None, 1)
        alerts = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert len(alerts) == 1 and "sophia circuit reset anthropic" in alerts[0]

    def test_a_new_key_is_tried_at_once(self, place: Place, first: Scripted) -> None:
        first.outcomes = [FailureKind.AUTHENTICATION, TEXT]
        place.complete(replace(PROMPT, user="1"))
        place.credential = "second"
        assert place.complete(replace(PROMPT, user="2")).provider == "anthropic"
        assert place.circuit("anthropic").state is State.CLOSED

    def test_a_limit_holds_everybody_back_until_then_and_does_not_count(self, place: Place, first: Scripted) -> None:
        first.outcomes, first.retry_after = [FailureKind.RATE_LIMITED], 40.0
        for number in range(POLICY.failure_threshold * 2):
            assert place.complete(replace(PROMPT, user=f"{number}")).provider == "openai"
        circuit = place.circuit("anthropic")
        assert (circuit.state, circuit.consecutive_failures, first.calls) == (State.CLOSED, 0, 1)
        assert circuit.not_before is not None
        assert 10 < (circuit.not_before - datetime.now(UTC)).total_seconds() < 41

    def test_one_that_is_to_be_left_alone_is_waited_for_where_nobody_else_is_left(
        self, place: Place, first: Scripted, second: Scripted
    ) -> None:
        first.outcomes, first.retry_after = [FailureKind.RATE_LIMITED, TEXT], 1.0
        place.complete(replace(PROMPT, user="1"))
        second.outcomes = [FailureKind.QUOTA]
        assert place.complete(replace(PROMPT, user="2")).provider == "anthropic"


def opened(place: Place, first: Scripted) -> None:
    """Opens the first provider's circuit, so short that its probe is due."""
    first.outcomes = [FailureKind.CONNECTION]
    for number in range(POLICY.failure_threshold):
        place.complete(replace(PROMPT, user=f"opening {number}"))
    assert place.circuit("anthropic").state is State.OPEN
    first.prompts.clear()
    place.ledger.records.clear()
    time.sleep(0.06)


class TestProbes:
    @pytest.fixture
    def place(self, store: ControlStore, first: Scripted, second: Scripted) -> Place:
        soon = timedelta(seconds=0.05)
        return Place(store, first, second, policy=replace(POLICY, recovery_timeout=soon, lease=timedelta(seconds=20)))

    def test_the_probe_is_a_real_request_and_closes_the_circuit(self, place: Place, first: Scripted) -> None:
        opened(place, first)
        first.outcomes = [TEXT]
        assert place.complete().provider == "anthropic"
        assert (place.circuit("anthropic").state, first.calls) == (State.CLOSED, 1)

    def test_a_probe_that_fails_leaves_it_to_the_next_and_the_circuit_open_for_longer(
        self, place: Place, first: Scripted
    ) -> None:
        opened(place, first)
        assert place.complete().provider == "openai"
        circuit = place.circuit("anthropic")
        assert (circuit.state, circuit.attempt, first.calls) == (State.OPEN, 1, 1)

    @pytest.mark.parametrize("kind", NOT_THE_VENDORS)
    def test_a_probe_that_is_answered_somehow_closes_the_circuit(
        self, place: Place, first: Scripted, kind: FailureKind
    ) -> None:
        opened(place, first)
        first.outcomes = ["no json" if kind is FailureKind.WRONG_JSON else kind]
        with suppress(NoModelAnswered):
            place.complete()
        assert place.circuit("anthropic").state is State.CLOSED

    def test_only_one_of_several_probes(self, place: Place, first: Scripted) -> None:
        opened(place, first)

        def while_it_is_asked(_: Prompt) -> str:
            assert place.complete(replace(PROMPT, user="meanwhile")).provider == "openai"
            return TEXT

        first.outcomes = [while_it_is_asked]
        assert place.complete().provider == "anthropic"
        assert first.calls == 1

    def test_a_spent_budget_does_not_use_the_probe_up(self, place: Place, first: Scripted) -> None:
        opened(place, first)
        place.ledger.refusal, place.ledger.money_for = BudgetSpent("spent"), 0
        with pytest.raises(BudgetSpent):
            place.complete()
        place.ledger.refusal, first.outcomes = None, [TEXT]
        assert place.complete().provider == "anthropic"

    def test_a_probe_ends_before_its_lease_does(self, place: Place, first: Scripted) -> None:
        opened(place, first)
        first.outcomes = [TEXT]
        first.seconds.clear()
        place.complete(seconds=60.0)
        assert first.seconds == [15.0]

    def test_a_probe_that_nobody_expected_to_fail_so_is_told(self, place: Place, first: Scripted) -> None:
        opened(place, first)
        first.outcomes = [RuntimeError("a mistake")]
        with pytest.raises(RuntimeError):
            place.complete()
        assert place.circuit("anthropic").state is State.OPEN
        assert place.ledger.outcomes == ["unexpected"]
