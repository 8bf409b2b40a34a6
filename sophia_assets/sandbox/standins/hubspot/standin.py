"""HubSpot's CRM API v3 and associations v4, for reading: lists, search, batch reads, owners, pipelines, the account."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, time
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, HubSpotData, HubSpotOwner
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, millisecond_stamp, now, read_object
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.hubspot.answers import Budget, HubSpotErrors, failure, invalid, unauthorized
from sophia_assets.sandbox.standins.hubspot.schema import ALIASES, ASSOCIATION_TYPES, SINGULAR
from sophia_assets.sandbox.standins.hubspot.search import BadSearch, SearchBroke, parse_search
from sophia_assets.sandbox.standins.hubspot.store import ASSOCIATIONS_PER_PAGE, Associations, ObjectStore, Shape
from sophia_assets.sandbox.standins.standin import Standin, base_url

MOST_PER_PAGE = 100
MOST_PER_PAGE_WITH_HISTORY = 50
MOST_INPUTS = 100
MOST_ASSOCIATION_INPUTS = 1_000
MOST_OWNERS_PER_PAGE = 500
LONGEST_URL = 15_000
PORTAL_ID = 48_151_623

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
        self._app = Starlette(
            routes=[
                self._route("/crm/v3/objects/{object_type}", self._list),
                self._route("/crm/v3/objects/{object_type}/search", self._search, "POST", search=True),
                self._route("/crm/v3/objects/{object_type}/batch/read", self._batch_read, "POST"),
                self._route("/crm/v3/objects/{object_type}/{record_id}", self._get),
                self._route("/crm/v4/associations/{from_type}/{to_type}/batch/read", self._associated, "POST"),
                self._route("/crm/v3/owners", self._owners),
                self._route("/crm/v3/owners/", self._owners),
                self._route("/crm/v3/pipelines/{object_type}", self._pipelines),
                self._route("/account-info/v3/details", self._account),
            ]
        )
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its HubSpot data must not be None."""
        if company.hubspot is None:
            raise ValueError("the company has no HubSpot")
        self._data: HubSpotData = company.hubspot
        self._first_moment = datetime.combine(company.first_day, time(), UTC)
        associations = Associations(self._data)
        self._stores = {
            name: ObjectStore(name, self._data.objects.get(name, []), associations) for name in dict.fromkeys(SINGULAR)
        }

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {"HUBSPOT_BASE_URL": base_url(host, port, "/hubspot"), "HUBSPOT_ACCESS_TOKEN": self._token}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def _route(self, path: str, handler: Handler, method: str = "GET", *, search: bool = False) -> Route:
        async def guarded(request: Request) -> Response:
            if len(request.scope["path"]) + len(request.scope["query_string"]) > LONGEST_URL:
                return failure(414, "URI Too Long", "VALIDATION_ERROR")
            if request.headers.get("authorization") != f"Bearer {self._token}":
                return unauthorized()
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
        except _Refused as refusal:
            return refusal.answer

    def _store(self, name: str) -> ObjectStore:
        if name not in ALIASES:
            raise _Refused(invalid(f"Unable to infer object type from: {name}", "UNKNOWN_OBJECT_TYPE", objectType=name))
        return self._stores[ALIASES[name]]

    @property
    def _empty(self) -> bool:
        return self._faults.active("hubspot", "empty") is not None

    async def _list(self, request: Request) -> Response:
        store = self._store(request.path_params["object_type"])
        shape = Shape(
            _names(request.query_params.getlist("properties")),
            _names(request.query_params.getlist("propertiesWithHistory")),
            _association_types(store, request.query_params.getlist("associations")),
        )
        limit = _limit(request, 10, MOST_PER_PAGE_WITH_HISTORY if shape.history else MOST_PER_PAGE)
        archived = _flag(request, "archived")
        if self._empty:
            return JsonAnswer({"results": []})
        records, after = store.page(archived, request.query_params.get("after", ""), limit)
        body = b'{"results":[' + store.serialised(records, shape) + b"]"
        if after is not None:
            body += b',"paging":' + orjson.dumps(_next_page(request, after))
        return JsonAnswer(body + b"}")

    async def _get(self, request: Request) -> Response:
        store = self._store(request.path_params["object_type"])
        record = store.get(request.path_params["record_id"], _flag(request, "archived"))
        if record is None or self._empty:
            return failure(404, "Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND")
        shape = Shape(
            _names(request.query_params.getlist("properties")),
            _names(request.query_params.getlist("propertiesWithHistory")),
            _association_types(store, request.query_params.getlist("associations")),
        )
        return JsonAnswer(store.serialised([record], shape))

    async def _search(self, request: Request) -> Response:
        store = self._store(request.path_params["object_type"])
        body = await read_object(request)
        try:
            search = parse_search(body, store.known)
        except BadSearch as problem:
            return invalid(problem.message, problem.code, **problem.context)
        except SearchBroke:
            return failure(500, "There was a problem with the request.", "SERVER_ERROR")
        if self._empty:
            return JsonAnswer({"total": 0, "results": []})
        records, total = store.found(search)
        answer = b'{"total":%d,"results":[%b]' % (total, store.serialised(records, Shape(search.properties)))
        end = search.after + len(records)
        if end < total:
            answer += b',"paging":{"next":{"after":"%d"}}' % end
        return JsonAnswer(answer + b"}")

    async def _batch_read(self, request: Request) -> Response:
        store = self._store(request.path_params["object_type"])
        body = await read_object(request)
        shape = Shape(_names(_strings(body, "properties")), _names(_strings(body, "propertiesWithHistory")))
        ids = [str(item["id"]) for item in _inputs(body, MOST_PER_PAGE_WITH_HISTORY if shape.history else MOST_INPUTS)]
        archived = _flag(request, "archived")
        found = {} if self._empty else {i: r for i in dict.fromkeys(ids) if (r := store.get(i, archived)) is not None}
        missing = [i for i in dict.fromkeys(ids) if i not in found]
        noun = SINGULAR[store.object_type]
        errors = [
            _item_error(
                f"Could not get some {noun} objects, they may be deleted or not exist. Check that ids are valid.",
                "OBJECT_NOT_FOUND",
                {"ids": missing},
            )
        ]
        return _batch(store.serialised(list(found.values()), shape), errors if missing else [])

    async def _associated(self, request: Request) -> Response:
        source = self._store(request.path_params["from_type"])
        target = self._store(request.path_params["to_type"]).object_type
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for item in _inputs(await read_object(request), MOST_ASSOCIATION_INPUTS):
            record_id = str(item["id"])
            ids = [] if self._empty else source.associations.of(source.object_type, record_id, target)
            after = str(item.get("after") or "")
            start = ids.index(after) + 1 if after in ids else 0
            if ids:
                results.append(_association_page(source.object_type, record_id, target, ids, start))
            else:
                errors.append(_no_association(source.object_type, record_id, target))
        return _batch(b",".join(map(orjson.dumps, results)), errors)

    async def _owners(self, request: Request) -> Response:
        limit = _limit(request, 100, MOST_OWNERS_PER_PAGE)
        archived, email = _flag(request, "archived"), request.query_params.get("email")
        owners = [o for o in self._data.owners if o.archived is archived and email in (None, o.email)]
        start = int(request.query_params.get("after") or 0) if request.query_params.get("after", "0").isdigit() else 0
        listed = [] if self._empty else owners[start : start + limit]
        answer: dict[str, Any] = {"results": [_owner(owner) for owner in listed]}
        if listed and start + limit < len(owners):
            answer["paging"] = _next_page(request, str(start + limit))
        return JsonAnswer(answer)

    async def _pipelines(self, request: Request) -> Response:
        object_type = ALIASES.get(request.path_params["object_type"])
        if object_type is None:
            name = request.path_params["object_type"]
            return invalid(f"Unable to infer object type from: {name}", "UNKNOWN_OBJECT_TYPE", objectType=name)
        stamp = millisecond_stamp(self._first_moment)
        times = {"createdAt": stamp, "updatedAt": stamp, "archived": False}
        stages = [
            {
                "id": stage.id,
                "label": stage.label,
                "displayOrder": stage.display_order,
                "metadata": {"isClosed": str(stage.is_closed).lower(), "probability": str(stage.probability)},
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                **times,
            }
            for stage in self._data.stages
        ]
        pipeline = {"id": self._data.pipeline_id, "label": self._data.pipeline_label, "displayOrder": 0}
        served = object_type == "deals" and not self._empty
        return JsonAnswer({"results": [pipeline | {"stages": stages} | times] if served else []})

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


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, answer: JsonAnswer) -> None:
        super().__init__()
        self.answer = answer


def _names(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for value in values for name in value.split(",") if name))


def _association_types(store: ObjectStore, values: Sequence[str]) -> tuple[str, ...]:
    names = _names(values)
    for name in names:
        if name not in ALIASES:
            raise _Refused(invalid(f"Unable to infer object type from: {name}", "UNKNOWN_OBJECT_TYPE", objectType=name))
    return tuple(ALIASES[name] for name in names)


def _limit(request: Request, default: int, most: int) -> int:
    text = request.query_params.get("limit", str(default))
    if not re.fullmatch(r"\d+", text) or not 0 < int(text) <= most:
        message = f"Invalid value for limit: {text}. It must be an integer from 1 to {most}"
        raise _Refused(invalid(message, "INVALID_LIMIT", limit=text))
    return int(text)


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise _Refused(invalid(f"Invalid value for {name}: {text}. It must be true or false", **{name: text}))
    return text == "true"


def _strings(body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise _Refused(invalid(f"Invalid input JSON: {name} must be a list of strings", "INVALID_JSON"))
    return value or []


def _inputs(body: dict[str, Any], most: int) -> list[dict[str, Any]]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(item, dict) and "id" in item for item in inputs):
        raise _Refused(invalid("Invalid input JSON: inputs must be a list of objects with an id", "INVALID_JSON"))
    if len(inputs) > most:
        raise _Refused(invalid(f"The maximum number of inputs is {most}, got {len(inputs)}", "TOO_MANY_INPUTS"))
    return inputs


def _next_page(request: Request, after: str) -> dict[str, Any]:
    return {"next": {"after": after, "link": str(request.url.include_query_params(after=after))}}


def _batch(results: bytes, errors: list[dict[str, Any]]) -> JsonAnswer:
    stamp = millisecond_stamp(now())
    rest: dict[str, Any] = {"startedAt": stamp, "completedAt": stamp}
    if errors:
        rest |= {"numErrors": len(errors), "errors": errors}
    body = b'{"status":"COMPLETE","results":[' + results + b"]," + orjson.dumps(rest)[1:]
    return JsonAnswer(body, 207 if errors else 200)


def _item_error(message: str, category: str, context: dict[str, list[str]], **more: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": category,
        "message": message,
        "context": context,
        "errors": [],
        "links": {},
        **more,
    }


def _no_association(source: str, record_id: str, target: str) -> dict[str, Any]:
    return _item_error(
        f"No {SINGULAR[target]} is associated with {SINGULAR[source]} {record_id}.",
        "OBJECT_NOT_FOUND",
        {"fromObjectId": [record_id], "fromObjectType": [SINGULAR[source]], "toObjectType": [SINGULAR[target]]},
        subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
    )


def _association_page(source: str, record_id: str, target: str, ids: list[str], start: int) -> dict[str, Any]:
    primary, unlabelled = ASSOCIATION_TYPES[source, target]
    to = []
    for at, other in enumerate(ids[start : start + ASSOCIATIONS_PER_PAGE], start):
        types = [{"category": "HUBSPOT_DEFINED", "typeId": unlabelled, "label": None}]
        if primary is not None and at == 0:
            types.insert(0, {"category": "HUBSPOT_DEFINED", "typeId": primary, "label": "Primary"})
        to.append({"toObjectId": other, "associationTypes": types})
    answer: dict[str, Any] = {"from": {"id": record_id}, "to": to}
    if start + ASSOCIATIONS_PER_PAGE < len(ids):
        answer["paging"] = {"next": {"after": to[-1]["toObjectId"]}}
    return answer


def _owner(owner: HubSpotOwner) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "createdAt": millisecond_stamp(owner.created_at),
        "updatedAt": millisecond_stamp(owner.updated_at),
        "archived": owner.archived,
    }
    if owner.team:
        answer["teams"] = [{"id": owner.team, "name": owner.team, "primary": True}]
    return answer
