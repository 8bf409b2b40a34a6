"""The vendors' wire with their real SDKs over real HTTP: answers, and every fault in them."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sophia_assets.llm.interface import FailureKind, ModelError, Tokens
from sophia_assets_tests.certificates import self_signed
from sophia_assets_tests.llm.scripted_server import ScriptedServer, Step, reset, scripted_server, send, stall
from sophia_assets_tests.llm.vendors import (
    ANTHROPIC,
    CACHED_TOKENS,
    COMMENT,
    ESTIMATE,
    INPUT_TOKENS,
    KEY,
    OPENAI,
    OUTPUT_TOKENS,
    PING,
    PROMPT,
    TEXT,
    VENDORS,
    Vendor,
    http,
    loaded,
    sse,
)

PLENTY = 30.0
PIECE = '{"answer": "Book'


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return loaded(request.param)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as serving:
        yield serving


def failure(vendor: Vendor, server: ScriptedServer, *script: Step, seconds: float = PLENTY) -> ModelError:
    server.play(script)
    with pytest.raises(ModelError) as raised:
        vendor.asked_at(server.url).complete(PROMPT, seconds=seconds)
    error = raised.value
    assert KEY not in f"{error}{error!r}" and "CANARY" not in f"{error}{error!r}"
    assert error.__cause__ is None and error.__context__ is None
    assert error.provider == vendor.name
    return error


def test_a_whole_answer_comes_with_its_model_tokens_and_request(vendor: Vendor, server: ScriptedServer) -> None:
    server.play(vendor.answer())
    answer = vendor.asked_at(server.url).complete(PROMPT, seconds=PLENTY)
    assert answer.text == TEXT
    assert answer.model == "model-1-dated"
    assert answer.tokens == Tokens(INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS)
    assert answer.request_id == "req-1"


def test_what_is_sent_is_the_prompt_with_its_schema_and_nothing_is_to_be_kept(
    vendor: Vendor, server: ScriptedServer
) -> None:
    server.play(vendor.answer())
    vendor.asked_at(server.url).complete(PROMPT, seconds=PLENTY)
    (request,) = server.received
    assert request.path == vendor.path
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = request.body
    assert body["stream"] is True and body["model"] == "model-1"
    if vendor is ANTHROPIC:
        assert body["output_config"] == {"format": {"type": "json_schema", "schema": PROMPT.schema}}
        assert body["messages"] == [{"role": "user", "content": PROMPT.user}]
        assert (body["system"], body["max_tokens"]) == (PROMPT.system, 500)
    else:
        assert body["text"]["format"] == {
            "type": "json_schema",
            "name": "briefing_draft",
            "schema": PROMPT.schema,
            "strict": True,
        }
        assert (body["instructions"], body["input"], body["max_output_tokens"]) == (PROMPT.system, PROMPT.user, 500)
        assert body["store"] is False


def test_pings_comments_and_events_that_nobody_knows_change_nothing(vendor: Vendor, server: ScriptedServer) -> None:
    news = sse("response.surprise", {"type": "response.surprise", "delta": "x"})
    server.play(vendor.stream(PING if vendor is ANTHROPIC else b"", COMMENT, news, vendor.delta(TEXT), vendor.end()))
    assert vendor.asked_at(server.url).complete(PROMPT, seconds=PLENTY).text == TEXT


def test_an_answer_may_come_in_torn_pieces_even_within_a_character(vendor: Vendor, server: ScriptedServer) -> None:
    text = '{"answer": "Umsätze fielen 🦉"}'
    whole = vendor.headers + vendor.begin() + vendor.delta(text) + vendor.end(text)
    whole = whole.replace(json.dumps("ä")[1:-1].encode(), "ä".encode())
    server.play([send(whole[at : at + 7]) for at in range(0, len(whole), 7)])
    assert vendor.asked_at(server.url).complete(PROMPT, seconds=PLENTY).text == text


def test_an_answer_that_is_complete_is_not_waited_on(vendor: Vendor, server: ScriptedServer) -> None:
    """A connection that stays open after the end must not turn an answer into a time-out."""
    server.play([*vendor.answer(), stall()])
    assert vendor.asked_at(server.url).complete(PROMPT, seconds=PLENTY).text == TEXT
    assert server.hung_up.acquire(timeout=2)


STATUSES = [
    (400, "invalid_request_error", "", FailureKind.BAD_REQUEST),
    (401, "authentication_error", "", FailureKind.AUTHENTICATION),
    (401, "invalid_api_key", "", FailureKind.AUTHENTICATION),
    (402, "billing_error", "", FailureKind.QUOTA),
    (403, "permission_error", "", FailureKind.AUTHENTICATION),
    (404, "not_found_error", "", FailureKind.BAD_REQUEST),
    (404, "model_not_found", "", FailureKind.BAD_REQUEST),
    (408, "", "", FailureKind.TIMEOUT),
    (409, "", "", FailureKind.SERVER_ERROR),
    (413, "request_too_large", "", FailureKind.CONTEXT_OVERFLOW),
    (422, "", "", FailureKind.BAD_REQUEST),
    (429, "rate_limit_error", "", FailureKind.RATE_LIMITED),
    (429, "rate_limit_exceeded", "", FailureKind.RATE_LIMITED),
    (429, "insufficient_quota", "You exceeded your current quota", FailureKind.QUOTA),
    (429, "credit_balance_exhausted", "", FailureKind.QUOTA),
    (400, "invalid_request_error", "Your credit balance is too low to access the API", FailureKind.QUOTA),
    (400, "invalid_request_error", "You have reached your specified API usage limits.", FailureKind.QUOTA),
    (400, "context_length_exceeded", "", FailureKind.CONTEXT_OVERFLOW),
    (400, "invalid_request_error", "prompt is too long: 250001 tokens > 200000 maximum", FailureKind.CONTEXT_OVERFLOW),
    (
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    (429, "rate_limit_exceeded", "Request too large for gpt on tokens per min", FailureKind.CONTEXT_OVERFLOW),
    (400, "invalid_prompt", "", FailureKind.REFUSAL),
    (400, "invalid_request_error", "Output blocked by content filtering policy", FailureKind.REFUSAL),
    (500, "api_error", "", FailureKind.SERVER_ERROR),
    (502, "", "", FailureKind.SERVER_ERROR),
    (503, "", "", FailureKind.OVERLOADED),
    (504, "timeout_error", "", FailureKind.TIMEOUT),
    (529, "overloaded_error", "", FailureKind.OVERLOADED),
]


@pytest.mark.parametrize(
    ("status", "word", "message", "kind"), STATUSES, ids=lambda part: str(part) if part else "none"
)
def test_a_status_is_told_for_what_it_is_and_costs_nothing(
    vendor: Vendor, server: ScriptedServer, status: int, word: str, message: str, kind: FailureKind
) -> None:
    error = failure(vendor, server, *vendor.error(status, word, f"{message} CANARY {KEY}"))
    assert error.kind is kind
    assert str(status) in str(error)
    assert error.tokens == Tokens()
    assert error.request_id == "req-1"
    assert len(server.received) == 1, "the SDK has tried again by itself"


def test_an_unknown_model_is_named(vendor: Vendor, server: ScriptedServer) -> None:
    assert "model-1" in str(failure(vendor, server, *vendor.error(404, "not_found_error")))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-reset-requests": "1m3s", "x-ratelimit-remaining-requests": "0"}, 63.0),
        ({"retry-after": "99999"}, 3600.0),
        ({"retry-after": "999999999"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_a_limit_says_when_to_come_back_and_is_never_slept_through(
    vendor: Vendor, server: ScriptedServer, headers: dict[str, str], seconds: float | None
) -> None:
    error = failure(vendor, server, *vendor.error(429, "rate_limit_error", headers=headers), seconds=PLENTY)
    assert error.retry_after == seconds


def test_an_error_that_is_no_json_is_told_by_its_status(vendor: Vendor, server: ScriptedServer) -> None:
    page = http(502, b"<html>CANARY bad gateway</html>", {"content-type": "text/html"})
    assert failure(vendor, server, send(page)).kind is FailureKind.SERVER_ERROR


def test_nobody_is_followed_elsewhere_with_a_key(vendor: Vendor, server: ScriptedServer) -> None:
    with scripted_server(vendor.answer()) as elsewhere:
        error = failure(vendor, server, send(http(307, b"", {"location": elsewhere.url + vendor.path})))
        assert error.kind is FailureKind.BAD_REQUEST and "redirection" in str(error)
        assert elsewhere.received == []


def test_a_cut_stream_is_no_answer_though_nothing_is_raised(vendor: Vendor, server: ScriptedServer) -> None:
    error = failure(vendor, server, *vendor.stream(vendor.delta(TEXT)))
    assert error.kind is FailureKind.CUT
    assert error.partial == TEXT


def test_what_a_cut_answer_used_is_known_as_far_as_it_was_told(vendor: Vendor, server: ScriptedServer) -> None:
    error = failure(vendor, server, *vendor.stream(vendor.delta("two words")))
    told = INPUT_TOKENS if vendor is ANTHROPIC else ESTIMATE
    cached = CACHED_TOKENS if vendor is ANTHROPIC else 0
    assert error.tokens == Tokens(told, 2, cached)
    assert error.partial == "two words"
    assert error.request_id == "req-1"


def cuts(vendor: Vendor) -> dict[str, list[Step]]:
    chunked = vendor.headers.replace(b"connection: close", b"transfer-encoding: chunked")
    begun = vendor.begin()
    chunk = f"{len(begun):x}\r\n".encode() + begun + b"\r\n"
    return {
        "by a reset": vendor.stream(vendor.delta(PIECE), reset()),
        "within an event": vendor.stream(vendor.delta(PIECE), vendor.delta("ings")[:40]),
        "within a chunk": [send(chunked + chunk + b"400\r\nevent: ")],
        "before its last chunk": [send(chunked + chunk)],
        "before its first event": [send(vendor.headers)],
        "with a length that it does not reach": [
            send(vendor.headers.replace(b"connection: close", b"content-length: 99999") + begun)
        ],
        "by a blank end": vendor.stream(vendor.delta(PIECE), b"data: [DONE]\n\n" if vendor is OPENAI else b"\n\n"),
    }


@pytest.mark.parametrize("how", cuts(ANTHROPIC))
def test_an_answer_that_is_cut_is_told_as_cut(vendor: Vendor, server: ScriptedServer, how: str) -> None:
    error = failure(vendor, server, *cuts(vendor)[how])
    assert error.kind is FailureKind.CUT
    assert error.tokens is not None and error.tokens.input > 0


def rubbish(vendor: Vendor) -> dict[str, list[Step]]:
    name = "message_start" if vendor is ANTHROPIC else "response.created"
    end = "message_delta" if vendor is ANTHROPIC else "response.completed"
    return {
        "no json": vendor.stream(f"event: {end}\ndata: {{not json\n\n".encode()),
        "json of another kind": vendor.stream(sse(end, ["a", 1])),
        "json null": vendor.stream(sse(end, None)),
        "an end without anything in it": vendor.stream(sse(end, {"type": end})),
        "a beginning of the wrong types": [
            send(vendor.headers + sse(name, {"type": name, "message": 7, "response": 7}))
        ],
        "two beginnings": vendor.stream(vendor.delta(PIECE), vendor.begin(), vendor.delta(TEXT), vendor.end()),
        "no stream at all": [send(http(200, b'{"id": "msg_1", "content": [{"type": "text"}]}'))],
        "a page": [send(http(200, b"<html>Welcome</html>", {"content-type": "text/html"}))],
        "nothing": [send(http(200, b""))],
        "bytes that are no text": vendor.stream(b"event: \xff\xfe\ndata: \xff\n\n"),
        "brackets without an end": vendor.stream(f"event: {end}\ndata: {'[' * 200_000}\n\n".encode()),
    }


@pytest.mark.parametrize("what", rubbish(ANTHROPIC))
def test_rubbish_is_no_answer(vendor: Vendor, server: ScriptedServer, what: str) -> None:
    assert failure(vendor, server, *rubbish(vendor)[what]).kind is FailureKind.CUT


def test_a_truncated_answer_is_told_as_truncated_with_what_it_used(vendor: Vendor, server: ScriptedServer) -> None:
    error = failure(vendor, server, *vendor.stream(vendor.delta(PIECE), vendor.truncated()))
    assert error.kind is FailureKind.TRUNCATED
    assert error.tokens == Tokens(INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS)
    assert error.partial == PIECE


def test_a_refusal_is_told_as_one(vendor: Vendor, server: ScriptedServer) -> None:
    error = failure(vendor, server, *vendor.stream(vendor.refusal()))
    assert error.kind is FailureKind.REFUSAL
    assert error.tokens == Tokens(INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS)


def test_a_refusal_counts_even_after_a_whole_text(vendor: Vendor, server: ScriptedServer) -> None:
    assert failure(vendor, server, *vendor.stream(vendor.delta(TEXT), vendor.refusal())).kind is FailureKind.REFUSAL


def test_openais_refusal_is_one_however_its_stream_ends(server: ScriptedServer) -> None:
    piece = OPENAI.refusing("I will not")
    for end in (OPENAI.refusal(), OPENAI.end(TEXT), OPENAI.truncated()):
        error = failure(OPENAI, server, *OPENAI.stream(piece, end))
        assert (error.kind, error.tokens) == (
            FailureKind.REFUSAL,
            Tokens(INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS),
        )
    error = failure(OPENAI, server, *OPENAI.stream(piece))
    assert (error.kind, error.tokens) == (FailureKind.REFUSAL, Tokens(ESTIMATE, 3))


def test_an_end_for_a_reason_that_nobody_knows_counts_as_cut(vendor: Vendor, server: ScriptedServer) -> None:
    assert failure(vendor, server, *vendor.stream(vendor.delta(TEXT), vendor.unknown_end())).kind is FailureKind.CUT


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("model_context_window_exceeded", FailureKind.CONTEXT_OVERFLOW),
        ("stop_sequence", FailureKind.CUT),
        ("tool_use", FailureKind.CUT),
        ("pause_turn", FailureKind.CUT),
    ],
)
def test_anthropics_other_stop_reasons_are_no_answers(server: ScriptedServer, reason: str, kind: FailureKind) -> None:
    stream = ANTHROPIC.stream(ANTHROPIC.delta(TEXT), ANTHROPIC.stop(reason))
    assert failure(ANTHROPIC, server, *stream).kind is kind


def test_openais_content_filter_is_a_refusal(server: ScriptedServer) -> None:
    end = OPENAI.truncated().replace(b"max_output_tokens", b"content_filter")
    assert failure(OPENAI, server, *OPENAI.stream(OPENAI.delta(TEXT), end)).kind is FailureKind.REFUSAL


IN_A_STREAM = [
    ("overloaded_error", FailureKind.OVERLOADED),
    ("api_error", FailureKind.SERVER_ERROR),
    ("server_error", FailureKind.SERVER_ERROR),
    ("rate_limit_error", FailureKind.RATE_LIMITED),
    ("rate_limit_exceeded", FailureKind.RATE_LIMITED),
    ("timeout_error", FailureKind.TIMEOUT),
    ("authentication_error", FailureKind.AUTHENTICATION),
    ("insufficient_quota", FailureKind.QUOTA),
    ("context_length_exceeded", FailureKind.CONTEXT_OVERFLOW),
    ("invalid_prompt", FailureKind.REFUSAL),
    ("never_heard_of", FailureKind.SERVER_ERROR),
]


@pytest.mark.parametrize(("word", "kind"), IN_A_STREAM)
def test_an_error_in_the_middle_of_a_stream_is_told_by_its_type_not_by_its_status(
    vendor: Vendor, server: ScriptedServer, word: str, kind: FailureKind
) -> None:
    error = failure(vendor, server, *vendor.stream(vendor.delta(PIECE), vendor.error_event(word, f"CANARY {KEY}")))
    assert error.kind is kind
    assert error.partial == PIECE and error.tokens is not None and error.tokens.output > 0


@pytest.mark.parametrize(("code", "kind"), IN_A_STREAM)
def test_openais_failed_responses_do_not_pass(server: ScriptedServer, code: str, kind: FailureKind) -> None:
    error = failure(OPENAI, server, *OPENAI.stream(OPENAI.delta(TEXT), OPENAI.failed(code, f"CANARY {KEY}")))
    assert error.kind is kind
    assert error.tokens == Tokens(INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS)


def test_openais_errors_that_its_sdk_raises_in_a_stream_are_told_by_their_code(server: ScriptedServer) -> None:
    event = b'data: {"error": {"message": "CANARY", "type": "server_error", "code": "insufficient_quota"}}\n\n'
    assert failure(OPENAI, server, *OPENAI.stream(event)).kind is FailureKind.QUOTA


def test_a_cancelled_response_is_no_answer(server: ScriptedServer) -> None:
    end = OPENAI.end().replace(b'"status": "completed"', b'"status": "cancelled"')
    assert failure(OPENAI, server, *OPENAI.stream(OPENAI.delta(TEXT), end)).kind is FailureKind.CUT


def test_nobody_listening_is_a_connection_that_used_nothing(vendor: Vendor) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ModelError) as raised:
        vendor.asked_at(f"http://127.0.0.1:{port}").complete(PROMPT, seconds=PLENTY)
    assert (raised.value.kind, raised.value.tokens) == (FailureKind.CONNECTION, Tokens())


def test_a_connection_that_ends_before_an_answer_leaves_it_open_what_was_used(
    vendor: Vendor, server: ScriptedServer
) -> None:
    for script in ([], [reset()], [send(b"HTTP/1.1 200 OK\r\nconte")]):
        error = failure(vendor, server, *script)
        assert (error.kind, error.tokens) == (FailureKind.CONNECTION, None)


def test_an_answer_that_is_no_http_is_a_connection_that_failed(vendor: Vendor, server: ScriptedServer) -> None:
    assert failure(vendor, server, send(b"220 mail.example.com ESMTP\r\n\r\n")).kind is FailureKind.CONNECTION


def test_a_tls_connection_to_one_that_has_none_fails_as_a_connection(vendor: Vendor, server: ScriptedServer) -> None:
    server.listens = False
    server.url = server.url.replace("http:", "https:")
    assert "TLS" in str(failure(vendor, server, send(b"HTTP/1.1 400 Bad\r\n\r\n")))


def test_a_certificate_that_nobody_trusts_fails_as_a_connection_and_no_key_is_sent(
    vendor: Vendor, server: ScriptedServer, tmp_path: Path
) -> None:
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(self_signed(tmp_path / "server.pem"))
    server.url = server.url.replace("http:", "https:")
    error = failure(vendor, server, *vendor.answer())
    assert error.kind is FailureKind.CONNECTION and "TLS" in str(error)
    assert error.tokens == Tokens() and server.received == []


def test_a_name_that_does_not_exist_is_a_connection_that_failed(vendor: Vendor) -> None:
    with pytest.raises(ModelError) as raised:
        vendor.asked_at("http://does-not-exist.invalid").complete(PROMPT, seconds=10)
    assert raised.value.kind in (FailureKind.CONNECTION, FailureKind.TIMEOUT)
