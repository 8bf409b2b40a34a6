"""How each metric is spoken of: the noun a writer uses, and the words by which a reader recognises it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from sophia_assets.metrics.catalog import Metric, load_catalog
from sophia_assets.metrics.facts import Fact, FactSet


@dataclass(frozen=True)
class Noun:
    """A metric's noun in the middle of a sentence, and whether its verb is plural."""

    text: str
    plural: bool = False

    @property
    def be(self) -> str:
        return "are" if self.plural else "is"

    @property
    def opening(self) -> str:
        """The noun at the start of a sentence."""
        return self.text[:1].upper() + self.text[1:]


class Nouns:
    """The nouns of a catalog's metrics, the words that mean them in a text, and what their figures count."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.nouns: dict[str, Noun] = {}
        self.counted: dict[str, frozenset[str]] = {}
        self.meanings: dict[str, frozenset[str]] = {}
        for metric in metrics:
            self.nouns[metric.name] = Noun(metric.spoken, metric.plural)
            for word in dict.fromkeys([metric.spoken.removeprefix("the ").lower(), *map(str.lower, metric.words)]):
                self.meanings[word] = self.meanings.get(word, frozenset()) | {metric.name}
            if metric.counts:
                self.counted[metric.counts] = self.counted.get(metric.counts, frozenset()) | {metric.name}

    @property
    def openers(self) -> frozenset[str]:
        """The words with which a noun opens a sentence, in small letters."""
        return frozenset(noun.text.split()[0].lower() for noun in self.nouns.values())


@cache
def catalog_nouns() -> Nouns:
    """The nouns of the platform's own catalog."""
    return Nouns(load_catalog().metrics.values())


def noun(fact: Fact) -> Noun:
    """The noun for a fact's metric; the fact's label where the catalog no longer has it."""
    return catalog_nouns().nouns.get(fact.metric) or Noun(fact.label[:1].lower() + fact.label[1:])


class MetricTerms:
    """Finds words that name metrics; the labels of metrics that the catalog does not have are learnt from the facts."""

    def __init__(self, facts: FactSet) -> None:
        known = catalog_nouns()
        meanings = dict(known.meanings)
        for fact in facts:
            if fact.metric not in known.nouns:
                meanings[fact.label.lower()] = frozenset({fact.metric})
        self._meanings = meanings
        ordered = sorted(meanings, key=lambda words: (-len(words), words))
        # Every place is tried by itself, since a shorter mention may begin inside a longer one that is dropped.
        self._pattern = re.compile(rf"\b(?=((?:{'|'.join(map(re.escape, ordered))})\b))", re.I)

    def find(self, text: str) -> list[tuple[int, int, frozenset[str]]]:
        """(start, end, metrics) of each mention, in order; of overlapping ones the longest."""
        found = [
            (match.start(), match.end(1), self._meanings[match[1].lower()]) for match in self._pattern.finditer(text)
        ]
        return sorted(longest_first(found))


def longest_first(spans: Iterable[tuple[int, int, frozenset[str]]]) -> list[tuple[int, int, frozenset[str]]]:
    """Drops spans that overlap a longer one."""
    kept: list[tuple[int, int, frozenset[str]]] = []
    for span in sorted(spans, key=lambda item: (item[0] - item[1], item[0])):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept):
            kept.append(span)
    return kept
