"""Gong's part of an export folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import (
    GongCall,
    GongData,
    GongQuestion,
    GongReview,
    GongScorecard,
    GongUser,
)
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.gong_json import find
from sophia_assets.sandbox.exports.values import Cells, hubspot_id

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {
    "gong/users": ("user_id",),
    "gong/calls": (
        "call_id",
        "started_at",
    ),
    "gong/call_trackers": (
        "call_id",
        "tracker",
    ),
    "gong/transcripts": (
        "call_id",
        "position",
    ),
    "gong/call_parties": ("call_id",),
    "gong/scorecards": (
        "scorecard_id",
        "question_id",
    ),
    "gong/scorecard_answers": (
        "review_id",
        "scorecard_id",
        "call_id",
        "question_id",
        "reviewed_at",
    ),
}

__all__ = ["KEYS", "build", "find"]


def build(objects: Mapping[str, ExportFile], cells: Cells) -> GongData | None:
    """Users, calls with all that belongs to them, and their reviews, or None without any Gong file."""
    if not any(name.startswith("gong/") for name in objects):
        return None
    trackers: dict[str, dict[str, int]] = defaultdict(dict)
    for row in _rows(objects, "gong/call_trackers"):
        hits = cells.whole(row, "hits")
        trackers[cells.required(row, "call_id")][cells.required(row, "tracker")] = 1 if hits is None else hits
    sentences: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for row in _rows(objects, "gong/transcripts"):
        sentences[cells.required(row, "call_id")].append((cells.whole(row, "position") or 0, row))
    users = _rows(objects, "gong/users")
    calls = [_call(row, cells, trackers, sentences) for row in _rows(objects, "gong/calls")]
    calls.sort(key=lambda call: (call.started, call.id))
    earliest = min((call.started for call in calls), default=None)
    known = {user.id: user for user in (_user(row, cells, earliest) for row in users)}
    parties: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in _rows(objects, "gong/call_parties"):
        call_id = cells.required(row, "call_id")
        parties[call_id].append(_party(row, cells, f"{call_id}-{len(parties[call_id])}"))
    for call in calls:
        call.parties += parties.get(call.id, [])
        host = known.get(call.primary_user_id)
        if host is not None and all(party["userId"] != host.id for party in call.parties):
            call.parties.append(_host(call, host))
    reviews = _reviews(_rows(objects, "gong/scorecard_answers"), cells)
    cards = _scorecards(_rows(objects, "gong/scorecards"), reviews, cells, earliest)
    return GongData(list(known.values()), calls, "1", "Exports", cards, reviews, cells.timezone)


def _call(
    row: Row,
    cells: Cells,
    trackers: Mapping[str, dict[str, int]],
    sentences: Mapping[str, list[tuple[int, Row]]],
) -> GongCall:
    call_id = cells.required(row, "call_id")
    started = cells.moment(row, "started_at", event=True)
    if started is None:
        raise ConfigurationError(f"{row.file}, line {row.line}: started_at is empty", remedy="A call needs a date.")
    said = sorted(sentences.get(call_id, []), key=lambda entry: entry[0])
    return GongCall(
        id=call_id,
        title=cells.text(row, "title") or "Call",
        started=started,
        duration_s=cells.whole(row, "duration_s") or 0,
        primary_user_id=cells.text(row, "primary_user_id") or "",
        parties=[],
        direction=cells.text(row, "direction") or "Conference",
        account_id=hubspot_id(cells.text(row, "company_id")),
        account_name=cells.text(row, "company_name"),
        deal_id=hubspot_id(cells.text(row, "deal_id")),
        trackers=dict(trackers.get(call_id, {})),
        sentences=[_sentence(line, cells) for _, line in said],
    )


def _sentence(row: Row, cells: Cells) -> tuple[str, str, int, int, str]:
    start = cells.whole(row, "start_ms") or 0
    return (
        cells.text(row, "speaker_id") or "",
        cells.text(row, "topic") or "",
        start,
        cells.whole(row, "end_ms") or start,
        cells.text(row, "text") or "",
    )


def _user(row: Row, cells: Cells, earliest: datetime | None) -> GongUser:
    created = cells.moment(row, "created_at") or earliest
    if created is None:
        raise ConfigurationError(
            f"{row.file}, line {row.line}: created_at is empty", remedy="Without calls a user needs a date."
        )
    return GongUser(
        id=cells.required(row, "user_id"),
        email=cells.text(row, "email") or "",
        first_name=cells.text(row, "first_name") or "",
        last_name=cells.text(row, "last_name") or "",
        title=cells.text(row, "title") or "",
        created=created,
        manager_id=cells.text(row, "manager_id"),
        active=cells.truth(row, "active", True),
    )


def _party(row: Row, cells: Cells, otherwise: str) -> dict[str, object]:
    return {
        "id": cells.text(row, "party_id") or otherwise, "emailAddress": cells.text(row, "email"),
        "name": cells.text(row, "name"), "title": cells.text(row, "title"), "userId": cells.text(row, "user_id"),
        "speakerId": cells.text(row, "speaker_id"), "affiliation": cells.text(row, "affiliation") or "Unknown",
        "methods": ["Invitee"],
    }  # fmt: skip


def _host(call: GongCall, host: GongUser) -> dict[str, object]:
    return {
        "id": f"{call.id}0", "emailAddress": host.email, "name": f"{host.first_name} {host.last_name}".strip(),
        "title": host.title, "userId": host.id, "speakerId": host.id, "affiliation": "Internal", "methods": ["Invitee"],
    }  # fmt: skip


def _reviews(rows: list[Row], cells: Cells) -> list[GongReview]:
    found: dict[str, GongReview] = {}
    for row in rows:
        review_id, question = cells.required(row, "review_id"), cells.required(row, "question_id")
        reviewed = cells.moment(row, "reviewed_at", event=True)
        if reviewed is None:
            raise ConfigurationError(
                f"{row.file}, line {row.line}: reviewed_at is empty", remedy="A review needs a date."
            )
        card, call = cells.required(row, "scorecard_id"), cells.required(row, "call_id")
        review = GongReview(review_id, card, call, reviewed, cells.text(row, "reviewer_id"))
        score = cells.whole(row, "score")
        answer = cells.text(row, "answer_text") if score is None else score
        if answer is not None:
            found.setdefault(review_id, review).answers[question] = answer
    return list(found.values())


def _scorecards(
    rows: list[Row], reviews: list[GongReview], cells: Cells, earliest: datetime | None
) -> list[GongScorecard]:
    """The scorecards with their questions; those that only reviews name have their ids for names."""
    questions: dict[str, dict[str, GongQuestion]] = defaultdict(dict)
    named: dict[str, tuple[str, datetime | None]] = {}
    for row in rows:
        card, question = cells.required(row, "scorecard_id"), cells.required(row, "question_id")
        named[card] = cells.text(row, "name") or card, cells.moment(row, "created_at")
        overall = cells.truth(row, "is_overall", False)
        questions[card][question] = GongQuestion(question, cells.text(row, "question") or question, overall)
    for review in reviews:
        for question in review.answers:
            questions[review.scorecard_id].setdefault(question, GongQuestion(question, question))
    first = min((review.reviewed for review in reviews), default=earliest)
    found = []
    for card, asked in questions.items():
        name, created = named.get(card, (card, None))
        made = created or first
        if made is None:
            raise ConfigurationError(f"scorecard {card}: created_at is empty", remedy="Without calls it needs a date.")
        found.append(GongScorecard(card, name, made, made, tuple(asked.values())))
    return found


def _rows(objects: Mapping[str, ExportFile], name: str) -> list[Row]:
    return objects[name].rows if name in objects else []
