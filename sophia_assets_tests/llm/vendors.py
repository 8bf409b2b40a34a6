"""Both vendors' wire as bytes, in the same words: what a test says of one it says of the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sophia_assets.llm.anthropic_provider import AnthropicProvider
from sophia_assets.llm.interface import Prompt
from sophia_assets.llm.openai_provider import OpenAIProvider
from sophia_assets.llm.sdk_provider import Access, Counting, SdkProvider
from sophia_assets_tests.llm.scripted_server import Step, scripted_server, send

KEY = "sk-CANARY-0123456789"
SECRET_PROMPT = "CANARY-PROMPT: bookings fell"
INPUT_TOKENS, OUTPUT_TOKENS, CACHED_TOKENS = 120, 34, 20
ESTIMATE = 150
TEXT = '{"answer": "Bookings fell."}'
PROMPT = Prompt(
    purpose="briefing.write",
    version="1",
    system="CANARY-PROMPT: write",
    user=SECRET_PROMPT,
    schema_name="briefing_draft",
    schema={
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    },
    max_output_tokens=500,
)
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
COMMENT = b": keep-alive\n\n"


def sse(name: str, data: Any) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def http(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Vendor:
    """What a vendor calls things. `headers` begin a stream that ends with its connection."""

    name: str
    provider: type[SdkProvider]
    path: str
    prefix: str
    id_header: str

    def asked_at(self, url: str, *, key: str = KEY, model: str = "model-1") -> SdkProvider:
        """The provider under test, at a server's address."""
        return self.provider(
            model, lambda: Access(url + self.prefix, key), Counting(lambda _: ESTIMATE, lambda text: len(text.split()))
        )

    @property
    def headers(self) -> bytes:
        """The head of a stream; nothing says how long it is, so that a cut looks like an end."""
        return (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
            + f"{self.id_header}: req-1\r\n\r\n".encode()
        )

    def begin(self) -> bytes:
        """The stream's first events."""
        if self.name == "anthropic":
            usage = {
                "input_tokens": INPUT_TOKENS - CACHED_TOKENS - 10,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": CACHED_TOKENS,
                "output_tokens": 1,
            }
            message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "model-1-dated", "content": []}
            start = {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}
            block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            return sse("message_start", start) + PING + sse("content_block_start", block)
        created = {"type": "response.created", "sequence_number": 0, "response": self._response("in_progress")}
        return sse("response.created", created)

    def delta(self, text: str) -> bytes:
        """A piece of the answer."""
        if self.name == "anthropic":
            delta = {"type": "text_delta", "text": text}
            return sse("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta})
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "sequence_number": 1, "logprobs": []}
        name = "response.output_text.delta"
        return sse(name, {"type": name, "delta": text, **place})

    def end(self, text: str = TEXT) -> bytes:
        """The events that say that the answer is complete."""
        if self.name == "anthropic":
            return self.stop("end_turn") + sse("message_stop", {"type": "message_stop"})
        content = [{"type": "output_text", "text": text, "annotations": []}]
        return self._last("response.completed", self._response("completed", content))

    def truncated(self) -> bytes:
        """The end of an answer that was as long as it may be."""
        if self.name == "anthropic":
            return self.stop("max_tokens")
        details = {"incomplete_details": {"reason": "max_output_tokens"}}
        return self._last("response.incomplete", self._response("incomplete") | details)

    def refusal(self) -> bytes:
        """The end of an answer that is a refusal."""
        if self.name == "anthropic":
            return self.stop("refusal")
        content = [{"type": "refusal", "refusal": "I will not say CANARY-REFUSAL."}]
        return self._last("response.completed", self._response("completed", content))

    def refusing(self, text: str) -> bytes:
        """A piece of a refusal, as OpenAI streams it."""
        name = "response.refusal.delta"
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "sequence_number": 1}
        return sse(name, {"type": name, "delta": text, **place})

    def unknown_end(self) -> bytes:
        """An end for a reason that nobody knows yet."""
        if self.name == "anthropic":
            return self.stop("bored")
        details = {"incomplete_details": {"reason": "bored"}}
        return self._last("response.incomplete", self._response("incomplete") | details)

    def stop(self, reason: str) -> bytes:
        """Anthropic's end for a reason."""
        delta = {"stop_reason": reason, "stop_sequence": None}
        data = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": OUTPUT_TOKENS}}
        return sse("message_delta", data)

    def error_event(self, word: str, message: str = "") -> bytes:
        """An error in the middle of a stream."""
        if self.name == "anthropic":
            return sse("error", {"type": "error", "error": {"type": word, "message": message}})
        return sse("error", {"type": "error", "code": word, "message": message, "param": None, "sequence_number": 2})

    def failed(self, code: str, message: str = "") -> bytes:
        """OpenAI's other way to tell of an error, which its SDK does not raise."""
        error = {"error": {"code": code, "message": message}}
        return self._last("response.failed", self._response("failed") | error)

    def error(
        self, status: int, word: str = "", message: str = "", headers: Mapping[str, str] | None = None
    ) -> Sequence[Step]:
        """An answer with an error's status."""
        detail = {"type": word or "some_error", "message": message}
        body: dict[str, Any] = {"error": detail | {"code": word, "param": None}}
        if self.name == "anthropic":
            body = {"type": "error", "error": detail, "request_id": "req-1"}
        return [send(http(status, json.dumps(body).encode(), {self.id_header: "req-1", **(headers or {})}))]

    def answer(self, text: str = TEXT) -> Sequence[Step]:
        """A whole answer in two pieces."""
        half = len(text) // 2
        return [send(self.headers + self.begin() + self.delta(text[:half]) + self.delta(text[half:]) + self.end(text))]

    def stream(self, *parts: bytes | Step) -> list[Step]:
        """A stream that begins well and goes on as told."""
        steps = [send(part) if isinstance(part, bytes) else part for part in parts]
        return [send(self.headers + self.begin()), *steps]

    def _response(self, status: str, content: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content or []}
        usage = {
            "input_tokens": INPUT_TOKENS,
            "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
            "output_tokens": OUTPUT_TOKENS,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "model-1-dated",
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": [message] if content else [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": None if status == "in_progress" else usage,
        }

    def _last(self, name: str, response: dict[str, Any]) -> bytes:
        return sse(name, {"type": name, "sequence_number": 9, "response": response})


ANTHROPIC = Vendor("anthropic", AnthropicProvider, "/v1/messages", "", "request-id")
OPENAI = Vendor("openai", OpenAIProvider, "/v1/responses", "/v1", "x-request-id")
VENDORS = (ANTHROPIC, OPENAI)


@cache
def loaded(vendor: Vendor) -> Vendor:
    """The vendor, whose SDK has been used once: what it does then for the first time takes seconds."""
    with scripted_server(vendor.answer()) as server:
        vendor.asked_at(server.url).complete(PROMPT, seconds=120)
    return vendor
