"""True sentences as language models write them: the templates of `model_prose.yaml`, made for a request's facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from sophia_assets.insight.nouns import noun
from sophia_assets.insight.slots import SlotError, fill
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets.metrics.facts import Fact, FactSet

_CORPUS = Path(__file__).with_name("model_prose.yaml")
_HANDLE = re.compile(r"\{\{(\w)(?:\|(\w+))?\}\}")
_WORD = re.compile(r"\[(\w+) (\w)\]")
#: What may be asked of a fact.
_HOLDS: dict[str, Callable[[Fact], bool]] = {
    "moves": lambda fact: fact.direction in ("up", "down") and bool(fact.delta_display) and fact.change is not None,
    "run_rate": lambda fact: bool(fact.run_rate_display),
    "target": lambda fact: bool(fact.target_display) and fact.target_display != fact.display,
    "share": lambda fact: bool(fact.share_display),
    "first": lambda fact: fact.rank == 1,
    "ranked": lambda fact: (fact.rank or 0) > 1,
    "trend": lambda fact: bool(fact.trend_display),
    "many": lambda fact: fact.value > 1,
}


@dataclass(frozen=True)
class Prose:
    """One true sentence: the template it was made from, the draft in slots, and its finished text."""

    template: str
    draft: DraftSentence
    text: str
    fact_ids: tuple[str, ...]


@cache
def groups() -> tuple[Mapping[str, Any], ...]:
    """The groups of the corpus."""
    return tuple(yaml.safe_load(_CORPUS.read_text(encoding="utf-8")))


def templates() -> list[str]:
    """Every template of the corpus."""
    return [text for group in groups() for text in group["texts"]]


def true_prose(request: BriefingRequest) -> list[Prose]:
    """Every sentence of the corpus that is true of the request, in the corpus' order, each text once."""
    found: dict[tuple[str, str | None], Prose] = {}
    for group in groups():
        for handles, story in _castings(group, request):
            for template in group["texts"]:
                made = _make(template, handles, story, request)
                if made is not None:
                    found.setdefault((made.text, made.draft.story_id), made)
    return list(found.values())


def _castings(group: Mapping[str, Any], request: BriefingRequest) -> Iterator[tuple[dict[str, Fact], Story | None]]:
    """The facts and the story that a group's handles can stand for."""
    needs = group.get("needs", ())
    if "story" in group:
        kinds = group["story"] if isinstance(group["story"], list) else [group["story"]]
        for story in request.stories:
            handles = _evidence(group.get("evidence", {}), story, request.facts)
            if story.kind in kinds and handles is not None and _hold(needs, handles, story):
                yield handles, story
        return
    selectors = {handle: chosen if isinstance(chosen, list) else [chosen] for handle, chosen in group["facts"].items()}
    for chosen in product(*selectors.values()):
        for facts in product(*(_facts(request.facts, selector) for selector in chosen)):
            handles = dict(zip(selectors, facts, strict=True))
            if _fit(handles, needs) and _hold(needs, handles, None):
                yield handles, None


def _facts(facts: FactSet, selector: str) -> list[Fact]:
    metric, period, *dimension = selector.split(".")
    return [
        fact
        for fact in facts
        if (fact.metric, fact.period.key) == (metric, period) and list(fact.dimensions) == dimension
    ]


def _evidence(wanted: Mapping[str, str], story: Story, facts: FactSet) -> dict[str, Fact] | None:
    known = {fact.metric: fact for fact in map(facts.get, story.fact_ids) if fact is not None}
    if not set(wanted.values()) <= set(known):
        return None
    return {handle: known[metric] for handle, metric in wanted.items()}


def _fit(handles: Mapping[str, Fact], needs: list[str]) -> bool:
    """Handles are about the same name, or about neighbours in a ranking where one is to stand apart."""
    named = [fact for fact in handles.values() if fact.subject]
    if any(need.endswith(".apart") for need in needs):
        return (named[1].rank or 0) - (named[0].rank or 0) == 1
    return len({fact.subject for fact in named}) < 2


def _hold(needs: list[str], handles: Mapping[str, Fact], story: Story | None) -> bool:
    for need in needs:
        handle, _, what = need.partition(".")
        if handle == "s":
            word = (story.likelihood if story else None) or ""
            owner = story.action.owner if story else UNASSIGNED
            if not {"likely": "likely" in word, "chance": word.endswith("chance"), "owned": owner != UNASSIGNED}[what]:
                return False
        elif what != "apart" and not _HOLDS[what](handles[handle]):
            return False
    return True


def _make(template: str, handles: Mapping[str, Fact], story: Story | None, request: BriefingRequest) -> Prose | None:
    def slot(match: re.Match[str]) -> str:
        handle, aspect = match.groups()
        aspect = f"|{aspect}" if aspect else ""
        if handle == "s":
            return f"{{{{story:{story.id}{aspect or '|subject'}}}}}" if story else match.group()
        return f"{{{{fact:{handles[handle].id}{aspect}}}}}"

    text = _HANDLE.sub(slot, _WORD.sub(lambda match: _word(match[1], handles[match[2]]), template))
    try:
        filled = fill(text, request.facts, request.stories)
    except SlotError:
        return None
    return Prose(template, DraftSentence(text, story.id if story else None), filled.text, filled.fact_ids)


def _word(word: str, fact: Fact) -> str:
    spoken = noun(fact)
    return {"noun": spoken.text, "Noun": spoken.opening, "be": spoken.be}[word]
