"""What was spotted in a question, before it is decided what it asks for.

Belongs here: `Draft` and how a short question completes an earlier one. Does not belong here: spotting (`spotting`),
deciding (`finishing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.entities import Name
from sophia_assets.assistant.understanding.metric_words import Mention
from sophia_assets.assistant.understanding.times import Grain, Time
from sophia_assets.assistant.understanding.words import Token

INTENT_CUES = frozenset(
    {Cue.WHY, Cue.COMPARE, Cue.TREND, Cue.DEFINITION, Cue.FRESHNESS, Cue.HELP, Cue.OVERVIEW, Cue.COMPANY, Cue.QUOTES,
     Cue.CHANGE, Cue.BREAKDOWN, Cue.VERSUS}
)  # fmt: skip
_PRESENT = ("do we have", "are there", "have we got", "do we currently have")
_ALONE = frozenset({Cue.HELP, Cue.FRESHNESS, Cue.COMPANY})


@dataclass(frozen=True)
class NameUse:
    """A name that a question narrows by; `names` are what it may mean."""

    tokens: tuple[int, ...]
    names: tuple[Name, ...]
    is_excluded: bool = False
    is_whole: bool = True
    said: str = ""


@dataclass(frozen=True)
class Noun:
    """A dimension that a question speaks of. `is_grouping`: it wants one value for each of its entities.

    `is_head`: it asks for entities of the dimension (`which owner`, `top 5 deals`); `is_who`: by the word "who".
    """

    tokens: tuple[int, ...]
    dimension: str
    is_grouping: bool = False
    is_head: bool = False
    is_who: bool = False
    is_single: bool = False


@dataclass(frozen=True)
class Draft:
    """What a question's words were spotted as; `leftovers` are the words that nothing accounts for.

    `unjoined` tells that figures are named one after the other, and nothing says how they belong together.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    cues: frozenset[Cue] = frozenset()
    mentions: tuple[Mention, ...] = ()
    names: tuple[NameUse, ...] = ()
    nouns: tuple[Noun, ...] = ()
    times: tuple[Time, ...] = ()
    compared: tuple[Time, ...] = ()
    rhythm: Grain | None = None
    limit: int | None = None
    order: str | None = None
    units: frozenset[str] = frozenset()
    search: tuple[str, ...] = ()
    leftovers: tuple[int, ...] = ()
    unknown_dimension: str | None = None
    unjoined: bool = False
    notes: tuple[str, ...] = ()
    content: frozenset[str] = frozenset()
    anchor: Time | None = None
    inherited: frozenset[str] = field(default_factory=frozenset)

    @property
    def grouping(self) -> str | None:
        """The dimension that one value each is wanted for."""
        return next((noun.dimension for noun in self.nouns if noun.is_grouping), None)

    @property
    def head(self) -> Noun | None:
        """What is asked for by "which", "who" or "top"."""
        return next((noun for noun in self.nouns if noun.is_head), None)

    @property
    def stands_alone(self) -> bool:
        """Whether it says what it is about."""
        if self.mentions or self.cues & _ALONE:
            return True
        if Cue.QUOTES in self.cues:
            return Cue.REFERS not in self.cues
        is_ranked = (
            self.head is not None and not self.head.is_who and (self.order is not None or self.limit is not None)
        )
        return bool(is_ranked or (self.names and Cue.OVERVIEW in self.cues))

    @property
    def speaks_of_now(self) -> bool:
        """Whether it says by itself what it asks for, of the present: `how many open bugs do we have`."""
        text = f" {' '.join(token.folded for token in self.tokens)} "
        return bool(self.mentions) and any(f" {each} " in text for each in _PRESENT)

    @property
    def is_follow_up(self) -> bool:
        """Whether it wants to be completed by what was asked before."""
        if self.leftovers:
            return False
        if not self.stands_alone:
            return True
        if self.cues & _ALONE:
            return False
        is_short = Cue.FOLLOW in self.cues
        return is_short or (Cue.REFERS in self.cues and not self.names)


def completed(earlier: Draft, later: Draft) -> Draft:
    """A short question with what it leaves open taken from the one before."""
    asks = later.cues & INTENT_CUES
    keeps_intent = not asks and not later.head and later.limit is None and later.rhythm is None and not later.grouping
    cues = (later.cues | (earlier.cues & INTENT_CUES)) if keeps_intent else later.cues
    if later.mentions and Cue.QUOTES not in later.cues:
        cues -= {Cue.OVERVIEW, Cue.COMPANY, Cue.QUOTES}
    is_trend = later.rhythm is not None or Cue.TREND in later.cues
    time = later.times or (() if is_trend or later.speaks_of_now else earlier.times)
    compared = later.compared or (earlier.compared if keeps_intent and not later.times else ())
    taken = {name.names[0].dimension for name in later.names}
    names = (*(use for use in earlier.names if use.names[0].dimension not in taken), *later.names)
    return replace(
        later,
        cues=frozenset(cues - {Cue.FOLLOW}),
        mentions=later.mentions or (earlier.mentions if Cue.QUOTES not in later.cues else ()),
        names=names,
        nouns=_nouns(earlier, later, keeps_intent),
        times=time,
        compared=compared,
        rhythm=later.rhythm or (earlier.rhythm if keeps_intent else None),
        limit=later.limit if later.limit is not None else (earlier.limit if keeps_intent else None),
        order=later.order or (earlier.order if later.limit is not None or keeps_intent else None),
        units=later.units if later.mentions else earlier.units,
        search=later.search or (earlier.search if Cue.QUOTES in cues and not later.mentions else ()),
        anchor=earlier.times[0] if earlier.times else None,
        content=later.content if later.mentions else earlier.content,
        inherited=_inherited(earlier, later),
    )


def searching(later: Draft) -> Draft:
    """After a question for quotes, `and about onboarding?` asks for quotes on other words."""
    if Cue.FOLLOW not in later.cues or not later.leftovers or later.mentions:
        return later
    before = later.tokens[later.leftovers[0] - 1].folded if later.leftovers[0] else ""
    if before not in ("about", "on", "regarding", "of", "to", "and"):
        return later
    words = tuple(later.tokens[place].folded for place in later.leftovers)
    return replace(later, search=words, leftovers=(), cues=later.cues | {Cue.QUOTES})


def _nouns(earlier: Draft, later: Draft, keeps_intent: bool) -> tuple[Noun, ...]:
    own = tuple(noun for noun in later.nouns if noun.is_grouping or noun.is_head)
    listed = earlier.grouping or (earlier.head.dimension if earlier.head else None)
    if own and listed and later.head and later.head.is_who:
        return (
            *(noun for noun in later.nouns if not noun.is_head),
            replace(later.head, dimension=listed, is_who=False),
        )
    if own:
        return later.nouns
    is_ranking = later.limit is not None or later.order is not None
    return earlier.nouns if keeps_intent or is_ranking or Cue.BREAKDOWN in later.cues else later.nouns


def _inherited(earlier: Draft, later: Draft) -> frozenset[str]:
    """What the later question takes from the earlier one, by name."""
    taken: Iterable[str] = (
        part for part in ("mentions", "names", "times") if getattr(earlier, part) and not getattr(later, part)
    )
    return frozenset(taken)
