"""A full-text index over short texts, in memory: words are looked up by their stems and ranked by how telling they are.

Belongs here: the index and how words become a query. Does not belong here: which texts may be shown, or where they
come from (`said`, `document_search`).

Whoever types a word never writes a query: what is not a letter or a digit separates words, and each word is looked up
as it stands.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

import orjson

from sophia_assets.insight.lexicon import word_set

MOST_TERMS, LONGEST_TERM = 8, 40
#: How many finds are looked through for as many as were asked for of different wordings.
_MOST_FINDS = 2_000
#: Weights of the text and of its heading.
_WEIGHTS = (10.0, 3.0)
_LETTERS = re.compile(r"[^\W_]+")
#: Words that stand in almost every text and tell nothing.
_FUNCTION_WORDS = word_set(
    "a about all am an and any are as at be been but by can could did do does for from had has have he her his how i "
    "if in is it its me my no not of on or our s said say says she so t that the their them they this to us was we "
    "were what when where which who why will with would you your"
)


@dataclass(frozen=True)
class Entry:
    """A text to be found, under a heading that counts for less. `payload` is JSON; `at` is UTC."""

    text: str
    heading: str
    account_id: str
    at: datetime
    payload: Any


def terms_of(words: Iterable[str]) -> list[str]:
    """The words to look up, each once, in small letters: no function words, at most eight, none overlong."""
    found: dict[str, None] = {}
    for word in words:
        for term in _LETTERS.findall(unicodedata.normalize("NFKC", word).casefold()):
            if term not in _FUNCTION_WORDS and (len(term) > 1 or not term.isascii()):
                found.setdefault(term[:LONGEST_TERM])
            if len(found) == MOST_TERMS:
                return list(found)
    return list(found)


def needed(terms: int) -> int:
    """Of so many terms, how many a text must hold: more than half."""
    return terms // 2 + 1 if terms > 1 else terms


class FullText:
    """Entries that never change once they are in. Safe to use from many threads."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        self._connection.executescript(
            """
            CREATE VIRTUAL TABLE texts USING fts5(text, heading, content='', tokenize='porter unicode61');
            CREATE TABLE entries (id INTEGER PRIMARY KEY, account_id TEXT, at REAL, text TEXT, payload BLOB);
            """
        )
        with self._connection:
            for number, entry in enumerate(entries, start=1):
                self._connection.execute(
                    "INSERT INTO texts (rowid, text, heading) VALUES (?, ?, ?)", _texts(number, entry)
                )
                row = (
                    number,
                    entry.account_id,
                    entry.at.timestamp(),
                    _writable(entry.text),
                    orjson.dumps(entry.payload),
                )
                self._connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
        self._connection.execute("CREATE INDEX by_account ON entries (account_id, at)")
        self._connection.execute("CREATE INDEX by_time ON entries (at)")

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT COUNT(*) FROM entries").fetchone()[0])

    def close(self) -> None:
        """Frees its memory."""
        with self._lock:
            self._connection.close()

    def find(
        self,
        terms: Sequence[str],
        *,
        account_ids: Collection[str] | None,
        since: datetime | None,
        until: datetime | None,
        limit: int,
    ) -> list[Any]:
        """The payloads of at most `limit` entries, each wording once.

        Those that hold every term come first, then those that hold more than half; the most telling before the
        newest. Without terms, the newest. `account_ids` None: of all accounts and of none. `until` is not included.
        """
        found: dict[str, Any] = {}
        for query in _queries(terms):
            with self._lock:
                for text, payload in self._rows(query, account_ids, since, until):
                    found.setdefault(text, payload)
                    if len(found) >= limit:
                        break
            if len(found) >= limit:
                break
        return [orjson.loads(payload) for payload in list(found.values())[:limit]]

    def _rows(
        self, query: str | None, account_ids: Collection[str] | None, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[str, bytes]]:
        conditions, values = ["TRUE"], list[Any]()
        if query is not None:
            conditions, values = ["texts MATCH ?"], [query]
        if account_ids is not None:
            conditions.append("entries.account_id IN (SELECT value FROM json_each(?))")
            values.append(orjson.dumps(sorted(account_ids)).decode())
        for operator, moment in ((">=", since), ("<", until)):
            if moment is not None:
                conditions.append(f"entries.at {operator} ?")
                values.append(moment.timestamp())
        ranked = query is not None
        source = "texts INNER JOIN entries ON entries.id = texts.rowid" if ranked else "entries"
        order = f"bm25(texts, {_WEIGHTS[0]}, {_WEIGHTS[1]}), " if ranked else ""
        sql = (
            f"SELECT entries.text, entries.payload FROM {source} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {order}entries.at DESC, entries.id LIMIT {_MOST_FINDS}"
        )
        yield from self._connection.execute(sql, values)


def _queries(terms: Sequence[str]) -> list[str | None]:
    """The index's own queries, the strictest first: all terms, then any choice of as many as are needed."""
    if not terms:
        return [None]
    quoted = [f'"{term}"' for term in terms]
    choices = (f"({' AND '.join(chosen)})" for chosen in combinations(quoted, needed(len(terms))))
    return list(dict.fromkeys((f"({' AND '.join(quoted)})", " OR ".join(choices))))


def _texts(number: int, entry: Entry) -> tuple[int, str, str]:
    return number, _writable(entry.text), _writable(entry.heading)


def _writable(text: str) -> str:
    """Without what no encoding holds, such as half of a pair."""
    return text.encode("utf-8", "ignore").decode()
