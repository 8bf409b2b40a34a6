"""The state of the simulated company on the day being simulated, and its agenda of what is still to happen."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from sophia_assets.sandbox.company.model import Account, Answer, Contact, Deal, Invoice, Note, Owner, Subscription
from sophia_assets.sandbox.company.streams import Clock, Streams, business_day_from
from sophia_assets.sandbox.company_data import GongCall, PlantedStory

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


@cache
def texts(name: str) -> Any:
    """The word bank `texts/<name>.json`."""
    return json.loads(files("sophia_assets.sandbox.company").joinpath("texts", f"{name}.json").read_text("utf-8"))


@dataclass
class World:
    """Everything known so far. `day` is the day being simulated; nothing may be read from beyond it."""

    streams: Streams
    clock: Clock
    start: int
    scale: float
    profile: dict[str, str]
    day: int = 0
    owners: list[Owner] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    open_deals: dict[str, Deal] = field(default_factory=dict)
    wins: list[tuple[int, int]] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    calls: list[GongCall] = field(default_factory=list)
    stories: list[PlantedStory] = field(default_factory=list)
    journal: dict[int, list[Note]] = field(default_factory=lambda: defaultdict(list))
    mentions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    muted_competitors: dict[str, int] = field(default_factory=dict)
    frozen_stage: int | None = None
    held: list[Deal] = field(default_factory=list)
    taken_names: set[str] = field(default_factory=set)
    busy: set[tuple[str, int, int]] = field(default_factory=set)
    _agenda: dict[int, list[tuple[Callable[..., None], tuple[Any, ...]]]] = field(default_factory=dict)
    _counters: dict[str, int] = field(default_factory=dict)
    _day_streams: dict[str, Random] = field(default_factory=dict)

    def begin(self, day: int) -> None:
        """Turn to `day`: its streams start afresh."""
        self.day = day
        self._day_streams = {}
        self.busy = set()

    def stream(self, purpose: str) -> Random:
        """Today's stream for `purpose`."""
        found = self._day_streams.get(purpose)
        if found is None:
            found = self._day_streams[purpose] = self.streams.of(purpose, self.day)
        return found

    def at(self, day: int, act: Callable[..., None], *arguments: Any) -> None:
        """Do `act(world, *arguments)` on `day`, or today if that is past."""
        self._agenda.setdefault(max(day, self.day), []).append((act, arguments))

    def at_work(self, day: int, act: Callable[..., None], *arguments: Any) -> None:
        """Like `at`, moved to the next business day."""
        self.at(business_day_from(max(day, self.day)), act, *arguments)

    def run_agenda(self) -> None:
        """Do everything due today, including what is put on today's agenda meanwhile."""
        acts = self._agenda.get(self.day, [])
        for act, arguments in acts:
            act(self, *arguments)
        self._agenda.pop(self.day, None)

    def note(self, kind: str, account: Account | None = None, **particulars: Any) -> None:
        """Write into today's journal; see `Note` for the kinds and their particulars."""
        self.journal[self.day].append(Note(kind, self.day, account, **particulars))

    def number(self, series: str) -> int:
        """The next number of `series`, from 1."""
        self._counters[series] = self._counters.get(series, 0) + 1
        return self._counters[series]

    def work_time(self, purpose: str) -> datetime:
        """A moment of today's office hours."""
        return self.clock.moment(self.day, int(self.stream(purpose).uniform(8.2 * _HOUR_MS, 17.6 * _HOUR_MS)))

    def after(self, earlier: datetime, purpose: str) -> datetime:
        """A moment of today's office hours, in any case later than `earlier`."""
        moment = self.work_time(purpose)
        if moment > earlier:
            return moment
        return earlier + timedelta(milliseconds=61_003)

    def batch_time(self, salt: int) -> datetime:
        """The early morning of today, when the finance jobs run."""
        return self.clock.moment(self.day, 6 * _HOUR_MS + salt % 1_800_000)

    def today(self) -> date:
        """Today's date."""
        return date.fromordinal(self.day)

    def mrr(self) -> int:
        """Monthly recurring revenue of all running subscriptions."""
        return sum(a.subscription.current.mrr for a in self.accounts if a.subscription is not None)
