"""The template of a briefing as rules: what every briefing has to look like, whoever wrote it.

Whether what it says is true is not judged here (`verification`), nor how it is shown (`rendering`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sophia_assets.insight.briefing import NOTHING_KNOWN, Briefing, Section, Sentence, verify_briefing
from sophia_assets.insight.charts import build_charts
from sophia_assets.insight.confidence import judge_confidence
from sophia_assets.insight.review_rules import asks_to_decide
from sophia_assets.insight.stories import LIKELIHOOD_SCALE, Story
from sophia_assets.insight.writing import MAX_BODY_WORDS, MAX_BOTTOM_LINE_WORDS, SECTION_LIMITS, SECTION_TITLES

#: How a bottom line says that there is nothing to decide.
NO_DECISION = re.compile(r"(?i)\bno decision\b|\bnothing (?:has )?to (?:be )?decided?\b")
#: Words that begin a statement: a step begins with its verb.
_NO_VERBS = frozenset(
    {
        "a",
        "an",
        "the",
        "we",
        "our",
        "it",
        "its",
        "there",
        "this",
        "that",
        "these",
        "they",
        "in",
        "on",
        "by",
        "for",
        "with",
    }
)


def lint(briefing: Briefing) -> list[str]:
    """What is wrong with a briefing's form, a plain line each; an empty list means that it keeps to the template."""
    rules: tuple[Callable[[Briefing], Iterator[str]], ...] = (
        _bottom_line,
        _order,
        _lengths,
        _steps,
        _likelihoods,
        _grounds,
        _unchanged,
        _charts,
        _footer,
    )
    return [line for rule in rules for line in rule(briefing)]


def _bottom_line(briefing: Briefing) -> Iterator[str]:
    words = len(briefing.bottom_line_text.split())
    if not words:
        yield "The bottom line is empty."
    if words > MAX_BOTTOM_LINE_WORDS:
        yield f"The bottom line has {words} words; {MAX_BOTTOM_LINE_WORDS} are allowed."
    decides = asks_to_decide(sentence.template for sentence in briefing.bottom_line)
    says_none = NO_DECISION.search(briefing.bottom_line_text) or briefing.bottom_line_text == NOTHING_KNOWN
    weighty = any(story.kind != "metric_change" for story in briefing.request.stories)
    if words and weighty and not (decides or says_none):
        yield "The bottom line neither asks for a decision nor says that none is needed."


def _order(briefing: Briefing) -> Iterator[str]:
    keys = [section.key for section in briefing.sections]
    for key in keys:
        if key not in SECTION_TITLES:
            yield f"There is no section {key!r}."
    known = [key for key in keys if key in SECTION_TITLES]
    if known != [key for key in SECTION_TITLES if key in known]:
        yield f"The sections are not in their order: {', '.join(known)}."
    for section in briefing.sections:
        if section.title != SECTION_TITLES.get(section.key, section.title):
            yield f"The section {section.key!r} is called {section.title!r}."
        if not section.sentences:
            yield f"The section {section.title!r} is empty."


def _lengths(briefing: Briefing) -> Iterator[str]:
    for section in briefing.sections:
        told = sum(bool(sentence.template) for sentence in section.sentences)
        most = SECTION_LIMITS.get(section.key, told)
        if told > most:
            yield f"The section {section.title!r} has {told} sentences; {most} are allowed."
    # What code says of missing data comes on top: saying so must never make a briefing fail.
    words = sum(len(sentence.text.split()) for sentence in briefing.sentences() if sentence.template)
    if words > MAX_BODY_WORDS:
        yield f"The briefing has {words} words; {MAX_BODY_WORDS} are allowed."


def _steps(briefing: Briefing) -> Iterator[str]:
    stories = _stories(briefing)
    for sentence in _told(briefing, "actions"):
        story = stories.get(sentence.story_id or "")
        if story is None:
            yield f"A step belongs to no story: {sentence.text!r}."
            continue
        first = sentence.text.split()[0].strip(",;:").lower() if sentence.text.split() else ""
        if not first.isalpha() or first in _NO_VERBS:
            yield f"A step does not begin with a verb: {sentence.text!r}."
        if not _has_slot(sentence, story, "owner") or not story.action.owner:
            yield f"A step has no owner, and does not say `unassigned`: {sentence.text!r}."
        if not _has_slot(sentence, story, "due"):
            yield f"A step has no date: {sentence.text!r}."


def _likelihoods(briefing: Briefing) -> Iterator[str]:
    stories = _stories(briefing)
    for sentence in _told(briefing, "risks"):
        story = stories.get(sentence.story_id or "")
        if story is None or story.likelihood is None:
            yield f"A risk has no likelihood: {sentence.text!r}."
        elif story.likelihood not in LIKELIHOOD_SCALE:
            yield f"A risk's likelihood is not on the scale: {story.likelihood!r}."
        elif not _has_slot(sentence, story, "likelihood"):
            yield f"A risk does not tell its likelihood, {story.likelihood}: {sentence.text!r}."


def _grounds(briefing: Briefing) -> Iterator[str]:
    uncited = {
        finding.span for finding in verify_briefing(briefing, briefing.request.facts) if finding.kind == "uncited"
    }
    for sentence in briefing.sentences():
        if "{{" not in sentence.template and (sentence.template or sentence.text in uncited):
            yield f"A sentence rests on no fact: {sentence.text!r}."


def _unchanged(briefing: Briefing) -> Iterator[str]:
    facts = briefing.request.facts
    for section in briefing.sections:
        for sentence in section.sentences:
            cited = [fact for fact in map(facts.get, sentence.fact_ids) if fact is not None]
            compared = [fact for fact in cited if fact.direction is not None]
            is_still = compared and all(fact.direction == "flat" for fact in compared)
            tells_story = (sentence.story_id or "") and not (sentence.story_id or "").startswith("metric_change.")
            if section.key == "changes" and is_still and not tells_story and len(compared) == len(cited):
                yield f"What has not changed is told as a change: {sentence.text!r}."


def _charts(briefing: Briefing) -> Iterator[str]:
    request = briefing.request
    wanted = [chart.id for chart in build_charts(request.facts, {}, request.role, request.date)]
    if [chart.id for chart in briefing.charts] != wanted:
        yield "The charts are not those of the fixed layout, in its order."
    for chart in briefing.charts:
        if not chart.points and not chart.missing:
            yield f"The chart {chart.title!r} is empty and does not say why."
        if chart.points and not (chart.note and chart.unit):
            yield f"The chart {chart.title!r} names no unit or no periods."


def _footer(briefing: Briefing) -> Iterator[str]:
    request, confidence = briefing.request, briefing.confidence
    if not request.statuses:
        yield "The footer does not say how fresh the systems' data is."
    if not confidence.reason.strip():
        yield "The footer gives no reason for the confidence."
    if confidence != judge_confidence(request):
        yield "The footer's confidence, or what it says could not be answered, is not what the systems' states give."
    if not briefing.writer:
        yield "The footer does not say who wrote the briefing."
    if not briefing.verification.sentences and any(sentence.template for sentence in briefing.sentences()):
        yield "The footer does not say what was checked."


def _stories(briefing: Briefing) -> dict[str, Story]:
    return {story.id: story for story in briefing.request.stories}


def _told(briefing: Briefing, key: str) -> list[Sentence]:
    section: Section | None = next((section for section in briefing.sections if section.key == key), None)
    return [sentence for sentence in section.sentences if sentence.template] if section else []


def _has_slot(sentence: Sentence, story: Story, aspect: str) -> bool:
    return re.search(rf"\{{\{{\s*story:{re.escape(story.id)}\s*\|\s*{aspect}\s*\}}\}}", sentence.template) is not None
