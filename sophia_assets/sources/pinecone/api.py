"""Pinecone's endpoints: the control plane, one index's data plane, their limits and error bodies."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from sophia_assets.errors import ConfigurationError, PermissionMissing, ResponseInvalid
from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import Limiters, RateLimiter
from sophia_assets.ingestion.requesting import Answer, ApiProfile, Outcome, Verdict, by_status
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.pinecone.rows import namespace_name
from sophia_assets.sources.pinecone.tables import SYSTEM

API_VERSION = "2026-04"
LIST_PAGE = 100
MOST_IDS = 1000
MOST_MATCHES = 10_000
# How often a listing begins again because its token was forgotten.
MOST_RESTARTS = 2

# Ids go into the URL, and servers on the way refuse one of more than 8 KB.
_LONGEST_QUERY = 6_000
# What every plan allows, per index and second; queries are limited per namespace. The interval has a margin for
# jitter on the way.
_LISTS, _FETCHES, _STATS, _QUERIES, _PER_SECONDS = 200, 100, 100, 100, 1.03
# The control plane's limit is not documented; this is far below what makes it complain.
_CONTROLS = 10

_INVALID_ARGUMENT, _RESOURCE_EXHAUSTED = 3, 8
_SPENT_SECONDS = 3600.0

Metadata = Mapping[str, Any]


@dataclass(frozen=True)
class PineconeConnection:
    """An API key, and the index: by its own host, or by its name, which the control plane knows the host of."""

    api_key: str = field(default="", repr=False)
    control_url: str = "https://api.pinecone.io"
    index_host: str = ""
    index_name: str = ""

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> PineconeConnection:
        """From PINECONE_API_KEY, PINECONE_CONTROL_URL, PINECONE_INDEX_HOST and PINECONE_INDEX_NAME."""
        return cls(
            settings.get("PINECONE_API_KEY", ""),
            settings.get("PINECONE_CONTROL_URL") or cls.control_url,
            settings.get("PINECONE_INDEX_HOST", ""),
            settings.get("PINECONE_INDEX_NAME", ""),
        )


@dataclass(frozen=True)
class Match:
    """A vector that is like the one asked for: the higher the score the more (for euclidean: the nearer to 0)."""

    id: str
    score: float
    metadata: Metadata


@dataclass(frozen=True)
class Hit:
    """A record whose text is like the one asked for: the higher the score the more. `fields` are those asked for."""

    id: str
    score: float
    fields: Metadata


class PineconeApi:
    """One index. Thread-safe. Every method raises a SourceError, or ConfigurationError where no index is named."""

    def __init__(self, connection: PineconeConnection, retry: RetryPolicy, limiters: Limiters) -> None:
        self._connection = connection
        self._retry = retry
        self._headers = {"Api-Key": connection.api_key, "X-Pinecone-Api-Version": API_VERSION}
        self._limiters = limiters
        control_url = connection.control_url.rstrip("/")
        account = limiters.account(SYSTEM, control_url, connection.api_key)
        controls = account.limiter("control", requests=_CONTROLS, seconds=_PER_SECONDS)
        profile = _profile(control_url, "PINECONE_CONTROL_URL", retry)
        self._control = HttpTransport(profile, controls, headers=self._headers)
        self._index: _Index | None = None
        self._lock = threading.Lock()

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        data = self._index.transport.requests_made if self._index else 0
        return self._control.requests_made + data

    @property
    def host(self) -> str:
        """The index's own base URL."""
        return self._data.transport.profile.base_url

    def close(self) -> None:
        """Ends waits and closes idle connections."""
        self._control.close()
        if self._index:
            self._index.transport.close()

    def stats(self) -> Mapping[str, Any]:
        """The index's statistics; serverless indexes refuse a filter, so there is none."""
        data = self._data
        return _object(data.post("/describe_index_stats", {}, "index_stats", data.stats), "index_stats")

    def index(self) -> tuple[str, Mapping[str, Any]]:
        """The index's name and what the control plane says of it: nothing where the API key may not ask."""
        given = self._connection.index_name
        try:
            if given:
                return given, self._described(given)
            host = _bare(self.host)
            answer = _object(self._control.request("GET", "/indexes", obj="index_stats"), "index_stats")
        except PermissionMissing:
            return given or _bare(self.host).partition(".")[0], {}
        for index in answer.get("indexes") or ():
            if host in (_bare(str(index.get(name) or "")) for name in ("host", "private_host")):
                return str(index["name"]), index
        return host.partition(".")[0], {}

    def namespaces(self) -> list[Mapping[str, Any]]:
        """All namespaces; from the first again where Pinecone has forgotten a page's token."""
        for restarts in range(MOST_RESTARTS + 1):
            try:
                return [described for page in self._namespace_pages() for described in page]
            except ResponseInvalid as error:
                if not token_refused(error) or restarts == MOST_RESTARTS:
                    raise
        raise AssertionError("the last try returns or raises")

    def _namespace_pages(self) -> Iterator[list[Mapping[str, Any]]]:
        token: str | None = None
        data = self._data
        while True:
            params = {"limit": LIST_PAGE} | ({"paginationToken": token} if token else {})
            answer = _object(data.get("/namespaces", params, "namespaces", data.lists), "namespaces")
            yield list(answer.get("namespaces") or ())
            following = _next(answer)
            if not following:
                return
            if following == token:
                raise repeated_page("namespaces")
            token = following

    def listed(self, namespace: str, token: str | None) -> tuple[list[str], str | None]:
        """A page of the namespace's vector ids, in order, and the token of the next."""
        params: dict[str, Any] = {"namespace": namespace, "limit": LIST_PAGE}
        if token:
            params["paginationToken"] = token
        data = self._data
        answer = data.get("/vectors/list", params, "documents", data.lists)
        if answer is None:
            return [], None
        found = _object(answer, "documents")
        return [str(item["id"]) for item in found.get("vectors") or ()], _next(found)

    def fetched(self, namespace: str, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Vectors by id; those that are gone are not among them."""
        found: dict[str, Mapping[str, Any]] = {}
        data = self._data
        for batch in _batches(ids):
            params = {"namespace": namespace, "ids": batch}
            answer = data.get("/vectors/fetch", params, "documents", data.fetches)
            found |= (_object(answer, "documents").get("vectors") or {}) if answer is not None else {}
        return found

    def query(
        self, vector: Sequence[float], top_k: int, namespace: str, filter: Mapping[str, Any] | None
    ) -> list[Match]:
        """The `top_k` vectors of the namespace most like `vector`, best first, among those that pass the filter."""
        if not 1 <= top_k <= MOST_MATCHES:
            raise ValueError(f"top_k is {top_k}; allowed are 1 to {MOST_MATCHES}")
        body = {
            "vector": list(vector),
            "topK": top_k,
            "namespace": namespace_name(namespace),
            "includeMetadata": True,
            "includeValues": False,
        } | ({"filter": dict(filter)} if filter else {})
        data = self._data
        answer = data.post("/query", body, "query", data.queries(namespace_name(namespace)))
        if answer is None:
            return []
        return [
            Match(str(match["id"]), float(match.get("score") or 0.0), match.get("metadata") or {})
            for match in _object(answer, "query").get("matches") or ()
        ]

    def text_field(self) -> str | None:
        """The metadata field that the index embeds texts from by itself; None where it takes vectors only.

        Where the API key may not ask, that is unknown, and taken to be `text`.
        """
        _, described = self.index()
        embedding = described.get("embed") if described else {"field_map": {"text": "text"}}
        if not isinstance(embedding, Mapping):
            return None
        return str((embedding.get("field_map") or {}).get("text") or "text")

    def search(
        self, text: str, top_k: int, namespace: str, filter: Mapping[str, Any] | None, fields: Sequence[str]
    ) -> list[Hit]:
        """The `top_k` records of the namespace whose texts are most like `text`, best first, among those that pass the
        filter. Only for indexes that embed texts by themselves; others refuse with ResponseInvalid."""
        if not 1 <= top_k <= MOST_MATCHES:
            raise ValueError(f"top_k is {top_k}; allowed are 1 to {MOST_MATCHES}")
        query = {"inputs": {"text": text}, "top_k": top_k} | ({"filter": dict(filter)} if filter else {})
        name = namespace_name(namespace)
        data = self._data
        path = f"/records/namespaces/{quote(name, safe='')}/search"
        answer = data.post(path, {"query": query, "fields": list(fields)}, "search", data.queries(name))
        if answer is None:
            return []
        result = _object(_object(answer, "search").get("result"), "search")
        return [
            Hit(str(found["_id"]), float(found.get("_score") or 0.0), found.get("fields") or {})
            for found in result.get("hits") or ()
            if isinstance(found, Mapping) and found.get("_id")
        ]

    @property
    def _data(self) -> _Index:
        with self._lock:
            if self._index is None:
                self._index = _Index(self._base_url(), self._connection, self._headers, self._retry, self._limiters)
            return self._index

    def _base_url(self) -> str:
        host = self._connection.index_host
        if not host:
            name = self._connection.index_name
            if not name:
                raise ConfigurationError(
                    "no index is named",
                    system=SYSTEM,
                    remedy="Set PINECONE_INDEX_HOST to the index's host, or PINECONE_INDEX_NAME to its name",
                )
            host = str(self._described(name).get("host") or "")
        host = host.rstrip("/")
        return host if "://" in host else f"https://{host}"

    def _described(self, name: str) -> Mapping[str, Any]:
        path = f"/indexes/{quote(name, safe='')}"
        return _object(self._control.request("GET", path, obj="index_stats"), "index_stats")


class _Index:
    """One index's data plane: its transport and its limits."""

    def __init__(
        self,
        base_url: str,
        connection: PineconeConnection,
        headers: Mapping[str, str],
        retry: RetryPolicy,
        limiters: Limiters,
    ) -> None:
        self._account = limiters.account(SYSTEM, base_url, connection.api_key)
        self.lists = self._account.limiter("list", requests=_LISTS, seconds=_PER_SECONDS)
        self.fetches = self._account.limiter("fetch", requests=_FETCHES, seconds=_PER_SECONDS)
        self.stats = self._account.limiter("stats", requests=_STATS, seconds=_PER_SECONDS)
        self.transport = HttpTransport(_profile(base_url, "PINECONE_INDEX_HOST", retry), self.lists, headers=headers)

    def queries(self, namespace: str) -> RateLimiter:
        """The namespace's own limit on queries."""
        return self._account.limiter(f"query {namespace}", requests=_QUERIES, seconds=_PER_SECONDS)

    def get(self, path: str, params: Mapping[str, Any], obj: str, limit: RateLimiter) -> Any:
        """The parsed answer, None where there is nothing."""
        return self.transport.request("GET", path, obj=obj, params=params, limits={limit: 1})

    def post(self, path: str, body: Mapping[str, Any], obj: str, limit: RateLimiter) -> Any:
        """The parsed answer, None where there is nothing."""
        return self.transport.request("POST", path, obj=obj, body=body, limits={limit: 1})


def token_refused(error: ResponseInvalid) -> bool:
    """Whether Pinecone no longer takes a page's token."""
    return error.code == str(_INVALID_ARGUMENT)


def repeated_page(obj: str) -> ResponseInvalid:
    """Pinecone gives the token of the page that was just read."""
    return ResponseInvalid("Pinecone repeats a page's token", system=SYSTEM, obj=obj, remedy="Run again later")


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    """The ids in parts that each fit a request: by number, and by the length of the URL."""
    batch: list[str] = []
    length = 0
    for identifier in ids:
        needed = len("&ids=") + len(quote(identifier, safe=""))
        if batch and (length + needed > _LONGEST_QUERY or len(batch) == MOST_IDS):
            yield batch
            batch, length = [], 0
        batch.append(identifier)
        length += needed
    if batch:
        yield batch


def _next(answer: Mapping[str, Any]) -> str | None:
    return (answer.get("pagination") or {}).get("next") or None


def _object(answer: Any, obj: str) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise ResponseInvalid(
            "Pinecone's answer is no object",
            system=SYSTEM,
            obj=obj,
            remedy="Check PINECONE_CONTROL_URL and PINECONE_INDEX_HOST",
        )
    return answer


def _bare(host: str) -> str:
    """A host without its scheme, for comparing."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    return (parts.netloc + parts.path).rstrip("/").lower()


def _profile(base_url: str, setting: str, retry: RetryPolicy) -> ApiProfile:
    return ApiProfile(
        system=SYSTEM,
        label="Pinecone",
        base_url=base_url,
        base_url_setting=setting,
        credential_remedy="Check PINECONE_API_KEY: Pinecone's console > API keys makes them, for one project each",
        permission_remedy="Give the key behind PINECONE_API_KEY the role DataPlaneViewer, and ControlPlaneViewer",
        classify=_classify,
        retry=retry,
    )


def _classify(answer: Answer) -> Verdict:
    """The data plane writes `{code, message}`, the control plane `{error: {code, message}}`; a 401 is plain text."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    error = body.get("error")
    said = error if isinstance(error, Mapping) else body
    message = str(said.get("message") or "").rstrip(".") if answer.status >= 400 else ""
    code = str(said["code"]) if answer.status >= 400 and said.get("code") is not None else None
    if answer.status == 404 and "namespace" in message.lower():
        return Verdict(Outcome.EMPTY)
    spent = answer.status == 402 or (answer.status == 403 and (code == "QUOTA_EXCEEDED" or "quota" in message.lower()))
    if spent or (answer.status == 429 and "month" in message.lower()):
        return Verdict(Outcome.LIMITED, message, code=code, wait=_SPENT_SECONDS, exhausted=True)
    return by_status(answer, message, code=code)
