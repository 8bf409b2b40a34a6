"""Splits a sentence into the stretches that came from slots and those that did not, for emphasis."""

from __future__ import annotations

from dataclasses import dataclass

from sophia_assets.insight.briefing import Briefing, Sentence
from sophia_assets.insight.slots import due_phrase, fill
from sophia_assets.insight.stories import Story

_FIGURES = frozenset({"value", "previous", "delta", "change", "share", "target", "rank"})


@dataclass(frozen=True)
class Segment:
    """A stretch of text; `role` is figure, name, good, bad or empty for plain words, `fact_id` what a value is of."""

    text: str
    role: str = ""
    fact_id: str = ""


def segments(briefing: Briefing, sentence: Sentence, text: str | None = None) -> list[Segment]:
    """The sentence's stretches in order; together they are exactly its text, or its beginning `text`."""
    shown = sentence.text if text is None else text
    if not sentence.template:
        return [Segment(shown)]
    filled = fill(sentence.template, briefing.request.facts, briefing.request.stories)
    if filled.text != sentence.text:
        return [Segment(shown)]
    found, position = [], 0
    for item in filled.fills:
        if item.start >= len(shown):
            break
        found += [
            Segment(shown[position : item.start]),
            Segment(
                item.text,
                _role(briefing, item.kind, item.id, item.aspect),
                item.id if item.kind == "fact" and item.aspect in (*_FIGURES, "run_rate") else "",
            ),
        ]
        position = item.end
    return [segment for segment in [*found, Segment(shown[position:])] if segment.text]


def _role(briefing: Briefing, kind: str, slot_id: str, aspect: str) -> str:
    if aspect == "subject":
        return "name"
    if aspect in ("direction", "moved", "compared", "delta", "change"):
        fact = briefing.request.facts.get(slot_id)
        good = fact.is_good if fact and kind == "fact" else None
        return "" if good is None else "good" if good else "bad"
    return "figure" if aspect in _FIGURES else ""


def action_text(sentence: Sentence, story: Story) -> str:
    """What is to be done, without the owner and the date that every step ends in."""
    return sentence.text.removesuffix(f", by {due_phrase(story.action.due)}.").rpartition(": ")[0]
