"""Finds passages of the knowledge base by the words of a question: by Pinecone where it can, by full text otherwise.

Belongs here: asking Pinecone within a deadline, and what is done where it is slow, failing or not connected. Does not
belong here: Pinecone's API (`sources.pinecone`), what of a passage may be shown (`stored_documents`).

Pinecone says only which passages are like the words, and in which order: what is shown, and about whom it is, comes
from the warehouse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.assistant.searching.full_text import terms_of
from sophia_assets.assistant.searching.stored_documents import FoundDocument, StoredDocuments
from sophia_assets.errors import ResponseInvalid, SophiaError, SourceError
from sophia_assets.ingestion.retrying import RetryPolicy

if TYPE_CHECKING:
    from sophia_assets.services import Services
    from sophia_assets.sources.pinecone.client import PineconeSource
    from sophia_assets.warehouse.reading import Reading

SYSTEM = "pinecone"
DEADLINE = 1.0
"""Seconds that Pinecone has for an answer to a question."""
MOST_DOCUMENTS = 50
#: What an index says of itself is asked for again after this many seconds.
_DESCRIBED_SECONDS = 600.0
_SEARCHERS = 8
#: Above this, a number as Pinecone keeps it no longer tells one id from the next.
_LARGEST_NUMBER = 2**53


@dataclass(frozen=True)
class FoundDocuments:
    """Passages, the likest first. `why` says why Pinecone did not find them, empty where it did."""

    documents: tuple[FoundDocument, ...]
    found_by: Literal["Pinecone", "full text"]
    why: str = ""


class NotAsked(Exception):
    """Pinecone has not found anything out; the message says why."""


def search_documents(
    services: Services,
    words: Sequence[str],
    account_ids: Collection[str] | None = None,
    limit: int = 5,
    deadline: float = DEADLINE,
    *,
    role: str = EXECUTIVE,
) -> FoundDocuments:
    """At most `limit` (1 to 50) passages about the words, which are any text. `account_ids` limits whose passages are
    seen, and then none without an account: None means all, none of them means none.

    Pinecone has `deadline` seconds, then the warehouse's own full text is searched. Raises SophiaError where the
    warehouse cannot be read; no failure of Pinecone's is raised.
    """
    return services.documents.find(words, account_ids=account_ids, limit=limit, deadline=deadline, role=role)


class DocumentSearch:
    """The search of one home. Safe to use from many threads; nothing is held before the first search."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._stored: tuple[Reading, StoredDocuments] | None = None
        self._source: PineconeSource | None = None
        self._described: tuple[float, str | None] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def find(
        self,
        words: Sequence[str],
        *,
        account_ids: Collection[str] | None = None,
        limit: int = 5,
        deadline: float = DEADLINE,
        role: str = EXECUTIVE,
    ) -> FoundDocuments:
        """See `search_documents`."""
        terms, limit = terms_of(words), min(limit, MOST_DOCUMENTS)
        if not terms or limit < 1 or (account_ids is not None and not account_ids):
            return FoundDocuments((), "full text", "there is nothing to look for")
        stored = self._of(self._services.readings.current(role))
        if stored.is_empty:
            return FoundDocuments((), "full text", "no documents are loaded")
        try:
            ids = self._ids(stored, " ".join(terms), account_ids, limit, deadline)
            return FoundDocuments(tuple(stored.by_ids(ids, terms, account_ids, limit)), "Pinecone")
        except NotAsked as reason:
            return FoundDocuments(tuple(stored.find(terms, account_ids, limit)), "full text", str(reason))

    def close(self) -> None:
        """Ends what is on its way."""
        with self._lock:
            if self._source is not None:
                self._source.close()
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
            self._source = self._pool = self._stored = None

    def _of(self, reading: Reading) -> StoredDocuments:
        with self._lock:
            if self._stored is None or self._stored[0] is not reading:
                self._stored = (reading, StoredDocuments(reading))
            return self._stored[1]

    def _ids(
        self, stored: StoredDocuments, text: str, account_ids: Collection[str] | None, limit: int, deadline: float
    ) -> list[tuple[str, str]]:
        """Namespaces and ids of the passages that are like the text, the likest first. Raises NotAsked."""
        self._admitted()
        source, pool = self._ready(deadline)
        began = time.monotonic()
        try:
            asked = pool.submit(self._field, source).result(deadline)
            if asked is None:
                raise NotAsked("the index does not embed texts by itself")
            filter = None if account_ids is None else account_filter(stored.account_keys(account_ids))
            searches: dict[Future[Any], str] = {}
            for namespace in stored.namespaces():
                search = pool.submit(
                    source.search, text, top_k=limit * 4, namespace=namespace, filter=filter, fields=["account_id"]
                )
                searches[search] = namespace
            done, late = wait(searches, timeout=max(0.0, deadline - (time.monotonic() - began)))
            for each in late:
                each.cancel()
            hits = [(found.score, searches[each], found.id) for each in done for found in each.result()]
            if late:
                raise TimeoutError
        except TimeoutError:
            raise NotAsked(f"Pinecone did not answer within {deadline:g} s") from None
        except SophiaError as error:
            raise self._failure(error, time.monotonic() - began, deadline) from None
        self._services.guard.succeeded(SYSTEM)
        return [(namespace, found) for _, namespace, found in sorted(hits, key=lambda each: (-each[0], each[1:]))]

    def _admitted(self) -> None:
        """Raises NotAsked where Pinecone is not to be asked just now; a question never makes a circuit's probe."""
        if SYSTEM not in self._services.connected:
            raise NotAsked("Pinecone is not connected")
        try:
            is_open = self._services.guard.lets_through(SYSTEM)
        except SophiaError:
            is_open = False
        if not is_open:
            raise NotAsked("Pinecone is not asked just now")

    def _failure(self, error: SophiaError, seconds: float, deadline: float) -> NotAsked:
        """What a failure means here. The circuit is told of those that are no matter of this deadline."""
        if isinstance(error, ResponseInvalid):
            with self._lock:
                self._described = (time.monotonic(), None)
            return NotAsked("Pinecone does not search this index by text")
        if seconds >= deadline:
            return NotAsked(f"Pinecone did not answer within {deadline:g} s")
        if isinstance(error, SourceError):
            self._services.guard.failed(SYSTEM, error)
        return NotAsked("Pinecone could not be asked")

    def _ready(self, deadline: float) -> tuple[PineconeSource, ThreadPoolExecutor]:
        """The client for questions, which tries once, and the threads that wait for it. Raises NotAsked."""
        from sophia_assets.sources.pinecone.client import PineconeSource
        from sophia_assets.sources.registry import create_source_from_settings

        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_SEARCHERS, thread_name_prefix="documents")
            if self._source is None:
                connections = self._services.connections
                patience = RetryPolicy(
                    attempts=1,
                    connection_attempts=1,
                    connect_timeout=deadline,
                    read_timeout=deadline,
                    longest_wait=0.0,
                    deadline=deadline,
                )
                try:
                    made = create_source_from_settings(
                        SYSTEM, connections.settings_of(SYSTEM), retry=patience, limiters=connections.limiters
                    )
                except SophiaError as error:
                    raise NotAsked("Pinecone cannot be reached by its settings") from error
                assert isinstance(made, PineconeSource)
                self._source = made
            return self._source, self._pool

    def _field(self, source: PineconeSource) -> str | None:
        """Which field the index embeds texts from; None where it takes vectors only, or refused a text lately."""
        described = self._described
        if described is None or time.monotonic() - described[0] > _DESCRIBED_SECONDS:
            described = (time.monotonic(), source.text_field())
            self._described = described
        return described[1]


def account_filter(ids: Sequence[str]) -> dict[str, Any]:
    """Pinecone's filter for passages about these accounts, whether an index keeps their ids as text or as numbers."""
    numbers = [int(each) for each in ids if each.isascii() and each.isdigit() and int(each) < _LARGEST_NUMBER]
    return {"account_id": {"$in": [*ids, *numbers]}}
