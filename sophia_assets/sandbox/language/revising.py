"""What the toy model says of a draft, and how it revises one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sophia_assets.sandbox.language.drafting import Drafter, Sentence
from sophia_assets.sandbox.language.prompt import Given

_SHARE_WITH_A_REMARK = 0.2
_WHOLE_SECTION = -1
_REMARKS = {
    "helpful": (
        "The sentence says what happened and leaves out what it means for the reader.",
        "The sentence repeats what the bottom line has said.",
        "The sentence could name the figure first.",
    ),
    "actionable": (
        "The step does not say what is to be asked.",
        "The reader cannot tell from it what to do first.",
    ),
}


def criticise(given: Given) -> dict[str, Any]:
    """A critique of the prompt's draft, as the schema `briefing_criticism` has it: mostly no remark at all."""
    rng = random.Random(given.seed)
    places = list(_places(given.draft))
    if not places or rng.random() >= _SHARE_WITH_A_REMARK:
        return {"criticisms": []}
    section, number = rng.choice(places)
    principle = "actionable" if section == "actions" else "helpful"
    problem = rng.choice(_REMARKS[principle])
    return {"criticisms": [{"section": section, "sentence": number, "principle": principle, "problem": problem}]}


def revise(given: Given, spoil: Callable[[Sentence], Sentence]) -> dict[str, Any]:
    """The prompt's draft with what its problems name told in other words, or dropped; the rest as it was.

    `spoil` is what happens to a sentence that is written anew.
    """
    drafter = Drafter(given)
    named = {(row.get("section", ""), row.get("sentence", "")) for row in given.rows("problems")}

    def revised(section: str, sentences: Any) -> list[dict[str, str]]:
        read = [_read(sentence) for sentence in sentences] if isinstance(sentences, list) else []
        if (section, str(_WHOLE_SECTION)) in named or (section, "") in named:
            read = read[:-1]
        kept = []
        for number, sentence in enumerate(read):
            if (section, str(number)) not in named:
                kept.append(sentence.as_json())
                continue
            told = drafter.retell(sentence)
            if told is not None and all(told.text != other.text for other in read):
                kept.append(spoil(told).as_json())
        return kept

    sections = given.draft.get("sections")
    read = [each for each in (sections if isinstance(sections, list) else []) if isinstance(each, dict)]
    return {
        "bottom_line": revised("bottom_line", given.draft.get("bottom_line")),
        "sections": [
            {"key": key, "sentences": revised(key, section.get("sentences"))}
            for key, section in ((str(section.get("key", "")), section) for section in read)
        ],
    }


def _places(draft: dict[str, Any]) -> list[tuple[str, int]]:
    parts = [("bottom_line", draft.get("bottom_line"))]
    sections = draft.get("sections")
    for section in sections if isinstance(sections, list) else []:
        if isinstance(section, dict):
            parts.append((str(section.get("key", "")), section.get("sentences")))
    return [(key, number) for key, found in parts if isinstance(found, list) for number in range(len(found))]


def _read(sentence: Any) -> Sentence:
    if not isinstance(sentence, dict):
        return Sentence(str(sentence))
    return Sentence(str(sentence.get("text", "")), str(sentence.get("story", "")))
