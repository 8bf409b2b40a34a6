"""Spots what the words of a question are: metrics, names, times, dimensions, cues. Every word is accounted for.

Belongs here: the order in which words are taken, and what is left over. Does not belong here: taking metrics
(`metric_taking`) and names (`name_taking`), what the question asks for (`finishing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from sophia_assets.assistant.understanding import cues as cue_words
from sophia_assets.assistant.understanding.calendar_spans import Calendar
from sophia_assets.assistant.understanding.courtesy import courtesies_in
from sophia_assets.assistant.understanding.cues import Cue, CueFound, QuoteQuestion
from sophia_assets.assistant.understanding.draft import Draft
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.metric_words import Mention
from sophia_assets.assistant.understanding.name_taking import NameTaking
from sophia_assets.assistant.understanding.spans import rhythms_in, times_in
from sophia_assets.assistant.understanding.spelling import Correction
from sophia_assets.assistant.understanding.times import Time
from sophia_assets.assistant.understanding.vocabulary import (
    CLOSING,
    DIMENSION_STEMS,
    FUNCTION_WORDS,
    NAMED_BY,
    ORDERS,
    UNIT_WORDS,
)  # fmt: skip
from sophia_assets.assistant.understanding.words import Line, Token, stem
from sophia_assets.insight.lexicon import word_set

_TWO = 2
_FIRST = frozenset({Cue.HELP, Cue.FRESHNESS, Cue.COMPANY})
_SUBJECTS = word_set(
    "customer customers client clients account accounts user users buyer buyers people they them anyone anybody "
    "someone somebody everyone who company companies prospects slack gong calls chat"
)
_WORDS_OF_TALK = word_set(
    "call calls chat chats slack gong conversation conversations meeting meetings thread threads customer "
    "customers client clients people word words single"
) - {"single"}
_WHEN = word_set("most lately recently mostly usually best least")
_FEELINGS = frozenset(map(stem, ("complain", "complaint", "praise", "dislike", "hate", "love", "criticise")))
_NEWEST = word_set("last latest newest recent")
_SOON = word_set("this morning afternoon evening today now first most right")
_SMALL_AFTER_THAN = word_set("the a an in at of on for during we did was were it had our")


class Spotter(NameTaking):
    """Takes the words of one question, in order of how sure it is of what they are."""

    def draft(self) -> Draft:
        """Everything that was spotted."""
        self._take_courtesies()
        found = cue_words.cues_in(self._left())
        self._take_cues(each for each in found if each.cue in _FIRST)
        self._take_times()
        strong, weak = self._names_found()
        self._take_names(strong)
        self._take_qualities(is_first=True)
        literal = [each for each in self._words.literal(self.tokens, self.free) if len(each.tokens) > 1]
        quotes = self._quotes(literal)
        if quotes:
            return self._quote_draft(quotes)
        self._take_mentions(each for each in literal if len(each.tokens) > 2)
        self._take_mentions(self._words.scattered(self.tokens, self._runs(), least=3))
        self._take_mentions(each for each in literal if each.is_certain)
        self._take_rhythms()
        self._take_cues(each for each in found if each.cue not in _FIRST)
        self._take_closing()
        self._take_nouns()
        self._take_weak(weak, are_sure=True)
        self._take_mentions(each for each in literal if not each.is_certain)
        self._take_mentions(self._words.scattered(self.tokens, self._runs()))
        self._take_mentions(self._words.literal(self.tokens, self.free))
        self._take_qualities(is_first=False)
        self._take_numbers()
        self._take_singles()
        self._take_elided()
        self._take_weak(weak, are_sure=False)
        self._prefer_names(weak)
        self._reduce()
        self._redirect()
        self._find_head()
        self._take_small_words()
        self._take_partial()
        return self._made()

    def _take_courtesies(self) -> None:
        for tokens in courtesies_in(Line(self.tokens)):
            if set(tokens) < set(range(len(self.tokens))):
                self._take(tokens, "small")

    def _left(self) -> Line:
        """The words that no courtesy has taken."""
        return Line(self.tokens, without={place for place, by in self.used.items() if by == "small"})

    def _take_cues(self, found: Iterable[CueFound]) -> None:
        for each in found:
            tokens = [token for token in each.tokens if token not in self.used or self.used[token] == "cue"]
            if len(tokens) == len(each.tokens):
                self.cues.add(each.cue)
                self._take(tokens, "cue")

    def _take_closing(self) -> None:
        """Words that end what a cue began."""
        if Cue.BREAKDOWN in self.cues:
            self._take([place for place in self.free if self.tokens[place].folded in ("down", "up", "out")], "cue")
        if Cue.COMPANY in self.cues and not self.times:
            self._take([place for place in self.free if self.tokens[place].folded in _SOON], "cue")
        for cue, name in ((Cue.DEFINITION, "definition"), (Cue.OVERVIEW, "overview"), (Cue.FRESHNESS, "freshness")):
            if cue in self.cues:
                self._take([place for place in self.free if self.tokens[place].folded in CLOSING[name]], "cue")

    def _take_times(self) -> None:
        is_compared = any(token.stem == "compar" for token in self.tokens)
        line = Line(self.tokens, signs="-", without={place for place, by in self.used.items() if by == "small"})
        for time in times_in(line, self.ground.calendar, are_apart=is_compared):
            if set(time.tokens) <= self.free:
                self._take(time.tokens, "time")
                self.times.append(time)

    def _take_rhythms(self) -> None:
        for rhythm in rhythms_in(Line(self.tokens, without=set(self.used))):
            if set(rhythm.tokens) <= self.free:
                self._take(rhythm.tokens, "rhythm")
                self.rhythm = rhythm.grain

    def _quotes(self, literal: Sequence[Mention]) -> QuoteQuestion | None:
        if any(token.folded in ("many", "often", "number") for token in self.tokens):
            return None
        taken = {place for place, by in self.used.items() if by == "small"}
        line = Line(self.tokens, without=taken | {place for time in self.times for place in time.tokens})
        for found in cue_words.quotes_in(line):
            nouns = [DIMENSION_STEMS.get((self.tokens[place].stem,)) for place in found.subject]
            if any(each in NAMED_BY for each in nouns):
                continue
            speaks = not found.subject or any(
                self.tokens[place].folded in _SUBJECTS or self.used.get(place) == "name" for place in found.subject
            )
            if speaks and not any(set(mention.tokens) & set(found.cue) for mention in literal):
                return found
        return None

    def _quote_draft(self, found: QuoteQuestion) -> Draft:
        """The draft of a question for what was said: the words that it is about are searched for."""
        self.cues.add(Cue.QUOTES)
        words = []
        accounts = {place for use in self.names if use.names[0].dimension == "account" for place in use.tokens}
        others = {place for use in self.names for place in use.tokens} - accounts
        for place in found.about:
            token = self.tokens[place]
            is_free = (place in self.free or place in others) and token.is_word
            if (
                is_free
                and token.folded not in FUNCTION_WORDS
                and token.folded not in _WHEN | _NEWEST
                and token.folded not in _WORDS_OF_TALK
            ):
                words.append(token.folded)
        self.names = [use for use in self.names if use.names[0].dimension == "account"]
        self.search = tuple(dict.fromkeys(words))
        if any(self.tokens[place].stem in _FEELINGS for place in (*found.cue, *found.subject)):
            self.notes.append("Quotes are found by whom they are of and by their words, not by how they are meant.")
        if any(self.tokens[place].folded in ("they", "them") for place in (*found.subject, *found.cue)):
            self.cues.add(Cue.REFERS)
        self._take((*found.cue, *found.about, *found.subject), "quotes")
        self._take_cues(each for each in cue_words.cues_in(Line(self.tokens)) if each.cue is Cue.FOLLOW)
        self._take_small_words()
        for place in sorted(self.free):
            if self.tokens[place].folded in _WORDS_OF_TALK | _NEWEST:
                self._take([place], "small")
        return self._made()

    def _made(self) -> Draft:
        return Draft(
            text=self.text,
            tokens=tuple(self.tokens),
            cues=frozenset(self.cues),
            mentions=tuple(sorted(self.mentions, key=lambda mention: mention.tokens)),
            names=tuple(self.names),
            nouns=tuple(self.nouns),
            times=tuple(self.times),
            rhythm=self.rhythm,
            limit=self.limit,
            order=self.order,
            units=frozenset(self.units),
            search=self.search,
            leftovers=tuple(sorted(self.free | self._open_comparisons())),
            unknown_dimension=self._unknown_dimension(),
            unjoined=self._is_unjoined(),
            content=frozenset(
                self.tokens[place].stem
                for place, by in self.used.items()
                if by in ("metric", "supporting") or (by == "noun" and self.tokens[place].folded not in ORDERS)
            ),
            notes=tuple(self.notes),
        )

    def _open_comparisons(self) -> set[int]:
        """`than` without a time, a name or a figure after it: `longer than an hour`."""
        found = set()
        for place, token in enumerate(self.tokens):
            if token.folded == "than" and self.used.get(place) in ("cue", "small"):
                after = place + 1
                while after < len(self.tokens) and self.tokens[after].folded in _SMALL_AFTER_THAN:
                    after += 1
                if self.used.get(after) not in ("time", "name", "metric", "rhythm", "supporting"):
                    found.add(place)
        return found

    def _unknown_dimension(self) -> str | None:
        place = self.unknown_dimension
        if place is None or self.used.get(place, "supporting") != "supporting":
            place = self._reduced_after_by()
        return None if place is None else self.tokens[place].text

    def _reduced_after_by(self) -> int | None:
        """A word after "by" that was taken for a part of a metric and is none: `cycle time by engineer`."""
        inside = {place for mention in self.mentions for place in mention.tokens}
        for place in range(1, len(self.tokens)):
            is_after = self.tokens[place - 1].folded in ("by", "per") and self.used.get(place - 1) == "small"
            is_taken = self.used.get(place) in ("metric", "supporting") and place not in inside
            root = self.tokens[place].stem
            if is_after and is_taken and root not in UNIT_WORDS and (root,) not in self._words.exact:
                return place
        return None


def spotted(text: str, tokens: Sequence[Token], corrections: Sequence[Correction], ground: Ground) -> Draft:
    """What the words of a question are."""
    draft = Spotter(text, tokens, corrections, ground).draft()
    main, compared = _sorted_times(_with_joined_times(draft, ground.calendar))
    return replace(draft, times=main, compared=compared)


def _with_joined_times(draft: Draft, calendar: Calendar) -> Draft:
    """`In August and September` is one span, where nothing is compared."""
    if len(draft.times) != _TWO or draft.cues & {Cue.COMPARE, Cue.VERSUS, Cue.WHY}:
        return draft
    one, other = (time.span for time in draft.times)
    between = {token.folded for token in draft.tokens[draft.times[0].tokens[-1] + 1 : draft.times[1].tokens[0]]}
    if one is None or other is None or "and" not in between or one.end + timedelta(days=1) != other.start:
        return draft
    tokens = (*draft.times[0].tokens, *draft.times[1].tokens)
    return replace(draft, times=(Time(tokens, calendar.between(one.start, other.end)),))


def _sorted_times(draft: Draft) -> tuple[tuple[Time, ...], tuple[Time, ...]]:
    """Which times are measured, and which are what is measured is held against."""
    connectors = {"vs", "versus", "than", "against", "to", "with", "from", "over", "on"}
    is_compare = bool(draft.cues & {Cue.COMPARE, Cue.VERSUS, Cue.CHANGE})
    main, compared = list[Time](), list[Time]()
    for time in draft.times:
        if time.is_now and time.span is None:
            continue
        first = min(time.tokens)
        place = first - 1
        while place > 0 and draft.tokens[place].folded in ("the", "in", "for", "at", "of", "during", "that", "on"):
            place -= 1
        before = {draft.tokens[place].folded} if place >= 0 else set()
        own = draft.tokens[first].folded
        is_held = time.is_compared or (is_compare and bool(before & connectors or own in connectors - {"on", "over"}))
        is_held = is_held or bool(before & {"vs", "versus", "than"})
        is_held = is_held or (bool(main) and (is_compare or "and" in before or "or" in before))
        (compared if is_held else main).append(time)
    return tuple(main), tuple(compared)
