"""Every call is in the ledger, however it ended, with the tokens and the money that it really took."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from sophia_assets.control.schema import llm_calls, llm_days
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.interface import FailureKind, Tokens
from sophia_assets.llm.prices import Prices, nanos
from sophia_assets.llm.tokens import Calibration, count_output, count_prompt, count_text
from sophia_assets.llm.usage import OpenCall, UsageLedger
from sophia_assets.llm.usage_report import UsageReport, read_usage
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings, prompt

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CLAUDE, GPT = "claude-sonnet-5-5", "gpt-5.5"
SETTINGS = llm_settings()


@pytest.fixture
def ledger(store: ControlStore) -> UsageLedger:
    return UsageLedger(store, SETTINGS, clock=lambda: NOW, run_id="run-1")


def begin(ledger: UsageLedger, provider: str = "openai", model: str = GPT, estimate: int = 500) -> OpenCall:
    return ledger.begin(PROMPT, key="2026-11-20/executive", provider=provider, model=model, input_estimate=estimate)


def rows(store: ControlStore) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(llm_calls).order_by(llm_calls.c.started_at, llm_calls.c.id)))


def report(store: ControlStore, by: str = "purpose", days: int = 7) -> UsageReport:
    return read_usage(store, SETTINGS, days=days, by=by, timezone=UTC, now=NOW)


def test_an_answer_is_recorded_with_all_that_is_known_of_it(store: ControlStore, ledger: UsageLedger) -> None:
    call = begin(ledger)
    (row,) = rows(store)
    assert (row.state, row.outcome, row.cost_nano_usd) == ("open", None, 0)
    assert row.reserved_nano_usd == nanos(Prices().worst_cost("openai", GPT, 500, 1_000))
    cost = call.end("answered", Tokens(480, 120, 80), model="gpt-5.5-2026-04-23", request_id="req_1")
    (row,) = rows(store)

    assert cost == Prices().cost("openai", GPT, Tokens(480, 120, 80))
    assert (row.state, row.outcome, row.cost_nano_usd) == ("ended", "answered", nanos(cost))
    assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.is_estimated) == (480, 120, 80, False)
    assert (row.model, row.request_id, row.run_id) == ("gpt-5.5-2026-04-23", "req_1", "run-1")
    assert (row.purpose, row.prompt_version, row.key) == ("briefing.write", "1", "2026-11-20/executive")
    assert (row.started_at, row.day, row.is_simulated) == (NOW, date(2026, 11, 20), False)
    assert row.seconds >= 0


def test_ending_a_call_twice_changes_nothing(store: ControlStore, ledger: UsageLedger) -> None:
    call = begin(ledger)
    first = call.end("answered", Tokens(480, 120))
    before = rows(store)

    assert call.end(FailureKind.TIMEOUT, Tokens(9_999, 9_999)) == first
    assert rows(store) == before


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.CONNECTION,
        FailureKind.OVERLOADED,
        FailureKind.SERVER_ERROR,
        FailureKind.RATE_LIMITED,
        FailureKind.QUOTA,
        FailureKind.AUTHENTICATION,
        FailureKind.BAD_REQUEST,
        FailureKind.CONTEXT_OVERFLOW,
    ],
)
@pytest.mark.parametrize("tokens", [None, Tokens()])
def test_what_was_over_before_an_answer_began_costs_nothing(
    store: ControlStore, ledger: UsageLedger, kind: FailureKind, tokens: Tokens | None
) -> None:
    assert begin(ledger).end(kind, tokens) == 0
    (row,) = rows(store)
    assert (row.outcome, row.input_tokens, row.output_tokens, row.is_estimated) == (kind, 0, 0, False)


@pytest.mark.parametrize(
    "kind", [FailureKind.OVERLOADED, FailureKind.SERVER_ERROR, FailureKind.TIMEOUT, FailureKind.CUT, "interrupted"]
)
def test_a_call_of_which_nobody_knows_counts_with_its_estimate_and_what_came(
    store: ControlStore, ledger: UsageLedger, kind: str
) -> None:
    partial = '{"text": "Bookings are down'
    cost = begin(ledger).end(kind, None, partial=partial)
    (row,) = rows(store)

    assert cost == Prices().cost("openai", GPT, Tokens(500, count_text(partial, GPT)))
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (500, count_text(partial, GPT), True)


def test_the_beginning_s_count_does_not_stand_for_a_cut_answer(store: ControlStore, ledger: UsageLedger) -> None:
    partial = "Bookings are down against the same point of last quarter. " * 20
    begin(ledger, "anthropic", CLAUDE).end(FailureKind.CUT, Tokens(430, 1), partial=partial)
    (row,) = rows(store)

    assert (row.input_tokens, row.is_estimated) == (430, True)
    assert row.output_tokens == count_output(partial, "anthropic", CLAUDE) > count_text(partial, CLAUDE)


def test_a_refusal_and_a_truncated_answer_cost_what_the_vendor_says(store: ControlStore, ledger: UsageLedger) -> None:
    refused = begin(ledger).end(FailureKind.REFUSAL, Tokens(480, 12), partial="I can't help with that, and so on.")
    truncated = begin(ledger).end(FailureKind.TRUNCATED, Tokens(480, 1_000), partial="x " * 3_000)

    assert refused == Prices().cost("openai", GPT, Tokens(480, 12))
    assert truncated == Prices().cost("openai", GPT, Tokens(480, 1_000))
    assert [row.is_estimated for row in rows(store)] == [False, False]


@pytest.mark.parametrize("tokens", [None, Tokens(), Tokens(-3, -4, -5)])
def test_no_answer_is_free_whatever_the_vendor_says(
    store: ControlStore, ledger: UsageLedger, tokens: Tokens | None
) -> None:
    assert begin(ledger).end("answered", tokens, partial='{"text": "a", "score": 1}') > 0
    (row,) = rows(store)
    assert (row.input_tokens, row.is_estimated) == (500, True) and row.output_tokens > 3


def test_absurd_words_and_numbers_of_a_vendor_are_recorded_all_the_same(
    store: ControlStore, ledger: UsageLedger
) -> None:
    odd = "a\x00b\ud800" + "x" * 10_000
    call = ledger.begin(prompt(purpose=odd, version=odd), key=odd, provider="openai", model=GPT, input_estimate=7)
    call.end(odd, Tokens(10**15, 10**15, 10**16), model=odd, request_id=odd, partial=odd)
    (row,) = rows(store)

    assert row.model.startswith("ab?xxx") and len(row.model) == 200 and len(row.request_id) == 200
    assert (row.input_tokens, row.cached_tokens) == (2**31 - 1, 2**31 - 1)


def test_a_model_that_answers_under_an_unknown_name_costs_what_was_asked_for(ledger: UsageLedger) -> None:
    used = Tokens(480, 120)
    assert begin(ledger).end("answered", used, model="renamed-by-a-gateway") == Prices().cost("openai", GPT, used)


def test_the_real_counts_teach_the_estimate(store: ControlStore, ledger: UsageLedger) -> None:
    actual = round(count_prompt(PROMPT, "openai", CLAUDE) * 1.15)
    for _ in range(3):
        begin(ledger, "anthropic", CLAUDE).end("answered", Tokens(actual, 10), model=f"{CLAUDE}-20260901")
        begin(ledger, "anthropic", CLAUDE).end(FailureKind.CUT, Tokens(5, 1), partial="a")
        begin(ledger, "anthropic", CLAUDE).end("answered", Tokens(500, 10))  # as many as were estimated: no news

    assert actual <= count_prompt(PROMPT, "anthropic", CLAUDE, Calibration(store)) <= actual * 1.06


def test_usage_adds_up_by_purpose_model_provider_and_day(store: ControlStore, ledger: UsageLedger) -> None:
    first = begin(ledger).end("answered", Tokens(480, 120, 80))
    second = begin(ledger, "anthropic", CLAUDE).end(FailureKind.TIMEOUT, None)
    begin(ledger).end("not_asked", Tokens())
    begin(ledger)
    found = report(store)

    (row,) = found.rows
    assert (row.name, row.calls, row.failed, row.estimated) == ("briefing.write", 3, 1, 1)
    assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.cost) == (980, 120, 80, first + second)
    assert found.failures == {"timeout": 1}
    assert {row.name for row in report(store, "model").rows} == {GPT, CLAUDE}
    assert {row.name for row in report(store, "provider").rows} == {"openai", "anthropic"}
    assert [row.name for row in report(store, "day").rows] == ["2026-11-20"]
    (today,) = found.today
    assert (today.spent, today.open_calls) == (first + second, 1) and today.reserved > 0


def test_a_call_that_was_left_behind_is_told_as_such_before_anybody_writes(store: ControlStore) -> None:
    begin(UsageLedger(store, SETTINGS, clock=lambda: NOW - timedelta(minutes=20)))
    found = report(store)

    assert found.failures == {"abandoned": 1}
    assert (found.rows[0].input_tokens, found.rows[0].estimated) == (500, 1)
    assert found.rows[0].cost == found.today[0].spent == Prices().cost("openai", GPT, Tokens(500))


def test_simulated_and_real_money_are_never_added_up(store: ControlStore, ledger: UsageLedger) -> None:
    begin(ledger).end("answered", Tokens(480, 120))
    begin(ledger).end("answered", Tokens(480, 120), model=f"{GPT}-sandbox")
    sandbox = llm_settings(SOPHIA_OPENAI_MODE="sandbox")
    begin(UsageLedger(store, sandbox, clock=lambda: NOW)).end(FailureKind.CUT, Tokens(480, 120))

    assert [(row.is_simulated, row.calls) for row in report(store).rows] == [(False, 1), (True, 2)]
    by_model = {row.name: row.calls for row in report(store, "model").rows}
    assert by_model == {GPT: 1, f"{GPT}-sandbox": 2}, "answers and failures of one model stand together"
    assert [each.is_simulated for each in report(store).today] == [False, True]


def test_a_sandboxed_provider_with_an_address_of_its_own_is_not_simulated(store: ControlStore) -> None:
    settings = llm_settings(SOPHIA_OPENAI_MODE="sandbox", OPENAI_BASE_URL="https://gateway.example.com/v1")
    begin(UsageLedger(store, settings, clock=lambda: NOW)).end("answered", Tokens(480, 120))
    assert not rows(store)[0].is_simulated


def test_rows_are_kept_for_400_days(store: ControlStore) -> None:
    for days in (402, 401, 400, 1, 0):
        UsageLedger(store, SETTINGS, clock=lambda days=days: NOW - timedelta(days=days)).begin(  # type: ignore[misc]
            PROMPT, key="b", provider="openai", model=GPT, input_estimate=1
        )
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(llm_days)).scalar() == 3
    assert [row.day for row in rows(store)] == [NOW.date() - timedelta(days=days) for days in (400, 1, 0)]


def test_a_year_of_calls_is_begun_and_ended_and_added_up_fast(store: ControlStore, ledger: UsageLedger) -> None:
    import time

    begin(ledger).end("answered", Tokens(480, 120))
    (row,) = rows(store)
    many = [
        {**row._mapping, "id": f"{number:032}", "day": row.day - timedelta(days=number % 365)}
        for number in range(20_000)
    ]
    with store.transaction() as connection:
        connection.execute(llm_calls.insert(), many)
    began = time.process_time()
    for _ in range(20):
        begin(ledger).end("answered", Tokens(480, 120))
    assert time.process_time() - began < 2.0
    assert report(store, "day", 400).rows[0].calls == 76


def test_two_decimals_are_no_place_where_money_gets_lost(store: ControlStore, ledger: UsageLedger) -> None:
    costs = [begin(ledger).end("answered", Tokens(1, 1)) for _ in range(30)]

    assert sum(costs, Decimal(0)) == ledger.standing().spent == report(store).rows[0].cost == costs[0] * 30
