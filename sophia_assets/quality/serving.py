"""What may be built and shown while some tables do not meet their rules: what waits, and what stands in the meantime.

A raw table with a broken rule of severity error is held back. A model that reads it stays as it was last built, and so
does one whose figures rest on such a model; one that takes only names from it is built on what stands. That is known
from the checks' own record, so that it holds in every run until the table is checked again.

Where a system is served in part, models are built from that part, and the record of their build says which it was. A
model that was built under another share than the present one is not shown until it has been rebuilt. Of a system of
which nothing is served, no table holds anything back: what waited for it is built without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from sophia_assets.control.rollouts import ALL_SERVED, Shares
from sophia_assets.quality.client import QualityWorker
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.ledger import read_build_shares, read_builds
from sophia_assets.quality.tables import Inspection, guarding_checks, inspect
from sophia_assets.sources import registry
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import Model, required_tables, systems_read


@dataclass(frozen=True)
class HeldTable:
    """A raw table that is held back, by which checks, with what they observed.

    `good_through` says up to when (UTC) the data reaches that serves in its place; None where none ever served.
    """

    table: str
    checks: Mapping[str, str]
    good_through: datetime | None = None


@dataclass(frozen=True)
class Serving:
    """What serves: `tables` are the raw tables held back, `models` the models that wait, each with the tables it waits
    for. `unusable` names models without rows to rely on: never built, broken themselves, or resting on such a one.
    `shares` say which part of each system is served, `outdated` names the models that were built under others.
    """

    tables: Mapping[str, HeldTable] = field(default_factory=dict)
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unusable: frozenset[str] = frozenset()
    shares: Shares = ALL_SERVED
    outdated: frozenset[str] = frozenset()

    def reach(self, loaded_through: Mapping[str, datetime]) -> dict[str, datetime]:
        """Up to when each raw table's data serves, given up to when it was read; without those of which none does."""
        served = {name: held.good_through for name, held in self.tables.items()}
        found = {
            name: served.get(name, through)
            for name, through in loaded_through.items()
            if not self.shares.is_withheld(name)
        }
        return {name: min(through, loaded_through[name]) for name, through in found.items() if through is not None}


def models_held_back(
    models: Mapping[str, Model], tables: Collection[str], built: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """The models that must not be rebuilt while the raw `tables` are held back, each with those that it waits for.

    `models` come in an order in which each follows what it reads; `built` names those that have rows from before.
    """
    held: dict[str, tuple[str, ...]] = {}
    for name, model in models.items():
        causes = {table for table in model.dependencies if table in tables}
        spared = model.spared.intersection(built)
        for above in model.dependencies:
            if above in held and above not in spared:
                causes.update(held[above])
        if causes:
            held[name] = tuple(sorted(causes))
    return held


def judge(
    warehouse: Warehouse, worker: Callable[[], QualityWorker], log: FailureLog, tables: Collection[str]
) -> Iterator[Inspection]:
    """Checks those of the raw `tables` that were loaded since they were last checked, and records what is found.

    A run may have been killed between a load and its checks, or have been asked for the load alone.
    """
    found = warehouse.query('SELECT table_name, load_id FROM "_sophia"."state"').to_pylist()
    loads = {row["table_name"]: row["load_id"] for row in found}
    declared = [table for table in registry.tables() if table.qualified_name in tables]
    wanted = [
        (table, guarding_checks(table))
        for table in declared
        if (load := loads.get(table.qualified_name))
        and not log.verdict(table.qualified_name).is_final(load, guarding_checks(table))
    ]
    if not wanted:
        return
    for inspection in inspect(warehouse, worker, wanted):
        log.record(inspection.table.qualified_name, inspection.load_id, inspection.outcomes)
        yield inspection


def read_serving(
    warehouse: Warehouse, log: FailureLog, models: Mapping[str, Model], shares: Shares = ALL_SERVED
) -> Serving:
    """What serves at present, by what the checks have recorded and by what the models were last built from.

    `shares` say which part of each system is to be served.
    """
    raw = sorted({table for model in models.values() for table in model.dependencies if table not in models})
    tables = {}
    for name in raw:
        verdict = log.verdict(name)
        if verdict.holding_back and not shares.is_withheld(name):
            checks = {check: verdict.failing.get(check, "") for check in sorted(verdict.holding_back)}
            tables[name] = HeldTable(name, checks)
    builds = read_builds(warehouse)
    held = models_held_back(models, tables, builds)
    broken = {name for name in models if log.verdict(name).holding_back} | {name for name in held if name not in builds}
    broken |= {name for name in models if any(map(shares.is_withheld, required_tables(name, models)))}
    for name, table in tables.items():
        reached = [moment for model in held if (moment := builds.get(model, {}).get(name))]
        tables[name] = replace(table, good_through=min(reached, default=None))
    outdated = _outdated(models, read_build_shares(warehouse), shares)
    return Serving(tables, held, frozenset(_resting_on(models, broken)) | outdated, shares, outdated)


def record_of_builds(models: Collection[Model], every: Mapping[str, Model], shares: Shares = ALL_SERVED) -> list[str]:
    """The statements that write down, in the transaction of the build, up to when each model's data reaches.

    `shares` are those under which the models are built. The build gets a number of its own, in the row without a table:
    of the same loads, another SELECT makes other rows.
    """
    if not models:
        return []
    number = uuid4().hex
    pairs = [
        (model.qualified_name, table)
        for model in models
        for table in ("", *sorted(required_tables(model.qualified_name, every)))
    ]
    read = systems_read(every)
    names = ", ".join(f"'{model.qualified_name}'" for model in models)
    values = ", ".join(
        f"('{model}', '{table}', '{'' if table else shares.as_text(read[model])}', {'NULL' if table else repr(number)})"
        for model, table in pairs
    )
    return [
        f'DELETE FROM "_sophia"."builds" WHERE model IN ({names})',
        'INSERT INTO "_sophia"."builds" (model, table_name, load_id, loaded_through, shares) '
        "SELECT pairs.model, pairs.table_name, COALESCE(state.load_id, pairs.number), "
        "state.loaded_through, pairs.shares "
        f"FROM (VALUES {values}) AS pairs (model, table_name, shares, number) "
        'LEFT JOIN "_sophia"."state" AS state ON state.table_name = pairs.table_name',
    ]


def _outdated(models: Mapping[str, Model], built: Mapping[str, str], shares: Shares) -> frozenset[str]:
    """The models built under other shares, and all that reads them: a name of what was taken back is not shown."""
    read = systems_read(models)
    found: set[str] = set()
    for name, model in models.items():
        wanted = shares.as_text(read[name])
        if built.get(name, wanted) != wanted or found.intersection(model.dependencies):
            found.add(name)
    return frozenset(found)


def _resting_on(models: Mapping[str, Model], broken: Collection[str]) -> set[str]:
    """`broken`, and the models whose figures rest on them."""
    found = set(broken)
    for name, model in models.items():
        if any(above in found and above not in model.spared for above in model.dependencies):
            found.add(name)
    return found
