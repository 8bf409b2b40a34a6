"""Accounts brought together across the systems, what could not be, and the one row per account, recomputed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from sophia_assets_tests.warehouse.models.loaded_company import LAST_DAY, Tables
from sophia_assets_tests.warehouse.models.planting import Planting
from sophia_assets_tests.warehouse.models.recomputing import account_names, assert_same, business_day, records

TODAY = pd.Timestamp(LAST_DAY)
IDS = {
    "hubspot": [("hubspot.companies", "company_id")],
    "gong": [("gong.calls", "company_id")],
    "pinecone": [("pinecone.documents", "account_id")],
    "redis": [(f"redis.{name}", "account_id") for name in ("account_usage", "daily_usage", "events")],
    "snowflake": [
        (f"snowflake.{name}", "account_id") for name in ("sales_deals", "subscriptions", "invoices", "satisfaction")
    ],
}


def test_every_id_and_label_of_the_company_is_matched(company: Tables) -> None:
    expected = [
        {"system": system, "kind": "id", "key": key, "account_id": key, "matched_by": "id"}
        for system, places in IDS.items()
        for key in set().union(*(company.raw(table)[column].dropna() for table, column in places))
    ]
    by_name = {name: account_id for account_id, name in account_names(company).items()}
    labels = company.raw("linear.labels")
    expected += [
        {"system": "linear", "kind": "label", "key": row["label_id"], "account_id": by_name[row["name"]],
         "matched_by": "name"}
        for row in records(labels[labels["parent_name"] == "Customer"])
    ]  # fmt: skip
    assert_same(company.mart("staging.account_keys"), pd.DataFrame(expected), ["system", "kind", "key"])
    assert company.mart("marts.unmatched_accounts").empty


def companies(planting: Planting, *names: str, **more: Any) -> None:
    """Companies 1, 2, 3... of these names."""
    planting.rows(
        "hubspot.companies", *({"company_id": str(n), "name": name, **more} for n, name in enumerate(names, start=1))
    )


def labels(planting: Planting, *names: str) -> None:
    planting.rows("linear.labels", *({"label_id": name, "name": name, "parent_name": "Customer"} for name in names))


def matched(planting: Planting) -> dict[str, str | None]:
    """What each key of the systems besides HubSpot was matched to."""
    found = planting.model("staging.account_matches")
    others = found[found["system"] != "hubspot"]
    return {row["key"]: row["account_id"] if isinstance(row["account_id"], str) else None for row in records(others)}


@pytest.mark.parametrize(
    ("crm", "elsewhere"),
    [
        ("Müller Beverages Ltd", "MULLER BEVERAGES"),
        ("Müller Beverages Ltd", "Mu\u0308ller Beverages Limited"),
        ("São Biologics, Inc.", "Sao Biologics Inc"),
        ("Silverford & Mardon Markets, Inc.", "Silverford and Mardon Markets"),
        ("Osterwick Solar & Co.", "osterwick-solar"),
        ("Ångström Networks GmbH & Co. KG", "angstrom networks"),
        ("O'Neill Foods S.A.", "Oneill  Foods"),
        ("Weiß Œuvre Łódź AG", "weiss oeuvre lodz"),
        ("日本製作所", "日本製作所"),
        ("AG", "ag"),
    ],
)
def test_names_match_whatever_their_case_accents_punctuation_and_legal_form(
    planting: Planting, crm: str, elsewhere: str
) -> None:
    companies(planting, crm, "Something Else")
    labels(planting, elsewhere)
    assert matched(planting) == {elsewhere: "1"}


@pytest.mark.parametrize("other", ["Acme Labs", "Acm", "Acme Holdings", "The Acme", ""])
def test_other_names_do_not_match(planting: Planting, other: str) -> None:
    companies(planting, "Acme Inc.")
    planting.rows("linear.labels", {"label_id": "L", "name": other, "parent_name": "Customer"})
    assert matched(planting) == {"L": None}


def test_two_accounts_of_one_name_are_never_guessed_between(planting: Planting) -> None:
    companies(planting, "Acme Inc.", "ACME, inc", "Acme GmbH")
    labels(planting, "Acme", "Acme GmbH", "Acme Inc")
    assert matched(planting) == {"Acme": None, "Acme GmbH": "3", "Acme Inc": None}
    unmatched = planting.model("marts.unmatched_accounts").set_index("key")
    assert unmatched["candidates"].to_dict() == {"Acme": 3, "Acme Inc": 2}
    assert set(unmatched["why"]) == {"several accounts have this name"}


def test_an_account_of_one_system_only_is_told_with_its_rows(planting: Planting) -> None:
    companies(planting, "Acme")
    planting.rows(
        "snowflake.invoices",
        *({"invoice_id": f"I{n}", "account_id": "99", "account_name": "Nobody", "amount": 5, "issued_on": "2025-08-01",
           "due_on": "2025-08-31", "updated_at": "2025-08-01T00:00"} for n in range(3)),
    )  # fmt: skip
    models = planting.models()
    (row,) = models.mart("marts.unmatched_accounts").pipe(records)
    assert (row["system"], row["kind"], row["key"], row["name"], row["rows_affected"]) == (
        "snowflake", "id", "99", "Nobody", 3,
    )  # fmt: skip
    assert row["why"] == "the CRM has no such company"
    assert set(models.mart("marts.invoices")["account"]) == {"Nobody"}, "its rows are still there"
    assert models.mart("marts.accounts")["account_id"].tolist() == ["1"]


def test_an_id_that_the_crm_has_merged_away_is_found_by_its_name(planting: Planting) -> None:
    companies(planting, "Acme Inc.", "Acme")
    planting.gone("hubspot.companies", ("2",))
    planting.rows("redis.account_usage", {"account_id": "2", "account_name": "ACME", "seats": 5, "active_seats": 4})
    models = planting.models()
    assert models.mart("marts.account_usage")[["account_id", "account"]].values.tolist() == [["1", "Acme Inc."]]


def test_an_archived_company_without_another_of_its_name_is_told_as_archived(planting: Planting) -> None:
    companies(planting, "Acme")
    planting.gone("hubspot.companies", ("1",))
    planting.rows("redis.account_usage", {"account_id": "1", "account_name": "Acme"})
    (row,) = planting.model("marts.unmatched_accounts").pipe(records)
    assert row["why"] == "the CRM has archived this company"


def test_rows_that_name_no_account_are_counted_by_table(planting: Planting) -> None:
    planting.rows("hubspot.deals", {"deal_id": "1"}, {"deal_id": "2"})
    planting.rows("hubspot.deal_companies", {"deal_id": "1", "company_id": "1"})
    planting.rows(
        "snowflake.satisfaction",
        {"response_id": "R", "account_id": " ", "score": 4, "responded_at": "2025-08-01T00:00",
         "updated_at": "2025-08-01T00:00"},
    )  # fmt: skip
    found = planting.model("marts.unmatched_accounts").set_index("key")["rows_affected"]
    assert found.to_dict() == {"hubspot.deals": 1, "snowflake.satisfaction": 1}


def test_a_channel_for_one_customer_is_matched_and_others_are_none_of_it(planting: Planting) -> None:
    companies(planting, "Müller Beverages Ltd", "General")
    names = ("ext-muller-beverages", "cust-mullerbeverages", "ext-nobody", "general", "customer-escalations")
    planting.rows("slack.channels", *({"channel_id": name, "name": name} for name in names))
    assert matched(planting) == {"ext-muller-beverages": "1", "cust-mullerbeverages": "1", "ext-nobody": None}


GUESTS = {
    "own": ["ann@acme.example"],
    "contacts": ["bob@mail.acme.example"],
    "public": ["cat@gmail.com"],
    "both": ["ann@acme.example", "dan@other.example"],
    "nobody": [],
}


def test_a_call_without_a_company_is_matched_by_its_guests_e_mail_domains(planting: Planting) -> None:
    planting.rows(
        "hubspot.companies",
        {"company_id": "1", "name": "Acme", "domain": "https://www.Acme.example"},
        {"company_id": "2", "name": "Other", "domain": "other.example"},
    )
    planting.rows(
        "hubspot.contacts",
        {"contact_id": "1", "email": "x@mail.acme.example", "company_id": "1"},
        {"contact_id": "2", "email": "y@gmail.com", "company_id": "1"},
    )
    planting.rows("gong.calls", *({"call_id": call, "started_at": "2025-08-01T12:00"} for call in GUESTS))
    planting.rows(
        "gong.call_parties",
        *({"call_id": call, "party_id": email, "email": email, "affiliation": "External"}
          for call, emails in GUESTS.items() for email in emails),
        {"call_id": "nobody", "party_id": "host", "email": "host@acme.example", "affiliation": "Internal"},
    )  # fmt: skip
    assert matched(planting) == {"own": "1", "contacts": "1", "public": None, "both": None, "nobody": None}
    why = planting.model("marts.unmatched_accounts").set_index("key")["why"]
    assert why["both"] == "its guests are of several accounts"
    assert why["nobody"] == "its guests are of no known account"


def test_accounts_hold_what_is_asked_of_them_first(company: Tables) -> None:
    companies = company.raw("hubspot.companies")
    terms = company.raw("snowflake.subscriptions")
    running = terms[(terms["valid_from"] <= TODAY) & (terms["valid_to"].isna() | (terms["valid_to"] > TODAY))]
    deals = company.raw("hubspot.deals").merge(company.raw("hubspot.pipeline_stages"), on="stage_id")
    deals["account_id"] = deals["deal_id"].map(
        company.raw("hubspot.deal_companies").groupby("deal_id")["company_id"].min()
    )
    open_deals = deals[~deals["is_closed"]].groupby("account_id")["amount"]
    won = deals[deals["is_closed"] & (deals["probability_y"] >= 1)].groupby("account_id")["amount"].sum()
    calls = company.raw("gong.calls")
    calls["day"] = business_day(calls["started_at"])
    usage = company.raw("redis.account_usage").set_index("account_id")
    owners = company.raw("hubspot.owners").set_index("owner_id")
    ids = companies["company_id"]
    expected = pd.DataFrame(
        {
            "account_id": ids,
            "account": companies["name"].str.strip(),
            "country": companies["country"],
            "owner": companies["owner_id"].map(owners["first_name"] + " " + owners["last_name"]).fillna("Unassigned"),
            "customer_since": ids.map(terms.groupby("account_id")["valid_from"].min()),
            "mrr": ids.map(running.groupby("account_id")["mrr"].sum()).fillna(0),
            "seats": ids.map(running.groupby("account_id")["seats"].sum()),
            "renews_on": ids.map(running.groupby("account_id")["renewal_date"].min()),
            "open_deals": ids.map(open_deals.size()).fillna(0),
            "open_pipeline": ids.map(open_deals.sum()).fillna(0),
            "booked": ids.map(won).fillna(0),
            "last_call_on": ids.map(calls.groupby("company_id")["day"].max()),
            "active_seats": ids.map(usage["active_seats"]),
            "last_seen_on": ids.map(business_day(usage["last_seen_at"])),
        }
    )
    is_customer, was_customer = ids.isin(running["account_id"]), ids.isin(terms["account_id"])
    expected["status"] = ["customer" if now else "former customer" if once else "prospect"
                          for now, once in zip(is_customer, was_customer, strict=True)]  # fmt: skip
    assert set(expected["status"]) == {"customer", "former customer", "prospect"}
    assert_same(company.mart("marts.accounts"), expected, ["account_id"])


def test_accounts_show_the_health_and_the_satisfaction_of_their_newest_days(company: Tables) -> None:
    health = company.mart("marts.customer_health")
    today = health[health["day"] == TODAY].set_index("account_id")
    answers = company.raw("snowflake.satisfaction")
    answers["day"] = business_day(answers["responded_at"])
    answers["latest"] = answers.groupby("account_id")["day"].transform("max")
    recent = answers[(answers["latest"] - answers["day"]).dt.days < 60].groupby("account_id")["score"].mean()
    ids = company.raw("hubspot.companies")["company_id"]
    expected = pd.DataFrame(
        {
            "account_id": ids,
            "satisfaction": ids.map(recent),
            **{name: ids.map(today[column]) for name, column in
               (("health", "score"), ("health_band", "band"), ("open_bugs", "open_bugs"))},
        }
    )  # fmt: skip
    assert_same(company.mart("marts.accounts"), expected, ["account_id"])
