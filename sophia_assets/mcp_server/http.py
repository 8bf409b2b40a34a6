"""The tools over HTTP, as part of the web process: behind its limits and its authentication.

Belongs here: joining the protocol's own application to the web process. Does not belong here: checking tokens
(`web.authentication`), sizes and rates (`web.guarding`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from sophia_assets.access.principal import Principal
from sophia_assets.errors import AccessDenied
from sophia_assets.mcp_server.tools import build_server
from sophia_assets.web.work import Overloaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sophia_assets.desk import Desk

#: Where in a request's scope the web process leaves who asks.
PRINCIPAL = "sophia.mcp_principal"


class ToolsOverHttp:
    """An ASGI application for one path. `authenticate` gives who asks; what it raises is answered by the web process.

    Stateless: every call stands for itself, so any number of web processes may share the work. `running` must surround
    its use, once.
    """

    def __init__(
        self, desk: Desk, authenticate: Callable[[Request], Awaitable[Principal]], *, at_once: int, waiting: int
    ) -> None:
        self._authenticate = authenticate
        self._turns = asyncio.Semaphore(at_once)
        self._under_way, self._most = 0, at_once + waiting
        self._server = build_server(desk, _who_asks)
        # The Host header is checked by the web process, for all paths alike.
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self._app: ASGIApp = self._server.streamable_http_app(
            streamable_http_path="/", json_response=True, stateless_http=True, transport_security=security
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it can answer."""
        async with self._server.session_manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request of somebody who has shown who it is."""
        principal = await self._authenticate(Request(scope, receive))
        if self._under_way >= self._most:
            raise Overloaded
        inner = {**scope, "path": "/", "raw_path": b"/", "root_path": "", PRINCIPAL: replace(principal, channel="mcp")}
        self._under_way += 1
        try:
            # The protocol's own threads are as many as it likes, and shared by the whole process.
            async with self._turns:
                await self._app(inner, receive, send)
        finally:
            self._under_way -= 1


def _who_asks(context: Context[Any, Any]) -> Principal:
    request = context.request_context.request
    principal = request.scope.get(PRINCIPAL) if isinstance(request, Request) else None
    if not isinstance(principal, Principal):
        raise AccessDenied("it is not known who asks", remedy="Send a token of `sophia users add` as a bearer token")
    return principal
