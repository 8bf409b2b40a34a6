"""How Slack writes channels, members, messages and threads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sophia_assets.sandbox.company_data import SlackChannel, SlackMessage, SlackUser

_REPLY_USERS_SHOWN = 5
_TOMBSTONE = "This message was deleted."


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp())


def channel(item: SlackChannel, team_id: str, *, members: bool = True) -> dict[str, Any]:
    """A channel as `conversations.list` shows it; `members` adds their number."""
    created = epoch(item.created)
    found: dict[str, Any] = {
        "id": item.id,
        "name": item.name,
        "is_channel": not item.is_private,
        "is_group": item.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": item.is_private,
        "created": created,
        "is_archived": item.is_archived,
        "is_general": item.name == "general",
        "unlinked": 0,
        "name_normalized": item.name,
        "is_shared": item.is_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "pending_shared": [],
        "parent_conversation": None,
        "creator": item.creator_id,
        "is_ext_shared": item.is_shared,
        "shared_team_ids": [team_id],
        "updated": int(item.updated.timestamp() * 1000),
        "is_member": item.is_member,
        "topic": {"value": item.topic, "creator": item.creator_id if item.topic else "", "last_set": created},
        "purpose": {"value": item.purpose, "creator": item.creator_id if item.purpose else "", "last_set": created},
        "previous_names": [],
    }
    return found | {"num_members": len(item.member_ids)} if members else found


def user(person: SlackUser, team_id: str) -> dict[str, Any]:
    """A member as `users.list` shows them."""
    first, _, last = person.real_name.partition(" ")
    profile: dict[str, Any] = {
        "title": person.title,
        "phone": "",
        "skype": "",
        "real_name": person.real_name,
        "real_name_normalized": person.real_name,
        "display_name": person.display_name,
        "display_name_normalized": person.display_name,
        "fields": None,
        "status_text": "",
        "status_emoji": "",
        "status_expiration": 0,
        "avatar_hash": "ge3b51ca72de",
        "first_name": first,
        "last_name": last,
        "team": team_id,
    }
    found: dict[str, Any] = {
        "id": person.id,
        "team_id": team_id,
        "name": person.name,
        "deleted": person.is_deleted,
        "profile": profile | ({"email": person.email} if person.email else {}),
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": epoch(person.updated),
    }
    if person.is_deleted:
        return found
    shown = {"color": "9f69e7", "real_name": person.real_name, "tz": person.timezone, "tz_label": person.timezone}
    roles = dict.fromkeys(("is_admin", "is_owner", "is_primary_owner", "is_restricted", "is_ultra_restricted"), False)
    return found | shown | {"tz_offset": 0} | roles


def message(item: SlackMessage, team_id: str, replies: Sequence[SlackMessage] = ()) -> dict[str, Any]:
    """A message; one with `replies`, oldest first, carries what Slack tells of its thread."""
    found: dict[str, Any] = {"type": "message", "text": item.text, "ts": item.ts}
    if item.user_id:
        found["user"] = item.user_id
    if item.subtype:
        found["subtype"] = item.subtype
    if item.bot_id:
        found["bot_id"] = item.bot_id
    if item.subtype != "tombstone":
        found["team"] = team_id
    if item.edited_ts:
        found["edited"] = {"user": item.user_id or "", "ts": item.edited_ts}
    if item.reactions:
        found["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in item.reactions.items() if users
        ]
    return found | _thread(item, replies) if replies else found


def reply(item: SlackMessage, team_id: str, parent: SlackMessage) -> dict[str, Any]:
    """A reply as `conversations.replies` shows it."""
    found = message(item, team_id) | {"thread_ts": parent.ts}
    return found | {"parent_user_id": parent.user_id} if parent.user_id else found


def deleted_parent(item: SlackMessage) -> SlackMessage:
    """What remains of a deleted message that has replies."""
    return SlackMessage(item.ts, "USLACKBOT", _TOMBSTONE, thread_ts=item.ts, subtype="tombstone")


def _thread(item: SlackMessage, replies: Sequence[SlackMessage]) -> dict[str, Any]:
    people = list(dict.fromkeys(r.user_id for r in replies if r.user_id))
    return {
        "thread_ts": item.ts,
        "reply_count": len(replies),
        "reply_users_count": len(people),
        "latest_reply": replies[-1].ts,
        "reply_users": people[:_REPLY_USERS_SHOWN],
        "is_locked": False,
        "subscribed": False,
    }
