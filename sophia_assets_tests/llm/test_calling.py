"""The calling loop: who is asked, how often, for how long, and what each failure means for the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from sophia_assets.control.breaker import State
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import ControlStoreUnavailable
from sophia_assets.llm.interface import (
    BudgetSpent,
    ContextOverflow,
    FailureKind,
    ModelRefused,
    NoModelAnswered,
    Tokens,
)
from sophia_assets_tests.llm.stand_ins import COST, Place, Scripted
from sophia_assets_tests.llm.vendors import PROMPT, TEXT

PASSING = [
    FailureKind.CONNECTION,
    FailureKind.TIMEOUT,
    FailureKind.OVERLOADED,
    FailureKind.SERVER_ERROR,
    FailureKind.CUT,
    FailureKind.RATE_LIMITED,
]
OPERATORS = [FailureKind.QUOTA, FailureKind.AUTHENTICATION]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ControlStore]:
    found = ControlStore.at(tmp_path / "control.db")
    yield found
    found.close()


def test_the_first_provider_answers_and_the_other_is_not_asked(place: Place, second: Scripted) -> None:
    completion = place.complete()
    assert (completion.provider, completion.model) == ("anthropic", "model-1-dated")
    assert completion.content == {"answer": "Bookings fell."}
    assert (completion.cost_usd, completion.calls, completion.failures) == (COST, 1, ())
    assert completion.tokens == Tokens(100, 20) and completion.request_id == "req-1"
    assert second.calls == 0
    assert place.ledger.outcomes == ["answered"]
    (record,) = place.ledger.records
    assert (record.key, record.input_estimate) == ("daily 2026-11-20", len(PROMPT.user))


def test_the_order_is_the_rollouts(place: Place) -> None:
    place.order = ("openai", "anthropic")
    assert place.complete().provider == "openai"


def test_nobody_is_asked_where_the_rollout_allows_nobody(place: Place, first: Scripted) -> None:
    place.order = ()
    with pytest.raises(NoModelAnswered, match="no language model may be asked"):
        place.complete()
    assert first.calls == 0


@pytest.mark.parametrize("kind", [*PASSING, *OPERATORS, FailureKind.BAD_REQUEST])
def test_the_next_provider_is_asked_at_once(place: Place, first: Scripted, kind: FailureKind) -> None:
    first.outcomes = [kind]
    completion = place.complete()
    assert (completion.provider, completion.calls) == ("openai", 2)
    assert [failure.kind for failure in completion.failures] == [kind]
    assert (first.calls, place.waits) == (1, [])
    assert place.ledger.outcomes == [kind.value, "answered"]


@pytest.mark.parametrize("kind", PASSING)
def test_where_nobody_is_left_each_is_asked_once_again_after_a_pause(
    place: Place, first: Scripted, second: Scripted, kind: FailureKind
) -> None:
    first.outcomes, second.outcomes = [kind], [kind]
    with pytest.raises(NoModelAnswered) as raised:
        place.complete()
    assert (first.calls, second.calls) == (2, 2)
    assert [failure.provider for failure in raised.value.failures] == ["anthropic", "openai", "anthropic", "openai"]
    assert place.waits == [pytest.approx(0.02)]
    assert place.ledger.outcomes == [kind.value] * 4


def test_the_second_round_may_succeed(place: Place, first: Scripted, second: Scripted) -> None:
    first.outcomes, second.outcomes = [FailureKind.OVERLOADED, TEXT], [FailureKind.SERVER_ERROR]
    completion = place.complete()
    assert (completion.provider, completion.calls, len(completion.failures)) == ("anthropic", 3, 2)


@pytest.mark.parametrize("kind", [*OPERATORS, FailureKind.BAD_REQUEST])
def test_what_does_not_pass_by_itself_is_not_tried_again(
    place: Place, first: Scripted, second: Scripted, kind: FailureKind
) -> None:
    first.outcomes, second.outcomes = [kind], [kind]
    with pytest.raises(NoModelAnswered):
        place.complete()
    assert (first.calls, second.calls) == (1, 1)


@pytest.mark.parametrize(
    "text", ["", "   ", "no json", '{"answer": 7}', '{"other": ""}', "[]", '{"answer": "a", "more": 1}', "{" * 5000]
)
def test_wrong_json_is_asked_for_once_more_and_then_of_the_next(place: Place, first: Scripted, text: str) -> None:
    first.outcomes = [text]
    completion = place.complete()
    assert (completion.provider, first.calls) == ("openai", 2)
    assert place.ledger.outcomes == ["wrong_json", "wrong_json", "answered"]
    assert [failure.kind for failure in completion.failures] == [FailureKind.WRONG_JSON] * 2


def test_texts_of_two_answers_are_never_put_together(place: Place, first: Scripted, second: Scripted) -> None:
    first.outcomes, second.outcomes = ['{"answer": "Book'], ['ings fell."}']
    with pytest.raises(NoModelAnswered):
        place.complete()


def test_a_truncated_answer_is_asked_for_with_twice_the_room(place: Place, first: Scripted, second: Scripted) -> None:
    first.outcomes = [FailureKind.TRUNCATED]
    assert place.complete().provider == "openai"
    assert [prompt.max_output_tokens for prompt in first.prompts] == [500, 1000]
    assert second.prompts[0].max_output_tokens == 1000
    assert [record.most_output for record in place.ledger.records] == [500, 1000, 1000]


def test_a_refusal_ends_it_and_nobody_else_is_asked(place: Place, first: Scripted, second: Scripted) -> None:
    first.outcomes = [FailureKind.REFUSAL]
    with pytest.raises(ModelRefused) as raised:
        place.complete()
    assert (first.calls, second.calls) == (1, 0)
    assert len(raised.value.failures) == 1


def test_a_prompt_that_is_too_long_goes_back_to_whoever_can_shorten_it(
    place: Place, first: Scripted, second: Scripted
) -> None:
    first.outcomes = [FailureKind.CONTEXT_OVERFLOW]
    with pytest.raises(ContextOverflow):
        place.complete()
    assert (first.calls, second.calls) == (1, 0)


def test_a_spent_budget_ends_it_before_anything_is_sent(place: Place, first: Scripted, second: Scripted) -> None:
    place.ledger.refusal, place.ledger.money_for = BudgetSpent("the day's budget is spent"), 0
    with pytest.raises(BudgetSpent):
        place.complete()
    assert (first.calls, second.calls) == (0, 0)


def test_a_budget_that_is_spent_by_a_failure_ends_it_too(place: Place, first: Scripted, second: Scripted) -> None:
    place.ledger.refusal, place.ledger.money_for = BudgetSpent("the day's budget is spent"), 1
    first.outcomes = [FailureKind.CUT]
    with pytest.raises(BudgetSpent) as raised:
        place.complete()
    assert second.calls == 0 and [failure.kind for failure in raised.value.failures] == [FailureKind.CUT]


def test_an_answer_that_is_kept_costs_nothing_and_calls_nobody(place: Place, first: Scripted) -> None:
    asked = place.complete()
    kept = place.complete()
    assert kept.content == asked.content and kept.from_cache
    assert (kept.cost_usd, kept.calls, first.calls) == (Decimal(0), 0, 1)
    assert len(place.ledger.records) == 1
    place.complete(replace(PROMPT, version="2"))
    assert first.calls == 2


def test_a_failure_is_never_kept(place: Place, first: Scripted, second: Scripted) -> None:
    first.outcomes, second.outcomes = [FailureKind.BAD_REQUEST], ["no json"]
    with pytest.raises(NoModelAnswered):
        place.complete()
    assert not place.answers.kept


class TestTime:
    def test_a_stalled_first_leaves_half_of_the_time_for_the_second(
        self, place: Place, first: Scripted, second: Scripted
    ) -> None:
        first.outcomes = [600.0]
        assert place.complete(seconds=60.0).provider == "openai"
        assert (first.seconds, second.seconds) == ([30.0], [30.0])

    def test_the_last_one_gets_all_that_is_left(self, place: Place, first: Scripted, second: Scripted) -> None:
        first.outcomes = [FailureKind.CONNECTION]
        place.complete(seconds=60.0)
        assert second.seconds == [60.0]

    def test_one_alone_gets_all(self, store: ControlStore, first: Scripted) -> None:
        Place(store, first).complete(seconds=60.0)
        assert first.seconds == [60.0]

    def test_one_whose_other_is_shut_off_gets_all(self, place: Place, first: Scripted) -> None:
        place.circuits.force("openai", State.OPEN, "ada", "maintenance")
        place.complete(seconds=60.0)
        assert first.seconds == [60.0]

    def test_when_both_stall_it_ends_with_the_deadline(self, place: Place, first: Scripted, second: Scripted) -> None:
        first.outcomes, second.outcomes = [600.0], [600.0]
        began = place.clock.now
        with pytest.raises(NoModelAnswered) as raised:
            place.complete(seconds=60.0)
        assert place.clock.now - began == 60.0
        assert [failure.kind for failure in raised.value.failures] == [FailureKind.TIMEOUT] * 2

    def test_no_time_means_that_nobody_is_asked(self, place: Place, first: Scripted) -> None:
        with pytest.raises(NoModelAnswered, match="time was over"):
            place.complete(seconds=0.0)
        assert first.calls == 0 and not place.ledger.records

    def test_what_getting_ready_takes_is_nobodys_share_of_the_time(
        self, place: Place, first: Scripted, second: Scripted
    ) -> None:
        first.seconds_to_load = 20.0
        first.outcomes = [600.0]
        place.complete(seconds=60.0)
        assert (first.seconds, second.seconds) == ([20.0], [20.0])
        first.seconds_to_load = 60.0
        with pytest.raises(NoModelAnswered):
            place.complete(replace(PROMPT, user="2"), seconds=60.0)
        assert first.calls == 1 and place.circuit("anthropic").consecutive_failures == 1

    def test_a_limit_is_waited_for_where_there_is_time(self, store: ControlStore, first: Scripted) -> None:
        first.outcomes, first.retry_after = [FailureKind.RATE_LIMITED, TEXT], 0.2
        place = Place(store, first)
        assert place.complete(seconds=60.0).calls == 2
        assert place.waits == [pytest.approx(0.202)]

    def test_a_limit_is_not_waited_for_where_there_is_none(self, store: ControlStore, first: Scripted) -> None:
        first.outcomes, first.retry_after = [FailureKind.RATE_LIMITED], 60.0
        place = Place(store, first)
        with pytest.raises(NoModelAnswered):
            place.complete(seconds=30.0)
        assert (first.calls, place.waits) == (1, [])


class TestBooks:
    @pytest.mark.parametrize(
        ("error", "outcome"), [(KeyboardInterrupt(), "interrupted"), (ZeroDivisionError(), "unexpected")]
    )
    def test_a_call_that_is_torn_out_is_ended_in_the_ledger(
        self, place: Place, first: Scripted, error: BaseException, outcome: str
    ) -> None:
        first.outcomes = [error]
        with pytest.raises(type(error)):
            place.complete()
        assert place.ledger.records[0].ends == [(outcome, None)]

    def test_an_interrupt_is_an_interrupt_even_where_the_ledger_cannot_be_written(
        self, place: Place, first: Scripted
    ) -> None:
        first.outcomes = [KeyboardInterrupt()]
        place.ledger.end_failure = ControlStoreUnavailable("the disk is full")
        with pytest.raises(KeyboardInterrupt):
            place.complete()

    def test_what_cannot_be_accounted_for_is_not_used(self, place: Place) -> None:
        place.ledger.end_failure = ControlStoreUnavailable("the disk is full")
        with pytest.raises(NoModelAnswered, match="the disk is full"):
            place.complete()

    def test_a_store_that_cannot_be_read_means_that_nobody_is_asked(
        self, place: Place, first: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreadable(*_: object) -> None:
            raise ControlStoreUnavailable("the control store cannot be read")

        monkeypatch.setattr(place.circuits, "admission", unreadable)
        with pytest.raises(NoModelAnswered, match="cannot be read"):
            place.complete()
        assert first.calls == 0

    def test_an_answer_is_not_lost_because_its_circuit_cannot_be_told(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unwritable(*_: object) -> None:
            raise ControlStoreUnavailable("locked")

        monkeypatch.setattr(place.circuits, "succeeded", unwritable)
        assert place.complete().provider == "anthropic"

    def test_what_a_failed_call_used_stands_in_the_ledger(self, place: Place, first: Scripted) -> None:
        first.outcomes = [FailureKind.CUT]
        place.complete()
        assert place.ledger.records[0].ends == [("cut", Tokens(7, 3))]
