"""What a briefing says of systems that are switched off, taken back, or served in part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sophia_assets.control.rollouts import Shares
from sophia_assets.insight.confidence import judge_confidence
from sophia_assets.insight.gaps import exclusion_reason
from sophia_assets.insight.rollouts import facts_still_served, rollout_sentences, with_rollouts
from sophia_assets.insight.writing import SourceState, SourceStatus
from sophia_assets.metrics.facts import FactSet
from sophia_assets.metrics.facts_frame import facts_from_frame, facts_to_frame
from sophia_assets_tests.insight.sample_facts import sample_request


def gong(percent: int, *, before: int = 100, switched_off: str = "", state: SourceState = "fresh") -> SourceStatus:
    """Gong's status for facts that were computed while it was served for `before` percent."""
    facts = FactSet([], shares={"gong": before} if before < 100 else None)
    (status,) = with_rollouts(
        [SourceStatus("gong", "Gong", state)], facts, Shares({"gong": percent}), {"gong": switched_off}
    )
    return status


def test_a_system_that_is_served_whole_and_read_needs_no_words() -> None:
    assert rollout_sentences(gong(100)) == []


def test_a_part_is_told_with_what_it_is_a_part_of() -> None:
    assert rollout_sentences(gong(10, before=10)) == [
        "Gong is served for 10% of its calls; its figures cover no others."
    ]


def test_what_was_taken_back_is_told_once_and_is_among_the_excluded() -> None:
    assert rollout_sentences(gong(0, switched_off="gong.enabled")) == [
        "Gong is taken back for now, so figures that rest on it are left out."
    ]
    assert exclusion_reason(gong(0)) == "taken back"


def test_a_system_that_is_not_read_is_told() -> None:
    assert rollout_sentences(gong(100, switched_off="gong.enabled")) == [
        "Gong is switched off for now, so nothing new is read from it."
    ]


def test_a_change_after_the_figures_were_computed_is_told() -> None:
    assert "changed after the figures were computed" in rollout_sentences(gong(50, before=10))[1]


@pytest.mark.parametrize("state", ["off", "empty"])
def test_of_a_system_that_is_not_there_its_rollout_is_not_told(state: SourceState) -> None:
    assert rollout_sentences(gong(10, state=state)) == []
    assert exclusion_reason(gong(0, state=state)) != "taken back"


def test_facts_that_see_anything_of_a_changed_system_are_left_out() -> None:
    facts = sample_request().facts
    kept = facts_still_served(facts, Shares({"redis": 50}))
    metrics = {fact.metric for fact in facts}
    assert metrics - {fact.metric for fact in kept} >= {"product_actions"} & metrics
    assert facts_still_served(facts, Shares({})) is facts


def test_shares_stay_with_the_facts_in_the_stored_frame() -> None:
    facts = FactSet(sample_request().facts, shares={"gong": 10})
    assert facts_from_frame(facts_to_frame(facts)).shares == {"gong": 10}


def test_a_part_makes_a_briefing_less_to_be_relied_on() -> None:
    request = sample_request()
    partly = replace(request, statuses=(gong(10, before=10),))
    assert judge_confidence(partly).level == "moderate"
    assert "Only a part of Gong is served" in judge_confidence(partly).reason
