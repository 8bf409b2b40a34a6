"""What every request passes before a system's own app sees it: counting, and the active faults."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Protocol

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sophia_assets.sandbox.standins.faults import FaultBoard


@dataclass
class Counters:
    """Requests a system received, and how many of them it throttled (429) or failed (5xx)."""

    requests: int = 0
    throttled: int = 0
    failed: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self)


class VendorErrors(Protocol):
    """A vendor's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """The answer to a wrong credential."""
        ...

    def rate_limited(self, seconds: float) -> Response:
        """The answer when the limit is spent for `seconds`."""
        ...

    def server_error(self) -> Response:
        """A 5xx answer."""
        ...


class Gate:
    """An ASGI app around a system's own that counts requests and plays the faults."""

    def __init__(self, system: str, app: ASGIApp, errors: VendorErrors, faults: FaultBoard) -> None:
        self.system = system
        self.counters = Counters()
        self._app = app
        self._errors = errors
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.counters.requests += 1

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(message["status"])
            await send(message)

        if self._faults.any_on(self.system):
            await self._with_faults(scope, receive, counted)
        else:
            await self._app(scope, receive, counted)

    def _count(self, status: int) -> None:
        self.counters.throttled += status == 429
        self.counters.failed += status >= 500

    async def _with_faults(self, scope: Scope, receive: Receive, send: Send) -> None:
        if slow := self._faults.active(self.system, "slow"):
            await asyncio.sleep(slow.argument)
        if self._faults.active(self.system, "down"):
            self.counters.failed += 1
            scope["state"]["transport"].abort()
            while (await receive())["type"] != "http.disconnect":
                continue
            return
        refusal = self._refusal()
        if refusal is not None:
            await refusal(scope, receive, send)
        elif self._faults.active(self.system, "truncate"):
            await self._truncated(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self) -> Response | None:
        if self._faults.active(self.system, "auth"):
            return self._errors.unauthorized()
        limited = self._faults.rate_limited_for(self.system)
        if limited is not None:
            return self._errors.rate_limited(limited)
        return self._errors.server_error() if self._faults.strikes(self.system) else None

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, collect)
        half = bytes(body[: len(body) // 2])
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(half))
        await send(start)
        await send({"type": "http.response.body", "body": half})
