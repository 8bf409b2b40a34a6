"""Customer health, recomputed customer by customer from raw tables, and what is unknown told apart from what is bad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from sophia_assets_tests.warehouse.models.loaded_company import EARLIER_DAY, LAST_DAY, Tables
from sophia_assets_tests.warehouse.models.planting import Planting
from sophia_assets_tests.warehouse.models.recomputing import account_names, assert_same, business_day, records

WEIGHTS = {"use_trend": 25, "satisfaction": 20, "seat_use": 15, "payment": 15, "bugs": 10, "contact": 10, "renewal": 5}
DAYS = [date(2025, 1, 20), date(2025, 2, 10), date(2025, 3, 17), date(2025, 6, 1), EARLIER_DAY, LAST_DAY]


def days_between(earlier: Any, later: Any) -> int:
    return int((pd.Timestamp(later) - pd.Timestamp(earlier)).days)


def within(days: pd.Series, day: pd.Timestamp, length: int, *, ago: int = 0) -> pd.Series:
    """Which days are among the `length` days up to the one that was `ago` days before `day`."""
    last = day - pd.Timedelta(days=ago)
    return (days <= last) & (days > last - pd.Timedelta(days=length))


class Ground:
    """The raw rows that health is computed from, with their business days."""

    def __init__(self, company: Tables) -> None:
        self.names = account_names(company)
        self.terms = company.raw("snowflake.subscriptions")
        self.invoices = company.raw("snowflake.invoices")
        usage = company.raw("redis.daily_usage")
        self.usage = usage.pivot(index=["account_id", "day"], columns="counter", values="value").reset_index()
        answers = company.raw("snowflake.satisfaction")
        self.answers = answers.assign(day=business_day(answers["responded_at"]))
        self.contacts = pd.concat(_contacts(company))
        issues = company.raw("linear.issues")
        labels = company.raw("linear.issue_labels")
        bugs = issues[~issues["trashed"].fillna(False) & issues["issue_id"].isin(labels_of(labels, {"Bug"}))]
        about = labels[labels["label_name"].isin(self.names.values())][["issue_id", "label_name"]]
        done = bugs["completed_at"].fillna(bugs["canceled_at"])
        is_done = bugs["state_type"].isin(["completed", "canceled", "duplicate"])
        self.bugs = bugs.assign(created=business_day(bugs["created_at"]), done=business_day(done).where(is_done)).merge(
            about, on="issue_id"
        )

    def parts(self, account_id: str, day: pd.Timestamp) -> dict[str, Any]:
        """The measures and the points of each part of an account's health at the end of a day."""
        terms = self.terms[self.terms["account_id"] == account_id]
        running = terms[(terms["valid_from"] <= day) & (terms["valid_to"].isna() | (terms["valid_to"] > day))]
        mrr, seats, renews_on = running["mrr"].sum(), running["seats"].sum(), running["renewal_date"].min()
        age = days_between(terms["valid_from"].min(), day)
        return {
            "account_id": account_id,
            "account": self.names[account_id],
            "day": day,
            "mrr": mrr,
            "renews_on": renews_on,
            **self._use(account_id, day, age, seats),
            **self._satisfaction(account_id, day),
            **self._payment(account_id, day, mrr),
            **self._bugs(account_id, day),
            **self._contact(account_id, day, age),
            "renewal": days_between(day, renews_on) / 180 * 100,
        }

    def _use(self, account_id: str, day: pd.Timestamp, age: int, seats: float) -> dict[str, Any]:
        own = self.usage[self.usage["account_id"] == account_id]
        known = days_between(self.usage["day"].min(), day)
        now = own.loc[within(own["day"], day, 28), "actions"].sum()
        before = own.loc[within(own["day"], day, 28, ago=28), "actions"].sum()
        peak = own.loc[within(own["day"], day, 28), "active_users"].max()
        change = now / before - 1 if known >= 55 and before else None
        share = (0 if pd.isna(peak) else peak) / seats if known >= 27 else None
        trend = None if known < 55 or age < 55 else (change + 0.5) / 0.6 * 100 if before else 100.0 if now else 0.0  # type: ignore[operator]
        use = None if share is None or age < 27 else share / 0.7 * 100
        return {"use_change": change, "seat_share": share, "use_trend": trend, "seat_use": use}

    def _satisfaction(self, account_id: str, day: pd.Timestamp) -> dict[str, Any]:
        own = self.answers[(self.answers["account_id"] == account_id) & within(self.answers["day"], day, 90)]
        score = own["score"].mean() if len(own) else None
        return {"satisfaction_score": score, "satisfaction": None if score is None else (score - 1) / 4 * 100}

    def _payment(self, account_id: str, day: pd.Timestamp, mrr: float) -> dict[str, Any]:
        own = self.invoices[self.invoices["account_id"] == account_id]
        unpaid = own[(own["due_on"] < day) & (own["paid_on"].isna() | (own["paid_on"] > day))]
        overdue = unpaid["amount"].sum()
        long_overdue = unpaid.loc[unpaid["due_on"] < day - pd.Timedelta(days=30), "amount"].sum()
        points = 100 - 50 * min(1, overdue / mrr) - 50 * min(1, long_overdue / mrr)
        return {"overdue_amount": overdue, "payment": points}

    def _bugs(self, account_id: str, day: pd.Timestamp) -> dict[str, Any]:
        own = self.bugs[self.bugs["label_name"] == self.names[account_id]]
        count = int(((own["created"] <= day) & (own["done"].isna() | (own["done"] > day))).sum())
        return {"open_bugs": count, "bugs": 100 - 20 * count}

    def _contact(self, account_id: str, day: pd.Timestamp, age: int) -> dict[str, Any]:
        own = self.contacts[(self.contacts["account_id"] == account_id) & (self.contacts["day"] <= day)]
        last = own["day"].max() if len(own) else None
        if last is not None:
            return {"last_contact_on": last, "contact": (120 - days_between(last, day)) / 90 * 100}
        is_known = days_between(self.contacts["day"].min(), day) >= 120 and age >= 120
        return {"last_contact_on": None, "contact": 0.0 if is_known else None}


def _contacts(company: Tables) -> Iterator[pd.DataFrame]:
    calls = company.raw("gong.calls").rename(columns={"company_id": "account_id", "started_at": "at"})
    yield calls.assign(day=business_day(calls["at"]))[["account_id", "day"]]
    for table, links, key, at, done in (
        ("meetings", "meeting_associations", "meeting_id", "starts_at", "outcome"),
        ("crm_calls", "crm_call_associations", "call_id", "called_at", "status"),
    ):
        rows = company.raw(f"hubspot.{table}").merge(company.raw(f"hubspot.{links}"), on=key)
        rows = rows[(rows["to_type"] == "companies") & (rows[done] == "COMPLETED")]
        yield pd.DataFrame({"account_id": rows["to_id"], "day": business_day(rows[at])})


def labels_of(labels: pd.DataFrame, names: set[str]) -> pd.Series:
    return labels.loc[labels["label_name"].isin(names), "issue_id"]


def scored(parts: dict[str, Any]) -> dict[str, Any]:
    """The parts within 0 and 100, the score, its weight and its band."""
    points = {
        name: None if pd.isna(parts[name]) else round(min(100.0, max(0.0, float(parts[name]))), 2) for name in WEIGHTS
    }
    known = {name: value for name, value in points.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in known)
    score = sum(WEIGHTS[name] * value for name, value in known.items()) / weight if weight >= 50 else None
    band = "unknown" if score is None else "healthy" if score >= 80 else "watch" if score >= 65 else "at risk"
    losses = {name: WEIGHTS[name] * (100 - value) for name, value in known.items()}
    worst = max(losses, key=lambda name: losses[name])
    return parts | points | {"known_weight": weight, "score": score, "band": band,
                             "weakest_part": worst.replace("_", " ") if losses[worst] else None}  # fmt: skip


def test_health_is_the_weighted_mean_of_the_known_parts(company: Tables) -> None:
    ground = Ground(company)
    found = company.mart("marts.customer_health")
    found = found[found["day"].isin([pd.Timestamp(day) for day in DAYS])]
    customers = {
        (account, pd.Timestamp(day))
        for day in DAYS
        for account, since, until in ground.terms[["account_id", "valid_from", "valid_to"]].itertuples(index=False)
        if since <= pd.Timestamp(day) and (pd.isna(until) or until > pd.Timestamp(day))
    }
    expected = pd.DataFrame([scored(ground.parts(account, day)) for account, day in sorted(customers)])
    assert expected["score"].isna().any() and expected["use_trend"].isna().any(), "nothing unknown is looked at"
    # The score is shown to one place: on the edge of a rounding the two may differ by one there.
    exact = expected.drop(columns=["score", "band"])
    assert_same(found, exact, ["account_id", "day"], places=2)
    assert_same(found, expected[["account_id", "day", "score"]], ["account_id", "day"], places=1)
    far_from_edges = expected[((expected["score"] % 5) - 2.5).abs().fillna(0) < 2.4]
    both = found.merge(far_from_edges, on=["account_id", "day"])
    assert (both["band_x"] == both["band_y"]).all()


def term(account_id: str = "1", **more: Any) -> dict[str, Any]:
    return {"term_id": f"T{account_id}", "subscription_id": "S", "account_id": account_id, "account_name": "Acme",
            "mrr": 100, "seats": 10, "valid_from": "2025-01-01", "renewal_date": "2026-01-01",
            "updated_at": "2025-01-01T00:00", **more}  # fmt: skip


def health(planting: Planting) -> dict[str, Any]:
    """The health of the only customer on the last day."""
    return records(planting.model("marts.customer_health").sort_values("day"))[-1]


def use(day: date, **counters: int) -> list[dict[str, Any]]:
    return [
        {"day": day.isoformat(), "account_id": "1", "counter": name, "value": value, "counted_on": day.isoformat()}
        for name, value in counters.items()
    ]


def test_what_no_system_tells_is_unknown_and_not_bad(planting: Planting) -> None:
    planting.rows("hubspot.deals", {"deal_id": "1", "created_at": "2025-01-01T12:00"})
    planting.rows("snowflake.subscriptions", term())
    row = health(planting)
    assert (row["band"], row["known_weight"]) == ("unknown", 5)
    unknown = ["score", "use_trend", "satisfaction", "seat_use", "payment", "bugs", "contact", "open_bugs"]
    assert all(pd.isna(row[name]) for name in unknown)


def test_a_customer_that_stopped_using_the_product_is_bad_and_not_unknown(planting: Planting) -> None:
    planting.rows("snowflake.subscriptions", term())
    first = date(2025, 6, 1)
    planting.rows("redis.daily_usage", *(row for n in range(60) for row in use(first + timedelta(days=n), actions=9)))
    row = health(planting)
    assert row["day"] == pd.Timestamp("2025-08-31")
    assert (row["use_trend"], row["seat_use"]) == (0, 0)


def test_use_that_was_not_read_up_to_the_day_is_unknown(planting: Planting) -> None:
    planting.rows("snowflake.subscriptions", term())
    first = date(2025, 5, 1)
    rows = [row for n in range(92) for row in use(first + timedelta(days=n), actions=9, active_users=7)]
    planting.rows("redis.daily_usage", *rows, known_at=datetime(2025, 8, 1, 4, tzinfo=UTC))
    found = planting.model("marts.customer_health").set_index("day")
    assert found.loc["2025-07-31", "use_trend"] == pytest.approx(500 / 6, abs=0.01)
    assert found.loc["2025-07-31", "seat_use"] == 100
    assert found.loc["2025-08-01":, "use_trend"].isna().all()
    assert found.loc["2025-08-01":, "seat_use"].isna().all()


@pytest.mark.parametrize(
    ("paid_on", "day", "points"),
    [
        (None, "2025-07-31", 100),
        (None, "2025-08-01", 75),
        (None, "2025-08-30", 75),
        (None, "2025-08-31", 50),
        ("2025-08-10", "2025-08-09", 75),
        ("2025-08-10", "2025-08-10", 100),
    ],
)
def test_payment_falls_with_what_is_overdue_and_again_after_a_month(
    planting: Planting, paid_on: str | None, day: str, points: float
) -> None:
    planting.rows("hubspot.deals", {"deal_id": "1", "created_at": "2025-01-01T12:00"})
    planting.rows("snowflake.subscriptions", term())
    planting.rows(
        "snowflake.invoices",
        {"invoice_id": "I", "account_id": "1", "amount": 50, "currency": "USD", "issued_on": "2025-07-01",
         "due_on": "2025-07-31", "paid_on": paid_on, "updated_at": "2025-07-01T00:00"},
    )  # fmt: skip
    found = planting.model("marts.customer_health").set_index("day")
    assert found.loc[day, "payment"] == points


def test_a_customer_that_left_and_came_back_has_no_health_in_between(planting: Planting) -> None:
    planting.rows("hubspot.deals", {"deal_id": "1", "created_at": "2025-08-01T12:00"})
    planting.rows(
        "snowflake.subscriptions",
        term(valid_to="2025-08-10"),
        term(term_id="T-2", valid_from="2025-08-20"),
    )
    found = planting.model("marts.customer_health")["day"].dt.day
    assert sorted(found) == [*range(1, 10), *range(20, 32)]


def test_several_terms_at_a_time_count_together(planting: Planting) -> None:
    planting.rows("hubspot.deals", {"deal_id": "1", "created_at": "2025-08-30T12:00"})
    planting.rows(
        "snowflake.subscriptions", term(), term(term_id="T-2", mrr=50, renewal_date="2025-09-15", account_name="ACME")
    )
    row = health(planting)
    assert (row["mrr"], row["renews_on"]) == (150, pd.Timestamp("2025-09-15"))


def test_payment_of_a_free_customer_is_unknown_where_invoices_were_never_read(planting: Planting) -> None:
    planting.rows("hubspot.deals", {"deal_id": "1", "created_at": "2025-08-30T12:00"})
    planting.rows("snowflake.subscriptions", term(mrr=0))
    assert pd.isna(health(planting)["payment"])
