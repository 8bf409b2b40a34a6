"""How Gong writes calls, their content, transcripts and users."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from sophia_assets.sandbox.company_data import GongCall, GongUser
from sophia_assets.sandbox.standins.answers import random_id, second_stamp
from sophia_assets.sandbox.standins.gong.interaction import measures, questions, speakers


def metadata(call: GongCall, workspace_id: str) -> dict[str, Any]:
    """A call as `GET /v2/calls` lists it."""
    started = second_stamp(call.started)
    return {
        "id": call.id,
        "url": f"https://app.gong.io/call?id={call.id}",
        "title": call.title,
        "scheduled": started,
        "started": started,
        "duration": call.duration_s,
        "primaryUserId": call.primary_user_id,
        "direction": call.direction,
        "system": "Zoom",
        "scope": "External" if call.account_id or call.account_name else "Unknown",
        "media": "Video",
        "language": "eng",
        "workspaceId": workspace_id,
        "sdrDisposition": None,
        "clientUniqueId": None,
        "customData": None,
        "purpose": None,
        "meetingUrl": None,
        "isPrivate": False,
        "calendarEventId": None,
    }


def extensive(call: GongCall, workspace_id: str, selector: Mapping[str, Any]) -> dict[str, Any]:
    """A call as `POST /v2/calls/extensive` gives it; `selector` is the request's contentSelector."""
    exposed = _section(selector, "exposedFields")
    answer: dict[str, Any] = {"metaData": metadata(call, workspace_id)}
    if selector.get("context", "None") != "None":
        answer["context"] = _context(call, fields=selector["context"] == "Extended")
    if exposed.get("parties"):
        answer["parties"] = call.parties
    if content := _content(call, _section(exposed, "content")):
        answer["content"] = content
    if interaction := _interaction(call, _section(exposed, "interaction")):
        answer["interaction"] = interaction
    if _section(exposed, "collaboration").get("publicComments"):
        answer["collaboration"] = {"publicComments": []}
    if exposed.get("media"):
        answer["media"] = _media(call)
    return answer


def _section(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, Mapping) else {}


def _context(call: GongCall, *, fields: bool) -> list[dict[str, Any]]:
    objects = []
    if call.account_id:
        named = [{"name": "Name", "value": call.account_name}] if fields and call.account_name else []
        objects.append({"objectType": "Account", "objectId": call.account_id, "fields": named, "timing": "Now"})
    if call.deal_id:
        objects.append({"objectType": "Opportunity", "objectId": call.deal_id, "fields": [], "timing": "Now"})
    return [{"system": "HubSpot", "objects": objects}] if objects else []


def _content(call: GongCall, wanted: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if wanted.get("structure"):
        content["structure"] = []
    if wanted.get("trackers"):
        content["trackers"] = [_tracker(name, count) for name, count in call.trackers.items()]
    if wanted.get("topics"):
        content["topics"] = [{"name": name, "duration": duration} for name, duration in _topics(call).items()]
    return content


def tracker_id(name: str) -> str:
    """The id of the tracker of that name."""
    return str(zlib.crc32(name.encode()) * 1_000_000_007)


def _tracker(name: str, count: int) -> dict[str, Any]:
    return {"id": tracker_id(name), "name": name, "count": count, "type": "KEYWORD", "occurrences": [], "phrases": []}


def _topics(call: GongCall) -> dict[str, int]:
    spent: dict[str, int] = {}
    for _, topic, start, end, _ in call.sentences:
        spent[topic] = spent.get(topic, 0) + end - start
    return {topic: milliseconds // 1000 for topic, milliseconds in spent.items()}


def _interaction(call: GongCall, wanted: Mapping[str, Any]) -> dict[str, Any]:
    interaction: dict[str, Any] = {}
    if wanted.get("speakers"):
        interaction["speakers"] = speakers(call)
    if wanted.get("personInteractionStats"):
        interaction["interactionStats"] = [{"name": name, "value": value} for name, value in measures(call).items()]
    if wanted.get("questions") and call.sentences:
        interaction["questions"] = questions(call)
    if wanted.get("video"):
        interaction["video"] = []
    return interaction


def _media(call: GongCall) -> dict[str, Any]:
    # Signed anew for every answer, as the vendor does.
    signature = random_id(24)
    return {
        kind: f"https://media.gong.io/{call.id}.{suffix}?signature={signature}"
        for kind, suffix in (("audioUrl", "mp3"), ("videoUrl", "mp4"))
    }


def transcript(call: GongCall) -> dict[str, Any]:
    """A call's transcript: one entry per stretch of one speaker on one topic."""
    return {
        "callId": call.id,
        "transcript": [
            {
                "speakerId": speaker,
                "topic": topic,
                "sentences": [{"start": start, "end": end, "text": text} for _, _, start, end, text in spoken],
            }
            for (speaker, topic), spoken in groupby(call.sentences, key=lambda sentence: (sentence[0], sentence[1]))
        ],
    }


def user(person: GongUser) -> dict[str, Any]:
    """A user as the API lists it."""
    return {
        "id": person.id,
        "emailAddress": person.email,
        "created": second_stamp(person.created),
        "active": person.active,
        "emailAliases": [],
        "trustedEmailAddress": None,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "title": person.title,
        "phoneNumber": None,
        "extension": None,
        "personalMeetingUrls": [],
        "settings": {
            "webConferencesRecorded": True,
            "preventWebConferenceRecording": False,
            "telephonyCallsImported": True,
            "emailsImported": True,
            "preventEmailImport": False,
            "nonRecordedMeetingsImported": False,
            "gongConnectEnabled": True,
        },
        "managerId": person.manager_id,
        "meetingConsentPageUrl": None,
        "conferencingProviders": [],
        "spokenLanguages": [{"language": "eng", "primary": True}],
    }
