"""How Gong's answers become rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]

_CALL_COLUMNS = {
    "id": "call_id",
    "title": "title",
    "started": "started_at",
    "duration": "duration_s",
    "direction": "direction",
    "primaryUserId": "primary_user_id",
    "url": "url",
}
_CRM = "HubSpot"
_PARTY_FIELDS = ("speakerId", "userId", "affiliation", "title")


def call_row(call: Mapping[str, Any]) -> Row:
    """A call as a row; the rest of its metadata, and who took part, without names, end up in `_extra`."""
    metadata = call["metaData"]
    found: Row = {column: metadata.get(name) for name, column in _CALL_COLUMNS.items()}
    found |= {name: value for name, value in metadata.items() if name not in _CALL_COLUMNS and value not in (None, "")}
    company, deal = _linked(call, "Account"), _linked(call, "Opportunity")
    found["company_id"] = company.get("objectId")
    found["company_name"] = _field(company, "name")
    found["deal_id"] = deal.get("objectId")
    parties = [{name: party.get(name) for name in _PARTY_FIELDS} for party in call.get("parties") or ()]
    if parties:
        found["parties"] = parties
    return found


def tracker_rows(call: Mapping[str, Any]) -> list[Row]:
    """The call's trackers that were heard at least once."""
    identifier = call["metaData"]["id"]
    hits: dict[str, int] = {}
    for tracker in (call.get("content") or {}).get("trackers") or ():
        hits[tracker["name"]] = hits.get(tracker["name"], 0) + int(tracker.get("count") or 0)
    return [{"call_id": identifier, "tracker": name, "hits": count} for name, count in hits.items() if count > 0]


def sentence_rows(transcript: Mapping[str, Any]) -> list[Row]:
    """The transcript's sentences in the order in which they were spoken."""
    identifier = str(transcript["callId"])
    spoken = (
        (passage, sentence)
        for passage in transcript.get("transcript") or ()
        for sentence in passage.get("sentences") or ()
    )
    return [
        {
            "call_id": identifier,
            "position": position,
            "speaker_id": passage.get("speakerId"),
            "topic": passage.get("topic"),
            "start_ms": sentence.get("start"),
            "end_ms": sentence.get("end"),
            "text": sentence.get("text"),
        }
        for position, (passage, sentence) in enumerate(spoken)
    ]


def user_row(user: Mapping[str, Any]) -> Row:
    """A user as a row."""
    return {
        "user_id": user["id"],
        "email": user.get("emailAddress"),
        "first_name": user.get("firstName"),
        "last_name": user.get("lastName"),
        "title": user.get("title"),
        "manager_id": user.get("managerId"),
        "active": user.get("active"),
        "created_at": user.get("created"),
    }


def _linked(call: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The first CRM object of that kind which Gong linked the call to; of two timings, the present one."""
    found = [
        linked
        for context in call.get("context") or ()
        if context.get("system") == _CRM
        for linked in context.get("objects") or ()
        if linked.get("objectType") == kind and linked.get("objectId")
    ]
    return min(found, key=lambda linked: linked.get("timing") == "TimeOfCall", default={})


def _field(linked: Mapping[str, Any], name: str) -> str | None:
    fields: Iterable[Mapping[str, Any]] = linked.get("fields") or ()
    return next((f.get("value") for f in fields if str(f.get("name", "")).lower() == name), None)
