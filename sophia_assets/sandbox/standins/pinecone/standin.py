"""Pinecone's API, for reading: the control plane under /indexes, the index's own host under /index."""

from __future__ import annotations

import base64
import binascii
import itertools
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, PineconeRecord
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, random_uuid, read_object
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.limits import RollingLimit
from sophia_assets.sandbox.standins.pinecone.answers import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    PineconeErrors,
    control_failure,
    failure,
    is_number,
    match,
    vectors,
)
from sophia_assets.sandbox.standins.pinecone.filters import BadFilter, Test, compiled
from sophia_assets.sandbox.standins.pinecone.scores import Vectors
from sophia_assets.sandbox.standins.pinecone.searching import BadSearch, embed_of, hit, hits, search_of
from sophia_assets.sandbox.standins.standin import Standin, base_url

HOST_PATH = "/index"
VERSIONS = ("2025-04", "2025-10", "2026-04")
DEFAULT_NAMESPACE = "__default__"

MOST_LISTED = 100
MOST_FETCHED = 1000
MOST_MATCHES = 10_000
LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_URL = 8192

# As documented per second: list, fetch and statistics by index, queries by namespace. The control plane's limit is
# not documented.
LIMITS = {"list": 200, "fetch": 100, "stats": 100, "query": 100, "control": 20}

Handler = Callable[[Request], Awaitable[Response]]


class _Refused(Exception):
    """A request that is answered with an error of the plane it was sent to."""

    def __init__(self, message: str, status: int = 400, code: int = INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> PineconeStandin:
    """The stand-in for the company's Pinecone."""
    return PineconeStandin(company, credentials.pinecone_api_key, faults, limits=limits)


class PineconeStandin(Standin):
    """Serves a company's Pinecone project, which has one index."""

    system = "pinecone"
    errors = PineconeErrors()

    def __init__(self, company: CompanyData, api_key: str, faults: FaultBoard, *, limits: bool = True) -> None:
        super().__init__()
        self._api_key = api_key
        self._faults = faults
        self._limited = limits
        self._limits: dict[str, RollingLimit] = {}
        self._tokens = itertools.count()
        self._app = Starlette(
            routes=[
                self._route("/indexes", self._list_indexes, control=True),
                self._route("/indexes/{name}", self._describe_index, control=True),
                self._route(f"{HOST_PATH}/describe_index_stats", self._stats, "POST", "stats"),
                self._route(f"{HOST_PATH}/namespaces", self._namespaces),
                self._route(f"{HOST_PATH}/namespaces/{{name:path}}", self._one_namespace),
                self._route(f"{HOST_PATH}/vectors/list", self._list),
                self._route(f"{HOST_PATH}/vectors/fetch", self._fetch, limit="fetch"),
                self._route(f"{HOST_PATH}/vectors/fetch_by_metadata", self._fetch_by_metadata, "POST", "fetch"),
                self._route(f"{HOST_PATH}/query", self._query, "POST", "query"),
                self._route(f"{HOST_PATH}/records/namespaces/{{name:path}}/search", self._search, "POST", "query"),
            ]
        )
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its Pinecone data must not be None."""
        if company.pinecone is None:
            raise ValueError("the company has no Pinecone")
        self._data = company.pinecone
        self._spaces = {
            name or DEFAULT_NAMESPACE: {record.id: record for record in sorted(records, key=_order)}
            for name, records in company.pinecone.namespaces.items()
        }
        self._vectors: dict[str, tuple[list[PineconeRecord], Vectors]] = {}

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {
            "PINECONE_API_KEY": self._api_key,
            "PINECONE_CONTROL_URL": base_url(host, port, "/pinecone"),
            "PINECONE_INDEX_HOST": base_url(host, port, f"/pinecone{HOST_PATH}"),
            "PINECONE_INDEX_NAME": self._data.index_name,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def _route(
        self, path: str, handler: Handler, method: str = "GET", limit: str = "list", *, control: bool = False
    ) -> Route:
        async def guarded(request: Request) -> Response:
            try:
                self._check_headers(request, control=control)
                if control or limit != "query":
                    self._take("control" if control else limit, "")
                return await handler(request)
            except MalformedBody as problem:
                return failure(400, INVALID_ARGUMENT, f"Request body: {problem}")
            except (BadFilter, BadSearch, _Refused) as refusal:
                return _refusal(refusal, control=control)

        return Route(path, guarded, methods=[method])

    def _check_headers(self, request: Request, *, control: bool) -> None:
        if request.headers.get("api-key") != self._api_key:
            raise _Refused("Invalid API key." if control else "", 401)
        version = request.headers.get("x-pinecone-api-version")
        if version not in VERSIONS:
            raise _Refused("X-Pinecone-Api-Version is missing" if version is None else f"Unknown version {version}")
        if len(str(request.url)) > LONGEST_URL:
            raise _Refused("URI Too Long", 414)

    def _take(self, limit: str, namespace: str) -> None:
        if not self._limited:
            return
        kept = self._limits.setdefault(f"{limit} {namespace}", RollingLimit(LIMITS[limit], 1.0))
        if kept.take():
            of = f"namespace {namespace}" if namespace else f"index {self._data.index_name}"
            raise _Refused(
                f"You've reached the max {limit} requests per second ({LIMITS[limit]}) for {of}.",
                429,
                RESOURCE_EXHAUSTED,
            )

    async def _list_indexes(self, request: Request) -> Response:
        return JsonAnswer({"indexes": [self._index(request)]})

    async def _describe_index(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name != self._data.index_name:
            return control_failure(404, "NOT_FOUND", f"Index {name} not found.")
        return JsonAnswer(self._index(request))

    def _index(self, request: Request) -> dict[str, Any]:
        return {
            "name": self._data.index_name,
            "dimension": self._data.dimension,
            "metric": self._data.metric,
            # A real host has no scheme, since all of them speak TLS; this one does not.
            "host": f"{request.url.scheme}://{request.url.netloc}/pinecone{HOST_PATH}",
            "vector_type": "dense",
            "deletion_protection": "disabled",
            "spec": {"serverless": {"cloud": "aws", "region": "us-east-1", "read_capacity": _READ_CAPACITY}},
            "status": {"ready": True, "state": "Ready"},
        } | embed_of(self._data)

    async def _stats(self, request: Request) -> Response:
        if (await read_object(request)).get("filter"):
            raise _Refused("Serverless indexes do not support describing index stats with a metadata filter")
        counts = {name: self._count(name) for name in self._served()}
        return JsonAnswer(
            {
                "namespaces": {name: {"vectorCount": count} for name, count in counts.items()},
                "dimension": self._data.dimension,
                "indexFullness": 0.0,
                "totalVectorCount": sum(counts.values()),
                "metric": self._data.metric,
                "vectorType": "dense",
            }
        )

    async def _namespaces(self, request: Request) -> Response:
        limit = _limit(request.query_params.get("limit"), MOST_LISTED)
        prefix = request.query_params.get("prefix", "")
        names = sorted((name for name in self._served() if name.startswith(prefix)), key=str.encode)
        page, token = self._page(names, limit, request.query_params.get("paginationToken"), f"namespaces {prefix}")
        answer: dict[str, Any] = {
            "namespaces": [{"name": name, "record_count": self._count(name)} for name in page],
            "total_count": len(names),
        }
        return JsonAnswer(answer | token)

    async def _one_namespace(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._served():
            return failure(404, NOT_FOUND, f"Namespace {name} not found")
        return JsonAnswer({"name": name, "record_count": self._count(name)})

    async def _list(self, request: Request) -> Response:
        params = request.query_params
        namespace, prefix = params.get("namespace") or DEFAULT_NAMESPACE, params.get("prefix", "")
        limit = _limit(params.get("limit"), MOST_LISTED)
        space = self._space(namespace)
        ids = [identifier for identifier in space if identifier.startswith(prefix)]
        page, token = self._page(ids, limit, params.get("paginationToken"), f"list {namespace} {prefix}")
        answer: dict[str, Any] = {
            "vectors": [{"id": identifier} for identifier in page],
            "namespace": namespace,
            "usage": {"readUnits": 1},
        }
        for identifier in page:
            if self._faults.uses_up("pinecone", "vanish"):
                self._forget(namespace, identifier)
        return JsonAnswer(answer | token)

    async def _fetch(self, request: Request) -> Response:
        ids = request.query_params.getlist("ids")
        if not 1 <= len(ids) <= MOST_FETCHED:
            raise _Refused(f"ids: {len(ids)} are given; allowed are 1 to {MOST_FETCHED}")
        namespace = request.query_params.get("namespace") or DEFAULT_NAMESPACE
        space = self._space(namespace)
        found = [space[identifier] for identifier in dict.fromkeys(ids) if identifier in space]
        return JsonAnswer(vectors(namespace, found))

    async def _fetch_by_metadata(self, request: Request) -> Response:
        body = await read_object(request)
        namespace = body.get("namespace") or DEFAULT_NAMESPACE
        if not body.get("filter"):
            raise _Refused("filter: must not be empty")
        passes = compiled(body["filter"])
        limit = _limit(body.get("limit"), MOST_MATCHES)
        space = self._space(namespace)
        ids = [identifier for identifier, record in space.items() if passes(record.metadata)]
        page, token = self._page(ids, limit, body.get("paginationToken"), f"by metadata {namespace}")
        return JsonAnswer(vectors(namespace, [space[identifier] for identifier in page]) | token)

    async def _query(self, request: Request) -> Response:
        body = await read_object(request)
        namespace = body.get("namespace") or DEFAULT_NAMESPACE
        self._take("query", namespace)
        top_k = body.get("topK")
        if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= MOST_MATCHES:
            raise _Refused(f"topK must be a whole number from 1 to {MOST_MATCHES}")
        include = {name: body.get(name, False) for name in ("includeMetadata", "includeValues")}
        for name, value in include.items():
            if not isinstance(value, bool):
                raise _Refused(f"{name} must be true or false")
        passes = compiled(body.get("filter") or {})
        space = self._space(namespace)
        wanted = self._wanted(body, space)
        matches = [match(record, score, include) for record, score in self._likest(namespace, wanted, passes, top_k)]
        return _small_enough({"matches": matches, "namespace": namespace, "usage": {"readUnits": 5}})

    async def _search(self, request: Request) -> Response:
        search = search_of(await read_object(request), self._data)
        namespace = request.path_params["name"]
        self._take("query", namespace)
        named = self._space(namespace).get(search.id or "")
        vector = search.vector or (named.values if named else ())
        found = self._likest(namespace, vector, search.passes, search.top_k)
        return _small_enough(hits([hit(record, score, search.fields) for record, score in found], search.tokens))

    def _likest(
        self, namespace: str, wanted: Sequence[float], passes: Test, most: int
    ) -> list[tuple[PineconeRecord, float]]:
        """The namespace's records that pass, with their scores, the likest first."""
        if not wanted or not self._space(namespace):
            return []
        records, ranking = self._matrix(namespace)
        ranked = ((records[place], score) for place, score in ranking.ranked(wanted, self._data.metric))
        return list(itertools.islice((found for found in ranked if passes(found[0].metadata)), most))

    def _wanted(self, body: Mapping[str, Any], space: Mapping[str, PineconeRecord]) -> Sequence[float]:
        """The vector that a query gives or names; none where the one that it names is not there."""
        vector, identifier = body.get("vector"), body.get("id")
        if (vector is None) is (identifier is None):
            raise _Refused("exactly one of vector and id must be given")
        if identifier is not None:
            return space[identifier].values if identifier in space else ()
        if not isinstance(vector, list) or not all(is_number(value) for value in vector):
            raise _Refused("vector must be a list of numbers")
        if len(vector) != self._data.dimension:
            raise _Refused(
                f"Vector dimension {len(vector)} does not match the dimension of the index {self._data.dimension}"
            )
        return vector

    def _matrix(self, namespace: str) -> tuple[list[PineconeRecord], Vectors]:
        if namespace not in self._vectors:
            records = list(self._space(namespace).values())
            made = Vectors([record.values for record in records], self._data.dimension)
            self._vectors[namespace] = (records, made)
        return self._vectors[namespace]

    def _served(self) -> Mapping[str, Mapping[str, PineconeRecord]]:
        return {} if self._faults.active("pinecone", "empty") else self._spaces

    def _space(self, namespace: str) -> Mapping[str, PineconeRecord]:
        """The namespace's records; one that does not exist is one that holds none."""
        return self._served().get(namespace, {})

    def _count(self, namespace: str) -> int:
        count = len(self._space(namespace))
        stale = self._faults.active("pinecone", "stale_counts")
        return max(0, count - int(stale.argument)) if stale else count

    def _forget(self, namespace: str, identifier: str) -> None:
        del self._spaces[namespace][identifier]
        self._vectors.pop(namespace, None)

    def _page(
        self, items: Sequence[str], limit: int, token: Any, request: str
    ) -> tuple[Sequence[str], dict[str, dict[str, str]]]:
        """The items behind the one that the token names, at most `limit`, and the next token where there are more."""
        start = bisect_right(items, self._last(token, request).encode(), key=str.encode) if token else 0
        begin, end = self._faults.page("pinecone", start, limit, len(items))
        if end >= len(items):
            return items[begin:end], {}
        # A token is another each time, also behind a page without rows.
        text = orjson.dumps([request, items[end - 1] if end else "", next(self._tokens)])
        return items[begin:end], {"pagination": {"next": base64.b64encode(text).decode()}}

    def _last(self, token: Any, request: str) -> str:
        if self._faults.cursor_expires("pinecone"):
            raise _Refused("Pagination token has expired")
        try:
            tied_to, last, _ = orjson.loads(base64.b64decode(str(token), validate=True))
        except (binascii.Error, ValueError):
            raise _Refused("Invalid pagination token") from None
        if tied_to != request:
            raise _Refused("Invalid pagination token: it belongs to another request")
        return str(last)


_READ_CAPACITY = {"mode": "OnDemand", "status": {"state": "Ready"}}


def _order(record: PineconeRecord) -> bytes:
    return record.id.encode()


def _small_enough(answer: Mapping[str, Any]) -> Response:
    written = orjson.dumps(answer)
    if len(written) > LARGEST_ANSWER:
        raise _Refused("the result is larger than 4 MB; ask for fewer, or leave values and metadata out")
    return JsonAnswer(written)


def _refusal(refusal: Exception, *, control: bool) -> Response:
    status, code = (refusal.status, refusal.code) if isinstance(refusal, _Refused) else (400, INVALID_ARGUMENT)
    if control:
        names = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}
        return control_failure(status, names.get(status, "INVALID_ARGUMENT"), str(refusal))
    if status == 401:
        return PineconeErrors().unauthorized()
    if status == 414:
        return PlainTextResponse("URI Too Long", 414)
    return failure(status, code, str(refusal), {"X-Pinecone-Request-Id": random_uuid()})


def _limit(given: Any, most: int) -> int:
    if given is None:
        return MOST_LISTED
    try:
        limit = int(given)
    except (TypeError, ValueError):
        limit = 0
    if isinstance(given, bool | float) or not 1 <= limit <= most:
        raise _Refused(f"limit must be a whole number from 1 to {most}")
    return limit
