"""Calls, what was talked about in them, and won deals in the CRM beside the sales department's list, recomputed."""

from __future__ import annotations

import pandas as pd

from sophia_assets_tests.warehouse.models.days import local_day
from sophia_assets_tests.warehouse.models.loaded_company import Tables


def test_calls_are_those_of_gong_with_their_account_host_and_length(company: Tables) -> None:
    raw = company.raw("gong.calls").set_index("call_id").sort_index()
    made = company.mart("marts.calls").set_index("call_id").sort_index()
    assert list(made.index) == list(raw.index)
    users = company.raw("gong.users").set_index("user_id")
    hosts = (users["first_name"] + " " + users["last_name"]).str.strip()
    names = company.raw("hubspot.companies").set_index("company_id")["name"]
    assert made["host"].to_dict() == raw["primary_user_id"].map(hosts).fillna("").to_dict()
    assert made["account_id"].dropna().to_dict() == raw["company_id"].dropna().to_dict()
    assert (
        made["account"].dropna().to_dict()
        == raw["company_id"].map(names).fillna(raw["company_name"]).dropna().to_dict()
    )
    pd.testing.assert_series_equal(made["started_on"], local_day(raw["started_at"]), check_names=False)
    pd.testing.assert_series_equal(
        made["minutes"].astype(float), (raw["duration_s"] / 60).astype(float), check_names=False
    )


def test_topics_of_calls_are_the_trackers_that_fired(company: Tables) -> None:
    raw = company.raw("gong.call_trackers")
    fired = raw[(raw["hits"] > 0) & raw["call_id"].isin(company.raw("gong.calls")["call_id"])]
    made = company.mart("marts.call_topics")
    keys = ["call_id", "tracker"]
    expected = fired.set_index(keys)["hits"].sort_index()
    assert made.set_index(keys)["hits"].sort_index().to_dict() == expected.to_dict()
    competitors = made.set_index(keys)["competitor"].dropna().to_dict()
    assert competitors == {
        key: key[1].removeprefix("Competitor: ") for key in expected.index if key[1].startswith("Competitor: ")
    }


def test_won_deals_of_the_crm_stand_beside_those_of_the_list_by_quarter(company: Tables) -> None:
    deals = company.raw("hubspot.deals")
    stages = company.raw("hubspot.pipeline_stages")
    winning = set(stages.loc[stages["is_closed"].astype(bool) & (stages["probability"] >= 1), "stage_id"])
    won = deals[deals["stage_id"].isin(winning)]
    crm = won.assign(quarter=local_day(won["close_date"]).dt.to_period("Q").dt.start_time)
    listed = company.raw("snowflake.sales_deals")
    listed = listed[listed["stage"].str.replace(" ", "").str.lower() == "closedwon"]
    listed = listed.assign(quarter=pd.to_datetime(listed["close_date"]).dt.to_period("Q").dt.start_time)
    made = company.mart("marts.bookings_reconciliation").set_index("quarter_start").sort_index()
    made.index = pd.to_datetime(made.index)
    assert len(made) > 0
    for name, frame in (("crm", crm), ("list", listed)):
        by_quarter = frame.groupby("quarter")
        assert made[f"{name}_deals"].to_dict() == by_quarter.size().reindex(made.index, fill_value=0).to_dict()
        amounts = by_quarter["amount"].sum().astype(float).reindex(made.index, fill_value=0.0)
        pd.testing.assert_series_equal(
            made[f"{name}_amount"].astype(float), amounts, check_names=False, check_freq=False
        )
    assert (made["deals_difference"] == made["crm_deals"] - made["list_deals"]).all()
