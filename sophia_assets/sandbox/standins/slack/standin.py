"""Slack's Web API: channels, messages, threads, members, the workspace, and posting a message."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, SlackData, SlackMessage
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import retry_after
from sophia_assets.sandbox.standins.faults import Fault, FaultBoard
from sophia_assets.sandbox.standins.limits import RollingLimit
from sophia_assets.sandbox.standins.slack import content
from sophia_assets.sandbox.standins.slack.arguments import (
    Arguments,
    Refused,
    answer,
    cursor,
    failure,
    read_arguments,
    read_cursor,
)
from sophia_assets.sandbox.standins.slack.posting import BOT_ID, Posted
from sophia_assets.sandbox.standins.slack.store import ChannelStore, Workspace, is_reply, micros
from sophia_assets.sandbox.standins.standin import Standin, VendorErrors, base_url

# Requests a minute, per method.
LIMITS = {
    "auth.test": 600,
    "conversations.list": 20,
    "conversations.info": 50,
    "conversations.history": 50,
    "conversations.replies": 50,
    "users.list": 20,
    "users.info": 100,
    "team.info": 50,
}
# Posting has a limit of its own kind, about one message a second in a channel, with room for a burst.
_POSTS_PER_MINUTE = 60
MOST_PER_PAGE = 999
MOST_PER_PAGE_ONE_PER_MINUTE = 15
OLD_THREAD_DAYS = 20
_READING_METHODS = ("conversations.history", "conversations.replies")
_SCOPES = "channels:read,groups:read,users:read,users:read.email,team:read"
# What a method needs that a token without its scope lacks.
_NEEDED = {
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "chat.postMessage": "chat:write",
}
_TYPES = {"public_channel", "private_channel", "mpim", "im"}

Method = Callable[[Arguments], Mapping[str, Any]]


class SlackErrors(VendorErrors):
    """Slack's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused token."""
        return failure("invalid_auth")

    def rate_limited(self, seconds: float) -> Response:
        """The limit is spent."""
        return failure("ratelimited", 429, retry_after(seconds))

    def server_error(self) -> Response:
        """An unexpected failure."""
        return failure("internal_error", 500)


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> SlackStandin:
    """The stand-in for the company's Slack."""
    return SlackStandin(company, credentials.slack_bot_token, faults, limits=limits)


class SlackStandin(Standin):
    """Serves a company's Slack workspace to one bot."""

    system = "slack"
    errors = SlackErrors()

    def __init__(self, company: CompanyData, token: str, faults: FaultBoard, *, limits: bool = True) -> None:
        super().__init__()
        self._token = token
        self._faults = faults
        every = {**LIMITS, "chat.postMessage": _POSTS_PER_MINUTE} if limits else {}
        self._limits = {name: RollingLimit(most, 60.0) for name, most in every.items()}
        self._harsh: dict[tuple[str, float], RollingLimit] = {}
        self._methods: dict[str, Method] = {
            "auth.test": self._auth_test,
            "conversations.list": self._conversations_list,
            "conversations.info": self._conversations_info,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "users.list": self._users_list,
            "users.info": self._users_info,
            "team.info": self._team_info,
            "chat.postMessage": lambda arguments: self.posted.post(arguments),
        }
        self._app = Starlette(routes=[Route("/api/{method:path}", self._answer, methods=["GET", "POST"])])
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its Slack data must not be None."""
        if company.slack is None:
            raise ValueError("the company has no Slack")
        self._data: SlackData = company.slack
        end = datetime.combine(company.last_day + timedelta(days=1), time(), UTC)
        self._workspace = Workspace(company.slack, end)
        self._users = sorted(company.slack.users, key=lambda person: person.id)
        self._bot = next((u for u in self._users if u.is_bot and not u.is_deleted), None)
        self.posted = Posted(self._workspace, self._bot.id if self._bot else None)

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {"SLACK_BASE_URL": base_url(host, port, "/slack/api/"), "SLACK_BOT_TOKEN": self._token}

    def play(self, fault: Fault) -> None:
        """See `Standin.play`."""
        happenings = {
            "old_thread_reply": lambda: self._workspace.reply_to_an_old_thread(OLD_THREAD_DAYS),
            "edit": self._workspace.edit_a_message,
            "delete": self._workspace.delete_a_message,
        }
        happenings[fault.kind]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        name = request.path_params["method"]
        method = self._methods.get(name)
        if method is None:
            return failure("unknown_method", req_method=name)
        try:
            arguments = await read_arguments(request)
            self._admit(request, arguments)
            wait = self._wait(name)
            if wait:
                return self.errors.rate_limited(wait)
            if name in _NEEDED and self._faults.active("slack", "missing_scope"):
                raise Refused("missing_scope", needed=_NEEDED[name], provided=_SCOPES)
            if name == "chat.postMessage" and self._faults.active("slack", "not_in_channel"):
                raise Refused("not_in_channel")
            return answer({"ok": True, **method(arguments)})
        except Refused as refusal:
            return failure(refusal.error, **refusal.details)

    def _admit(self, request: Request, arguments: Arguments) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else arguments.text("token")
        if given != self._token:
            raise Refused("invalid_auth" if given else "not_authed")

    def _wait(self, name: str) -> float:
        harsh = self._faults.active("slack", "one_per_minute") if name in _READING_METHODS else None
        if harsh is not None:
            key = (name, harsh.argument)
            return self._harsh.setdefault(key, RollingLimit(1, harsh.argument)).take()
        return self._limits[name].take() if self._limits else 0.0

    def _auth_test(self, arguments: Arguments) -> Mapping[str, Any]:
        bot = self._bot
        return {
            "url": f"https://{self._data.domain}.slack.com/",
            "team": self._data.team_name,
            "user": bot.name if bot else "sandbox_bot",
            "team_id": self._data.team_id,
            "user_id": bot.id if bot else "USANDBOXBOT",
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    def _team_info(self, arguments: Arguments) -> Mapping[str, Any]:
        data = self._data
        return {"team": {"id": data.team_id, "name": data.team_name, "domain": data.domain, "email_domain": "",
                         "icon": {"image_default": True}}}  # fmt: skip

    def _users_list(self, arguments: Arguments) -> Mapping[str, Any]:
        limit = arguments.limit(MOST_PER_PAGE, MOST_PER_PAGE)
        page, metadata = self._page("users.list", arguments, self._users, limit)
        members = [content.user(person, self._data.team_id) for person in page]
        return {"members": members, "cache_ts": content.epoch(datetime.now(UTC)), "response_metadata": metadata}

    def _users_info(self, arguments: Arguments) -> Mapping[str, Any]:
        wanted = arguments.required("user")
        person = next((person for person in self._users if person.id == wanted), None)
        if person is None:
            raise Refused("user_not_found")
        return {"user": content.user(person, self._data.team_id)}

    def _conversations_list(self, arguments: Arguments) -> Mapping[str, Any]:
        types = {name.strip() for name in (arguments.text("types") or "public_channel").split(",")}
        if not types <= _TYPES:
            raise Refused("invalid_types")
        living_only = arguments.flag("exclude_archived")
        limit = arguments.limit(100, MOST_PER_PAGE)
        found = [
            store.channel
            for store in self._workspace.channels.values()
            if ("private_channel" if store.channel.is_private else "public_channel") in types
            and (store.channel.is_member or not store.channel.is_private)
            and not (living_only and store.channel.is_archived)
        ]
        page, metadata = self._page("conversations.list", arguments, found, limit)
        return {"channels": [content.channel(c, self._data.team_id) for c in page], "response_metadata": metadata}

    def _conversations_info(self, arguments: Arguments) -> Mapping[str, Any]:
        store = self._known(arguments)
        members = arguments.flag("include_num_members")
        return {"channel": content.channel(store.channel, self._data.team_id, members=members)}

    def _history(self, arguments: Arguments) -> Mapping[str, Any]:
        store = self._readable(arguments)
        span, limit = arguments.span(), self._limit(arguments, 100)
        fingerprint = arguments.fingerprint("conversations.history")
        found = [] if self._empty else store.between(span.lowest, span.highest)
        following = self._position(arguments, "next_ts", fingerprint)
        start = 0 if following is None else bisect_left(found, -int(following), key=lambda m: -micros(m.ts))
        begin, end = self._faults.page("slack", start, limit, len(found))
        extras = arguments.flag("include_all_metadata")
        messages = [
            self._listed(store, message) | self.posted.extras(store.channel.id, message.ts, metadata=extras)
            for message in found[begin:end]
        ]
        more = end < len(found)
        page: dict[str, Any] = {"messages": messages, "has_more": more, "pin_count": 0}
        page |= {"channel_actions_ts": None, "channel_actions_count": 0}
        if more:
            page["response_metadata"] = {"next_cursor": cursor("next_ts", micros(found[end].ts), fingerprint)}
        return page

    def _replies(self, arguments: Arguments) -> Mapping[str, Any]:
        store = self._readable(arguments)
        wanted = arguments.required("ts")
        try:
            message = store.find(wanted) if micros(wanted) else None
        except ValueError:
            raise Refused("invalid_ts") from None
        if message is None or self._empty:
            raise Refused("thread_not_found")
        span, limit = arguments.span(), self._limit(arguments, MOST_PER_PAGE)
        fingerprint = arguments.fingerprint("conversations.replies")
        found = [r for r in store.replies(message) if span.lowest <= micros(r.ts) <= span.highest]
        following = self._position(arguments, "next_ts", fingerprint)
        start = 0 if following is None else bisect_left(found, int(following), key=lambda r: micros(r.ts))
        # The parent comes first on every page, and counts.
        begin, end = self._faults.page("slack", start, max(limit - 1, 1), len(found))
        replies = [content.reply(reply, self._data.team_id, message) for reply in found[begin:end]]
        more = end < len(found)
        page: dict[str, Any] = {"messages": [self._listed(store, message), *replies], "has_more": more}
        if more:
            page["response_metadata"] = {"next_cursor": cursor("next_ts", micros(found[end].ts), fingerprint)}
        return page

    def _listed(self, store: ChannelStore, message: SlackMessage) -> dict[str, Any]:
        if is_reply(message):
            return content.message(message, self._data.team_id) | {"thread_ts": message.thread_ts}
        return content.message(message, self._data.team_id, store.replies(message))

    def _known(self, arguments: Arguments) -> ChannelStore:
        store = self._workspace.channels.get(arguments.required("channel"))
        if store is None or (store.channel.is_private and not store.channel.is_member):
            raise Refused("channel_not_found")
        return store

    def _readable(self, arguments: Arguments) -> ChannelStore:
        store = self._known(arguments)
        expelled = self._workspace.readable[:1] if self._faults.active("slack", "not_in_channel") else []
        if store in expelled or not store.channel.is_member:
            raise Refused("not_in_channel")
        return store

    @property
    def _empty(self) -> bool:
        return self._faults.active("slack", "empty") is not None

    def _limit(self, arguments: Arguments, default: int) -> int:
        limit = arguments.limit(default, MOST_PER_PAGE)
        harsh = self._faults.active("slack", "one_per_minute")
        return min(limit, MOST_PER_PAGE_ONE_PER_MINUTE) if harsh else limit

    def _position(self, arguments: Arguments, kind: str, fingerprint: str) -> str | None:
        given = arguments.text("cursor")
        if given is not None and self._faults.cursor_expires("slack"):
            raise Refused("invalid_cursor")
        return read_cursor(given, kind, fingerprint)

    def _page(
        self, method: str, arguments: Arguments, items: Sequence[Any], limit: int
    ) -> tuple[Sequence[Any], dict[str, str]]:
        """A page of a list that does not change, and its `response_metadata`."""
        fingerprint = arguments.fingerprint(method)
        following = self._position(arguments, "place", fingerprint)
        listed = [] if self._empty else items
        start = min(int(following or 0), len(listed))
        begin, end = self._faults.page("slack", start, limit, len(listed))
        next_cursor = cursor("place", end, fingerprint) if end < len(listed) else ""
        return listed[begin:end], {"next_cursor": next_cursor}
