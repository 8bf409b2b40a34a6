"""A briefing as a message in Slack: blocks in which nothing that people typed can act."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sophia_assets.delivery.message import Message, Part
from sophia_assets.delivery.sending import Refusal, Sent, TryAgain
from sophia_assets.ingestion.retrying import RetryPolicy

if TYPE_CHECKING:
    from sophia_assets.ingestion.requesting import Answer

CHANNEL = "slack"
EVENT = "sophia_briefing"
_LONGEST_HEADER, _LONGEST_TEXT = 150, 2900
#: How many sentences of a section are shown; the whole is where the last line says.
_SHOWN: Mapping[str, int] = {"performance": 3, "targets": 2, "customers": 2, "product": 1, "changes": 3, "risks": 3}
_SECONDS = 20.0
_LOOKED_BACK = 100
_INERT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# Signs that mark text up, and those that begin a mention or an emoji. A word joiner keeps each from its meaning.
_MARKUP = re.compile(r"(?<!\w)([*_~`])(?=\S)|(?<=\S)([*_~`])(?!\w)|(?<![\w])([@#:])(?=\w)|(://)")
_JOINER = "\u2060"

REMEDIES: Mapping[str, str] = {
    "not_in_channel": "Invite the app to the channel: /invite @its-name",
    "channel_not_found": "Check the channel's id in the setting; an app finds a private channel only from within",
    "is_archived": "Unarchive the channel, or name another one in the setting",
    "invalid_auth": "Check SLACK_BOT_TOKEN: api.slack.com/apps > the app > OAuth & Permissions shows it",
    "not_authed": "Set SLACK_BOT_TOKEN",
    "token_revoked": "Install the app again and set the new SLACK_BOT_TOKEN",
    "token_expired": "Install the app again and set the new SLACK_BOT_TOKEN",
    "account_inactive": "Install the app again and set the new SLACK_BOT_TOKEN",
    "missing_scope": "Add the scope chat:write to the app behind SLACK_BOT_TOKEN, and install it again",
    "restricted_action": "The workspace forbids the app to post there: ask an administrator, or name another channel",
    "invalid_blocks": "Report this: the message was not built as Slack wants it",
    "msg_too_long": "Report this: the message was not built as Slack wants it",
}
_TRANSIENT = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"})


def escape(text: str) -> str:
    """Text that Slack shows as it is: no link, no mention, no emphasis, no emoji comes of it."""
    inert = _MARKUP.sub(lambda match: f"{match[0][0]}{_JOINER}{match[0][1:]}", text)
    return inert.translate(_INERT)


def blocks_of(message: Message, whole: str) -> list[dict[str, Any]]:
    """The message's blocks; `whole` says where the whole briefing is."""
    return [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(message.subject, _LONGEST_HEADER)}},
        _section(f"*{escape(message.bottom_line)}*" if message.bottom_line else "No bottom line."),
        *_decisions(message),
        *_since(message),
        {"type": "divider"},
        *_sections(message),
        {"type": "context", "elements": [_text(line) for line in _footer(message, whole)]},
    ]


def _decisions(message: Message) -> Iterator[dict[str, Any]]:
    actions = message.part("actions")
    if actions and actions.sentences:
        yield _section("\n".join([f"*{escape(actions.title)}*", *(f"• {escape(text)}" for text in actions.sentences)]))


def _since(message: Message) -> Iterator[dict[str, Any]]:
    if message.since:
        yield _section(
            "\n".join([f"*{escape(message.since_title)}*", *(f"• {escape(line)}" for line in message.since)])
        )


def _sections(message: Message) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if part.key in _SHOWN and part.sentences:
            yield _section("\n".join([f"*{escape(part.title)}*", *_shortened(part)]))


def _shortened(part: Part) -> list[str]:
    shown = part.sentences[: _SHOWN[part.key]]
    more = len(part.sentences) - len(shown)
    lines = [f"• {escape(text)}" for text in shown]
    return [*lines, f"_and {more} more_"] if more else lines


def _footer(message: Message, whole: str) -> Iterator[str]:
    yield f"Confidence: {escape(message.confidence)}. {escape(message.reason)}"
    if message.unanswered:
        yield f"Not answered: {escape(', '.join(message.unanswered))}."
    if message.disclaimer:
        yield escape(message.disclaimer)
    yield escape(whole)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    # verbatim: Slack then looks for no names, channels and addresses by itself.
    return {"type": "mrkdwn", "text": _cut(text, _LONGEST_TEXT), "verbatim": True}


def _cut(text: str, longest: int) -> str:
    """No longer than allowed, and never in the middle of an escape."""
    if len(text) <= longest:
        return text
    return re.sub(r"&[a-z]{0,3}$", "", text[: longest - 1]) + "\u2026"


@dataclass(frozen=True)
class SlackChannel:
    """Posts to one channel of the workspace that `base_url` and `token` open."""

    channel: str
    base_url: str
    token: str
    name: str = CHANNEL
    #: Its history can be read, so that nothing is ever posted twice.
    can_look: bool = True

    @property
    def place(self) -> str:
        return self.channel

    def send(self, message: Message, html: str, whole: str, key: str) -> Sent:
        """Posts once. Raises TryAgain where it may work a little later, Refusal where it will not."""
        body = {
            "channel": self.channel,
            "text": escape(f"{message.subject}. {message.bottom_line}"),
            "blocks": blocks_of(message, whole),
            "unfurl_links": False,
            "unfurl_media": False,
            "link_names": False,
            "parse": "none",
            "metadata": {"event_type": EVENT, "event_payload": {"key": key}},
        }
        answer = self._ask("chat.postMessage", body, as_json=True)
        return Sent(f"{answer.get('channel', self.channel)} {answer.get('ts', '')}".strip())

    def look(self) -> str:
        """Asks about the channel, and posts nothing; a line about it. Raises TryAgain, Refusal."""
        found = self._ask("conversations.info", {"channel": self._id()}).get("channel") or {}
        name = f"#{found.get('name', self.channel)}"
        if found.get("is_archived"):
            raise Refusal(f"Slack: is_archived ({name})", REMEDIES["is_archived"])
        if found.get("is_member") is False:
            raise Refusal(f"Slack: not_in_channel ({name})", REMEDIES["not_in_channel"])
        return f"Slack knows {name}, and the app is in it"

    def find(self, key: str) -> Sent | None:
        """The message with that key, where it was posted; None where it was not. Raises TryAgain, Refusal."""
        asked = {"channel": self._id(), "limit": _LOOKED_BACK, "include_all_metadata": True}
        for message in self._ask("conversations.history", asked).get("messages") or ():
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == EVENT and (metadata.get("event_payload") or {}).get("key") == key:
                return Sent(f"{asked['channel']} {message.get('ts', '')}")
        return None

    def _id(self) -> str:
        """The channel's id, which history wants; posting takes a name as well."""
        if not self.channel.startswith("#"):
            return self.channel
        asked: dict[str, Any] = {"types": "public_channel,private_channel", "limit": 999, "exclude_archived": True}
        while True:
            page = self._ask("conversations.list", asked)
            for channel in page.get("channels") or ():
                if channel.get("name") == self.channel[1:]:
                    return str(channel["id"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor or cursor == asked.get("cursor"):
                raise Refusal(f"Slack: channel_not_found ({self.channel})", REMEDIES["channel_not_found"])
            asked["cursor"] = cursor

    def _ask(self, method: str, body: Mapping[str, Any], *, as_json: bool = False) -> Mapping[str, Any]:
        from sophia_assets.ingestion.requesting import NoAnswer
        from sophia_assets.sources.slack.wire import SlackWire

        wire = SlackWire(self.base_url, self.token, RetryPolicy())
        try:
            # Slack takes JSON only where something is written.
            answer = (wire.send_json if as_json else wire.send)(method, body, _SECONDS)
        except NoAnswer as error:
            remedy = "See status.slack.com, and that SLACK_BASE_URL is right"
            raise TryAgain(f"Slack {error}", remedy, may_have_arrived=True) from error
        return _judged(answer)


def _judged(answer: Answer) -> Mapping[str, Any]:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    if answer.status == 200 and body.get("ok") is True:
        return body
    code = str(body.get("error") or "")
    if not re.fullmatch(r"[a-z0-9_]{1,60}", code):
        code = "no answer that can be read"
    if answer.status == 429 or code == "ratelimited":
        after = _retry_after(answer)
        raise TryAgain("Slack: ratelimited", f"It asks to wait {after:g} s; deliver again then", after)
    if answer.status >= 500 or answer.torn or code in _TRANSIENT:
        told = f"Slack: {code} (HTTP {answer.status})"
        raise TryAgain(told, "See status.slack.com; deliver again later", may_have_arrived=True)
    raise Refusal(f"Slack: {code}", REMEDIES.get(code, f"See what Slack says of {code}, and the app's settings"))


def _retry_after(answer: Answer) -> float:
    try:
        return min(max(float(answer.headers.get("retry-after") or 1), 0.0), 3600.0)
    except ValueError:
        return 1.0
