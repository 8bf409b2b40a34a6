"""Asks Gong for as little as each scope allows, and says which scopes are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sophia_assets.sources.gong.api import GongApi, stamp
from sophia_assets.sources.permissions import Budget, Told, tried

_LOOKED_BACK = timedelta(hours=1)


def permissions(api: GongApi) -> Iterator[Told]:
    """One request per scope. Raises a SourceError where Gong does not answer, or does not know the key."""
    now = datetime.now(UTC)
    span = {"filter": {"fromDateTime": stamp(now - _LOOKED_BACK), "toDateTime": stamp(now)}}
    days = {
        "fromDate": (now - timedelta(days=3)).date().isoformat(),
        "toDate": (now.date() - timedelta(days=2)).isoformat(),
    }
    reviews = {"reviewFromDate": days["fromDate"], "reviewToDate": days["toDate"], "reviewMethod": "BOTH"}

    def page(path: str, key: str, body: Mapping[str, Any]) -> Any:
        return next(api.pages("POST", path, key, body), None)

    yield tried("api:users:read", ["gong.users"], lambda: api.get("/v2/users", "users"))
    yield tried("api:workspaces:read", ["gong.workspaces"], lambda: api.get("/v2/workspaces", "workspaces"))
    yield tried(
        "api:settings:trackers:read",
        ["gong.trackers"],
        lambda: api.get("/v2/settings/trackers", "keywordTrackers"),
    )
    yield tried(
        "api:settings:scorecards:read",
        ["gong.scorecards", "gong.scorecard_questions"],
        lambda: api.get("/v2/settings/scorecards", "scorecards"),
    )
    yield tried(
        "api:calls:read:extensive",
        ["gong.calls", "gong.call_trackers", "gong.call_parties", "gong.call_interaction"],
        lambda: page("/v2/calls/extensive", "calls", span | {"contentSelector": {"context": "Extended"}}),
    )
    yield tried(
        "api:calls:read:transcript",
        ["gong.transcripts"],
        lambda: page("/v2/calls/transcript", "callTranscripts", span),
    )
    yield tried(
        "api:stats:scorecards",
        ["gong.scorecard_answers"],
        lambda: page("/v2/stats/activity/scorecards", "answeredScorecards", {"filter": reviews}),
    )
    yield tried(
        "api:stats:user-actions:detailed",
        ["gong.user_activity"],
        lambda: page("/v2/stats/activity/day-by-day", "usersDetailedActivities", {"filter": days}),
    )
    left, limit = api.left_of_day()
    yield Budget("the day's 10,000 requests", left, limit)
