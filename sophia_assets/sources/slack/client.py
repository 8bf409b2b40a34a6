"""Reads Slack into rows: channels and members whole, messages channel by channel, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, ReadItem, Rows, Window
from sophia_assets.sources.permissions import Told
from sophia_assets.sources.slack.api import Item, SlackApi, SlackConnection
from sophia_assets.sources.slack.messages import MessageReader
from sophia_assets.sources.slack.permissions import permissions
from sophia_assets.sources.slack.rows import channel_row, user_row
from sophia_assets.sources.slack.tables import SYSTEM

# Per group that is read whole: the method, the list's name in its answers, its arguments, and how a row is made.
_CHANNEL_TYPES = {"types": "public_channel,private_channel", "exclude_archived": False}
_LISTS: Mapping[str, tuple[str, str, Mapping[str, Any], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "channels": ("conversations.list", "channels", _CHANNEL_TYPES, channel_row),
    "users": ("users.list", "members", {}, user_row),
}

CONNECTION = SlackConnection


def create_source(
    connection: SlackConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> SlackSource:
    """A client for the workspace; nothing is contacted yet."""
    return SlackSource(connection, retry=retry, limiters=limiters)


class SlackSource:
    """Slack as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(
        self, connection: SlackConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
    ) -> None:
        self._connection = connection
        self._api = SlackApi(connection, retry or RetryPolicy(), limiters)

    @property
    def requests_made(self) -> int:
        """Requests so far, repeated ones included."""
        return self._api.requests_made

    def permissions(self) -> Iterator[Told]:
        """What the credential may read, asked as cheaply as can be. Raises a SourceError."""
        return permissions(self._api)

    def ping(self) -> str:
        """See `Source.ping`."""
        self._api.whoami()
        return f"Slack answers at {self._connection.base_url} and accepts the bot token"

    def close(self) -> None:
        """Ends every wait; what is being read then fails."""
        self._api.close()

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. `channels` and `users` are read whole; `messages` by when they were posted.

        For `messages` it also yields what the window's new replies belong to, and everything else of the
        30 days before the window, as it is now.
        """
        if group == "messages":
            yield from MessageReader(self._api, window, self._channels).read(resume)
        else:
            yield from self._list(group, resume)

    def _list(self, group: str, resume: Any) -> Iterator[ReadItem]:
        method, key, params, to_row = _LISTS[group]
        cursor = str(resume.get("cursor") or "") if isinstance(resume, Mapping) else ""
        for page in self._api.pages(method, key, obj=group, params=params, cursor=cursor):
            yield Rows(group, [to_row(item) for item in page.items])
            if page.next_cursor:
                yield Checkpoint({"cursor": page.next_cursor})
        yield CompleteSet(group)

    def _channels(self) -> list[Item]:
        method, key, params, _ = _LISTS["channels"]
        pages = self._api.pages(method, key, obj="channels", params=params)
        return [channel for page in pages for channel in page.items]
