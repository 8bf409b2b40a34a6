"""Takes the words of a question that mean names of entities, and dimensions.

Belongs here: when a word is a name, and what a question asks for by "which" and "top". Does not belong here: the names
(`entities`), the nouns of dimensions (`nouns`).
"""

from __future__ import annotations

from collections.abc import Iterable

from sophia_assets.assistant.understanding.cues import Cue
from sophia_assets.assistant.understanding.draft import NameUse, Noun
from sophia_assets.assistant.understanding.entities import Found, Name
from sophia_assets.assistant.understanding.metric_taking import MetricTaking
from sophia_assets.assistant.understanding.nouns import noun_at, nouns_in
from sophia_assets.assistant.understanding.vocabulary import (
    DIMENSION_STEMS,
    FUNCTION_WORDS,
    NUMBER_WORDS,
    SIBLINGS,
    SOONEST,
)  # fmt: skip
from sophia_assets.assistant.understanding.words import Token
from sophia_assets.insight.lexicon import word_set

_MOST_LISTED = 100

_OWNING = word_set("my our your his her their the this that each every which a")
_BEFORE_NAMES = word_set("of for in on about with regarding")


class NameTaking(MetricTaking):
    """Takes words for names and dimensions."""

    def _names_found(self) -> tuple[list[Found], list[Found]]:
        """Names that stand for themselves, and common words that may be names."""
        found = self.ground.names.search(self.tokens, self.free)
        vocabulary = self._words.with_stem
        strong = [
            each
            for each in found
            if any(name.is_strong for name in each.names)
            and (
                each.is_whole
                or len(each.tokens) > 1
                or self.tokens[each.tokens[0]].stem not in vocabulary
                or self.tokens[each.tokens[0]].is_capital
            )
        ]
        return strong, [each for each in found if each not in strong]

    def _take_names(self, found: Iterable[Found]) -> None:
        for each in found:
            if not set(each.tokens) <= self.free:
                continue
            names = tuple(name for name in each.names if name.is_strong) or each.names
            self._noun_beside(each)
            self._use_name(each, names)

    def _use_name(self, found: Found, names: tuple[Name, ...]) -> None:
        self._take(found.tokens, "name")
        said = " ".join(self.tokens[place].text for place in found.tokens)
        self.names.append(NameUse(found.tokens, names, self._is_excluded(found.tokens[0]), found.is_whole, said))

    def _is_excluded(self, place: int) -> bool:
        """Whether the words before a name leave it out; what is left out goes on over `and`, `or` and commas."""
        before = [token.folded for token in self.tokens[max(0, place - 3) : place]]
        if before and before[-1] in ("and", "or", ",", "nor") and self.names and self.names[-1].is_excluded:
            return True
        text = " ".join(before)
        if text.endswith(("everyone but", "everybody but", "all but", "everything but")):
            self._take([place - 1], "cue")
            return True
        return any(
            text.endswith(each)
            for each in ("except", "except for", "excluding", "without", "other than", "apart from", "but not", "minus",
                         "not in", "not from", "not for", "not by", "not of", "not at", "not with", "not", "ignoring",
                         "outside", "outside of", "except the", "excluding the", "without the")
        )  # fmt: skip

    def _take_weak(self, found: Iterable[Found], *, are_sure: bool) -> None:
        """Common words that are names: beside their dimension's noun surely, else where a metric has them."""
        for each in found:
            if not set(each.tokens) <= self.free:
                continue
            beside = self._noun_beside(each)
            names = tuple(name for name in each.names if name.dimension == beside) if beside else ()
            if names:
                self._use_name(each, names)
            elif not are_sure:
                fitting = tuple(name for name in each.names if self._fits(name))
                if fitting and not self._is_small(each) and not self._is_a_noun(each):
                    self._use_name(each, fitting)

    def _noun_beside(self, found: Found) -> str | None:
        """The dimension whose noun stands right before or after a name: `Platform team`, `stage Proposal`."""
        for place, step in ((found.tokens[-1] + 1, 1), (found.tokens[0] - 1, -1)):
            for length in (2, 1):
                span = range(place, place + length * step, step)
                if not all(0 <= each < len(self.tokens) for each in span):
                    continue
                form = tuple(self.tokens[each].stem for each in sorted(span))
                dimension = DIMENSION_STEMS.get(form)
                if dimension and any(name.dimension == dimension for name in found.names):
                    self._take([each for each in span if each not in self.used], "noun")
                    self.nouns = [noun for noun in self.nouns if not set(noun.tokens) & set(span) or noun.is_grouping]
                    return dimension
        return None

    def _prefer_names(self, weak: Iterable[Found]) -> None:
        """`Usage of forecasting`: a word that is a name beside a metric which has such names is no metric itself."""
        for each in weak:
            inside = [mention for mention in self.mentions if mention.tokens == each.tokens]
            others = [mention for mention in self.mentions if mention not in inside]
            before = self.tokens[each.tokens[0] - 1].folded if each.tokens[0] else ""
            if not (inside and others and each.is_whole and before in _BEFORE_NAMES):
                continue
            self.mentions = others
            names = tuple(name for name in each.names if self._fits(name))
            if names:
                self._use_name(each, names)
            else:
                self.mentions = sorted([*others, *inside], key=lambda mention: mention.tokens)

    def _fits(self, name: Name) -> bool:
        metrics = [self.ground.known.metrics[each] for mention in self.mentions for each in mention.candidates]
        if not metrics:
            return not self.cues & {Cue.OVERVIEW, Cue.COMPANY, Cue.HELP}
        siblings = [SIBLINGS.get((metric.name, name.dimension)) for metric in metrics]
        metrics += [self.ground.known.metrics[each] for each in siblings if each in self.ground.known.metrics]
        return any(name.dimension in metric.dimensions and metric.table in name.tables for metric in metrics)

    def _is_a_noun(self, found: Found) -> bool:
        """Whether a name is also what a dimension is called, and is said as such: `my team` is no plan of that name."""
        first = found.tokens[0]
        before = self.tokens[first - 1].folded if first else ""
        is_noun = tuple(self.tokens[place].stem for place in found.tokens) in DIMENSION_STEMS
        return is_noun and before in _OWNING and not self.tokens[first].is_capital

    def _is_small(self, found: Found) -> bool:
        return all(self.tokens[place].folded in FUNCTION_WORDS for place in found.tokens)

    def _take_nouns(self) -> None:
        spotted = nouns_in(self.tokens, self.used, is_spread=Cue.BREAKDOWN in self.cues)
        self.nouns, self.order = list(spotted.nouns), spotted.order
        self.nouns = [noun for noun in self.nouns if not noun.is_grouping or self._may_group(noun)]
        self.unknown_dimension = spotted.unknown
        self._take(spotted.tokens, "noun")
        if any(self.tokens[place].folded in SOONEST for place in spotted.tokens):
            self.units.add("days")

    def _may_group(self, noun: Noun) -> bool:
        """Whether a noun in a metric's own name asks for a breakdown as well: `conversations by topic` does."""
        inside = [mention for mention in self.mentions if set(noun.tokens) & set(mention.tokens)]
        metrics = [self.ground.known.metrics[each] for mention in inside for each in mention.candidates]
        return all(noun.dimension in metric.dimensions for metric in metrics)

    def _find_head(self) -> None:
        """`Accounts with the worst health score`: what is ranked stands before the word of order."""
        if any(noun.is_head or noun.is_grouping for noun in self.nouns) or (self.order is None and self.limit is None):
            return
        for place in range(len(self.tokens)):
            noun = noun_at(self.tokens, place)
            if noun is None or self.used.get(place) in ("name", "time", "cue"):
                continue
            inside = [mention for mention in self.mentions if set(noun[0]) & set(mention.tokens)]
            others = [mention for mention in self.mentions if mention not in inside]
            has = any(
                noun[1] in self.ground.known.metrics[each].dimensions for m in others or inside for each in m.candidates
            )
            if not has or any(len(mention.tokens) > len(noun[0]) for mention in inside):
                continue
            if inside and others:
                self.mentions = others
            is_single = not self.tokens[noun[0][-1]].folded.endswith("s")
            self.nouns.append(Noun(noun[0], noun[1], is_head=True, is_single=is_single))
            self._take(noun[0], "noun")
            return

    def _take_numbers(self) -> None:
        """A lone number beside a word of order is how many are wanted."""
        numbers = [
            (place, value)
            for place in sorted(self.free)
            if (value := _number(self.tokens[place])) is not None and 1 <= value <= _MOST_LISTED
        ]
        follows = numbers and noun_at(self.tokens, numbers[0][0] + 1) is not None
        is_asked = bool(self.cues & {Cue.HOW_MANY, Cue.HOW_MUCH, Cue.WHY, Cue.VERSUS})
        wants = (
            (follows and not is_asked and bool(self.mentions))
            or self.order is not None
            or Cue.FOLLOW in self.cues
            or (self.nouns and Cue.LISTED in self.cues)
        )
        if len(numbers) == 1 and wants:
            self.limit = numbers[0][1]
            self._take([numbers[0][0]], "limit")


def _number(token: Token) -> int | None:
    if token.folded.isdecimal():
        return int(token.folded)
    return NUMBER_WORDS.get(token.folded)
