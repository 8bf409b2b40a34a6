"""Checks texts against facts: every figure, name, period and direction has to belong to a fact that is cited.

That a value occurs somewhere in the data proves nothing. A figure counts as supported only if a cited
fact has it in the role in which the sentence uses it (value, previous value, change, share ...), about
the subject, the metric and the period that the sentence names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sophia_assets.insight import phrasing, wording
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
from sophia_assets.insight.mentions import MASK, NAME_MASK, Reader, Reading, Span
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.roles import is_owner
from sophia_assets.insight.slot_places import misplaced_slots
from sophia_assets.insight.slots import SLOT, SlotError, due_phrase, fill, target_side
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.insight.vocabulary import other_words
from sophia_assets.insight.writing import Draft, DraftSentence
from sophia_assets.metrics.facts import Fact, FactSet

FindingKind = Literal["figure", "name", "direction", "period", "vague", "uncited", "markup", "slot", "quote"]


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

    def text(
        self,
        text: str,
        fact_ids: Iterable[str] | None = None,
        story_id: str | None = None,
        quotes: Iterable[Quote] = (),
    ) -> list[Finding]:
        """Findings on a text that cites `fact_ids` (None: any fact), tells `story_id` and may quote `quotes`."""
        cited, findings = self._cited(text, fact_ids)
        story = self.stories.get(story_id or "")
        reading = self.reader.read(text, tuple(quotes))
        findings += self._markup(reading) + _reserved(text) + self._other_words(reading)
        findings += self._names(reading, cited, story) + _filing(reading, story_id, story, cited)
        findings += [
            Finding(span.start, span.end, span.text, "quote", "nobody is known to have said this word for word")
            for span in wording.foreign_quotes(reading)
        ]
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
        is_action = _is_action(reading, story)
        findings += self._parts(reading, story, is_action)
        if not is_action:
            held = [binding.figure.start for binding in bindings if binding.facts]
            held += [span.start for span in reading.quotes]
            findings += [
                Finding(start, end, text[start:end], "uncited", "the sentence states nothing that a cited fact holds")
                for start, end in reading.sentences()
                if not any(start <= place < end for place in held)
                and not any(start <= figure.start < end for figure in reading.figures)
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
            for match, problem in misplaced_slots(sentence)
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
        findings += self._markup(reading) + self._unknown_names(reading) + self._other_words(reading)
        findings += _reserved(sentence.text)
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
        ] + [
            Finding(span.start, span.end, span.text, "markup", "no sentence has this mark here")
            for span in phrasing.lone_marks(reading)
        ]

    def _parts(self, reading: Reading, story: Story | None, is_action: bool) -> list[Finding]:
        """How the sentence is put together: opinions, neighbours of figures, parts that hold nothing of a fact."""
        due = _due(story)
        is_decision = any(span.text == due for span in reading.periods)
        messages = (
            (wording.opinions(reading, is_action or is_decision), "no fact bears out what this word says"),
            (phrasing.strange_neighbours(reading), "beside a figure or a name this may change what it says"),
            (
                () if is_action else phrasing.idle_parts(reading, wording.likelihood_spans(reading), is_decision),
                "this part of the sentence holds nothing of a fact",
            ),
            (
                () if is_action else phrasing.strange_endings(reading, wording.likelihood_spans(reading)),
                "what is added here holds nothing of a fact",
            ),
        )
        return [
            Finding(span.start, span.end, span.text, "vague", message) for spans, message in messages for span in spans
        ]

    def _other_words(self, reading: Reading) -> list[Finding]:
        return [
            Finding(span.start, span.end, span.text, "vague", "nothing can be held against what this word says")
            for span in other_words(reading)
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
        if story is not None and _is_action(reading, story):
            told = {safe_name(story.subject_name), safe_name(story.action.owner)}
            findings += [
                Finding(span.start, span.end, span.text, "name", "the step is not about this name")
                for span in reading.names
                if span.text not in told
            ]
        owner = safe_name(story.action.owner) if story else None
        findings += [
            Finding(span.start, span.end, span.text, "name", "this is not the owner", owner)
            for span in reading.names
            if is_owner(reading, span) and span.text != owner
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
        told = {safe_name(story.subject_name), safe_name(story.action.owner)} if story else set()
        told |= {safe_name(fact.subject) for binding in bindings for fact, _ in binding.facts if fact.subject}
        findings += [
            Finding(span.start, span.end, span.text, "name", "no figure in the sentence is about this name")
            for span in reading.names
            if span.text not in told and not any(binding.problem for binding in bindings)
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
                problem = direction_problem(reading, span, bound_to(reading, span, bindings))
            elif _TARGET_SIDE.fullmatch(span.text):
                problem = _target_problem(reading, span, bindings)
            if problem:
                findings.append(Finding(span.start, span.end, span.text, kind, problem))
        return findings


def _reserved(text: str) -> list[Finding]:
    """Characters by which reading masks what it has seen: a text that holds them would hide something."""
    return [
        Finding(place, place + 1, character, "markup", "this character is for private use")
        for place, character in enumerate(text)
        if character in (MASK, NAME_MASK)
    ]


def _filing(reading: Reading, story_id: str | None, story: Story | None, cited: Sequence[Fact]) -> list[Finding]:
    """A sentence under a story that it does not tell: it neither names its subject nor shows a fact of its evidence."""
    text = reading.text
    if story is None:
        return [Finding(0, len(text), text, "uncited", f"no story has the id {story_id}")] if story_id else []
    named = safe_name(story.subject_name) in {span.text for span in reading.names}
    if named or {fact.id for fact in cited} & set(story.fact_ids):
        return []
    return [Finding(0, len(text), text, "uncited", "the sentence is not about the story that it stands under")]


def _on_figure(binding: Binding, kind: FindingKind, message: str, expected: str | None = None) -> Finding:
    return Finding(binding.figure.start, binding.figure.end, binding.figure.text, kind, message, expected)


_TARGET_SIDE = re.compile(r"(?i)above|below")
_TARGET_BEHIND = re.compile(r"^\s(?:the|its|our)\s(?:target|goal)\sof\s")


def _target_problem(reading: Reading, span: Span, bindings: Sequence[Binding]) -> str | None:
    """Why `above` or `below` is not borne out by the target that stands behind it, or None."""
    behind = _TARGET_BEHIND.match(reading.rest[span.end :])
    place = span.end + behind.end() if behind else -1
    facts = [fact for binding in bindings if binding.figure.start == place for fact, _ in binding.facts]
    if not facts:
        return "no target of a fact stands behind this word"
    return None if all(target_side(fact) == span.text.lower() for fact in facts) else "the target is on the other side"


def _due(story: Story | None) -> str | None:
    return due_phrase(story.action.due) if story else None


def _is_action(reading: Reading, story: Story | None) -> bool:
    """Whether the text is a step that a story suggests: it names the subject or a metric, its owner and its date."""
    if story is None or len(reading.sentences()) != 1:
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
    quotes: Iterable[Quote] = (),
) -> list[Finding]:
    """Checks any text against facts and explains each thing that is not supported; an empty list means all is.

    Figures, names, periods, directions, ranks, targets, trends and likelihoods have to be those of the facts and the
    story, each about the subject, metric and time that the sentence gives it; number words, hedges, causes, opinions
    and words that nobody has judged are findings, and so are marks, links and quotes that nobody is known to have said.

    `fact_ids` are the facts that the text cites (None: all of them), `story_id` the one of `stories` that
    it tells, `names` what it may mention anywhere, `quotes` what it may quote, word for word, in quotation marks. Names
    are expected as `names.safe_name` shows them. Each finding says where (`start`, `end`, in characters of `text`),
    what (`span`, `kind`), why (`message`, one plain sentence) and, where it is known, what would be right (`expected`).
    To check many texts against the same facts, make one `Verifier`. Raises nothing: any text can be checked.
    """
    return Verifier(facts, stories, names).text(text, fact_ids, story_id, quotes)


def verify_draft(
    draft: Draft, facts: FactSet, stories: Iterable[Story] = (), names: Iterable[str] = ()
) -> list[Finding]:
    """Checks a whole draft before its slots are filled; spans count within each sentence."""
    verifier = Verifier(facts, stories, names)
    sentences = [*draft.bottom_line, *(sentence for section in draft.sections for sentence in section.sentences)]
    return [finding for sentence in sentences for finding in verifier.draft_sentence(sentence)]
