"""Answers to what customers say: their words, letter by letter, with who said them to whom, when and where.

Belongs here: which quotes are shown, and how. Does not belong here: finding them (`searching.quote_search`), or what
may be quoted at all (`insight.quotable`, `insight.privacy`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sophia_assets.access.policies import may_read_quotes
from sophia_assets.assistant.answers import saying, spans_of_time
from sophia_assets.assistant.answers.citing import citation_of_passage, citation_of_quote
from sophia_assets.assistant.answers.composing import Asked, Composed
from sophia_assets.assistant.answers.fact_source import NothingKnown, NotToBeSeen
from sophia_assets.insight.names import listed, safe_name
from sophia_assets.insight.slots import day_phrase
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from sophia_assets.assistant.searching.document_search import FoundDocuments
    from sophia_assets.assistant.searching.quote_search import FoundQuote

DAYS = 60
MOST_QUOTES = 5
MOST_PASSAGES = 3
_STEM = 4
_SIDES = {"customer": "the customer", "company": "our side"}


def quotes(asked: Asked) -> Composed:
    """What was said, newest and best fitting first."""
    if not may_read_quotes(asked.question.principal):
        raise NotToBeSeen("that is not among what you may see")
    if asked.quotes is None:
        raise NothingKnown("there is nothing to quote from yet", remedy="Ask again once calls or chat are read")
    reading = asked.reading
    since, until = _times(asked)
    accounts = _accounts(asked)
    found = asked.quotes().find(
        reading.search,
        account_ids=accounts,
        since=since,
        until=until,
        limit=max(1, min(reading.limit or MOST_QUOTES, 20)),
    )
    found = [each for each in found if asked.standing.shares.of(each.system) > 0]
    about = f" about {listed([f'“{saying.literal(word)}”' for word in reading.search])}" if reading.search else ""
    when = spans_of_time.said(reading.period) if reading.period else f"in the last {DAYS} days"
    passages = _passages(asked, accounts)
    if not found and not passages.documents:
        raise NothingKnown(
            f"nobody is on record with anything that may be quoted{about}{asked.whole_scope} {when}",
            remedy="Ask with other words, or for a longer time",
        )
    composed = Composed(may_be_phrased=False)
    names = _names(asked, {each.account_id for each in found} | {each.account_id for each in passages.documents})
    if found:
        _add_quotes(composed, asked, found, names, about, when)
    if passages.documents:
        _add_passages(composed, asked, passages, names, about)
    asked.facts.answered_from["data"] = None
    return composed


def _passages(asked: Asked, accounts: Collection[str] | None) -> FoundDocuments:
    """Sentences of the knowledge base about the words that are asked for; what may not be quoted is left out."""
    from sophia_assets.assistant.searching.document_search import SYSTEM, FoundDocuments

    nothing = FoundDocuments((), "full text")
    if asked.documents is None or not asked.reading.search or asked.standing.shares.of(SYSTEM) <= 0:
        return nothing
    found = asked.documents(asked.reading.search, accounts)
    stems = [word.lower()[:_STEM] for phrase in asked.reading.search for word in phrase.split() if len(word) > 2]
    # A passage may be about the words, and the sentence of it that may be quoted about something else.
    fitting = (each for each in found.documents if any(stem in each.text.lower() for stem in stems))
    return replace(found, documents=tuple(fitting)[:MOST_PASSAGES])


def _add_passages(
    composed: Composed, asked: Asked, found: FoundDocuments, names: Mapping[str, str], about: str
) -> None:
    zone = ZoneInfo(asked.standing.timezone)
    for passage in found.documents:
        name = names.get(passage.account_id, "")
        changed = passage.updated_at.astimezone(zone).date() if passage.updated_at else None
        composed.rows.append(
            {
                "quote": passage.text,
                "account": name or None,
                "said_by": "a document",
                "date": day_phrase(changed) if changed else None,
                "system": "Pinecone",
            }
        )
        composed.citations.append(citation_of_passage(passage, name or "Pinecone"))
    count = len(found.documents)
    have = "One document has" if count == 1 else f"{count} documents have"
    composed.plain.append(f"{have} something to say{about}: “{found.documents[0].text}”")
    if found.found_by != "Pinecone" and found.why:
        composed.caveats.append(f"Documents were found by their words alone, not by Pinecone: {found.why}.")


def _add_quotes(
    composed: Composed, asked: Asked, found: Sequence[FoundQuote], names: Mapping[str, str], about: str, when: str
) -> None:
    zone = ZoneInfo(asked.standing.timezone)
    for quote in found:
        name = names.get(quote.account_id, "")
        system = registry.display_name(quote.system)
        day = day_phrase(quote.at.astimezone(zone).date())
        composed.rows.append(
            {
                "quote": quote.text,
                "account": name or None,
                "said_by": _SIDES.get(quote.said_by, quote.said_by),
                "date": day,
                "system": system,
            }
        )
        composed.citations.append(citation_of_quote(quote, name or system, (f"{quote.system}.{quote.object}",)))
    first = composed.rows[0]
    is_customer = found[0].said_by == "customer"
    whose = f" {'at' if is_customer else 'with'} {first['account']}" if first["account"] else ""
    composed.plain.append(
        f"{_many(len(found))}{about}{asked.whole_scope} {when}. "
        f"{str(first['said_by'])[:1].upper()}{str(first['said_by'])[1:]}{whose} said on {first['date']} "
        f"({first['system']}): “{first['quote']}”"
    )
    composed.caveats.append("Quotes are single sentences, word for word: they do not stand for what all customers say.")


def _many(count: int) -> str:
    return "There is one quote" if count == 1 else f"There are {count} quotes"


def _times(asked: Asked) -> tuple[date, date]:
    """From which to which business day something may have been said, both included."""
    period = asked.reading.period
    end = min(period.end, asked.day) if period else asked.day
    is_today = period is None or period.start == period.end == asked.day
    return end - timedelta(days=DAYS - 1) if is_today or period is None else period.start, end


def _accounts(asked: Asked) -> list[str] | None:
    """The accounts that quotes may come from: those that are asked about, of those that may be seen; None for all."""
    condition = asked.facts.account_condition
    wanted = [each for each in asked.reading.filters if each.dimension in ("account", "owner", "industry")]
    if condition is None and not wanted:
        return None
    columns = {"account": "account_id", "owner": "owner_id", "industry": "industry"}
    parts, values = ([f"({condition})"] if condition else []), list[str]()
    for each in wanted:
        marks = ", ".join("?" for _ in each.ids)
        parts.append(f"t.{columns[each.dimension]} {'NOT ' if each.is_excluded else ''}IN ({marks})")
        values += each.ids
    sql = f"SELECT t.account_id FROM marts.accounts AS t WHERE {' AND '.join(parts)}"
    return [str(value) for value in asked.data.query(sql, values).column(0).to_pylist()]


def _names(asked: Asked, ids: set[str]) -> dict[str, str]:
    """The names of accounts, as they may be shown."""
    known = sorted(each for each in ids if each)
    if not known:
        return {}
    sql = (
        f"SELECT t.account_id, t.account FROM marts.accounts AS t WHERE t.account_id IN ({', '.join('?' * len(known))})"
    )
    rows = asked.data.query(sql, known).rename_columns(["account_id", "account"]).to_pylist()
    return {str(row["account_id"]): safe_name(str(row["account"])) for row in rows}
