"""The vendors' own count of what they would bill: each call, however it ended."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anthropic
import bpe_openai  # type: ignore[import-untyped]
import openai
import orjson
import pytest

from sophia_assets_tests.sandbox.clients import Client, control_client
from sophia_assets_tests.sandbox.model_clients import (
    anthropic_client,
    for_anthropic,
    for_chat,
    for_responses,
    last_call,
    openai_client,
    play,
    served_models,
    usage,
)
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sandbox.small_prompts import DRAFT_SCHEMA, asked_of

NOTHING = {"calls": 0, "input_tokens": 0, "output_tokens": 0}
PROMPT = asked_of(1).prompt


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served_models(limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def control(running: Served) -> Iterator[Client]:
    client = control_client(running.env)
    assert client.delete("/_control/usage").json() == {"anthropic": NOTHING, "openai": NOTHING}
    yield client
    client.delete("/_control/faults")


def counted(*texts: str) -> int:
    """What the rules make of these messages and the draft's schema."""
    encoding = bpe_openai.get_encoding("o200k_base")
    schema = orjson.dumps(DRAFT_SCHEMA).decode()
    return 3 + sum(3 + len(encoding.encode_ordinary(text)) for text in texts) + len(encoding.encode_ordinary(schema))


def test_input_is_counted_by_the_known_rules(control: Client, running: Served) -> None:
    gpt, claude = openai_client(running.env), anthropic_client(running.env)
    response = gpt.responses.create(**for_responses(PROMPT.user, instructions=PROMPT.system))
    message = claude.messages.create(**for_anthropic(PROMPT.user, system=PROMPT.system))
    expected = counted(PROMPT.system, PROMPT.user)
    assert response.usage is not None and response.usage.input_tokens == expected
    assert message.usage.input_tokens == math.ceil(expected * 1.15)
    assert usage(control)["openai"] == {
        "calls": 1,
        "input_tokens": expected,
        "output_tokens": response.usage.output_tokens,
    }


def test_what_answers_tell_of_their_use_is_what_is_billed(control: Client, running: Served) -> None:
    gpt, claude = openai_client(running.env), anthropic_client(running.env)
    response = gpt.responses.create(**for_responses(PROMPT.user))
    with gpt.responses.stream(**for_responses(PROMPT.user)) as stream:
        streamed = stream.get_final_response()
    chat = gpt.chat.completions.create(**for_chat(PROMPT.user))
    assert response.usage and streamed.usage and chat.usage
    billed = usage(control)["openai"]
    assert billed["calls"] == 3
    assert billed["output_tokens"] == (
        response.usage.output_tokens + streamed.usage.output_tokens + chat.usage.completion_tokens
    )
    assert billed["input_tokens"] == (
        response.usage.input_tokens + streamed.usage.input_tokens + chat.usage.prompt_tokens
    )
    with claude.messages.stream(**for_anthropic(PROMPT.user)) as events:
        used = events.get_final_message().usage
    assert usage(control)["anthropic"] == {
        "calls": 1,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
    }


@pytest.mark.parametrize(
    "fault", ["overloaded", "quota", "context_overflow", "errors:1", "auth", "rate_limit:9", "down"]
)
def test_what_is_turned_away_is_not_billed(control: Client, running: Served, fault: str) -> None:
    play(control, f"openai:{fault}")
    with pytest.raises(openai.APIError):
        openai_client(running.env).responses.create(**for_responses(PROMPT.user))
    assert usage(control)["openai"] == NOTHING


def test_a_malformed_request_is_not_billed(control: Client, running: Served) -> None:
    with pytest.raises(openai.NotFoundError):
        openai_client(running.env).chat.completions.create(**for_chat("x", model="gpt-0"))
    assert usage(control)["openai"] == NOTHING


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("truncated", "truncated"), ("refusal", "refused"), ("wrong_json", "completed"), ("empty_answer", "completed")],
)
def test_answers_that_are_of_no_use_are_billed_all_the_same(
    control: Client, running: Served, fault: str, outcome: str
) -> None:
    play(control, f"anthropic:{fault}")
    message = anthropic_client(running.env).messages.create(**for_anthropic(PROMPT.user))
    assert usage(control)["anthropic"] == {
        "calls": 1,
        "input_tokens": message.usage.input_tokens,
        "output_tokens": message.usage.output_tokens,
    }
    assert last_call(control, "anthropic")["outcome"] == outcome


def test_a_cut_stream_is_billed_up_to_the_cut(control: Client, running: Served) -> None:
    claude = anthropic_client(running.env)
    whole = claude.messages.create(**for_anthropic(PROMPT.user)).usage
    control.delete("/_control/usage")
    play(control, "anthropic:cut_stream:1")
    text = ""
    for event in claude.messages.create(**for_anthropic(PROMPT.user, stream=True)):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
    billed = usage(control)["anthropic"]
    tokens = len(bpe_openai.get_encoding("o200k_base").encode_ordinary(text))
    assert billed["input_tokens"] == whole.input_tokens
    assert billed["output_tokens"] == math.ceil(tokens * 1.15) < whole.output_tokens


def test_a_client_that_goes_away_stops_the_bill(control: Client, running: Served) -> None:
    play(control, "openai:trickle:0.02")
    gpt = openai_client(running.env)
    whole = gpt.responses.create(**for_responses(PROMPT.user)).usage
    stream = gpt.responses.create(**for_responses(PROMPT.user, stream=True))
    for number, _ in enumerate(stream):
        if number == 12:
            break
    stream.close()
    ended = threading.Event()
    for _ in range(200):
        if last_call(control, "openai")["outcome"] != "open":
            ended.set()
            break
        ended.wait(0.02)
    call = last_call(control, "openai")
    assert call["outcome"] == "client_gone"
    assert whole is not None and 0 < call["output_tokens"] < whole.output_tokens / 2


def test_the_log_names_each_call_and_keeps_the_last_200(control: Client, running: Served) -> None:
    claude = anthropic_client(running.env)
    message = claude.messages.create(**for_anthropic("Hello", None))
    call = last_call(control, "anthropic")
    assert call["request_id"] == message._request_id
    assert (call["model"], call["output_tokens"]) == ("claude-sonnet-5-5", message.usage.output_tokens)
    play(control, "anthropic:overloaded")
    for _ in range(210):
        with pytest.raises(anthropic.APIStatusError):
            claude.messages.create(**for_anthropic("Hello", None))
    assert len(control.get("/_control/usage/calls").json()["anthropic"]) == 200


def test_fifty_streams_at_once_are_answered_and_counted(control: Client, running: Served) -> None:
    claude, gpt = anthropic_client(running.env), openai_client(running.env)

    def ask(number: int) -> int:
        if number % 2:
            with claude.messages.stream(**for_anthropic(f"{PROMPT.user}\n{number}")) as events:
                return events.get_final_message().usage.output_tokens
        with gpt.responses.stream(**for_responses(f"{PROMPT.user}\n{number}")) as stream:
            used = stream.get_final_response().usage
            return used.output_tokens if used else 0

    with ThreadPoolExecutor(50) as pool:
        tokens = list(pool.map(ask, range(50)))
    billed = usage(control)
    assert [billed[name]["calls"] for name in ("anthropic", "openai")] == [25, 25]
    assert billed["anthropic"]["output_tokens"] + billed["openai"]["output_tokens"] == sum(tokens)


def test_a_company_without_any_system_has_its_language_models(running: Served) -> None:
    assert {"anthropic", "openai"} <= set(running.app.standins)
    assert not {"SOPHIA_ANTHROPIC_MODE", "SOPHIA_OPENAI_MODE"} & set(running.env)
    assert set(running.app.ready) == {"hubspot"}
    assert "<td>openai</td><td>answering</td>" in control_client(running.env).get("/").text
