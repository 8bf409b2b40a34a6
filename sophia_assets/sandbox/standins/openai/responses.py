"""A reply as OpenAI's responses: in one piece, and as the events of a stream."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from sophia_assets.sandbox.standins.event_streams import Event, event
from sophia_assets.sandbox.standins.model_faults import Break
from sophia_assets.sandbox.standins.model_standin import Asked, Outcome, Reply
from sophia_assets.sandbox.standins.openai.errors import OVERLOADED, OVERLOADED_TOLD

_STATUSES: dict[Outcome, str] = {"truncated": "incomplete", "failed": "failed"}
_FAILED = {"code": "server_error", "message": "The model failed to generate a response."}
_OVERLOADED = {"code": "server_error", "message": OVERLOADED_TOLD}


class Responses:
    """How the Responses API says a reply."""

    def whole(self, asked: Asked, reply: Reply) -> dict[str, Any]:
        """The response."""
        status = _STATUSES.get(reply.outcome, "completed")
        output = [_item(reply, status, [_part(reply, reply.text)])] if reply.text else []
        return _response(asked, reply, status, output) | {
            "completed_at": int(time.time()) if status == "completed" else None,
            "error": _FAILED if status == "failed" else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "usage": None if status == "failed" else _usage(reply),
        }

    def events(self, asked: Asked, reply: Reply) -> Sequence[Event]:
        """The events from response.created to the last, which says how it ended."""
        numbers = count()
        status = _STATUSES.get(reply.outcome, "completed")
        begun = _response(asked, reply, "in_progress", [])
        found = [_event(kind, numbers, response=begun) for kind in ("response.created", "response.in_progress")]
        if reply.text:
            added = _item(reply, "in_progress", [])
            found.append(_event("response.output_item.added", numbers, output_index=0, item=added))
            found += _of_part(reply, numbers)
            done = _item(reply, status, [_part(reply, reply.text)])
            found.append(_event("response.output_item.done", numbers, output_index=0, item=done))
        return [*found, _event(f"response.{status}", numbers, response=self.whole(asked, reply))]

    def broken(self, asked: Asked, reply: Reply, kind: Break) -> Sequence[Event]:
        """The events of a failure, with or without a word on its cause before."""
        # Rising, and behind every number that the stream has come to by then.
        numbers = count(10_000)
        error = _OVERLOADED if kind == "overloaded" else _FAILED
        failed = _response(asked, reply, "failed", []) | {"error": error}
        ended = _event("response.failed", numbers, response=failed)
        if kind == "failed":
            return [ended]
        told = _event("error", numbers, code=OVERLOADED, message=OVERLOADED_TOLD, param=None)
        return [told, ended]


def _event(kind: str, numbers: count[int], brings: str = "", /, **values: Any) -> Event:
    return event(kind, {"type": kind, "sequence_number": next(numbers), **values}, brings)


def _of_part(reply: Reply, numbers: count[int]) -> list[Event]:
    place: dict[str, Any] = {"item_id": _item_id(reply), "output_index": 0, "content_index": 0}
    refused = reply.outcome == "refused"
    kind = "response.refusal" if refused else "response.output_text"
    scores: dict[str, Any] = {} if refused else {"logprobs": []}
    whole: dict[str, Any] = {"refusal" if refused else "text": reply.text}
    return [
        _event("response.content_part.added", numbers, **place, part=_part(reply, "")),
        *(_event(f"{kind}.delta", numbers, piece, **place, delta=piece, **scores) for piece in reply.pieces),
        _event(f"{kind}.done", numbers, **place, **whole, **scores),
        _event("response.content_part.done", numbers, **place, part=_part(reply, reply.text)),
    ]


def _item_id(reply: Reply) -> str:
    return f"msg_{reply.request_id.removeprefix('req_')}"


def _item(reply: Reply, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": _item_id(reply), "type": "message", "role": "assistant", "status": status, "content": content}


def _part(reply: Reply, text: str) -> dict[str, Any]:
    if reply.outcome == "refused":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(asked: Asked, reply: Reply, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    form: Mapping[str, Any] = {"type": "text"}
    if asked.schema is not None:
        form = {"type": "json_schema", "name": "answer", "schema": asked.schema, "strict": True}
    return {
        "id": f"resp_{reply.request_id.removeprefix('req_')}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.given.system or None,
        "max_output_tokens": asked.most_tokens,
        "metadata": {},
        "model": asked.shown_model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": form, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
    }


def _usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }
