"""Facts in the cache: taken from there as long as nothing that they rest on has changed, and not a moment longer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import pytest

from sophia_assets.control.cache import Cache
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.facts import Fact, FactSet, Period, Unknown
from sophia_assets.metrics.facts_cache import FACTS, cached_facts, resting_on_good
from sophia_assets.metrics.measuring import FactContext
from sophia_assets.quality.serving import record_of_builds
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.models import load_models

DAY = date(2026, 3, 31)
READ_UP_TO = datetime(2026, 4, 1, tzinfo=UTC)
CONTEXT = FactContext(DAY, "UTC", date(2025, 1, 1), {table.qualified_name: READ_UP_TO for table in registry.tables()})


MODELS = load_models()
# Enough to tell one ground from another.
MART = "marts.calls"
OTHERS = {table for metric in load_catalog().metrics.values() for table in load_catalog().tables_of(metric)} - {MART}


def build(warehouse: DuckDBWarehouse, names: Collection[str] = tuple(MODELS)) -> None:
    chosen = [MODELS[name] for name in names]
    build_models(warehouse, chosen, {"timezone": "UTC"}, record=record_of_builds(chosen, MODELS))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    """A company of which nothing happened: its models are there, and every sum is zero."""
    held = DuckDBWarehouse(tmp_path_factory.mktemp("facts") / "warehouse.duckdb")
    build(held)
    yield held
    held.close()


def asked(
    cache: Cache,
    warehouse: DuckDBWarehouse,
    context: FactContext = CONTEXT,
    unusable: Collection[str] = OTHERS,
    shares: Mapping[str, int] = MappingProxyType({}),
) -> FactSet:
    with warehouse.session():
        return cached_facts(cache, 60, warehouse, resting_on_good(load_catalog(), unusable), context, shares)


def computed(cache: Cache) -> int:
    return cache.stats().numbers["computed"]


def test_the_facts_of_a_day_are_computed_once(warehouse: DuckDBWarehouse) -> None:
    cache = Cache("acme")
    first, second = asked(cache, warehouse, shares={"gong": 10}), asked(cache, warehouse, shares={"gong": 10})
    assert list(first)
    assert (list(second), second.unknown, second.shares) == (list(first), first.unknown, {"gong": 10})
    assert computed(cache) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"day": date(2026, 3, 30)},
        {"timezone": "Europe/Berlin"},
        {"history_start": date(2025, 2, 1)},
        {"fiscal_year_start_month": 2},
        {"working_days": frozenset(range(6))},
        {"known_since": {"hubspot.deals": READ_UP_TO}},
        {"loaded_through": {**CONTEXT.loaded_through, "gong.calls": datetime(2026, 3, 31, tzinfo=UTC)}},
    ],
)
def test_another_day_or_ground_is_computed(warehouse: DuckDBWarehouse, change: Mapping[str, Any]) -> None:
    cache = Cache("acme")
    asked(cache, warehouse)
    asked(cache, warehouse, replace(CONTEXT, **change))
    assert computed(cache) == 2


def test_another_share_of_a_system_or_another_metric_is_computed(warehouse: DuckDBWarehouse) -> None:
    cache = Cache("acme")
    asked(cache, warehouse)
    asked(cache, warehouse, shares={"gong": 10})
    asked(cache, warehouse, unusable=OTHERS - {min(OTHERS)})
    assert computed(cache) == 3


def test_a_build_of_the_same_loads_is_another_ground(warehouse: DuckDBWarehouse) -> None:
    cache = Cache("acme")
    asked(cache, warehouse)
    build(warehouse, [MART])
    asked(cache, warehouse)
    assert computed(cache) == 2


def test_what_was_built_without_a_number_is_not_kept(warehouse: DuckDBWarehouse) -> None:
    cache = Cache("acme")
    warehouse.execute_in_transaction([f"UPDATE _sophia.builds SET load_id = NULL WHERE model = '{MART}'"])
    try:
        assert list(asked(cache, warehouse))
        assert cache.stats().asked == 0
    finally:
        build(warehouse, [MART])


def test_metrics_without_good_data_are_left_out() -> None:
    catalog = load_catalog()
    left = resting_on_good(catalog, {MART}).metrics
    assert left
    assert left.keys() == {name for name, each in catalog.metrics.items() if MART not in catalog.tables_of(each)}


def test_facts_come_back_as_they_were() -> None:
    period = Period("qtd", date(2026, 1, 1), DAY, "Q1 2026")
    fact = Fact(
        id="bookings.qtd",
        metric="bookings",
        label="Bookings",
        dimensions={"owner": "Zoë"},
        period=period,
        value=0.1 + 0.2,
        unit="usd",
        display="$0.30",
        good_direction="up",
        sources=("hubspot.deals",),
        as_of=READ_UP_TO,
        query_hash="abc",
        entity_ids={"owner": "7"},
        previous=1.5,
        previous_period=period,
        rank=1,
        caveats=("served in part",),
    )
    facts = FactSet([fact], [Unknown("churn", "Churn", DAY, READ_UP_TO, "hubspot.deals")], {"gong": 10})
    back = FACTS.loads(FACTS.dumps(facts))
    assert (list(back), back.unknown, back.shares) == ([fact], facts.unknown, {"gong": 10})
