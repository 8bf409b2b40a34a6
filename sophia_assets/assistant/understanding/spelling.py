"""Typing errors: a word that nothing is called becomes the one that it must have been.

Belongs here: which words are known, and when a word is surely another one. Does not belong here: what words mean.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sophia_assets.assistant.understanding.dates import WEEKDAYS
from sophia_assets.assistant.understanding.vocabulary import (
    COMPANY_ENDINGS,
    DIMENSION_NOUNS,
    EVERYDAY,
    FUNCTION_WORDS,
    NUMBER_WORDS,
    ORDERS,
    OTHER_WORDS,
    PRONE_WORDS,
    UNIT_NAMES,
    UNIT_SPOKEN,
)  # fmt: skip
from sophia_assets.assistant.understanding.words import Token, folded_of, stem
from sophia_assets.insight.lexicon import MONTHS, word_set

_SHORT_TIMES = {"sept", "qtd", "mtd", "ytd", "wtd", "yoy", "qoq", "mom", "wow", *(month[:3] for month in MONTHS)}
_ROOT = 5
_ENDINGS = (
    "or",
    "ors",
    "er",
    "ers",
    "ing",
    "ed",
    "ment",
    "ments",
    "ive",
    "able",
    "ly",
    "ion",
    "ions",
    "ist",
    "al",
    "ity",
)
_SLOTS = word_set("of for at with by from in about against to the")
_SHORTEST, _LONG, _LONGER, _MOST_NEAR = 4, 6, 8, 40


@dataclass(frozen=True)
class Correction:
    """A word that was read as another one."""

    written: str
    read: str


@dataclass(frozen=True)
class Spelling:
    """The words that questions are made of.

    `names` are those of names, for which a word may be an error, too; `right` are further right ones.
    """

    catalog: frozenset[str]
    names: frozenset[str]
    right: frozenset[str] = frozenset()

    @cached_property
    def words(self) -> frozenset[str]:
        """Words that a typing error may stand for."""
        nouns = {word for nouns in DIMENSION_NOUNS.values() for noun in nouns for word in folded_of(noun)}
        plurals = {f"{word}s" for word in nouns} | {f"{word[:-1]}ies" for word in nouns if word.endswith("y")}
        times = {*MONTHS, *WEEKDAYS, *UNIT_NAMES}
        found = self.catalog | nouns | plurals | times | set(ORDERS)
        return frozenset((found - FUNCTION_WORDS) | PRONE_WORDS)

    @cached_property
    def known(self) -> frozenset[str]:
        """Words that are right as they are."""
        return frozenset(
            {
                *self.words,
                *self.names,
                *self.right,
                *_SHORT_TIMES,
                *NUMBER_WORDS,
                *UNIT_SPOKEN,
                *FUNCTION_WORDS,
                *EVERYDAY,
                *OTHER_WORDS,
                *COMPANY_ENDINGS,
                *_everyday(),
            }
        )

    @cached_property
    def _known_stems(self) -> frozenset[str]:
        return frozenset(stem(word) for word in self.known - (self.names - self.words))

    @cached_property
    def _candidates(self) -> list[str]:
        return sorted(self.words | self.names)

    def corrected(self, tokens: Sequence[Token]) -> tuple[list[Token], list[Correction]]:
        """The tokens with typing errors put right, and what was put right."""
        made, corrections = list[Token](), list[Correction]()
        for place, token in enumerate(tokens):
            right = None if self._is_right(token) else self._right(token.folded)
            # A word where a name is expected is no error for one that would mean nothing, and so be passed over.
            is_slot = place > 0 and (token.is_capital or token.is_quoted or tokens[place - 1].folded in _SLOTS)
            if right is None or (is_slot and right in FUNCTION_WORDS):
                made.append(token)
                continue
            corrections.append(Correction(token.text, right))
            made.append(replace(token, folded=right))
        return made, corrections

    def _is_right(self, token: Token) -> bool:
        word = token.folded
        return len(word) < _SHORTEST - 1 or not word.isalpha() or word in self.known or token.stem in self._known_stems

    def _right(self, word: str) -> str | None:
        """The one word that lies nearest; None where there is none, or two."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        allowed = 2 if len(word) >= _LONGER else 1
        found: dict[int, set[str]] = {}
        near = process.extract(word, self._candidates, scorer=OSA.distance, score_cutoff=allowed, limit=_MOST_NEAR)
        for candidate, distance, _ in near:
            begins_alike = candidate[0] == word[0] or sorted(candidate[:2]) == sorted(word[:2])
            if begins_alike and self._may_be(word, candidate, int(distance)):
                found.setdefault(int(distance), set()).add(candidate)
        if not found:
            return None
        nearest = found[min(found)]
        nearest = {each for each in nearest if each[0] == word[0]} or nearest
        if len({stem(each) for each in nearest}) > 1:
            nearest = _in_catalog(nearest, self.words) if len(nearest & self.words) else nearest
        return min(nearest) if len({stem(each) for each in nearest}) == 1 else None

    def _may_be(self, word: str, candidate: str, distance: int) -> bool:
        """A short word is another one only by swapped, lacking or doubled letters: `deals` is no error for `meals`."""
        if len(candidate) >= _LONG:
            return (candidate in self.names and candidate not in self.words) or not _is_other_form(word, candidate)
        return distance == 1 and (len(word) != len(candidate) or sorted(word) == sorted(candidate))


def _is_other_form(word: str, candidate: str) -> bool:
    """Whether a word is another one of the same root: `contractors` is no error for `contractions`."""
    alike = next((n for n, pair in enumerate(zip(word, candidate, strict=False)) if pair[0] != pair[1]), len(word))
    return alike >= _ROOT and (
        word[alike:] in _ENDINGS
        or any(
            word.endswith(each) for each in _ENDINGS if not candidate.endswith(each) and len(word) - len(each) <= alike
        )
    )


def _in_catalog(nearest: set[str], words: Collection[str]) -> set[str]:
    return {each for each in nearest if each in words}


def _everyday() -> Collection[str]:
    from sophia_assets.insight.everyday_words import everyday_words

    return everyday_words()
