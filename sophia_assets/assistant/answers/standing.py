"""How the systems behind the data stand at this moment: up to when each was read, its circuit, its checks, its rollout.

Belongs here: gathering that without asking the warehouse, so that no answer waits for a load. Does not belong here:
how the briefing tells it (`insight.gaps`), or what an operator needs (`observability`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sophia_assets.assistant.answers import saying
from sophia_assets.control.rollouts import EVERYTHING, NOTHING, Shares, entities_of
from sophia_assets.insight.names import listed
from sophia_assets.insight.slots import day_phrase
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from sophia_assets.services import Services
    from sophia_assets.warehouse.reading import Reading

#: For so many seconds the state of the systems is taken as it was seen.
_SEEN_FOR = 2.0


@dataclass(frozen=True)
class SystemState:
    """How one system stands. `read_through` is UTC, None where nothing was ever read; `circuit` is empty while closed.

    `failing` names the tables that do not pass their checks, `percent` is what is served of the system.
    """

    system: str
    name: str
    is_connected: bool
    read_through: datetime | None
    circuit: str = ""
    failing: tuple[str, ...] = ()
    percent: int = EVERYTHING

    def is_behind(self, end: datetime) -> bool:
        """Whether it was not read up to `end` (UTC), the end of the data's day."""
        return self.read_through is not None and self.read_through < end

    @property
    def is_broken(self) -> bool:
        """Whether somebody should look at it."""
        return self.is_connected and (bool(self.circuit) or bool(self.failing) or self.read_through is None)


@dataclass(frozen=True)
class Standing:
    """How all systems stand, and what is served of them."""

    systems: tuple[SystemState, ...]
    shares: Shares
    timezone: str

    def of(self, system: str) -> SystemState | None:
        """One system's state."""
        return next((each for each in self.systems if each.system == system), None)

    @property
    def digest(self) -> str:
        """Another one whenever anything that is told of the systems differs."""
        told = [
            f"{s.system} {s.is_connected} {s.circuit} {s.failing} {s.percent} {s.read_through}" for s in self.systems
        ]
        return sha256("|".join(told).encode()).hexdigest()[:16]

    def caveats(self, systems: Iterable[str], end: datetime) -> list[str]:
        """What has to be said of these systems with figures of a day that ended at `end` (UTC)."""
        found = []
        for each in filter(None, map(self.of, dict.fromkeys(systems))):
            if not each.is_connected:
                found.append(f"{each.name} is not connected.")
                continue
            if each.circuit:
                found.append(f"{each.name} is not being read at the moment, so the last good data serves.")
            if each.is_behind(end) and each.read_through is not None:
                reached = each.read_through.astimezone(ZoneInfo(self.timezone))
                found.append(f"{each.name} was read up to {day_phrase(reached.date())}, {reached:%H:%M}.")
            if each.failing:
                tables = listed([table.split(".")[-1].replace("_", " ") for table in each.failing])
                found.append(f"{each.name}: {tables} did not pass the checks.")
            if NOTHING < each.percent < EVERYTHING:
                found.append(
                    f"{each.name} is served for {each.percent}% of its {entities_of(each.system)}; "
                    "its figures cover no others."
                )
        return [saying.literal(each) for each in found]


class Lookout:
    """Looks at the systems, at most every two seconds. Thread-safe."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services, self._clock = services, clock
        self._seen: tuple[float, str, Standing] | None = None
        self._lock = threading.Lock()

    def look(self, data: Reading) -> Standing:
        """How the systems stand. Raises ControlStoreUnavailable where it cannot be told what may be served."""
        with self._lock:
            if self._seen and self._seen[1] == data.version and self._clock() - self._seen[0] < _SEEN_FOR:
                return self._seen[2]
            found = self._look(data.context.loaded_through)
            self._seen = (self._clock(), data.version, found)
            return found

    def _look(self, loaded_through: Mapping[str, datetime]) -> Standing:
        from sophia_assets.control.wording import in_words

        services = self._services
        shares, now, zone = services.shares(), datetime.now(UTC), services.settings.tzinfo
        systems = []
        for system in registry.SYSTEMS:
            moments = [moment for table, moment in loaded_through.items() if table.split(".")[0] == system]
            circuit = services.circuits.get(system)
            failing = services.quality_failures.failing(system)
            systems.append(
                SystemState(
                    system=system,
                    name=registry.display_name(system),
                    is_connected=system in services.connected,
                    read_through=min(moments, default=None),
                    circuit="" if circuit.is_closed and not circuit.force else in_words(circuit, now, zone),
                    failing=tuple(dict.fromkeys(".".join(check.split(".")[:2]) for check in failing)),
                    percent=shares.of(system),
                )
            )
        return Standing(tuple(systems), shares, services.settings.timezone)
