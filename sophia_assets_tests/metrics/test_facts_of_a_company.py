"""Every fact of a simulated company with all seven systems, recomputed; and what cannot be known of a past day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.computation import FactContext, compute_facts
from sophia_assets.metrics.facts import FactSet, fact_as_json
from sophia_assets.metrics.facts_frame import facts_from_frame, facts_to_frame
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sources import registry
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.comparison import differences
from sophia_assets_tests.end_to_end.recomputed_facts import Expected, Key, recompute
from sophia_assets_tests.end_to_end.recomputed_work import MARTS
from sophia_assets_tests.end_to_end.stand_in_answers import read_answers
from sophia_assets_tests.end_to_end.whole_runs import fact_key
from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.warehouse.models.loaded_company import (
    FIRST_DAY,
    LAST_DAY,
    SCALE,
    SEED,
    ZONE,
    once_per_session,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.takes(60)]

# The company was first read on 31 August, when nobody had kept what stood before.
BEFORE_THE_FIRST_READ = date(2025, 7, 15)
DURING = date(2025, 9, 12)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    with default_settings(tmp_path_factory.mktemp("facts")):
        return once_per_session(tmp_path_factory)


def context(warehouse: DuckDBWarehouse, day: date) -> FactContext:
    """The ground on which the company's facts of a day are computed."""
    states = {table.qualified_name: warehouse.table_state(table.qualified_name) for table in registry.tables()}
    return FactContext(
        day=day,
        timezone=ZONE,
        history_start=FIRST_DAY,
        loaded_through={name: state.loaded_through for name, state in states.items() if state},
        known_since=warehouse.known_since(),
    )


def facts_on(warehouse: DuckDBWarehouse, day: date) -> FactSet:
    """The company's facts of a day."""
    return compute_facts(warehouse, load_catalog(), load_models(), context(warehouse, day))


@pytest.fixture(scope="module")
def facts(warehouse: DuckDBWarehouse) -> FactSet:
    return facts_on(warehouse, LAST_DAY)


@pytest.fixture(scope="module")
def found(facts: FactSet) -> Mapping[Key, dict[str, Any]]:
    return {fact_key(content): content for content in map(fact_as_json, facts)}


@pytest.fixture(scope="module")
def expected(warehouse: DuckDBWarehouse) -> Mapping[Key, Expected]:
    company = simulate_company(SEED, FIRST_DAY, LAST_DAY, scale=SCALE, timezone=ZONE)
    with served(company, limits=False, timezone=ZONE) as sandbox:
        answers = read_answers(sandbox.env, ZONE)
    marts = {mart: warehouse.query(f"SELECT * FROM {mart}").to_pylist() for mart in MARTS}
    return recompute(answers.with_marts(marts), LAST_DAY, FIRST_DAY)


def test_the_facts_are_those_that_the_recomputation_finds(
    found: Mapping[Key, dict[str, Any]], expected: Mapping[Key, Expected]
) -> None:
    assert len(found) > 900
    assert found.keys() == expected.keys()


@pytest.mark.parametrize("metric", load_catalog().metrics)
def test_each_fact_of_a_metric_equals_its_recomputation(
    found: Mapping[Key, dict[str, Any]], expected: Mapping[Key, Expected], metric: str
) -> None:
    facts_of_it = {key: fact for key, fact in found.items() if key[0] == metric}
    assert not [line for key, fact in facts_of_it.items() for line in differences(expected[key], fact)]


def test_nothing_is_unknown_of_the_day_that_was_read(facts: FactSet) -> None:
    assert facts.unknown == ()


def test_of_a_day_before_the_first_read_what_no_system_tells_is_unknown_and_has_no_fact(
    warehouse: DuckDBWarehouse,
) -> None:
    then = facts_on(warehouse, BEFORE_THE_FIRST_READ)
    unknown = {entry.metric: entry for entry in then.unknown}
    assert {"seats_in_use", "dormant_accounts", "feature_uses", "rows_held"} <= unknown.keys()
    assert unknown.keys().isdisjoint(fact.metric for fact in then)
    seats = unknown["seats_in_use"]
    assert (seats.day, seats.table) == (BEFORE_THE_FIRST_READ, "redis.account_usage")
    assert seats.since == warehouse.known_since()["redis.account_usage"]


def test_what_systems_tell_themselves_is_known_of_any_day(warehouse: DuckDBWarehouse) -> None:
    then = facts_on(warehouse, BEFORE_THE_FIRST_READ)
    for fact_id in ("pipeline_value.as_of", "mrr.as_of", "open_bugs.as_of", "product_actions.last_30d"):
        assert then.get(fact_id) is not None, fact_id


def test_what_was_unknown_thirty_days_before_is_not_compared_and_says_why(warehouse: DuckDBWarehouse) -> None:
    seats = facts_on(warehouse, DURING).get("seats_in_use.as_of")
    assert seats is not None
    assert seats.previous is None
    (caveat,) = seats.caveats
    assert caveat == "Known since August 31, 2025, so there is nothing to compare it to."


def test_a_frame_of_facts_keeps_what_is_unknown(warehouse: DuckDBWarehouse, tmp_path: Any) -> None:
    then = facts_on(warehouse, BEFORE_THE_FIRST_READ)
    frame = facts_to_frame(then)
    frame.to_parquet(tmp_path / "facts.parquet", index=False)
    import pandas as pd

    again = facts_from_frame(pd.read_parquet(tmp_path / "facts.parquet"))
    assert list(again) == list(then)
    assert again.unknown == then.unknown


def test_a_table_that_was_never_read_gives_no_fact_and_nothing_that_would_be_known_later(
    warehouse: DuckDBWarehouse,
) -> None:
    ground = context(warehouse, LAST_DAY)
    without = {name: at for name, at in ground.loaded_through.items() if not name.startswith("linear.")}
    found = compute_facts(warehouse, load_catalog(), load_models(), replace(ground, loaded_through=without))
    assert "issues_completed" not in {fact.metric for fact in found}
    assert "issues_completed" not in {entry.metric for entry in found.unknown}
