"""The simulated company's product usage: only of customers, within their seats, and a sign of what is to come."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sophia_assets_tests.sandbox.observed import Observed
from sophia_assets_tests.sandbox.simulated_company import EARLIER_DAYS, LAST, ZONE, Simulated, cutoff, simulated

pytestmark = [pytest.mark.long, pytest.mark.takes(25)]

DAILY = "usage:daily:"
ACCOUNT = "usage:account:"


def days_of(found: Simulated) -> dict[date, dict[str, str]]:
    hashes = found.redis.hashes.items()
    return {date.fromisoformat(key.removeprefix(DAILY)): value for key, value in hashes if key.startswith(DAILY)}


@cache
def daily_users(seed: int = 42) -> dict[str, dict[date, int]]:
    """Active users per account and day."""
    users: dict[str, dict[date, int]] = defaultdict(dict)
    for day, fields in days_of(simulated(seed)).items():
        for name, value in fields.items():
            account, _, counter = name.partition(":")
            if counter == "active_users":
                users[account][day] = int(value)
    return users


def mean_users(seed: int, account: str, first: date, last: date) -> float:
    """Mean active users on the working days with use in [first, last]."""
    found = [n for day, n in daily_users(seed).get(account, {}).items() if first <= day <= last and day.weekday() < 5]
    return fmean(found) if found else 0.0


def terms(found: Simulated) -> list[dict[str, Any]]:
    return Observed(found.company, ZONE).terms


def seats_on(found: list[dict[str, Any]], day: date) -> dict[str, int]:
    return {
        term["ACCOUNT_ID"]: term["SEATS"]
        for term in found
        if term["VALID_FROM"] <= day and (term["VALID_TO"] is None or term["VALID_TO"] > day)
    }


def moment(event_id: str) -> datetime:
    return datetime.fromtimestamp(int(event_id.partition("-")[0]) / 1000, UTC)


@pytest.mark.parametrize("earlier", EARLIER_DAYS)
def test_an_earlier_day_shows_exactly_what_was_counted_by_then(earlier: date) -> None:
    then, now, end = simulated(as_of=earlier), simulated(), cutoff(earlier)
    assert days_of(then) == {day: fields for day, fields in days_of(now).items() if day <= earlier}
    both = now.redis.streams["usage:events"]
    kept = [event for event in both if moment(event[0]) < end]
    assert then.redis.streams["usage:events"][len(then.redis.streams["usage:events"]) - len(kept) :] == kept


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 42])
def test_the_volumes_are_those_of_its_customers(seed: int) -> None:
    found = simulated(seed)
    assert 90_000 <= sum(map(len, days_of(found).values())) <= 118_000
    assert len(found.redis.streams["usage:events"]) == 40_000


@pytest.mark.parametrize(("scale", "least", "most"), [(0.2, 0.12, 0.3), (3.0, 2.5, 3.5)])
def test_use_scales_with_the_company(scale: float, least: float, most: float) -> None:
    day = date(2024, 12, 1)
    sizes = [sum(map(len, days_of(simulated(5, day, s)).values())) for s in (1.0, scale)]
    assert least < sizes[1] / sizes[0] < most


def test_only_subscribed_accounts_are_used_and_never_by_more_people_than_they_have_seats() -> None:
    found = simulated()
    running = terms(found)
    for day, fields in days_of(found).items():
        seats = seats_on(running, day)
        for name, value in fields.items():
            account, _, counter = name.partition(":")
            assert int(value) > 0
            assert counter != "active_users" or int(value) <= seats[account]


def test_the_state_of_each_customer_agrees_with_its_subscription() -> None:
    found = simulated()
    plans = {term["ACCOUNT_ID"]: term["PLAN"] for term in terms(found) if term["VALID_TO"] is None}
    seats = seats_on(terms(found), LAST)
    states = {k.removeprefix(ACCOUNT): v for k, v in found.redis.hashes.items() if k.startswith(ACCOUNT)}
    assert set(states) == set(seats)
    for account, state in states.items():
        assert (int(state["seats"]), state["plan"]) == (seats[account], plans[account])
        assert state["account_name"] == found.accounts[account]
        assert 0 <= int(state["active_seats"]) <= seats[account]
        seen = state.get("last_seen_at")
        assert seen is None or datetime.fromisoformat(seen) < cutoff(LAST)
    assert sum("last_seen_at" not in state for state in states.values()) < 10, "only the newest were never there"


def test_features_sum_up_to_the_actions_of_thirty_days() -> None:
    found = simulated()
    actions: dict[str, int] = defaultdict(int)
    for day, fields in days_of(found).items():
        for name, value in fields.items():
            if name.endswith(":actions") and day > LAST - timedelta(days=30):
                actions[name.partition(":")[0]] += int(value)
    for key, state in found.redis.hashes.items():
        if key.startswith(ACCOUNT):
            assert sum(json.loads(state["features"]).values()) == actions[key.removeprefix(ACCOUNT)]


def test_totals_count_what_the_days_count() -> None:
    found = simulated()
    for counter in ("sessions", "actions"):
        counted = sum(int(v) for day in days_of(found).values() for n, v in day.items() if n.endswith(f":{counter}"))
        assert found.redis.strings[f"usage:total:{counter}"] == str(counted)
    assert int(found.redis.strings["usage:total:events"]) > 40_000


def test_weekends_are_quiet() -> None:
    sizes = {day: len(fields) for day, fields in days_of(simulated()).items()}
    weekend = fmean(size for day, size in sizes.items() if day.weekday() >= 5)
    assert weekend < 0.25 * fmean(size for day, size in sizes.items() if day.weekday() < 5)


def test_events_ascend_and_belong_to_customers_who_were_there_that_day() -> None:
    found = simulated()
    events = found.redis.streams["usage:events"]
    order = [tuple(map(int, event_id.split("-"))) for event_id, _ in events]
    assert all(a < b for a, b in pairwise(order))
    used = days_of(found)
    for event_id, fields in events:
        local = moment(event_id).astimezone(ZoneInfo(ZONE))
        assert f"{fields['account_id']}:active_users" in used[local.date()]
        assert set(fields) == {"account_id", "user_id", "event", "feature", "properties"} and 7 <= local.hour < 18
        json.loads(fields["properties"])


@pytest.mark.parametrize("day", [*EARLIER_DAYS, LAST])
def test_nothing_is_counted_after_the_end_of_the_last_day(day: date) -> None:
    found = simulated(as_of=day)
    assert max(days_of(found)) <= day
    assert all(moment(event_id) < cutoff(day) for event_id, _ in found.redis.streams["usage:events"])


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_use_falls_before_the_renewal_of_an_account_at_risk(seed: int) -> None:
    told = [s for s in simulated(seed).stories("account_at_risk") if s.visible_to < LAST]
    for story in told:
        renewal = date.fromisoformat(story.detail["renewal_date"])
        falls = date.fromisoformat(story.detail["echoes"]["redis"]["usage_falls_from"])
        before = mean_users(seed, story.subject_id, falls - timedelta(days=28), falls)
        near = mean_users(seed, story.subject_id, renewal - timedelta(days=14), renewal - timedelta(days=1))
        assert near < 0.65 * before, story


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_use_falls_weeks_before_an_important_customer_leaves(seed: int) -> None:
    for story in simulated(seed).stories("churn"):
        left = date.fromisoformat(story.detail["last_day"])
        falls = date.fromisoformat(story.detail["echoes"]["redis"]["usage_falls_from"])
        before = mean_users(seed, story.subject_id, falls - timedelta(days=35), falls)
        three_weeks_before = mean_users(seed, story.subject_id, left - timedelta(days=21), left - timedelta(days=7))
        assert three_weeks_before < 0.8 * before, story


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_seats_fill_up_before_an_expansion(seed: int) -> None:
    found = simulated(seed)
    running = terms(found)
    for story in found.stories("expansion"):
        eve = story.visible_from - timedelta(days=1)
        seats = seats_on(running, eve)[story.subject_id]
        filled = mean_users(seed, story.subject_id, eve - timedelta(days=5), eve) / seats
        before = mean_users(seed, story.subject_id, eve - timedelta(days=60), eve - timedelta(days=36)) / seats
        assert filled > 0.8 and filled > min(before, 0.85), story


def test_the_days_are_those_of_the_business_time_zone() -> None:
    found = simulated(as_of=date(2024, 12, 1), timezone="Asia/Tokyo")
    used = days_of(found)
    for event_id, fields in found.redis.streams["usage:events"]:
        day = moment(event_id).astimezone(ZoneInfo("Asia/Tokyo")).date()
        assert f"{fields['account_id']}:actions" in used[day]
