"""What operators do with flags, whichever way they come: the change at once, then the rebuild of what rests on it.

The change is committed first. Until the rebuild, nothing is shown of models that were built under other shares, so
that a process killed between the two, or a rebuild that fails, leaves figures out instead of showing the wrong ones;
the next run, or the same command again, rebuilds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sophia_assets.control.flag_names import declared_flags, rollout_called
from sophia_assets.control.flags import Change
from sophia_assets.control.promotion import PromotionGate
from sophia_assets.control.rollouts import rollout_flag
from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.quality.rebuilding import Rebuilt, rebuild_outdated
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import load_models

if TYPE_CHECKING:
    from sophia_assets.services import Services

_REBUILDS_AT_MOST = 3

ActionName = Literal["set", "promote", "rollback"]


@dataclass(frozen=True)
class Operation:
    """What became of an operator's action: the change, the rebuild that it called for, or why that one failed."""

    change: Change
    rebuilt: Rebuilt | None = None
    failure: SophiaError | None = None

    def lines(self) -> list[str]:
        """What the operator is told; a failed rebuild is told apart."""
        return [self.change.in_words(), *([self.rebuilt.in_words()] if self.rebuilt else [])]

    def failed_rebuild(self) -> str:
        """One line on a rebuild that failed; empty where none did."""
        if self.failure is None:
            return ""
        flag = self.change.flag
        return (
            f"{flag.name} is {flag.shown(self.change.after)} now, but what rests on it could not be rebuilt and is "
            f"left out of figures until the next run rebuilds it: {self.failure}"
        )

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        flag, rebuilt = self.change.flag, self.rebuilt
        return {
            **change_as_json(self.change),
            "changed": self.change.is_one,
            "rebuilt": {"models": list(rebuilt.rows), "waiting": sorted(rebuilt.waiting), "seconds": rebuilt.seconds}
            if rebuilt
            else None,
            "rebuild_error": str(self.failure) if self.failure else None,
            "flag": flag.name,
        }


def change_as_json(change: Change) -> dict[str, Any]:
    """A change for programs; values as they are typed."""
    return {
        "flag": change.flag.name,
        "before": change.flag.text(change.before),
        "after": change.flag.text(change.after),
        "at": change.at.isoformat(),
        "by": change.by,
        "reason": change.reason,
    }


def operate(services: Services, action: ActionName, name: str, value: str, by: str, reason: str) -> Operation:
    """Sets, promotes or rolls back a flag, then rebuilds what rests on it where it says what is served.

    `value` is for `set` alone. Raises SophiaError where the flag was not changed; nothing else is then either.
    """
    if action == "set":
        change = services.flags.set(name, value, by, reason)
    elif value:
        raise ConfigurationError(f"{action} takes no value", remedy="Use set to give a flag a value")
    elif action == "promote":
        change = services.flags.promote(name, by, reason, promotion_gate(services))
    else:
        change = services.flags.rollback(name, by, reason)
    if not change.flag.concerns_serving or not has_warehouse(services):
        return Operation(change)
    try:
        return Operation(change, rebuilt=rebuild(services))
    except SophiaError as error:
        return Operation(change, failure=error)


def rebuild(services: Services) -> Rebuilt:
    """Rebuilds what was built under other shares, after checking what was loaded since the last checks.

    Where the shares have changed again meanwhile, it is done once more: whoever changed them may have built first.
    """
    models, rebuilt = load_models(), Rebuilt()
    for _ in range(_REBUILDS_AT_MOST):
        serving = services.serving()
        if serving.outdated <= rebuilt.waiting.keys() or rebuilt.shares == serving.shares:
            break
        read = {table for name in serving.outdated for table in models[name].dependencies if table not in models}
        if list(services.judge(read)):
            serving = services.serving()
        rebuilt = rebuild_outdated(services.warehouse, serving, models, {"timezone": services.settings.timezone})
    return rebuilt


def promotion_gate(services: Services) -> PromotionGate:
    """What must hold for a promotion, by this platform's stores."""

    def last_load(system: str) -> datetime | None:
        if not has_warehouse(services):
            return None
        with services.warehouse.session():
            states = [services.warehouse.table_state(table.qualified_name) for table in registry.tables(system)]
        loaded = [state.loaded_at for state in states if state is not None]
        return min(loaded) if len(loaded) == len(states) else None

    return PromotionGate(
        services.circuits, services.quality_failures.failing, last_load, clock=lambda: datetime.now(UTC)
    )


def has_warehouse(services: Services) -> bool:
    """Whether there is a warehouse yet: changing a flag makes none."""
    return services.settings.warehouse != "duckdb" or services.home.warehouse_file.exists()


def notes_on(services: Services, name: str) -> list[str]:
    """What an operator should know of the system that a flag is about."""
    flag = declared_flags().get(name) or rollout_called(name)
    if flag.is_about in registry.SYSTEMS and flag.is_about not in services.connected:
        return [f"{registry.display_name(flag.is_about)} is not connected: the flag counts once it is"]
    if flag.name == rollout_flag(flag.is_about) and services.flags.get(flag.name) == 0:
        return ["Figures that rest on it are left out, and the briefing says so"]
    return []
