"""The planted stories can be seen in the raw records, and little else looks like one."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from functools import cache

import pytest

from sophia_assets.sandbox.company import simulate_company
from sophia_assets_tests.sandbox.observed import Finding, Observed

START, LAST = date(2024, 7, 1), date(2025, 12, 31)
SEEDS = (1, 2, 3, 4, 5)
DAYS = [START + timedelta(days=offset) for offset in range(121, 548, 23)]


@cache
def observed(seed: int) -> Observed:
    return Observed(simulate_company(seed, START, LAST, timezone="Europe/Berlin"), "Europe/Berlin")


def planted(seed: int, day: date) -> set[Finding]:
    stories = observed(seed).company.stories
    return {(s.kind, s.subject_id) for s in stories if s.visible_from <= day <= s.visible_to}


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_planted_is_visible_and_what_is_visible_is_planted(seed: int) -> None:
    hits = told = seen = 0
    for day in DAYS:
        truth, found = planted(seed, day), observed(seed).everything(day)
        hits, told, seen = hits + len(truth & found), told + len(truth), seen + len(found)
    assert hits / told >= 0.95
    assert hits / seen >= 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_a_handful_of_stories_is_visible_at_any_time(seed: int) -> None:
    counts = [len(planted(seed, day)) for day in DAYS]
    assert 4 <= sum(counts) / len(counts) <= 6.5
    assert min(counts) >= 2 and max(counts) <= 10


def test_every_kind_of_story_is_told() -> None:
    kinds = Counter(story.kind for seed in SEEDS for story in observed(seed).company.stories)
    assert set(kinds) == {
        "account_at_risk", "slipping_deal", "stalled_stage", "expansion", "churn", "competitor_pressure",
        "overdue_payment", "big_win",
    }  # fmt: skip
    assert min(kinds.values()) >= 2 * len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_subjects_are_named_as_the_crm_names_them(seed: int) -> None:
    hubspot, gong = observed(seed).company.hubspot, observed(seed).company.gong
    assert hubspot and gong
    names: dict[str, dict[str, str | None]] = {
        "account": {r.id: r.properties["name"] for r in hubspot.objects["companies"]},
        "deal": {r.id: r.properties["dealname"] for r in hubspot.objects["deals"]},
        "stage": {s.id: s.label for s in hubspot.stages},
        "competitor": {
            t.removeprefix("Competitor: "): t.removeprefix("Competitor: ") for call in gong.calls for t in call.trackers
        },
    }
    for story in observed(seed).company.stories:
        assert names[story.subject_type][story.subject_id] == story.subject_name


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_a_story_begins_on_the_first_day_on_which_it_can_be_seen(seed: int) -> None:
    seen_before = told = 0
    for story in observed(seed).company.stories:
        eve = story.visible_from - timedelta(days=1)
        if story.kind in ("expansion", "churn", "big_win", "competitor_pressure", "overdue_payment"):
            told += 1
            seen_before += (story.kind, story.subject_id) in observed(seed).everything(eve) - planted(seed, eve)
    assert seen_before <= 0.05 * told


@pytest.mark.parametrize("seed", SEEDS)
def test_an_account_at_risk_is_also_heard_in_its_calls(seed: int) -> None:
    gong = observed(seed).company.gong
    assert gong
    for story in observed(seed).company.stories:
        if story.kind == "account_at_risk" and story.visible_to <= LAST:
            since = story.visible_to - timedelta(days=60)
            heard = [
                call
                for call in gong.calls
                if call.account_id == story.subject_id
                and "Churn risk" in call.trackers
                and since <= call.started.date() <= story.visible_to
            ]
            assert len(heard) >= 2
