"""Names of the data's own entities, as questions say them: whole, in part, with typing errors.

Belongs here: the index of names and the search in it. Does not belong here: reading the names from the warehouse
(`ground`), or what a question wants of an entity (`understanding`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sophia_assets.assistant.understanding.vocabulary import COMPANY_ENDINGS, EVERYDAY
from sophia_assets.assistant.understanding.words import Token, fold, folded_of
from sophia_assets.insight.lexicon import word_set

STRONG = ("account", "owner", "deal", "competitor", "country", "industry")
"""Dimensions whose names stand for themselves; others are common words, read as names where the metric has them."""
_IN_PARTS = ("account", "owner")
_OF_INDUSTRIES = word_set("industry sector vertical companies customers accounts clients businesses deals")
_SHORTEST_PART = 4
_SHORTEST_BEGINNING = 5
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True)
class Name:
    """An entity of a dimension: its ids (several where a name is shared), and the tables that know it."""

    dimension: str
    ids: tuple[str, ...]
    name: str
    tables: frozenset[str] = frozenset()

    @property
    def is_strong(self) -> bool:
        """Whether the name stands for itself."""
        return self.dimension in STRONG


@dataclass(frozen=True)
class Found:
    """Names that the words of `tokens` may mean. `is_whole` tells that the words are one's whole name."""

    tokens: tuple[int, ...]
    names: tuple[Name, ...]
    is_whole: bool = True


@dataclass
class NameIndex:
    """All names, found by their words."""

    names: tuple[Name, ...]
    _whole: dict[tuple[str, ...], list[Name]] = field(default_factory=lambda: defaultdict(list))
    _parts: dict[tuple[str, ...], list[Name]] = field(default_factory=lambda: defaultdict(list))
    _lengths: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _industries: list[tuple[str, Name]] = field(default_factory=list)
    words: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[Name]) -> NameIndex:
        """The index of names."""
        index = cls(tuple(names))
        rare = _rare_words(index.names)
        words: set[str] = set()
        for name in index.names:
            spoken = tuple(word for word in folded_of(name.name.replace("_", " ")) if word)
            if not spoken:
                continue
            if name.dimension == "industry":
                index._industries += [(word, name) for word in spoken]
            spelled = folded_of(name.name.lower().translate(_UMLAUTS))
            if spelled != spoken and name.is_strong:
                for form in _whole_forms(spelled, name):
                    index._add(index._whole, form, name)
                for form in _part_forms(spelled, name, rare | set(spelled)):
                    index._add(index._parts, form, name)
            for form in _whole_forms(spoken, name):
                index._add(index._whole, form, name)
            for form in _part_forms(spoken, name, rare):
                index._add(index._parts, form, name)
            if name.dimension in STRONG and name.dimension != "deal":
                words.update(
                    word for word in (*spoken, *spelled) if len(word) >= _SHORTEST_PART and word not in COMPANY_ENDINGS
                )
        index.words = frozenset(words)
        return index

    def _add(self, forms: dict[tuple[str, ...], list[Name]], form: tuple[str, ...], name: Name) -> None:
        if form and name not in forms[form]:
            forms[form].append(name)
            self._lengths[form[0]].add(len(form))

    def search(self, tokens: Sequence[Token], free: Collection[int]) -> list[Found]:
        """The longest names among the free tokens, in order; signs between the words do not matter."""
        places = [index for index, token in enumerate(tokens) if token.is_word]
        found, position = list[Found](), 0
        while position < len(places):
            best = self._longest(tokens, places, position, free)
            if best:
                found.append(best)
                position += len(best.tokens)
            else:
                position += 1
        return found

    def _longest(
        self, tokens: Sequence[Token], places: Sequence[int], position: int, free: Collection[int]
    ) -> Found | None:
        first = tokens[places[position]]
        keys = {first.folded, *_variants(first.folded)}
        lengths = sorted({length for key in keys for length in self._lengths.get(key, ())}, reverse=True)
        for length in lengths:
            covered = tuple(places[position : position + length])
            if len(covered) < length or not set(covered) <= set(free):
                continue
            words = tuple(tokens[place].folded for place in covered)
            for form in _inflected(words):
                whole, parts = self._whole.get(form, []), self._parts.get(form, [])
                in_industry = [name for name in parts if name.dimension == "industry"]
                if (
                    whole
                    or (parts and _speaks_of_name(tokens, covered))
                    or (in_industry and (length > 1 or _speaks_of_industry(tokens, covered)))
                ):
                    strong = [name for name in whole if name.is_strong]
                    names = whole if strong else [*whole, *(name for name in parts if name not in whole)]
                    return Found(covered, tuple(names), is_whole=bool(whole))
        return self._shortened(tokens, places[position], free)

    def _shortened(self, tokens: Sequence[Token], place: int, free: Collection[int]) -> Found | None:
        """A word that one industry alone begins with: `telecom`."""
        token = tokens[place]
        if place not in free or len(token.folded) < _SHORTEST_BEGINNING:
            return None
        if token.folded in EVERYDAY and not _speaks_of_industry(tokens, (place,)):
            return None
        names = {name for word, name in self._industries if word.startswith(token.folded)}
        return Found((place,), tuple(names), is_whole=False) if len(names) == 1 else None

    def nearest(self, words: str, limit: int = 3, among: Collection[Name] | None = None) -> list[Name]:
        """Names that read like `words`, the likest first."""
        from rapidfuzz import fuzz, process

        names = [name for name in (among if among is not None else self.names) if name.dimension in STRONG[:2]]
        wanted = fold(words)
        found = process.extract(
            wanted, [fold(name.name) for name in names], scorer=fuzz.WRatio, limit=limit, score_cutoff=72
        )
        return [names[place] for _, _, place in found]


def _speaks_of_name(tokens: Sequence[Token], covered: Sequence[int]) -> bool:
    """Whether part of a name is meant as one: an everyday word only where it is written like a name."""
    if any(tokens[place].folded not in EVERYDAY for place in covered):
        return True
    return all(tokens[place].is_quoted or (tokens[place].is_capital and place > 0) for place in covered)


def _speaks_of_industry(tokens: Sequence[Token], covered: Sequence[int]) -> bool:
    """Whether a common word stands where an industry is expected: `pipeline in logistics`, `retail customers`."""
    before = tokens[covered[0] - 1].folded if covered[0] else ""
    after = tokens[covered[-1] + 1].folded if covered[-1] + 1 < len(tokens) else ""
    return before in ("in", "from", "within") or after in _OF_INDUSTRIES


def _variants(word: str) -> tuple[str, ...]:
    return (word[:-1],) if word.endswith("s") and len(word) > 3 else (f"{word}s",)


def _inflected(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """The words, and with the last one in its other number."""
    yield words
    for last in _variants(words[-1]):
        yield (*words[:-1], last)


def _without_endings(words: tuple[str, ...]) -> tuple[str, ...]:
    """A company's name without what kind of company it is."""
    kept = list(words)
    while len(kept) > 1 and (kept[-1] in COMPANY_ENDINGS or kept[-1] == "and"):
        kept.pop()
    return tuple(kept)


def _whole_forms(words: tuple[str, ...], name: Name) -> Iterable[tuple[str, ...]]:
    yield words
    without_and = tuple(word for word in words if word != "and")
    yield without_and
    if name.dimension == "account":
        yield _without_endings(words)
        yield _without_endings(without_and)
    if words[0] == "competitor" and len(words) > 1:
        yield words[1:]


def _part_forms(words: tuple[str, ...], name: Name, rare: Collection[str]) -> Iterable[tuple[str, ...]]:
    """Beginnings of a company's name, each name of a person, and words that no other name has."""
    if name.dimension not in (*_IN_PARTS, "industry"):
        return
    core = _without_endings(words) if name.dimension == "account" else words
    for length in range(1, len(core)):
        if core[length - 1] != "and":
            yield core[:length]
            yield tuple(word for word in core[:length] if word != "and")
    if name.dimension == "industry":
        for start in range(1, len(words)):
            for end in range(start + 1, len(words) + 1):
                if words[start] != "and" and words[end - 1] != "and":
                    yield words[start:end]
    for word in core[1:]:
        is_own = word in rare and word not in EVERYDAY and len(word) > _SHORTEST_PART
        if name.dimension == "owner" or is_own:
            yield (word,)


def _rare_words(names: Iterable[Name]) -> frozenset[str]:
    """Words that one account or industry alone has in its name."""
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for name in names:
        if name.dimension in ("account", "industry"):
            for word in set(folded_of(name.name)):
                seen[(name.dimension, word)] += 1
    counts: dict[str, int] = defaultdict(int)
    for (_, word), count in seen.items():
        counts[word] = max(counts[word], count)
    return frozenset(word for word, count in counts.items() if count == 1)
