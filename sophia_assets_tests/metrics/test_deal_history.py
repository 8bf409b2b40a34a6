"""What the pipeline was on a day follows from the versions of stage, amount and close date that deals have had."""

from __future__ import annotations

from datetime import date

import pytest

from sophia_assets.metrics.facts import FactSet
from sophia_assets_tests.metrics.made_deals import made_crm, made_deal
from sophia_assets_tests.metrics.small_line import facts_of
from sophia_assets_tests.sandbox.small_company import served

DAY = date(2026, 3, 20)
FIRST_DAY = date(2025, 1, 1)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> FactSet:
    first = "2026-01-05T10:00:00Z"
    company = made_crm(
        # Its amount was cleared.
        made_deal(1, stages=[(first, "first")], amounts=[(first, "5000"), ("2026-02-01T10:00:00Z", "")]),
        # The CRM tells no history of its amount.
        made_deal(2, stages=[(first, "first")], amount="700"),
        # Its close date moves later three times, once together with its stage, and once earlier.
        made_deal(
            3,
            stages=[(first, "first"), ("2026-02-02T10:00:00Z", "offer")],
            amounts=[(first, "40")],
            closes=[
                (first, "2026-02-01T12:00:00Z"),
                ("2026-02-02T10:00:00Z", "2026-03-01T12:00:00Z"),
                ("2026-02-10T10:00:00Z", "2026-02-25T12:00:00Z"),
                ("2026-02-20T10:00:00Z", "2026-03-10T12:00:00Z"),
                ("2026-03-09T10:00:00Z", "2026-03-15T12:00:00Z"),
            ],
        ),
        # Its close date was cleared, so it cannot be late.
        made_deal(
            4,
            stages=[(first, "first")],
            amounts=[(first, "1")],
            closes=[(first, "2026-02-01T12:00:00Z"), ("2026-02-10T10:00:00Z", "")],
        ),
        # Nobody sells it: it counts for the company, and for no owner.
        made_deal(5, stages=[(first, "first")], amounts=[(first, "741")], owner=None),
        # Won later than it was expected to close; it waited in its first stage for 40 days.
        made_deal(
            6,
            stages=[(first, "first"), ("2026-02-14T10:00:00Z", "won")],
            amounts=[(first, "900"), ("2026-02-14T10:00:00Z", "1000.5")],
            closes=[(first, "2026-02-01T12:00:00Z"), ("2026-02-14T10:00:00Z", "2026-02-14T10:00:00Z")],
        ),
        last_day=DAY,
    )
    with served(company, limits=False) as sandbox:
        return facts_of(tmp_path_factory.mktemp("home"), sandbox.env, DAY, FIRST_DAY)


def value(facts: FactSet, fact_id: str) -> float | None:
    fact = facts.get(fact_id)
    return fact.value if fact else None


def test_a_cleared_amount_no_longer_counts(facts: FactSet) -> None:
    assert value(facts, "pipeline_value.month.2026-01") == 5000 + 700 + 40 + 1 + 741 + 900
    assert value(facts, "pipeline_value.as_of") == 700 + 40 + 1 + 741


def test_an_amount_without_history_is_the_present_one(facts: FactSet) -> None:
    assert value(facts, "pipeline_value.as_of.deal.5002") == 700


def test_a_deal_with_an_unknown_amount_is_counted_but_worth_nothing_known(facts: FactSet) -> None:
    assert value(facts, "open_deals.as_of") == 5
    assert facts.get("pipeline_value.as_of.deal.5001") is None


def test_a_cleared_close_date_is_not_late(facts: FactSet) -> None:
    assert value(facts, "slipped_deals.as_of") == 1
    assert value(facts, "days_past_close.as_of.deal.5003") == 5


def test_a_close_date_moved_later_together_with_the_stage_is_a_push_and_one_moved_earlier_is_not(
    facts: FactSet,
) -> None:
    assert value(facts, "close_date_pushes.as_of.deal.5003") == 3
    assert [fact.entity_ids["deal"] for fact in facts.by("close_date_pushes", "as_of", "deal")] == ["5003"]


def test_a_deal_is_won_for_the_amount_it_had_when_it_closed(facts: FactSet) -> None:
    bookings = facts.get("bookings.qtd")
    assert bookings is not None
    assert (bookings.value, bookings.display) == (1000.5, "$1,001")
    assert value(facts, "sales_cycle_days.qtd") == 40


def test_a_deal_that_moved_waits_anew(facts: FactSet) -> None:
    assert value(facts, "stalled_deals.as_of.stage.first") == 4
    assert value(facts, "days_in_stage.as_of.stage.offer") == 46
    assert value(facts, "stalled_deals.as_of.stage.offer") == 1


def test_an_owner_s_share_is_one_of_the_whole_also_where_some_deals_have_no_owner(facts: FactSet) -> None:
    (owned,) = facts.by("pipeline_value", "as_of", "owner")
    assert owned.value == 741
    assert owned.share_display == "50.0%"
