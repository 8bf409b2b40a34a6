"""What a client may ask of Gong: the filters of its requests, read and checked as the vendor does."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import orjson

from sophia_assets.sandbox.standins.answers import random_id

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REVIEW_METHODS = ("AUTOMATIC", "MANUAL", "BOTH")


class Refused(Exception):
    """A request that is answered with 400."""


@dataclass(frozen=True)
class Asked:
    """A request without its cursor, by a fingerprint of its path and content; `cursor` is the one it came with.

    Where nothing is `filtered`, an empty list is an answer; otherwise it is a 404.
    """

    fingerprint: str
    cursor: Any = None
    filtered: bool = True

    @classmethod
    def of(cls, path: str, content: Mapping[str, Any], *, filtered: bool = True) -> Asked:
        """From a path and a body, or the parameters of a query."""
        rest = {name: value for name, value in content.items() if name != "cursor"}
        text = path.encode() + orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)
        return cls(hashlib.blake2s(text, digest_size=6).hexdigest(), content.get("cursor"), filtered)

    def start(self, total: int) -> int:
        """Where the page that the cursor leads to begins. Raises Refused for one of another request."""
        if not self.cursor:
            return 0
        try:
            position, fingerprint, _ = base64.urlsafe_b64decode(str(self.cursor)).decode().split(".")
            start = int(position)
        except ValueError:
            raise Refused("The cursor is invalid") from None
        if fingerprint != self.fingerprint or not 0 <= start < total:
            raise Refused("The cursor is invalid: it belongs to another request")
        return start

    def cursor_to(self, position: int) -> str:
        """An opaque cursor, never the same twice, to the page that begins at `position`."""
        return base64.urlsafe_b64encode(f"{position:07d}.{self.fingerprint}.{random_id(4)}".encode()).decode()


@dataclass(frozen=True)
class CallFilter:
    """Which calls a request asks for; None does not restrict. `until` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    workspace: str | None = None
    calls: frozenset[str] | None = None
    hosts: frozenset[str] | None = None


@dataclass(frozen=True)
class DayFilter:
    """Days of the company's time zone, [since, until), and whose; None does not restrict."""

    since: date | None
    until: date | None
    users: frozenset[str] | None = None


@dataclass(frozen=True)
class ReviewFilter:
    """Which reviews a request asks for, by the day of the review and by that of the call."""

    reviewed: DayFilter
    called: DayFilter
    method: str
    scorecards: frozenset[str] | None


def required_filter(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body's `filter`, which must be there."""
    wanted = body.get("filter")
    if not isinstance(wanted, Mapping):
        raise Refused("filter: must not be null")
    return wanted


def call_filter(given: Mapping[str, Any]) -> CallFilter:
    """A filter of calls. Raises Refused."""
    since, until = _moment(given, "fromDateTime"), _moment(given, "toDateTime")
    if since is not None and until is not None and since > until:
        raise Refused("fromDateTime must not be later than toDateTime")
    return CallFilter(
        since, until, given.get("workspaceId") or None, ids(given, "callIds"), ids(given, "primaryUserIds")
    )


def activity_filter(given: Mapping[str, Any], today: date) -> DayFilter:
    """A filter of users' days, none of them after `today`, the company's. Raises Refused."""
    for name in ("fromDate", "toDate"):
        if not given.get(name):
            raise Refused(f"filter.{name}: must not be null")
    found = DayFilter(_day(given, "fromDate"), _day(given, "toDate"), ids(given, "userIds"))
    assert found.since and found.until
    if found.since > found.until:
        raise Refused("fromDate must not be later than toDate")
    if found.until > today:
        raise Refused("toDate must not exceed the current day")
    return found


def review_filter(given: Mapping[str, Any]) -> ReviewFilter:
    """A filter of answered scorecards. Raises Refused."""
    method = given.get("reviewMethod") or "MANUAL"
    if method not in _REVIEW_METHODS:
        raise Refused(f"filter.reviewMethod: must be one of {', '.join(_REVIEW_METHODS)}")
    users = ids(given, "reviewedUserIds")
    return ReviewFilter(
        DayFilter(_day(given, "reviewFromDate"), _day(given, "reviewToDate"), users),
        DayFilter(_day(given, "callFromDate"), _day(given, "callToDate")),
        method,
        ids(given, "scorecardIds"),
    )


def ids(given: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """A list of ids, or None where it is missing or empty. Raises Refused."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Refused(f"{name}: must be a list of ids")
    return frozenset(str(item) for item in value) if value else None


def check_selector(selector: Any) -> None:
    """Check a request's contentSelector. Raises Refused."""
    if not isinstance(selector, Mapping):
        raise Refused("contentSelector: must be an object")
    context = selector.get("context", "None")
    if context not in ("None", "Basic", "Extended"):
        raise Refused(f"contentSelector.context: unknown value '{context}'")
    if selector.get("contextTiming") and context != "Extended":
        raise Refused("contentSelector.contextTiming: can be given only with the context 'Extended'")
    exposed = selector.get("exposedFields") or {}
    if not isinstance(exposed, Mapping):
        raise Refused("contentSelector.exposedFields: must be an object")
    for name in ("content", "interaction", "collaboration"):
        if exposed.get(name) is not None and not isinstance(exposed[name], Mapping):
            raise Refused(f"contentSelector.exposedFields.{name}: must be an object")
    for name in ("parties", "media"):
        if exposed.get(name) is not None and not isinstance(exposed[name], bool):
            raise Refused(f"contentSelector.exposedFields.{name}: must be true or false")


def _moment(given: Mapping[str, Any], name: str) -> datetime | None:
    text = given.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused(f"{name}: '{text}' is not an ISO-8601 date-time with an offset")
    return moment.astimezone(UTC)


def _day(given: Mapping[str, Any], name: str) -> date | None:
    text = given.get(name)
    if not text:
        return None
    try:
        # A moment is refused too: these filters know days alone.
        return date.fromisoformat(str(text)) if _DATE.fullmatch(str(text)) else _no_date(name, text)
    except ValueError:
        return _no_date(name, text)


def _no_date(name: str, text: Any) -> date:
    raise Refused(f"filter.{name}: '{text}' is not a date such as 2019-01-20")
