"""Use of the product by account, day and feature, recomputed from what Redis held."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from sophia_assets_tests.warehouse.models.loaded_company import Tables
from sophia_assets_tests.warehouse.models.planting import Planting
from sophia_assets_tests.warehouse.models.recomputing import account_names, assert_same, business_day, records


def test_usage_days_hold_every_counter_of_every_account_and_day(company: Tables) -> None:
    counts = company.raw("redis.daily_usage")
    expected = counts.pivot(index=["day", "account_id"], columns="counter", values="value").reset_index()
    expected["account"] = expected["account_id"].map(account_names(company))
    assert_same(company.mart("marts.usage_days"), expected, ["day", "account_id"])


def test_a_day_without_a_counter_has_no_value_for_it(planting: Planting) -> None:
    planting.rows(
        "redis.daily_usage",
        {"day": "2025-09-01", "account_id": "1", "counter": "sessions", "value": 0, "counted_on": "2025-09-01"},
        {"day": "2025-09-01", "account_id": "1", "counter": "unheard of", "value": 7, "counted_on": "2025-09-01"},
    )
    (row,) = planting.model("marts.usage_days").pipe(records)
    assert row["sessions"] == 0
    assert pd.isna(row["actions"]) and pd.isna(row["active_users"])
    assert row["account"] == "Account 1"


def test_account_usage_holds_every_version_that_was_read(company: Tables) -> None:
    now = company.stored("redis.account_usage").rename(columns={"_known_from": "valid_from", "_deleted_at": "valid_to"})
    before = company.stored_history("redis.account_usage").rename(
        columns={"_known_from": "valid_from", "_known_to": "valid_to"}
    )
    assert not before.empty
    versions = pd.concat([now, before], ignore_index=True)
    expected = pd.DataFrame(
        {
            "account_id": versions["account_id"],
            "plan": versions["plan"],
            "seats": versions["seats"],
            "active_seats": versions["active_seats"],
            "seat_share": versions["active_seats"] / versions["seats"],
            "free_seats": versions["seats"] - versions["active_seats"],
            "last_seen_on": business_day(versions["last_seen_at"]),
            "valid_from": versions["valid_from"],
            "valid_to": versions["valid_to"],
        }
    )
    assert_same(company.mart("marts.account_usage"), expected, ["account_id", "valid_from"])


def test_one_version_of_an_accounts_usage_holds_at_a_time(company: Tables) -> None:
    versions = company.mart("marts.account_usage").sort_values(["account_id", "valid_from"])
    following = versions.groupby("account_id")["valid_from"].shift(-1)
    has_next = following.notna()
    assert (versions.loc[has_next, "valid_to"] <= following[has_next]).all()
    assert versions.loc[versions["valid_to"].isna(), "account_id"].is_unique


def test_feature_usage_takes_counts_from_the_account_and_people_from_the_events(company: Tables) -> None:
    counted = pd.DataFrame(
        [
            {"account_id": row["account_id"], "feature": feature, "uses_30d": uses}
            for row in records(company.raw("redis.account_usage"))
            for feature, uses in json.loads(row["features"] or "{}").items()
        ]
    )
    counted["share"] = counted["uses_30d"] / counted.groupby("account_id")["uses_30d"].transform("sum")
    events = company.raw("redis.events").dropna(subset=["feature", "account_id"])
    happened = (
        events.assign(last_used_on=business_day(events["occurred_at"]))
        .groupby(["account_id", "feature"])
        .agg(events=("event_id", "size"), users=("user_id", "nunique"), last_used_on=("last_used_on", "max"))
        .reset_index()
    )
    expected = counted.merge(happened, on=["account_id", "feature"], how="outer")
    expected[["events", "users"]] = expected[["events", "users"]].fillna(0)
    assert_same(company.mart("marts.feature_usage"), expected, ["account_id", "feature"])


def test_features_with_awkward_names_are_told_as_they_are(planting: Planting) -> None:
    planting.rows("redis.account_usage", {"account_id": "1", "features": {'a "quoted", one': 3, "ünïcode.path[0]": 1}})
    found = planting.model("marts.feature_usage").set_index("feature")
    assert found["uses_30d"].to_dict() == {'a "quoted", one': 3, "ünïcode.path[0]": 1}
    assert found["share"].to_dict() == {'a "quoted", one': 0.75, "ünïcode.path[0]": 0.25}


@pytest.mark.parametrize("features", [None, {}, "dashboards, exports", 7])
def test_an_account_whose_features_cannot_be_told_has_none(planting: Planting, features: object) -> None:
    planting.rows("redis.account_usage", {"account_id": "1", "features": features})
    assert planting.model("marts.feature_usage").empty


def test_a_count_that_is_no_number_is_unknown(planting: Planting) -> None:
    planting.rows("redis.account_usage", {"account_id": "1", "features": {"exports": "many", "search": 2}})
    found = planting.model("marts.feature_usage").set_index("feature")["uses_30d"]
    assert found["search"] == 2 and pd.isna(found["exports"])
