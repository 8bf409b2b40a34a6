"""What people said, word for word, with a pointer to where they said it.

Belongs here: the quote, choosing quotes from calls and chat, and checking that they stand in their records. Whatever
people typed or said is data: only a plain whole sentence that names nobody, holds no figure and asks for nothing is
quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from sophia_assets.insight.verification import Finding
    from sophia_assets.warehouse.interface import Warehouse
    from sophia_assets.warehouse.reading import Readable

#: How many days back something may have been said.
DAYS = 60
#: Topics on which customers worry, and on which they are pleased, as call transcripts name them.
WORRIED_TOPICS = ("Support issues",)
WORRIED_IN_CHURN_CALLS = ("Renewal",)
PLEASED_TOPICS = ("Growth", "Adoption")
_PLEASED = re.compile(
    r"(?i)\b(?:fixed|responsive|no complaints|happy|pleased|glad|love|loves|like it|works|manage to|managed to|easy"
    r"|easier|great|good|better|faster than|helps|helped|helpful|thanks?|impressed|saves?|saved|more seats"
    r"|additional seats|access|roll it out|praise|well done|exactly what)\b"
)
#: How many records of an account are looked at, newest first.
_MOST_RECORDS = 200


@dataclass(frozen=True)
class Quote:
    """A verbatim span. `text` is as it stands in the source, `at` is UTC.

    `system`, `object` (`transcripts`, `messages`) and `source_id` point to the record; `start` and `end` bound the
    span within its text. `said_by` says on which side the speaker is (`customer`, `company`), never who it was.
    """

    id: str
    text: str
    system: str
    object: str
    source_id: str
    start: int
    end: int
    at: datetime
    said_by: str
    account_id: str


def read_quotes(
    warehouse: Warehouse, account_ids: Iterable[str], day: date, timezone: str = "UTC", *, most: int = 2
) -> dict[str, tuple[Quote, ...]]:
    """What was said about worries and joys of each account in the 60 days up to the end of `day` in `timezone`.

    At most `most` quotes an account, the customer's words before the company's, worries before joys, newest first; the
    same for the same data. Accounts of which nothing may be quoted are left out, and so are systems without tables.
    """
    from sophia_assets.insight.quotable import sentences_to_quote, strangers

    wanted = sorted(set(account_ids))
    tables = tables_of(warehouse)
    if not wanted or "marts.conversations" not in tables:
        return {}
    end = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(timezone)).astimezone(UTC)
    until = end.replace(tzinfo=None)
    since = until - timedelta(days=DAYS)
    rows = _call_rows(warehouse, tables, wanted, since, until) + _chat_rows(warehouse, tables, wanted, since, until)
    unwanted = strangers(warehouse, tables) if rows else frozenset()
    found: dict[str, list[tuple[tuple[Any, ...], Quote]]] = {account: [] for account in wanted}
    for row in rows:
        for start, stop in sentences_to_quote(row["text"], unwanted):
            if not row["is_concern"] and not _PLEASED.search(row["text"][start:stop]):
                continue
            quote = quote_at(row, start, stop)
            order = (row["said_by"] != "customer", not row["is_concern"], -quote.at.timestamp(), quote.source_id, start)
            found[row["account_id"]].append((order, quote))
    chosen = {account: _first(quotes, most) for account, quotes in found.items()}
    return {account: quotes for account, quotes in chosen.items() if quotes}


def verify_quotes(quotes: Iterable[Quote], warehouse: Warehouse) -> list[Finding]:
    """Findings on quotes that do not stand in their record, letter by letter, at `start:end`; none if all do."""
    from sophia_assets.insight.verification import Finding

    quotes, findings = list(quotes), []
    records = _records(warehouse, quotes)
    for quote in quotes:
        text = records.get((quote.system, quote.object, quote.source_id))
        if text is None or text[quote.start : quote.end] != quote.text or not quote.text or quote.start < 0:
            problem = "the record is gone" if text is None else "the record does not say this there"
            expected = None if text is None else text[quote.start : quote.end]
            findings.append(Finding(0, len(quote.text), quote.text, "quote", problem, expected))
    return findings


def tables_of(warehouse: Readable) -> frozenset[str]:
    """The tables of a warehouse, `schema.table` in small letters."""
    rows = warehouse.query("SELECT table_schema, table_name FROM information_schema.tables").to_pylist()
    return frozenset(f"{row['table_schema']}.{row['table_name']}".lower() for row in lowered(rows))


def lowered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with their columns in small letters, as some engines do not give them."""
    return [{key.lower(): value for key, value in row.items()} for row in rows]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" for _ in values)


def _call_rows(
    warehouse: Warehouse, tables: frozenset[str], accounts: Sequence[str], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """What customers said in calls on these topics, newest first."""
    if not {"gong.transcripts", "gong.call_parties", "marts.topics"} <= tables:
        return []
    topics = (*WORRIED_TOPICS, *WORRIED_IN_CHURN_CALLS, *PLEASED_TOPICS)
    sql = f"""
        SELECT said.call_id, said.position, said.start_ms, said.text, said.topic, calls.account_id, calls.started_at,
            churn.conversation_id IS NOT NULL AS is_churn
        FROM gong.transcripts AS said
        INNER JOIN marts.conversations AS calls ON said.call_id = calls.conversation_id AND calls.kind = 'call'
        INNER JOIN gong.call_parties AS party
            ON said.call_id = party.call_id AND said.speaker_id = party.speaker_id AND party._deleted_at IS NULL
        LEFT JOIN (SELECT DISTINCT conversation_id FROM marts.topics WHERE topic = 'Churn risk') AS churn
            ON said.call_id = churn.conversation_id
        WHERE said._deleted_at IS NULL AND party.affiliation = 'External' AND said.topic IN ({_marks(topics)})
            AND calls.account_id IN ({_marks(accounts)}) AND calls.started_at >= ? AND calls.started_at < ?
            AND LENGTH(said.text) BETWEEN 20 AND 1000
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY calls.account_id ORDER BY calls.started_at DESC, said.call_id, said.position
        ) <= {_MOST_RECORDS}
    """
    rows = []
    for row in lowered(warehouse.query(sql, [*topics, *accounts, since, until]).to_pylist()):
        is_concern = row["topic"] in WORRIED_TOPICS or (row["topic"] in WORRIED_IN_CHURN_CALLS and row["is_churn"])
        at = row["started_at"] + timedelta(milliseconds=int(row["start_ms"] or 0))
        if (is_concern or row["topic"] in PLEASED_TOPICS) and at < until:
            pointer = ("gong", "transcripts", f"{row['call_id']}/{row['position']}")
            rows.append({**row, "pointer": pointer, "at": at, "said_by": "customer", "is_concern": is_concern})
    return rows


def _chat_rows(
    warehouse: Warehouse, tables: frozenset[str], accounts: Sequence[str], since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """What people of the company wrote in conversations about one account that hold worry or praise, newest first."""
    if not {"slack.messages", "staging.chat_messages", "marts.topics"} <= tables:
        return []
    sql = f"""
        SELECT messages.channel_id, messages.ts, messages.text, messages.posted_at, chats.account_id,
            moods.is_concern = 1 AS is_concern
        FROM slack.messages AS messages
        INNER JOIN staging.chat_messages AS known
            ON messages.channel_id = known.channel_id AND messages.ts = known.ts AND known.is_human
        INNER JOIN marts.conversations AS chats ON known.conversation_id = chats.conversation_id AND chats.kind = 'chat'
        INNER JOIN (
            SELECT conversation_id, MAX(CASE WHEN is_concern THEN 1 ELSE 0 END) AS is_concern
            FROM marts.topics WHERE is_concern OR topic = 'Praise' GROUP BY conversation_id
        ) AS moods ON known.conversation_id = moods.conversation_id
        WHERE messages._deleted_at IS NULL AND chats.account_id IN ({_marks(accounts)}) AND chats.accounts = 1
            AND messages.posted_at >= ? AND messages.posted_at < ?
            AND (messages.edited_at IS NULL OR messages.edited_at < ?) AND LENGTH(messages.text) BETWEEN 20 AND 1000
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY chats.account_id ORDER BY messages.posted_at DESC, messages.channel_id, messages.ts
        ) <= {_MOST_RECORDS}
    """
    return [
        {
            **row,
            "pointer": ("slack", "messages", f"{row['channel_id']}/{row['ts']}"),
            "at": row["posted_at"],
            "said_by": "company",
        }
        for row in lowered(warehouse.query(sql, [*accounts, since, until, until]).to_pylist())
    ]


def quote_at(row: Mapping[str, Any], start: int, end: int) -> Quote:
    """A span of a record's `text`; `pointer` is its system, object and id, `at` UTC without a zone."""
    system, kind, source_id = row["pointer"]
    return Quote(
        id=f"{system}.{kind}.{source_id}.{start}",
        text=row["text"][start:end],
        system=system,
        object=kind,
        source_id=source_id,
        start=start,
        end=end,
        at=row["at"].replace(tzinfo=UTC),
        said_by=row["said_by"],
        account_id=row["account_id"] or "",
    )


def _first(quotes: Iterable[tuple[tuple[Any, ...], Quote]], most: int) -> tuple[Quote, ...]:
    """The first quotes in order, each wording once."""
    chosen: dict[str, Quote] = {}
    for _, quote in sorted(quotes, key=lambda entry: entry[0]):
        if len(chosen) < most:
            chosen.setdefault(quote.text, quote)
    return tuple(chosen.values())


_KEYS = {"gong.transcripts": ("call_id", "position"), "slack.messages": ("channel_id", "ts")}


def _records(warehouse: Warehouse, quotes: Sequence[Quote]) -> dict[tuple[str, str, str], str]:
    """The texts of the records that quotes point to, by system, object and id; those that are gone are left out."""
    tables = tables_of(warehouse)
    texts: dict[tuple[str, str, str], str] = {}
    for (system, kind), (one, two) in ((tuple(table.split(".")), keys) for table, keys in _KEYS.items()):
        ids = sorted({quote.source_id for quote in quotes if (quote.system, quote.object) == (system, kind)})
        if not ids or f"{system}.{kind}" not in tables:
            continue
        key = f"{one} || '/' || CAST({two} AS VARCHAR)"
        sql = f"SELECT {key} AS id, text FROM {system}.{kind} WHERE {key} IN ({_marks(ids)}) AND _deleted_at IS NULL"
        texts |= {(system, kind, row["id"]): row["text"] for row in lowered(warehouse.query(sql, ids).to_pylist())}
    return texts
