"""HubSpot's CRM API v3 and associations v4, for reading, under today's paths and under the dated ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, HubSpotData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, millisecond_stamp, read_object
from sophia_assets.sandbox.standins.faults import Fault, FaultBoard
from sophia_assets.sandbox.standins.hubspot import parameters
from sophia_assets.sandbox.standins.hubspot.answers import (
    Budget,
    HubSpotErrors,
    failure,
    invalid,
    missing_scope,
    rate_limited,
    unauthorized,
)
from sophia_assets.sandbox.standins.hubspot.bodies import (
    association_page,
    batch,
    missing_records,
    next_page,
    no_association,
    owner_body,
    pipeline_bodies,
    property_bodies,
)
from sophia_assets.sandbox.standins.hubspot.mishaps import MISHAPS
from sophia_assets.sandbox.standins.hubspot.parameters import Refused
from sophia_assets.sandbox.standins.hubspot.schema import SINGULAR
from sophia_assets.sandbox.standins.hubspot.search import BadSearch, SearchBroke, parse_search
from sophia_assets.sandbox.standins.hubspot.store import Associations, ObjectStore, Shape
from sophia_assets.sandbox.standins.standin import Standin, base_url

LONGEST_URL = 15_000
PORTAL_ID = 48_151_623
_REMOVED_PROPERTY = {"deals": frozenset({"closed_lost_reason"})}

Handler = Callable[[Request], Awaitable[Response]]


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> HubSpotStandin:
    """The stand-in for the company's HubSpot."""
    return HubSpotStandin(company, credentials.hubspot_access_token, faults, limits=limits)


class HubSpotStandin(Standin):
    """Serves a company's HubSpot account."""

    system = "hubspot"
    errors = HubSpotErrors()

    def __init__(self, company: CompanyData, token: str, faults: FaultBoard, *, limits: bool = True) -> None:
        super().__init__()
        self._token = token
        self._faults = faults
        self._budget = Budget(limits)
        self._removed: dict[str, frozenset[str]] = {}
        today = ("v3/objects", "v4/associations", "v3/owners", "v3/pipelines", "v3/properties")
        dated = tuple(f"{name.split('/')[1]}/2026-09" for name in today)
        self._app = Starlette(
            routes=[
                *self._routes(*today),
                *self._routes(*dated),
                self._route("/account-info/v3/details", self._account),
            ]
        )
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its HubSpot data must not be None."""
        if company.hubspot is None:
            raise ValueError("the company has no HubSpot")
        self._first_moment = datetime.combine(company.first_day, time(), UTC)
        self._serve(company.hubspot)

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {"HUBSPOT_BASE_URL": base_url(host, port, "/hubspot"), "HUBSPOT_ACCESS_TOKEN": self._token}

    def play(self, fault: Fault) -> None:
        """See `Standin.play`."""
        if fault.kind == "removed_property":
            self._removed = _REMOVED_PROPERTY
            self._serve(self._data)
        else:
            self._serve(MISHAPS[fault.kind](self._data, int(fault.argument)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def _serve(self, data: HubSpotData) -> None:
        self._data = data
        associations = Associations(data)
        self._stores = {
            name: ObjectStore(name, data.objects.get(name, []), associations, self._removed.get(name, frozenset()))
            for name in SINGULAR
        }

    def _routes(self, objects: str, associations: str, owners: str, pipelines: str, properties: str) -> list[Route]:
        return [
            self._route(f"/crm/{objects}/{{object_type}}", self._list),
            self._route(f"/crm/{objects}/{{object_type}}/search", self._search, "POST", search=True),
            self._route(f"/crm/{objects}/{{object_type}}/batch/read", self._batch_read, "POST"),
            self._route(f"/crm/{objects}/{{object_type}}/{{record_id}}", self._get),
            self._route(f"/crm/{associations}/{{from_type}}/{{to_type}}/batch/read", self._associated, "POST"),
            self._route(f"/crm/{owners}", self._owners),
            self._route(f"/crm/{owners}/", self._owners),
            self._route(f"/crm/{pipelines}/{{object_type}}", self._pipelines),
            self._route(f"/crm/{properties}/{{object_type}}", self._properties),
        ]

    def _route(self, path: str, handler: Handler, method: str = "GET", *, search: bool = False) -> Route:
        async def guarded(request: Request) -> Response:
            if len(request.scope["path"]) + len(request.scope["query_string"]) > LONGEST_URL:
                return failure(414, "URI Too Long", "VALIDATION_ERROR")
            if request.headers.get("authorization") != f"Bearer {self._token}":
                return unauthorized()
            if self._faults.active("hubspot", "daily_limit"):
                spent = {} if search else {"X-HubSpot-RateLimit-Daily-Remaining": "0"}
                return rate_limited("DAILY", spent)
            answer = self._budget.refuse(search) or await self._answer(handler, request)
            if not search:
                answer.headers.update(self._budget.headers())
            return answer

        return Route(path, guarded, methods=[method])

    async def _answer(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except MalformedBody as problem:
            return invalid(f"Invalid input JSON: {problem}", "INVALID_JSON")
        except Refused as refusal:
            return refusal.answer

    def _object_type(self, request: Request, name: str = "object_type") -> str:
        """The type that the path names. Raises Refused, also where the app may not read it."""
        found = parameters.object_type(request.path_params[name])
        if found == "tickets" and self._faults.active("hubspot", "missing_scope"):
            raise Refused(missing_scope("tickets"))
        return found

    @property
    def _empty(self) -> bool:
        return self._faults.active("hubspot", "empty") is not None

    def _end(self, start: int, most: int, total: int) -> int:
        """Where a page from `start` ends; HubSpot may serve short pages, but none that is empty and has a next one."""
        _, end = self._faults.page("hubspot", start, most, total)
        return max(end, min(start + 1, total))

    async def _list(self, request: Request) -> Response:
        store = self._stores[self._object_type(request)]
        shape = parameters.query_shape(request, store.object_type)
        most = parameters.MOST_PER_PAGE_WITH_HISTORY if shape.history else parameters.MOST_PER_PAGE
        limit, archived = parameters.limit(request, 10, most), parameters.flag(request, "archived")
        expired = "after" in request.query_params and self._faults.cursor_expires("hubspot")
        after = parameters.cursor(request, expired=expired)
        if self._empty:
            return JsonAnswer({"results": []})
        records, following = store.page(archived, after, limit, self._end)
        body = b'{"results":[' + store.serialised(records, shape) + b"]"
        if following is not None:
            body += b',"paging":' + orjson.dumps(next_page(request, following))
        return JsonAnswer(body + b"}")

    async def _get(self, request: Request) -> Response:
        store = self._stores[self._object_type(request)]
        record = store.get(request.path_params["record_id"], parameters.flag(request, "archived"))
        if record is None or self._empty:
            return failure(404, "Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND")
        return JsonAnswer(store.serialised([record], parameters.query_shape(request, store.object_type)))

    async def _search(self, request: Request) -> Response:
        store = self._stores[self._object_type(request)]
        body = await read_object(request)
        try:
            search = parse_search(body, store.known)
        except BadSearch as problem:
            return invalid(problem.message, problem.code, **problem.context)
        except SearchBroke:
            return failure(500, "There was a problem with the request.", "SERVER_ERROR")
        if self._empty:
            return JsonAnswer({"total": 0, "results": []})
        records, end, total = store.found(search, self._end)
        answer = b'{"total":%d,"results":[%b]' % (total, store.serialised(records, Shape(search.properties)))
        if end < total:
            answer += b',"paging":{"next":{"after":"%d"}}' % end
        return JsonAnswer(answer + b"}")

    async def _batch_read(self, request: Request) -> Response:
        store = self._stores[self._object_type(request)]
        body = await read_object(request)
        shape = parameters.body_shape(body)
        most = parameters.MOST_PER_PAGE_WITH_HISTORY if shape.history else parameters.MOST_INPUTS
        ids = dict.fromkeys(str(item["id"]) for item in parameters.inputs(body, most))
        archived = parameters.flag(request, "archived")
        found = {} if self._empty else {i: r for i in ids if (r := store.get(i, archived)) is not None}
        missing = [i for i in ids if i not in found]
        errors = [missing_records(store.object_type, missing)] if missing else []
        return batch(store.serialised(list(found.values()), shape), errors)

    async def _associated(self, request: Request) -> Response:
        source = self._object_type(request, "from_type")
        target = parameters.association_type(source, self._object_type(request, "to_type"))
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for item in parameters.inputs(await read_object(request), parameters.MOST_ASSOCIATION_INPUTS):
            record_id = str(item["id"])
            ids = [] if self._empty else self._stores[source].associations.of(source, record_id, target)
            after = str(item.get("after") or "")
            start = ids.index(after) + 1 if after in ids else 0
            if ids:
                results.append(association_page(source, record_id, target, ids, start))
            else:
                errors.append(no_association(source, record_id, target))
        return batch(b",".join(map(orjson.dumps, results)), errors)

    async def _owners(self, request: Request) -> Response:
        limit = parameters.limit(request, 100, parameters.MOST_OWNERS_PER_PAGE)
        archived, email = parameters.flag(request, "archived"), request.query_params.get("email")
        owners = [o for o in self._data.owners if o.archived is archived and email in (None, o.email)]
        start = int(parameters.cursor(request) or 0)
        end = self._end(start, limit, len(owners))
        listed = [] if self._empty else owners[start:end]
        answer: dict[str, Any] = {"results": [owner_body(owner) for owner in listed]}
        if listed and end < len(owners):
            answer["paging"] = next_page(request, str(end))
        return JsonAnswer(answer)

    async def _pipelines(self, request: Request) -> Response:
        found = pipeline_bodies(self._data, self._object_type(request), millisecond_stamp(self._first_moment))
        return JsonAnswer({"results": [] if self._empty else found})

    async def _properties(self, request: Request) -> Response:
        store = self._stores[self._object_type(request)]
        archived = parameters.flag(request, "archived")
        known = () if archived else store.known
        return JsonAnswer({"results": property_bodies(store.object_type, known, millisecond_stamp(self._first_moment))})

    async def _account(self, request: Request) -> Response:
        return JsonAnswer(
            {
                "portalId": PORTAL_ID,
                "accountType": "STANDARD",
                "timeZone": "UTC",
                "companyCurrency": "USD",
                "additionalCurrencies": [],
                "utcOffset": "+00:00",
                "utcOffsetMilliseconds": 0,
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )
