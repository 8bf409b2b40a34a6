"""Answers as server-sent events: `understood`, `answer`, `done`, or `error`.

Belongs here: the stream. Does not belong here: answering. What the stream tells is all of one checked answer; while it
is being made, comments keep the connection open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sophia_assets.web.failures import error_body, refusal_of

if TYPE_CHECKING:
    from sophia_assets.assistant.interface import Question

MEDIA_TYPE = "text/event-stream"
EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["understood", "answer", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
"""The schema of one event."""
_COMMENT_SECONDS = 5.0


def event_stream(request: Request, question: Question) -> Response:
    """The stream of one answer. A failure is an event, since the status has been sent by then."""
    return StreamingResponse(_events(request, question), media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})


async def _events(request: Request, question: Question) -> AsyncIterator[bytes]:
    from sophia_assets.web.api import answered, chat_answer

    asking = asyncio.ensure_future(answered(request, question))
    try:
        yield b": asked\n\n"
        while not (await asyncio.wait({asking}, timeout=_COMMENT_SECONDS))[0]:
            yield b": still working\n\n"
        answer = asking.result()
        yield _event("understood", {"type": answer.type, "status": answer.status, "echo": dict(answer.echo)})
        yield _event("answer", chat_answer(question, answer))
        yield _event("done", {"latency_ms": answer.latency_ms})
    except Exception as error:
        yield b"event: error\ndata: " + error_body(refusal_of(error)) + b"\n\n"
    finally:
        asking.cancel()


def _event(name: str, content: Any) -> bytes:
    """One event. JSON holds no line breaks, so that its data is one line."""
    data = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
