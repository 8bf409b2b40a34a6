"""The simulated company's Slack workspace: its people, bots and channels, and how a message gets into one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from sophia_assets.sandbox.company.history import History, work_day_from
from sophia_assets.sandbox.company.staff import LEADERSHIP, Colleague, chat_id
from sophia_assets.sandbox.company.world import texts
from sophia_assets.sandbox.company_data import SlackChannel, SlackData, SlackMessage, SlackUser

_EARLY_S, _ARCHIVED_S = 7 * 3600, 16 * 3600
_MICROSECONDS = 1_000_000


@dataclass(eq=False)
class Bot:
    """An app that posts: the id of its user and of itself."""

    name: str
    label: str
    user_id: str
    bot_id: str


@dataclass(eq=False)
class Room:
    """A channel while it fills. `closes` is the day on which it is archived."""

    id: str
    spec: dict[str, Any]
    closes: int | None
    messages: list[SlackMessage] = field(default_factory=list)
    today: list[tuple[int, SlackMessage]] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """What it is called, without the #."""
        return str(self.spec["name"])

    def put(self, message: SlackMessage, microseconds: int) -> SlackMessage:
        """Post a message of today; its `ts` becomes the first free one from `microseconds` since the epoch on."""
        while microseconds in self.taken:
            microseconds += 1
        self.taken.add(microseconds)
        message.ts = stamp(microseconds)
        self.today.append((microseconds, message))
        return message

    def end_day(self) -> None:
        """Put today's messages in their order."""
        self.today.sort(key=lambda entry: entry[0])
        self.messages.extend(message for _, message in self.today)
        self.today, self.taken = [], set()


class Workspace:
    """Who and what the workspace consists of."""

    def __init__(self, history: History, staff: list[Colleague]) -> None:
        self.history, self.staff = history, staff
        stream = history.world.streams.of("workspace")
        self._team_id = chat_id(stream, "T0")
        bank = texts("chat")
        self.bots = {name: Bot(name, label, chat_id(stream), chat_id(stream, "B0")) for name, label in bank["bots"]}
        self.rooms = {spec["name"]: self._room(stream, spec) for spec in bank["channels"]}

    def _room(self, stream: Random, spec: dict[str, Any]) -> Room:
        after = spec.get("archived_after")
        closes = work_day_from(self.history.world.start + after) if after else None
        return Room(chat_id(stream, "C0"), spec, closes)

    def seconds(self, day: int, second: int) -> int:
        """Microseconds since the epoch of `second` on `day`."""
        return (self.history.midnight(day) + second) * _MICROSECONDS

    def slack(self) -> SlackData:
        """The workspace at the end of the last day."""
        profile = self.history.world.profile
        return SlackData(
            team_id=self._team_id,
            team_name=profile["name"],
            domain=profile["domain"].partition(".")[0],
            users=self._users(),
            channels=[self._channel(room) for room in self.rooms.values()],
        )

    def _users(self) -> list[SlackUser]:
        born = self._moment(self.history.world.start, _EARLY_S)
        bots = [
            SlackUser(bot.user_id, bot.name, bot.label, None, "", born, bot.label, is_bot=True)
            for bot in self.bots.values()
        ]
        return [self._user(person) for person in self.staff if person.joined <= self.history.last] + bots

    def _user(self, person: Colleague) -> SlackUser:
        start, last = self.history.world.start, self.history.last
        gone = person.left is not None and person.left <= last
        touched = max(start, person.left) if person.left is not None and gone else person.joined
        return SlackUser(
            id=person.chat_id,
            name=person.email.partition("@")[0],
            real_name=person.name,
            email=person.email,
            title=person.title,
            updated=self._moment(touched, _EARLY_S),
            display_name=person.first_name,
            timezone=self.history.world.clock.timezone,
            is_deleted=gone,
        )

    def _channel(self, room: Room) -> SlackChannel:
        born = self._moment(self.history.world.start, _EARLY_S)
        closed = room.closes is not None and room.closes <= self.history.last
        return SlackChannel(
            id=room.id,
            name=room.name,
            created=born,
            creator_id=next(person.chat_id for person in self.staff if person.department == LEADERSHIP),
            updated=self._moment(room.closes, _ARCHIVED_S) if closed and room.closes is not None else born,
            topic=room.spec["topic"] if closed or room.closes is None else "",
            purpose=room.spec["purpose"],
            is_private=room.spec.get("is_private", False),
            is_archived=closed,
            is_member=room.spec.get("is_member", True),
            member_ids=[person.chat_id for person in self.members(room, self.history.last)],
            messages=room.messages,
        )

    def members(self, room: Room, day: int) -> list[Colleague]:
        """Who is in the channel on `day`."""
        return [p for p in self.staff if p.department in room.spec["departments"] and p.works_on(day)]

    def speakers(self, room: Room, day: int) -> list[Colleague]:
        """Who talks there on `day`: people of the departments that do, as often as these are named."""
        departments = room.spec.get("speakers", room.spec["departments"])
        return [p for name in departments for p in self.staff if p.department == name and p.works_on(day)]

    def _moment(self, day: int, second: int) -> datetime:
        return datetime.fromtimestamp(self.history.midnight(day) + second, UTC)


def stamp(microseconds: int) -> str:
    """A moment as Slack writes it in a `ts`."""
    return f"{microseconds // _MICROSECONDS}.{microseconds % _MICROSECONDS:06d}"
