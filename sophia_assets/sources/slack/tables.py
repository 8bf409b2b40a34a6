"""Slack's raw tables: what they hold, their keys, cursors, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import between, boolean, integer, key_rules, not_null, refers_to, string, timestamp
from sophia_assets.sources.declarations import Freshness, Table

SYSTEM = "slack"

_CHANNELS = Table(
    system=SYSTEM,
    name="channels",
    group="channels",
    description="The workspace's public channels, and the private ones that the bot is in; archived ones too.",
    primary_key=("channel_id",),
    is_dimension=True,
    # Names, topics and who is in them are overwritten.
    keeps_versions=True,
    carries_back=True,
    owner="team:customer",
    columns=(
        string("channel_id", "Slack's id of the channel; it stays when the channel is renamed."),
        string("name", "The channel's name, without the #."),
        string("topic", "What the channel is about at present."),
        string("purpose", "What the channel is for."),
        boolean("is_private", "Whether only invited people see it."),
        boolean("is_archived", "Whether it is closed."),
        boolean("is_member", "Whether the bot is in it; messages of other channels are not read."),
        boolean("is_shared", "Whether people of other companies are in it."),
        integer("members", "How many people are in it."),
        string("creator_id", "The user who made it."),
        timestamp("created_at", "When it was made."),
        timestamp("updated_at", "When its settings were last changed; archiving counts."),
    ),
    expectations=(
        *key_rules("channel_id"),
        not_null("name", severity="warn"),
        between("members", 0, None, severity="warn"),
    ),
)

_USERS = Table(
    system=SYSTEM,
    name="users",
    group="users",
    description="Members of the workspace, guests, bots, and those who have left.",
    primary_key=("user_id",),
    is_dimension=True,
    # Names and titles are overwritten.
    keeps_versions=True,
    carries_back=True,
    owner="team:customer",
    columns=(
        string("user_id", "Slack's id of the user."),
        string("name", "The user's handle."),
        string("real_name", "The user's name.", personal=True),
        string("display_name", "The name that the user chose to show.", personal=True),
        string("email", "The user's e-mail address; empty unless the token has users:read.email.", personal=True),
        string("title", "The user's role in the company."),
        boolean("is_bot", "Whether it is an app."),
        boolean("is_deleted", "Whether the account is closed."),
        string("timezone", "The user's time zone, such as Europe/Berlin."),
        timestamp("updated_at", "When the account was last changed."),
    ),
    expectations=key_rules("user_id"),
)

_MESSAGES = Table(
    system=SYSTEM,
    name="messages",
    group="messages",
    description=(
        "Messages and replies in the channels that the bot is in. Not noticed once it was read: a reply to a message "
        "that is older than 30 days, what is edited or deleted after 30 days, and an edited or deleted reply in a "
        "thread that gets no new ones."
    ),
    primary_key=("channel_id", "ts"),
    # So that conversations stay whole.
    entity="channel_id",
    cursor="posted_at",
    # For edits, and for replies by clocks that are late; the parents of replies are looked for much further back.
    lookback=timedelta(days=1),
    freshness=Freshness(newest_event=timedelta(days=4)),
    owner="team:customer",
    columns=(
        string("channel_id", "The channel."),
        string("ts", "The message's id within the channel, such as 1767225600.000100."),
        string("thread_ts", "For a reply, and for a message with replies: the id of the thread's first message."),
        string("user_id", "Who wrote it; empty for some apps."),
        string("bot_id", "The app that wrote it."),
        string("subtype", "The kind of a message that is not an ordinary one: channel_join, bot_message, tombstone."),
        string("text", "What was written, in Slack's markup.", personal=True),
        timestamp("posted_at", "When it was posted, from its id."),
        timestamp("edited_at", "When it was last edited."),
        integer("reply_count", "How many replies it has."),
        string("latest_reply", "The id of its newest reply."),
        integer("reactions", "How many reactions it has, of all emoji together."),
        boolean("is_reply", "Whether it belongs to the thread of another message."),
        string(
            "listed_in",
            "Where Slack lists it: <channel>/<day, UTC>, or for a reply <channel>/<thread>; all that is listed there "
            "is compared when it is read again.",
        ),
    ),
    expectations=(
        *key_rules("channel_id", "ts"),
        refers_to("channel_id", "slack.channels", mostly=0.95),
        refers_to("user_id", "slack.users", mostly=0.95),
        not_null("posted_at", recovery="Slack's ids begin with the time: look at the row's ts, then load it again."),
        between("reply_count", 0, None, severity="warn"),
        between("reactions", 0, None, severity="warn"),
    ),
)

TABLES: tuple[Table, ...] = (_CHANNELS, _USERS, _MESSAGES)
