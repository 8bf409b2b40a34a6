"""`sophia usage`: calls, tokens and money, for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.llm.answers import AnswerCache
from sophia_assets.llm.interface import Completion, FailureKind, Tokens
from sophia_assets.llm.usage import UsageLedger
from sophia_assets_tests.command_line.commands import Sophia, refused
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings, prompt

GPT, CLAUDE = "gpt-5.5", "claude-sonnet-5-5"
CHAIN = (f"openai:{GPT}",)


@pytest.fixture
def store(sophia: Sophia) -> ControlStore:
    return ControlStore.at(sophia.hold().path / "control.db")


@pytest.fixture
def used(store: ControlStore) -> ControlStore:
    """A store in which some calls went well, some failed, one is under way, and one answer was found again."""
    settings = llm_settings()
    ledger = UsageLedger(store, settings)
    for purpose, written in (("briefing.write", 900), ("briefing.criticise", 120)):
        call = ledger.begin(prompt(purpose=purpose), key="b", provider="openai", model=GPT, input_estimate=4_000)
        cost = call.end("answered", Tokens(3_900, written, 1_000), model=GPT)
    lost = ledger.begin(PROMPT, key="b", provider="anthropic", model=CLAUDE, input_estimate=4_000)
    lost.end(FailureKind.TIMEOUT, None)
    ledger.begin(PROMPT, key="b", provider="openai", model=GPT, input_estimate=4_000)
    cache = AnswerCache(store, settings)
    answer = {"text": "a", "score": 1}
    cache.put(PROMPT, CHAIN, Completion("openai", GPT, answer, Tokens(1, 1), cost))
    assert cache.get(PROMPT, CHAIN)
    return store


def test_an_empty_ledger_is_told_in_one_line(sophia: Sophia) -> None:
    sophia.hold()
    result = sophia("usage")
    assert result.exit_code == 0 and len(result.output.splitlines()) == 1
    assert result.output.startswith("No language model was asked from 20")
    assert "today's budget is $5.00." in result.output
    assert sophia("usage", "--days", "1").output.startswith("No language model was asked today;")


def test_the_table_has_calls_tokens_and_money_and_how_today_stands(sophia: Sophia, used: ControlStore) -> None:
    result = sophia("usage")
    lines = result.output.splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines if line}

    assert result.exit_code == 0, result.output
    assert max(map(len, lines)) <= 100
    assert words["briefing.criticise"][:4] == ["1", "0", "3,900", "120"]
    assert words["briefing.write"][:4] == ["3", "1", "7,900", "900"]
    assert words["total"][:4] == ["4", "1", "11,800", "1,020"]
    assert "Failures: timeout 1." in lines
    assert any(line.startswith("1 answer from the cache, which saved $0.0") for line in lines)
    assert any(line.startswith("Tokens of 1 call were counted here") for line in lines)
    assert lines[-1].startswith("Today: $0.0") and "of $5.00 spent (" in lines[-1]
    assert "reserved by 1 call under way; anew at midnight, UTC." in lines[-1]


@pytest.mark.parametrize("by", ["purpose", "model", "provider", "day"])
def test_rows_may_stand_for_something_else(sophia: Sophia, used: ControlStore, by: str) -> None:
    found = json.loads(sophia("usage", "--by", by, "--json").stdout)
    names = {row[by] for row in found["rows"]}

    assert (
        names
        == {
            "purpose": {"briefing.write", "briefing.criticise"},
            "model": {GPT, CLAUDE},
            "provider": {"openai", "anthropic"},
            "day": {datetime.now(UTC).date().isoformat()},
        }[by]
    )
    assert sum(row["calls"] for row in found["rows"]) == found["total"][0]["calls"] == 4


def test_programs_get_numbers(sophia: Sophia, used: ControlStore) -> None:
    found = json.loads(sophia("usage", "--days", "1", "--json").stdout)
    (today,) = found["today"]

    assert found["from"] == found["to"] == today["date"] == datetime.now(UTC).date().isoformat()
    assert 0 < today["spent_usd"] == pytest.approx(found["total"][0]["cost_usd"])
    assert (today["budget_usd"], today["open_calls"], today["simulated"]) == (5.0, 1, False)
    assert found["failures"] == {"timeout": 1}
    assert found["from_cache"]["hits"] == 1 and found["from_cache"]["saved_usd"] > 0


def test_simulated_money_is_marked(sophia: Sophia, store: ControlStore) -> None:
    ledger = UsageLedger(store, llm_settings(SOPHIA_OPENAI_MODE="sandbox"))
    ledger.begin(PROMPT, key="b", provider="openai", model=GPT, input_estimate=9).end("answered", Tokens(9, 9))
    told = sophia("usage").output

    assert any(line.startswith("briefing.write") and " * " in line for line in told.splitlines())
    assert "* simulated: the sandbox's models" in told
    assert "Today (simulated): $0.0" in told


def test_names_that_are_too_long_do_not_break_the_table(sophia: Sophia, store: ControlStore) -> None:
    ledger = UsageLedger(store, llm_settings())
    for purpose in ("x" * 100, "中" * 50):
        call = ledger.begin(prompt(purpose=purpose), key="b", provider="openai", model=GPT, input_estimate=10**5)
        call.end("answered", Tokens(10**5, 10**3))
    assert max(len(line) for line in sophia("usage").output.splitlines()) <= 100


def test_what_cannot_be_is_refused(sophia: Sophia) -> None:
    assert sophia("usage", "--days", "0").exit_code == 2
    assert sophia("usage", "--by", "colour").exit_code == 2
    refused(sophia("usage", SOPHIA_LLM_DAILY_BUDGET_USD="five"), 2, "SOPHIA_LLM_DAILY_BUDGET_USD is 'five'")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SOPHIA_OPENAI_PRICE", "5", "SOPHIA_OPENAI_PRICE is '5'. Allowed: input,output in US dollars per million"),
        ("SOPHIA_OPENAI_PRICE", "5,-1", "SOPHIA_OPENAI_PRICE is '5,-1'"),
        ("SOPHIA_ANTHROPIC_PRICE", "nan,1", "SOPHIA_ANTHROPIC_PRICE is 'nan,1'"),
        ("SOPHIA_LLM_CACHE_SECONDS", "-1", "SOPHIA_LLM_CACHE_SECONDS is '-1'. Allowed: a whole number from 0 to"),
        ("SOPHIA_LLM_DAILY_BUDGET_USD", "inf", "SOPHIA_LLM_DAILY_BUDGET_USD is 'inf'"),
        ("SOPHIA_OPENAI_MODEL", "gpt 5", "SOPHIA_OPENAI_MODEL is 'gpt 5'. Write it as gpt-5.5"),
        ("OPENAI_BASE_URL", "api.openai.com", "OPENAI_BASE_URL is no address of https:// or http://"),
    ],
)
def test_a_bad_setting_is_told_in_one_line(sophia: Sophia, name: str, value: str, told: str) -> None:
    refused(sophia("usage", **{name: value}), 2, told)
