"""A day is a day of the business time zone: what happens shortly before its midnight still belongs to it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from sophia_assets.metrics.facts import FactSet, fact_as_json
from sophia_assets.sandbox.company import simulate_company
from sophia_assets_tests.end_to_end.comparison import differences
from sophia_assets_tests.end_to_end.recomputed_facts import recompute
from sophia_assets_tests.end_to_end.recomputed_metrics import METRICS
from sophia_assets_tests.end_to_end.recomputed_work import KEPT_BY_READING
from sophia_assets_tests.end_to_end.stand_in_answers import read_answers
from sophia_assets_tests.end_to_end.whole_runs import fact_key
from sophia_assets_tests.metrics.made_deals import made_crm, made_deal
from sophia_assets_tests.metrics.small_line import facts_of, marts_in
from sophia_assets_tests.sandbox.small_company import served

NEW_YORK = "America/New_York"


def facts_in(timezone: str, folder: Path) -> FactSet:
    """The facts of 31 March 2026 of deals won around the edges of the quarter in New York."""
    deals = [
        (1, "2026-01-01T04:30:00Z", 1),  # 31 December, 23:30 there (UTC-5)
        (2, "2026-01-01T05:30:00Z", 10),  # 1 January, 00:30 there
        (3, "2026-03-31T23:30:00Z", 100),  # 31 March, 19:30 there (UTC-4)
        (4, "2026-04-01T03:30:00Z", 1000),  # 31 March, 23:30 there
        (5, "2026-04-01T04:30:00Z", 10_000),  # 1 April, 00:30 there
    ]
    company = made_crm(
        *(
            made_deal(number, stages=[(at, "won")], amounts=[(at, str(amount))], closes=[(at, at)])
            for number, at, amount in deals
        ),
        last_day=date(2026, 4, 1),
    )
    with served(company, limits=False, timezone=timezone) as sandbox:
        return facts_of(folder, sandbox.env, date(2026, 3, 31), date(2025, 1, 1), SOPHIA_TIMEZONE=timezone)


def test_a_deal_counts_on_the_day_on_which_it_closed_in_the_business_time_zone(tmp_path: Path) -> None:
    there = facts_in(NEW_YORK, tmp_path / "new-york").get("bookings.qtd")
    assert there is not None
    assert (there.value, there.previous) == (10 + 100 + 1000, 1)


def test_in_utc_the_same_deals_fall_on_other_days(tmp_path: Path) -> None:
    utc = facts_in("UTC", tmp_path / "utc").get("bookings.qtd")
    assert utc is not None
    assert (utc.value, utc.previous) == (1 + 10 + 100, 0)


@pytest.mark.long
def test_all_facts_of_a_company_in_new_york_are_those_that_its_systems_answers_give(tmp_path: Path) -> None:
    # The clocks there change within the last 60 days.
    day = date(2026, 3, 31)
    company = simulate_company(5, day - timedelta(days=129), day, scale=0.4, timezone=NEW_YORK)
    with served(company, limits=False, timezone=NEW_YORK) as sandbox:
        answers = read_answers(sandbox.env, NEW_YORK)
        facts = facts_of(tmp_path, sandbox.env, day, company.first_day, SOPHIA_TIMEZONE=NEW_YORK)
    # Everything is read long after that day, so of what only reading keeps nothing is known.
    unknown = {entry.metric for entry in facts.unknown}
    assert unknown == {*KEPT_BY_READING, *(name for name, words in METRICS.items() if words.is_snapshot)}
    expected = recompute(answers.with_marts(marts_in(tmp_path)), day, company.first_day, unknown)
    found = {fact_key(content): content for content in map(fact_as_json, facts)}
    assert len(found) > 300
    assert found.keys() == expected.keys()
    assert not [line for key, fact in found.items() for line in differences(expected[key], fact)]
