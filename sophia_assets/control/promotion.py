"""What must hold before a rollout is promoted: checks pass, the circuit is closed, errors have not grown.

As everything is loaded whatever is served, a step is judged by the loads since it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sophia_assets.control.breaker import State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.flags import FlagState
from sophia_assets.control.wording import in_words
from sophia_assets.sources import registry

MOST_GROWTH = 0.01
"""The share of failed calls may grow by less than this, one point."""

COMPARED_TO = timedelta(days=30)
"""What came within this time before a step is what the step is compared to."""

_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class PromotionGate:
    """Judges the rollout of a system or LLM provider; called with the flag as it stands, gives what speaks against it.

    `failing_checks` gives the failing checks of severity error of a system's tables, `last_load` when (UTC) the table
    of the system that was loaded longest ago was loaded last; None where one never was.
    """

    circuits: Circuits
    failing_checks: Callable[[str], Collection[str]]
    last_load: Callable[[str], datetime | None]
    clock: Callable[[], datetime]

    def __call__(self, state: FlagState) -> list[str]:
        """A line for each thing that speaks against the next step."""
        name = state.flag.is_about
        found = [*self._circuit(name), *self._errors(name, state.since)]
        if name in registry.SYSTEMS:
            found = [*self._checks(name), *self._load(name, state.since), *found]
        return found

    def _checks(self, system: str) -> list[str]:
        failing = sorted(self.failing_checks(system))
        if not failing:
            return []
        more = f" and {len(failing) - _NAMED_AT_MOST} more" if len(failing) > _NAMED_AT_MOST else ""
        return [f"checks fail ({', '.join(failing[:_NAMED_AT_MOST])}{more})"]

    def _load(self, system: str, since: datetime | None) -> list[str]:
        loaded = self.last_load(system)
        if loaded is None:
            return ["not all of its tables have ever been loaded"]
        if since is not None and loaded < since:
            return [f"not all of its tables have been loaded since the last step ({since:%Y-%m-%d %H:%M} UTC)"]
        return []

    def _circuit(self, name: str) -> list[str]:
        circuit = self.circuits.get(name)
        if circuit.state is State.CLOSED and (circuit.force is None or circuit.force.state is State.CLOSED):
            return []
        return [f"its circuit is {in_words(circuit, self.clock(), self.circuits.timezone)}"]

    def _errors(self, name: str, since: datetime | None) -> list[str]:
        if since is None:
            return []
        now = _share(*self.circuits.errors_of(name, since))
        before = _share(*self.circuits.errors_of(name, since - COMPARED_TO, since))
        # A point is reached exactly, or is not: shares are fractions, and their difference may be a hair less.
        if round(now - before, 9) < MOST_GROWTH:
            return []
        return [f"{now:.1%} of its loads failed since the last step, {before:.1%} before"]


def _share(failures: int, outcomes: int) -> float:
    return failures / outcomes if outcomes else 0.0
