"""Reads one Pinecone index into rows: what it says of itself, and the metadata of every vector.

Vectors are found by listing their ids, a hundred a page, and fetched by id, some pages at a time: that is
complete whatever the metadata holds. `fetch_by_metadata` would save the listing, but finds a vector only by a
filter that it passes, so that one without metadata, or with a field that the index does not filter by, would
be missing without a word; and either way the vectors' numbers come along, which nobody here wants. A fetch of
a hundred vectors of 1,536 numbers is about 2 MB, so that more at a time would only cost memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.ingestion.workers import Workers
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, ReadItem, Rows, Window
from sophia_assets.sources.permissions import Told
from sophia_assets.sources.pinecone.api import (
    MOST_RESTARTS,
    Hit,
    Match,
    PineconeApi,
    PineconeConnection,
    repeated_page,
    token_refused,
)
from sophia_assets.sources.pinecone.permissions import permissions
from sophia_assets.sources.pinecone.rows import (
    DEFAULT_NAMESPACE,
    Row,
    counts,
    document_row,
    index_row,
    namespace_name,
    namespace_row,
)
from sophia_assets.sources.pinecone.tables import SYSTEM

_CONCURRENT_FETCHES = 4

CONNECTION = PineconeConnection


def create_source(
    connection: PineconeConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> PineconeSource:
    """A client for the index; nothing is contacted yet."""
    return PineconeSource(connection, retry=retry, limiters=limiters)


class PineconeSource:
    """A Pinecone index as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(
        self, connection: PineconeConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
    ) -> None:
        self._api = PineconeApi(connection, retry or RetryPolicy(), limiters)

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._api.requests_made

    def permissions(self) -> Iterator[Told]:
        """What the credential may read, asked as cheaply as can be. Raises a SourceError."""
        return permissions(self._api)

    def ping(self) -> str:
        """See `Source.ping`."""
        self._api.stats()
        return f"Pinecone answers at {self._api.host} and accepts the API key"

    def close(self) -> None:
        """Ends waits and closes idle connections."""
        self._api.close()

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. Pinecone keeps no times: whatever the window, everything is read."""
        match group:
            case "index":
                yield from self._index()
            case "documents":
                yield from self._documents(resume)
            case _:
                raise KeyError(group)

    def query(
        self,
        vector: Sequence[float],
        *,
        top_k: int,
        namespace: str = DEFAULT_NAMESPACE,
        filter: Mapping[str, Any] | None = None,
    ) -> list[Match]:
        """The `top_k` (1 to 10,000) vectors most like `vector`, best first, with their metadata.

        `filter` is Pinecone's own (`{"kind": {"$eq": "runbook"}}`). Raises a SourceError, ValueError for a
        `top_k` that is out of range.
        """
        return self._api.query(vector, top_k, namespace, filter)

    def text_field(self) -> str | None:
        """The metadata field that the index embeds texts from by itself; None where it takes vectors only.

        Raises a SourceError.
        """
        return self._api.text_field()

    def search(
        self,
        text: str,
        *,
        top_k: int,
        namespace: str = DEFAULT_NAMESPACE,
        filter: Mapping[str, Any] | None = None,
        fields: Sequence[str],
    ) -> list[Hit]:
        """The `top_k` (1 to 10,000) records whose texts are most like `text`, best first, with these metadata fields.

        `filter` is Pinecone's own. Raises a SourceError, such as ResponseInvalid where the index does not embed texts
        by itself; ValueError for a `top_k` that is out of range.
        """
        return self._api.search(text, top_k, namespace, filter, fields)

    def _index(self) -> Iterator[ReadItem]:
        stats = self._api.stats()
        name, index = self._api.index()
        counted = counts(stats)
        yield Rows("namespaces", [namespace_row(described, counted) for described in self._api.namespaces()])
        yield CompleteSet("namespaces")
        # An index that holds nothing is empty as a source, too.
        yield Rows("index_stats", [index_row(name, stats, index)] if stats.get("totalVectorCount") else [])
        yield CompleteSet("index_stats")

    def _documents(self, resume: Any) -> Iterator[ReadItem]:
        position = resume if isinstance(resume, Mapping) else {}
        done, begun = position.get("done", ""), position.get("namespace", "")
        names = {namespace_name(described.get("name")) for described in self._api.namespaces()}
        # They are read in order: all before the one that was begun are done.
        for name in sorted(name for name in names if name > done and name >= begun):
            yield from self._namespace(name, position.get("token") if name == begun else None)
            yield Checkpoint({"done": name})
        yield CompleteSet("documents")

    def _namespace(self, namespace: str, token: str | None) -> Iterator[ReadItem]:
        """The namespace's vectors, page by page; from its start again where Pinecone has forgotten the token."""
        for restarts in range(MOST_RESTARTS + 1):
            try:
                yield from self._vectors(namespace, token)
                return
            except ResponseInvalid as error:
                if not token_refused(error) or restarts == MOST_RESTARTS:
                    raise
                token = None

    def _vectors(self, namespace: str, token: str | None) -> Iterator[ReadItem]:
        """Each page's vectors are on their way while the pages after it are being listed."""
        waiting: deque[tuple[Future[list[Row]], str | None]] = deque()
        with Workers(_CONCURRENT_FETCHES, thread_name_prefix="pinecone") as pool:
            try:
                for ids, following in self._pages(namespace, token):
                    fetch = pool.submit(self._rows, namespace, ids)
                    waiting.append((fetch, following))
                    if len(waiting) > _CONCURRENT_FETCHES:
                        yield from _page(namespace, *waiting.popleft())
                while waiting:
                    yield from _page(namespace, *waiting.popleft())
            finally:
                for future, _ in waiting:
                    future.cancel()

    def _pages(self, namespace: str, token: str | None) -> Iterator[tuple[list[str], str | None]]:
        while True:
            ids, following = self._api.listed(namespace, token)
            yield ids, following
            if following is None:
                return
            if following == token:
                raise repeated_page("documents")
            token = following

    def _rows(self, namespace: str, ids: Sequence[str]) -> list[Row]:
        found = self._api.fetched(namespace, ids)
        return [document_row(namespace, identifier, vector) for identifier, vector in found.items()]


def _page(namespace: str, rows: Future[list[Row]], following: str | None) -> Iterator[ReadItem]:
    yield Rows("documents", rows.result())
    if following is not None:
        yield Checkpoint({"namespace": namespace, "token": following})
