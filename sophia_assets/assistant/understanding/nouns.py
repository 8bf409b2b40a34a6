"""Dimensions in a question: what its values are wanted by, and of what the first or last are wanted.

Belongs here: finding them, and the words of order beside them. Does not belong here: names of entities (`entities`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sophia_assets.assistant.understanding.draft import Noun
from sophia_assets.assistant.understanding.vocabulary import DIMENSION_STEMS, FUNCTION_WORDS, NUMBER_WORDS, ORDERS
from sophia_assets.assistant.understanding.words import Token
from sophia_assets.insight.lexicon import word_set

_BY = word_set("by per across among between")
_EACH = word_set("each every")
_BETWEEN = word_set("the our all different individual each every single of its")
_ASKING = word_set("which what whose list")
_RANKS = word_set("top best bottom worst")
_PERSONS = ("owner", "account")
_COMPARATIVES = ("better", "worse")
_SAID_AS_SUPERLATIVE = {"less": "smallest", "more": "largest"}
_LONGEST_NOUN = 4


@dataclass
class Nouns:
    """The dimensions that were spotted, the tokens that spell them, and the order that is wanted.

    `unknown` is the place of a word after "by" or "per" that no dimension, metric or name accounts for.
    """

    nouns: list[Noun] = field(default_factory=list)
    tokens: set[int] = field(default_factory=set)
    order: str | None = None
    unknown: int | None = None


def nouns_in(tokens: Sequence[Token], used: Mapping[int, str], *, is_spread: bool = False) -> Nouns:
    """The dimensions that a question speaks of as such; `used` are the tokens taken already."""
    found = Nouns()
    for place, token in enumerate(tokens):
        if place in found.tokens or used.get(place) in ("time", "name", "rhythm"):
            continue
        word = token.folded
        if word in _BY or word in _EACH or (is_spread and word in ("over", "into")):
            _grouping(tokens, used, place, found)
        elif word in _COMPARATIVES and used.get(place) == "cue":
            continue
        elif (word in ORDERS or _is_superlative(tokens, place)) and used.get(place) != "metric":
            _order(tokens, used, place, found)
        elif word in _ASKING:
            _asked(tokens, used, place, found)
        elif word in ("who", "whom"):
            found.nouns.append(Noun((place,), "owner", is_head=True, is_who=True))
            found.tokens.add(place)
    return found


def noun_at(tokens: Sequence[Token], place: int) -> tuple[tuple[int, ...], str] | None:
    """The longest dimension's noun that begins at a token."""
    for length in range(min(_LONGEST_NOUN, len(tokens) - place), 0, -1):
        span = tuple(range(place, place + length))
        dimension = DIMENSION_STEMS.get(tuple(tokens[each].stem for each in span))
        if dimension:
            return span, dimension
    return None


def _skipped(tokens: Sequence[Token], place: int, words: frozenset[str]) -> int:
    while place < len(tokens) and tokens[place].folded in words:
        place += 1
    return place


def _grouping(tokens: Sequence[Token], used: Mapping[int, str], place: int, found: Nouns) -> None:
    start = _skipped(tokens, place + 1, _BETWEEN)
    if start >= len(tokens) or used.get(start) in ("time", "name"):
        return
    noun = noun_at(tokens, start)
    if noun is None:
        if tokens[place].folded in ("by", "per") and start not in used and tokens[start].is_word:
            found.unknown = start
        return
    if any(used.get(each) == "metric" for each in noun[0]) and used.get(place) != "metric":
        return
    found.nouns.append(Noun(noun[0], noun[1], is_grouping=True))
    found.tokens.update((place, *range(place + 1, start), *noun[0]))
    _more_groupings(tokens, noun[0][-1] + 1, found)


def _more_groupings(tokens: Sequence[Token], place: int, found: Nouns) -> None:
    """`by owner and industry`: the further dimensions."""
    if place + 1 < len(tokens) and tokens[place].folded in ("and", ","):
        start = _skipped(tokens, place + 1, _BETWEEN | {"by"})
        noun = noun_at(tokens, start) if start < len(tokens) else None
        if noun and len(noun[0]) == 1 and not tokens[start].is_possessive:
            found.nouns.append(Noun(noun[0], noun[1], is_grouping=True))
            found.tokens.update((place, *range(place + 1, start), *noun[0]))


def _order(tokens: Sequence[Token], used: Mapping[int, str], place: int, found: Nouns) -> None:
    found.order = found.order or ORDERS.get(tokens[place].folded) or _SAID_AS_SUPERLATIVE[tokens[place].folded]
    found.tokens.add(place)
    _head_after(tokens, used, place + 1, found)


def _is_superlative(tokens: Sequence[Token], place: int) -> bool:
    """`The less used` and `used the less` are said for the least used, but not `less than`."""
    if tokens[place].folded not in _SAID_AS_SUPERLATIVE or not place or tokens[place - 1].folded != "the":
        return False
    return all(token.folded != "than" for token in tokens[place + 1 :])


def _asked(tokens: Sequence[Token], used: Mapping[int, str], place: int, found: Nouns) -> None:
    if used.get(place) in ("metric", "name"):
        return
    after = tokens[place + 1].folded if place + 1 < len(tokens) else ""
    if tokens[place].folded == "what" and after in ("is", "are", "was", "were", "do", "does", "did"):
        return
    _head_after(tokens, used, place + 1, found)


def _head_after(tokens: Sequence[Token], used: Mapping[int, str], start: int, found: Nouns) -> None:
    """The dimension whose entities are asked for, after words of number, order and kind."""
    skipped = 0
    while start < len(tokens):
        word = tokens[start].folded
        noun = noun_at(tokens, start)
        if noun and used.get(start) not in ("name", "time") and not tokens[start].is_possessive:
            if any(each.is_head and (not each.is_who or noun[1] not in _PERSONS) for each in found.nouns):
                return
            found.nouns = [each for each in found.nouns if not each.is_who]
            last = tokens[noun[0][-1]].folded
            found.nouns.append(Noun(noun[0], noun[1], is_head=True, is_single=not last.endswith("s")))
            found.tokens.update(place for place in noun[0] if place not in used)
            return
        if word in ORDERS and used.get(start) != "metric":
            found.order = found.order or ORDERS[word]
            found.tokens.add(start)
        elif not (
            word.isdigit()
            or word in NUMBER_WORDS
            or word
            in ("of", "our", "the", "are", "is", "open", "most", "paying", "active", "new", "won", "lost", "sales")
            or used.get(start) == "name"
            or not tokens[start].is_word
        ):
            skipped += 1
            if skipped > 1 or word in FUNCTION_WORDS or found.order is None:
                return
        start += 1
