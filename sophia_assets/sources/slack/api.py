"""Slack's methods: limits, paging, and what its refusals mean; items go out as Slack sent them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.limiter import Limiters, RateLimiter
from sophia_assets.ingestion.requesting import Answer, ApiProfile, Outcome, Requester, Verdict, by_status, retry_after
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.ingestion.waiting import wait
from sophia_assets.sources.slack.tables import SYSTEM

if TYPE_CHECKING:
    from sophia_assets.sources.slack.wire import SlackWire

PAGE = 200

# Requests per minute that Slack allows an app of the company's own, per method and workspace.
LIMITS = {
    "auth.test": 600,
    "conversations.list": 20,
    "conversations.history": 50,
    "conversations.replies": 50,
    "users.list": 20,
}
# A little more than the minute, for jitter on the way.
_PER_SECONDS = 60.5

_LOOK_SECONDS = 0.1
_MOST_RESTARTS = 2
# After so many requests in a row that were refused at first, a method's limit is taken to be a standing one.
_REFUSED_IN_A_ROW, _PACED = 2, 10

# The error that a page's cursor is unknown, by which a reader knows to begin again.
INVALID_CURSOR = "invalid_cursor"

_NO_CREDENTIAL = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "user_removed_from_team"}
)
_NO_PERMISSION = frozenset(
    {"missing_scope", "no_permission", "not_allowed_token_type", "access_denied", "ekm_access_denied"}
)
_TRANSIENT = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_WORD = re.compile(r"[a-z0-9_]{1,60}")
_SCOPES = re.compile(r"[a-z0-9_:., ]{1,300}")

Item = Mapping[str, Any]


@dataclass(frozen=True)
class SlackConnection:
    """Where Slack is and how to get in: the bot token of an app that is installed in the workspace."""

    base_url: str = "https://slack.com/api/"
    bot_token: str = field(default="", repr=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> SlackConnection:
        """From SLACK_BASE_URL and SLACK_BOT_TOKEN."""
        return cls(settings.get("SLACK_BASE_URL") or cls.base_url, settings.get("SLACK_BOT_TOKEN", "").strip())


@dataclass(frozen=True)
class Page:
    """One page's items, and the cursor of the next page, empty on the last."""

    items: list[Item]
    next_cursor: str


class SlackApi:
    """One workspace. Thread-safe. Every method raises a SourceError."""

    def __init__(self, connection: SlackConnection, retry: RetryPolicy, limiters: Limiters) -> None:
        base_url = connection.base_url.rstrip("/") + "/"
        self._connection, self._base_url, self._retry = connection, base_url, retry
        account = limiters.account(SYSTEM, base_url, connection.bot_token)
        self._limits = {
            name: account.limiter(name, requests=most, seconds=_PER_SECONDS) for name, most in LIMITS.items()
        }
        self._turns = {name: _Turn(limiter) for name, limiter in self._limits.items()}
        self._requester = Requester(_profile(base_url, retry), self._limits["auth.test"])
        self._wire_made = threading.Lock()

    @property
    def requests_made(self) -> int:
        """Requests so far, repeated ones included."""
        return self._requester.requests_made

    def close(self) -> None:
        """Ends every wait."""
        self._requester.close()

    def whoami(self) -> Item:
        """The token's own user and workspace."""
        return self._call("auth.test", "auth", {})

    def scopes(self) -> frozenset[str]:
        """The scopes that the token was granted; none where Slack does not tell."""
        told = self._answered("auth.test", "auth", {}).headers.get("x-oauth-scopes") or ""
        return frozenset(scope.strip() for scope in told.split(",") if scope.strip())

    def pages(self, method: str, key: str, *, obj: str, params: Mapping[str, Any], cursor: str = "") -> Iterator[Page]:
        """The pages of a list from `cursor` on, or from the first one where that cursor is unknown by now."""
        seen: set[str] = set()
        restarts = 0
        while True:
            try:
                page = self.page(method, key, obj=obj, params=params, cursor=cursor)
            except ResponseInvalid as error:
                if error.code != INVALID_CURSOR or not cursor or restarts == _MOST_RESTARTS:
                    raise
                cursor, restarts, seen = "", restarts + 1, set()
                continue
            yield page
            if not page.next_cursor:
                return
            seen.add(cursor)
            cursor = page.next_cursor
            if cursor in seen:
                raise misshapen("repeats a page's cursor", obj)

    def page(self, method: str, key: str, *, obj: str, params: Mapping[str, Any], cursor: str = "") -> Page:
        """The page at `cursor`, the first one by default."""
        asked = {**params, "limit": PAGE} | ({"cursor": cursor} if cursor else {})
        answer = self._call(method, obj, asked)
        items = answer.get(key)
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise misshapen(f"answered {method} without a list of `{key}`", obj)
        metadata = answer.get("response_metadata")
        following = metadata.get("next_cursor") if isinstance(metadata, Mapping) else None
        if following is not None and not isinstance(following, str):
            raise misshapen("gave a cursor that is no text", obj)
        if answer.get("has_more") and not following:
            raise misshapen(f"says that {method} has more, and not how to get it", obj)
        return Page(items, following or "")

    def _call(self, method: str, obj: str, params: Mapping[str, Any]) -> Item:
        found: Item = self._answered(method, obj, params).body
        return found

    def _answered(self, method: str, obj: str, params: Mapping[str, Any]) -> Answer:
        turn = self._turns[method]

        def send(seconds: float) -> Answer:
            answer = self._wire.send(method, params, seconds)
            if answer.status == 429:
                turn.refused(retry_after(answer.headers))
            return answer

        with turn.taken():
            answer = self._requester.ask(send, obj=obj, limits={self._limits[method]: 1.0})
        assert answer is not None, "no answer of Slack counts as empty"
        return answer

    @property
    def _wire(self) -> SlackWire:
        with self._wire_made:
            return self._made_wire

    @cached_property
    def _made_wire(self) -> SlackWire:
        from sophia_assets.sources.slack.wire import SlackWire

        return SlackWire(self._base_url, self._connection.bot_token, self._retry)


class _Turn:
    """Has the requests of a method take turns once Slack has refused one, and keeps the pace that it then shows.

    Where it answers once a minute, requests side by side would all be refused again but for one, and the
    last of them would wait longer than a request may. Refused every time, they keep the told distance by
    themselves; every tenth does not, to notice that the limit has gone.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._crowded = False
        self._told: float | None = None
        self._in_a_row = 0
        self._paced = 0
        self._distance = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A block in which this thread's request may be on its way."""
        if not self._crowded:
            yield
            return
        while not self._lock.acquire(timeout=_LOOK_SECONDS):
            wait(0)
        try:
            self._told = None
            yield
            self._keep_pace()
        finally:
            self._lock.release()

    def refused(self, seconds: float | None) -> None:
        """Slack wants to be asked again after so long."""
        self._crowded, self._told = True, seconds

    def _keep_pace(self) -> None:
        if self._told is not None:
            self._in_a_row, self._distance = self._in_a_row + 1, self._told
        elif not self._paced:
            self._in_a_row = 0
        self._paced = (self._paced + 1) % _PACED if self._in_a_row >= _REFUSED_IN_A_ROW else 0
        if self._paced:
            self._limiter.pause(self._distance)


def misshapen(what: str, obj: str) -> ResponseInvalid:
    """The error of an answer that is shaped otherwise than Slack promises; `what` completes "Slack ..."."""
    return ResponseInvalid(
        f"Slack {what}", system=SYSTEM, obj=obj, remedy="Run again; if it lasts, check SLACK_BASE_URL"
    )


def _profile(base_url: str, retry: RetryPolicy) -> ApiProfile:
    return ApiProfile(
        system=SYSTEM,
        label="Slack",
        base_url=base_url,
        base_url_setting="SLACK_BASE_URL",
        credential_remedy="Check SLACK_BOT_TOKEN: api.slack.com/apps > the app > OAuth & Permissions shows it",
        permission_remedy="Add the scope under OAuth & Permissions of the app behind SLACK_BOT_TOKEN, and reinstall it",
        classify=_classify,
        retry=retry,
    )


def _classify(answer: Answer) -> Verdict:
    """Slack answers 200 to nearly everything: `ok` and `error` say what it means."""
    body = answer.body if isinstance(answer.body, Mapping) else {}
    request_id = answer.headers.get("x-slack-req-id") or None
    error = body.get("error")
    code = error if isinstance(error, str) and _WORD.fullmatch(error) else None
    if answer.status != 200 or answer.torn:
        return by_status(answer, code or "", request_id, code=code)
    if body.get("ok") is True:
        return Verdict(Outcome.OK, request_id=request_id)
    message = code or "an answer that is neither ok nor an error"
    if code == "ratelimited":
        outcome = Outcome.LIMITED
    elif code in _NO_CREDENTIAL:
        outcome = Outcome.NO_CREDENTIAL
    elif code in _NO_PERMISSION:
        outcome = Outcome.NO_PERMISSION
        needed = str(body.get("needed", ""))
        message += f": it needs {needed}" if _SCOPES.fullmatch(needed) else ""
    elif code in _TRANSIENT:
        outcome = Outcome.TRANSIENT
    else:
        outcome = Outcome.INVALID
    return Verdict(outcome, message, request_id, code)
