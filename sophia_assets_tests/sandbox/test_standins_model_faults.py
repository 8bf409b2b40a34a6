"""What the stand-ins for language models can be told to get wrong, as the vendors' own SDKs meet it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import orjson
import pytest

from sophia_assets.sandbox.standins.faults import parse_fault
from sophia_assets.sandbox.standins.model_faults import LYING
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
from sophia_assets_tests.sandbox.small_prompts import asked_of, sentences

BOTH = ("anthropic", "openai")
WHAT = asked_of(1).prompt.user
SHORT_S = 0.4


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served_models(limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def control(running: Served) -> Iterator[Client]:
    client = control_client(running.env)
    client.delete("/_control/usage")
    yield client
    client.delete("/_control/faults")


@pytest.fixture
def claude(running: Served) -> anthropic.Anthropic:
    return anthropic_client(running.env)


@pytest.fixture
def gpt(running: Served) -> openai.OpenAI:
    return openai_client(running.env)


def claude_events(sdk: anthropic.Anthropic) -> tuple[list[str], str]:
    """The kinds of events of a stream that ends by itself, and its text."""
    kinds, text = [], ""
    for event in sdk.messages.create(**for_anthropic(WHAT, stream=True)):
        kinds.append(event.type)
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
    return kinds, text


def gpt_events(sdk: openai.OpenAI) -> tuple[list[Any], str]:
    """The events of a stream that ends by itself, and its text."""
    events = list(sdk.responses.create(**for_responses(WHAT, stream=True)))
    return events, "".join(event.delta for event in events if event.type == "response.output_text.delta")


@pytest.mark.parametrize("kind", sorted(LYING))
@pytest.mark.parametrize("system", BOTH)
def test_every_lie_can_be_asked_for_with_a_share(system: str, kind: str) -> None:
    assert parse_fault(f"{system}:{kind}:0.25").argument == 0.25


def test_a_lying_model_lies_over_both_wires(control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    asked = asked_of(1)
    play(control, "anthropic:lie_all:1", "openai:lie_all:1")
    texts = [claude_events(claude)[1], gpt_events(gpt)[1]]
    texts.append(gpt.chat.completions.create(**for_chat(WHAT)).choices[0].message.content or "")
    for text in texts:
        assert all(asked.findings(sentence) for _, sentence in sentences(text))
    play(control)
    assert not [each for _, each in sentences(claude_events(claude)[1]) if asked.findings(each)]


def test_refusals_have_status_200(control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    play(control, "anthropic:refusal", "openai:refusal")
    message = claude.messages.create(**for_anthropic(WHAT))
    assert message.stop_reason == "refusal" and message.stop_details is not None
    with claude.messages.stream(**for_anthropic(WHAT)) as stream:
        assert stream.get_final_message().stop_reason == "refusal"
    part: Any = gpt.responses.create(**for_responses(WHAT)).output[0]
    assert part.content[0].type == "refusal" and part.content[0].refusal
    assert "response.refusal.delta" in [event.type for event in gpt_events(gpt)[0]]
    assert gpt.chat.completions.create(**for_chat(WHAT)).choices[0].message.refusal


def test_a_stalled_answer_says_nothing_and_is_billed_for_its_input(control: Client, running: Served) -> None:
    play(control, "anthropic:stall", "openai:stall:5")
    claude, gpt = anthropic_client(running.env, timeout=SHORT_S), openai_client(running.env, timeout=SHORT_S)
    with pytest.raises(anthropic.APITimeoutError):
        claude.messages.create(**for_anthropic(WHAT))
    with pytest.raises(anthropic.APITimeoutError):
        claude_events(claude)
    told = []
    with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
        for event in gpt.responses.create(**for_responses(WHAT, stream=True)):
            told.append(event.type)
    assert len(told) == 5
    billed = usage(control)
    assert billed["anthropic"]["calls"] == 2 and billed["anthropic"]["output_tokens"] == 0
    assert billed["anthropic"]["input_tokens"] > 2_000


def test_a_trickling_stream_goes_on_for_long(control: Client, running: Served) -> None:
    play(control, "anthropic:trickle:0.05")
    claude = anthropic_client(running.env, timeout=SHORT_S)
    started, count = time.monotonic(), 0
    with claude.messages.create(**for_anthropic(WHAT, stream=True)) as stream:
        for _ in stream:
            count += 1
            if time.monotonic() - started > 2 * SHORT_S:
                break
    assert 5 <= count <= 2 * SHORT_S / 0.05 + 2


def test_a_cut_connection_is_an_error(control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    play(control, "anthropic:cut_stream:0", "openai:cut_stream:0")
    with pytest.raises((httpx2.HTTPError, anthropic.APIConnectionError)):
        claude_events(claude)
    with pytest.raises((httpx2.HTTPError, openai.APIConnectionError)):
        gpt_events(gpt)
    with pytest.raises(anthropic.APIConnectionError):
        claude.messages.create(**for_anthropic(WHAT))


def test_a_quiet_cut_is_no_error_and_lacks_its_end(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:cut_stream:1", "openai:cut_stream:1")
    kinds, text = claude_events(claude)
    assert "message_stop" not in kinds and "message_delta" not in kinds and text
    events, text = gpt_events(gpt)
    assert "response.completed" not in [event.type for event in events] and text
    chunks = list(gpt.chat.completions.create(**for_chat(WHAT, stream=True)))
    assert all(choice.finish_reason is None for chunk in chunks for choice in chunk.choices)
    assert last_call(control, "openai")["outcome"] == "cut"


def test_an_overloaded_vendor_turns_requests_away(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:overloaded", "openai:overloaded")
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude_events(claude)
    assert caught.value.status_code == 529
    assert caught.value.body["error"]["type"] == "overloaded_error"  # type: ignore[index]
    with pytest.raises(openai.InternalServerError) as other:
        gpt.responses.create(**for_responses(WHAT))
    assert other.value.status_code == 503
    assert usage(control) == {name: {"calls": 0, "input_tokens": 0, "output_tokens": 0} for name in BOTH}
    assert last_call(control, "anthropic")["outcome"] == "overloaded"


def test_an_overload_in_the_middle_comes_as_an_event(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:overloaded_midstream", "openai:overloaded_midstream")
    with pytest.raises(anthropic.APIStatusError) as caught:
        claude_events(claude)
    assert caught.value.body["error"]["type"] == "overloaded_error"  # type: ignore[index]
    events, text = gpt_events(gpt)
    assert [event.type for event in events[-2:]] == ["error", "response.failed"] and text
    with pytest.raises(openai.APIError, match="overloaded"):
        list(gpt.chat.completions.create(**for_chat(WHAT, stream=True)))
    assert usage(control)["anthropic"]["output_tokens"] > 0


def test_an_account_without_credit_is_turned_away(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:quota", "openai:quota")
    with pytest.raises(anthropic.APIStatusError, match="credit balance is too low") as caught:
        claude.messages.create(**for_anthropic(WHAT))
    assert caught.value.body["error"]["type"] == "billing_error"  # type: ignore[index]
    with pytest.raises(openai.RateLimitError) as other:
        gpt.responses.create(**for_responses(WHAT))
    assert other.value.code == "insufficient_quota"


def test_a_truncated_answer_says_so(control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    play(control, "anthropic:truncated", "openai:truncated")
    message = claude.messages.create(**for_anthropic(WHAT))
    assert message.stop_reason == "max_tokens"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(message.content[0].text)
    assert gpt_events(gpt)[0][-1].type == "response.incomplete"
    assert gpt.chat.completions.create(**for_chat(WHAT)).choices[0].finish_reason == "length"


def test_wrong_answers_end_as_if_they_were_right(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:wrong_json", "openai:wrong_schema")
    message = claude.messages.create(**for_anthropic(WHAT))
    assert message.stop_reason == "end_turn"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(message.content[0].text)
    response = gpt.responses.create(**for_responses(WHAT))
    assert response.status == "completed"
    assert set(orjson.loads(response.output_text)) == {"answer", "confidence"}


def test_a_prompt_that_is_too_long_is_refused_with_its_length(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:context_overflow:1000", "openai:context_overflow:1000")
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 1000 maximum"):
        claude.messages.create(**for_anthropic(WHAT))
    assert claude.messages.create(**for_anthropic("Hello", None)).stop_reason == "end_turn"
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.responses.create(**for_responses(WHAT))
    assert caught.value.code == "context_length_exceeded"


def test_a_failed_response_is_an_event_and_no_exception(control: Client, gpt: openai.OpenAI) -> None:
    play(control, "openai:failed_event")
    events, _ = gpt_events(gpt)
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    whole = gpt.responses.create(**for_responses(WHAT))
    assert whole.status == "failed" and whole.error is not None and whole.output == []


def test_an_empty_answer_has_no_text(control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    play(control, "anthropic:empty_answer", "openai:empty")
    assert claude.messages.create(**for_anthropic(WHAT)).content == []
    assert claude_events(claude) == (["message_start", "message_delta", "message_stop"], "")
    assert gpt.responses.create(**for_responses(WHAT)).output_text == ""
    assert gpt.chat.completions.create(**for_chat(WHAT)).choices[0].message.content == ""


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("errors:1", anthropic.InternalServerError),
        ("auth", anthropic.AuthenticationError),
        ("rate_limit:60", anthropic.RateLimitError),
        ("down", anthropic.APIConnectionError),
        ("cut:1", (httpx2.HTTPError, anthropic.APIConnectionError)),
    ],
)
def test_what_every_system_can_play_spoils_streams_too(
    control: Client, claude: anthropic.Anthropic, fault: str, kind: type[Exception]
) -> None:
    play(control, f"anthropic:{fault}")
    with pytest.raises(kind):
        claude_events(claude)


@pytest.mark.parametrize("fault", ["torn:1", "truncate"])
def test_a_torn_stream_has_its_first_events_and_no_end(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI, fault: str
) -> None:
    play(control, f"anthropic:{fault}", f"openai:{fault}")
    for _ in range(5):
        kinds, _ = claude_events(claude)
        assert kinds[0] == "message_start" and "message_stop" not in kinds
        assert gpt_events(gpt)[0][-1].type != "response.completed"
    assert 0 < usage(control)["anthropic"]["output_tokens"] < 5 * 200


def test_a_rate_limit_tells_how_long_to_wait(control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    play(control, "anthropic:rate_limit:30", "openai:rate_limit:30")
    with pytest.raises(anthropic.RateLimitError) as caught:
        claude.messages.create(**for_anthropic(WHAT))
    with pytest.raises(openai.RateLimitError) as other:
        gpt.responses.create(**for_responses(WHAT))
    assert caught.value.response.headers["retry-after"] == other.value.response.headers["retry-after"] == "30"


def test_faults_can_be_set_at_the_start() -> None:
    with served_models("openai:quota") as sandbox, pytest.raises(openai.RateLimitError):
        openai_client(sandbox.env).responses.create(**for_responses("Hello", None))


def test_faults_of_one_vendor_leave_the_other_alone(
    control: Client, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    play(control, "anthropic:down", "anthropic:lie_all:1")
    assert not [each for _, each in sentences(gpt_events(gpt)[1]) if asked_of(1).findings(each)]


Ask = Callable[[Client, Any], Any]


def _malformed() -> list[tuple[str, Any]]:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    wrong = [
        None,
        1,
        "x",
        [],
        {},
        deep,
        [None],
        [{}],
        {"type": "json_schema"},
        {"format": 1},
        True,
        -1,
        1e300,
        "\u0000",
    ]
    names = "model messages input max_tokens max_output_tokens system instructions text output_config stream stop"
    names += " response_format stream_options stop_sequences tools n metadata max_completion_tokens"
    return [(name, value) for name in names.split() for value in wrong]


@pytest.mark.parametrize(
    ("system", "path", "asked"),
    [
        ("anthropic", "/v1/messages", for_anthropic("x")),
        ("anthropic", "/v1/messages/count_tokens", {k: v for k, v in for_anthropic("x").items() if k != "max_tokens"}),
        ("openai", "/responses", for_responses("x")),
        ("openai", "/responses/input_tokens", for_responses("x")),
        ("openai", "/chat/completions", for_chat("x")),
    ],
)
def test_malformed_requests_are_never_a_server_error(
    control: Client, running: Served, system: str, path: str, asked: dict[str, Any]
) -> None:
    env = running.env
    key = env[f"{system.upper()}_API_KEY"]
    headers = {"Authorization": f"Bearer {key}", "anthropic-version": "2026-10-21"}
    client = Client(env[f"{system.upper()}_BASE_URL"], headers=headers)
    bodies = [orjson.dumps({**asked, name: value}) for name, value in _malformed()]
    bodies += [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"model": "\\ud800"}', b"{" + b'"a":{' * 5_000]
    for body in bodies:
        answer = client.post(path, data=body)
        assert answer.status_code < 500, (body[:200], answer.text[:200])
        assert answer.headers["content-type"].startswith(("application/json", "text/event-stream"))
    assert client.post(path, data=b"x", headers={"content-encoding": "gzip"}).status_code == 400
    assert client.get(path).status_code == 405
    assert client.post("/v1/nothing").status_code == 404
