"""HTTP on one connection, with bounds that hold before a request is whole: connections, size and time of its head.

Belongs here: what a client can do to a server that waits for it. Does not belong here: whole requests (`guarding`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 10.0
LARGEST_HEAD = 65_536


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which waits for ever and takes heads of any size, with an end to both."""

    most_connections = 1000
    head_seconds = HEAD_SECONDS

    @classmethod
    def limited(cls, connections: int) -> type[GuardedProtocol]:
        """The protocol for so many connections at once."""
        return type("GuardedProtocol", (cls,), {"most_connections": connections})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_in_head = True
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for a head, where there is room for one more."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(503, "busy", "too many connections are open", "Try again in a few seconds")
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        self._end_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what came, unless a head has grown too large."""
        if self.transport.is_closing():
            return
        # Between two requests, and after an answer that came before the body's end, time runs as well.
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(431, "headers_too_large", f"the head is larger than {LARGEST_HEAD} bytes")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._is_in_head = False
        self._end_head_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(400, "bad_request", "this is no HTTP request")

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(408, "timeout", f"the request did not come within {self.head_seconds:g} s")

    def _refuse(self, status: int, code: str, message: str, remedy: str = "") -> None:
        """Ends the connection, with a reason where no answer has begun."""
        self._end_head_timer()
        if self.cycle is None or self.cycle.response_complete:
            body = orjson.dumps({"error": {"code": code, "message": message, "remedy": remedy}})
            head = (
                b"content-type: application/json\r\nconnection: close\r\ncache-control: no-store\r\n"
                b"x-content-type-options: nosniff\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
