"""A reply as OpenAI's chat completions: in one piece, and as the chunks of a stream."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sophia_assets.sandbox.standins.event_streams import Event, event
from sophia_assets.sandbox.standins.model_faults import Break
from sophia_assets.sandbox.standins.model_standin import Asked, Outcome, Reply
from sophia_assets.sandbox.standins.openai.errors import OVERLOADED, OVERLOADED_TOLD, SERVER
from sophia_assets.sandbox.standins.openai.errors import body as error_body

_FINISH_REASONS: dict[Outcome, str] = {"truncated": "length", "failed": "content_filter"}
_DONE = Event(b"data: [DONE]\n\n")


class ChatCompletions:
    """How the Chat Completions API says a reply."""

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """The completion."""
        refused = reply.outcome == "refused"
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if refused else reply.text,
            "refusal": reply.text if refused else None,
            "annotations": [],
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
        return _head(asked, reply, "chat.completion") | {"choices": [choice], "usage": _usage(reply)}

    def events(self, asked: Asked, reply: Reply) -> Sequence[Event]:
        """The chunks, then the usage where it is asked for, then the mark of the end."""
        key = "refusal" if reply.outcome == "refused" else "content"
        first = {"role": "assistant", "content": "", "refusal": None}
        found = [_chunk(asked, reply, first)]
        found += [_chunk(asked, reply, {key: piece}, text=piece) for piece in reply.pieces]
        found.append(_chunk(asked, reply, {}, finish=_finish(reply)))
        if asked.with_usage:
            last = _head(asked, reply, "chat.completion.chunk") | {"choices": [], "usage": _usage(reply)}
            found.append(event(None, last))
        return [*found, _DONE]

    def broken(self, asked: Asked, reply: Reply, kind: Break) -> Sequence[Event]:
        """The error that ends the chunks."""
        if kind == "overloaded":
            return [event(None, error_body(OVERLOADED_TOLD, SERVER, code=OVERLOADED))]
        return [event(None, error_body("The model failed to generate a response.", SERVER, code=SERVER))]


def _finish(reply: Reply) -> str:
    return _FINISH_REASONS.get(reply.outcome, "stop")


def _head(asked: Asked, reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.request_id.removeprefix('req_')}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.shown_model,
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }


def _chunk(asked: Asked, reply: Reply, delta: dict[str, Any], *, text: str = "", finish: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    value = _head(asked, reply, "chat.completion.chunk") | {"choices": [choice]}
    return event(None, value | {"usage": None} if asked.with_usage else value, text)


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
