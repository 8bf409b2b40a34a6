"""Gong's API v2, for reading: calls, their content and transcripts, users, workspaces."""

from __future__ import annotations

import base64
import hashlib
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, GongCall, GongData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, random_id, read_object, retry_after
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.gong import content
from sophia_assets.sandbox.standins.limits import DailyLimit, RollingLimit
from sophia_assets.sandbox.standins.standin import Standin, VendorErrors, base_url

PER_PAGE = 100
REQUESTS_PER_SECOND = 3
REQUESTS_PER_DAY = 10_000
_FRAGMENTS_KEPT = 400_000

Handler = Callable[[Request], Awaitable[Response]]


def failure(status: int, *errors: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """An error body as Gong writes it."""
    return JsonAnswer({"requestId": random_id(19), "errors": list(errors)}, status, headers)


class GongErrors(VendorErrors):
    """Gong's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused access key."""
        return failure(401, "Invalid access key or access key secret")

    def rate_limited(self, seconds: float) -> Response:
        """The limit is spent."""
        return failure(429, "API request limit exceeded", headers=retry_after(seconds))

    def server_error(self) -> Response:
        """An unexpected failure."""
        return failure(500, "Failed to complete the operation due to an unexpected error")


@dataclass(frozen=True)
class _Filter:
    """Which calls a request asks for; None does not restrict. `until` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    workspace: str | None = None
    calls: frozenset[str] | None = None
    hosts: frozenset[str] | None = None

    @property
    def fingerprint(self) -> str:
        """Ties a cursor to the request that it continues."""
        hosts, calls = sorted(self.hosts or ()), sorted(self.calls or ())
        text = repr((self.since, self.until, self.workspace, calls, hosts))
        return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()


class _Refused(Exception):
    """A request that is answered with 400."""


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> GongStandin:
    """The stand-in for the company's Gong."""
    return GongStandin(company, credentials.gong_access_key, credentials.gong_access_key_secret, faults, limits=limits)


class GongStandin(Standin):
    """Serves a company's Gong."""

    system = "gong"
    errors = GongErrors()

    def __init__(
        self, company: CompanyData, access_key: str, secret: str, faults: FaultBoard, *, limits: bool = True
    ) -> None:
        super().__init__()
        self._access_key, self._secret = access_key, secret
        self._credential = "Basic " + base64.b64encode(f"{access_key}:{secret}".encode()).decode()
        self._faults = faults
        self._second = RollingLimit(REQUESTS_PER_SECOND, 1.0) if limits else None
        self._day = DailyLimit(REQUESTS_PER_DAY) if limits else None
        self._app = Starlette(
            routes=[
                self._route("/v2/calls", self._list_calls),
                self._route("/v2/calls/extensive", self._extensive, "POST"),
                self._route("/v2/calls/transcript", self._transcripts, "POST"),
                self._route("/v2/calls/{call_id}", self._one_call),
                self._route("/v2/users", self._users),
                self._route("/v2/users/extensive", self._users_filtered, "POST"),
                self._route("/v2/workspaces", self._workspaces),
            ]
        )
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its Gong data must not be None."""
        if company.gong is None:
            raise ValueError("the company has no Gong")
        self._data: GongData = company.gong
        self._calls = sorted(self._data.calls, key=lambda call: (call.started, call.id))
        self._starts = [call.started for call in self._calls]
        self._fragments: dict[tuple[str, str], bytes] = {}

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {
            "GONG_BASE_URL": base_url(host, port, "/gong"),
            "GONG_ACCESS_KEY": self._access_key,
            "GONG_ACCESS_KEY_SECRET": self._secret,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != self._credential:
                return GongErrors().unauthorized()
            wait = (self._day.take() if self._day else 0.0) or (self._second.take() if self._second else 0.0)
            if wait:
                return GongErrors().rate_limited(wait)
            try:
                return await handler(request)
            except MalformedBody as problem:
                return failure(400, f"Failed to parse the request body: {problem}")
            except _Refused as refusal:
                return failure(400, str(refusal))

        return Route(path, guarded, methods=[method])

    async def _list_calls(self, request: Request) -> Response:
        given = {name: request.query_params.get(name) for name in ("fromDateTime", "toDateTime", "workspaceId")}
        wanted = _read_filter(given)
        return self._page(
            "calls", "calls", self._selected(wanted), wanted, request.query_params.get("cursor"), self._as_listed
        )

    async def _one_call(self, request: Request) -> Response:
        call_id = request.path_params["call_id"]
        call = next((c for c in self._calls if c.id == call_id), None)
        if call is None:
            return failure(404, f"Call ID {call_id} was not found")
        return JsonAnswer({"requestId": random_id(19), "call": content.metadata(call, self._data.workspace_id)})

    async def _extensive(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = _read_filter(_required_filter(body))
        selector = body.get("contentSelector") or {}
        _check_selector(selector)
        shape = orjson.dumps(selector, option=orjson.OPT_SORT_KEYS).decode()
        re_signed = bool((selector.get("exposedFields") or {}).get("media"))

        def serialise(call: GongCall) -> bytes:
            return self._kept(
                shape, call, lambda: content.extensive(call, self._data.workspace_id, selector), keep=not re_signed
            )

        return self._page("calls", "calls", self._selected(wanted), wanted, body.get("cursor"), serialise)

    async def _transcripts(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = _read_filter(_required_filter(body))
        spoken = [call for call in self._selected(wanted) if call.sentences]

        def serialise(call: GongCall) -> bytes:
            return self._kept("transcript", call, lambda: content.transcript(call))

        return self._page("callTranscripts", "transcripts", spoken, wanted, body.get("cursor"), serialise)

    async def _users(self, request: Request) -> Response:
        return self._user_page(None, request.query_params.get("cursor"))

    async def _users_filtered(self, request: Request) -> Response:
        body = await read_object(request)
        ids = _ids(_required_filter(body), "userIds")
        return self._user_page(ids, body.get("cursor"))

    def _user_page(self, ids: frozenset[str] | None, cursor: Any) -> Response:
        people = [person for person in self._data.users if ids is None or person.id in ids]
        wanted = _Filter(hosts=ids)
        answer = self._page("users", "users", people, wanted, cursor, lambda person: orjson.dumps(content.user(person)))
        # An unfiltered list that is empty is no failure.
        return self._assemble("users", [], 0, 0, wanted) if ids is None and answer.status_code == 404 else answer

    async def _workspaces(self, request: Request) -> Response:
        workspace = {"id": self._data.workspace_id, "name": self._data.workspace_name, "description": None}
        return JsonAnswer({"requestId": random_id(19), "workspaces": [workspace]})

    def _as_listed(self, call: GongCall) -> bytes:
        return self._kept("metadata", call, lambda: content.metadata(call, self._data.workspace_id))

    def _kept(self, shape: str, call: GongCall, make: Callable[[], dict[str, Any]], *, keep: bool = True) -> bytes:
        if not keep:
            return orjson.dumps(make())
        made = self._fragments.get((shape, call.id))
        if made is None:
            if len(self._fragments) >= _FRAGMENTS_KEPT:
                self._fragments.clear()
            made = self._fragments[shape, call.id] = orjson.dumps(make())
        return made

    def _selected(self, wanted: _Filter) -> list[GongCall]:
        start = 0 if wanted.since is None else bisect_left(self._starts, wanted.since)
        end = len(self._starts) if wanted.until is None else bisect_left(self._starts, wanted.until)
        if wanted.workspace not in (None, self._data.workspace_id):
            return []
        return [
            call
            for call in self._calls[start:end]
            if (wanted.calls is None or call.id in wanted.calls)
            and (wanted.hosts is None or call.primary_user_id in wanted.hosts)
        ]

    def _page(
        self,
        key: str,
        noun: str,
        items: Sequence[Any],
        wanted: _Filter,
        cursor: Any,
        serialise: Callable[[Any], bytes],
    ) -> JsonAnswer:
        if not items or self._faults.active("gong", "empty"):
            return failure(404, f"No {noun} found corresponding to the provided filters")
        start = self._position(cursor, wanted, len(items)) if cursor else 0
        begin, end = self._faults.page("gong", start, PER_PAGE, len(items))
        parts = [serialise(item) for item in items[begin:end]]
        return self._assemble(key, parts, end, len(items), wanted)

    def _assemble(self, key: str, parts: list[bytes], end: int, total: int, wanted: _Filter) -> JsonAnswer:
        records: dict[str, Any] = {
            "totalRecords": total,
            "currentPageSize": len(parts),
            "currentPageNumber": max(end - 1, 0) // PER_PAGE,
        }
        if end < total:
            records["cursor"] = _cursor(end, wanted)
        head = orjson.dumps({"requestId": random_id(19), "records": records})
        return JsonAnswer(head[:-1] + b',"' + key.encode() + b'":[' + b",".join(parts) + b"]}")

    def _position(self, cursor: Any, wanted: _Filter, total: int) -> int:
        if self._faults.cursor_expires("gong"):
            raise _Refused("The cursor has expired")
        try:
            position, fingerprint = base64.urlsafe_b64decode(str(cursor)).decode().split(".")
            start = int(position)
        except ValueError:
            raise _Refused("The cursor is invalid") from None
        if fingerprint != wanted.fingerprint or not 0 <= start < total:
            raise _Refused("The cursor is invalid: it belongs to another request")
        return start


def _cursor(position: int, wanted: _Filter) -> str:
    return base64.urlsafe_b64encode(f"{position:07d}.{wanted.fingerprint}".encode()).decode()


def _required_filter(body: Mapping[str, Any]) -> Mapping[str, Any]:
    wanted = body.get("filter")
    if not isinstance(wanted, Mapping):
        raise _Refused("filter: must not be null")
    return wanted


def _read_filter(given: Mapping[str, Any]) -> _Filter:
    since, until = _moment(given, "fromDateTime"), _moment(given, "toDateTime")
    if since is not None and until is not None and since > until:
        raise _Refused("fromDateTime must not be later than toDateTime")
    return _Filter(
        since, until, given.get("workspaceId") or None, _ids(given, "callIds"), _ids(given, "primaryUserIds")
    )


def _moment(given: Mapping[str, Any], name: str) -> datetime | None:
    text = given.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Refused(f"{name}: '{text}' is not an ISO-8601 date-time with an offset")
    return moment.astimezone(UTC)


def _ids(given: Mapping[str, Any], name: str) -> frozenset[str] | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _Refused(f"{name}: must be a list of ids")
    return frozenset(str(item) for item in value) if value else None


def _check_selector(selector: Any) -> None:
    if not isinstance(selector, Mapping):
        raise _Refused("contentSelector: must be an object")
    if selector.get("context", "None") not in ("None", "Basic", "Extended"):
        raise _Refused(f"contentSelector.context: unknown value '{selector.get('context')}'")
    if not isinstance(selector.get("exposedFields") or {}, Mapping):
        raise _Refused("contentSelector.exposedFields: must be an object")
