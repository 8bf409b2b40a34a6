"""What stands before every request: host, sizes, rates and time; and what every answer carries.

Belongs here: one ASGI layer that is cheap, since everything passes it. Does not belong here: who asks
(`authentication`), what a connection may do before a request is whole (`protocol`).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Collection
from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sophia_assets.telemetry.logs import bound, get_logger, is_clean
from sophia_assets.web.failures import Refused, as_response, json_response, refusal_of, too_many
from sophia_assets.web.limits import address_key
from sophia_assets.web.state import WebState
from sophia_assets.web.work import Timings

_log = get_logger(__name__)
LONGEST_URL = 8_192
LARGEST_HEADERS = 32_768
# The rest of a body that nobody waits for would be taken for the next request.
CLOSING = {"Connection": "close"}
# Whoever watches the process may ask by any address: nothing is told there.
_FOR_WATCHERS = ("/healthz", "/readyz")
# A request id from elsewhere, as proxies and tracers make them; anything else is replaced.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class _TooLarge(HTTPException):
    """A body went beyond its limit. FastAPI lets this kind of exception through while it reads one."""

    def __init__(self) -> None:
        super().__init__(413)


class Guarding:
    """The ASGI layer. `hosts` are the names in the Host header that are answered; `*.` takes all names below one."""

    def __init__(self, app: ASGIApp, state: WebState, hosts: Collection[str]) -> None:
        self._app = app
        self._state = state
        self._hosts = frozenset(host for host in hosts if not host.startswith("*."))
        self._domains = tuple(host[1:] for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _Passage(self, self._state, scope, receive, send).run(self._app)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def refusal(self, scope: Scope) -> Refused | None:
        """Why a request goes no further, before anything of it is read."""
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_URL:
            return Refused(414, "url_too_long", f"the URL is longer than {LONGEST_URL} characters")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEADERS:
            return Refused(431, "headers_too_large", f"the headers are larger than {LARGEST_HEADERS} bytes")
        if scope["path"] in _FOR_WATCHERS:
            return None
        # Prometheus asks by the address of a container; its token says who it is, and no browser sends one by itself.
        is_scrape = scope["path"] == "/metrics" and _values(scope, b"authorization")
        if not is_scrape and not self._is_known(_values(scope, b"host")):
            remedy = "Use the address that Sophia is served at; SOPHIA_WEB_ALLOWED_HOSTS names further ones"
            return Refused(400, "unknown_host", "nothing is served under this Host", remedy)
        address = scope.get("client")
        if wait := self._state.limits.address.take(address_key(address[0] if address else None)):
            return too_many(wait)
        length = _values(scope, b"content-length")
        if length and (not length[0].isdigit() or int(length[0][:20]) > self._state.settings.body_bytes):
            return too_large(self._state.settings.body_bytes)
        return None

    def _is_known(self, given: list[bytes]) -> bool:
        if len(given) != 1:
            return False
        found = _HOST.fullmatch(given[0].decode("latin-1").lower())
        if found is None:
            return False
        host = found[1].rstrip(".")
        return host in self._hosts or (bool(self._domains) and host.endswith(self._domains))


class _Passage:
    """One request on its way through."""

    def __init__(self, guard: Guarding, state: WebState, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard, self._state = guard, state
        self._scope, self._receive, self._send = scope, receive, send
        self._started = perf_counter()
        self._status = 0
        self._taken = 0
        self._own = {"id": _request_id(scope), "nonce": secrets.token_urlsafe(16), "timings": Timings()}
        scope["state"] = {**scope.get("state", {}), **self._own}

    async def run(self, app: ASGIApp) -> None:
        """Serves it, whatever happens within."""
        with bound(request_id=self._own["id"]):
            await self._run(app)

    async def _run(self, app: ASGIApp) -> None:
        try:
            if refused := self._guard.refusal(self._scope):
                await json_response(refused)(self._scope, self._receive, self._with_headers)
                return
            async with asyncio.timeout(self._state.settings.request_seconds):
                await app(self._scope, self._limited, self._with_headers)
        except Exception as error:
            await self._failed(error)
        finally:
            self._count()

    async def _failed(self, error: Exception) -> None:
        if self._status:
            _log.error("an answer was cut off", problem=error)
            return
        request = Request(self._scope, self._receive)
        response = as_response(request, self._refusal_of(error))
        await response(self._scope, self._receive, self._with_headers)

    def _refusal_of(self, error: Exception) -> Refused:
        if isinstance(error, TimeoutError):
            seconds = self._state.settings.request_seconds
            told = f"this took longer than {seconds:g} s"
            return Refused(504, "timeout", told, "Ask for less, or try again later", headers=CLOSING)
        return refusal_of(error)

    async def _limited(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            if self._taken > self._state.settings.body_bytes:
                raise _TooLarge
        return message

    async def _with_headers(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers[name] = value
            headers.setdefault("content-security-policy", policy(str(self._own["nonce"])))
            headers.setdefault("cache-control", "no-store")
            headers["x-request-id"] = str(self._own["id"])
            if self._scope["scheme"] == "https":
                headers["strict-transport-security"] = "max-age=31536000"
            timings = self._scope["state"]["timings"]
            timings.add("total", self._started)
            headers["server-timing"] = timings.header()
        await self._send(message)

    def _count(self) -> None:
        route = getattr(self._scope.get("route"), "path", None) or "other"
        milliseconds = (perf_counter() - self._started) * 1000
        self._state.counts.served(f"{_method(self._scope)} {route}", self._status or 499, milliseconds)
        _log.info(
            "a request was served",
            method=_method(self._scope),
            route=route,
            status=self._status or 499,
            ms=round(milliseconds, 1),
        )


def _request_id(scope: Scope) -> str:
    """The id under which the request is found in logs: the one that came with it, or a new one."""
    given = _values(scope, b"x-request-id")
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) and is_clean(text := given[0].decode("ascii")):
        return text
    return secrets.token_hex(8)


def policy(nonce: str) -> str:
    """The content security policy: nothing from elsewhere, nothing inline without the answer's nonce."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def too_large(most: int) -> Refused:
    """A body beyond its limit. The connection ends, since the rest of it is not read."""
    return Refused(413, "body_too_large", f"the body is larger than {most} bytes", headers=CLOSING)


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]
