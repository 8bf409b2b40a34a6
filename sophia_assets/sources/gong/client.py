"""Reads Gong into rows, in as few requests as its three a second make worth while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.declarations import (
    Checkpoint,
    CompleteSet,
    CompleteSpan,
    ReadItem,
    ReplacedChildren,
    Rows,
    Through,
    Window,
)
from sophia_assets.sources.gong import rows
from sophia_assets.sources.gong.api import GongApi, GongConnection, Item, stamp
from sophia_assets.sources.gong.permissions import permissions
from sophia_assets.sources.gong.tables import SYSTEM
from sophia_assets.sources.permissions import Told

# Media is not asked for: its addresses are signed anew in every answer.
_SELECTED = {
    "context": "Extended",
    "exposedFields": {
        "parties": True,
        "content": {"trackers": True},
        "interaction": {"speakers": True, "personInteractionStats": True, "questions": True},
    },
}
_PER_CALL: dict[str, Callable[[Item], list[rows.Row]]] = {
    "call_trackers": rows.tracker_rows,
    "call_parties": rows.party_rows,
    "call_interaction": rows.interaction_rows,
}
_THE_CALL = Through("gong.calls", "call_id")

_DAY = timedelta(days=1)
# How far back a first load asks for activity, and how much of it at once: one request per 100 users.
_ACTIVITY_HISTORY, _ACTIVITY_SLICE = timedelta(days=184), timedelta(days=190)

CONNECTION = GongConnection


def create_source(
    connection: GongConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> GongSource:
    """A client for the company's Gong; nothing is contacted yet."""
    return GongSource(connection, retry=retry, limiters=limiters)


class GongSource:
    """Gong as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(
        self, connection: GongConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
    ) -> None:
        self._api = GongApi(connection, retry or RetryPolicy(), limiters)

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._api.requests_made

    def close(self) -> None:
        """Ends waits and closes idle connections."""
        self._api.close()

    def permissions(self) -> Iterator[Told]:
        """What the credential may read, asked as cheaply as can be. Raises a SourceError."""
        return permissions(self._api)

    def ping(self) -> str:
        """See `Source.ping`."""
        self._api.get("/v2/users", "users")
        return f"Gong answers at {self._api.base_url} and accepts the access key"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. Calls and transcripts are read by when the call began, reviews by when they were
        published, activity by day; everything else whole."""
        match group:
            case "users":
                yield from self._users(resume)
            case "workspaces":
                yield from self._snapshot("/v2/workspaces", "workspaces", {"workspaces": rows.workspace_rows})
            case "trackers":
                yield from self._snapshot("/v2/settings/trackers", "keywordTrackers", {"trackers": rows.keyword_rows})
            case "scorecards":
                tables = {"scorecards": rows.scorecard_rows, "scorecard_questions": rows.question_rows}
                yield from self._snapshot("/v2/settings/scorecards", "scorecards", tables)
            case "calls":
                yield from self._calls(window, resume)
            case "transcripts":
                yield from self._transcripts(window, resume)
            case "scorecard_answers":
                yield from self._scorecard_answers(window, resume)
            case "user_activity":
                yield from self._user_activity(window, resume)
            case _:
                raise KeyError(group)

    def _snapshot(
        self, path: str, key: str, tables: Mapping[str, Callable[[Item], list[rows.Row]]]
    ) -> Iterator[ReadItem]:
        found = self._api.get(path, key)
        for table, rows_of in tables.items():
            yield Rows(table, [row for item in found for row in rows_of(item)])
            yield CompleteSet(table)

    def _users(self, resume: Any) -> Iterator[ReadItem]:
        for users, behind in self._pages("GET", "/v2/users", "users", {}, resume):
            yield Rows("users", [rows.user_row(user) for user in users])
            yield Checkpoint(behind)
        yield CompleteSet("users")

    def _calls(self, window: Window, resume: Any) -> Iterator[ReadItem]:
        body = {"filter": _began_in(window), "contentSelector": _SELECTED}
        for calls, behind in self._pages("POST", "/v2/calls/extensive", "calls", body, resume):
            yield Rows("calls", [rows.call_row(call) for call in calls])
            identifiers = [str(call["metaData"]["id"]) for call in calls]
            for table, rows_of in _PER_CALL.items():
                yield Rows(table, [row for call in calls for row in rows_of(call)])
                yield ReplacedChildren(table, "call_id", identifiers)
            yield Checkpoint(behind)
        yield CompleteSpan("calls", "started_at", window.start, window.end)
        for table in _PER_CALL:
            yield CompleteSpan(table, "started_at", window.start, window.end, _THE_CALL)

    def _transcripts(self, window: Window, resume: Any) -> Iterator[ReadItem]:
        body = {"filter": _began_in(window)}
        for transcripts, behind in self._pages("POST", "/v2/calls/transcript", "callTranscripts", body, resume):
            yield Rows("transcripts", [row for transcript in transcripts for row in rows.sentence_rows(transcript)])
            yield ReplacedChildren("transcripts", "call_id", [str(item["callId"]) for item in transcripts])
            yield Checkpoint(behind)
        yield CompleteSpan("transcripts", "started_at", window.start, window.end, _THE_CALL)

    def _scorecard_answers(self, window: Window, resume: Any) -> Iterator[ReadItem]:
        """Gong filters by days of the company's time zone, so a day more is asked for at either end."""
        wanted = {"reviewToDate": _date(window.end + 2 * _DAY), "reviewMethod": "BOTH"}
        if window.start is not None:
            wanted["reviewFromDate"] = _date(window.start - _DAY)
        path, key = "/v2/stats/activity/scorecards", "answeredScorecards"
        for reviews, behind in self._pages("POST", path, key, {"filter": wanted}, resume):
            inside = [review for review in reviews if _lies_in(review.get("reviewTime"), window)]
            yield Rows("scorecard_answers", [row for review in inside for row in rows.answer_rows(review)])
            identifiers = [str(review["answeredScorecardId"]) for review in inside]
            yield ReplacedChildren("scorecard_answers", "review_id", identifiers)
            yield Checkpoint(behind)
        yield CompleteSpan("scorecard_answers", "reviewed_at", window.start, window.end)

    def _user_activity(self, window: Window, resume: Any) -> Iterator[ReadItem]:
        """Slice by slice; as for reviews, a day more is asked for at either end."""
        start = window.start or window.end - _ACTIVITY_HISTORY
        asked = Window(start, window.end)
        position = resume if isinstance(resume, Mapping) else {}
        first = date.fromisoformat(position["from"]) if "from" in position else (start - _DAY).date()
        last = (window.end + 2 * _DAY).date()
        while first < last:
            # A day that is still going on may not be asked for; until noon UTC that may be yesterday in the company.
            today = datetime.now(UTC).date()
            until = min(first + _ACTIVITY_SLICE, last, today)
            if until <= first:
                break
            try:
                yield from self._activity_slice(first, until, asked, position)
            except ResponseInvalid:
                if until < today:
                    raise
                last = until - _DAY
                continue
            first, position = until, {}
        yield CompleteSpan("user_activity", "day_began_at", start, window.end)

    def _activity_slice(
        self, first: date, until: date, asked: Window, position: Mapping[str, Any]
    ) -> Iterator[ReadItem]:
        body = {"filter": {"fromDate": first.isoformat(), "toDate": until.isoformat()}}
        path, key = "/v2/stats/activity/day-by-day", "usersDetailedActivities"
        for users, behind in self._pages("POST", path, key, body, position):
            found = [row for user in users for row in rows.activity_rows(user)]
            yield Rows("user_activity", [row for row in found if _lies_in(row["day_began_at"], asked)])
            yield Checkpoint({"from": first.isoformat(), **behind})
        yield Checkpoint({"from": until.isoformat()})

    def _pages(
        self, method: str, path: str, key: str, body: Mapping[str, Any], resume: Any
    ) -> Iterator[tuple[list[Item], dict[str, Any]]]:
        """Each page's items, and the position behind it."""
        position = resume if isinstance(resume, Mapping) else {}
        if position.get("done"):
            return
        for page in self._api.pages(method, path, key, body, position.get("cursor")):
            yield page.items, {"cursor": page.cursor} if page.cursor else {"done": True}


def _began_in(window: Window) -> dict[str, str]:
    """Gong's filter for calls: from inclusive, to exclusive, both by when the call began."""
    bounds = {"toDateTime": stamp(window.end)}
    if window.start is not None:
        bounds["fromDateTime"] = stamp(window.start)
    return bounds


def _date(value: datetime) -> str:
    return value.astimezone(UTC).date().isoformat()


def _lies_in(moment: Any, window: Window) -> bool:
    """Whether Gong's moment lies in the window; what has none is kept, so that a check can point at it."""
    if not moment:
        return True
    value = datetime.fromisoformat(str(moment))
    return (window.start is None or value >= window.start) and value < window.end
