"""HubSpot as it really is: cursors by object, ties in a millisecond, archived records, associations, history."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.errors import AuthenticationFailed
from sophia_assets.sandbox.company_data import HubSpotData, HubSpotRecord
from sophia_assets.sources.declarations import Rows, Window
from sophia_assets.sources.hubspot.api import HubSpotConnection
from sophia_assets.sources.hubspot.objects import DEALS, history_rows, owner_row, row, stage_rows
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import make_deal, served, small_company, small_hubspot
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, START, contents, ingest, source_for

SOON = Window(START - timedelta(days=1), END)


def _load(
    data: HubSpotData, group: str, warehouse: DuckDBWarehouse, window: Window = EVERYTHING, run_id: str = "run"
) -> None:
    with served(small_company(hubspot=data, gong=None, snowflake=None), wait_for="listening", limits=False) as sandbox:
        ingest(source_for("hubspot", sandbox.env), group, warehouse, window, run_id)


def _with_deals(*deals: HubSpotRecord) -> HubSpotData:
    data = small_hubspot(0)
    data.objects["deals"] = list(deals)
    return data


def _column(warehouse: DuckDBWarehouse, table: str, column: str) -> list[object]:
    return [found[column] for found in contents(warehouse, table)]


@pytest.mark.parametrize("group", ["companies", "contacts", "deals"])
def test_an_incremental_read_uses_the_cursor_that_the_object_has(group: str, tmp_path: Path) -> None:
    listed, searched = DuckDBWarehouse(tmp_path / "listed.duckdb"), DuckDBWarehouse(tmp_path / "searched.duckdb")
    _load(small_hubspot(), group, listed)
    _load(small_hubspot(), group, searched, SOON)

    assert contents(searched, f"hubspot.{group}") == contents(listed, f"hubspot.{group}")
    assert listed.row_counts()[f"hubspot.{group}"] > 0


def test_hundreds_of_deals_modified_in_one_millisecond_are_all_found(warehouse: DuckDBWarehouse) -> None:
    tie = START + timedelta(days=3, milliseconds=7)
    deals = [make_deal(number, tie) for number in range(1, 451)]
    later = [make_deal(number, tie + timedelta(milliseconds=number)) for number in range(451, 700)]
    _load(_with_deals(*deals, *later), "deals", warehouse, SOON)

    assert warehouse.row_counts()["hubspot.deals"] == 699


def test_a_record_modified_after_the_window_is_left_for_the_next_and_not_taken_for_deleted(
    warehouse: DuckDBWarehouse,
) -> None:
    middle = START + timedelta(days=10)
    unchanged = [make_deal(number, START + timedelta(days=1)) for number in (1, 2)]
    _load(_with_deals(*unchanged), "deals", warehouse)
    moved = make_deal(2, middle + timedelta(days=1))
    _load(_with_deals(unchanged[0], moved), "deals", warehouse, Window(None, middle), "again")

    assert _column(warehouse, "hubspot.deals", "deal_id") == ["5001", "5002"]


def test_an_archived_deal_and_its_associations_become_tombstones_and_come_back(warehouse: DuckDBWarehouse) -> None:
    _load(_with_deals(make_deal(1), make_deal(2)), "deals", warehouse)
    _load(_with_deals(make_deal(1), make_deal(2, archived=True)), "deals", warehouse, SOON, "archived")

    assert _column(warehouse, "hubspot.deals", "deal_id") == ["5001"]
    assert _column(warehouse, "hubspot.deal_companies", "deal_id") == ["5001"]

    _load(_with_deals(make_deal(1), make_deal(2)), "deals", warehouse, SOON, "restored")

    assert _column(warehouse, "hubspot.deals", "deal_id") == ["5001", "5002"]


def test_a_deal_archived_after_the_window_is_still_there(warehouse: DuckDBWarehouse) -> None:
    _load(_with_deals(make_deal(1)), "deals", warehouse)
    archived = make_deal(1, archived=True)
    assert archived.archived_at is not None
    window = Window(START, archived.archived_at)
    _load(_with_deals(archived), "deals", warehouse, window, "archived")

    assert _column(warehouse, "hubspot.deals", "deal_id") == ["5001"]


@pytest.mark.parametrize("window", [EVERYTHING, SOON], ids=["full", "incremental"])
def test_a_deal_with_hundreds_of_companies_keeps_them_all(window: Window, warehouse: DuckDBWarehouse) -> None:
    deal = make_deal(1)
    deal.associations = {"companies": [str(number) for number in range(1000, 1250)]}
    data = _with_deals(deal)
    moment = START
    data.objects["companies"] = [
        HubSpotRecord(identifier, {"name": identifier}, moment, moment) for identifier in deal.associations["companies"]
    ]
    _load(data, "deals", warehouse, window)

    assert _column(warehouse, "hubspot.deal_companies", "company_id") == deal.associations["companies"]


def test_an_association_that_was_removed_is_tombstoned(warehouse: DuckDBWarehouse) -> None:
    deal = make_deal(1)
    _load(_with_deals(deal), "deals", warehouse)
    deal.associations = {}
    _load(_with_deals(deal), "deals", warehouse, SOON, "again")

    assert contents(warehouse, "hubspot.deal_companies") == []


def test_stage_history_is_kept_version_by_version(warehouse: DuckDBWarehouse) -> None:
    _load(_with_deals(make_deal(1)), "deals", warehouse)

    stages = [found for found in contents(warehouse, "hubspot.deal_history") if found["property"] == "dealstage"]
    created = (START + timedelta(hours=1)).replace(tzinfo=None)
    assert [(found["changed_at"], found["value"]) for found in stages][:2] == [
        (created, "appointment"),
        (created + timedelta(days=1), "qualified"),
    ]


def test_owners_who_have_left_are_kept_and_marked(warehouse: DuckDBWarehouse) -> None:
    _load(small_hubspot(0), "owners", warehouse)

    owners = [(found["owner_id"], found["archived"], found["team"]) for found in contents(warehouse, "hubspot.owners")]
    assert owners == [("71", False, "Sales EMEA"), ("72", True, None)]


def test_a_stage_that_is_gone_from_the_pipeline_is_tombstoned(warehouse: DuckDBWarehouse) -> None:
    data = small_hubspot(0)
    _load(data, "pipelines", warehouse)
    data.stages.pop()
    _load(data, "pipelines", warehouse, run_id="again")

    assert _column(warehouse, "hubspot.pipeline_stages", "stage_id") == ["appointment", "closedwon", "qualified"]


def test_a_wrong_token_names_the_setting_in_one_line() -> None:
    with served(small_company(gong=None, snowflake=None), wait_for="listening") as sandbox:
        source = source_for("hubspot", sandbox.env | {"HUBSPOT_ACCESS_TOKEN": "wrong"})
        with pytest.raises(AuthenticationFailed, match="HUBSPOT_ACCESS_TOKEN") as caught:
            list(source.read("deals", EVERYTHING))
    assert "wrong" not in str(caught.value)


def test_few_requests_are_made() -> None:
    with served(small_company(gong=None, snowflake=None), wait_for="listening") as sandbox:
        source = source_for("hubspot", sandbox.env)
        found = sum(len(item.rows) for item in source.read("deals", EVERYTHING) if isinstance(item, Rows))
        # The schema, the account, three pages of deals, one of archived ones.
        assert source.requests_made == 6
        assert found > 119


def test_without_a_setting_the_real_address_is_used() -> None:
    assert HubSpotConnection.from_settings({}).base_url == "https://api.hubapi.com"


STAMP = datetime.isoformat


def test_properties_without_a_column_are_kept_under_their_own_names() -> None:
    record = {"id": "1", "properties": {"dealname": "", "colour": "red", "name": "odd"}, "updatedAt": STAMP(START)}

    assert row(DEALS, record) == {
        "deal_id": "1", "name": None, "colour": "red", "hubspot_name": "odd", "created_at": None,
        "updated_at": STAMP(START),
    }  # fmt: skip


def test_the_whole_history_is_kept_oldest_first_and_a_cleared_value_is_empty() -> None:
    versions = [{"value": "9", "timestamp": STAMP(END)}, {"value": "", "timestamp": STAMP(START), "sourceType": "API"}]
    record = {"id": "1", "propertiesWithHistory": {"amount": versions, "dealtype": versions}}

    assert history_rows(DEALS, record) == [
        {"deal_id": "1", "property": "amount", "changed_at": STAMP(START), "value": None, "source_type": "API"},
        {"deal_id": "1", "property": "amount", "changed_at": STAMP(END), "value": "9", "source_type": None},
    ]


def test_the_primary_team_is_an_owners_team() -> None:
    teams = [{"id": "1", "name": "Old", "primary": False}, {"id": "2", "name": "New", "primary": True}]

    assert owner_row({"id": "1", "teams": teams})["team"] == "New"


def test_a_stage_that_does_not_say_whether_it_is_closed_is_judged_by_its_probability() -> None:
    def stage(probability: str) -> dict[str, object]:
        return {"id": probability, "metadata": {"probability": probability}}

    pipeline = {"id": "p", "stages": [stage("0.5"), stage("1.0"), stage("0.0")]}
    assert [found["is_closed"] for found in stage_rows([pipeline])] == [False, True, True]
