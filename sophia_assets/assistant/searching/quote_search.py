"""Finds what customers said in calls and what the company wrote in chat, word for word, by the words of a question.

Belongs here: `QuoteSearch`, on an index in memory, or by asking Snowflake where there is no copy. Does not belong here:
which sentences may be quoted (`said`, `insight.quotable`), who may read quotes (`access.policies`), documents
(`document_search`).
"""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets.assistant.searching.full_text import Entry, FullText, needed, terms_of
from sophia_assets.assistant.searching.said import Narrowing, Said, said
from sophia_assets.insight.quotes import Quote
from sophia_assets.warehouse.reading import Reading

FoundQuote = Quote
"""What is found: a verbatim sentence with a pointer to its record; `account_id` is empty where it is of no account."""

MOST_RECORDS = 40_000
"""So many records of each system are looked through, the newest: what an index takes of memory stays bounded."""
MOST_QUOTES = 50
#: What Snowflake is asked for at most; sentences are cut and ranked here.
_MOST_ASKED = 500
_ENDINGS = ("ing", "ed", "es", "s", "e")


class QuoteSearch(ABC):
    """Quotes of one state of the data. Safe to use from many threads."""

    def __init__(self, day: date, timezone: str) -> None:
        self._day, self._zone = day, ZoneInfo(timezone)

    @staticmethod
    def of(reading: Reading) -> QuoteSearch:
        """The search over a state: an index of it in memory, which takes about a second to make, or on Snowflake
        nothing yet. Raises SophiaError where it cannot be read."""
        timezone = reading.context.timezone
        if reading.dialect == "snowflake":
            return AskedQuotes(reading, timezone)
        return IndexedQuotes(reading, timezone)

    def find(
        self,
        words: Sequence[str],
        *,
        account_ids: Collection[str] | None = None,
        since: date | None = None,
        until: date | None = None,
        limit: int = 5,
    ) -> list[FoundQuote]:
        """At most `limit` (1 to 50) quotes, the most telling first, each wording once; none later than the data's day.

        `words` are any text: they are never a query. Without any, the newest are found. `account_ids` limits whose
        quotes are seen: None means all, none of them means none. `since` and `until` are business days, both included.
        """
        terms = terms_of(words)
        if (words and not terms) or (account_ids is not None and not account_ids) or limit < 1:
            return []
        last = min(until or self._day, self._day)
        begin = self._midnight(since) if since else None
        end = self._midnight(last + timedelta(days=1))
        return self._found(terms, account_ids, begin, end, min(limit, MOST_QUOTES))

    @abstractmethod
    def _found(
        self,
        terms: Sequence[str],
        account_ids: Collection[str] | None,
        since: datetime | None,
        until: datetime,
        limit: int,
    ) -> list[FoundQuote]:
        """See `find`; times are UTC, `until` is not included."""

    @abstractmethod
    def close(self) -> None:
        """Frees what is held."""

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._zone).astimezone(UTC)


class IndexedQuotes(QuoteSearch):
    """Quotes from an index in memory."""

    def __init__(self, reading: Reading, timezone: str) -> None:
        super().__init__(reading.day, timezone)
        end = self._midnight(reading.day + timedelta(days=1)).replace(tzinfo=None)
        with reading.session():
            self._index = FullText(map(_entry, said(reading, Narrowing(end), most=MOST_RECORDS)))

    def __len__(self) -> int:
        return len(self._index)

    def close(self) -> None:
        """Frees the index."""
        self._index.close()

    def _found(
        self,
        terms: Sequence[str],
        account_ids: Collection[str] | None,
        since: datetime | None,
        until: datetime,
        limit: int,
    ) -> list[FoundQuote]:
        found = self._index.find(terms, account_ids=account_ids, since=since, until=until, limit=limit)
        return [_as_quote(payload) for payload in found]


class AskedQuotes(QuoteSearch):
    """Quotes that Snowflake is asked for with each question, under the reader's own role there."""

    def __init__(self, reading: Reading, timezone: str) -> None:
        super().__init__(reading.day, timezone)
        self._reading = reading

    def close(self) -> None:
        """Nothing is held."""

    def _found(
        self,
        terms: Sequence[str],
        account_ids: Collection[str] | None,
        since: datetime | None,
        until: datetime,
        limit: int,
    ) -> list[FoundQuote]:
        roots = tuple(map(_root, terms))
        narrowing = Narrowing(
            until.replace(tzinfo=None),
            since.replace(tzinfo=None) if since else None,
            None if account_ids is None else tuple(sorted(account_ids)),
            roots,
        )
        with self._reading.session():
            sentences = list(said(self._reading, narrowing, most=_MOST_ASKED))
        held = {each.quote.id: _held(each, roots) for each in sentences}
        quotes = [each.quote for each in sentences if held[each.quote.id] >= needed(len(roots))]
        quotes.sort(key=lambda quote: (-held[quote.id], -quote.at.timestamp(), quote.id))
        found: dict[str, Quote] = {}
        for quote in quotes:
            found.setdefault(quote.text, quote)
        return list(found.values())[:limit]


class QuoteSearches:
    """The search of the newest state that was asked for, made once. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Of the state only that it is the same: its copy of the data is not kept for longer than others keep it.
        self._made: tuple[weakref.ref[Reading], QuoteSearch] | None = None

    def of(self, reading: Reading) -> QuoteSearch:
        """The search over a state; see `QuoteSearch.of`. Whoever asks while it is being made waits for it."""
        if reading.dialect == "snowflake":
            return QuoteSearch.of(reading)
        with self._lock:
            if self._made is None or self._made[0]() is not reading:
                self._made = (weakref.ref(reading), QuoteSearch.of(reading))
            return self._made[1]


def _root(term: str) -> str:
    """A word without its ending, roughly: what `pricing` and `priced` have in common."""
    for ending in _ENDINGS:
        if term.endswith(ending) and len(term) - len(ending) >= 4:
            return term[: -len(ending)]
    return term


def _held(found: Said, roots: Sequence[str]) -> int:
    """How many of the words a sentence holds, or the topic that it was said on."""
    text = f"{found.topic} {found.quote.text}".casefold()
    return sum(root in text for root in roots)


def _entry(found: Said) -> Entry:
    quote = found.quote
    return Entry(quote.text, found.topic, quote.account_id, quote.at, asdict(quote))


def _as_quote(payload: dict[str, Any]) -> FoundQuote:
    return Quote(**{**payload, "at": datetime.fromisoformat(payload["at"])})
