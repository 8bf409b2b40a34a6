"""Gong's answers as they were saved: pages of calls, transcripts, users and scorecards in JSON files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.exports.files import ExportFile, Row

Item = Mapping[str, Any]
Found = Iterator[tuple[str, dict[str, Any]]]

# The native layout's own file names, whose lines are rows of columns.
_NATIVE = {"users", "calls", "call_trackers", "call_parties", "transcripts", "scorecards", "scorecard_answers"}
_LISTS = ("calls", "callTranscripts", "users", "scorecards", "answeredScorecards")


def find(folder: Path) -> dict[str, ExportFile]:
    """What Gong answered, in `folder` and its `gong` folder, known by the items' fields and not by the files' names.

    A file holds one answer, a list of answers or of their items, or one of either per line. An item that
    comes in several files counts once, with the last of each of its values. Raises ConfigurationError for a file in
    `gong` that is not JSON.
    """
    own = folder / "gong"
    paths = [*sorted(folder.glob("*.json")), *sorted(own.glob("*.json"))]
    paths += [path for path in sorted(own.glob("*.jsonl")) if path.stem not in _NATIVE]
    rows: dict[str, dict[tuple[Any, ...], Row]] = defaultdict(dict)
    for path in paths:
        name = path.relative_to(folder).as_posix()
        for number, item in enumerate(_items(_documents(path, name, strict=path.parent == own)), start=1):
            for table, cells in _native(item):
                given = {column: _tidy(value) for column, value in cells.items()}
                key = tuple(given.get(column) for column in _KEYS[table])
                before = rows[table][key].cells if key in rows[table] else {}
                known = {column: value for column, value in given.items() if value is not None}
                rows[table][key] = Row(name, number, {**before, **known})
    return {f"gong/{table}": _file(table, list(kept.values())) for table, kept in rows.items()}


def _file(table: str, rows: list[Row]) -> ExportFile:
    return ExportFile(f"gong/{table}", frozenset(column for row in rows for column in row.cells), rows)


def _documents(path: Path, name: str, *, strict: bool) -> Iterator[Any]:
    text = path.read_text("utf-8-sig", errors="replace")
    try:
        yield json.loads(text)
        return
    except json.JSONDecodeError:
        pass
    for line, part in enumerate(text.splitlines(), start=1):
        if not part.strip():
            continue
        try:
            yield json.loads(part)
        except json.JSONDecodeError as error:
            if strict:
                raise ConfigurationError(
                    f"{name}, line {line} is not JSON: {error.msg}", remedy="Save Gong's answers as they came."
                ) from error
            return


def _items(documents: Iterator[Any]) -> Iterator[Item]:
    """The items of answers, of lists of answers, and of lists of items."""
    for document in documents:
        if isinstance(document, list):
            yield from _items(iter(document))
        elif isinstance(document, dict):
            lists = [document[name] for name in _LISTS if isinstance(document.get(name), list)]
            yield from _items(iter(lists)) if lists else iter((document,))


def _native(item: Item) -> Found:
    """The rows of the native layout that one item makes; none for what is not Gong's."""
    for fields, rows_of in _SHAPES.items():
        if fields <= item.keys():
            yield from rows_of(item)
            return


def _call(item: Item) -> Found:
    metadata = item.get("metaData") or item
    call_id = metadata.get("id")
    account, deal = _linked(item, "Account"), _linked(item, "Opportunity")
    yield (
        "calls",
        {
            "call_id": call_id,
            "title": metadata.get("title"),
            "started_at": metadata.get("started"),
            "duration_s": metadata.get("duration"),
            "direction": metadata.get("direction"),
            "primary_user_id": metadata.get("primaryUserId"),
            "company_id": account.get("objectId"),
            "company_name": _field(account, "name"),
            "deal_id": deal.get("objectId"),
        },
    )
    for place, party in enumerate(item.get("parties") or ()):
        yield (
            "call_parties",
            {
                "call_id": call_id,
                "party_id": party.get("id") or f"{call_id}-{place}",
                "user_id": party.get("userId"),
                "email": party.get("emailAddress"),
                "name": party.get("name"),
                "title": party.get("title"),
                "affiliation": party.get("affiliation"),
                "speaker_id": party.get("speakerId"),
            },
        )
    for tracker in (item.get("content") or {}).get("trackers") or ():
        if tracker.get("count"):
            yield "call_trackers", {"call_id": call_id, "tracker": tracker["name"], "hits": tracker["count"]}


def _transcript(item: Item) -> Found:
    passages = item.get("transcript") or ()
    spoken = [(passage, sentence) for passage in passages for sentence in passage.get("sentences") or ()]
    for position, (passage, sentence) in enumerate(spoken):
        yield (
            "transcripts",
            {
                "call_id": item["callId"],
                "position": position,
                "speaker_id": passage.get("speakerId"),
                "topic": passage.get("topic"),
                "start_ms": sentence.get("start"),
                "end_ms": sentence.get("end"),
                "text": sentence.get("text"),
            },
        )


def _user(item: Item) -> Found:
    yield (
        "users",
        {
            "user_id": item["id"],
            "email": item.get("emailAddress"),
            "first_name": item.get("firstName"),
            "last_name": item.get("lastName"),
            "title": item.get("title"),
            "manager_id": item.get("managerId"),
            "active": item.get("active"),
            "created_at": item.get("created"),
        },
    )


def _scorecard(item: Item) -> Found:
    for question in item.get("questions") or ():
        yield (
            "scorecards",
            {
                "scorecard_id": item["scorecardId"],
                "name": item.get("scorecardName"),
                "created_at": item.get("created"),
                "question_id": question.get("questionId"),
                "question": question.get("questionText"),
                "is_overall": question.get("isOverall"),
            },
        )


def _review(item: Item) -> Found:
    for answer in item.get("answers") or ():
        yield (
            "scorecard_answers",
            {
                "review_id": item["answeredScorecardId"],
                "scorecard_id": item.get("scorecardId"),
                "call_id": item.get("callId"),
                "reviewed_at": item.get("reviewTime"),
                "reviewer_id": item.get("reviewerUserId"),
                "question_id": answer.get("questionId"),
                "score": answer.get("score"),
                "answer_text": answer.get("answerText"),
            },
        )


_SHAPES: dict[frozenset[str], Callable[[Item], Found]] = {
    frozenset({"metaData"}): _call,
    frozenset({"id", "started", "primaryUserId"}): _call,
    frozenset({"callId", "transcript"}): _transcript,
    frozenset({"answeredScorecardId"}): _review,
    frozenset({"scorecardId", "questions"}): _scorecard,
    frozenset({"id", "emailAddress", "firstName"}): _user,
}
_KEYS = {
    "calls": ("call_id",),
    "call_parties": ("call_id", "party_id"),
    "call_trackers": ("call_id", "tracker"),
    "transcripts": ("call_id", "position"),
    "users": ("user_id",),
    "scorecards": ("scorecard_id", "question_id"),
    "scorecard_answers": ("review_id", "question_id"),
}


def _linked(call: Item, kind: str) -> Item:
    contexts = call.get("context") or ()
    objects = [linked for context in contexts for linked in context.get("objects") or ()]
    return next((linked for linked in objects if linked.get("objectType") == kind and linked.get("objectId")), {})


def _field(linked: Item, name: str) -> Any:
    return next((f.get("value") for f in linked.get("fields") or () if str(f.get("name", "")).lower() == name), None)


def _tidy(value: Any) -> Any:
    """Numbers and truth values as text, as CSV would have them; empty text as nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None else str(value).strip() or None
