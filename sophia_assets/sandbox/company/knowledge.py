"""The simulated company's knowledge base in its Pinecone index: call notes, docs, playbooks, support articles.

Vectors are hashed bags of words: cheap, of unit length, and texts with words in common lie near each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Any

from sophia_assets.sandbox.company.history import History, works
from sophia_assets.sandbox.company.model import Account, Note
from sophia_assets.sandbox.company.staff import ENGINEERING, PRODUCT, SALES, SUPPORT, Colleague
from sophia_assets.sandbox.company.usage import utc
from sophia_assets.sandbox.company.world import texts
from sophia_assets.sandbox.company_data import GongCall, PineconeData, PineconeModel, PineconeRecord

INDEX, DIMENSION, METRIC = "knowledge", 64, "cosine"
MODEL = "hashed-words-64"
_DIMENSIONS_PER_WORD = 4
_NOTED_SHARE, _LONG_NOTE_SHARE, _PLAN_SHARE = 0.45, 0.2, 0.6


@dataclass(frozen=True)
class _Shelf:
    """A namespace of written documents: how many at first, how many more per business day, who writes them."""

    namespace: str
    source: str
    kind: str
    department: str
    at_first: int
    per_day: float
    chunks: tuple[int, ...]


_SHELVES = (
    _Shelf("docs", "handbook", "guide", PRODUCT, 52, 0.1, (2, 2, 3)),
    _Shelf("playbooks", "sales-wiki", "playbook", SALES, 12, 0.03, (2, 3)),
    _Shelf("support-articles", "help-center", "article", SUPPORT, 60, 0.22, (1, 2, 2)),
)


def pinecone(history: History, staff: list[Colleague]) -> PineconeData:
    """The index at the end of the last day; what was revised shows its newest version."""
    shelves = {shelf.namespace: list(_written(history, staff, shelf)) for shelf in _SHELVES}
    shelves["playbooks"] += _success_plans(history)
    namespaces = {"call-notes": list(_call_notes(history)), **shelves}
    return PineconeData(INDEX, DIMENSION, METRIC, namespaces, PineconeModel(MODEL, "text", embed))


def _call_notes(history: History) -> Iterator[PineconeRecord]:
    for day in history.days:
        stream = history.world.streams.of("call notes", day)
        for note in history.notes(day):
            if note.kind == "call" and stream.random() < _NOTED_SHARE:
                yield from _notes_of(stream, note)


def _notes_of(stream: Random, note: Note) -> Iterator[PineconeRecord]:
    """What the seller wrote down within the hour after a call."""
    call, account, bank = note.call, note.account, texts("knowledge")
    assert call is not None and account is not None
    host = call.parties[0]
    written = int(call.started.timestamp()) + call.duration_s + stream.randint(240, 3_600)
    said = [sentence[4] for sentence in call.sentences if sentence[0] != host["speakerId"]]
    words = {
        "title": call.title,
        "day": f"{call.started:%d %B}",
        "people": ", ".join(party["title"] for party in call.parties[1:]),
        "topics": ", ".join(dict.fromkeys(sentence[1] for sentence in call.sentences[5:-5])),
    }
    lines = stream.sample(said, min(4, len(said)))
    pieces = [bank["note"].format(lines=" ".join(lines[:2]), **words)]
    if stream.random() < _LONG_NOTE_SHARE and len(lines) > 2:
        pieces.append(bank["note_next"].format(lines=" ".join(lines[2:]), **words))
    about = {**_about(account), "call_id": call.id, "author": host["name"], "url": _call_url(call)}
    about |= {"title": call.title, "source": "gong", "kind": "call-note", "created_at": utc(written)}
    about["updated_at"] = about["created_at"]
    if call.trackers:
        about["topics"] = sorted(call.trackers)
    for index, text in enumerate(pieces):
        yield _record(f"call-{call.id}-{index}", text, index, about)


def _call_url(call: GongCall) -> str:
    return f"https://app.gong.io/call?id={call.id}"


def _about(account: Account) -> dict[str, Any]:
    return {"account_id": account.id, "account_name": account.name}


def _written(history: History, staff: list[Colleague], shelf: _Shelf) -> Iterator[PineconeRecord]:
    """The documents of a shelf: some there from the first day, others written since."""
    scale, number = history.world.scale, 0
    for day in history.days:
        stream = history.world.streams.of("shelf", shelf.namespace, day)
        if day == history.world.start:
            count = max(3, round(shelf.at_first * scale))
        else:
            count = sum(stream.random() < shelf.per_day for _ in range(max(1, round(scale)))) if works(day) else 0
        for _ in range(count):
            number += 1
            yield from _document(history, staff, shelf, day, number)


def _document(
    history: History, staff: list[Colleague], shelf: _Shelf, day: int, number: int
) -> Iterator[PineconeRecord]:
    stream = history.world.streams.of("document", shelf.namespace, number)
    bank, slots = texts("knowledge"), texts("transcripts")["slots"]
    writers = [p for p in staff if p.department in (shelf.department, ENGINEERING) and p.works_on(day)]
    author = stream.choice(writers)
    words = _words(stream, history, shelf, number)
    title = words.pop("title")
    second = stream.randint(9 * 3600, 17 * 3600)
    chunks = bank[shelf.namespace]["chunks"]
    pieces = [chunks[index] for index in sorted(stream.sample(range(len(chunks)), stream.choice(shelf.chunks)))]
    counts = [stream.choice((2, 3, 5, 10, 20)) for _ in pieces]
    created = updated = history.midnight(day) + second
    revision = None
    # Revisions come last: how many of them there are depends on the last day, and must not move any other draw.
    revised_on = day + stream.randint(50, 260)
    while revised_on <= history.last:
        if works(revised_on):
            updated = history.midnight(revised_on) + second
            revision = bank["revised"].format(team=stream.choice(slots["team"]))
        revised_on += stream.randint(50, 260)
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    about = {
        "title": title, "source": shelf.source, "kind": shelf.kind, "author": author.name,
        "url": f"https://kb.{history.world.profile['domain']}/{shelf.namespace}/{number}-{slug}",
        "created_at": utc(created), "updated_at": utc(updated),
    }  # fmt: skip
    for index, (template, count) in enumerate(zip(pieces, counts, strict=True)):
        text = f"{title}. {template.format(count=count, **words)}"
        if revision and index == len(pieces) - 1:
            text = f"{text} {revision}"
        yield _record(f"{shelf.namespace}-{number:04d}-{index}", text, index, about)


def _words(stream: Random, history: History, shelf: _Shelf, number: int) -> dict[str, str]:
    """The title of a shelf's next document and what its text speaks of; titles repeat only after all were used."""
    bank, names = texts("knowledge")[shelf.namespace], texts("names")
    areas = [area for team in texts("issues")["teams"] for area in team["areas"]]
    titles, problems = bank["titles"], bank.get("problems", [""])
    words = {
        "module": names["modules"][number % len(names["modules"])],
        "product": history.world.profile["product"],
        "competitor": names["competitors"][number % len(names["competitors"])],
        "area": areas[number % len(areas)],
        "problem": problems[(number % len(areas) + number // len(areas)) % len(problems)],
    }
    template = titles[number % len(titles)]
    title = template.format(**words)
    return {**words, "title": title[0].upper() + title[1:]}


def _success_plans(history: History) -> Iterator[PineconeRecord]:
    """Plans for the large customers, written within weeks after they signed."""
    bank, slots = texts("knowledge")["playbooks"], texts("transcripts")["slots"]
    for day in history.days:
        for note in history.notes(day):
            account = note.account
            if note.kind != "subscribed" or account is None or not account.enterprise:
                continue
            stream = history.world.streams.of("success plan", account.id, day)
            written_on = day + stream.randint(5, 25)
            if stream.random() > _PLAN_SHARE or not works(written_on) or written_on > history.last:
                continue
            goals = stream.sample(slots["goal"], 2)
            text = bank["plan"].format(
                account=account.name, goal=goals[0], goal2=goals[1], team=stream.choice(slots["team"])
            )
            stamp = utc(history.midnight(written_on) + stream.randint(9 * 3600, 17 * 3600))
            title = bank["plan_title"].format(account=account.name)
            about = {
                **_about(account), "title": title, "source": "sales-wiki", "kind": "success-plan",
                "author": account.owner.name, "created_at": stamp, "updated_at": stamp,
                "url": f"https://kb.{history.world.profile['domain']}/plans/{account.id}-{day}",
            }  # fmt: skip
            yield _record(f"plan-{account.id}-{day}-0", text, 0, about)


def _record(id_: str, text: str, chunk: int, about: dict[str, Any]) -> PineconeRecord:
    return PineconeRecord(id_, embed(text), {**about, "chunk": chunk, "text": text})


def embed(text: str) -> list[float]:
    """The text's vector: each word adds to a few dimensions of its own, and the sum has length 1."""
    values = [0.0] * DIMENSION
    for word in text.lower().split():
        for dimension, weight in _hits(word):
            values[dimension] += weight
    length = math.sqrt(sum(value * value for value in values))
    if length == 0.0:
        return [1.0, *values[1:]]
    return [value / length for value in values]


@lru_cache(maxsize=65_536)
def _hits(word: str) -> tuple[tuple[int, float], ...]:
    digest = blake2b(word.encode(), digest_size=2 * _DIMENSIONS_PER_WORD).digest()
    return tuple(
        (digest[2 * index] % DIMENSION, 1.0 if digest[2 * index + 1] % 2 else -1.0)
        for index in range(_DIMENSIONS_PER_WORD)
    )
