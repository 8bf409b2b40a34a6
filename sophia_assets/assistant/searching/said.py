"""What was said in calls and written in chat, as it may be looked through: the records, and the sentences to quote.

Belongs here: the SELECTs for both systems, and cutting records into quotes. Does not belong here: looking words up
(`full_text`, `quote_search`), what of a text may be quoted (`insight.quotable`).

Quoted are customers in recorded calls, and the company's own people in chat about exactly one account, outside of
private channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sophia_assets.insight.quotable import sentences_to_quote, strangers
from sophia_assets.insight.quotes import Quote, lowered, quote_at, tables_of
from sophia_assets.warehouse.reading import Readable

#: A record that is shorter holds no whole sentence to quote; a longer one is no talk.
_LENGTHS = "BETWEEN 20 AND 1000"
_CALLS = frozenset({"gong.transcripts", "gong.call_parties", "marts.conversations"})
_CHATS = frozenset({"slack.messages", "slack.channels", "staging.chat_messages", "marts.conversations"})


@dataclass(frozen=True)
class Narrowing:
    """What records are narrowed by: a part of a WHERE per system with its values; `until` is UTC without a zone."""

    until: datetime
    since: datetime | None = None
    account_ids: tuple[str, ...] | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """One quotable sentence, with the topic that its call was on just then; empty in chat."""

    quote: Quote
    topic: str


def said(readable: Readable, narrowing: Narrowing, *, most: int) -> Iterator[Said]:
    """The sentences that may be quoted of the newest `most` records of each system; systems without tables are left
    out."""
    tables = tables_of(readable)
    rows: list[dict[str, Any]] = []
    if tables >= _CALLS:
        rows += _calls(readable, narrowing, most)
    if tables >= _CHATS:
        rows += _chats(readable, narrowing, most)
    unwanted = strangers(readable, tables) if rows else frozenset()
    for row in rows:
        for start, end in sentences_to_quote(row["text"], unwanted):
            yield Said(quote_at(row, start, end), row["topic"] or "")


def _calls(readable: Readable, narrowing: Narrowing, most: int) -> list[dict[str, Any]]:
    conditions, values = _narrowed(
        "calls.started_at", "calls.account_id", "said.text || ' ' || COALESCE(said.topic, '')", narrowing
    )
    sql = f"""
        SELECT said.call_id, said.position, said.start_ms, said.text, said.topic, calls.account_id, calls.started_at
        FROM gong.transcripts AS said
        INNER JOIN marts.conversations AS calls ON said.call_id = calls.conversation_id AND calls.kind = 'call'
        INNER JOIN gong.call_parties AS party
            ON said.call_id = party.call_id AND said.speaker_id = party.speaker_id AND party._deleted_at IS NULL
        WHERE said._deleted_at IS NULL AND party.affiliation = 'External' AND LENGTH(said.text) {_LENGTHS}
            AND {conditions}
        ORDER BY calls.started_at DESC, said.call_id, said.position
        LIMIT {most}
    """
    return [
        {
            **row,
            "pointer": ("gong", "transcripts", f"{row['call_id']}/{row['position']}"),
            "at": row["started_at"] + timedelta(milliseconds=int(row["start_ms"] or 0)),
            "said_by": "customer",
        }
        for row in lowered(readable.query(sql, values).to_pylist())
    ]


def _chats(readable: Readable, narrowing: Narrowing, most: int) -> list[dict[str, Any]]:
    conditions, values = _narrowed("messages.posted_at", "chats.account_id", "messages.text", narrowing)
    sql = f"""
        SELECT messages.channel_id, messages.ts, messages.text, messages.posted_at, chats.account_id
        FROM slack.messages AS messages
        INNER JOIN slack.channels AS channels
            ON messages.channel_id = channels.channel_id AND channels._deleted_at IS NULL
            AND NOT COALESCE(channels.is_private, TRUE)
        INNER JOIN staging.chat_messages AS known
            ON messages.channel_id = known.channel_id AND messages.ts = known.ts AND known.is_human
        INNER JOIN marts.conversations AS chats ON known.conversation_id = chats.conversation_id AND chats.kind = 'chat'
        WHERE messages._deleted_at IS NULL AND chats.accounts = 1 AND LENGTH(messages.text) {_LENGTHS}
            AND (messages.edited_at IS NULL OR messages.edited_at < ?) AND {conditions}
        ORDER BY messages.posted_at DESC, messages.channel_id, messages.ts
        LIMIT {most}
    """
    return [
        {
            **row,
            "pointer": ("slack", "messages", f"{row['channel_id']}/{row['ts']}"),
            "at": row["posted_at"],
            "said_by": "company",
            "topic": "",
        }
        for row in lowered(readable.query(sql, [narrowing.until, *values]).to_pylist())
    ]


def _narrowed(time: str, account: str, text: str, narrowing: Narrowing) -> tuple[str, list[Any]]:
    """A condition with its values. The parts of words are values too, with their own signs escaped."""
    conditions, values = [f"{time} < ?"], list[Any]([narrowing.until])
    if narrowing.since is not None:
        conditions.append(f"{time} >= ?")
        values.append(narrowing.since)
    if narrowing.account_ids is not None:
        conditions.append(f"{account} IN ({', '.join('?' for _ in narrowing.account_ids)})")
        values += narrowing.account_ids
    if narrowing.parts:
        held = " OR ".join(f"{text} ILIKE ? ESCAPE '!'" for _ in narrowing.parts)
        conditions.append(f"({held})")
        values += [f"%{_escaped(part)}%" for part in narrowing.parts]
    return " AND ".join(conditions), values


def _escaped(part: str) -> str:
    for sign in "!%_":
        part = part.replace(sign, f"!{sign}")
    return part
