"""A public CRM export, with the dirt of real ones, against pandas on its files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from sophia_assets.sandbox.company_data import CompanyData, HubSpotData
from sophia_assets.sandbox.exports import load_exports

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "crm_opportunities"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the public CRM data is not at {FOLDER}")


@cache
def company() -> CompanyData:
    return load_exports(FOLDER, timezone="UTC")


@cache
def hubspot() -> HubSpotData:
    found = company().hubspot
    assert found
    return found


@cache
def loaded() -> pd.DataFrame:
    """The deals as loaded, one row each, under the names of the file's columns."""
    data = hubspot()
    companies = {record.id: record.properties["name"] for record in data.objects["companies"]}
    owners = {owner.id: f"{owner.first_name} {owner.last_name}" for owner in data.owners}
    labels = {stage.id: stage.label for stage in data.stages}
    return pd.DataFrame(
        {
            "opportunity_id": deal.properties["opportunity_id"],
            "sales_agent": owners[str(deal.properties["hubspot_owner_id"])],
            "product": deal.properties["product"],
            "account": companies[deal.associations["companies"][0]] if deal.associations else None,
            "deal_stage": labels[str(deal.properties["dealstage"])],
            "close_date": (deal.properties["closedate"] or "")[:10] or None,
            "close_value": None if deal.properties["amount"] is None else float(deal.properties["amount"]),
        }
        for deal in data.objects["deals"]
    )


@cache
def expected() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "sales_pipeline.csv")


def test_it_is_recognised_and_only_the_crm_is_on() -> None:
    found = company()
    assert (found.gong, found.snowflake) == (None, None)
    assert (found.first_day, found.last_day) == (date(2016, 10, 20), date(2017, 12, 31))
    assert len(hubspot().owners) == 35 and {owner.team for owner in hubspot().owners} == {"Central", "East", "West"}


def test_every_opportunity_is_there_with_its_values() -> None:
    columns = list(loaded().columns)
    frames = [frame[columns].astype(object).where(frame[columns].notna(), None) for frame in (loaded(), expected())]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert loaded().deal_stage.value_counts().to_dict() == {
        "Won": 4238, "Lost": 2473, "Engaging": 1589, "Prospecting": 500,
    }  # fmt: skip


def test_won_value_by_quarter_and_the_top_accounts_and_owners_are_those_of_the_files() -> None:
    won, truth = (frame[frame.deal_stage == "Won"] for frame in (loaded(), expected()))
    for key in ("account", "sales_agent"):
        assert won.groupby(key).close_value.sum().to_dict() == truth.groupby(key).close_value.sum().to_dict()
    by_quarter = [
        frame.groupby(pd.PeriodIndex(frame.close_date, freq="Q")).close_value.sum().to_dict() for frame in (won, truth)
    ]
    assert by_quarter[0] == by_quarter[1]


def test_open_deals_have_no_amount_and_no_close_date() -> None:
    closed = {"won", "lost"}
    for deal in hubspot().objects["deals"]:
        is_closed = deal.properties["dealstage"] in closed
        assert (deal.properties["amount"] is not None) == is_closed == (deal.properties["closedate"] is not None)


def test_the_dirt_stays() -> None:
    assert loaded().account.isna().sum() == expected().account.isna().sum() > 0
    assert "GTXPro" in set(loaded()["product"])
    assert "technolgy" in {record.properties["industry"] for record in hubspot().objects["companies"]}
    assert not any("\r" in str(value) for deal in hubspot().objects["deals"] for value in deal.properties.values())
    nameless = next(deal for deal in hubspot().objects["deals"] if not deal.associations)
    assert nameless.properties["dealname"] == nameless.properties["product"]


def test_stage_histories_begin_when_the_deal_was_engaged_and_end_when_it_was_closed() -> None:
    engaged = expected().set_index("opportunity_id").engage_date.to_dict()
    for deal in hubspot().objects["deals"]:
        values = [version.value for version in deal.history["dealstage"]]
        stage = str(deal.properties["dealstage"])
        assert values == (["engaging", stage] if stage in ("won", "lost") else [stage])
        if stage != "prospecting":
            assert f"{deal.created_at:%Y-%m-%d}" == engaged[deal.properties["opportunity_id"]]
        assert deal.updated_at == deal.history["dealstage"][-1].timestamp


def test_deals_without_a_date_begin_on_the_first_day_and_a_warning_says_so() -> None:
    first = datetime(2016, 10, 20, tzinfo=UTC)
    assert all(
        deal.created_at == first for deal in hubspot().objects["deals"] if deal.properties["dealstage"] == "prospecting"
    )
    assert company().warnings == [
        "sales_pipeline.csv: 500 rows have no engage_date; the first day of the data, 2016-10-20, stands in for it"
    ]
