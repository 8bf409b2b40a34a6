"""A reply as Anthropic's messages: in one piece, and as the events of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sophia_assets.sandbox.standins.anthropic.errors import body as error_body
from sophia_assets.sandbox.standins.event_streams import Event, event
from sophia_assets.sandbox.standins.model_faults import Break
from sophia_assets.sandbox.standins.model_standin import Asked, Outcome, Reply

_STOP_REASONS: dict[Outcome, str] = {
    "completed": "end_turn",
    "truncated": "max_tokens",
    "refused": "refusal",
    "stopped": "stop_sequence",
    "failed": "end_turn",
}


class Messages:
    """How the Messages API says a reply."""

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """The message."""
        content = [{"type": "text", "text": reply.text, "citations": None}] if reply.text else []
        return _message(asked, reply) | {"content": content, **_stop(reply), "usage": _usage(reply)}

    def events(self, asked: Asked, reply: Reply) -> Sequence[Event]:
        """The events from message_start to message_stop."""
        started = _message(asked, reply) | {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": _usage(reply) | {"output_tokens": 1},
        }
        found = [_event("message_start", message=started)]
        if reply.text:
            block = {"type": "text", "text": "", "citations": None}
            found += [_event("content_block_start", index=0, content_block=block), _event("ping")]
            found += [
                _event("content_block_delta", piece, index=0, delta={"type": "text_delta", "text": piece})
                for piece in reply.pieces
            ]
            found.append(_event("content_block_stop", index=0))
        usage = {
            "input_tokens": reply.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": reply.output_tokens,
        }
        return [*found, _event("message_delta", delta=_stop(reply), usage=usage), _event("message_stop")]

    def broken(self, asked: Asked, reply: Reply, kind: Break) -> Sequence[Event]:
        """The event of an overload; nothing else fails within a stream."""
        return [event("error", error_body("overloaded_error", "Overloaded", reply.request_id))]


def _event(kind: str, brings: str = "", /, **values: Any) -> Event:
    return event(kind, {"type": kind, **values}, brings)


def _message(asked: Asked, reply: Reply) -> dict[str, Any]:
    identifier = f"msg_{reply.request_id.removeprefix('req_')}"
    return {"id": identifier, "type": "message", "role": "assistant", "model": asked.shown_model}


def _stop(reply: Reply) -> dict[str, Any]:
    details = None
    if reply.outcome == "refused":
        details = {"type": "refusal", "category": None, "explanation": "The sandbox was told to refuse."}
    return {
        "stop_reason": _STOP_REASONS[reply.outcome],
        "stop_sequence": reply.stop,
        "stop_details": details,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": reply.output_tokens,
        "service_tier": "standard",
    }
