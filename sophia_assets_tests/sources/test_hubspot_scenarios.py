"""What HubSpot does to those who read it: ties, silent changes, removed properties, missing scopes, limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sophia_assets.errors import PermissionMissing, QuotaExhausted, SchemaDrift
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.company_data import CompanyData, HubSpotRecord
from sophia_assets.sources.declarations import PresentKeys, Rows, Window
from sophia_assets.sources.hubspot.answers import AccountDay
from sophia_assets.sources.hubspot.api import HubSpotApi, HubSpotConnection, SearchPlace
from sophia_assets.sources.hubspot.objects import DEALS
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import (
    Served,
    make_activity,
    make_deal,
    served,
    small_company,
    small_hubspot,
)
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, IMPATIENT, START, contents, ingest, source_for
from sophia_assets_tests.sources.unlimited import Unlimited

SOON = Window(START - timedelta(days=1), END)


@pytest.fixture
def crm() -> Iterator[Served]:
    """A small HubSpot of its own, without limits."""
    with served(_company(), wait_for="listening", limits=False) as running:
        yield running


def _company() -> CompanyData:
    return small_company(hubspot=small_hubspot(12), gong=None, snowflake=None)


def _load(crm: Served, warehouse: DuckDBWarehouse, run: str, window: Window = SOON, group: str = "deals") -> None:
    ingest(source_for("hubspot", crm.env), group, warehouse, window, run)


def _ids(warehouse: DuckDBWarehouse, table: str = "hubspot.deals", column: str = "deal_id") -> list[Any]:
    return [found[column] for found in contents(warehouse, table)]


def _yielded(crm: Served, table: str, window: Window, group: str = "deals") -> list[Any]:
    items = source_for("hubspot", crm.env).read(group, window)
    return [found for item in items if isinstance(item, Rows) and item.table == table for found in item.rows]


def test_10050_deals_modified_in_one_millisecond_are_all_found(crm: Served, warehouse: DuckDBWarehouse) -> None:
    crm.app.faults.add("hubspot:tie")
    api = HubSpotApi(HubSpotConnection.from_settings(crm.env), IMPATIENT, Unlimited())
    found, upper = set(), int(END.timestamp() * 1000)
    place: SearchPlace | None = SearchPlace(1)
    while place is not None:
        records, place = api.modified_page(DEALS, place, upper)
        found |= {record["id"] for record in records}

    assert len(found) == 10_050 + 11


def test_an_association_change_without_a_modification_is_not_lost(crm: Served, warehouse: DuckDBWarehouse) -> None:
    _load(crm, warehouse, "before", EVERYTHING)
    newest = "5011"
    before = {row["company_id"] for row in contents(warehouse, "hubspot.deal_companies") if row["deal_id"] == newest}
    crm.app.faults.add("hubspot:association_change")
    _load(crm, warehouse, "after", Window(END - timedelta(days=1), END))

    after = {row["company_id"] for row in contents(warehouse, "hubspot.deal_companies") if row["deal_id"] == newest}
    assert len(after) == 1 and not after & before


def test_a_deal_archived_without_a_modification_becomes_a_tombstone(crm: Served, warehouse: DuckDBWarehouse) -> None:
    _load(crm, warehouse, "before", EVERYTHING)
    crm.app.faults.add("hubspot:archive")
    _load(crm, warehouse, "after", Window(END - timedelta(days=1), END))

    assert "5011" not in _ids(warehouse) and "5010" in _ids(warehouse)
    assert "5011" not in _ids(warehouse, "hubspot.deal_associations")


def test_a_deal_restored_without_a_modification_is_back(crm: Served, warehouse: DuckDBWarehouse) -> None:
    _load(crm, warehouse, "first", EVERYTHING)
    crm.app.faults.add("hubspot:archive")
    _load(crm, warehouse, "archived", Window(END - timedelta(days=1), END))
    crm.app.faults.add("hubspot:restore")
    _load(crm, warehouse, "restored", Window(END - timedelta(days=1), END))

    assert "5011" in _ids(warehouse)


def test_the_history_of_an_archived_deal_is_kept(crm: Served) -> None:
    assert {row["deal_id"] for row in _yielded(crm, "deal_history", EVERYTHING)} >= {"5012"}


def test_reading_an_older_window_again_does_not_revive_what_was_archived_since(
    crm: Served, warehouse: DuckDBWarehouse
) -> None:
    _load(crm, warehouse, "now", EVERYTHING)
    crm.app.faults.add("hubspot:archive")
    _load(crm, warehouse, "archived", Window(END - timedelta(days=1), END))
    _load(crm, warehouse, "backfill", Window(START, START + timedelta(days=2, hours=11, minutes=30)))

    assert "5011" not in _ids(warehouse)


def test_an_incremental_read_says_which_records_exist(crm: Served) -> None:
    items = source_for("hubspot", crm.env).read("deals", Window(START, START + timedelta(hours=1)))
    keys = [item.keys for item in items if isinstance(item, PresentKeys) and item.table == "deals"]
    present = {key for listed in keys for (key,) in listed}
    assert present == {str(5_000 + number) for number in range(1, 13)}


def test_an_empty_list_is_no_proof_that_everything_is_gone(crm: Served, warehouse: DuckDBWarehouse) -> None:
    _load(crm, warehouse, "before", EVERYTHING)
    crm.app.faults.add("hubspot:empty")
    _load(crm, warehouse, "after", Window(END - timedelta(days=1), END))

    assert len(_ids(warehouse)) == 11
    assert _ids(warehouse, "hubspot.deal_companies")


def test_contacts_are_searched_by_their_own_cursor(crm: Served, warehouse: DuckDBWarehouse) -> None:
    _load(crm, warehouse, "searched", SOON, "contacts")
    assert len(_ids(warehouse, "hubspot.contacts", "contact_id")) == 9
    assert len(contents(warehouse, "hubspot.contact_associations")) == 9


def test_a_deleted_property_is_reported_with_its_column_and_nothing_is_overwritten(
    crm: Served, warehouse: DuckDBWarehouse
) -> None:
    _load(crm, warehouse, "before", EVERYTHING)
    before = contents(warehouse, "hubspot.deals")
    crm.app.faults.add("hubspot:removed_property")

    with pytest.raises(SchemaDrift, match=r"closed_lost_reason \(column lost_reason\)"):
        _load(crm, warehouse, "after")
    assert contents(warehouse, "hubspot.deals") == before


def test_a_missing_scope_stops_that_group_only_and_names_the_scope(crm: Served, warehouse: DuckDBWarehouse) -> None:
    crm.app.faults.add("hubspot:missing_scope")

    with pytest.raises(PermissionMissing, match="tickets"):
        _load(crm, warehouse, "tickets", EVERYTHING, "tickets")
    _load(crm, warehouse, "meetings", EVERYTHING, "meetings")
    assert len(_ids(warehouse, "hubspot.meetings", "meeting_id")) == 3


def test_a_cursor_that_expires_starts_its_list_again(crm: Served, warehouse: DuckDBWarehouse) -> None:
    standin = crm.app.standins["hubspot"]
    company = _company()
    assert company.hubspot is not None
    company.hubspot.objects["deals"] = [make_deal(number) for number in range(1, 161)]
    standin.load(company)
    crm.app.faults.add("hubspot:expired_cursor:2")
    _load(crm, warehouse, "run", EVERYTHING)

    assert len(_ids(warehouse)) == 160


@pytest.mark.parametrize("window", [EVERYTHING, SOON], ids=["full", "incremental"])
def test_short_pages_lose_nothing(window: Window, crm: Served, warehouse: DuckDBWarehouse) -> None:
    crm.app.faults.add("hubspot:pages:3")
    _load(crm, warehouse, "run", window)
    assert len(_ids(warehouse)) == 11


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_retry_after_within_patience_is_waited_for(seconds: int, crm: Served, warehouse: DuckDBWarehouse) -> None:
    crm.app.faults.add(f"hubspot:rate_limit:{seconds}")
    _load(crm, warehouse, "run", EVERYTHING, "owners")
    assert crm.app.standins["hubspot"].counters.throttled >= 1


@pytest.mark.parametrize("seconds", [30, 7200])
def test_a_retry_after_beyond_patience_is_reported_and_nobody_asks_again(seconds: int, crm: Served) -> None:
    crm.app.faults.add(f"hubspot:rate_limit:{seconds}")
    source = source_for("hubspot", crm.env)
    asked = datetime.now(UTC)
    for _ in range(2):
        with pytest.raises(QuotaExhausted) as caught:
            list(source.read("owners", EVERYTHING))
        left = (caught.value.not_before - asked).total_seconds()
        assert seconds - 2 < left < seconds + 30
    assert crm.app.standins["hubspot"].counters.requests == 1


def test_a_spent_day_ends_the_read_until_the_accounts_midnight(crm: Served) -> None:
    crm.app.faults.add("hubspot:daily_limit")
    source = source_for("hubspot", crm.env, retry=RetryPolicy(attempts=2, first_delay=0.01))
    with pytest.raises(QuotaExhausted) as caught:
        list(source.read("owners", EVERYTHING))
    now = datetime.now(UTC)
    assert now < caught.value.not_before <= now + timedelta(days=1)


def test_the_accounts_day_ends_at_its_own_midnight() -> None:
    day = AccountDay()
    moment = datetime(2026, 3, 8, 2, tzinfo=UTC)
    assert day.left(moment) == 22 * 3600
    day.learn("America/New_York")
    assert day.left(moment) == 3 * 3600
    day.learn("Nowhere/Atlantis")
    assert day.zone is UTC


def test_properties_that_do_not_fit_into_a_url_are_read_all_the_same() -> None:
    company = _company()
    assert company.hubspot is not None
    names = [f"a_custom_property_with_a_long_name_{number}" for number in range(600)]
    record = make_deal(1)
    record.properties |= {name: name.upper() for name in names}
    company.hubspot.objects["deals"] = [record]
    with served(company, wait_for="listening", limits=False) as crm:
        api = HubSpotApi(HubSpotConnection.from_settings(crm.env), IMPATIENT, Unlimited())
        wide = replace(DEALS, columns={**DEALS.columns, **{name: name for name in names}})
        (found,) = api.list_page(wide, None).records
    assert {found["properties"][name] for name in names} == {name.upper() for name in names}


def test_more_than_a_hundred_associations_of_a_meeting_are_all_kept(warehouse: DuckDBWarehouse) -> None:
    company = _company()
    assert company.hubspot is not None
    meeting = make_activity("meetings", 1)
    meeting.associations = {"contacts": [str(number) for number in range(2000, 2230)]}
    company.hubspot.objects["meetings"] = [meeting]
    people = [HubSpotRecord(one, {}, START, START) for one in meeting.associations["contacts"]]
    company.hubspot.objects["contacts"] = people
    with served(company, wait_for="listening", limits=False) as crm:
        _load(crm, warehouse, "run", SOON, "meetings")
    assert _ids(warehouse, "hubspot.meeting_associations", "to_id") == meeting.associations["contacts"]
