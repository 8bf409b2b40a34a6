"""Which stories are found, and which are left alone."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.moves import weekdays_in
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.stories import LIKELIHOOD_SCALE, Story, likelihood_word
from sophia_assets.insight.writing import BriefingRequest
from sophia_assets.metrics.facts import Fact, FactSet
from sophia_assets_tests.insight.sample_facts import DAY, breakdown, make_fact, sample_facts, sample_request


def found(facts: FactSet) -> set[tuple[str, str]]:
    return {(story.kind, story.subject_id) for story in find_stories(facts, DAY) if story.kind != "metric_change"}


def test_every_kind_of_story_in_the_sample_is_found_and_nothing_else() -> None:
    assert found(sample_facts()) == {
        ("account_at_risk", "1001"),
        ("slipping_deal", "d1"),
        ("stalled_stage", "s4"),
        ("expansion", "1003"),
        ("churn", "1090"),
        ("competitor_pressure", "Globex"),
        ("overdue_payment", "1005"),
        ("big_win", "d9"),
        ("rising_topic", "Support issues"),
        ("bug_pile", "Platform"),
    }


def test_with_the_crm_alone_only_its_own_stories_are_found() -> None:
    assert found(sample_facts(["hubspot"])) == {("slipping_deal", "d1"), ("stalled_stage", "s4"), ("big_win", "d9")}


def test_no_facts_give_no_stories() -> None:
    assert find_stories(FactSet([]), DAY) == []


def test_stories_come_by_effect_and_once_for_each_subject() -> None:
    stories = find_stories(sample_facts(), DAY)
    effects = [story.effect for story in stories]
    assert effects == sorted(effects, reverse=True)
    subjects = [(story.subject_type, story.subject_id) for story in stories]
    assert len(subjects) == len(set(subjects))


def test_every_story_has_known_evidence_and_a_step_with_an_owner_and_a_working_day() -> None:
    facts = sample_facts()
    for story in find_stories(facts, DAY, {"account:1001": "Priya Patel"}):
        assert story.fact_ids and all(fact_id in facts for fact_id in story.fact_ids)
        assert story.action.verb and story.action.owner and story.action.due.weekday() < 5
        assert story.action.due > DAY
        assert (story.likelihood in LIKELIHOOD_SCALE) == (story.category == "risk")
    owners = {
        story.subject_id: story.action.owner for story in find_stories(facts, DAY, {"account:1001": "Priya Patel"})
    }
    assert owners["1001"] == "Priya Patel" and owners["d1"] == "unassigned"


def the_story(facts: FactSet, kind: str) -> Story:
    return next(story for story in find_stories(facts, DAY) if story.kind == kind)


def test_an_account_at_risk_has_what_other_systems_show_in_its_evidence_the_decisive_fact_first() -> None:
    facts = sample_facts()
    shown = [facts.get(fact_id) for fact_id in the_story(facts, "account_at_risk").fact_ids]
    assert [fact.metric for fact in shown if fact] == [
        "churn_risk_mentions",
        "daily_users",
        "satisfaction_score",
        "open_bugs",
        "days_to_renewal",
        "mrr",
    ]


def test_what_moved_the_other_way_or_like_everybodys_is_no_evidence() -> None:
    names = [(str(number), f"Account {number}") for number in range(20)]
    facts = [
        *sample_facts(["snowflake", "gong"]),
        *breakdown("daily_users", "last_30d", "account", [("1001", "Northwind Traders", 90, 100)]),
        *breakdown("daily_users", "last_30d", "account", [(i, name, 90, 100) for i, name in names]),
        *breakdown("open_bugs", "as_of", "account", [("1001", "Northwind Traders", 1, 6)]),
    ]
    assert {fact_id.split(".")[0] for fact_id in the_story(FactSet(facts), "account_at_risk").fact_ids} == {
        "churn_risk_mentions",
        "satisfaction_score",
        "days_to_renewal",
        "mrr",
    }


def test_an_account_at_risk_that_owes_money_is_one_story_with_both_and_worth_both() -> None:
    debt = breakdown("overdue_amount", "as_of", "account", [("1001", "Northwind Traders", 30_000, 30_000)])
    age = breakdown("days_overdue", "as_of", "account", [("1001", "Northwind Traders", 45, 15)])
    without = the_story(sample_facts(), "account_at_risk")
    facts = FactSet([*sample_facts(), *debt, *age])
    story = the_story(facts, "account_at_risk")
    assert story.also == ("overdue_payment",) and story.effect == without.effect + 30_000
    assert {debt[0].id, age[0].id} <= set(story.fact_ids)
    assert ("overdue_payment", "1001") not in found(facts)
    texts = [sentence.text for sentence in build_briefing(sample_request_with(facts), OfflineWriter()).sentences()]
    assert any("Northwind Traders" in text and "owes $30K in overdue invoices" in text for text in texts)


def sample_request_with(facts: FactSet) -> BriefingRequest:
    return replace(sample_request(), facts=facts)


def test_a_debt_that_is_not_a_month_old_is_no_story() -> None:
    owed = breakdown("overdue_amount", "as_of", "account", [("7", "Debtor", 50_000, 50_000)])
    age = breakdown("days_overdue", "as_of", "account", [("7", "Debtor", 29, None)])
    assert ("overdue_payment", "7") in found(FactSet([make_fact("mrr", "as_of", 100_000), *owed]))
    assert found(FactSet([make_fact("mrr", "as_of", 100_000), *owed, *age])) == set()


def test_two_answers_make_no_fall_in_satisfaction() -> None:
    def facts_with(answers: int) -> FactSet:
        return FactSet(
            [
                make_fact("mrr", "as_of", 100_000),
                *breakdown("mrr", "as_of", "account", [("1", "Ann", 9_000, 9_000)]),
                *breakdown("days_to_renewal", "as_of", "account", [("1", "Ann", 20, None)]),
                *breakdown("satisfaction_score", "last_60d", "account", [("1", "Ann", 2.0, 4.5)]),
                *breakdown("satisfaction_responses", "last_60d", "account", [("1", "Ann", answers, 9)]),
            ]
        )

    assert found(facts_with(2)) == set() and found(facts_with(6)) == {("account_at_risk", "1")}


def test_a_worry_that_only_accounts_with_a_story_of_their_own_have_is_no_theme() -> None:
    def facts_with(own: float) -> FactSet:
        talk = breakdown("worried_conversations", "last_30d", "account", [("1001", "Northwind Traders", own, 1)])
        kept = [fact for fact in sample_facts() if fact.metric not in ("worried_conversations", "topic_conversations")]
        topic = breakdown("topic_conversations", "last_30d", "topic", [("Support", "Support", 22, 4)])
        return FactSet([*kept, *talk, *topic])

    assert ("rising_topic", "Support") in found(facts_with(2))
    assert ("rising_topic", "Support") not in found(facts_with(15))


def months_of_use(last: float) -> list[Fact]:
    starts = [date(2025, 4 + place, 1) if place < 9 else date(2026, place - 8, 1) for place in range(11)]
    rates = [18.3, 18.1, 18.7, 18.4, 18.0, 18.5, 18.2, 18.6, 18.0, 18.4, 18.2]
    months = [
        replace(fact, value=rate * 1_000 * weekdays_in(fact.period.start, fact.period.end))
        for fact, rate in zip((make_fact("product_actions", f"month.{m:%Y-%m}", 0) for m in starts), rates, strict=True)
    ]
    return [make_fact("mrr", "as_of", 100_000), make_fact("product_actions", "last_30d", last, 403_000), *months]


def test_use_that_falls_far_out_of_what_months_differ_by_is_a_theme_and_less_is_not() -> None:
    assert found(FactSet(months_of_use(300_000))) == {("falling_usage", "product_actions")}
    assert found(FactSet(months_of_use(390_000))) == set()


def test_data_that_ends_before_the_period_does_makes_nothing_fall() -> None:
    early = datetime(2026, 3, 13, tzinfo=UTC)
    facts = [replace(fact, as_of=early) for fact in months_of_use(300_000)]
    assert find_stories(FactSet(facts), DAY) == []


def test_a_headline_is_judged_by_what_its_own_months_do() -> None:
    def facts_with(months: list[int]) -> FactSet:
        starts = [date(2025, place + 1, 1) for place in range(12)]
        series = [make_fact("mrr", f"month.{m:%Y-%m}", v * 1_000) for m, v in zip(starts, months, strict=True)]
        return FactSet([make_fact("mrr", "as_of", 430_000, 400_000), *series])

    calm = [400 + place for place in range(12)]
    wild = [400, 450, 390, 440, 395, 460, 400, 430, 380, 440, 400, 450]
    assert [story.subject_id for story in find_stories(facts_with(calm), DAY)] == ["mrr"]
    assert find_stories(facts_with(wild), DAY) == []


def test_every_sign_of_every_system_is_told_in_words_that_pass_the_checks() -> None:
    names = [(str(number), f"Holding {number}") for number in range(20)]
    signs = {
        "satisfaction_score": ("last_60d", 2.4, 4.4, 4.3, 4.4),
        "churn_risk_mentions": ("last_60d", 6, 0, 0, 0),
        "churn_signals": ("last_30d", 6, 0, 0, 0),
        "daily_users": ("last_30d", 60, 120, 119, 120),
        "product_actions": ("last_30d", 6_000, 12_000, 11_900, 12_000),
        "open_bugs": ("as_of", 9, 1, 1, 1),
        "bugs_reported": ("last_30d", 9, 0, 0, 0),
        "worried_conversations": ("last_30d", 9, 1, 0, 0),
        "customer_health": ("as_of", 40, 80, 79, 80),
    }
    base = [
        make_fact("mrr", "as_of", 100_000),
        *breakdown("mrr", "as_of", "account", [("x", "Zenith", 9_000, 9_000)]),
        *breakdown("days_to_renewal", "as_of", "account", [("x", "Zenith", 20, None)]),
    ]
    talk = breakdown("churn_signals", "last_30d", "account", [("x", "Zenith", 3, 0)])
    mood = breakdown("satisfaction_score", "last_60d", "account", [("x", "Zenith", 2.9, 4.4)])
    for metric, (period, now, before, others, others_before) in signs.items():
        rows = [("x", "Zenith", now, before), *((i, name, others, others_before) for i, name in names)]
        more = [*([] if metric.startswith("churn") else talk), *([] if metric == "satisfaction_score" else mood)]
        facts = FactSet([*base, *breakdown(metric, period, "account", rows), *more])
        briefing = build_briefing(sample_request_with(facts), OfflineWriter())
        assert briefing.verification.rejected == ()
        assert any(i.startswith(f"{metric}.") for s in briefing.sentences() for i in s.fact_ids), metric


def test_ten_thousand_accounts_are_searched() -> None:
    took = {count: round(seconds_for(count), 2) for count in (2_000, 10_000)}
    print("seconds to find the stories among so many accounts:", took)


def seconds_for(count: int) -> float:
    rng = random.Random(count)
    names = [(str(number), f"Account {number}") for number in range(count)]
    spread = {
        ("mrr", "as_of"): 1_000.0,
        ("days_to_renewal", "as_of"): 180.0,
        ("satisfaction_score", "last_60d"): 4.0,
        ("daily_users", "last_30d"): 80.0,
        ("open_bugs", "as_of"): 3.0,
        ("overdue_amount", "as_of"): 500.0,
    }
    facts = []
    for (metric, period), size in spread.items():
        like = make_fact(metric, period, size, size, of=("account", "0", "Account"))
        for i, name in names:
            now, before = size * rng.random(), size * rng.random()
            made = replace(
                like,
                id=f"{metric}.{period}.account.{i}",
                dimensions={"account": name},
                entity_ids={"account": i},
                value=now,
                previous=before,
                delta=now - before,
                change=(now - before) / before,
                direction="up" if now > before else "down",
            )
            facts.append(made)
    kept = FactSet([make_fact("mrr", "as_of", 1_000.0 * count), *facts])
    started = perf_counter()
    find_stories(kept, DAY)
    return perf_counter() - started


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_zero_negative_and_missing_values_are_no_trouble(seed: int) -> None:
    rng = random.Random(seed)

    def odd(fact: Fact) -> Fact:
        previous = rng.choice([None, 0.0, -5.0, fact.previous])
        made = make_fact(fact.metric, fact.period.key, rng.choice([0.0, -3.0, 1e12, fact.value]), previous)
        return replace(made, id=fact.id, dimensions=fact.dimensions, entity_ids=fact.entity_ids)

    kept = FactSet([odd(fact) for fact in sample_facts() if rng.random() < 0.7])
    stories = find_stories(kept, DAY)
    assert all(math.isfinite(story.effect) and story.effect >= 0 for story in stories)
    assert all(fact_id in kept for story in stories for fact_id in story.fact_ids)


def test_one_unhappy_answer_is_not_a_risk_where_calls_say_nothing() -> None:
    facts = [
        make_fact("mrr", "as_of", 100_000),
        make_fact("churn_risk_mentions", "last_60d", 3, 3),
        *breakdown("mrr", "as_of", "account", [("1", "Ann", 9_000, 9_000)]),
        *breakdown("days_to_renewal", "as_of", "account", [("1", "Ann", 20, None)]),
        *breakdown("satisfaction_score", "last_60d", "account", [("1", "Ann", 3.2, 4.4)]),
        *breakdown("churn_risk_mentions", "last_60d", "account", [("1", "Ann", 1, 1)]),
    ]
    assert found(FactSet(facts)) == set()


def test_a_small_or_unchanged_headline_is_left_out() -> None:
    facts = FactSet(
        [
            make_fact("bookings", "qtd", 1_000_000, 1_004_000),
            make_fact("mrr", "as_of", 400_000, 400_000),
            make_fact("pipeline_value", "as_of", 5_000_000, 4_000_000),
            make_fact("win_rate", "qtd", 1.0, 0.5),
            make_fact("deals_won", "qtd", 2, 1),
        ]
    )
    assert {story.subject_id for story in find_stories(facts, DAY)} == {"pipeline_value"}


def test_a_competitor_needs_twice_the_mentions_enough_of_them_and_more_than_chance() -> None:
    rows = [("A", "A Corp", 5, 1), ("B", "B Corp", 11, 6), ("C", "C Corp", 12, 6), ("D", "D Corp", 12, 3)]
    facts = FactSet(breakdown("competitor_mentions", "last_30d", "competitor", rows))
    assert found(facts) == {("competitor_pressure", "D")}


def test_the_likelihood_words_cover_the_whole_scale() -> None:
    assert [likelihood_word(p) for p in (0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0)] == list(LIKELIHOOD_SCALE)


def test_the_same_facts_give_the_same_stories() -> None:
    assert find_stories(sample_facts(), date(2026, 3, 20)) == find_stories(sample_facts(), date(2026, 3, 20))
