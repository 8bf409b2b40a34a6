"""How old data may grow, for every table and model in one list, and how old it is.

Two ages count. A table may not have been loaded for too long; or it is loaded every day, and the system has had
nothing new for longer than is usual. A model is as old as the oldest table that it cannot do without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from sophia_assets.quality.ledger import read_builds
from sophia_assets.sources import registry
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import load_models, required_tables

State = Literal["fresh", "late", "overdue", "quiet", "never loaded"]

_STATE = 'SELECT table_name, loaded_at, loaded_through, newest FROM "_sophia"."state"'


@dataclass(frozen=True)
class Policy:
    """How old one table or model may grow: `warn` and `fail` since the last load, `newest_event` since anything new.

    A model has the strictest bounds of the tables that it `rests_on`; a table rests on itself.
    """

    name: str
    warn: timedelta
    fail: timedelta
    newest_event: timedelta | None
    rests_on: tuple[str, ...]

    @property
    def is_model(self) -> bool:
        return self.rests_on != (self.name,)


@dataclass(frozen=True)
class Reading:
    """How old a table or model is. Times are UTC and aware; None where nothing is known.

    `loaded_at` is the last load of the oldest table that it rests on, `oldest` that table; `reaches` says up to when
    its data goes, for a model as it was last built; `newest_event` when something last happened in it.
    """

    policy: Policy
    loaded_at: datetime | None
    reaches: datetime | None
    newest_event: datetime | None
    oldest: str

    def state(self, now: datetime) -> State:
        """Where it stands by its policy. `quiet` is loaded in time, but has had nothing new for too long."""
        if self.loaded_at is None or self.reaches is None:
            return "never loaded"
        age = now - self.loaded_at
        if age > self.policy.fail:
            return "overdue"
        if age > self.policy.warn:
            return "late"
        limit, newest = self.policy.newest_event, self.newest_event
        if limit is not None and (newest is None or self.reaches - newest > limit):
            return "quiet"
        return "fresh"


def length_in_words(length: timedelta) -> str:
    """`26 hours`, or `4 days` from three days on: a deadline is meant to the hour."""
    hours = length // timedelta(hours=1)
    return f"{hours} hours" if hours < 72 or hours % 24 else f"{hours // 24} days"


@cache
def policies() -> tuple[Policy, ...]:
    """The policy of every raw table, as its declaration has it, and of every model."""
    declared = {
        table.qualified_name: Policy(
            table.qualified_name,
            table.freshness.warn,
            table.freshness.fail,
            table.freshness.newest_event,
            (table.qualified_name,),
        )
        for table in registry.tables()
    }
    models = load_models()
    found = dict(declared)
    for name in models:
        needed = tuple(sorted(required_tables(name, models)))
        if needed:
            found[name] = _strictest(name, [declared[table] for table in needed])
    return tuple(found.values())


def _strictest(name: str, needed: Iterable[Policy]) -> Policy:
    every = list(needed)
    return Policy(
        name,
        warn=min(policy.warn for policy in every),
        fail=min(policy.fail for policy in every),
        newest_event=min((policy.newest_event for policy in every if policy.newest_event), default=None),
        rests_on=tuple(policy.name for policy in every),
    )


@dataclass(frozen=True)
class _Loaded:
    at: datetime
    through: datetime
    newest: datetime | None


def read_freshness(warehouse: Warehouse, connected: Collection[str]) -> list[Reading]:
    """A reading per policy whose tables are all of `connected` systems; best within a session."""
    loaded = _loads(warehouse)
    built = read_builds(warehouse)
    return [
        _reading(policy, loaded, built.get(policy.name, {}))
        for policy in policies()
        if all(table.split(".")[0] in connected for table in policy.rests_on)
    ]


def _loads(warehouse: Warehouse) -> dict[str, _Loaded]:
    newest = {
        row["table_name"]: aware_utc(row["newest"])
        for selected in _event_times()
        for row in warehouse.query(selected).to_pylist()
    }
    found = {}
    for row in warehouse.query(_STATE).to_pylist():
        at, through = aware_utc(row["loaded_at"]), aware_utc(row["loaded_through"])
        if at and through:
            name = row["table_name"]
            found[name] = _Loaded(at, through, newest.get(name) or aware_utc(row["newest"]))
    return found


def _event_times() -> list[str]:
    """One SELECT for the newest events of the tables that have an event time of their own and no cursor."""
    selects = [
        f"SELECT '{table.qualified_name}' AS table_name, MAX({table.freshness.event_column}) AS newest "
        f"FROM {table.qualified_name} WHERE _deleted_at IS NULL"
        for table in registry.tables()
        if table.freshness.event_column
    ]
    return [" UNION ALL ".join(selects)] if selects else []


def _reading(policy: Policy, loaded: Mapping[str, _Loaded], built: Mapping[str, datetime | None]) -> Reading:
    loads = {table: loaded[table] for table in policy.rests_on if table in loaded}
    if len(loads) < len(policy.rests_on):
        missing = next(table for table in policy.rests_on if table not in loads)
        return Reading(policy, None, None, None, missing)
    oldest = min(loads, key=lambda table: (loads[table].through, loads[table].at))
    reaches: datetime | None = loads[oldest].through
    if policy.is_model:
        moments = [built.get(table) for table in policy.rests_on]
        reaches = min((moment for moment in moments if moment), default=None) if None not in moments else None
    events = [load.newest for table, load in loads.items() if table in _dated() or not policy.is_model]
    newest = min((moment for moment in events if moment), default=None)
    return Reading(policy, min(load.at for load in loads.values()), reaches, newest, oldest)


@cache
def _dated() -> frozenset[str]:
    """The tables in which something is expected to happen within a declared time."""
    return frozenset(table.qualified_name for table in registry.tables() if table.freshness.newest_event)
