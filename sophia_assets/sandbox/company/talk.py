"""How people talk in the simulated company's Slack: lines and answers, threads, reactions, edits.

Days are told one after the other. What is decided today about a later day (a reply, a late edit) waits
on an agenda until that day comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from functools import partial
from random import Random
from typing import Any

from sophia_assets.sandbox.company.delivery import Delivery
from sophia_assets.sandbox.company.history import History, work_day_from
from sophia_assets.sandbox.company.staff import Colleague
from sophia_assets.sandbox.company.streams import poisson
from sophia_assets.sandbox.company.workspace import Room, Workspace, stamp
from sophia_assets.sandbox.company.world import texts
from sophia_assets.sandbox.company_data import SlackMessage

_OPENS_S, _CLOSES_S, _LATEST_S = 8 * 3600 + 900, 18 * 3600, 20 * 3600
# A thread costs its reader a request, so there are about 23 a year.
_FIRST_THREADS, _THREADS_PER_DAY = 4, 0.05
_RECENT_TICKETS = 30


class Words(dict[str, str]):
    """What stands in the slots of a message; a slot that nobody filled is drawn when a message asks for it."""

    def __init__(self, draw: Callable[[str], str], **known: str) -> None:
        super().__init__({slot: escape(value) for slot, value in known.items()})
        self._draw = draw

    def __missing__(self, slot: str) -> str:
        value = self[slot] = self._draw(slot)
        return value


class Talk:
    """The conversation so far. `day` is the day being told, `stream` its randomness."""

    def __init__(self, history: History, workspace: Workspace, delivery: Delivery) -> None:
        self.history, self.workspace = history, workspace
        self.day, self.stream = 0, Random()
        self._filed, self._recent = delivery.filed, list[str]()
        self._bank = texts("chat")
        self._slots = {**texts("transcripts")["slots"], "module": texts("names")["modules"]}
        self._slots["competitor"] = texts("names")["competitors"]
        self._slots["area"] = [area for team in texts("issues")["teams"] for area in team["areas"]]
        self._agenda: dict[int, list[Callable[[], object]]] = defaultdict(list)
        self._threads = 0
        self._speakers: dict[str, list[str]] = {}
        self._members: dict[str, list[str]] = {}

    def begin(self, day: int) -> None:
        """Turn to the business day `day`: who is there, and what was put off until today."""
        self.day, self.stream = day, self.history.world.streams.of("chat", day)
        for room in self.workspace.rooms.values():
            self._members[room.name] = _ids(self.workspace.members(room, day))
            self._speakers[room.name] = _ids(self.workspace.speakers(room, day))
        filed = [ticket.identifier for ticket in self._filed.get(day, [])]
        self._recent = (self._recent + filed)[-_RECENT_TICKETS:]
        for person in self.workspace.staff:
            if person.joined > self.history.world.start and work_day_from(person.joined) == day:
                text = self._bank["events"]["joined"][0].format(user=person.chat_id)
                message = SlackMessage("", person.chat_id, text, subtype="channel_join")
                self.workspace.rooms["general"].put(message, self.workspace.seconds(day, _OPENS_S))
        for act in self._agenda.pop(day, []):
            act()

    def everyday(self) -> None:
        """Today's talk about nothing in particular."""
        for room in self.workspace.rooms.values():
            if room.closes is None or self.day < room.closes:
                for _ in range(poisson(self.stream, room.spec["per_day"] * self.history.world.scale)):
                    self._exchange(room)

    def end(self) -> None:
        """Put what was said today in its order."""
        for room in self.workspace.rooms.values():
            room.end_day()

    def later(self, day: int, act: Callable[[], object]) -> None:
        """Do `act()` on `day`, or on the first business day after it."""
        self._agenda[work_day_from(max(day, self.day + 1))].append(act)

    def happens(self, room: str, kind: str, *, user: str | None = None, **known: str) -> SlackMessage:
        """A message about an occasion, by somebody of the channel unless `user` (a chat id) speaks."""
        return self._say(self.workspace.rooms[room], self._author(room, user), self._text(room, kind, known))

    def announces(self, room: str, kind: str, bot: str, second: int, **known: str) -> SlackMessage:
        """A message of a bot; the release bot posts in the classic way, without a user."""
        app, classic = self.workspace.bots[bot], bot == "release-bot"
        user, subtype = (None, "bot_message") if classic else (app.user_id, None)
        message = SlackMessage("", user, self._text(room, kind, known), subtype=subtype, bot_id=app.bot_id)
        return self._post(self.workspace.rooms[room], message, second)

    def may_open_thread(self) -> bool:
        """Whether another thread fits in the budget; says yes at most once per thread."""
        elapsed = self.day - self.history.world.start
        if self._threads >= _FIRST_THREADS + int(elapsed * _THREADS_PER_DAY * self.history.world.scale):
            return False
        self._threads += 1
        return True

    def replies(self, room: str, parent: SlackMessage, kind: str, days: list[int], **known: str) -> None:
        """Answers in the thread of `parent` on the given days, in the order in which the bank has them."""
        bank = self._bank["events"][kind]
        chosen = sorted(self.stream.sample(range(len(bank)), min(len(days), len(bank))))
        for index, day in zip(chosen, sorted(days), strict=False):
            self.later(day, partial(self._reply, room, parent, bank[index], known))

    def reply(self, room: str, parent: SlackMessage, kind: str, **known: str) -> None:
        """An answer in the thread of `parent` today."""
        self._reply(room, parent, self.stream.choice(self._bank["events"][kind]), known)

    def react(self, room: str, message: SlackMessage, mood: str, count: int) -> None:
        """Reactions of up to `count` members of the channel."""
        emoji, members = self._bank["emoji"][mood], self._members[room]
        for member in self.stream.sample(members, min(count, len(members))):
            message.reactions.setdefault(self.stream.choice(emoji), []).append(member)

    def _reply(self, room: str, parent: SlackMessage, template: str, known: dict[str, str]) -> None:
        parent.thread_ts = parent.ts
        text = template.format_map(self._words(room, known))
        self._say(self.workspace.rooms[room], self._author(room, None), text, thread_ts=parent.ts)

    def _exchange(self, room: Room) -> None:
        """A line, with the answers it gets within minutes."""
        stream, words = self.stream, self._words(room.name, {})
        speakers = self._speakers[room.name]
        people = stream.sample(speakers, min(2, len(speakers)))
        second = self._second()
        for index, line in enumerate(stream.choice(self._bank["ambient"][room.name])):
            self._say(room, people[index % len(people)], line.format_map(words), second)
            second = min(second + stream.randint(25, 900), _LATEST_S)

    def _say(
        self, room: Room, user: str, text: str, second: int | None = None, thread_ts: str | None = None
    ) -> SlackMessage:
        """A person's message of today: sometimes edited, soon or late, sometimes reacted to."""
        draw = self.stream.random
        message = SlackMessage("", user, text, thread_ts=thread_ts)
        self._post(room, message, self._second() if second is None else second)
        fate = draw()
        if fate < 0.14:
            self.react(room.name, message, "usual", 1 + int(draw() * 3))
        elif fate < 0.165:
            message.edited_ts = stamp(room.today[-1][0] + int((20 + draw() * 600) * 1_000_000))
        elif fate > 0.994:
            self.later(self.day + 1 + int(draw() * 6), partial(self._edit, message))
        return message

    def _post(self, room: Room, message: SlackMessage, second: int) -> SlackMessage:
        return room.put(message, self.workspace.seconds(self.day, second) + int(self.stream.random() * 1_000_000))

    def _edit(self, message: SlackMessage) -> None:
        message.text += self._bank["late_edit"]
        message.edited_ts = stamp(self.workspace.seconds(self.day, self._second()))

    def _second(self) -> int:
        return int(_OPENS_S + self.stream.random() * (_CLOSES_S - _OPENS_S))

    def _author(self, room: str, user: str | None) -> str:
        return user if user in self._members[room] else self.stream.choice(self._speakers[room])

    def _text(self, room: str, kind: str, known: dict[str, str]) -> str:
        template: str = self.stream.choice(self._bank["events"][kind])
        return template.format_map(self._words(room, known))

    def _words(self, room: str, known: dict[str, Any]) -> Words:
        return Words(partial(self._slot, room), **known)

    def _slot(self, room: str, slot: str) -> str:
        """A value for a slot that the occasion leaves open."""
        slot = slot.removesuffix("2")
        if slot in self._slots:
            return escape(self.stream.choice(self._slots[slot]))
        if slot == "account":
            customers = self.history.customers[self.day]
            return escape(self.stream.choice(customers).short_name) if customers else "a prospect"
        if slot == "version":
            year, week, _ = date.fromordinal(self.day).isocalendar()
            return f"{year % 100}.{week}.0"
        if slot == "issue":
            return self.stream.choice(self._recent) if self._recent else "the ticket"
        return f"<@{self.stream.choice(self._members[room])}>"


def escape(text: str) -> str:
    """`text` as Slack transmits it: only `<@U...>` and links keep their brackets."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _ids(people: list[Colleague]) -> list[str]:
    return [person.chat_id for person in people]
