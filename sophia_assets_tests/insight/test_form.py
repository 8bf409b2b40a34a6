"""The template as rules: a good briefing passes, and one that is broken in one way is told so in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sophia_assets.insight.briefing import Briefing, Sentence, Verification, build_briefing
from sophia_assets.insight.form import lint
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets_tests.insight.sample_facts import IN_USE, sample_request
from sophia_assets_tests.insight.variations import varied_request


@pytest.fixture(scope="module")
def good() -> Briefing:
    return build_briefing(sample_request(), OfflineWriter())


def with_section(briefing: Briefing, key: str, change: Callable[[Sentence], Sentence], count: int = 1) -> Briefing:
    """The briefing with the first sentence of a section changed, and repeated `count` times."""
    sections = tuple(
        replace(section, sentences=(*[change(section.sentences[0])] * count, *section.sentences[1:]))
        if section.key == key
        else section
        for section in briefing.sections
    )
    return replace(briefing, sections=sections)


def without_slot(aspect: str) -> Callable[[Sentence], Sentence]:
    """Takes the slot of an aspect out of a sentence's template."""

    def change(sentence: Sentence) -> Sentence:
        story = sentence.story_id
        return replace(sentence, template=sentence.template.replace(f"{{{{story:{story}|{aspect}}}}}", "soon"))

    return change


def unlikely_story(briefing: Briefing) -> Briefing:
    """The briefing with a word that is on no scale."""
    stories = tuple(replace(story, likelihood=story.likelihood and "probable") for story in briefing.request.stories)
    return replace(briefing, request=replace(briefing.request, stories=stories))


BREAKS: dict[str, tuple[Callable[[Briefing], Briefing], str]] = {
    "a long bottom line": (
        lambda b: replace(b, bottom_line=(replace(b.bottom_line[0], text="word " * 41), *b.bottom_line[1:])),
        "words; 40 are allowed",
    ),
    "a bottom line without a decision": (
        lambda b: replace(b, bottom_line=b.bottom_line[:1]),
        "neither asks for a decision",
    ),
    "no bottom line": (lambda b: replace(b, bottom_line=()), "The bottom line is empty."),
    "another order": (lambda b: replace(b, sections=b.sections[::-1]), "not in their order"),
    "another title": (
        lambda b: replace(b, sections=(replace(b.sections[0], title="Wins"), *b.sections[1:])),
        "is called 'Wins'",
    ),
    "an unknown section": (
        lambda b: replace(b, sections=(*b.sections, replace(b.sections[0], key="gossip"))),
        "no section 'gossip'",
    ),
    "an empty section": (
        lambda b: replace(b, sections=(replace(b.sections[0], sentences=()), *b.sections[1:])),
        "is empty",
    ),
    "too many sentences": (lambda b: with_section(b, "risks", lambda s: s, 4), "'Risks' has"),
    "too many words": (
        lambda b: with_section(b, "performance", lambda s: replace(s, text="word " * 351)),
        "350 are allowed",
    ),
    "a step without an owner": (lambda b: with_section(b, "actions", without_slot("owner")), "no owner"),
    "a step without a date": (lambda b: with_section(b, "actions", without_slot("due")), "no date"),
    "a step without a verb": (
        lambda b: with_section(b, "actions", lambda s: replace(s, text=f"The {s.text}")),
        "does not begin with a verb",
    ),
    "a step of no story": (
        lambda b: with_section(b, "actions", lambda s: replace(s, story_id=None)),
        "belongs to no story",
    ),
    "a risk that is not told as likely": (
        lambda b: with_section(b, "risks", without_slot("likelihood")),
        "does not tell its likelihood",
    ),
    "a likelihood off the scale": (unlikely_story, "not on the scale: 'probable'"),
    "a sentence that rests on nothing": (
        lambda b: with_section(b, "performance", lambda s: Sentence("All is well.")),
        "rests on no fact: 'All is well.'",
    ),
    "a template without a slot": (
        lambda b: with_section(b, "performance", lambda s: Sentence("All is well.", "All is well.")),
        "rests on no fact",
    ),
    "charts in another order": (lambda b: replace(b, charts=b.charts[::-1]), "not those of the fixed layout"),
    "a chart left out": (lambda b: replace(b, charts=b.charts[1:]), "not those of the fixed layout"),
    "a chart that is empty without a word": (
        lambda b: replace(b, charts=(replace(b.charts[0], points=()), *b.charts[1:])),
        "does not say why",
    ),
    "a chart without a unit": (
        lambda b: replace(b, charts=(replace(b.charts[0], unit=""), *b.charts[1:])),
        "names no unit",
    ),
    "no freshness": (
        lambda b: replace(b, request=replace(b.request, statuses=())),
        "how fresh the systems' data is",
    ),
    "a confidence without a reason": (
        lambda b: replace(b, confidence=replace(b.confidence, reason=" ")),
        "no reason for the confidence",
    ),
    "a confidence that is not deserved": (
        lambda b: replace(b, confidence=replace(b.confidence, level="low")),
        "is not what the systems' states give",
    ),
    "no writer": (lambda b: replace(b, writer=""), "who wrote the briefing"),
    "no check": (lambda b: replace(b, verification=Verification(0, 0)), "what was checked"),
}


@pytest.mark.parametrize("systems", [IN_USE, ("hubspot",), ("snowflake", "gong"), ("linear", "redis"), ()])
def test_briefings_of_the_offline_writer_keep_to_the_template(systems: tuple[str, ...]) -> None:
    assert lint(build_briefing(sample_request(systems), OfflineWriter())) == []


@pytest.mark.parametrize("seed", range(12))
def test_so_do_those_of_other_companies(seed: int) -> None:
    assert lint(build_briefing(varied_request(seed), OfflineWriter())) == []


@pytest.mark.parametrize("way", BREAKS)
def test_a_briefing_that_is_broken_in_one_way_is_told_so(good: Briefing, way: str) -> None:
    break_it, told = BREAKS[way]
    found = lint(break_it(good))
    assert any(told in line for line in found), found
    assert all("\n" not in line and line.endswith((".", "'.")) for line in found)


def test_what_has_not_changed_is_no_change(good: Briefing) -> None:
    still = next(fact for fact in good.request.facts if fact.direction == "flat")
    sentence = Sentence(f"It is {still.display}.", f"It is {{{{fact:{still.id}}}}}.", (still.id,))
    broken = with_section(good, "changes", lambda _: sentence)
    assert any("told as a change" in line for line in lint(broken))
