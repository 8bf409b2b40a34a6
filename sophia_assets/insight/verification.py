"""Checks texts against facts: every figure, name, period and direction has to belong to a fact that is cited.

That a value occurs somewhere in the data proves nothing. A figure counts as supported only if a cited
fact has it in the role in which the sentence uses it (value, previous value, change, share ...), about
the subject, the metric and the period that the sentence names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sophia_assets.insight import wording
from sophia_assets.insight.binding import (
    Binding,
    bind_figure,
    bound_to,
    direction_problem,
    period_problem,
    repeated,
    settle,
    unnamed_period,
    unsupported_terms,
)
from sophia_assets.insight.figures import find_figures
from sophia_assets.insight.mentions import Reader, Reading, Span
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.slots import SLOT, SlotError, due_phrase, fill
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.insight.writing import Draft, DraftSentence
from sophia_assets.metrics.facts import Fact, FactSet

FindingKind = Literal["figure", "name", "direction", "period", "vague", "uncited", "markup", "slot"]


@dataclass(frozen=True)
class Finding:
    """Something in a text that no cited fact supports: where, what kind, what would be right, and why."""

    start: int
    end: int
    span: str
    kind: FindingKind
    message: str
    expected: str | None = None


class Verifier:
    """Checks many texts against one set of facts and stories. `names` may be mentioned anywhere (the company's own)."""

    def __init__(self, facts: FactSet, stories: Iterable[Story] = (), names: Iterable[str] = ()) -> None:
        self.facts = facts
        self.stories = {story.id: story for story in stories}
        self.reader = Reader(facts, self.stories.values(), names)

    def text(self, text: str, fact_ids: Iterable[str] | None = None, story_id: str | None = None) -> list[Finding]:
        """Findings on a finished text that cites `fact_ids` (None: any fact) and tells `story_id`."""
        cited, findings = self._cited(text, fact_ids)
        story = self.stories.get(story_id or "")
        reading = self.reader.read(text)
        findings += self._markup(reading)
        findings += self._names(reading, cited, story)
        bindings = settle(reading, [bind_figure(reading, figure, cited) for figure in reading.figures])
        findings += [
            Finding(
                binding.figure.start,
                binding.figure.end,
                binding.figure.text,
                "figure",
                binding.problem,
                binding.expected,
            )
            for binding in bindings
            if binding.problem
        ]
        findings += self._whole(reading, bindings, story)
        findings += self._periods(reading, bindings, story)
        findings += self._words(reading, bindings, story)
        if not _is_action(reading, story):
            held = [binding.figure.start for binding in bindings if binding.facts]
            findings += [
                Finding(start, end, text[start:end], "uncited", "the sentence states nothing that a cited fact holds")
                for start, end in reading.sentences()
                if not any(start <= place < end for place in held)
                and not any(start <= finding.start < end for finding in findings)
            ]
        return sorted(findings, key=lambda finding: (finding.start, finding.kind))

    def draft_sentence(self, sentence: DraftSentence) -> list[Finding]:
        """Findings on a sentence before its slots are filled: outside slots it may hold no claim at all."""
        findings = []
        try:
            fill(sentence.text, self.facts, self.stories.values())
        except SlotError as error:
            findings.append(Finding(0, len(sentence.text), sentence.text, "slot", str(error)))
        if not SLOT.search(sentence.text):
            findings.append(Finding(0, len(sentence.text), sentence.text, "uncited", "the sentence has no slot"))
        findings += [
            Finding(match.start(), match.end(), match.group(), "slot", problem)
            for match, problem in _misplaced_slots(sentence)
        ]
        bare = SLOT.sub(lambda match: "\ue000" * len(match.group()), sentence.text)
        reading = self.reader.read(bare)
        findings += [
            Finding(figure.start, figure.end, figure.text, "figure", "figures come from slots only")
            for figure in find_figures(bare)
        ]
        findings += [
            Finding(span.start, span.end, span.text, "name", "names come from slots only") for span in reading.names
        ]
        findings += [
            Finding(span.start, span.end, span.text, "period", "periods come from slots only")
            for span in [*reading.periods, *wording.loose_times(reading)]
        ]
        findings += [
            Finding(span.start, span.end, span.text, kind, f"{kind} words come from slots only")
            for span, kind in wording.claims(reading)
        ]
        findings += self._markup(reading) + self._unknown_names(reading)
        return sorted(findings, key=lambda finding: (finding.start, finding.kind))

    def _cited(self, text: str, fact_ids: Iterable[str] | None) -> tuple[list[Fact], list[Finding]]:
        if fact_ids is None:
            return list(self.facts), []
        cited, findings = [], []
        for fact_id in fact_ids:
            fact = self.facts.get(fact_id)
            if fact is None:
                findings.append(Finding(0, len(text), text, "uncited", f"no fact has the id {fact_id}"))
            else:
                cited.append(fact)
        return cited, findings

    def _markup(self, reading: Reading) -> list[Finding]:
        return [
            Finding(span.start, span.end, span.text, "markup", "plain sentences only: no markup, links or symbols")
            for span in wording.foreign_marks(reading)
        ]

    def _names(self, reading: Reading, cited: Sequence[Fact], story: Story | None) -> list[Finding]:
        allowed = {safe_name(value) for fact in cited for value in fact.dimensions.values()}
        if story is not None:
            allowed |= {safe_name(story.subject_name), safe_name(story.action.owner)}
        findings = [
            Finding(
                span.start,
                span.end,
                span.text,
                "name",
                "no fact that the sentence cites is about this name",
                ", ".join(sorted(allowed)) or None,
            )
            for span in reading.names
            if span.text not in allowed
        ]
        return findings + self._unknown_names(reading)

    def _unknown_names(self, reading: Reading) -> list[Finding]:
        return [
            Finding(span.start, span.end, span.text, "name", "no fact knows this name")
            for span in wording.unknown_capitals(reading)
        ]

    def _whole(self, reading: Reading, bindings: Sequence[Binding], story: Story | None) -> list[Finding]:
        """What only shows in the text as a whole: repetitions, metrics without a figure, periods left out."""
        findings = [
            _on_figure(binding, "figure", "the sentence has shown this figure before") for binding in repeated(bindings)
        ]
        spans: dict[FindingKind, list[Span]] = {"name": reading.names, "period": reading.periods}
        for kind, mentioned in spans.items():
            findings += [
                Finding(span.start, span.end, span.text, kind, f"the sentence has used this {kind} before")
                for place, span in enumerate(mentioned)
                if span.text in {s.text for s in mentioned[:place]}
            ]
        if bindings and not any(binding.problem for binding in bindings):
            findings += [
                Finding(span.start, span.end, span.text, "figure", "no figure in the sentence is about this")
                for span in unsupported_terms(reading, bindings)
            ]
        findings += [
            _on_figure(binding, "period", "the figure is about a period that the sentence does not name", expected)
            for binding, expected in unnamed_period(reading, bindings, _due(story))
        ]
        return findings

    def _periods(self, reading: Reading, bindings: Sequence[Binding], story: Story | None) -> list[Finding]:
        findings = [
            Finding(span.start, span.end, span.text, "period", "no fact is about this point or span in time")
            for span in wording.loose_times(reading)
        ]
        for span in reading.periods:
            if reading.text[: span.start].lower().endswith("by "):
                if span.text != _due(story):
                    findings.append(
                        Finding(span.start, span.end, span.text, "period", "this is not when it is due", _due(story))
                    )
                continue
            problem, expected = period_problem(reading, span, bindings)
            if problem:
                findings.append(Finding(span.start, span.end, span.text, "period", problem, expected))
        return findings

    def _words(self, reading: Reading, bindings: Sequence[Binding], story: Story | None) -> list[Finding]:
        likelihood = wording.likelihood_spans(reading)
        findings = [
            Finding(
                span.start,
                span.end,
                span.text,
                "vague",
                "the likelihood is not the story's",
                story.likelihood if story else None,
            )
            for span in likelihood
            if story is None or span.text.lower() != story.likelihood
        ]
        for span, kind in wording.claims(reading):
            if any(other.start <= span.start < other.end for other in likelihood):
                continue
            problem: str | None = "nothing can be measured by this word"
            if kind == "direction":
                problem = direction_problem(span, bound_to(reading, span, bindings))
            if problem:
                findings.append(Finding(span.start, span.end, span.text, kind, problem))
        return findings


def _on_figure(binding: Binding, kind: FindingKind, message: str, expected: str | None = None) -> Finding:
    return Finding(binding.figure.start, binding.figure.end, binding.figure.text, kind, message, expected)


def _due(story: Story | None) -> str | None:
    return due_phrase(story.action.due) if story else None


def _misplaced_slots(sentence: DraftSentence) -> Iterator[tuple[re.Match[str], str]]:
    """Slots that belong to another story, or that stand where their kind cannot make sense."""
    slots = list(SLOT.finditer(sentence.text))
    for match, following in zip(slots, [*slots[1:], None], strict=False):
        if match["kind"] == "story" and match["id"] != sentence.story_id:
            yield match, "the slot is about another story than the sentence"
        gap = sentence.text[match.end() : following.start()] if following else sentence.text[match.end() :]
        if match["aspect"] == "direction" and not (following and gap == " " and _moves_with(match, following)):
            yield match, "a direction stands right before the delta or change of its own fact"
        if match["aspect"] in ("moved", "compared") and gap == " " and following and not _moves_with(match, following):
            yield match, "only the delta or change of its own fact may follow this word"
        if match["aspect"] == "rank" and not (
            sentence.text[: match.start()].endswith("the ") and re.match(r" [a-z]", gap)
        ):
            yield match, "a rank stands between `the` and a noun"
        if gap == " " and following and not _may_touch(match, following):
            yield following, "the slot stands right behind another one"


def _moves_with(match: re.Match[str], following: re.Match[str]) -> bool:
    return following["id"] == match["id"] and following["aspect"] in ("delta", "change")


def _may_touch(match: re.Match[str], following: re.Match[str]) -> bool:
    """Whether two slots may stand side by side: a word of direction with its figure, anything with a period."""
    return (
        following["aspect"] in ("period", "previous_period")
        or (match["aspect"] == "subject" and following["aspect"] in ("moved", "direction"))
        or (match["aspect"] in ("direction", "moved") and _moves_with(match, following))
        or (match["aspect"] in ("delta", "change") and following["aspect"] == "compared")
    )


def _is_action(reading: Reading, story: Story | None) -> bool:
    """Whether the text is a step that a story suggests: it names the subject or a metric, its owner and its date."""
    if story is None:
        return False
    owner, names = safe_name(story.action.owner), {span.text for span in reading.names}
    if story.subject_type != "metric" and safe_name(story.subject_name) not in names:
        return False
    tail = f": {owner}, by {due_phrase(story.action.due)}."
    return reading.text.endswith(tail) and (owner == UNASSIGNED or owner in names)


def verify_text(
    text: str,
    facts: FactSet,
    fact_ids: Iterable[str] | None = None,
    *,
    stories: Iterable[Story] = (),
    story_id: str | None = None,
    names: Iterable[str] = (),
) -> list[Finding]:
    """Checks any text against facts and explains each thing that is not supported; an empty list means all is.

    `fact_ids` are the facts that the text cites (None: all of them), `story_id` the one of `stories` that
    it tells, `names` what it may mention anywhere. Names are expected as `names.safe_name` shows them.
    """
    return Verifier(facts, stories, names).text(text, fact_ids, story_id)


def verify_draft(
    draft: Draft, facts: FactSet, stories: Iterable[Story] = (), names: Iterable[str] = ()
) -> list[Finding]:
    """Checks a whole draft before its slots are filled; spans count within each sentence."""
    verifier = Verifier(facts, stories, names)
    sentences = [*draft.bottom_line, *(sentence for section in draft.sections for sentence in section.sentences)]
    return [finding for sentence in sentences for finding in verifier.draft_sentence(sentence)]
