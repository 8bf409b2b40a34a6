"""A day's facts in the cache: what they rest on, and how they become bytes.

Belongs here: the key of a day's facts, and their form. Does not belong here: the cache (`control.cache`).
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from sophia_assets.control.cache import Cache, CacheKey, Codec
from sophia_assets.metrics.catalog import Catalog
from sophia_assets.metrics.computation import compute_facts
from sophia_assets.metrics.facts import FactSet, Unknown, fact_as_json
from sophia_assets.metrics.facts_frame import fact_from_json
from sophia_assets.metrics.measuring import FactContext
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import load_models

# All facts, for the platform itself; who may see which of them is decided when they are shown.
_SCOPE = "platform"


def resting_on_good(catalog: Catalog, unusable: Collection[str]) -> Catalog:
    """The catalog without the metrics of models that have no good data."""
    usable = {name: each for name, each in catalog.metrics.items() if not set(catalog.tables_of(each)) & set(unusable)}
    return catalog.model_copy(update={"metrics": usable})


def cached_facts(
    cache: Cache,
    seconds: float,
    warehouse: Warehouse,
    catalog: Catalog,
    context: FactContext,
    shares: Mapping[str, int],
) -> FactSet:
    """The facts of a day, computed where the cache has none of the same ground; `shares` are what is served in part.

    To be called within a session of the warehouse, so that the ground is that of the facts.
    """

    def compute() -> FactSet:
        found = compute_facts(warehouse, catalog, load_models(), context)
        return FactSet(found, found.unknown, shares)

    key = _key(warehouse, catalog, context, shares)
    return cache.get(key, seconds, compute, FACTS) if key else compute()


def _key(warehouse: Warehouse, catalog: Catalog, context: FactContext, shares: Mapping[str, int]) -> CacheKey | None:
    """The key of a day's facts of the metrics in `catalog`; None where their ground cannot be told from another."""
    ground = ground_of(warehouse, catalog, context, shares)
    return CacheKey("facts", _SCOPE, ground, (context.day,)) if ground else None


def ground_of(warehouse: Warehouse, catalog: Catalog, context: FactContext, shares: Mapping[str, int]) -> str | None:
    """What tells the ground of all answers from any other, but for the day: the warehouse as it stands, and the rest.

    None where that cannot be told: a model was built before builds were numbered.
    """
    select = 'SELECT model, load_id, shares FROM "_sophia"."builds" WHERE table_name = \'\''
    builds = warehouse.query(select).to_pylist()
    numbered = {row["model"]: [row["load_id"], row["shares"]] for row in builds if row["load_id"]}
    read = {table for metric in catalog.metrics.values() for table in catalog.tables_of(metric)}
    if not read or not read <= numbered.keys():
        return None
    loads = warehouse.query('SELECT table_name, load_id FROM "_sophia"."state"').to_pylist()
    ground = [
        _release(),
        sorted(numbered.items()),
        sorted((row["table_name"], row["load_id"]) for row in loads),
        sorted(catalog.metrics),
        context.timezone,
        context.history_start,
        sorted(context.loaded_through.items()),
        context.fiscal_year_start_month,
        sorted(context.working_days),
        sorted((context.known_since or {}).items()),
        sorted(shares.items()),
    ]
    return sha256(orjson.dumps(ground)).hexdigest()


@functools.cache
def _release() -> str:
    """What tells this code and catalog, which say how facts are computed, from any other."""
    folder = Path(__file__).parent
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".py", ".yaml", ".yml"))
    content = [(file.relative_to(folder).as_posix(), sha256(file.read_bytes()).hexdigest()) for file in files]
    return sha256(orjson.dumps(content)).hexdigest()


def _dumps(facts: FactSet) -> bytes:
    unknown = [
        [entry.metric, entry.label, entry.day.isoformat(), entry.since.isoformat(), entry.table]
        for entry in facts.unknown
    ]
    return orjson.dumps([[fact_as_json(fact) for fact in facts], unknown, facts.shares])


def _loads(content: bytes) -> FactSet:
    facts, unknown, shares = orjson.loads(content)
    return FactSet(map(fact_from_json, facts), map(_unknown, unknown), shares)


def _unknown(given: list[Any]) -> Unknown:
    metric, label, day, since, table = given
    return Unknown(metric, label, date.fromisoformat(day), datetime.fromisoformat(since), table)


FACTS: Codec[FactSet] = Codec(_dumps, _loads, is_exact=True)
