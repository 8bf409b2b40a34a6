"""How Gong's answers become rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sophia_assets.sources.gong.tables import ACTIVITIES

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
_MEASURES = {
    "Talk Ratio": "talk_ratio",
    "Longest Monologue": "longest_monologue_s",
    "Longest Customer Story": "longest_customer_story_s",
    "Interactivity": "interactivity",
    "Patience": "patience",
}


def call_row(call: Mapping[str, Any]) -> Row:
    """A call as a row; the rest of its metadata ends up in `_extra`."""
    metadata = call["metaData"]
    found: Row = {column: metadata.get(name) for name, column in _CALL_COLUMNS.items()}
    found |= {name: value for name, value in metadata.items() if name not in _CALL_COLUMNS and value not in (None, "")}
    company, deal = _linked(call, "Account"), _linked(call, "Opportunity")
    found["company_id"] = company.get("objectId")
    found["company_name"] = _field(company, "name")
    found["deal_id"] = deal.get("objectId")
    return found


def tracker_rows(call: Mapping[str, Any]) -> list[Row]:
    """The call's trackers that were heard at least once."""
    identifier = call["metaData"]["id"]
    hits: dict[str, int] = {}
    for tracker in (call.get("content") or {}).get("trackers") or ():
        hits[tracker["name"]] = hits.get(tracker["name"], 0) + int(tracker.get("count") or 0)
    return [{"call_id": identifier, "tracker": name, "hits": count} for name, count in hits.items() if count > 0]


def party_rows(call: Mapping[str, Any]) -> list[Row]:
    """Who took part in the call, or was invited to it, and how long each spoke."""
    identifier = call["metaData"]["id"]
    spoken = {
        str(speaker["id"]): speaker.get("talkTime")
        for speaker in (call.get("interaction") or {}).get("speakers") or ()
        if speaker.get("id")
    }
    found: dict[str, Row] = {}
    for place, party in enumerate(call.get("parties") or ()):
        speaker = party.get("speakerId")
        # A participant whom Gong did not recognise may lack an id of their own.
        key = str(party.get("id") or speaker or f"{identifier}-{place}")
        found[key] = {
            "call_id": identifier,
            "party_id": key,
            "user_id": party.get("userId"),
            "email": party.get("emailAddress"),
            "name": party.get("name"),
            "title": party.get("title"),
            "affiliation": party.get("affiliation"),
            "speaker_id": speaker,
            "talk_s": spoken.get(key, spoken.get(str(speaker))),
        }
    return list(found.values())


def interaction_rows(call: Mapping[str, Any]) -> list[Row]:
    """What Gong measured of the call; nothing where it has not, or not yet."""
    interaction = call.get("interaction") or {}
    measured = {
        _MEASURES[stat["name"]]: stat.get("value")
        for stat in interaction.get("interactionStats") or ()
        if stat.get("name") in _MEASURES
    }
    questions = interaction.get("questions") or {}
    measured["company_questions"] = questions.get("companyCount")
    measured["customer_questions"] = questions.get("nonCompanyCount")
    if all(value is None for value in measured.values()):
        return []
    return [{"call_id": call["metaData"]["id"], **measured}]


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


def workspace_rows(workspace: Mapping[str, Any]) -> list[Row]:
    """A workspace as a row."""
    renamed = {"id": "workspace_id"}
    return [{renamed.get(name, name): value for name, value in workspace.items()}]


def keyword_rows(tracker: Mapping[str, Any]) -> list[Row]:
    """A keyword tracker's settings as a row."""
    renamed = {
        "trackerId": "tracker_id",
        "trackerName": "name",
        "workspaceId": "workspace_id",
        "languageKeywords": "keywords",
        "saidAt": "said_at",
        "partOfQuestion": "part_of_question",
        "creatorUserId": "creator_id",
        "created": "created_at",
        "updated": "updated_at",
    }
    return [{renamed.get(name, name): value for name, value in tracker.items() if value not in (None, "")}]


def scorecard_rows(scorecard: Mapping[str, Any]) -> list[Row]:
    """A scorecard, without its questions, as a row."""
    return [
        {
            "scorecard_id": scorecard["scorecardId"],
            "name": scorecard.get("scorecardName"),
            "workspace_id": scorecard.get("workspaceId"),
            "enabled": scorecard.get("enabled"),
            "review_method": scorecard.get("reviewMethod"),
            "updater_id": scorecard.get("updaterUserId"),
            "created_at": scorecard.get("created"),
            "updated_at": scorecard.get("updated"),
        }
    ]


def question_rows(scorecard: Mapping[str, Any]) -> list[Row]:
    """A scorecard's questions as rows."""
    return [
        {
            "scorecard_id": scorecard["scorecardId"],
            "question_id": question["questionId"],
            "revision_id": question.get("questionRevisionId"),
            "text": question.get("questionText"),
            "type": question.get("questionType"),
            "is_overall": question.get("isOverall"),
            "min_score": question.get("minRange"),
            "max_score": question.get("maxRange"),
            "options": question.get("answerOptions"),
        }
        for question in scorecard.get("questions") or ()
    ]


def answer_rows(review: Mapping[str, Any]) -> list[Row]:
    """An answered scorecard's answers as rows."""
    shared = {
        "review_id": review["answeredScorecardId"],
        "scorecard_id": review.get("scorecardId"),
        "scorecard_name": review.get("scorecardName"),
        "call_id": review.get("callId"),
        "call_started_at": review.get("callStartTime"),
        "reviewed_user_id": review.get("reviewedUserId"),
        "reviewer_id": review.get("reviewerUserId"),
        "review_method": review.get("reviewMethod"),
        "reviewed_at": review.get("reviewTime"),
    }
    return [
        {
            **shared,
            "question_id": answer["questionId"],
            "question_revision_id": answer.get("questionRevisionId"),
            "is_overall": answer.get("isOverall"),
            "score": answer.get("score"),
            "answer_text": answer.get("answerText"),
            "not_applicable": answer.get("notApplicable"),
            "selected_options": answer.get("selectedOptions"),
        }
        for answer in review.get("answers") or ()
    ]


def activity_rows(user: Mapping[str, Any]) -> list[Row]:
    """A user's days on which there was any activity, as rows; Gong lists the others only for some users."""
    found = []
    for stats in user.get("userDailyActivityStats") or ():
        counts = {column.name: len(stats.get(name) or ()) for name, column in ACTIVITIES.items()}
        if any(counts.values()):
            began = stats["fromDate"]
            found.append({"user_id": user["userId"], "day": began[:10], "day_began_at": began, **counts})
    return found


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
