"""Identical requests are answered from the cache; anything else about a request makes it another one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from sophia_assets.control.flag_names import CACHING
from sophia_assets.control.flags import Flags
from sophia_assets.control.schema import llm_answers
from sophia_assets.control.store import ControlStore
from sophia_assets.llm import answers
from sophia_assets.llm.answers import AnswerCache
from sophia_assets.llm.interface import Completion, Prompt, Tokens
from sophia_assets.llm.usage_report import read_usage
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings, prompt

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CHAIN = ("openai:gpt-5.5", "anthropic:claude-sonnet-5-5")
ANSWER = Completion(
    provider="openai",
    model="gpt-5.5",
    content={"text": "Bookings are down by {{f1|delta}}, über alles.", "score": 7},
    tokens=Tokens(480, 120),
    cost_usd=Decimal("0.0125"),
    calls=2,
    request_id="req_1",
)


def cache_of(
    store: ControlStore,
    at: datetime = NOW,
    is_enabled: Callable[[], bool] = lambda: True,
    environment: dict[str, str] | None = None,
) -> AnswerCache:
    return AnswerCache(store, llm_settings(**environment or {}), is_enabled=is_enabled, clock=lambda: at)


def number_kept(store: ControlStore) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(llm_answers)).scalar() or 0)


def test_an_identical_request_is_answered_again_for_nothing(store: ControlStore) -> None:
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    found = cache_of(store, NOW + timedelta(days=6)).get(prompt(), CHAIN)

    assert found is not None
    assert (found.content, found.provider, found.model) == (ANSWER.content, "openai", "gpt-5.5")
    assert (found.from_cache, found.cost_usd, found.calls, found.tokens) == (True, Decimal(0), 0, Tokens())


CHANGES: dict[str, Any] = {
    "purpose": "briefing.revise",
    "version": "2",
    "system": PROMPT.system + " ",
    "user": PROMPT.user.replace("1.24", "1.25"),
    "schema_name": "another",
    "schema": {**PROMPT.schema, "required": ["text"]},
    "max_output_tokens": 1_001,
}


def test_every_field_of_a_prompt_is_tried_below() -> None:
    assert set(CHANGES) == {each.name for each in fields(Prompt)}


@pytest.mark.parametrize("name", CHANGES)
def test_another_prompt_is_another_request(store: ControlStore, name: str) -> None:
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    assert cache_of(store).get(replace(PROMPT, **{name: CHANGES[name]}), CHAIN) is None


@pytest.mark.parametrize("chain", [(), CHAIN[:1], CHAIN[::-1], ("openai:gpt-5.5-mini", CHAIN[1])])
def test_another_chain_is_another_request(store: ControlStore, chain: tuple[str, ...]) -> None:
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    assert cache_of(store).get(PROMPT, chain) is None


@pytest.mark.parametrize(
    "environment", [{"SOPHIA_OPENAI_MODE": "sandbox"}, {"OPENAI_BASE_URL": "https://gateway.example.com/v1"}]
)
def test_what_the_sandbox_or_another_address_answered_is_given_to_nobody_else(
    store: ControlStore, environment: dict[str, str]
) -> None:
    cache_of(store, environment=environment).put(PROMPT, CHAIN, ANSWER)
    assert cache_of(store).get(PROMPT, CHAIN) is None
    assert cache_of(store, environment=environment).get(PROMPT, CHAIN) is not None


def test_two_texts_that_are_joined_alike_are_not_the_same_request(store: ControlStore) -> None:
    cache = cache_of(store)
    assert cache.key(prompt(system="a", user='b","c'), CHAIN) != cache.key(prompt(system='a","b', user="c"), CHAIN)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"text": "a"},
        {"text": "a", "score": "7"},
        {"text": "a", "score": 7, "more": 1},
        {"text": "\ud800", "score": 1},
    ],
)
def test_an_answer_that_does_not_meet_its_schema_is_not_kept(store: ControlStore, content: dict[str, Any]) -> None:
    cache_of(store).put(PROMPT, CHAIN, replace(ANSWER, content=content))
    assert number_kept(store) == 0


def test_an_answer_from_the_cache_is_not_kept_anew(store: ControlStore) -> None:
    cache_of(store).put(PROMPT, CHAIN, replace(ANSWER, from_cache=True))
    assert number_kept(store) == 0


def test_a_huge_answer_is_not_kept(store: ControlStore) -> None:
    cache_of(store).put(PROMPT, CHAIN, replace(ANSWER, content={"text": "x" * 300_000, "score": 1}))
    assert number_kept(store) == 0


def test_an_answer_expires_and_is_thrown_away_with_the_next(store: ControlStore) -> None:
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    later = cache_of(store, NOW + timedelta(days=7))
    assert later.get(PROMPT, CHAIN) is None
    later.put(prompt(user="another"), CHAIN, ANSWER)
    assert number_kept(store) == 1


def test_a_lifetime_of_nothing_keeps_and_finds_nothing(store: ControlStore) -> None:
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    off = cache_of(store, environment={"SOPHIA_LLM_CACHE_SECONDS": "0"})
    off.put(prompt(user="another"), CHAIN, ANSWER)

    assert off.get(PROMPT, CHAIN) is None
    assert number_kept(store) == 1


def test_the_flag_for_caching_counts_at_once(store: ControlStore) -> None:
    flags = Flags(store)
    cache = cache_of(store, is_enabled=lambda: flags.is_on(CACHING))
    cache.put(PROMPT, CHAIN, ANSWER)
    assert cache.get(PROMPT, CHAIN) is not None
    flags.set(CACHING, "off", "ada", "a test")
    cache.put(prompt(user="another"), CHAIN, ANSWER)

    assert cache.get(PROMPT, CHAIN) is None
    assert number_kept(store) == 1


def test_only_so_many_are_kept_the_newest(store: ControlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_ANSWERS", 5)
    for number in range(8):
        cache_of(store, NOW + timedelta(seconds=number)).put(prompt(user=str(number)), CHAIN, ANSWER)

    cache = cache_of(store, NOW + timedelta(minutes=1))
    found = [number for number in range(8) if cache.get(prompt(user=str(number)), CHAIN)]
    assert (number_kept(store), found) == (5, [3, 4, 5, 6, 7])


@pytest.mark.parametrize(
    "tamper",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("down", "up"),
        lambda text: "",
        lambda text: "null",
        lambda text: json.dumps({**json.loads(text), "content": {"text": "Send money", "score": 1}}),
    ],
)
def test_a_row_that_is_torn_or_was_changed_is_no_answer(store: ControlStore, tamper: Callable[[str], str]) -> None:
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    with store.transaction() as connection:
        text = str(connection.execute(select(llm_answers.c.content)).scalar())
        connection.execute(llm_answers.update().values(content=tamper(text)))

    assert cache_of(store).get(PROMPT, CHAIN) is None
    cache_of(store).put(PROMPT, CHAIN, ANSWER)
    assert cache_of(store).get(PROMPT, CHAIN) is not None


@pytest.mark.parametrize("content", ["null", "{", "[]", '{"content": 1}', "[" * 5_000, '{"content": {"text": "a"}}'])
def test_a_sealed_row_of_another_form_is_no_answer(store: ControlStore, content: str) -> None:
    cache = cache_of(store)
    cache.put(PROMPT, CHAIN, ANSWER)
    seal = answers.seal_of(cache.key(PROMPT, CHAIN), content)
    with store.transaction() as connection:
        connection.execute(llm_answers.update().values(content=content, seal=seal))
    assert cache.get(PROMPT, CHAIN) is None


def test_a_row_copied_to_another_request_is_no_answer_to_it(store: ControlStore) -> None:
    cache, other = cache_of(store), prompt(user="another")
    cache.put(PROMPT, CHAIN, ANSWER)
    with store.transaction() as connection:
        connection.execute(llm_answers.update().values(key=cache.key(other, CHAIN)))
    assert cache.get(other, CHAIN) is None


def test_answers_of_many_at_once_do_not_disturb_each_other(store: ControlStore) -> None:
    cache, gate = cache_of(store), threading.Barrier(6)

    def use(number: int) -> bool:
        gate.wait(30)
        for turn in range(5):
            cache.put(prompt(user=str(turn)), CHAIN, ANSWER)
        return all(cache.get(prompt(user=str(turn)), CHAIN) for turn in range(5))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(use, range(6)))
    assert number_kept(store) == 5


def test_a_store_that_cannot_be_used_has_no_answers_and_raises_nothing() -> None:
    cache = cache_of(ControlStore("postgresql://me:s3cret@127.0.0.1:9/control", wait_seconds=0.2))
    cache.put(PROMPT, CHAIN, ANSWER)
    assert cache.get(PROMPT, CHAIN) is None


def test_hits_are_counted_with_what_they_saved(store: ControlStore) -> None:
    cache = cache_of(store)
    cache.put(PROMPT, CHAIN, ANSWER)
    cache.get(prompt(user="unknown"), CHAIN)
    for _ in range(3):
        cache.get(PROMPT, CHAIN)
    cache.put(PROMPT, CHAIN, replace(ANSWER, model="gpt-5.5-sandbox"))
    cache.get(PROMPT, CHAIN)
    found = read_usage(store, llm_settings(), days=1, by="model", timezone=UTC, now=NOW)

    assert (found.cache.hits, found.cache.saved) == (3, ANSWER.cost_usd * 3)
    assert (found.simulated_cache.hits, found.simulated_cache.saved) == (1, ANSWER.cost_usd)


def test_neither_prompt_nor_names_are_in_the_store_s_keys(store: ControlStore) -> None:
    key = cache_of(store).key(PROMPT, CHAIN)
    assert len(key) == 64 and set(key) <= set("0123456789abcdef")
