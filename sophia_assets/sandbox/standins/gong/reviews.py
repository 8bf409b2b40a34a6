"""How Gong writes scorecards, their answers, trackers, and what its users do day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets.sandbox.company_data import GongCall, GongReview, GongScorecard, GongUser
from sophia_assets.sandbox.standins.answers import second_stamp
from sophia_assets.sandbox.standins.gong.content import tracker_id
from sophia_assets.sandbox.standins.gong.filters import DayFilter, ReviewFilter

_DAY = timedelta(days=1)
_LOWEST, _HIGHEST = 1, 5
# Whatever else Gong counts of its users, nobody in these companies does.
_ACTIVITIES = (
    "callsAsHost", "callsGaveFeedback", "callsRequestedFeedback", "callsReceivedFeedback", "ownCallsListenedTo",
    "othersCallsListenedTo", "callsSharedInternally", "callsSharedExternally", "callsAttended", "callsCommentsGiven",
    "callsCommentsReceived", "callsMarkedAsFeedbackGiven", "callsMarkedAsFeedbackReceived", "callsScorecardsFilled",
    "callsScorecardsReceived",
)  # fmt: skip

UserDays = Mapping[str, Mapping[date, Mapping[str, list[str]]]]


def scorecard(card: GongScorecard, workspace_id: str) -> dict[str, Any]:
    """A scorecard as the settings list it."""
    return {
        "scorecardId": card.id,
        "scorecardName": card.name,
        "workspaceId": workspace_id,
        "enabled": card.enabled,
        "updaterUserId": None,
        "created": second_stamp(card.created),
        "updated": second_stamp(card.updated),
        "reviewMethod": card.method,
        "questions": [
            {
                "questionId": question.id,
                "questionRevisionId": question.id,
                "questionText": question.text,
                "isOverall": question.is_overall,
                "questionType": question.kind,
                "answerGuide": None,
                "minRange": _LOWEST if question.kind == "RANGE" else None,
                "maxRange": _HIGHEST if question.kind == "RANGE" else None,
                "answerOptions": None,
            }
            for question in card.questions
        ],
    }


def tracker(name: str, workspace_id: str, created: datetime) -> dict[str, Any]:
    """A keyword tracker as the settings list it; it listens for its own name."""
    return {
        "trackerId": tracker_id(name),
        "trackerName": name,
        "workspaceId": workspace_id,
        "languageKeywords": [
            {"language": "eng", "keywords": [name.rpartition(": ")[2].lower()], "includeRelatedForms": True}
        ],
        "affiliation": "Anyone",
        "partOfQuestion": False,
        "saidAt": "Anytime",
        "saidAtInterval": None,
        "saidAtUnit": None,
        "saidInTopics": [],
        "filterQuery": "",
        "created": second_stamp(created),
        "creatorUserId": None,
        "updated": second_stamp(created),
        "updaterUserId": None,
    }


def answered(review: GongReview, call: GongCall, card: GongScorecard) -> dict[str, Any]:
    """An answered scorecard, as the statistics list it."""
    return {
        "answeredScorecardId": review.id,
        "scorecardId": card.id,
        "scorecardName": card.name,
        "callId": call.id,
        "callStartTime": second_stamp(call.started),
        "reviewedUserId": call.primary_user_id,
        "reviewerUserId": review.reviewer_id,
        "reviewMethod": _method(review),
        "editorUserId": None,
        "reviewTime": second_stamp(review.reviewed),
        "visibilityType": "PUBLIC",
        "answers": [
            {
                "questionId": question.id,
                "questionRevisionId": question.id,
                "isOverall": question.is_overall,
                "score": answer if isinstance(answer, int) else None,
                "answerText": answer if isinstance(answer, str) else None,
                "notApplicable": False,
                "selectedOptions": None,
            }
            for question in card.questions
            if (answer := review.answers.get(question.id)) is not None
        ],
    }


def matches(review: GongReview, call: GongCall, wanted: ReviewFilter, zone: ZoneInfo) -> bool:
    """Whether a review is one of those asked for."""
    return (
        wanted.method in ("BOTH", _method(review))
        and (wanted.scorecards is None or review.scorecard_id in wanted.scorecards)
        and (wanted.reviewed.users is None or call.primary_user_id in wanted.reviewed.users)
        and _within(review.reviewed, wanted.reviewed, zone)
        and _within(call.started, wanted.called, zone)
    )


def user_days(calls: Iterable[GongCall], reviews: Iterable[tuple[GongReview, GongCall]], zone: ZoneInfo) -> UserDays:
    """Per user and day of the company's time zone, which calls the user did what with."""
    found: dict[str, dict[date, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for call in calls:
        day = call.started.astimezone(zone).date()
        found[call.primary_user_id][day]["callsAsHost"].append(call.id)
        for party in call.parties:
            user = party.get("userId")
            if user and user != call.primary_user_id:
                found[user][day]["callsAttended"].append(call.id)
    for review, call in reviews:
        day = review.reviewed.astimezone(zone).date()
        found[call.primary_user_id][day]["callsScorecardsReceived"].append(call.id)
        if review.reviewer_id:
            found[review.reviewer_id][day]["callsScorecardsFilled"].append(call.id)
    return found


def active(users: Sequence[GongUser], days: UserDays, wanted: DayFilter) -> list[GongUser]:
    """The users asked for who did anything within the days asked for."""
    assert wanted.since and wanted.until
    return [
        user
        for user in users
        if (wanted.users is None or user.id in wanted.users)
        and any(wanted.since <= day < wanted.until for day in days.get(user.id, ()))
    ]


def day_by_day(user: GongUser, days: UserDays, wanted: DayFilter, zone: ZoneInfo) -> dict[str, Any]:
    """What a user did on each of the days asked for, those without anything included."""
    assert wanted.since and wanted.until
    own = days.get(user.id, {})
    span = [wanted.since + number * _DAY for number in range((wanted.until - wanted.since).days)]
    return {
        "userId": user.id,
        "userEmailAddress": user.email,
        "userDailyActivityStats": [
            {
                **{name: own.get(day, {}).get(name, []) for name in _ACTIVITIES},
                "fromDate": midnight(day, zone).isoformat(),
                "toDate": midnight(day + _DAY, zone).isoformat(),
            }
            for day in span
        ],
    }


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which `day` begins in the company's time zone."""
    return datetime.combine(day, time(), zone)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which `day` ends in the company's time zone."""
    return midnight(day + _DAY, zone).astimezone(UTC)


def _method(review: GongReview) -> str:
    return "MANUAL" if review.reviewer_id else "AUTOMATIC"


def _within(moment: datetime, days: DayFilter, zone: ZoneInfo) -> bool:
    day = moment.astimezone(zone).date()
    return (days.since is None or day >= days.since) and (days.until is None or day < days.until)
