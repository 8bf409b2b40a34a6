"""Gong's API v2, for reading: calls, their content and transcripts, users, settings, reviews and activity."""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, GongCall, GongData, GongReview, GongUser
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, random_id, read_object, retry_after
from sophia_assets.sandbox.standins.faults import Fault, FaultBoard
from sophia_assets.sandbox.standins.gong import content
from sophia_assets.sandbox.standins.gong.filters import (
    Asked,
    CallFilter,
    Refused,
    activity_filter,
    call_filter,
    check_selector,
    ids,
    required_filter,
    review_filter,
)
from sophia_assets.sandbox.standins.gong.reviews import (
    UserDays,
    active,
    answered,
    day_by_day,
    end_of,
    matches,
    scorecard,
    tracker,
    user_days,
)
from sophia_assets.sandbox.standins.limits import DailyLimit, RollingLimit
from sophia_assets.sandbox.standins.standin import Standin, VendorErrors, base_url

PER_PAGE = 100
REQUESTS_PER_SECOND = 3
REQUESTS_PER_DAY = 10_000
# How long before the company's last day ends a late call began.
LATE_BY = timedelta(days=6)
_FRAGMENTS_KEPT = 400_000
# What a key may read that lacks the scopes for everything beyond calls and users.
_BASIC_SCOPES = ("users:read", "calls:read:basic", "calls:read:extensive")

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
                self._route("/v2/calls", self._list_calls, "calls:read:basic"),
                self._route("/v2/calls/extensive", self._extensive, "calls:read:extensive", "POST"),
                self._route("/v2/calls/transcript", self._transcripts, "calls:read:transcript", "POST"),
                self._route("/v2/calls/{call_id}", self._one_call, "calls:read:basic"),
                self._route("/v2/users", self._users, "users:read"),
                self._route("/v2/users/extensive", self._users_filtered, "users:read", "POST"),
                self._route("/v2/workspaces", self._workspaces, "workspaces:read"),
                self._route("/v2/settings/scorecards", self._scorecards, "settings:scorecards:read"),
                self._route("/v2/settings/trackers", self._trackers, "settings:trackers:read"),
                self._route("/v2/stats/activity/scorecards", self._reviews, "stats:scorecards", "POST"),
                self._route("/v2/stats/activity/day-by-day", self._day_by_day, "stats:user-actions:detailed", "POST"),
            ]
        )
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its Gong data must not be None."""
        if company.gong is None:
            raise ValueError("the company has no Gong")
        self._data: GongData = company.gong
        self._zone = ZoneInfo(company.gong.timezone)
        self._end = end_of(company.last_day, self._zone)
        self._serve(company.gong.calls)

    def _serve(self, calls: Sequence[GongCall]) -> None:
        self._calls = sorted(calls, key=lambda call: (call.started, call.id))
        self._starts = [call.started for call in self._calls]
        self._by_id = {call.id: call for call in self._calls}
        self._reviewed = [(r, self._by_id[r.call_id]) for r in self._data.reviews if r.call_id in self._by_id]
        self._days: UserDays | None = None
        self._fragments: dict[tuple[str, str], bytes] = {}

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {
            "GONG_BASE_URL": base_url(host, port, "/gong"),
            "GONG_ACCESS_KEY": self._access_key,
            "GONG_ACCESS_KEY_SECRET": self._secret,
        }

    def play(self, fault: Fault) -> None:
        """See `Standin.play`."""
        match fault.kind:
            case "late_call":
                began = self._end - LATE_BY
                self._serve([*self._calls, late_call(self._calls, began)] if self._calls else [])
            case "delete_call":
                self._serve(self._calls[:-1])
            case _:
                super().play(fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def _route(self, path: str, handler: Handler, permission: str, method: str = "GET") -> Route:
        async def guarded(request: Request) -> Response:
            if request.headers.get("authorization") != self._credential:
                return GongErrors().unauthorized()
            wait = (self._day.take() if self._day else 0.0) or (self._second.take() if self._second else 0.0)
            if wait:
                return GongErrors().rate_limited(wait)
            if permission not in _BASIC_SCOPES and self._faults.active("gong", "missing_scope"):
                return failure(401, f"You don't have permission to use 'api:{permission}' in your app.")
            try:
                return await handler(request)
            except MalformedBody as problem:
                return failure(400, f"Failed to parse the request body: {problem}")
            except Refused as refusal:
                return failure(400, str(refusal))

        return Route(path, guarded, methods=[method])

    async def _list_calls(self, request: Request) -> Response:
        asked = Asked.of("/v2/calls", dict(request.query_params))
        calls = self._selected(call_filter(request.query_params))
        return self._page("calls", "calls", calls, asked, self._as_listed)

    async def _one_call(self, request: Request) -> Response:
        call = self._by_id.get(request.path_params["call_id"])
        if call is None:
            return failure(404, f"Call ID {request.path_params['call_id']} was not found")
        return JsonAnswer({"requestId": random_id(19), "call": content.metadata(call, self._data.workspace_id)})

    async def _extensive(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = call_filter(required_filter(body))
        selector = body.get("contentSelector") or {}
        check_selector(selector)
        shape = orjson.dumps(selector, option=orjson.OPT_SORT_KEYS).decode()
        re_signed = bool((selector.get("exposedFields") or {}).get("media"))

        def serialise(call: GongCall) -> bytes:
            return self._kept(
                shape, call, lambda: content.extensive(call, self._data.workspace_id, selector), keep=not re_signed
            )

        return self._page("calls", "calls", self._selected(wanted), Asked.of("/v2/calls/extensive", body), serialise)

    async def _transcripts(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = call_filter(required_filter(body))
        late = self._faults.active("gong", "late_transcript")
        until = self._end - timedelta(days=late.argument) if late else self._end
        spoken = [call for call in self._selected(wanted) if call.sentences and call.started < until]

        def serialise(call: GongCall) -> bytes:
            return self._kept("transcript", call, lambda: content.transcript(call))

        asked = Asked.of("/v2/calls/transcript", body)
        return self._page("callTranscripts", "transcripts", spoken, asked, serialise)

    async def _users(self, request: Request) -> Response:
        asked = Asked.of("/v2/users", dict(request.query_params), filtered=False)
        return self._page("users", "users", self._data.users, asked, _as_user)

    async def _users_filtered(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = ids(required_filter(body), "userIds")
        people = [person for person in self._data.users if wanted is None or person.id in wanted]
        asked = Asked.of("/v2/users/extensive", body, filtered=wanted is not None)
        return self._page("users", "users", people, asked, _as_user)

    async def _workspaces(self, request: Request) -> Response:
        workspace = {"id": self._data.workspace_id, "name": self._data.workspace_name, "description": None}
        return self._whole("workspaces", [workspace])

    async def _scorecards(self, request: Request) -> Response:
        return self._whole("scorecards", [scorecard(card, self._data.workspace_id) for card in self._data.scorecards])

    async def _trackers(self, request: Request) -> Response:
        workspace = request.query_params.get("workspaceId")
        if workspace not in (None, self._data.workspace_id):
            return failure(404, f"Workspace ID {workspace} was not found")
        first_heard: dict[str, datetime] = {}
        for call in self._calls:
            for name in call.trackers:
                first_heard.setdefault(name, call.started)
        listed = [tracker(name, self._data.workspace_id, heard) for name, heard in sorted(first_heard.items())]
        return self._whole("keywordTrackers", listed)

    async def _reviews(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = review_filter(required_filter(body))
        cards = {card.id: card for card in self._data.scorecards}
        found = [(review, call) for review, call in self._reviewed if matches(review, call, wanted, self._zone)]

        def serialise(item: tuple[GongReview, GongCall]) -> bytes:
            return orjson.dumps(answered(*item, cards[item[0].scorecard_id]))

        asked = Asked.of("/v2/stats/activity/scorecards", body)
        return self._page("answeredScorecards", "answered scorecards", found, asked, serialise)

    async def _day_by_day(self, request: Request) -> Response:
        body = await read_object(request)
        wanted = activity_filter(required_filter(body), datetime.now(self._zone).date())
        if self._days is None:
            self._days = user_days(self._calls, self._reviewed, self._zone)
        days = self._days

        def serialise(person: GongUser) -> bytes:
            return orjson.dumps(day_by_day(person, days, wanted, self._zone))

        people = active(self._data.users, days, wanted)
        asked = Asked.of("/v2/stats/activity/day-by-day", body)
        return self._page("usersDetailedActivities", "users", people, asked, serialise)

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

    def _selected(self, wanted: CallFilter) -> list[GongCall]:
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

    def _whole(self, key: str, items: list[dict[str, Any]]) -> JsonAnswer:
        """A list that has no pages."""
        shown = [] if self._faults.active("gong", "empty") else items
        return JsonAnswer({"requestId": random_id(19), key: shown})

    def _page(
        self, key: str, noun: str, items: Sequence[Any], asked: Asked, serialise: Callable[[Any], bytes]
    ) -> JsonAnswer:
        shown = [] if self._faults.active("gong", "empty") else items
        if not shown and asked.filtered:
            return failure(404, f"No {noun} found corresponding to the provided filters")
        if asked.cursor and self._faults.cursor_expires("gong"):
            raise Refused("The cursor has expired")
        begin, end = self._faults.page("gong", asked.start(len(shown)), PER_PAGE, len(shown))
        parts = [serialise(item) for item in shown[begin:end]]
        records: dict[str, Any] = {
            "totalRecords": len(shown),
            "currentPageSize": len(parts),
            "currentPageNumber": max(end - 1, 0) // PER_PAGE,
        }
        if end < len(shown):
            records["cursor"] = asked.cursor_to(end)
        head = orjson.dumps({"requestId": random_id(19), "records": records})
        return JsonAnswer(head[:-1] + b',"' + key.encode() + b'":[' + b",".join(parts) + b"]}")


def _as_user(person: GongUser) -> bytes:
    return orjson.dumps(content.user(person))


def late_call(calls: Sequence[GongCall], began: datetime) -> GongCall:
    """A call that began at `began`, like the last one before it, under an id of its own."""
    earlier = [call for call in calls if call.started <= began]
    likeness = earlier[-1] if earlier else calls[0]
    identifier = f"{likeness.id}1"[-19:]
    while any(call.id == identifier for call in calls):
        identifier = f"{identifier}1"[-19:]
    parties = [party | {"id": f"{party.get('id')}1"} for party in likeness.parties]
    return replace(likeness, id=identifier, started=began, parties=parties)
