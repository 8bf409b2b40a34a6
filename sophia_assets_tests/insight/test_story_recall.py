"""How found and told stories are counted against the truth."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from sophia_assets.insight.candidates import find_stories
from sophia_assets.sandbox.company_data import PlantedStory
from sophia_assets_tests.insight import story_recall
from sophia_assets_tests.insight.sample_facts import DAY, sample_facts, sample_statuses
from sophia_assets_tests.insight.story_recall import Measured, Score, compare, main


def planted(kind: str, subject: str, *, first: date = DAY, last: date = DAY) -> PlantedStory:
    return PlantedStory(f"{kind}-1", kind, "account", subject, subject, first, last, {})


def scored(*stories: PlantedStory) -> Score:
    return compare(stories, DAY, sample_facts(), sample_statuses(), {})


def test_a_story_of_the_sample_is_planted_found_and_told() -> None:
    score = scored(planted("account_at_risk", "1001"))
    assert score.planted == score.found.hit == score.told.hit == Counter({"account_at_risk": 1})
    assert score.recall(score.told) == 1.0 and score.found.false["account_at_risk"] == 0


def test_what_nobody_planted_counts_against_precision_and_only_what_is_told_against_that_of_telling() -> None:
    score = scored(planted("account_at_risk", "1001"))
    everything = [story for story in find_stories(sample_facts(), DAY) if story.kind != "metric_change"]
    assert score.found.false.total() == len(everything) - 1
    assert score.told.false.total() <= 7  # five changes and three risks, one of them planted
    assert score.found.precision < score.told.precision


def test_a_story_that_has_just_ended_is_neither_missed_nor_false() -> None:
    ended = DAY - timedelta(days=2)
    score = scored(planted("account_at_risk", "1001", first=ended, last=ended))
    assert score.planted.total() == 0
    assert score.found.false["account_at_risk"] == 0


def test_a_story_that_no_facts_show_is_missed() -> None:
    score = scored(planted("churn", "nobody"))
    assert score.recall(score.found) == score.recall(score.told) == 0.0


def test_below_the_goals_the_campaign_fails_and_kept_facts_are_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def made(seed: int, as_of: date, dates: int) -> Measured:
        asked.append(seed)
        return Measured([(DAY, sample_facts(), sample_statuses())], {}, [planted("account_at_risk", "1001")])

    monkeypatch.setattr(story_recall, "_measured", made)
    options = ["--seeds", "2", "--dates", "1", "--keep", str(tmp_path)]
    assert main(options) == 1  # everything is told, but most of it was not planted
    assert main([*options, "--found"]) == 1
    assert asked == [1, 2]
    assert "told   recall 100.0% (2 of 2)" in capsys.readouterr().out
