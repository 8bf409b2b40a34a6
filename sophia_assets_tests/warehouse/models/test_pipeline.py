"""The pipeline of past days and bookings, recomputed from what HubSpot says of each deal's past."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from sophia_assets_tests.warehouse.models.loaded_company import EARLIER_DAY, FIRST_DAY, LAST_DAY, ZONE, Tables
from sophia_assets_tests.warehouse.models.planting import Planting
from sophia_assets_tests.warehouse.models.recomputing import account_names, assert_same, business_day, records

DAYS = [FIRST_DAY, *pd.date_range("2025-01-31", "2025-08-31", freq="MS").date, EARLIER_DAY, LAST_DAY]
KEY = ["day", "stage_id", "owner_id"]


def end_of(day: date) -> pd.Timestamp:
    """The midnight that ends a business day, as naive UTC."""
    local = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(ZONE))
    return pd.Timestamp(local).tz_convert("UTC").tz_localize(None)


def deals_at(company: Tables, day: date) -> Iterator[dict[str, Any]]:
    """What each deal was at the end of a day, from the last value that each of its properties had taken by then."""
    end = end_of(day)
    archived = company.stored("hubspot.deals").set_index("deal_id")["_deleted_at"]
    history = company.raw("hubspot.deal_history").sort_values("changed_at")
    stages = company.raw("hubspot.pipeline_stages").set_index("stage_id")
    for deal_id, changes in history[history["changed_at"] < end].groupby("deal_id"):
        if pd.notna(archived[deal_id]) and archived[deal_id] < end:
            continue
        last = changes.groupby("property")["value"].last()
        stage = stages.loc[last["dealstage"]]
        moves = changes[changes["property"] == "dealstage"]
        entered = moves.loc[moves["value"] != moves["value"].shift(), "changed_at"].iloc[-1:]
        amount = pd.to_numeric(last.get("amount", ""), errors="coerce")
        close = pd.Timestamp(last["closedate"]).tz_convert("UTC").tz_localize(None)
        yield {
            "day": pd.Timestamp(day),
            "deal_id": deal_id,
            "stage_id": last["dealstage"],
            "stage": stage["stage_label"],
            "owner_id": last.get("hubspot_owner_id") or None,
            "is_open": not stage["is_closed"],
            "is_won": stage["is_closed"] and stage["probability"] >= 1,
            "amount": amount,
            "weighted_amount": amount * stage["probability"],
            "close_on": business_day(pd.Series([close])).iloc[0],
            "stage_since": business_day(entered).iloc[0],
        }


def test_pipeline_days_hold_the_open_deals_of_each_days_end(company: Tables) -> None:
    deals = pd.DataFrame([deal for day in DAYS for deal in deals_at(company, day)])
    deals = deals[deals["is_open"]]
    slipped = deals["close_on"] < deals["day"]
    stalled = (deals["day"] - deals["stage_since"]).dt.days > 30
    expected = (
        deals.assign(
            open_deals=1,
            deals_without_amount=deals["amount"].isna().astype(int),
            slipped_deals=slipped.astype(int),
            slipped_amount=deals["amount"].where(slipped),
            stalled_deals=stalled.astype(int),
            stalled_amount=deals["amount"].where(stalled),
        )
        .groupby([*KEY, "stage"], dropna=False)[
            ["open_deals", "amount", "weighted_amount", "deals_without_amount", "slipped_deals", "slipped_amount",
             "stalled_deals", "stalled_amount"]
        ]
        .sum()
        .reset_index()
    )  # fmt: skip
    found = company.mart("marts.pipeline_days")
    assert_same(found[found["day"].isin(expected["day"])], expected, KEY)


def test_pipeline_days_go_from_the_first_deal_to_the_last_day_that_was_read(company: Tables) -> None:
    days = company.mart("marts.pipeline_days")
    assert (days["day"].min(), days["day"].max()) == (pd.Timestamp(FIRST_DAY), pd.Timestamp(LAST_DAY))
    assert (days["day_after"] - days["day"] == pd.Timedelta(days=1)).all()


def test_bookings_that_count_now_are_the_won_deals(company: Tables) -> None:
    deals = company.raw("hubspot.deals").merge(company.raw("hubspot.pipeline_stages"), on="stage_id")
    won = deals[deals["is_closed"] & (deals["probability_y"] >= 1)]
    links = company.raw("hubspot.deal_companies").groupby("deal_id")["company_id"].min()
    created, closed = business_day(won["created_at"]), business_day(won["close_date"])
    kinds = {"newbusiness": "new business", "existingbusiness": "existing business"}
    expected = pd.DataFrame(
        {
            "deal_id": won["deal_id"],
            "deal": won["name"].str.strip(),
            "account_id": won["deal_id"].map(links),
            "account": won["deal_id"].map(links).map(account_names(company)),
            "owner_id": won["owner_id"],
            "deal_type": won["deal_type"].map(kinds),
            "amount": won["amount"],
            "created_on": created,
            "booked_on": closed,
            "cycle_days": (closed - created).dt.days.where(closed >= created),
        }
    )
    found = company.mart("marts.bookings")
    assert_same(found[found["valid_to"].isna()], expected, ["deal_id"])


@pytest.mark.parametrize("day", [EARLIER_DAY, date(2025, 5, 15)])
def test_bookings_of_a_past_day_are_the_deals_that_counted_as_won_then(company: Tables, day: date) -> None:
    expected = pd.DataFrame([deal for deal in deals_at(company, day) if deal["is_won"]])[["deal_id", "amount"]]
    found = company.mart("marts.bookings")
    then = (found["valid_from"] < end_of(day)) & (found["valid_to"].isna() | (found["valid_to"] >= end_of(day)))
    assert_same(found[then], expected, ["deal_id"])


STAGES = (
    {"pipeline_id": "p", "stage_id": "open", "stage_label": "Open", "display_order": 0, "probability": 0.5,
     "is_closed": False},
    {"pipeline_id": "p", "stage_id": "won", "stage_label": "Won", "display_order": 1, "probability": 1.0,
     "is_closed": True},
)  # fmt: skip


def test_a_deal_won_and_opened_again_is_booked_only_while_it_was_won(planting: Planting) -> None:
    planting.rows("hubspot.pipeline_stages", *STAGES)
    planting.rows(
        "hubspot.deals", {"deal_id": "1", "name": "Deal", "stage_id": "open", "created_at": "2025-08-01T12:00"}
    )
    moves = {"2025-08-01T12:00": "open", "2025-08-05T12:00": "won", "2025-08-08T12:00": "open"}
    planting.rows(
        "hubspot.deal_history",
        *({"deal_id": "1", "property": "dealstage", "changed_at": at, "value": to} for at, to in moves.items()),
    )
    models = planting.models()
    (booking,) = models.mart("marts.bookings").pipe(records)
    assert (str(booking["valid_from"]), str(booking["valid_to"])) == ("2025-08-05 12:00:00", "2025-08-08 12:00:00")
    pipeline = models.mart("marts.pipeline_days")
    open_days = set(pipeline["day"].dt.day[pipeline["day"].dt.month == 8])
    assert open_days == {*range(1, 5), *range(8, 32)}


def test_a_deal_without_owner_and_amount_is_counted_among_those_without(planting: Planting) -> None:
    planting.rows("hubspot.pipeline_stages", *STAGES)
    planting.rows("hubspot.deals", {"deal_id": "1", "stage_id": "open", "created_at": "2025-08-31T12:00"})
    (row,) = planting.model("marts.pipeline_days").pipe(records)
    assert (row["open_deals"], row["amount"], row["deals_without_amount"]) == (1, 0.0, 1)
    assert (row["owner_id"], row["owner"]) == (None, "Unassigned")


def test_a_deal_that_changed_twice_on_a_day_counts_as_it_ended_that_day(planting: Planting) -> None:
    planting.rows("hubspot.pipeline_stages", *STAGES)
    planting.rows("hubspot.deals", {"deal_id": "1", "stage_id": "open", "created_at": "2025-08-30T12:00"})
    amounts = {"2025-08-30T12:00": "100", "2025-08-31T13:00": "200", "2025-08-31T14:00": "300"}
    planting.rows(
        "hubspot.deal_history",
        *({"deal_id": "1", "property": "amount", "changed_at": at, "value": to} for at, to in amounts.items()),
    )
    found = planting.model("marts.pipeline_days").set_index("day")["amount"]
    assert found.to_dict() == {pd.Timestamp("2025-08-30"): 100.0, pd.Timestamp("2025-08-31"): 300.0}
