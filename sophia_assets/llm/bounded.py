"""One hard deadline around what a client library awaits: connecting, stalls, trickles and pings included.

A library's own time-outs are per read, so that a vendor that pings, or sends a byte now and then, is waited for for
ever. Cancelling a coroutine closes its connection, wherever it waits, and leaves no thread behind.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")


def within(seconds: float, make: Callable[[], Awaitable[T]]) -> T:
    """What the awaitable gives, in a loop of its own. Raises TimeoutError where it takes longer than `seconds`."""

    async def bounded() -> T:
        # Looking a name up cannot be cancelled, and must not be waited for at the end.
        asyncio.get_running_loop().set_default_executor(_NotWaitedFor(max_workers=2))
        async with asyncio.timeout(seconds):
            return await make()

    def run() -> T:
        with asyncio.Runner() as runner:
            return runner.run(bounded())

    in_a_loop = False
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        in_a_loop = True
    if not in_a_loop:
        return run()
    # A notebook's thread, for one, has a loop that runs already.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()


class Line:
    """The connection of one call, watched: `is_sent` says that a request has gone out on it, or begun to."""

    def __init__(self) -> None:
        self.is_sent = False
        self._opened: list[Any] = []

    async def watch(self, request: httpx2.Request) -> None:
        """To be called before a request is sent."""
        request.extensions["trace"] = self._take_note

    async def close(self) -> None:
        """Closes what was opened; the library leaves a connection open that is given up while TLS begins."""
        for stream in self._opened:
            await stream.aclose()

    async def _take_note(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            self._opened.append(info["return_value"])
        elif event.endswith("send_request_headers.started"):
            self.is_sent = True


def http_client(address: str, seconds: float, line: Line) -> httpx2.AsyncClient:
    """A client for one call: nothing is kept open after it, nothing is followed elsewhere, and no proxy of the
    environment stands between this machine and itself."""
    import httpx2

    is_own = urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
    return httpx2.AsyncClient(
        verify=_tls(),
        trust_env=not is_own,
        follow_redirects=False,
        timeout=seconds,
        limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
        event_hooks={"request": [line.watch]},
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates that are trusted takes longer than all else."""
    import httpx2

    return httpx2.create_ssl_context()


class _NotWaitedFor(ThreadPoolExecutor):
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)
