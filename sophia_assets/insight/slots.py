"""Slots: the only way a value, a name, a period or a direction gets into a briefing.

Filling is one pass over the draft, so that a name holding `{{fact:...}}` is shown, never filled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from sophia_assets.errors import SophiaError
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.stories import Story
from sophia_assets.metrics.facts import Fact, FactSet, Period

SLOT = re.compile(r"\{\{\s*(?P<kind>fact|story):(?P<id>[^|{}\s]+)\s*(?:\|\s*(?P<aspect>[a-z_]+)\s*)?\}\}")

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class SlotError(SophiaError):
    """A slot is malformed, names an unknown fact or story, or asks for an aspect that it lacks."""


@dataclass(frozen=True)
class Fill:
    """One filled slot: `start` and `end` bound `text` in the filled sentence."""

    start: int
    end: int
    kind: str
    id: str
    aspect: str
    text: str


@dataclass(frozen=True)
class Filled:
    """A sentence with its slots filled, and where each value came from."""

    text: str
    fills: tuple[Fill, ...]

    @property
    def fact_ids(self) -> tuple[str, ...]:
        """The facts the sentence shows, in order of appearance, each once."""
        return tuple(dict.fromkeys(fill.id for fill in self.fills if fill.kind == "fact"))


def day_phrase(day: date) -> str:
    """`20 March 2026`."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def due_phrase(day: date) -> str:
    """`Friday 27 March`: a day so near that it needs no year."""
    return f"{day:%A} {day.day} {_MONTHS[day.month - 1]}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def rank_phrase(rank: int) -> str:
    """`largest`, `2nd-largest`, `3rd-largest`, to stand before a noun."""
    return "largest" if rank == 1 else f"{ordinal(rank)}-largest"


def period_phrase(period: Period) -> str:
    """A fact's own period, as an adverbial: `so far this quarter`, `in the last 30 days`, `on 20 March 2026`."""
    grain, _, rest = period.key.partition(".")
    if grain == "qtd":
        return "so far this quarter"
    if grain.startswith("last_") and grain.endswith("d"):
        return f"in the last {grain[5:-1]} days"
    if grain == "week":
        return f"in the week of {day_phrase(period.start)}"
    if grain == "month":
        return f"in {_MONTHS[period.start.month - 1]} {period.start.year}"
    if grain == "quarter":
        year, _, quarter = rest.partition("-")
        return f"in {quarter.upper()} {year.upper()}"
    if period.start == period.end:
        return f"on {day_phrase(period.end)}"
    return f"from {day_phrase(period.start)} to {day_phrase(period.end)}"


def previous_period_phrase(current: Period, previous: Period) -> str:
    """What a fact is compared to, as a noun: `the same point last quarter`, `the 30 days before`, `18 February`.

    The year is left out where it is that of the current period.
    """
    if current.key == "qtd":
        return "the same point last quarter"
    if current.key.startswith("last_") and current.key.endswith("d"):
        return f"the {current.key[5:-1]} days before"
    if current.key == "as_of":
        return day_phrase(previous.end).removesuffix(f" {current.end.year}")
    return period_phrase(previous).removeprefix("in ").removeprefix("on ").removeprefix("from ")


def target_side(fact: Fact) -> str | None:
    """`above` or `below`, where a fact has a target that it differs from as far as one can see."""
    if fact.target is None or fact.target_display in (None, fact.display):
        return None
    return "above" if fact.value > fact.target else "below"


def _direction(words: dict[str, str]) -> Callable[[Fact], str | None]:
    return lambda fact: words.get(fact.direction or "")


_FACT_ASPECTS: dict[str, Callable[[Fact], str | None]] = {
    "value": lambda fact: fact.display,
    "previous": lambda fact: fact.previous_display,
    "delta": lambda fact: fact.delta_display,
    "change": lambda fact: fact.change_display,
    "share": lambda fact: fact.share_display,
    "target": lambda fact: fact.target_display,
    "run_rate": lambda fact: fact.run_rate_display,
    "rank": lambda fact: None if fact.rank is None else rank_phrase(fact.rank),
    "subject": lambda fact: None if fact.subject is None else safe_name(fact.subject),
    "period": lambda fact: period_phrase(fact.period),
    "previous_period": lambda fact: (
        None if fact.previous_period is None else previous_period_phrase(fact.period, fact.previous_period)
    ),
    "direction": _direction({"up": "up", "down": "down", "flat": "unchanged"}),
    "moved": _direction({"up": "rose", "down": "fell"}),
    "compared": _direction({"up": "higher", "down": "lower"}),
    "trend": lambda fact: fact.trend_display,
    "target_side": lambda fact: target_side(fact),
}
#: Aspects that are words and may begin a sentence.
_WORDS = frozenset({"period", "previous_period", "rank", "trend"})

_STORY_ASPECTS: dict[str, Callable[[Story], str | None]] = {
    "subject": lambda story: safe_name(story.subject_name),
    "likelihood": lambda story: story.likelihood,
    "owner": lambda story: safe_name(story.action.owner),
    "due": lambda story: due_phrase(story.action.due),
}

FACT_ASPECTS = tuple(_FACT_ASPECTS)
STORY_ASPECTS = tuple(_STORY_ASPECTS)


def slot_text(facts: FactSet, stories: Iterable[Story], kind: str, slot_id: str, aspect: str) -> str:
    """What one slot shows. Raises SlotError for an unknown id, or an aspect that it does not have."""
    text: str | None = None
    if kind == "fact":
        fact = facts.get(slot_id)
        if fact is None:
            raise SlotError(f"no fact has the id {slot_id}", remedy="Use an id of the given facts.")
        text = _FACT_ASPECTS[aspect](fact) if aspect in _FACT_ASPECTS else None
    else:
        story = next((story for story in stories if story.id == slot_id), None)
        if story is None:
            raise SlotError(f"no story has the id {slot_id}", remedy="Use an id of the given stories.")
        text = _STORY_ASPECTS[aspect](story) if aspect in _STORY_ASPECTS else None
    if not text:
        raise SlotError(f"{kind} {slot_id} has no {aspect}", remedy="Leave the slot out or use another aspect.")
    return text


def fill(text: str, facts: FactSet, stories: Iterable[Story] = ()) -> Filled:
    """Fills every slot of `text` from facts and stories, in one pass. Raises SlotError."""
    if re.search(r"[{}]", SLOT.sub("", text)):
        raise SlotError("a slot is malformed", remedy="Write {{fact:ID}} or {{fact:ID|aspect}}.")
    stories = tuple(stories)
    parts: list[str] = []
    fills: list[Fill] = []
    position, length = 0, 0
    for match in SLOT.finditer(text):
        literal = text[position : match.start()]
        kind, slot_id = match["kind"], match["id"]
        aspect = match["aspect"] or ("value" if kind == "fact" else "subject")
        value = slot_text(facts, stories, kind, slot_id, aspect)
        length += len(literal)
        if aspect in _WORDS and not length:
            value = value[:1].upper() + value[1:]
        fills.append(Fill(length, length + len(value), kind, slot_id, aspect, value))
        length += len(value)
        parts += [literal, value]
        position = match.end()
    return Filled("".join([*parts, text[position:]]), tuple(fills))
