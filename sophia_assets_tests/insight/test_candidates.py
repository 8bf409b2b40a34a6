"""Which stories are found, and which are left alone."""

from __future__ import annotations

from datetime import date

from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.stories import LIKELIHOOD_SCALE, likelihood_word
from sophia_assets.metrics.facts import FactSet
from sophia_assets_tests.insight.sample_facts import DAY, breakdown, make_fact, sample_facts


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


def test_a_competitor_needs_both_twice_the_mentions_and_enough_of_them() -> None:
    rows = [("A", "A Corp", 5, 1), ("B", "B Corp", 11, 6), ("C", "C Corp", 12, 6)]
    facts = FactSet(breakdown("competitor_mentions", "last_30d", "competitor", rows))
    assert found(facts) == {("competitor_pressure", "C")}


def test_the_likelihood_words_cover_the_whole_scale() -> None:
    assert [likelihood_word(p) for p in (0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0)] == list(LIKELIHOOD_SCALE)


def test_the_same_facts_give_the_same_stories() -> None:
    assert find_stories(sample_facts(), date(2026, 3, 20)) == find_stories(sample_facts(), date(2026, 3, 20))
