"""Roles see what they are given, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import get_args

import pytest

from sophia_assets.access.roles import EXECUTIVE, ROLES, may_see, may_see_area, role_named, visible_facts
from sophia_assets.errors import ConfigurationError
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.catalog.entries import AccessArea, Sensitivity
from sophia_assets.metrics.facts import FactSet, Unknown
from sophia_assets_tests.insight.sample_facts import sample_facts

METRICS = load_catalog().metrics


def test_an_executive_sees_every_metric_and_an_auditor_none_of_the_business() -> None:
    assert all(may_see(EXECUTIVE, name) for name in METRICS)
    assert {METRICS[name].area for name in METRICS if may_see("auditor", name)} == {"data_health"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("area", get_args(AccessArea))
@pytest.mark.parametrize("sensitivity", get_args(Sensitivity))
def test_a_metric_is_seen_only_with_its_area_and_its_clearance(role: str, area: str, sensitivity: str) -> None:
    metric = METRICS["bookings"].model_copy(update={"access": (area,), "sensitivity": sensitivity})
    held = role_named(role)
    ranks = get_args(Sensitivity)
    is_cleared = ranks.index(sensitivity) <= ranks.index(held.clearance)
    assert may_see(role, metric) == (area in held.areas and is_cleared)
    assert may_see_area(role, metric.access[0]) == (area in held.areas)


def test_what_is_closely_held_is_denied_within_the_areas_too() -> None:
    assert not may_see("sales_leader", "mrr_at_risk") and not may_see("analyst", "mrr")
    assert may_see("sales_leader", "satisfaction_score") and not may_see("engineering_leader", "satisfaction_score")


@pytest.mark.parametrize("name", ["no_such_metric", "", "Bookings", "bookings.qtd"])
@pytest.mark.parametrize("role", ROLES)
def test_what_the_catalog_does_not_know_is_denied_to_everybody(role: str, name: str) -> None:
    assert not may_see(role, name)


@pytest.mark.parametrize("name", ["", "board", "Executive", "executive ", "../executive"])
def test_an_unknown_role_is_refused_with_those_that_there_are(name: str) -> None:
    for ask in (lambda: may_see(name, "bookings"), lambda: visible_facts(name, FactSet(()))):
        with pytest.raises(ConfigurationError, match=r"there is no role .* Use one of executive, sales_leader"):
            ask()


@pytest.mark.parametrize("role", ROLES)
def test_facts_and_what_is_unknown_are_cut_and_shares_are_kept(role: str) -> None:
    since = datetime(2026, 4, 1, tzinfo=UTC)
    unknown = [Unknown(name, metric.label, date(2026, 3, 20), since, "a.b") for name, metric in METRICS.items()]
    whole = FactSet(sample_facts(), unknown, {"gong": 10})
    seen = visible_facts(role, whole)
    assert [fact.id for fact in seen] == [fact.id for fact in whole if may_see(role, fact.metric)]
    assert [entry.metric for entry in seen.unknown] == [name for name in METRICS if may_see(role, name)]
    assert seen.shares == {"gong": 10}
