"""Flags: what operators switch on and off, and which share of a system or a provider is rolled out.

Every process sees a change with its next look, since nothing is kept. Where the store cannot be read, a switch counts
as off, so that no system is read and nothing is kept; which share is served then cannot be told, so that whoever would
show figures is given the error instead: showing what was perhaps taken back is worse than showing nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Row, select

from sophia_assets.control.actions import not_given, record
from sophia_assets.control.circuits import one_line
from sophia_assets.control.flag_names import (
    MOCK_DATA,
    REAL_DATA,
    STEPS,
    Flag,
    Value,
    declared_flags,
    flag_called,
    rollout_called,
)
from sophia_assets.control.rollouts import EVERYTHING, NOTHING, Shares, is_included, rollout_flag
from sophia_assets.control.schema import flag_changes, flags
from sophia_assets.control.store import ControlStore, insert_new, update_version
from sophia_assets.errors import ConfigurationError, ControlStoreUnavailable, SophiaError
from sophia_assets.settings.breakers import PROVIDERS
from sophia_assets.sources import registry
from sophia_assets.telemetry.logs import get_logger

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient
    from openfeature.flag_evaluation import FlagEvaluationDetails

_log = get_logger(__name__)


@dataclass(frozen=True)
class FlagState:
    """A flag as it stands. `since` (UTC), `by` and `reason` are those of its last change; None and empty before."""

    flag: Flag
    value: Value
    since: datetime | None = None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """A change of a flag; `at` is UTC. Where it was already as wanted, nothing was written: `before` is `after`."""

    flag: Flag
    before: Value
    after: Value
    at: datetime
    by: str
    reason: str

    @property
    def is_one(self) -> bool:
        """Whether anything has changed."""
        return self.before != self.after

    def in_words(self) -> str:
        """Such as `gong.rollout: 10 % -> 50 %`."""
        if not self.is_one:
            return f"{self.flag.name} is {self.flag.shown(self.after)} already"
        return f"{self.flag.name}: {self.flag.shown(self.before)} -> {self.flag.shown(self.after)}"


Gate = Callable[[FlagState], Sequence[str]]
"""What speaks against promoting a rollout that stands so, a line each."""

_Decision = Callable[[FlagState, Connection], Value]


def _now() -> datetime:
    return datetime.now(UTC)


class Flags:
    """The flags of one control store. Everything raises ConfigurationError for an unknown name, and
    ControlStoreUnavailable where the store cannot be used; `is_on` and `preferred_providers` do not."""

    def __init__(self, store: ControlStore, *, clock: Callable[[], datetime] = _now) -> None:
        self.store = store
        self._clock = clock

    def get(self, name: str) -> Value:
        """The flag's value now: a truth value, or a percentage."""
        flag = flag_called(name)
        found: FlagEvaluationDetails[bool] | FlagEvaluationDetails[int]
        if flag.is_percentage:
            found = self._client.get_integer_details(name, flag.default)
        else:
            found = self._client.get_boolean_details(name, bool(flag.default))
        if found.error_code is not None:
            raise ControlStoreUnavailable(f"the flag {name} cannot be read: {found.error_message}")
        return found.value

    def is_on(self, name: str) -> bool:
        """Whether a switch is on; off where that cannot be told, with an error in the log."""
        try:
            return self.get(name) is True
        except ControlStoreUnavailable as error:
            _log.error("%s counts as off", name, problem=error)
            return False

    def why_not_read(self, system: str, mode: str) -> str:
        """The flag that keeps a system of the mode `live` or `sandbox` from being read; empty where none does."""
        switches = (f"{system}.enabled", REAL_DATA if mode == "live" else MOCK_DATA)
        return next((name for name in switches if not self.is_on(name)), "")

    def shares(self, modes: Mapping[str, str]) -> Shares:
        """Which share of each system is served; `modes` says of each whether it is `live`, `sandbox` or `off`."""
        values = {name: state.value for name, state in self.states().items()}
        switch_of = {"live": REAL_DATA, "sandbox": MOCK_DATA}
        percents = {}
        for system in registry.SYSTEMS:
            switch = switch_of.get(modes.get(system, ""))
            is_taken_back = switch is not None and not values[switch]
            percents[system] = NOTHING if is_taken_back else int(values[rollout_flag(system)])
        return Shares({system: percent for system, percent in percents.items() if percent < EVERYTHING})

    def preferred_providers(self, key: str, providers: Sequence[str] = PROVIDERS) -> tuple[str, ...]:
        """In which order to ask the LLM providers for `key`, the id of a briefing or conversation.

        Those whose share the key belongs to come first, in the given order, and always do; the others stand in where
        these fail. One at 0 % is not asked at all, and none is where the store cannot be read.
        """
        try:
            percents = {name: int(self.get(rollout_flag(name))) for name in providers}
        except ControlStoreUnavailable as error:
            _log.error("no LLM provider is asked", problem=error)
            return ()
        asked = [name for name in providers if percents[name] > NOTHING]
        return tuple(sorted(asked, key=lambda name: not is_included(rollout_flag(name), key, percents[name])))

    def states(self) -> dict[str, FlagState]:
        """Every flag as it stands, in one read."""
        with self.store.reading() as connection:
            rows = {row.name: row for row in connection.execute(select(flags))}
        return {name: _state(flag, rows.get(name)) for name, flag in declared_flags().items()}

    def snapshot(self) -> dict[str, str]:
        """Every flag's value as text, in one read."""
        return {name: state.flag.text(state.value) for name, state in self.states().items()}

    def history(self, name: str) -> list[Change]:
        """What has been changed of a flag, the newest first."""
        flag = flag_called(name)
        with self.store.reading() as connection:
            return _changes(connection, flag)[::-1]

    def set(self, name: str, value: Value | str, by: str, reason: str) -> Change:
        """Gives a flag a value. Raises ConfigurationError where it cannot have it, or who or why is not said."""
        flag = flag_called(name)
        wanted = flag.parse(value)
        return self._change(flag, "flag.set", by, reason, lambda *_: wanted)

    def rollback(self, name: str, by: str, reason: str) -> Change:
        """Takes the last change back. Raises ConfigurationError where there is none to take back.

        A switch goes back to what it was; once, since going there and back again would be no rollback. A rollout never
        widens by it: it goes to the newest lower percentage that it has had, else to 0.
        """
        flag = declared_flags().get(rollout_flag(name)) or flag_called(name)
        decide = _narrower if flag.is_percentage else _before
        return self._change(flag, "flag.rollback", by, reason, decide, can_be_taken_back=flag.is_percentage)

    def promote(self, name: str, by: str, reason: str, gate: Gate) -> Change:
        """Takes the rollout of a system or provider one step further: 10, 50, 100 %.

        Raises SophiaError with all that `gate` has against it, or where somebody else has changed the flag meanwhile;
        ConfigurationError where all is rolled out already.
        """
        flag = rollout_called(name)
        by, reason = _deed(flag, by, reason)
        seen = self.states()[flag.name]
        step = next((step for step in STEPS if step > seen.value), None)
        if step is None:
            raise ConfigurationError(f"{flag.name} is at {flag.shown(seen.value)} already: there is no further step")
        if against := gate(seen):
            raise SophiaError(
                f"{flag.name} stays at {flag.shown(seen.value)}: {'; '.join(against)}",
                remedy="Promote it when that is mended",
            )

        def decide(state: FlagState, _: Connection) -> Value:
            if (state.value, state.since) != (seen.value, seen.since):
                raise SophiaError(
                    f"{flag.name} was changed to {flag.shown(state.value)} by {state.by} meanwhile ({state.reason})",
                    remedy="Nothing was changed; look at it, and promote it again if that is still right",
                )
            return step

        return self._change(flag, "flag.promote", by, reason, decide)

    @cached_property
    def _client(self) -> OpenFeatureClient:
        from sophia_assets.control.flag_provider import client_over

        return client_over(self.store)

    def _change(
        self, flag: Flag, action: str, by: str, reason: str, decide: _Decision, *, can_be_taken_back: bool = True
    ) -> Change:
        """Writes what `decide` makes of the flag, its history and the deed, in one transaction."""
        by, reason = _deed(flag, by, reason)

        def work(connection: Connection) -> Change:
            row = connection.execute(select(flags).where(flags.c.name == flag.name)).one_or_none()
            state = _state(flag, row)
            change = Change(flag, state.value, decide(state, connection), self._clock(), by, reason)
            if change.is_one:
                _write(connection, change, row.version if row is not None else 0, can_be_taken_back)
                details = {"before": flag.text(change.before), "after": flag.text(change.after)}
                record(connection, by, action, flag.name, reason, details, at=change.at)
            return change

        return self.store.run(work)


def summary(snapshot: Mapping[str, str]) -> str:
    """A digest of a snapshot and what differs from the defaults, such as `1f0c2d3e gong.rollout=10`, for run tags."""
    digest = hashlib.sha256("\n".join(f"{name}={value}" for name, value in sorted(snapshot.items())).encode())
    defaults = {name: flag.text(flag.default) for name, flag in declared_flags().items()}
    unlike = [f"{name}={value}" for name, value in snapshot.items() if value != defaults.get(name)]
    return " ".join([digest.hexdigest()[:8], *(unlike or ["defaults"])])


def _deed(flag: Flag, by: str, reason: str) -> tuple[str, str]:
    by, reason = one_line(by), one_line(reason)
    for what, value in (("who does this", by), ("a reason", reason)):
        if not value:
            raise not_given(what, f"{flag.name} is not changed: ")
    return by, reason


def _state(flag: Flag, row: Row[tuple[object, ...]] | None) -> FlagState:
    if row is None:
        return FlagState(flag, flag.default)
    return FlagState(flag, flag.parse(row.value), row.changed_at, row.changed_by, row.reason)


def _changes(connection: Connection, flag: Flag) -> list[Change]:
    """The flag's history, oldest first."""
    wanted = select(flag_changes).where(flag_changes.c.name == flag.name).order_by(flag_changes.c.id)
    return [
        Change(flag, flag.parse(row.before), flag.parse(row.after), row.at, row.by, row.reason)
        for row in connection.execute(wanted)
    ]


def _write(connection: Connection, change: Change, version: int, can_be_taken_back: bool) -> None:
    flag, before, after = change.flag, change.flag.text(change.before), change.flag.text(change.after)
    values = {
        "value": after,
        "previous": before if can_be_taken_back else None,
        "changed_at": change.at,
        "changed_by": change.by,
        "reason": change.reason,
    }
    if version:
        update_version(connection, flags, flag.name, version, values)
    else:
        insert_new(connection, flags, values | {"name": flag.name, "version": 1})
    told = {"name": flag.name, "at": change.at, "by": change.by, "reason": change.reason}
    connection.execute(flag_changes.insert().values(told | {"before": before, "after": after}))


def _before(state: FlagState, connection: Connection) -> Value:
    """What a switch was before its last change, unless that was a rollback."""
    name = state.flag.name
    previous = connection.execute(select(flags.c.previous).where(flags.c.name == name)).scalar()
    if previous is None:
        what = f"was rolled back by {state.by}" if state.since else "was never changed"
        raise ConfigurationError(
            f"{name} is {state.flag.shown(state.value)} and {what}: there is nothing to take back",
            remedy=f"Use `sophia flags set {name} on` or `off`",
        )
    return state.flag.parse(previous)


def _narrower(state: FlagState, connection: Connection) -> Value:
    """The newest percentage below the present one, else 0."""
    if state.value == NOTHING:
        raise ConfigurationError(f"{state.flag.name} is at 0 % already: there is nothing left to take back")
    had = [change.before for change in _changes(connection, state.flag)][::-1]
    return next((value for value in had if value < state.value), NOTHING)
