"""Deals as they were known on a past day: archived since, renamed since, handed over since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.sources import registry
from sophia_assets.sources.declarations import CompleteSet, Deleted, ReadItem, Rows, Window
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Load
from sophia_assets.warehouse.models import load_models

_MODELS = {
    *(f"staging.{name}_versions" for name in ("owner", "account", "stage", "deal", "deal_account")),
    *("marts.deal_states", "marts.deals"),
}
_CREATED = "2025-06-01T09:00:00Z"


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=registry.tables())


def day(number: int) -> datetime:
    """Midnight at the beginning of a day of June."""
    return datetime(2025, 6, number, tzinfo=UTC)


def load(warehouse: DuckDBWarehouse, group: str, until: int, *items: ReadItem) -> None:
    """Loads a group of HubSpot up to the end of a day of June."""
    tables = registry.groups("hubspot")[group]
    run_id = f"{group} {until}"
    warehouse.load(Load(run_id, run_id, tables, Window(None, day(until) + timedelta(days=1))), items)


def deal(identifier: str = "1", **values: Any) -> Rows:
    known = {"name": "Rollout", "stage_id": "offer", "amount": 100, "owner_id": "7", "created_at": _CREATED}
    return Rows("deals", [{"deal_id": identifier, **known, "updated_at": _CREATED, **values}])


def with_account(company_id: str, identifier: str = "1") -> Rows:
    return Rows("deal_companies", [{"deal_id": identifier, "company_id": company_id}])


def changes(**by_property: Mapping[str, str]) -> Rows:
    """The history of deal 1: by property, each value with the moment from which it held."""
    return Rows(
        "deal_history",
        [
            {"deal_id": "1", "property": name, "changed_at": at, "value": value}
            for name, values in by_property.items()
            for at, value in values.items()
        ],
    )


def company(name: str = "Acme", industry: str = "RETAIL", identifier: str = "100", **values: Any) -> Rows:
    row = {"company_id": identifier, "name": name, "industry": industry, "updated_at": _CREATED, **values}
    return Rows("companies", [row])


def owner(last_name: str) -> Rows:
    return Rows("owners", [{"owner_id": "7", "first_name": "Una", "last_name": last_name, "team": "North"}])


def stage(label: str, probability: float) -> Rows:
    row = {"pipeline_id": "default", "stage_id": "offer", "stage_label": label, "display_order": 1}
    return Rows("pipeline_stages", [{**row, "probability": probability, "is_closed": False}])


def build(warehouse: DuckDBWarehouse) -> None:
    chosen = [model for name, model in load_models().items() if name in _MODELS]
    for built in build_models(warehouse, chosen, {"timezone": "UTC"}):
        assert (built.repeated_keys, built.column_differences) == (0, ()), built.model.qualified_name


def at_end_of(warehouse: DuckDBWarehouse, number: int, columns: str) -> list[tuple[Any, ...]]:
    """The deals as they stood at the end of a day of June, as a metric of a stock reads them."""
    moment = f"TIMESTAMP '{(day(number) + timedelta(days=1)):%Y-%m-%d %H:%M:%S}'"
    found = warehouse.query(
        f"SELECT {columns} FROM marts.deal_states "
        f"WHERE valid_from < {moment} AND (valid_to IS NULL OR valid_to >= {moment}) ORDER BY deal_id"
    )
    return [tuple(row.values()) for row in found.to_pylist()]


def test_a_deal_archived_since_was_there_on_the_days_before(warehouse: DuckDBWarehouse) -> None:
    archived = [day(5) + timedelta(hours=15)]
    load(warehouse, "companies", 9, company())
    load(warehouse, "deals", 9, deal(), with_account("100"), Deleted("deals", [("1",)], archived),
         Deleted("deal_companies", [("1", "100")], archived))  # fmt: skip
    build(warehouse)

    assert at_end_of(warehouse, 4, "account, amount") == [("Acme", 100)]
    assert at_end_of(warehouse, 5, "account") == []
    assert warehouse.query("SELECT * FROM marts.deals").num_rows == 0


@pytest.mark.parametrize("seen_before", [True, False], ids=["seen_before", "first_seen_archived"])
def test_a_deal_that_was_restored_was_gone_in_between(warehouse: DuckDBWarehouse, seen_before: bool) -> None:
    if seen_before:
        load(warehouse, "deals", 3, deal())
    load(warehouse, "deals", 6, deal(), Deleted("deals", [("1",)], [day(5)]))
    load(warehouse, "deals", 8, deal())
    build(warehouse)

    assert [len(at_end_of(warehouse, number, "deal")) for number in range(3, 10)] == [1, 1, 0, 0, 0, 1, 1]
    assert warehouse.query("SELECT stage_since FROM marts.deals").to_pylist() == [{"stage_since": day(1).date()}]


def test_a_deal_that_vanished_is_gone_since_the_day_that_found_it_so(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, "deals", 3, deal(), deal("2"))
    load(warehouse, "deals", 6, deal(), CompleteSet("deals"))
    build(warehouse)

    assert at_end_of(warehouse, 5, "deal_id") == [("1",), ("2",)]
    assert at_end_of(warehouse, 6, "deal_id") == [("1",)]


def test_a_deal_has_the_owner_and_the_name_that_it_had_then(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, "owners", 9, owner("Seller"))
    history = changes(
        hubspot_owner_id={_CREATED: "7", "2025-06-04T12:00:00Z": "8"},
        dealname={_CREATED: "Trial", "2025-06-06T12:00:00Z": "Rollout"},
    )
    load(warehouse, "deals", 9, deal(owner_id="8"), history)
    build(warehouse)

    seen = [at_end_of(warehouse, number, "deal, owner_id, owner")[0] for number in (3, 4, 6)]
    assert seen == [("Trial", "7", "Una Seller"), ("Trial", "8", "Unassigned"), ("Rollout", "8", "Unassigned")]


def test_names_and_settings_are_those_of_the_day_and_the_first_known_stand_for_the_time_before(
    warehouse: DuckDBWarehouse,
) -> None:
    load(warehouse, "deals", 4, deal(), with_account("100"))
    load(warehouse, "owners", 4, owner("Seller"))
    load(warehouse, "owners", 6, owner("Married"))
    load(warehouse, "companies", 4, company())
    load(warehouse, "companies", 7, company("Acme Group", "HEALTH_CARE"))
    load(warehouse, "pipelines", 4, stage("Offer", 0.3))
    load(warehouse, "pipelines", 8, stage("Proposal", 0.5))
    build(warehouse)

    columns = "owner, account, industry, stage, probability"
    assert at_end_of(warehouse, 2, columns) == [("Una Seller", "Acme", "Retail", "Offer", 0.3)]
    assert at_end_of(warehouse, 6, columns) == [("Una Married", "Acme", "Retail", "Offer", 0.3)]
    assert at_end_of(warehouse, 7, columns) == [("Una Married", "Acme Group", "Health care", "Offer", 0.3)]
    assert at_end_of(warehouse, 8, columns) == [("Una Married", "Acme Group", "Health care", "Proposal", 0.5)]


def test_a_company_that_changed_in_nothing_that_is_shown_splits_no_version(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, "deals", 4, deal(), with_account("100"))
    for number in (4, 5, 6):
        load(warehouse, "companies", number, company(employees=number))
    build(warehouse)

    assert warehouse.query("SELECT * FROM staging.account_versions").num_rows == 1
    assert warehouse.query("SELECT * FROM marts.deal_states").num_rows == 1


def test_a_deal_has_the_account_that_it_was_with_then(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, "companies", 3, company(), company("Bolt", identifier="200"))
    load(warehouse, "deals", 3, deal(), with_account("200"), CompleteSet("deal_companies"))
    load(warehouse, "deals", 5, deal(), with_account("200"), with_account("100"), CompleteSet("deal_companies"))
    load(warehouse, "deals", 7, deal(), with_account("100"), CompleteSet("deal_companies"))
    load(warehouse, "deals", 9, deal(), CompleteSet("deal_companies"), with_account("100", "2"))
    build(warehouse)

    seen = {number: at_end_of(warehouse, number, "account")[0][0] for number in (2, 4, 5, 7, 9)}
    # Of two companies the lowest id counts; what a deal was first seen with stands for the time before.
    assert seen == {2: "Bolt", 4: "Bolt", 5: "Acme", 7: "Acme", 9: None}


def test_a_company_archived_since_was_the_deal_s_account(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, "deals", 9, deal(), with_account("100"))
    load(warehouse, "companies", 9, company(), Deleted("companies", [("100",)], [day(5)]))
    build(warehouse)

    assert (at_end_of(warehouse, 4, "account"), at_end_of(warehouse, 5, "account")) == ([("Acme",)], [(None,)])


def test_versions_of_a_deal_follow_each_other_without_overlap(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, "owners", 2, owner("Seller"))
    load(warehouse, "owners", 5, owner("Married"))
    load(warehouse, "pipelines", 3, stage("Offer", 0.3))
    load(warehouse, "pipelines", 5, stage("Proposal", 0.5))
    load(
        warehouse, "deals", 3, deal(), with_account("100"), changes(amount={_CREATED: "1", "2025-06-05T12:00:00Z": "2"})
    )
    load(warehouse, "deals", 6, deal(), Deleted("deals", [("1",)], [day(6)]))
    build(warehouse)

    found = warehouse.query("SELECT valid_from, valid_to FROM marts.deal_states ORDER BY valid_from").to_pylist()
    assert [row["valid_to"] for row in found] == [*(row["valid_from"] for row in found[1:]), datetime(2025, 6, 6)]
    assert len(found) == 3
