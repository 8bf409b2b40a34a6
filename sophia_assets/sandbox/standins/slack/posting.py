"""What Slack takes to be posted: its checks of a message's text and blocks, and what has been posted so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from sophia_assets.sandbox.company_data import SlackMessage
from sophia_assets.sandbox.standins.slack.arguments import Arguments, Refused
from sophia_assets.sandbox.standins.slack.store import ChannelStore, Workspace, epoch_micros, micros, written

MOST_BLOCKS, MOST_TEXT = 50, 40_000
# Characters in the text of a block of each kind.
_TEXT_LIMITS = {"header": 150, "section": 3000}
_MOST_FIELDS, _LONGEST_FIELD, _MOST_ELEMENTS = 10, 2000, 10
_LONGEST_METADATA = 65_536
_BLOCKS = frozenset({"header", "section", "context", "divider", "actions", "image", "rich_text", "markdown"})
BOT_ID = "BSANDBOXBOT"


class Posted:
    """The messages that were posted, oldest first, as they were sent."""

    def __init__(self, workspace: Workspace, bot_user: str | None) -> None:
        self._workspace, self._bot_user = workspace, bot_user
        self.messages: list[dict[str, Any]] = []
        self._extras: dict[tuple[str, str], dict[str, Any]] = {}

    def post(self, arguments: Arguments) -> Mapping[str, Any]:
        """`chat.postMessage`."""
        store = self._channel(arguments.required("channel"))
        text, blocks = arguments.text("text") or "", _parsed(arguments, "blocks", "invalid_blocks_format")
        metadata = _parsed(arguments, "metadata", "metadata_must_be_json")
        if not text and not blocks:
            raise Refused("no_text")
        if len(text) > MOST_TEXT:
            raise Refused("msg_too_long")
        check_blocks(blocks or [])
        if metadata and (not metadata.get("event_type") or len(orjson.dumps(metadata)) > _LONGEST_METADATA):
            raise Refused("invalid_metadata_format")
        message = SlackMessage(self._next_ts(store), self._bot_user, text, bot_id=BOT_ID)
        store.add(message)
        sent = {"unfurl_links": arguments.flag("unfurl_links"), "unfurl_media": arguments.flag("unfurl_media")}
        found = {"type": "message", "text": text, "ts": message.ts, "user": self._bot_user, "bot_id": BOT_ID}
        found |= {"blocks": blocks} if blocks else {}
        self._extras[store.channel.id, message.ts] = {"blocks": blocks or [], "metadata": metadata}
        self.messages.append({"channel": store.channel.id, "metadata": metadata, **sent, **found})
        return {"channel": store.channel.id, "ts": message.ts, "message": found}

    def extras(self, channel_id: str, ts: str, *, metadata: bool) -> dict[str, Any]:
        """What history shows of a posted message beside its text; its metadata only where that is asked for."""
        held = self._extras.get((channel_id, ts))
        if held is None:
            return {}
        return {"blocks": held["blocks"]} | ({"metadata": held["metadata"]} if metadata and held["metadata"] else {})

    def _channel(self, given: str) -> ChannelStore:
        named = given.removeprefix("#")
        channels = self._workspace.channels
        store = channels.get(given) or next((s for s in channels.values() if s.channel.name == named), None)
        if store is None or (store.channel.is_private and not store.channel.is_member):
            raise Refused("channel_not_found")
        if store.channel.is_archived:
            raise Refused("is_archived")
        if not store.channel.is_member:
            raise Refused("not_in_channel")
        return store

    def _next_ts(self, store: ChannelStore) -> str:
        newest = micros(store.listed[-1].ts) if store.listed else 0
        return written(max(epoch_micros(datetime.now(UTC)), newest + 1))


def _parsed(arguments: Arguments, name: str, error: str) -> Any:
    given = arguments.text(name)
    if given is None:
        return None
    try:
        value = orjson.loads(given)
    except orjson.JSONDecodeError:
        raise Refused(error) from None
    if not isinstance(value, list if name == "blocks" else dict):
        raise Refused(error)
    return value


def check_blocks(blocks: Sequence[Any]) -> None:
    """Raises Refused, with the first thing that is wrong and where, as Slack puts it."""
    if len(blocks) > MOST_BLOCKS:
        raise _invalid("no more than 50 items allowed", "/blocks")
    for place, block in enumerate(blocks):
        where = f"/blocks/{place}"
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in _BLOCKS:
            raise _invalid(f"unsupported type: {kind}", where)
        if kind in ("header", "section"):
            _check_section(block, kind, where)
        elif kind == "context":
            elements = block.get("elements") or []
            if not 1 <= len(elements) <= _MOST_ELEMENTS:
                raise _invalid("must have 1 to 10 items", f"{where}/elements")
            for number, element in enumerate(elements):
                _check_text(element, _LONGEST_FIELD, f"{where}/elements/{number}")


def _check_section(block: Mapping[str, Any], kind: str, where: str) -> None:
    fields = block.get("fields") or []
    if "text" not in block and not (kind == "section" and fields):
        raise _invalid("missing required field: text", where)
    if "text" in block:
        _check_text(block["text"], _TEXT_LIMITS[kind], f"{where}/text", plain=kind == "header")
    if len(fields) > _MOST_FIELDS:
        raise _invalid("no more than 10 items allowed", f"{where}/fields")
    for number, entry in enumerate(fields):
        _check_text(entry, _LONGEST_FIELD, f"{where}/fields/{number}")


def _check_text(given: Any, longest: int, where: str, *, plain: bool = False) -> None:
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if not isinstance(given, dict) or given.get("type") not in kinds or not isinstance(given.get("text"), str):
        raise _invalid(f"must be a text object of type {' or '.join(kinds)}", where)
    if not given["text"]:
        raise _invalid("must be more than 0 characters", f"{where}/text")
    if len(given["text"]) > longest:
        raise _invalid(f"must be less than {longest + 1} characters", f"{where}/text")


def _invalid(what: str, where: str) -> Refused:
    message = f"{what} [json-pointer:{where}]"
    return Refused("invalid_blocks", errors=[message], response_metadata={"messages": [f"[ERROR] {message}"]})
