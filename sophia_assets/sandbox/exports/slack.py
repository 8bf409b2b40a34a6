"""Slack's part of an export folder."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import SlackChannel, SlackData, SlackMessage, SlackUser
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.slack_archive import find
from sophia_assets.sandbox.exports.values import Cells

__all__ = ["KEYS", "build", "find"]

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {
    "slack/channels": ("channel_id",),
    "slack/users": ("user_id",),
    "slack/messages": (
        "channel_id",
        "ts",
    ),
}

_TS = re.compile(r"(\d{1,10})(?:\.(\d{1,6}))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def build(objects: Mapping[str, ExportFile], cells: Cells) -> SlackData | None:
    """Channels with their messages and members, or None without any Slack file."""
    if not any(name.startswith("slack/") for name in objects):
        return None
    messages: dict[str, list[SlackMessage]] = defaultdict(list)
    for row in _rows(objects, "slack/messages"):
        messages[cells.required(row, "channel_id")].append(_message(row, cells))
    beginning = cells.midnight(cells.first_event) if cells.first_event else datetime.fromtimestamp(0, UTC)
    channels = {row.id: row for row in (_channel(r, cells, beginning) for r in _rows(objects, "slack/channels"))}
    for identifier in messages:
        if identifier not in channels:
            channels[identifier] = SlackChannel(identifier, identifier.lower(), beginning, "", beginning)
        channels[identifier].messages = sorted(messages[identifier], key=lambda message: _moment(message.ts))
    users = [_user(row, cells, beginning) for row in _rows(objects, "slack/users")]
    return SlackData("T0EXPORTS", "Exports", "exports", users, list(channels.values()))


def _channel(row: Row, cells: Cells, beginning: datetime) -> SlackChannel:
    identifier = cells.required(row, "channel_id")
    created = cells.moment(row, "created_at") or beginning
    return SlackChannel(
        id=identifier,
        name=cells.text(row, "name") or identifier.lower(),
        created=created,
        creator_id=cells.text(row, "creator_id") or "",
        updated=cells.moment(row, "updated_at") or created,
        topic=cells.text(row, "topic") or "",
        purpose=cells.text(row, "purpose") or "",
        is_private=cells.truth(row, "is_private", False),
        is_archived=cells.truth(row, "is_archived", False),
        is_member=cells.truth(row, "is_member", True),
        is_shared=cells.truth(row, "is_shared", False),
        member_ids=_ids(cells.text(row, "member_ids")),
    )


def _user(row: Row, cells: Cells, beginning: datetime) -> SlackUser:
    identifier = cells.required(row, "user_id")
    return SlackUser(
        id=identifier,
        name=cells.text(row, "name") or identifier.lower(),
        real_name=cells.text(row, "real_name") or "",
        email=cells.text(row, "email"),
        title=cells.text(row, "title") or "",
        updated=cells.moment(row, "updated_at") or beginning,
        display_name=cells.text(row, "display_name") or "",
        timezone=cells.text(row, "timezone") or "UTC",
        is_bot=cells.truth(row, "is_bot", False),
        is_deleted=cells.truth(row, "is_deleted", False),
    )


def _message(row: Row, cells: Cells) -> SlackMessage:
    cells.required(row, "ts")
    ts = _ts(row, "ts", cells) or ""
    cells.moment(Row(row.file, row.line, {"ts": _moment(ts).isoformat()}), "ts", event=True)
    edited = cells.moment(row, "edited_at")
    return SlackMessage(
        ts=ts,
        user_id=cells.text(row, "user_id"),
        text=cells.text(row, "text") or "",
        thread_ts=_ts(row, "thread_ts", cells),
        edited_ts=None if edited is None else f"{edited.timestamp():.6f}",
        subtype=cells.text(row, "subtype"),
        bot_id=cells.text(row, "bot_id"),
        reactions=_reactions(row, cells),
    )


def _ts(row: Row, column: str, cells: Cells) -> str | None:
    """A message's id with its six decimals, which spreadsheets and JSON numbers lose. Raises ConfigurationError."""
    text = cells.text(row, column)
    if text is None:
        return None
    found = _TS.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f"{row.file}, line {row.line}, column {column}: {text[:30]!r} is no id of a message",
            remedy="Slack's ids are seconds since 1970 with six decimals, such as 1767225600.000100.",
        )
    return f"{found[1]}.{(found[2] or '').ljust(6, '0')}"


def _moment(ts: str) -> datetime:
    seconds, _, fraction = ts.partition(".")
    return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(fraction))


def _ids(text: str | None) -> list[str]:
    """User ids, as a JSON list or separated by spaces."""
    if text is None:
        return []
    found = _json(text)
    return [str(item) for item in found] if isinstance(found, list) else text.replace(",", " ").split()


def _reactions(row: Row, cells: Cells) -> dict[str, list[str]]:
    """Who reacted, by emoji: `{"tada": ["U1"]}`, or as Slack lists reactions."""
    found = _json(cells.text(row, "reactions") or "{}")
    if isinstance(found, list):
        listed = [item for item in found if isinstance(item, dict)]
        found = {str(item.get("name")): item.get("users") for item in listed}
    if not isinstance(found, dict):
        return {}
    return {str(name): [str(user) for user in users] for name, users in found.items() if isinstance(users, list)}


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _rows(objects: Mapping[str, ExportFile], name: str) -> list[Row]:
    return objects[name].rows if name in objects else []
