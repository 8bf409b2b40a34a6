"""Anthropic's stand-in, as its vendor's own SDK sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import orjson
import pytest
from pydantic import BaseModel

from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.model_clients import CLAUDE, anthropic_client, for_anthropic, served_models
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sandbox.small_prompts import DRAFT_SCHEMA

PLAIN = "Who are you?"


class Opinion(BaseModel):
    """A schema that the model has never heard of."""

    verdict: str
    score: int


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served_models() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sdk(running: Served) -> anthropic.Anthropic:
    return anthropic_client(running.env)


@pytest.fixture
def raw(running: Served) -> Client:
    env = running.env
    headers = {"x-api-key": env["ANTHROPIC_API_KEY"], "anthropic-version": "2026-10-21"}
    return Client(env["ANTHROPIC_BASE_URL"], headers=headers)


def test_a_message_says_who_wrote_it_and_what_it_used(sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(**for_anthropic(PLAIN, None))
    assert (message.type, message.role, message.model) == ("message", "assistant", f"{CLAUDE}-sandbox")
    assert (message.stop_reason, message.stop_sequence, message.stop_details) == ("end_turn", None, None)
    assert "sandbox" in message.content[0].text
    assert message.usage.input_tokens > 0 < message.usage.output_tokens
    assert message._request_id and message._request_id.startswith("req_")


def test_a_stream_has_every_event_in_the_vendors_order(sdk: anthropic.Anthropic) -> None:
    events = list(sdk.messages.create(**for_anthropic(PLAIN, None, stream=True)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    start, delta = events[0], events[-2]
    assert start.type == "message_start" and start.message.stop_reason is None and start.message.content == []
    assert delta.type == "message_delta" and delta.delta.stop_reason == "end_turn" and delta.usage.output_tokens > 1


def test_a_ping_follows_the_first_block(raw: Client) -> None:
    answer = raw.post("/v1/messages", json=for_anthropic(PLAIN, None, stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[:3] == ["message_start", "content_block_start", "ping"]


def test_streamed_and_whole_answers_are_the_same(sdk: anthropic.Anthropic) -> None:
    whole = sdk.messages.create(**for_anthropic(PLAIN, None))
    with sdk.messages.stream(**for_anthropic(PLAIN, None)) as stream:
        streamed = stream.get_final_message()
    assert [block.to_dict() for block in streamed.content] == [block.to_dict() for block in whole.content]
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert streamed.usage.input_tokens == whole.usage.input_tokens


def test_an_unknown_schema_gets_its_simplest_instance(sdk: anthropic.Anthropic) -> None:
    parsed = sdk.messages.parse(
        model=CLAUDE, max_tokens=100, messages=[{"role": "user", "content": PLAIN}], output_format=Opinion
    )
    assert parsed.parsed_output == Opinion(verdict="", score=0)


def test_the_count_of_tokens_is_that_of_the_message(sdk: anthropic.Anthropic) -> None:
    asked = for_anthropic(PLAIN, DRAFT_SCHEMA, system="Be brief.")
    used = sdk.messages.create(**asked).usage.input_tokens
    del asked["max_tokens"]
    assert sdk.messages.count_tokens(**asked).input_tokens == used


def test_models_are_listed_and_found(sdk: anthropic.Anthropic) -> None:
    assert CLAUDE in [model.id for model in sdk.models.list()]
    assert sdk.models.retrieve(CLAUDE).max_input_tokens == 1_000_000
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("claude-0")


def test_either_way_to_give_the_key_is_taken(running: Served) -> None:
    bearer = anthropic_client(running.env, api_key=None, auth_token=running.env["ANTHROPIC_API_KEY"])
    assert bearer.messages.create(**for_anthropic(PLAIN, None)).stop_reason == "end_turn"
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        anthropic_client(running.env, api_key="wrong").messages.create(**for_anthropic(PLAIN, None))


@pytest.mark.parametrize("version", [None, "2023-06-01"])
def test_another_version_of_the_api_is_refused(running: Served, version: str | None) -> None:
    headers = {"x-api-key": running.env["ANTHROPIC_API_KEY"]} | ({"anthropic-version": version} if version else {})
    answer = Client(running.env["ANTHROPIC_BASE_URL"], headers=headers).get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": 0.5}, "temperature: Extra inputs are not permitted"),
        ({"top_p": 0.5}, "top_p: Extra inputs"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"max_tokens": True}, "valid integer"),
        ({"max_tokens": 500_000, "stream": True}, "maximum allowed number of output tokens"),
        ({"max_tokens": 21_334}, "require `stream`"),
        ({"messages": []}, "at least one message"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty content"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]}, "prefill"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "additionalProperties"),
        ({"output_config": {"effort": "extreme"}}, "output_config.effort"),
        ({"stop_sequences": [" "]}, "non-whitespace"),
        ({"tools": [{"name": "x"}]}, "cannot call tools"),
    ],
)
def test_what_the_vendor_refuses_is_refused_with_its_reason(raw: Client, change: dict[str, Any], told: str) -> None:
    asked = {key: value for key, value in {**for_anthropic(PLAIN, None), **change}.items() if value is not None}
    answer = raw.post("/v1/messages", json=asked)
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert told in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]


def test_a_schema_with_a_keyword_that_the_vendor_lacks_is_refused(sdk: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"words": {"type": "array", "items": {"type": "string"}, "maxItems": 3}},
        "required": ["words"],
        "additionalProperties": False,
    }
    with pytest.raises(anthropic.BadRequestError, match="'maxItems' is not supported"):
        sdk.messages.create(**for_anthropic(PLAIN, schema))


def test_an_unknown_model_is_not_found(sdk: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        sdk.messages.create(**for_anthropic(PLAIN, None, model="claude-0"))
    assert caught.value.body["error"] == {"type": "not_found_error", "message": "model: claude-0"}  # type: ignore[index]


def test_an_answer_longer_than_asked_for_ends_at_its_limit(sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(**for_anthropic(PLAIN, None, max_tokens=5))
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens <= 5


def test_a_stop_sequence_ends_an_answer(sdk: anthropic.Anthropic) -> None:
    message = sdk.messages.create(**for_anthropic(PLAIN, None, stop_sequences=["sandbox"]))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "sandbox")
    assert all("sandbox" not in block.text for block in message.content if block.type == "text")


def test_answers_tell_what_is_left_of_the_limits(raw: Client) -> None:
    first = raw.post("/v1/messages", json=for_anthropic(PLAIN, None)).headers
    second = raw.post("/v1/messages", json=for_anthropic(PLAIN, None)).headers
    name = "anthropic-ratelimit-requests-remaining"
    assert int(first[name]) - int(second[name]) == 1
    assert first["request-id"] != second["request-id"]


def test_any_text_can_be_asked_and_is_counted(sdk: anthropic.Anthropic) -> None:
    for text in (
        "<|endoftext|>",
        "株式会社 \U0001f600",
        "\u0000\u202e",
        "x" * 50_000,
        "<facts>\n|\n</facts>",
        "<draft>\n{",
    ):
        message = sdk.messages.create(**for_anthropic(text))
        assert set(orjson.loads(message.content[0].text)) == {"bottom_line", "sections"}
        assert message.usage.input_tokens > 3
