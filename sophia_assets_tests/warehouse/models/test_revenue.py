"""Recurring revenue, its movements, invoices and satisfaction, recomputed from the finance and support tables."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from sophia_assets_tests.warehouse.models.loaded_company import LAST_DAY, Tables
from sophia_assets_tests.warehouse.models.planting import Planting
from sophia_assets_tests.warehouse.models.recomputing import account_names, assert_same, business_day, records


def mrr_on(terms: pd.DataFrame, account_id: str, day: pd.Timestamp) -> float:
    """An account's recurring revenue on a day."""
    running = (terms["valid_from"] <= day) & (terms["valid_to"].isna() | (terms["valid_to"] > day))
    return float(terms.loc[running & (terms["account_id"] == account_id), "mrr"].sum())


def movements_of(terms: pd.DataFrame) -> pd.DataFrame:
    """Each day on which an account's revenue was other than the day before, by the words for it."""
    found = []
    for account_id, own in terms.groupby("account_id"):
        had_revenue = False
        for day in sorted({*own["valid_from"], *own["valid_to"].dropna()}):
            before, after = (mrr_on(own, str(account_id), moment) for moment in (day - pd.Timedelta(days=1), day))
            if before != after:
                gained = "reactivation" if had_revenue else "new"
                word = (
                    gained if not before else "churn" if not after else "expansion" if after > before else "contraction"
                )
                found.append({"account_id": account_id, "happened_on": day, "movement": word, "change": after - before,
                              "amount": abs(after - before), "mrr_before": before, "mrr_after": after})  # fmt: skip
            had_revenue = had_revenue or after > 0
    return pd.DataFrame(found)


def test_movements_are_the_days_on_which_an_accounts_revenue_changed(company: Tables) -> None:
    terms = company.raw("snowflake.subscriptions")
    expected = movements_of(terms)
    assert {"new", "expansion", "churn"} <= set(expected["movement"])
    expected["account"] = expected["account_id"].map(account_names(company))
    assert_same(company.mart("marts.revenue_movements"), expected, ["account_id", "happened_on"])


def test_movements_add_up_to_the_revenue_that_runs_now(company: Tables) -> None:
    movements = company.mart("marts.revenue_movements")
    terms = company.raw("snowflake.subscriptions")
    now = sum(mrr_on(terms, account_id, pd.Timestamp(LAST_DAY)) for account_id in terms["account_id"].unique())
    assert movements.loc[movements["happened_on"] <= pd.Timestamp(LAST_DAY), "change"].sum() == pytest.approx(now)


def test_recurring_revenue_holds_every_term(company: Tables) -> None:
    terms = company.raw("snowflake.subscriptions")
    columns = ["term_id", "subscription_id", "account_id", "plan", "seats", "mrr", "valid_from", "valid_to",
               "renewal_date"]  # fmt: skip
    expected = terms[columns].assign(account=terms["account_id"].map(account_names(company)))
    assert_same(company.mart("marts.recurring_revenue"), expected, ["term_id"])


def test_invoices_hold_how_late_they_were_paid(company: Tables) -> None:
    invoices = company.raw("snowflake.invoices")
    expected = invoices[["invoice_id", "account_id", "amount", "issued_on", "due_on", "paid_on"]].assign(
        account=invoices["account_id"].map(account_names(company)),
        days_late=(invoices["paid_on"] - invoices["due_on"]).dt.days,
    )
    assert_same(company.mart("marts.invoices"), expected, ["invoice_id"])


def test_satisfaction_holds_every_answer_with_its_feeling(company: Tables) -> None:
    answers = company.raw("snowflake.satisfaction")
    words = {1: "dissatisfied", 2: "dissatisfied", 3: "neutral", 4: "satisfied", 5: "satisfied"}
    expected = answers[["response_id", "account_id", "score"]].assign(
        account=answers["account_id"].map(account_names(company)),
        feeling=answers["score"].map(words),
        responded_on=business_day(answers["responded_at"]),
    )
    assert_same(company.mart("marts.satisfaction"), expected, ["response_id"])


def term(number: int, mrr: float, since: str, until: str | None = None, **more: Any) -> dict[str, Any]:
    return {"term_id": f"T{number}", "subscription_id": "S1", "account_id": "1", "mrr": mrr, "valid_from": since,
            "valid_to": until, "updated_at": "2025-08-01T00:00", **more}  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        pytest.param(
            [term(1, 100, "2025-01-01", "2025-03-01"), term(2, 100, "2025-06-01")],
            [("2025-01-01", "new", 100), ("2025-03-01", "churn", -100), ("2025-06-01", "reactivation", 100)],
            id="a gap within one subscription",
        ),
        pytest.param(
            [term(1, 100, "2025-01-01"), term(2, 40, "2025-02-01", subscription_id="S2")],
            [("2025-01-01", "new", 100), ("2025-02-01", "expansion", 40)],
            id="a second subscription beside the first",
        ),
        pytest.param(
            [term(1, 100, "2025-01-01", "2025-02-01"), term(2, 100, "2025-02-01", subscription_id="S2")],
            [("2025-01-01", "new", 100)],
            id="another plan at the same price",
        ),
        pytest.param(
            [
                term(1, 0, "2025-01-01", "2025-02-01"),
                term(2, 90, "2025-02-01", "2025-03-01"),
                term(3, 60, "2025-03-01"),
            ],
            [("2025-02-01", "new", 90), ("2025-03-01", "contraction", -30)],
            id="a free term before the first paid one",
        ),
        pytest.param([term(1, 100, "2025-01-01", "2025-01-01")], [], id="a term without a day"),
        pytest.param(
            [term(1, 10.01, "2025-01-01", "2025-02-01"), term(2, 10.02, "2025-02-01", "2025-03-01")],
            [("2025-01-01", "new", 10.01), ("2025-02-01", "expansion", 0.01), ("2025-03-01", "churn", -10.02)],
            id="cents",
        ),
    ],
)
def test_a_movement_is_what_happened_to_the_account_as_a_whole(
    planting: Planting, terms: list[dict[str, Any]], told: list[tuple[str, str, float]]
) -> None:
    planting.rows("snowflake.subscriptions", *terms)
    found = planting.model("marts.revenue_movements").sort_values("happened_on")
    assert [(str(row["happened_on"].date()), row["movement"], row["change"]) for row in records(found)] == told
