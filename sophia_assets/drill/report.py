"""What a drill has seen, step by step, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sophia_assets.drill.dagster_api import Tick
from sophia_assets.sources import registry

_WIDTH = 38


@dataclass(frozen=True)
class Step:
    """Something that was to happen and did: what, at how many seconds from the drill's start, and what was seen."""

    what: str
    at_s: float
    seen: str

    def line(self) -> str:
        """The step in one line."""
        return f"{self.at_s:6.1f} s  {self.what:<{_WIDTH}}  {self.seen}"


@dataclass
class Report:
    """The steps of a drill of `system`; `problem` says in one line what did not happen, None where all did."""

    system: str
    fault: str
    steps: list[Step] = field(default_factory=list)
    ticks: Sequence[Tick] = ()
    problem: str | None = None
    duration_s: float = 0.0
    folder: str | None = None

    @property
    def went_well(self) -> bool:
        """Whether all happened that was to happen."""
        return self.problem is None

    def as_json(self) -> dict[str, Any]:
        """As values that `json.dumps` takes."""
        return {
            "system": self.system,
            "fault": self.fault,
            "passed": self.went_well,
            "problem": self.problem,
            "duration_s": round(self.duration_s, 1),
            "folder": self.folder,
            "steps": [{"what": step.what, "at_s": round(step.at_s, 1), "seen": step.seen} for step in self.steps],
            "timeline": [
                {
                    "first": group.first.isoformat(),
                    "last": group.last.isoformat(),
                    "ticks": group.ticks,
                    "says": group.says,
                }
                for group in timeline(self.ticks)
            ],
        }

    def verdict(self) -> str:
        """The drill in one line."""
        name = registry.display_name(self.system)
        if self.problem is None:
            return f"{name} failed, was contained, and came back by itself: {self.duration_s:.0f} s"
        return f"The drill of {name} failed after {self.duration_s:.0f} s: {self.problem}"


@dataclass(frozen=True)
class SameTicks:
    """Ticks in a row that said the same."""

    first: datetime
    last: datetime
    ticks: int
    says: str

    def line(self) -> str:
        """What an operator sees of them."""
        times = f" ({self.ticks} ticks)" if self.ticks > 1 else ""
        return f"{self.first:%H:%M:%S}  {self.says}{times}"


def timeline(ticks: Sequence[Tick]) -> list[SameTicks]:
    """What a sensor said, in order, ticks in a row that said the same taken together."""
    found = []
    for says, group in groupby(ticks, key=_says):
        same = list(group)
        found.append(SameTicks(same[0].at, same[-1].at, len(same), says))
    return found


def _says(tick: Tick) -> str:
    if tick.error:
        return f"failed: {tick.error}"
    if tick.run_keys or tick.run_ids:
        runs = ", ".join(f"{run[:8]}" for run in tick.run_ids) or "none, since they were there already"
        return f"asks for {', '.join(tick.run_keys) or 'a run'} (runs {runs})"
    return tick.skip_reason or tick.status.lower()
