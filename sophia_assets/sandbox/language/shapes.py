"""Sentence shapes: a text with places for what the prompt's facts and stories hold, filled with slots.

A place is `[x]`, `[x.aspect]` or `[x.aspect:words]`: `x` is the main fact, `s` the story, any other name the fact of
that metric. A shape fits only where each of its places can be filled.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from sophia_assets.sandbox.language.prompt import Fact, Story

_PLACE = re.compile(r"\[(?P<name>[a-z_]+)(?:\.(?P<aspect>[A-Za-z]+)(?::(?P<words>[^\]]+))?)?\]")
#: Aspects that are slots of a fact under another, shorter name; those in `_NEEDS_MOVE` only where it moved.
_SLOTS = {
    "prev": "previous",
    "prevp": "previous_period",
    "dir": "direction",
    "delta": "delta",
    "change": "change",
    "moved": "moved",
    "compared": "compared",
    "share": "share",
    "target": "target",
    "run": "run_rate",
    "subject": "subject",
    "period": "period",
    "side": "target_side",
    "trend": "trend",
}
_NEEDS_MOVE = frozenset({"prev", "prevp", "dir", "delta", "change", "moved", "compared", "atprev"})
_NEEDS_CELL = frozenset({"change", "share", "target", "run", "side", "trend"})
#: The cell without which an aspect has nothing to show, where it is not the aspect's own.
_CELLS = {"prev": "previous", "prevp": "previous_period", "run": "run_rate", "atprev": "previous_period"}
_CELLS |= {"side": "target"}


class DoesNotFit(Exception):
    """A shape has a place that nothing in the prompt can fill."""


def slot(handle: str, aspect: str = "") -> str:
    """`{{f1}}`, or `{{f1|previous}}`."""
    return f"{{{{{handle}|{aspect}}}}}" if aspect else f"{{{{{handle}}}}}"


def render(shape: str, facts: Mapping[str, Fact], story: Story | None = None) -> str:
    """The shape with slots in its places. Raises DoesNotFit."""

    def fill(match: re.Match[str]) -> str:
        name, aspect, words = match["name"], match["aspect"] or "", match["words"] or ""
        if name == "s":
            return _of_story(story, aspect, words)
        fact = facts.get(name)
        if fact is None:
            raise DoesNotFit(shape)
        return _of_fact(fact, aspect, words)

    return _PLACE.sub(fill, shape)


def choose(
    shapes: Sequence[str],
    facts: Mapping[str, Fact],
    rng: random.Random,
    story: Story | None = None,
    unlike: str = "",
) -> str | None:
    """One of the shapes that fit, at random, filled; another than `unlike` where there is one; None if none fits."""
    fitting = []
    for shape in shapes:
        try:
            fitting.append(render(shape, facts, story))
        except DoesNotFit:
            continue
    others = [text for text in fitting if text != unlike]
    return rng.choice(others or fitting) if fitting else None


def _of_story(story: Story | None, aspect: str, words: str) -> str:
    if story is None or (aspect == "due" and not story.due):
        raise DoesNotFit(aspect)
    if aspect != "odds":
        return slot(story.id, aspect)
    # `to leave/leaving/is`: what is likely, what there is a chance of, and the subject's verb.
    outcome, gerund, be = words.split("/")
    if not story.likelihood:
        raise DoesNotFit(aspect)
    word = slot(story.id, "likelihood")
    if story.likelihood.endswith("chance"):
        article = "a " if story.likelihood.startswith("roughly") else ""
        return f"{'has' if be == 'is' else 'have'} {article}{word} of {gerund}"
    return f"{be} {word} {outcome}"


def _of_fact(fact: Fact, aspect: str, words: str) -> str:
    if aspect in _NEEDS_MOVE and not (fact.moves and fact.row.get(_CELLS.get(aspect, ""), "-")):
        raise DoesNotFit(aspect)
    if aspect in _NEEDS_CELL and not fact.row.get(_CELLS.get(aspect, aspect)):
        raise DoesNotFit(aspect)
    if aspect == "side" and fact.target == fact.value:
        raise DoesNotFit(aspect)
    if not aspect:
        return slot(fact.id)
    if aspect in _SLOTS:
        return slot(fact.id, _SLOTS[aspect])
    return _word(fact, aspect, words)


def _word(fact: Fact, aspect: str, words: str) -> str:
    plural = fact.be == "are"
    match aspect:
        case "noun":
            return fact.noun
        case "Noun":
            return fact.noun[:1].upper() + fact.noun[1:]
        case "be":
            return fact.be or "is"
        case "v":
            return words if plural else f"{words}s"
        case "n":
            return words if fact.value == "1" else f"{words}s"
        case "are":
            return "is" if fact.value == "1" else "are"
        case "when":
            return "" if fact.is_stock else f" {slot(fact.id, 'period')}"
        case "since":
            return f" since {_of_fact(fact, 'prevp', '')}" if fact.is_stock else f" {slot(fact.id, 'period')}"
        case "atprev":
            return f"{_preposition(fact.previous_period)} {slot(fact.id, 'previous_period')}"
    raise DoesNotFit(aspect)


def _preposition(period: str) -> str:
    if period[:1].isdigit():
        return "on"
    return "at" if period.startswith("the same point") else "in"
