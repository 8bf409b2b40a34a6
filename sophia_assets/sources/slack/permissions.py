"""Asks Slack what the token may read, and in which channels the app is."""

from __future__ import annotations

from collections.abc import Iterator

from sophia_assets.sources.permissions import Permission, Remark, Told, tried
from sophia_assets.sources.slack.api import Item, SlackApi

_NEEDED = {
    "channels:read": ("slack.channels",),
    "groups:read": ("slack.channels",),
    "channels:history": ("slack.messages",),
    "groups:history": ("slack.messages",),
    "users:read": ("slack.users",),
    "users:read.email": ("slack.users",),
}
_ADD = "Add the scope under OAuth & Permissions of the app behind SLACK_BOT_TOKEN, and reinstall it"


def permissions(api: SlackApi) -> Iterator[Told]:
    """Three requests. Raises a SourceError where Slack does not answer, or does not know the token."""
    granted = api.scopes()
    if granted:
        yield from _missing(granted)
    channels: list[Item] = []

    def listed() -> None:
        kinds = {"types": "public_channel,private_channel", "exclude_archived": True}
        channels.extend(api.page("conversations.list", "channels", obj="channels", params=kinds).items)

    listing = tried("channels:read, groups:read", ("slack.channels",), listed)
    yield listing
    yield tried("users:read", ("slack.users",), lambda: api.page("users.list", "members", obj="users", params={}))
    if listing.error is not None:
        return
    joined = [channel for channel in channels if channel.get("is_member")]
    if not joined:
        yield Remark(
            "channels",
            f"the app is in none of {len(channels)} channels, so that no message is read",
            "Invite it to every channel that is to be read: /invite @its-name",
        )
        return
    history = {"channel": str(joined[0].get("id"))}
    yield tried(
        "channels:history, groups:history",
        ("slack.messages",),
        lambda: api.page("conversations.history", "messages", obj="messages", params=history),
    )
    yield Remark("channels", f"the app is in {len(joined)} of the first {len(channels)} channels")


def _missing(granted: frozenset[str]) -> Iterator[Permission]:
    """The scopes that the token does not have, of those that are needed."""
    from sophia_assets.errors import PermissionMissing

    for scope, tables in _NEEDED.items():
        if scope not in granted:
            error = PermissionMissing(f"the token does not have the scope {scope}", remedy=_ADD, system="slack")
            yield Permission(scope, tables, error)
