"""The state of one home's platform: what is broken, how fresh its data is, and whether that has been shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sophia_assets.control.attempts import AttemptLog
from sophia_assets.control.circuits import Circuits
from sophia_assets.home import Home, write_atomically
from sophia_assets.observability.circuits import CircuitRow, read_circuits
from sophia_assets.observability.freshness import Reading, read_freshness
from sophia_assets.observability.problems import Problem, Stores, digest, find_problems
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.serving import Serving
from sophia_assets.settings import WEEKDAYS, Settings, read_json
from sophia_assets.warehouse.interface import Warehouse

# The briefing is late when it is not there this long after its schedule.
BRIEFING_GRACE = timedelta(minutes=30)


@dataclass(frozen=True)
class Health:
    """Reads our own stores. `connected` names the systems that are not off, `serving` tells what serves at present."""

    settings: Settings
    home: Home
    warehouse: Warehouse
    attempts: AttemptLog
    circuits: Circuits
    failures: FailureLog
    connected: Collection[str]
    serving: Callable[[], Serving]

    def problems(self, now: datetime) -> list[Problem]:
        """Everything that is broken at `now` (UTC), the worst first."""
        from sophia_assets.insight.archive import BriefingArchive

        with self.warehouse.session():
            stores = Stores(
                warehouse=self.warehouse,
                attempts=self.attempts,
                circuits=self.circuits,
                failures=self.failures,
                serving=self.serving(),
                connected=self.connected,
                briefings=BriefingArchive(self.home.briefings).days(),
                due=due_briefing(self.settings, self.home, now),
            )
            return find_problems(stores, now)

    def freshness(self) -> list[Reading]:
        """How old every table and model is that rests on connected systems alone."""
        with self.warehouse.session():
            return read_freshness(self.warehouse, self.connected)

    def board(self, readings: Sequence[Reading], now: datetime) -> list[CircuitRow]:
        """How every circuit stands at `now` (UTC), with `readings` of what rests on it."""
        with self.warehouse.session():
            return read_circuits(self.circuits, self.warehouse, readings, self.connected, now)

    def note_shown(self, problems: Sequence[Problem]) -> None:
        """Remembers that these are shown."""
        shown = {"digest": digest(problems), "at": datetime.now(UTC).isoformat()}
        write_atomically(self.home.path / "health" / "shown.json", json.dumps(shown))

    def are_shown(self, problems: Sequence[Problem]) -> bool:
        """Whether exactly these were the ones shown last."""
        shown = read_json(self.home.path / "health" / "shown.json")
        return shown is not None and shown.get("digest") == digest(problems)


def briefing_due(settings: Settings, now: datetime) -> tuple[date, datetime]:
    """The newest day whose briefing must be there at `now` (UTC), and since when: the day before a working day."""
    working = {WEEKDAYS.index(day) for day in settings.working_days}
    morning = now.astimezone(settings.tzinfo).date()
    while True:
        scheduled = datetime.combine(morning, time(settings.briefing_hour), settings.tzinfo)
        deadline = scheduled.astimezone(UTC) + BRIEFING_GRACE
        if morning.weekday() in working and deadline <= now:
            return morning - timedelta(days=1), deadline
        morning -= timedelta(days=1)


def due_briefing(settings: Settings, home: Home, now: datetime) -> tuple[date, datetime] | None:
    """The same for what a home holds; None where its history begins later. The warehouse is not looked at."""
    day, since = briefing_due(settings, now)
    company = home.company()
    if company is not None and company.kind != "live" and company.last_day:
        # Nothing happens in a sandboxed company after its last day.
        day = min(day, date.fromisoformat(company.last_day))
    return (day, since) if day >= home.history_start(settings) else None
