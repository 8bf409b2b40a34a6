"""Every figure of a briefing and every fact of its day, recomputed from the stand-ins' HTTP answers.

The other way to them: plain requests, exact fractions, and the words of the catalog written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from sophia_assets.insight.names import safe_name
from sophia_assets_tests.end_to_end.comparison import differences
from sophia_assets_tests.end_to_end.recomputed_facts import Expected, Key, recompute
from sophia_assets_tests.end_to_end.recomputed_work import KEPT_BY_READING
from sophia_assets_tests.end_to_end.whole_runs import WholeRun, fact_key

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.takes(40)]

FIGURE_KEYS = (
    "display",
    "previous_display",
    "delta_display",
    "change_display",
    "share_display",
    "run_rate_display",
)
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
# What counts no thing: days of the calendar and the lengths of periods.
_CALENDAR = re.compile(rf"\d{{1,2}} {_MONTH}(?: \d{{4}})?|the (?:last )?\d+ days(?= before|[.,:;]|$| )|in Q\d \d{{4}}")


@pytest.fixture(scope="module")
def expected(first_run: WholeRun) -> dict[Key, Expected]:
    company = first_run.company
    answers = first_run.answers()
    assert answers.systems == {"hubspot", "gong", "snowflake", "marts"}
    day = date.fromisoformat(first_run.day)
    return recompute(answers, day, date.fromisoformat(company["first_day"]), since=dict.fromkeys(KEPT_BY_READING, day))


@pytest.fixture(scope="module")
def briefing(first_run: WholeRun) -> dict[str, Any]:
    return first_run.briefing()


def test_all_facts_of_the_day_are_those_that_the_answers_give(
    first_run: WholeRun, expected: dict[Key, Expected]
) -> None:
    facts = first_run.facts()
    assert len(facts) > 900
    assert facts.keys() == expected.keys()


def test_each_fact_of_the_day_equals_its_recomputation(first_run: WholeRun, expected: dict[Key, Expected]) -> None:
    wrong = [line for key, fact in first_run.facts().items() for line in differences(expected[key], fact)]
    assert not wrong, f"{len(wrong)} differences, among them {wrong[:10]}"


def test_each_fact_that_the_briefing_shows_equals_its_recomputation(
    briefing: dict[str, Any], expected: dict[Key, Expected]
) -> None:
    assert len(briefing["facts"]) > 40
    wrong = [line for fact in briefing["facts"] for line in differences(_published(expected, fact), fact)]
    assert not wrong


def _published(expected: dict[Key, Expected], fact: dict[str, Any]) -> Expected:
    """A fact as it must be in a published briefing, where names are safe to show; stages' are so as they are."""
    right = expected[fact_key(fact)]
    is_name = right.name is not None and "stage" not in fact["dimensions"]
    return replace(right, name=safe_name(right.name or "")) if is_name else right


def test_each_point_of_a_chart_equals_its_recomputation(
    briefing: dict[str, Any], expected: dict[Key, Expected]
) -> None:
    facts = {fact["id"]: fact for fact in briefing["facts"]}
    points = [point for chart in briefing["charts"] for point in chart["points"]]
    assert len(points) > 25
    for point in points:
        true = expected[fact_key(facts[point["fact_id"]])]
        assert point["display"] == true.shown["display"]
        assert point["value"] == pytest.approx(float(true.value), abs=1e-9)


def test_each_figure_in_a_sentence_is_shown_by_a_fact_that_it_cites(briefing: dict[str, Any]) -> None:
    facts = {fact["id"]: fact for fact in briefing["facts"]}
    stories = {story["id"]: story for story in briefing["stories"]}
    figures = 0
    for sentence in sentences(briefing):
        cited = [facts[fact_id] for fact_id in sentence["fact_ids"]]
        names = [name for fact in cited for name in fact["dimensions"].values()]
        if sentence["story_id"]:
            names.append(stories[sentence["story_id"]]["subject_name"])
        text = _CALENDAR.sub("", without_names(sentence["text"], names))
        shown = sorted({fact[key] for fact in cited for key in FIGURE_KEYS if fact[key]}, key=len, reverse=True)
        for display in shown:
            text, found = re.subn(rf"(?<![\w.,$]){re.escape(display)}(?![\w%]|[.,]\d)", "", text)
            figures += found
        assert not re.search(r"\d", text), f"{sentence['text']!r} has a figure of no fact that it cites: {text!r}"
    assert figures > 15


def test_no_fact_claims_to_know_what_happened_after_its_day(first_run: WholeRun) -> None:
    end = f"{date.fromordinal(date.fromisoformat(first_run.day).toordinal() + 1)}T00:00:00+00:00"
    assert {fact["as_of"] for fact in first_run.facts().values()} == {end}


def sentences(briefing: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All sentences of a briefing."""
    yield from briefing["bottom_line_sentences"]
    for section in briefing["sections"]:
        yield from section["sentences"]


def without_names(text: str, names: list[str]) -> str:
    """The text without names, also where a long one is cut short with an ellipsis."""
    for name in names:
        words = " ".join(name.split())
        text = text.replace(words, "")
        for length in range(len(words), 20, -1):
            text = text.replace(words[:length] + "…", "")
    return text
