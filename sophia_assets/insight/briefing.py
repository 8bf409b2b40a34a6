"""Builds a briefing: stories, a draft, two checks of every sentence, and what is known about its own reliability.

A sentence that fails a check is dropped; what it leaves empty is filled from the offline writer, whose
sentences pass the same checks. Nothing unsupported is ever published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.charts import Chart, build_charts
from sophia_assets.insight.confidence import Confidence, judge_confidence
from sophia_assets.insight.gaps import gap_sentences, no_targets_sentence, stale_sentence, unknown_sentences
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.rollouts import rollout_sentences
from sophia_assets.insight.slots import SlotError, fill
from sophia_assets.insight.stories import Story
from sophia_assets.insight.verification import Finding, Verifier
from sophia_assets.insight.writing import (
    MAX_BODY_WORDS,
    MAX_BOTTOM_LINE_WORDS,
    SECTION_LIMITS,
    SECTION_TITLES,
    BriefingRequest,
    Draft,
    DraftSentence,
    Writer,
)
from sophia_assets.metrics.facts import Fact, FactSet
from sophia_assets.sources import registry

NOTHING_KNOWN = "There is no data for this day, so there is nothing to report."
#: The order in which sections give up their last sentence when a briefing is too long.
_TRIM_ORDER = ("changes", "product", "customers", "targets", "performance", "actions", "risks")


@dataclass(frozen=True)
class Sentence:
    """A published sentence: its text, the slots it was made from, the facts it shows and the story it tells.

    `template` is empty for a sentence about missing data, which code writes and which cites no fact.
    """

    text: str
    template: str = ""
    fact_ids: tuple[str, ...] = ()
    story_id: str | None = None


@dataclass(frozen=True)
class Section:
    """A part of the briefing; `key` is a key of `SECTION_TITLES`."""

    key: str
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Rejection:
    """A drafted sentence that was not published, and the findings that kept it out."""

    section: str
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Verification:
    """What was checked before publishing. `rewritten` names the sections that the offline writer had to fill."""

    sentences: int
    figures: int
    rejected: tuple[Rejection, ...] = ()
    rewritten: tuple[str, ...] = ()
    shortened: int = 0


@dataclass(frozen=True)
class Briefing:
    """A verified briefing with everything needed to show it and to check it again."""

    request: BriefingRequest
    writer: str
    bottom_line: tuple[Sentence, ...]
    sections: tuple[Section, ...]
    charts: tuple[Chart, ...]
    confidence: Confidence
    verification: Verification
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """`Executive briefing`, without company and date."""
        return self.request.kind.title

    @property
    def bottom_line_text(self) -> str:
        return " ".join(sentence.text for sentence in self.bottom_line)

    def sentences(self) -> list[Sentence]:
        """Every sentence of the bottom line and the sections, in reading order."""
        return [*self.bottom_line, *(sentence for section in self.sections for sentence in section.sentences)]

    def cited_facts(self) -> list[Fact]:
        """Every fact that a sentence, a told story or a chart rests on, in order of first use."""
        stories = {story.id: story for story in self.request.stories}
        ids = [fact_id for sentence in self.sentences() for fact_id in sentence.fact_ids]
        ids += [fact_id for story in stories.values() for fact_id in story.fact_ids]
        ids += [point.fact_id for chart in self.charts for point in chart.points]
        return [fact for fact in map(self.request.facts.get, dict.fromkeys(ids)) if fact is not None]

    def told_story_ids(self) -> set[str]:
        """The stories that a sentence tells."""
        return {sentence.story_id for sentence in self.sentences() if sentence.story_id}


class _Press:
    """Turns drafted sentences into published ones, or refuses them."""

    def __init__(self, request: BriefingRequest) -> None:
        self.request = request
        self.verifier = Verifier(request.facts, request.stories, [request.company_name])
        self.rejected: list[Rejection] = []
        self.figures = 0

    def publish(self, section: str, drafted: Iterable[DraftSentence]) -> list[Sentence]:
        published = []
        for sentence in drafted:
            findings = self.verifier.draft_sentence(sentence)
            if not findings:
                filled = fill(sentence.text, self.request.facts, self.request.stories)
                findings = self.verifier.text(filled.text, filled.fact_ids, sentence.story_id)
                if not findings:
                    self.figures += len(self.verifier.reader.read(filled.text).figures)
                    published.append(Sentence(filled.text, sentence.text, filled.fact_ids, sentence.story_id))
            if findings:
                self.rejected.append(Rejection(section, sentence.text, tuple(findings)))
        return published


def build_briefing(request: BriefingRequest, writer: Writer) -> Briefing:
    """Builds and verifies the briefing of a day. Whatever `writer` returns, only supported sentences are published."""
    stories = find_stories(request.facts, request.date, request.owners)
    request = replace(request, stories=tuple(stories))
    draft = writer.draft(request)
    press = _Press(request)
    spare = draft if isinstance(writer, OfflineWriter) else OfflineWriter().draft(request)
    rewritten: list[str] = []
    body: dict[str, list[Sentence]] = {}
    for key in SECTION_TITLES:
        body[key] = press.publish(key, draft.section(key)[: SECTION_LIMITS[key]])
        if not body[key] and spare is not draft and spare.section(key):
            body[key] = press.publish(key, spare.section(key))
            rewritten.append(key)
    bottom_line = _bottom_line(press, draft, spare, rewritten)
    gaps = {key: _gaps(request, key, bool(body[key])) for key in SECTION_TITLES}
    shortened = _shorten(body, _words([*bottom_line, *(text for texts in gaps.values() for text in texts)]))
    sections = tuple(
        Section(key, title, (*body[key], *gaps[key])) for key, title in SECTION_TITLES.items() if body[key] or gaps[key]
    )
    published = sum(map(len, body.values())) + len(bottom_line)
    return Briefing(
        request=request,
        writer=writer.name,
        bottom_line=tuple(bottom_line) or (Sentence(NOTHING_KNOWN),),
        sections=sections,
        charts=tuple(build_charts(request.facts, _reasons(request))),
        confidence=judge_confidence(request),
        verification=Verification(published, press.figures, tuple(press.rejected), tuple(rewritten), shortened),
        usage=asdict(draft.used),
    )


def verify_briefing(briefing: Briefing, facts: FactSet) -> list[Finding]:
    """Checks a finished briefing again, sentence by sentence, against `facts`; an empty list means that it stands.

    Every text has to be what its slots give for these facts, and has to pass `verify_text` on its own.
    Sentences without slots have to be those that the systems' states call for.
    """
    request = briefing.request
    verifier = Verifier(facts, request.stories, [request.company_name])
    own_words = {
        NOTHING_KNOWN,
        no_targets_sentence(request),
        *(stale_sentence(status) for status in request.statuses),
        *(text for status in request.statuses for text in rollout_sentences(status)),
        *unknown_sentences(request),
        *(text for key in SECTION_TITLES for text in gap_sentences(request, key)),
    }
    findings: list[Finding] = []
    for sentence in briefing.sentences():
        if not sentence.template:
            if sentence.text not in own_words:
                findings.append(Finding(0, len(sentence.text), sentence.text, "uncited", "the sentence cites nothing"))
            continue
        findings += verifier.draft_sentence(DraftSentence(sentence.template, sentence.story_id))
        findings += verifier.text(sentence.text, sentence.fact_ids, sentence.story_id)
        try:
            expected = fill(sentence.template, facts, request.stories).text
        except SlotError:
            continue
        if expected != sentence.text:
            findings.append(
                Finding(0, len(sentence.text), sentence.text, "slot", "the text is not what its slots give", expected)
            )
    if _words(briefing.bottom_line) > MAX_BOTTOM_LINE_WORDS:
        text = briefing.bottom_line_text
        findings.append(Finding(0, len(text), text, "vague", f"the bottom line is over {MAX_BOTTOM_LINE_WORDS} words"))
    return findings


def _bottom_line(press: _Press, draft: Draft, spare: Draft, rewritten: list[str]) -> list[Sentence]:
    found = press.publish("bottom_line", draft.bottom_line)
    if not found and spare is not draft:
        found = press.publish("bottom_line", spare.bottom_line)
        rewritten.append("bottom_line")
    while len(found) > 1 and _words(found) > MAX_BOTTOM_LINE_WORDS:
        found.pop()
    return found


def _words(sentences: Iterable[Sentence]) -> int:
    return sum(len(sentence.text.split()) for sentence in sentences)


def _shorten(body: dict[str, list[Sentence]], used: int) -> int:
    """Drops last sentences until the body fits; returns how many were dropped."""
    dropped = 0
    while used + sum(map(_words, body.values())) > MAX_BODY_WORDS:
        key = next((key for key in _TRIM_ORDER if len(body[key]) > 1), None)
        if key is None:
            break
        body[key].pop()
        dropped += 1
    return dropped


def _gaps(request: BriefingRequest, key: str, is_told: bool) -> list[Sentence]:
    """What a section has to say of what it cannot tell."""
    texts = gap_sentences(request, key)
    if key == "targets" and not is_told:
        texts = [text for text in [no_targets_sentence(request)] if text]
    if key == "performance":
        texts += [text for text in map(stale_sentence, request.statuses) if text]
        texts += [text for status in request.statuses for text in rollout_sentences(status)]
        texts += unknown_sentences(request)
    return [Sentence(text) for text in texts]


def _reasons(request: BriefingRequest) -> dict[str, str]:
    """Why a system gave no data, by system, for charts that stay empty."""
    known = {status.system: status for status in request.statuses}
    reasons = {}
    for system in registry.SYSTEMS:
        status = known.get(system)
        name = registry.display_name(system)
        is_off = status is None or status.state == "off"
        reasons[system] = f"{name} is not connected." if is_off else f"{name} holds nothing for these periods."
        if status and not is_off and status.rollout.is_withheld:
            reasons[system] = f"{name} is taken back for now."
    return reasons


def stories_told(briefing: Briefing) -> list[Story]:
    """The stories of the briefing that a sentence tells, by effect."""
    told = briefing.told_story_ids()
    return [story for story in briefing.request.stories if story.id in told]
