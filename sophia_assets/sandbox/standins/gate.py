"""What every request passes before a system's own app sees it: counting, and the active faults."""

from __future__ import annotations

import asyncio
import random

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.standin import Standin

_STORM_WAIT_S = 1.0
# A stream that breaks off has sent at least one and at most this many of its events.
_MOST_EVENTS = 12


class _BrokenOff(Exception):
    """A stream has sent all that it may."""


class Gate:
    """An ASGI app around a stand-in that counts requests and plays the faults that every system can play."""

    def __init__(self, standin: Standin, faults: FaultBoard) -> None:
        self.system = standin.system
        self._standin = standin
        self._faults = faults
        self._random = random.Random(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        counters = self._standin.counters
        counters.requests += 1

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                counters.throttled += message["status"] == 429
                counters.failed += message["status"] >= 500
            await send(message)

        if self._faults.any_on(self.system):
            await self._with_faults(scope, receive, counted)
        else:
            await self._standin(scope, receive, counted)

    async def _with_faults(self, scope: Scope, receive: Receive, send: Send) -> None:
        if slow := self._faults.active(self.system, "slow"):
            await asyncio.sleep(slow.argument)
        if self._faults.active(self.system, "down"):
            self._standin.counters.failed += 1
            await _cut(scope, receive)
            return
        refusal = self._refusal()
        if refusal is not None:
            await refusal(scope, receive, send)
        elif self._faults.active(self.system, "truncate") or self._faults.strikes(self.system, "torn"):
            await self._half(scope, receive, send, whole_length=False)
        elif self._faults.strikes(self.system, "cut"):
            await self._half(scope, receive, send, whole_length=True)
            self._standin.counters.failed += 1
            await _cut(scope, receive)
        else:
            await self._standin(scope, receive, send)

    def _refusal(self) -> Response | None:
        errors = self._standin.errors
        if self._faults.active(self.system, "auth"):
            return errors.unauthorized()
        limited = self._faults.rate_limited_for(self.system)
        if limited is not None:
            return errors.rate_limited(limited)
        if self._faults.strikes(self.system, "storm"):
            return errors.rate_limited(_STORM_WAIT_S) if self._random.random() < 0.5 else errors.server_error()
        return errors.server_error() if self._faults.strikes(self.system, "errors") else None

    async def _half(self, scope: Scope, receive: Receive, send: Send, *, whole_length: bool) -> None:
        """Send the first half of the answer; `whole_length` announces all of it, as a cut connection does.

        A stream of events breaks off after a few of them, and always before its last.
        """
        start: Message = {}
        body = bytearray()
        held: list[Message] = []
        left = self._random.randint(1, _MOST_EVENTS)

        async def collect(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                start.update(message)
                if _is_stream(message):
                    await send(message)
            elif not _is_stream(start):
                body.extend(message.get("body", b""))
            elif left and message.get("more_body"):
                for each in held:
                    await send(each)
                    left -= 1
                held[:] = [message]
            else:
                raise _BrokenOff

        try:
            await self._standin(scope, receive, collect)
        except _BrokenOff:
            if not whole_length:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        if not start or _is_stream(start):
            return
        half = bytes(body[: len(body) // 2])
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body) if whole_length else len(half))
        await send(start)
        await send({"type": "http.response.body", "body": half, "more_body": whole_length})


def _is_stream(start: Message) -> bool:
    return any(name == b"content-type" and b"event-stream" in value for name, value in start.get("headers", ()))


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["state"]["transport"].abort()
    while (await receive())["type"] != "http.disconnect":
        continue
