"""Answers as server-sent events, and what can happen to them on the way: pauses, silences and cuts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.standins.model_faults import Interruption

_TURN = 16


@dataclass(frozen=True)
class Event:
    """One event as it goes over the wire, and how much of the answer's text it brings."""

    data: bytes
    text: str = ""


def event(name: str | None, value: Any, text: str = "") -> Event:
    """An event with JSON data, with or without a name."""
    head = b"" if name is None else f"event: {name}\n".encode()
    return Event(head + b"data: " + orjson.dumps(value) + b"\n\n", text)


@dataclass(frozen=True)
class Ends:
    """What a stream tells of how it went: `generated` gets the text sent so far, `ended` a word for the outcome."""

    generated: Callable[[str], None]
    ended: Callable[[str], None]


class EventStream(Response):
    """A stream of events.

    An interruption breaks it off: silence, a cut connection, an end that looks ordinary, or `broken` (the vendor's own
    events for a failure) and an end. A client that goes away ends it, too.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: Sequence[Event],
        ends: Ends,
        headers: Mapping[str, str],
        *,
        interruption: Interruption | None = None,
        broken: Iterable[Event] = (),
        pause: float = 0.0,
        outcome: str = "completed",
    ) -> None:
        super().__init__(None, 200, {**headers, "cache-control": "no-cache"})
        del self.headers["content-length"]
        self._events = events
        self._ends = ends
        self._interruption = interruption
        self._broken = tuple(broken)
        self._pause = pause
        self._outcome = outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        text: list[str] = []
        outcome = "client_gone"
        try:
            outcome = await self._play(scope, receive, send, text)
        finally:
            if text:
                self._ends.generated("".join(text))
            self._ends.ended(outcome)

    async def _play(self, scope: Scope, receive: Receive, send: Send, text: list[str]) -> str:
        stop = self._stop
        if stop == 0 and self._interruption is not None and self._interruption.kind == "stall":
            return await silence(receive)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for number, each in enumerate(self._events if stop is None else self._events[:stop]):
            if self._pause:
                await asyncio.sleep(self._pause)
            elif number % _TURN == _TURN - 1:
                # Others are answered, too, and the client can be seen to have gone.
                await asyncio.sleep(0)
            if _is_gone(scope):
                return "client_gone"
            await send({"type": "http.response.body", "body": each.data, "more_body": True})
            text.append(each.text)
        return await self._end(scope, receive, send)

    async def _end(self, scope: Scope, receive: Receive, send: Send) -> str:
        kind = self._interruption.kind if self._interruption else None
        if kind == "stall":
            return await silence(receive)
        if kind == "cut":
            return await cut(scope, receive)
        if kind in ("overloaded", "failed"):
            for each in self._broken:
                await send({"type": "http.response.body", "body": each.data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return {"end": "cut", "overloaded": "overloaded", "failed": "failed"}.get(kind or "", self._outcome)

    @property
    def _stop(self) -> int | None:
        """After how many events the stream breaks off: never after the last."""
        if self._interruption is None:
            return None
        after = self._interruption.after
        return min(len(self._events) // 2 if after is None else after, len(self._events) - 1)


async def silence(receive: Receive) -> str:
    """Say nothing until the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        continue
    return "stalled"


async def cut(scope: Scope, receive: Receive) -> str:
    """Cut the connection."""
    scope["state"]["transport"].abort()
    while (await receive())["type"] != "http.disconnect":
        continue
    return "cut"


def _is_gone(scope: Scope) -> bool:
    transport = scope.get("state", {}).get("transport")
    return transport is not None and bool(transport.is_closing())
