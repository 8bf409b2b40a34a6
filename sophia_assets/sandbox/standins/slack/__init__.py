"""Slack's Web API, for reading and for posting."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import EXPIRED_CURSOR, FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "expired_cursor": EXPIRED_CURSOR,
    "old_thread_reply": FaultKind("somebody replies now to a message that is 20 days old", happens_once=True),
    "edit": FaultKind("somebody edits the newest message", happens_once=True),
    "delete": FaultKind("somebody deletes the newest message", happens_once=True),
    "not_in_channel": FaultKind(
        "the bot is thrown out of the first channel, which the list does not say yet; it may post nowhere"
    ),
    "missing_scope": FaultKind("the token lacks channels:history and chat:write"),
    "one_per_minute": FaultKind(
        "history and replies answer once in this many seconds, with 15 messages at most", "SECONDS", 60.0
    ),
}
