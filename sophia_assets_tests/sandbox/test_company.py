"""The simulated company: the same every time, growing only at its end, and consistent across systems."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sophia_assets.errors import ConfigurationError, DateOutOfRange
from sophia_assets.sandbox.company import simulate_company, truth_as_json
from sophia_assets.sandbox.company_data import CompanyData, HubSpotRecord
from sophia_assets_tests.sandbox.observed import Observed

START, LAST = date(2024, 7, 1), date(2025, 12, 31)
ZONE = "America/New_York"
HISTORIED = {
    "deals": ("dealstage", "amount", "closedate"),
    "contacts": ("lifecyclestage",),
    "companies": ("lifecyclestage",),
}
FOLLOWS = {"dealstage", "hs_deal_stage_probability", "closed_lost_reason", "lastmodifieddate", "hs_lastmodifieddate"}


@cache
def company(seed: int = 11, as_of: date = LAST, scale: float = 1.0, timezone: str = ZONE) -> CompanyData:
    return simulate_company(seed, START, as_of, scale=scale, timezone=timezone)


def cutoff(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(ZONE)).astimezone(UTC)


def records(found: CompanyData, kind: str) -> list[HubSpotRecord]:
    assert found.hubspot
    return found.hubspot.objects[kind]


def rows(found: CompanyData, table: str) -> list[dict[str, Any]]:
    return Observed(found, ZONE).table(table)


def test_equal_arguments_give_equal_records() -> None:
    assert simulate_company(3, START, date(2024, 12, 1), timezone=ZONE) == simulate_company(
        3, START, date(2024, 12, 1), timezone=ZONE
    )


@pytest.mark.long
def test_another_seed_gives_another_company() -> None:
    names = [{a.properties["name"] for a in records(company(seed), "companies")} for seed in (11, 12)]
    assert len(names[0] & names[1]) < 20


@pytest.mark.long
def test_the_volumes_are_those_of_a_company_of_its_size() -> None:
    found = company()
    assert found.gong and found.hubspot
    assert 220 <= len(records(found, "companies")) <= 290
    assert 1_100 <= len(records(found, "contacts")) <= 1_600
    assert 1_500 <= len(records(found, "deals")) <= 1_900
    assert 1_700 <= len(found.gong.calls) <= 2_500
    assert len(found.hubspot.owners) == 14
    assert [s.label for s in found.hubspot.stages][-2:] == ["Closed won", "Closed lost"]
    assert 400 <= len(rows(found, "FINANCE.SUBSCRIPTIONS")) <= 650
    assert 2_900 <= len(rows(found, "FINANCE.INVOICES")) <= 4_200
    assert 5_000 <= len(rows(found, "SUPPORT.SATISFACTION")) <= 8_000


def test_the_company_scales_with_its_scale() -> None:
    small, usual = company(as_of=date(2024, 12, 1), scale=0.5), company(as_of=date(2024, 12, 1))
    assert 0.4 < len(records(small, "deals")) / len(records(usual, "deals")) < 0.6
    assert 0.4 < len(records(small, "companies")) / len(records(usual, "companies")) < 0.6


def test_it_has_the_dirt_of_real_systems() -> None:
    found = company()
    deals = records(found, "deals")
    spellings = {row["ACCOUNT_ID"]: row["ACCOUNT_NAME"] for row in rows(found, "FINANCE.INVOICES")}
    names = {a.id: a.properties["name"] for a in records(found, "companies")}
    assert any(d.properties["amount"] is None for d in deals)
    assert any(d.archived for d in deals) and any(c.archived for c in records(found, "contacts"))
    assert any(a.properties["industry"] is None for a in records(found, "companies"))
    assert any(re.search(r"[^\x00-\x7f\u2013]", str(d.properties["dealname"])) for d in deals)
    assert any("&" in str(d.properties["dealname"]) for d in deals)
    assert any(names[account] != name for account, name in spellings.items())


def test_deals_are_won_at_a_believable_rate() -> None:
    stages = [d.properties["dealstage"] for d in records(company(), "deals")]
    assert 0.24 < stages.count("closedwon") / (stages.count("closedwon") + stages.count("closedlost")) < 0.36


@pytest.mark.parametrize("earlier", [START, date(2024, 11, 3), date(2025, 4, 17), date(2025, 12, 30)])
def test_an_earlier_day_shows_exactly_what_was_known_of_hubspot_then(earlier: date) -> None:
    then, now, end = company(as_of=earlier), company(), cutoff(earlier)
    for kind, historied in HISTORIED.items():
        later = [record for record in records(now, kind) if record.created_at < end]
        assert [record.id for record in records(then, kind)] == [record.id for record in later]
        for old, new in zip(records(then, kind), later, strict=True):
            for name in historied:
                known = [version for version in new.history.get(name, []) if version.timestamp < end]
                assert old.history.get(name, []) == known
                assert old.properties[name] == (known[-1].value if known else None)
            steady = set(old.properties) - set(historied) - FOLLOWS
            assert {n: old.properties[n] for n in steady} == {n: new.properties[n] for n in steady}
            assert old.archived == (new.archived_at is not None and new.archived_at < end)
            assert old.associations == new.associations and old.updated_at <= new.updated_at
            if new.updated_at < end and old.archived == new.archived:
                assert old == new
    assert then.hubspot and now.hubspot
    assert then.hubspot.owners == [o for o in now.hubspot.owners if o.created_at < end]


@pytest.mark.parametrize("earlier", [START, date(2024, 11, 3), date(2025, 4, 17), date(2025, 12, 30)])
def test_an_earlier_day_shows_exactly_what_was_known_of_gong_and_snowflake_then(earlier: date) -> None:
    then, now, end = company(as_of=earlier), company(), cutoff(earlier)
    assert then.gong and now.gong
    assert then.gong.calls == [call for call in now.gong.calls if call.started < end]
    assert then.gong.users == [user for user in now.gong.users if user.created < end]
    terms = [row for row in rows(now, "FINANCE.SUBSCRIPTIONS") if row["VALID_FROM"] <= earlier]
    assert _as_of(terms, "VALID_TO", earlier, end) == _as_of(
        rows(then, "FINANCE.SUBSCRIPTIONS"), "VALID_TO", earlier, end
    )
    invoices = [row for row in rows(now, "FINANCE.INVOICES") if row["ISSUED_ON"] <= earlier]
    assert _as_of(invoices, "PAID_ON", earlier, end) == _as_of(rows(then, "FINANCE.INVOICES"), "PAID_ON", earlier, end)
    answers = [row for row in rows(now, "SUPPORT.SATISFACTION") if row["RESPONDED_AT"] < end]
    assert rows(then, "SUPPORT.SATISFACTION") == answers
    assert then.stories == [story for story in now.stories if story.visible_from <= earlier]


def _as_of(found: list[dict[str, Any]], ending: str, day: date, end: datetime) -> list[dict[str, Any]]:
    """The rows with what happened after `day` undone; a later touch hides the earlier one's time."""
    known = []
    for row in found:
        row = dict(row)
        if row["UPDATED_AT"] >= end or (row[ending] is None and row.get("STATUS") != "overdue"):
            row["UPDATED_AT"] = None
        if row[ending] is not None and row[ending] > day:
            row[ending] = None
        if "STATUS" in row:
            row["STATUS"] = "paid" if row[ending] else "overdue" if row["DUE_ON"] < day else "open"
            row["UPDATED_AT"] = row["UPDATED_AT"] if row[ending] else None
        known.append(row)
    return known


@pytest.mark.parametrize("day", [START, date(2025, 3, 9), date(2025, 11, 2), LAST])
def test_nothing_is_stamped_after_the_end_of_the_last_day(day: date) -> None:
    found, end = company(as_of=day), cutoff(day)
    assert found.gong
    for kind in HISTORIED:
        for record in records(found, kind):
            versions = [version.timestamp for name in record.history for version in record.history[name]]
            assert max([record.created_at, record.updated_at, *versions]) < end
            assert record.archived_at is None or record.archived_at < end
    assert all(call.started + timedelta(seconds=call.duration_s) < end for call in found.gong.calls)
    for name, days in {
        "SALES.DEALS": ("LAST_ACTIVITY_DATE",), "FINANCE.SUBSCRIPTIONS": ("VALID_FROM", "VALID_TO"),
        "FINANCE.INVOICES": ("ISSUED_ON", "PAID_ON"), "SUPPORT.SATISFACTION": (),
    }.items():  # fmt: skip
        for row in rows(found, name):
            assert row["UPDATED_AT"] < end
            assert all(row[column] is None or row[column] <= day for column in days)


def test_everything_refers_to_something_that_exists() -> None:
    found = company()
    assert found.gong and found.hubspot
    accounts = {record.id for record in records(found, "companies")}
    owners = {owner.id for owner in found.hubspot.owners}
    deals = {record.id: record.associations["companies"][0] for record in records(found, "deals")}
    emails = {str(record.properties["email"]) for record in records(found, "contacts")}
    assert set(deals.values()) <= accounts
    assert all(record.properties["hubspot_owner_id"] in owners for record in records(found, "deals"))
    assert all(set(r.associations.get("companies", [])) <= accounts for r in records(found, "contacts"))
    users = {user.id for user in found.gong.users}
    for call in found.gong.calls:
        voices = {party["speakerId"] for party in call.parties}
        assert call.primary_user_id in users and call.account_id in accounts
        assert call.deal_id is None or deals[call.deal_id] == call.account_id
        assert {sentence[0] for sentence in call.sentences} <= voices
        assert all(p["emailAddress"] in emails for p in call.parties if p["affiliation"] == "External")
    for name in ("FINANCE.SUBSCRIPTIONS", "FINANCE.INVOICES", "SUPPORT.SATISFACTION"):
        assert {row["ACCOUNT_ID"] for row in rows(found, name)} <= accounts


def test_trackers_count_what_is_said() -> None:
    found = company()
    assert found.gong
    rivals = {t for call in found.gong.calls for t in call.trackers if t.startswith("Competitor: ")}
    phrases = {rival: re.escape(rival.removeprefix("Competitor: ")) for rival in rivals}
    phrases |= {
        "Churn risk": "cancel|not renew|end the contract|switch away|walk away",
        "Pricing": r"\b(price|prices|pricing|discount|budget)\b",
        "Expansion": "additional seats|more seats|roll it out to|other departments|more teams",
    }
    for call in found.gong.calls:
        for tracker, phrase in phrases.items():
            said = sum(1 for sentence in call.sentences if re.search(phrase, sentence[4], re.I))
            assert call.trackers.get(tracker, 0) == said, (call.id, tracker)
        assert 17 <= len(call.sentences) <= 45
        assert all(a[3] <= b[2] for a, b in pairwise(call.sentences))


def test_the_warehouse_mirrors_the_deals_of_the_crm() -> None:
    found = company()
    assert found.hubspot
    labels = {stage.id: stage for stage in found.hubspot.stages}
    mirror = {row["DEAL_ID"]: row for row in rows(found, "SALES.DEALS")}
    in_use = [record for record in records(found, "deals") if not record.archived]
    assert len(in_use) - len(mirror) < 12, "only merged duplicates are left out"
    for record in (record for record in in_use if record.id in mirror):
        row, properties = mirror[record.id], record.properties
        stage = labels[str(properties["dealstage"])]
        assert (row["STAGE"], row["PROBABILITY"]) == (stage.label, stage.probability)
        assert row["AMOUNT"] == (None if properties["amount"] is None else int(str(properties["amount"])))
        closes = datetime.fromisoformat(str(properties["closedate"])).astimezone(ZoneInfo(ZONE)).date()
        assert row["CLOSE_DATE"] == closes
        assert row["ACCOUNT_ID"] == record.associations["companies"][0]
        assert row["UPDATED_AT"] > record.updated_at


def test_monthly_invoices_equal_the_terms_they_bill() -> None:
    terms = rows(company(), "FINANCE.SUBSCRIPTIONS")
    for invoice in rows(company(), "FINANCE.INVOICES"):
        if invoice["SUBSCRIPTION_ID"] is not None:
            billed = [
                term["MRR"]
                for term in terms
                if term["SUBSCRIPTION_ID"] == invoice["SUBSCRIPTION_ID"]
                and term["VALID_FROM"] <= invoice["ISSUED_ON"]
                and (term["VALID_TO"] is None or term["VALID_TO"] > invoice["ISSUED_ON"])
            ]
            assert invoice["AMOUNT"] in billed or _changed_that_day(terms, invoice)


def _changed_that_day(terms: list[dict[str, Any]], invoice: dict[str, Any]) -> bool:
    """A bill of the day on which the terms change may still show the old ones."""
    return any(
        term["SUBSCRIPTION_ID"] == invoice["SUBSCRIPTION_ID"]
        and term["VALID_TO"] == invoice["ISSUED_ON"]
        and term["MRR"] == invoice["AMOUNT"]
        for term in terms
    )


def test_terms_of_a_subscription_follow_each_other_without_a_gap() -> None:
    by_subscription: dict[str, list[dict[str, Any]]] = {}
    for row in rows(company(), "FINANCE.SUBSCRIPTIONS"):
        by_subscription.setdefault(row["SUBSCRIPTION_ID"], []).append(row)
    for terms in by_subscription.values():
        assert terms[0]["CHANGE_TYPE"] == "new"
        for old, new in pairwise(terms):
            assert old["VALID_TO"] == new["VALID_FROM"] > old["VALID_FROM"]
            grows = {"expansion": 1, "contraction": -1, "renewal": 0}[new["CHANGE_TYPE"]]
            assert (new["MRR"] > old["MRR"]) - (new["MRR"] < old["MRR"]) == grows


def test_ids_are_unique_and_histories_never_say_two_things_at_once() -> None:
    found = company()
    for kind in HISTORIED:
        assert len({record.id for record in records(found, kind)}) == len(records(found, kind))
        for record in records(found, kind):
            for versions in record.history.values():
                assert all(a.timestamp < b.timestamp for a, b in pairwise(versions))


def test_the_truth_says_which_stories_are_visible() -> None:
    truth = truth_as_json(company())
    assert truth["as_of"] == "2025-12-31"
    for story in truth["stories"]:
        assert story["visible"] == (story["visible_from"] <= "2025-12-31" <= story["visible_to"])
    assert 3 <= sum(story["visible"] for story in truth["stories"]) <= 9


def test_a_day_before_the_company_existed_is_refused() -> None:
    with pytest.raises(DateOutOfRange, match="does not exist yet on 2024-06-30"):
        simulate_company(1, START, date(2024, 6, 30))


@pytest.mark.parametrize("scale", [0.01, 0.05])
def test_a_company_of_a_few_people_works_all_the_same(scale: float) -> None:
    linear = company(as_of=date(2024, 8, 1), scale=scale).linear
    assert linear is not None and linear.issues


@pytest.mark.parametrize("bad", [{"timezone": "Mars/Olympus"}, {"scale": 0.0}])
def test_wrong_arguments_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        simulate_company(1, START, START, **bad)
