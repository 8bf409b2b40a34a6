"""Freshness: one policy per table and model, and the age of the data beside the age of its last load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.observability.freshness import Policy, Reading, State, policies, read_freshness
from sophia_assets.quality.serving import record_of_builds
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models, required_tables
from sophia_assets_tests.warehouse.models.planting import Planting

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = Policy("shop.items", 26 * HOUR, 50 * HOUR, 96 * HOUR, ("shop.items",))


@pytest.mark.parametrize(
    ("loaded", "event", "state"),
    [
        (26 * HOUR, 30 * HOUR, "fresh"),
        (27 * HOUR, 30 * HOUR, "late"),
        (51 * HOUR, 60 * HOUR, "overdue"),
        (1 * HOUR, 98 * HOUR, "quiet"),
        (1 * HOUR, None, "quiet"),
        (None, None, "never loaded"),
    ],
)
def test_a_table_is_judged_by_its_last_load_and_by_its_newest_event(
    loaded: timedelta | None, event: timedelta | None, state: State
) -> None:
    at = NOW - loaded if loaded else None
    reading = Reading(POLICY, at, at, NOW - event if event else None, "shop.items")
    assert reading.state(NOW) == state


def test_every_table_and_every_model_that_rests_on_one_has_a_policy() -> None:
    found = {policy.name: policy for policy in policies()}
    models = load_models()
    assert set(found) == {table.qualified_name for table in registry.tables()} | {
        name for name in models if required_tables(name, models)
    }
    for table in registry.tables():
        declared, policy = table.freshness, found[table.qualified_name]
        assert (policy.warn, policy.fail, policy.newest_event) == (declared.warn, declared.fail, declared.newest_event)


def test_a_model_has_the_strictest_bounds_of_what_it_rests_on() -> None:
    found = {policy.name: policy for policy in policies()}
    conversations = found["marts.conversations"]
    needed = [found[name] for name in conversations.rests_on]
    assert len(needed) > 3
    assert conversations.warn == min(policy.warn for policy in needed)
    assert conversations.newest_event == min(policy.newest_event for policy in needed if policy.newest_event)


@pytest.fixture
def planting(tmp_path: Path) -> Planting:
    return Planting(tmp_path / "warehouse.duckdb")


def test_a_model_is_as_old_as_the_oldest_table_that_it_rests_on(planting: Planting) -> None:
    models = load_models()
    model = models["marts.documents"]
    early, late = datetime(2025, 9, 1, tzinfo=UTC), datetime(2025, 9, 5, tzinfo=UTC)
    written = datetime(2025, 8, 30, 12, tzinfo=UTC)
    planting.rows("hubspot.companies", {"company_id": "1", "name": "Acme", "updated_at": early}, known_at=early)
    document = {"namespace": "docs", "document_id": "d", "title": "Guide", "updated_at": written}
    planting.rows("pinecone.documents", document, known_at=late)
    build_models(
        planting.warehouse, list(models.values()), {"timezone": "UTC"}, record=record_of_builds([model], models)
    )

    readings = {item.policy.name: item for item in read_freshness(planting.warehouse, registry.SYSTEMS)}
    assert readings["pinecone.documents"].newest_event == written, "it has no cursor, but an event time of its own"
    assert readings["pinecone.documents"].reaches == late
    assert readings["marts.documents"].reaches == late, "companies only lend it names"
    assert readings["marts.documents"].oldest == "pinecone.documents"
    assert readings["marts.issues"].state(NOW) == "never loaded"

    planting.rows("pinecone.documents", document, known_at=late + timedelta(days=1))
    again = {item.policy.name: item for item in read_freshness(planting.warehouse, registry.SYSTEMS)}
    assert again["marts.documents"].reaches == late, "a load that came after the build is not in the model yet"
    assert again["pinecone.documents"].reaches == late + timedelta(days=1)


def test_what_rests_on_a_system_that_is_off_is_not_looked_at(planting: Planting) -> None:
    names = {reading.policy.name for reading in read_freshness(planting.warehouse, ["linear"])}
    assert {"linear.issues", "marts.issues"} <= names
    assert not [name for name in names if name.startswith(("slack.", "gong."))]
    assert "marts.conversations" not in names
