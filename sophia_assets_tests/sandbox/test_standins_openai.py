"""OpenAI's stand-in, as its vendor's own SDK sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.model_clients import GPT, for_chat, for_responses, openai_client, served_models
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
def sdk(running: Served) -> openai.OpenAI:
    return openai_client(running.env)


@pytest.fixture
def raw(running: Served) -> Client:
    env = running.env
    return Client(env["OPENAI_BASE_URL"], headers={"Authorization": f"Bearer {env['OPENAI_API_KEY']}"})


def test_a_response_says_who_wrote_it_and_what_it_used(sdk: openai.OpenAI) -> None:
    response = sdk.responses.create(**for_responses(PLAIN, None))
    assert (response.object, response.status, response.model) == ("response", "completed", f"{GPT}-sandbox")
    assert response.error is None and response.incomplete_details is None
    assert "sandbox" in response.output_text
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response._request_id and response._request_id.startswith("req_")


def test_a_stream_of_a_response_has_every_event_in_order(sdk: openai.OpenAI) -> None:
    events = list(sdk.responses.create(**for_responses(PLAIN, None, stream=True)))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert [event.sequence_number for event in events] == list(range(len(events)))
    done, ended = events[-4], events[-1]
    assert done.type == "response.output_text.done" and "sandbox" in done.text
    assert ended.type == "response.completed" and ended.response.usage is not None


def test_streamed_and_whole_responses_are_the_same(sdk: openai.OpenAI) -> None:
    whole = sdk.responses.create(**for_responses(PLAIN, None))
    with sdk.responses.stream(**for_responses(PLAIN, None)) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        streamed = stream.get_final_response()
    assert deltas == streamed.output_text == whole.output_text
    assert streamed.usage == whole.usage


def test_a_chat_completion_is_whole_or_streamed_alike(sdk: openai.OpenAI) -> None:
    whole = sdk.chat.completions.create(**for_chat(PLAIN, None))
    asked = for_chat(PLAIN, None, stream=True, stream_options={"include_usage": True})
    chunks = list(sdk.chat.completions.create(**asked))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert (whole.choices[0].finish_reason, chunks[-2].choices[0].finish_reason) == ("stop", "stop")
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert whole.model == chunks[0].model == f"{GPT}-sandbox"


def test_a_chat_that_does_not_ask_for_usage_gets_none(raw: Client) -> None:
    answer = raw.post("/chat/completions", json=for_chat(PLAIN, None, stream=True))
    assert "usage" not in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")


def test_an_unknown_schema_gets_its_simplest_instance(sdk: openai.OpenAI) -> None:
    wanted = Opinion(verdict="", score=0)
    assert sdk.responses.parse(model=GPT, input=PLAIN, text_format=Opinion).output_parsed == wanted
    messages: Any = [{"role": "user", "content": PLAIN}]
    completion = sdk.chat.completions.parse(model=GPT, messages=messages, response_format=Opinion)
    assert completion.choices[0].message.parsed == wanted


def test_the_count_of_tokens_is_that_of_the_response(sdk: openai.OpenAI) -> None:
    asked = for_responses(PLAIN, DRAFT_SCHEMA, instructions="Be brief.")
    used = sdk.responses.create(**asked).usage
    del asked["max_output_tokens"]
    assert used is not None and sdk.responses.input_tokens.count(**asked).input_tokens == used.input_tokens


def test_instructions_and_a_message_of_the_system_count_alike(sdk: openai.OpenAI) -> None:
    one = sdk.responses.input_tokens.count(model=GPT, instructions="Be brief.", input=PLAIN)
    messages: Any = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": PLAIN}]
    other = sdk.responses.input_tokens.count(model=GPT, input=messages)
    assert one.input_tokens == other.input_tokens


def test_models_are_listed_and_found(sdk: openai.OpenAI) -> None:
    assert GPT in [model.id for model in sdk.models.list()]
    assert sdk.models.retrieve(GPT).object == "model"


def test_a_wrong_key_is_refused(running: Served) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        openai_client(running.env, api_key="wrong").responses.create(**for_responses(PLAIN, None))
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"temperature": 0.5}, "unsupported_parameter", "'temperature' is not supported"),
        ({"colour": "red"}, "unknown_parameter", "Unknown parameter: 'colour'"),
        ({"input": None}, "missing_required_parameter", "'input'"),
        ({"model": None}, "missing_required_parameter", "'model'"),
        ({"model": "gpt-0"}, "model_not_found", "'gpt-0' does not exist"),
        ({"max_output_tokens": 3}, "integer_below_min_value", "'max_output_tokens'"),
        ({"max_output_tokens": "many"}, "invalid_type", "expected an integer"),
        ({"stream": 1}, "invalid_type", "expected a boolean"),
        ({"input": [{"role": "robot", "content": "x"}]}, "invalid_value", "Supported values"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "invalid_value", "input[0].content[0]"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "json_schema"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "missing_required_parameter", "schema"),
        ({"tools": [{"type": "web_search"}]}, "invalid_value", "cannot call tools"),
    ],
)
def test_what_the_vendor_refuses_is_refused_with_its_reason(
    raw: Client, change: dict[str, Any], code: str, told: str
) -> None:
    asked = {key: value for key, value in {**for_responses(PLAIN, None), **change}.items() if value is not None}
    answer = raw.post("/responses", json=asked)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (400, "invalid_request_error", code)
    assert told in error["message"]
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"max_tokens": 10}, 400, "Use 'max_completion_tokens' instead"),
        ({"model": "gpt-0"}, 404, "does not exist or you do not have access"),
        ({"stream_options": {"include_usage": True}}, 400, "only allowed when 'stream'"),
        ({"messages": []}, 400, "empty array"),
        ({"n": 2}, 400, "one choice"),
    ],
)
def test_what_the_vendor_refuses_in_a_chat_is_refused(
    raw: Client, change: dict[str, Any], status: int, told: str
) -> None:
    answer = raw.post("/chat/completions", json={**for_chat(PLAIN, None), **change})
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_a_strict_schema_needs_every_property_and_no_other(sdk: openai.OpenAI) -> None:
    loose = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": []}
    with pytest.raises(openai.BadRequestError, match="additionalProperties"):
        sdk.responses.create(**for_responses(PLAIN, loose))
    with pytest.raises(openai.BadRequestError, match="Missing 'verdict'") as caught:
        sdk.chat.completions.create(**for_chat(PLAIN, {**loose, "additionalProperties": False}))
    assert caught.value.code == "invalid_json_schema"


def test_an_answer_longer_than_asked_for_is_incomplete(sdk: openai.OpenAI) -> None:
    response = sdk.responses.create(**for_responses("plan " * 50, DRAFT_SCHEMA, max_output_tokens=16))
    assert response.status == "completed"
    short = sdk.responses.create(**for_responses(PLAIN, None, max_output_tokens=16))
    assert short.status == "incomplete"
    assert short.incomplete_details is not None and short.incomplete_details.reason == "max_output_tokens"
    assert sdk.chat.completions.create(**for_chat(PLAIN, None, max_completion_tokens=4)).choices[0].finish_reason == (
        "length"
    )


def test_answers_tell_what_is_left_of_the_limits(raw: Client) -> None:
    headers = raw.post("/responses", json=for_responses(PLAIN, None)).headers
    assert int(headers["x-ratelimit-remaining-requests"]) < int(headers["x-ratelimit-limit-requests"])
    assert headers["x-ratelimit-reset-requests"]


def test_a_schema_that_refers_to_itself_ends(sdk: openai.OpenAI) -> None:
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}},
        "required": ["left", "right"],
        "additionalProperties": False,
    }
    response = sdk.responses.create(**for_responses(PLAIN, tree, max_output_tokens=100))
    assert response.status == "incomplete"
