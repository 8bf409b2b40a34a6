"""A workspace as the stand-in serves it: channels with their messages and threads, changed by what happens once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from datetime import datetime, timedelta

from sophia_assets.sandbox.company_data import SlackChannel, SlackData, SlackMessage
from sophia_assets.sandbox.standins.slack.content import deleted_parent

# A broadcast reply is shown in its thread and in its channel.
_BROADCAST = "thread_broadcast"


class ChannelStore:
    """One channel. `listed` are the messages of `conversations.history`, oldest first."""

    def __init__(self, channel: SlackChannel) -> None:
        self.channel = channel
        messages = {message.ts: message for message in channel.messages}
        ordered = [messages[ts] for ts in sorted(messages, key=micros)]
        self.threads: dict[str, list[SlackMessage]] = {}
        for message in ordered:
            if is_reply(message) and message.thread_ts in messages:
                self.threads.setdefault(str(message.thread_ts), []).append(message)
        self.listed = [m for m in ordered if not is_reply(m) or m.subtype == _BROADCAST or m.thread_ts not in messages]
        self._times = [micros(message.ts) for message in self.listed]

    def between(self, lowest: int, highest: int) -> list[SlackMessage]:
        """The listed messages with `lowest` <= ts <= `highest` (microseconds), newest first."""
        start, end = bisect_left(self._times, lowest), bisect_right(self._times, highest)
        return self.listed[start:end][::-1]

    def replies(self, message: SlackMessage) -> list[SlackMessage]:
        """The message's replies, oldest first."""
        return [] if is_reply(message) else self.threads.get(message.ts, [])

    def find(self, ts: str) -> SlackMessage | None:
        """The message or reply with that id."""
        place = bisect_left(self._times, micros(ts))
        if place < len(self.listed) and self.listed[place].ts == ts:
            return self.listed[place]
        return next((reply for thread in self.threads.values() for reply in thread if reply.ts == ts), None)

    def add(self, message: SlackMessage) -> None:
        """Post a message that is newer than all there are."""
        self.listed.append(message)
        self._times.append(micros(message.ts))

    def put(self, message: SlackMessage) -> None:
        """Replace the listed message of the same id."""
        self.listed[self._times.index(micros(message.ts))] = message

    def remove(self, message: SlackMessage) -> None:
        """Delete a listed message; where it has replies, Slack leaves a tombstone in its place."""
        if self.replies(message):
            self.put(deleted_parent(message))
            return
        place = self._times.index(micros(message.ts))
        del self.listed[place], self._times[place]


class Workspace:
    """All channels by id. `end` is when the company's last day ends: what happens once happens an hour before."""

    def __init__(self, data: SlackData, end: datetime) -> None:
        self.data = data
        self.channels = {channel.id: ChannelStore(channel) for channel in sorted(data.channels, key=lambda c: c.id)}
        self._present = end - timedelta(hours=1)
        self._happened = 0

    @property
    def readable(self) -> list[ChannelStore]:
        """The channels that the bot is in and that still live."""
        return [s for s in self.channels.values() if s.channel.is_member and not s.channel.is_archived]

    def reply_to_an_old_thread(self, days: int) -> None:
        """Somebody replies now to the newest message that is at least `days` days old."""
        oldest = epoch_micros(self._present - timedelta(days=days))
        found = self._newest(oldest)
        if found is None:
            return
        store, parent = found
        people = [user.id for user in self.data.users if not user.is_bot and not user.is_deleted]
        author = people[0] if people else parent.user_id
        reply = SlackMessage(self._now(), author, "Coming back to this: it is still open.", thread_ts=parent.ts)
        store.threads.setdefault(parent.ts, []).append(reply)

    def edit_a_message(self) -> None:
        """Somebody edits the newest message."""
        found = self._newest(epoch_micros(self._present))
        if found is not None:
            store, message = found
            edited = replace(message, text=f"{message.text} (edited)", edited_ts=self._now())
            store.put(edited)

    def delete_a_message(self) -> None:
        """Somebody deletes the newest message."""
        found = self._newest(epoch_micros(self._present))
        if found is not None:
            store, message = found
            store.remove(message)

    def _newest(self, highest: int) -> tuple[ChannelStore, SlackMessage] | None:
        found = [
            (store, message)
            for store in self.readable
            if (message := next((m for m in store.between(0, highest) if not is_reply(m) and not m.subtype), None))
        ]
        return max(found, key=lambda pair: micros(pair[1].ts), default=None)

    def _now(self) -> str:
        self._happened += 1
        return written(epoch_micros(self._present) + self._happened)


def is_reply(message: SlackMessage) -> bool:
    """Whether the message belongs to another one's thread."""
    return message.thread_ts is not None and message.thread_ts != message.ts


def micros(ts: str) -> int:
    """A message's id as microseconds since 1970. Raises ValueError where it is none."""
    seconds, _, fraction = ts.partition(".")
    if not seconds.isascii() or not seconds.isdigit() or (fraction and not fraction.isdigit()) or len(fraction) > 6:
        raise ValueError(ts)
    return int(seconds) * 1_000_000 + int((fraction or "0").ljust(6, "0"))


def written(microseconds: int) -> str:
    """Microseconds since 1970 as a message's id."""
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


def epoch_micros(moment: datetime) -> int:
    """An aware moment as microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)
