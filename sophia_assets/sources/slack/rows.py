"""How Slack's answers become rows, and how its message ids stand for times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Seconds up to the year 2286; a longer number is no time.
_MOST_DIGITS, _FRACTION_DIGITS = 10, 6

# What has a column, tells only of the token's own reading, repeats the text or another row, or is about a person.
_CHANNEL_NOISE = frozenset({
    "id", "name", "topic", "purpose", "is_private", "is_archived", "is_member", "is_shared", "num_members",
    "creator", "created", "updated", "members", "last_read", "latest", "unread_count", "unread_count_display",
    "priority", "is_open", "name_normalized", "properties",
})  # fmt: skip
_USER_NOISE = frozenset({
    "id", "name", "real_name", "profile", "is_bot", "deleted", "tz", "updated", "color", "tz_label", "tz_offset",
    "presence", "enterprise_user", "who_can_share_contact_card",
})  # fmt: skip
_MESSAGE_NOISE = frozenset({
    "type", "channel", "ts", "thread_ts", "user", "bot_id", "subtype", "text", "edited", "reply_count",
    "latest_reply", "reactions", "team", "user_team", "source_team", "user_profile", "bot_profile", "blocks",
    "root", "client_msg_id", "last_read", "subscribed", "unread_count", "is_starred", "parent_user_id",
    "reply_users",
})  # fmt: skip


def channel_row(channel: Mapping[str, Any]) -> Row:
    """A channel as a row; fields without a column end up in `_extra`."""
    return _rest(channel, _CHANNEL_NOISE) | {
        "channel_id": channel["id"],
        "name": channel.get("name"),
        "topic": _value(channel.get("topic")),
        "purpose": _value(channel.get("purpose")),
        "is_private": channel.get("is_private"),
        "is_archived": channel.get("is_archived"),
        "is_member": channel.get("is_member"),
        "is_shared": channel.get("is_shared"),
        "members": channel.get("num_members"),
        "creator_id": channel.get("creator"),
        "created_at": _seconds(channel.get("created")),
        # Slack gives this one in milliseconds, as the warehouse takes numbers.
        "updated_at": channel.get("updated"),
    }


def user_row(user: Mapping[str, Any]) -> Row:
    """A member of the workspace as a row."""
    profile = user.get("profile") or {}
    return _rest(user, _USER_NOISE) | {
        "user_id": user["id"],
        "name": user.get("name"),
        "real_name": profile.get("real_name") or user.get("real_name"),
        "display_name": profile.get("display_name") or None,
        "email": profile.get("email"),
        "title": profile.get("title") or None,
        "is_bot": user.get("is_bot"),
        "is_deleted": user.get("deleted"),
        "timezone": user.get("tz"),
        "updated_at": _seconds(user.get("updated")),
    }


def message_row(channel_id: str, message: Mapping[str, Any]) -> Row:
    """A message or reply as a row."""
    ts, thread_ts = message["ts"], message.get("thread_ts")
    is_reply = bool(thread_ts) and thread_ts != ts
    edited = (message.get("edited") or {}).get("ts")
    return _rest(message, _MESSAGE_NOISE) | {
        "channel_id": channel_id,
        "ts": ts,
        "thread_ts": thread_ts,
        "user_id": message.get("user"),
        "bot_id": message.get("bot_id"),
        "subtype": message.get("subtype"),
        "text": message.get("text"),
        "posted_at": _moment(ts),
        "edited_at": _moment(edited),
        "reply_count": message.get("reply_count") or 0,
        "latest_reply": message.get("latest_reply"),
        "reactions": sum(int(reaction.get("count") or 0) for reaction in message.get("reactions") or ()),
        "is_reply": is_reply,
        "listed_in": thread_place(channel_id, str(thread_ts)) if is_reply else _day_place(channel_id, ts),
    }


def thread_place(channel_id: str, thread_ts: str) -> str:
    """`listed_in` of a thread's replies."""
    return f"{channel_id}/{thread_ts}"


def day_places(channel_id: str, start: datetime, end: datetime) -> list[str]:
    """`listed_in` of a channel's messages on the whole days (UTC) from `start`, a midnight, that are over by `end`."""
    days = (end - start) // timedelta(days=1)
    return [f"{channel_id}/{(start + timedelta(days=number)).date().isoformat()}" for number in range(days)]


def microseconds(ts: Any) -> int | None:
    """A message's id as microseconds since 1970, by which ids are in order; None where it is none."""
    seconds, _, fraction = ts.partition(".") if isinstance(ts, str) else ("", "", "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= _MOST_DIGITS):
        return None
    if fraction and not (fraction.isascii() and fraction.isdigit() and len(fraction) <= _FRACTION_DIGITS):
        return None
    return int(seconds) * 1_000_000 + int(fraction.ljust(_FRACTION_DIGITS, "0"))


def as_ts(moment: datetime) -> str:
    """An aware moment as a message's id."""
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def _moment(ts: Any) -> Any:
    """An id's time; what is none is passed on as it is, so that the row is set aside and not misdated."""
    micros = microseconds(ts)
    return ts if micros is None else _EPOCH + timedelta(microseconds=micros)


def _day_place(channel_id: str, ts: str) -> str | None:
    moment = _moment(ts)
    return f"{channel_id}/{moment.date().isoformat()}" if isinstance(moment, datetime) else None


def _seconds(value: Any) -> Any:
    """Seconds since 1970 as a moment; what is no such number is passed on as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 10**_MOST_DIGITS:
        return value
    return _EPOCH + timedelta(seconds=value)


def _value(text: Any) -> Any:
    """A topic's or purpose's text; empty counts as none."""
    return (text.get("value") or None) if isinstance(text, Mapping) else text or None


def _rest(found: Mapping[str, Any], known: frozenset[str]) -> Row:
    return {name: value for name, value in found.items() if name not in known and value not in (None, "", [], {})}
