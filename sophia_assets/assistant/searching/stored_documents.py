"""The passages of the knowledge base as the warehouse holds them: found by words, or by the ids that Pinecone gives.

Belongs here: reading passages, whose account they are about, and what of them may be shown. Does not belong here:
asking Pinecone (`document_search`).

Whatever is shown of a passage is a verbatim sentence that may be quoted; its title is shown without what could be taken
for markup, and not at all where it holds anything personal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from sophia_assets.assistant.searching.full_text import Entry, FullText, needed
from sophia_assets.insight.privacy import personal_data
from sophia_assets.insight.quotable import sentences_to_quote, strangers
from sophia_assets.insight.quotes import lowered, tables_of
from sophia_assets.warehouse.reading import Reading

MOST_PASSAGES = 20_000
MOST_NAMESPACES = 16
LONGEST_TITLE = 120
#: So many passages are looked at for each one that is shown, since some of a document look the same.
_PER_DOCUMENT = 4
#: Where indexes keep a passage's text, unless they name another field themselves.
TEXT_FIELDS = ("text", "chunk_text", "content")
_TABLES = frozenset({"pinecone.documents", "marts.documents"})
_MARKUP = re.compile(r"[<>\[\]{}()|*_#`~\\^]|!\[")
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
_FROM = """
    FROM pinecone.documents AS passages
    INNER JOIN marts.documents AS documents
        ON documents.document_id = passages.namespace || ' ' || COALESCE(passages.url, passages.document_id)
    WHERE passages._deleted_at IS NULL
"""
_PASSAGES = f"""
    SELECT passages.namespace, passages.document_id, passages.title, passages.metadata, passages.updated_at,
        documents.kind, documents.account_id
    {_FROM}
"""


@dataclass(frozen=True)
class FoundDocument:
    """A passage that was found. `text` is a verbatim sentence of it, empty where none may be quoted; `start` and `end`
    bound it within the passage's text. `account_id` is empty where it is about no account; `updated_at` is UTC."""

    title: str
    text: str
    namespace: str
    document_id: str
    kind: str
    account_id: str
    updated_at: datetime | None
    start: int = 0
    end: int = 0


class StoredDocuments:
    """The passages of one state of the warehouse. Safe to use from many threads."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        tables = tables_of(reading)
        self.is_empty = not tables >= _TABLES
        self._unwanted: frozenset[str] = frozenset()
        self._index: FullText | None = None
        if self.is_empty:
            return
        self._unwanted = strangers(reading, tables)
        if reading.dialect != "snowflake":
            self._index = FullText(self._entries())

    def namespaces(self) -> list[str]:
        """The namespaces that hold passages, at most sixteen, those with the most passages first."""
        sql = f"""
            SELECT namespace, COUNT(*) AS passages FROM pinecone.documents WHERE _deleted_at IS NULL
            GROUP BY namespace ORDER BY passages DESC, namespace LIMIT {MOST_NAMESPACES}
        """
        return [row["namespace"] for row in self._rows(sql, [])]

    def account_keys(self, account_ids: Collection[str]) -> list[str]:
        """The ids by which the index knows these accounts."""
        sql = f"""
            SELECT DISTINCT passages.account_id AS key {_FROM}
            AND passages.account_id IS NOT NULL AND documents.account_id IN ({", ".join("?" for _ in account_ids)})
        """
        return sorted(row["key"] for row in self._rows(sql, sorted(account_ids)))

    def find(self, terms: Sequence[str], account_ids: Collection[str] | None, limit: int) -> list[FoundDocument]:
        """Passages that hold the terms; see `FullText.find`."""
        if self._index is not None:
            found = self._index.find(
                terms, account_ids=account_ids, since=None, until=None, limit=limit * _PER_DOCUMENT
            )
            return self._first(found, terms, limit)
        holding = " OR ".join("CAST(passages.metadata AS VARCHAR) ILIKE ? ESCAPE '!'" for _ in terms)
        rows = self._rows(
            f"{_PASSAGES} AND ({holding}) ORDER BY passages.updated_at DESC LIMIT 500", [f"%{term}%" for term in terms]
        )
        kept = [row for row in map(_passage, rows) if account_ids is None or row["account_id"] in account_ids]
        held = [(sum(term in f"{row['title']} {row['text']}".casefold() for term in terms), row) for row in kept]
        ranked = sorted((each for each in held if each[0] >= needed(len(terms))), key=lambda each: -each[0])
        return self._first([row for _, row in ranked], terms, limit)

    def by_ids(
        self, ids: Sequence[tuple[str, str]], terms: Sequence[str], account_ids: Collection[str] | None, limit: int
    ) -> list[FoundDocument]:
        """The passages with these namespaces and ids, in this order; those that are not stored here, or are about
        another account than may be seen, are left out."""
        if not ids:
            return []
        marks = ", ".join("(?, ?)" for _ in ids)
        sql = f"{_PASSAGES} AND (passages.namespace, passages.document_id) IN ({marks})"
        rows = self._rows(sql, [part for pair in ids for part in pair])
        stored = {(row["namespace"], row["document_id"]): _passage(row) for row in rows}
        kept = [stored[pair] for pair in ids if pair in stored]
        return self._first(
            [row for row in kept if account_ids is None or row["account_id"] in account_ids], terms, limit
        )

    def _entries(self) -> Iterator[Entry]:
        rows = self._rows(f"{_PASSAGES} ORDER BY passages.updated_at DESC NULLS LAST LIMIT {MOST_PASSAGES}", [])
        for row in map(_passage, rows):
            at = datetime.fromisoformat(row["updated_at"]) if row["updated_at"] else _UNDATED
            yield Entry(row["text"] or row["title"], row["title"], row["account_id"], at, row)

    def _rows(self, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        with self._reading.session():
            return lowered(self._reading.query(sql, values).to_pylist())

    def _first(self, passages: Sequence[Mapping[str, Any]], terms: Sequence[str], limit: int) -> list[FoundDocument]:
        """The first passages as they are shown, one of those that look the same."""
        shown: dict[tuple[str, str, str], FoundDocument] = {}
        for passage in passages:
            found = self._shown(passage, terms)
            shown.setdefault((found.title, found.text, found.account_id), found)
        return list(shown.values())[:limit]

    def _shown(self, passage: Mapping[str, Any], terms: Sequence[str]) -> FoundDocument:
        """What of a passage may be shown: of its sentences the one that holds most of the terms."""
        text = passage["text"]
        spans = list(sentences_to_quote(text, self._unwanted))
        start, end = max(spans, key=lambda span: _held(text[slice(*span)], terms), default=(0, 0))
        updated_at = datetime.fromisoformat(passage["updated_at"]) if passage["updated_at"] else None
        return FoundDocument(
            title=shown_title(passage["title"], passage["kind"]),
            text=text[start:end],
            namespace=passage["namespace"],
            document_id=passage["document_id"],
            kind=passage["kind"],
            account_id=passage["account_id"],
            updated_at=updated_at,
            start=start,
            end=end,
        )


def shown_title(title: str, kind: str) -> str:
    """A title on one line without markup; the kind of document where it holds anything personal or nothing."""
    signs = "".join(sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in _MARKUP.sub(" ", title))
    line = " ".join(signs.split())[:LONGEST_TITLE]
    return kind if not line or personal_data(line) else line


def document_as_json(found: FoundDocument) -> dict[str, Any]:
    """A found passage as JSON values."""
    return {**asdict(found), "updated_at": found.updated_at.isoformat() if found.updated_at else None}


def _held(sentence: str, terms: Sequence[str]) -> int:
    plain = sentence.casefold()
    return sum(term in plain for term in terms)


def _passage(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as plain JSON values, with the text from its metadata."""
    metadata = row["metadata"]
    if isinstance(metadata, str):
        try:
            metadata = orjson.loads(metadata)
        except orjson.JSONDecodeError:
            metadata = None
    held = metadata if isinstance(metadata, Mapping) else {}
    text = next((held[name] for name in TEXT_FIELDS if isinstance(held.get(name), str)), "")
    at = row["updated_at"]
    return {
        "namespace": row["namespace"],
        "document_id": row["document_id"],
        "title": row["title"] or "",
        "kind": row["kind"] or "document",
        "account_id": row["account_id"] or "",
        "updated_at": at.replace(tzinfo=UTC).isoformat() if at else None,
        "text": text,
    }
