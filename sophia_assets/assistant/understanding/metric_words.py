"""What metrics are called: every phrase of the catalog by its stems.

Belongs here: the index of phrases and what of a question matches them. Does not belong here: which of several metrics
is meant (`metric_choice`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sophia_assets.assistant.understanding.vocabulary import SUPPORTING, TOPICS, UNIT_WORDS
from sophia_assets.assistant.understanding.words import Token, folded_of, stem, stems_of
from sophia_assets.insight.lexicon import word_set
from sophia_assets.metrics.catalog import Catalog, Metric
from sophia_assets.metrics.catalog.entries import all_words

_DROPPED = frozenset(
    stem(word)
    for word in [
        "a",
        "an",
        "the",
        "of",
        "at",
        "in",
        "that",
        "are",
        "is",
        "with",
        "to",
        "up",
        "for",
        "s",
        "their",
        "its",
        "on",
        "any",
        "who",
        "which",
        "has",
        "have",
    ]
)
_SPANS = word_set("age tim")
_SMALL = word_set(
    "a an the of at in that are is with to up for s their its on any who which has have we our us was were did "
    "does do had "
    "i my be been at by per from into and or not it they them as"
)
_LEAD = ("the", "number", "of")
_WIDEST_GAP = 1


@dataclass(frozen=True)
class Mention:
    """Metrics that the words of `tokens` may mean; with several candidates, context or the reader decides.

    `topic` is the place in TOPICS where the words name a topic, whose headline is the candidate.
    """

    tokens: tuple[int, ...]
    candidates: tuple[str, ...]
    topic: int | None = None
    is_certain: bool = True


@dataclass
class MetricWords:
    """The phrases of a catalog: `exact` by their words in order, `loose` by the stems that carry their meaning."""

    catalog: Catalog
    exact: dict[tuple[str, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    second: dict[tuple[str, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    topics: dict[tuple[str, ...], int] = field(default_factory=dict)
    loose: dict[frozenset[str], list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    with_stem: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    ambiguous: dict[tuple[str, ...], str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    described: frozenset[str] = frozenset()
    about: dict[str, frozenset[str]] = field(default_factory=dict)
    support: dict[str, frozenset[str]] = field(default_factory=dict)
    carrying: frozenset[str] = frozenset()
    longest: int = 1

    @classmethod
    def of(cls, catalog: Catalog) -> MetricWords:
        """The phrases of a catalog's metrics, and those of the topics."""
        made = cls(catalog)
        words: set[str] = set()
        for metric in catalog.metrics.values():
            for phrase in (*all_words(metric), *([metric.noun] if metric.noun else [])):
                made._take(metric, stems_of(phrase), made.exact, tier=0)
                words.update(folded_of(phrase))
            for phrase in metric.words:
                made._take(metric, stems_of(phrase), made.second, tier=1)
                words.update(folded_of(phrase))
            made.about[metric.name] = _about(metric)
            made.support[metric.name] = made.about[metric.name] | SUPPORTING.get(metric.area, frozenset())
        made.described = frozenset(
            word for metric in catalog.metrics.values() for word in folded_of(metric.description)
        )
        for place, topic in enumerate(TOPICS):
            if topic.headline in catalog.metrics:
                for phrase in topic.words:
                    made.topics[stems_of(phrase)] = place
                    words.update(folded_of(phrase))
        made.carrying = frozenset(made.words - _SMALL)
        made.ambiguous = {stems_of(word): word for word in catalog.ambiguous}
        made.words = frozenset(words)
        made.longest = max(map(len, (*made.exact, *made.second, *made.topics)), default=1)
        return made

    def _take(self, metric: Metric, phrase: tuple[str, ...], into: dict[tuple[str, ...], list[str]], tier: int) -> None:
        spoken = {phrase, *([phrase[len(_LEAD) :]] if phrase[: len(_LEAD)] == _LEAD else [])}
        for form in spoken:
            if not form:
                continue
            if metric.name not in into[form]:
                into[form].append(metric.name)
            carrying = frozenset(word for word in form if word not in _DROPPED)
            if len(carrying) > 1 and (tier, metric.name) not in self.loose[carrying]:
                self.loose[carrying].append((tier, metric.name))
        for word in set(phrase) - _DROPPED - set(UNIT_WORDS):
            if metric.name not in self.with_stem[word]:
                self.with_stem[word].append(metric.name)

    def literal(self, tokens: Sequence[Token], free: Collection[int]) -> list[Mention]:
        """The longest phrases whose words stand one after the other, in order."""
        places = [index for index, token in enumerate(tokens) if token.is_word]
        found, position = list[Mention](), 0
        while position < len(places):
            mention = self._literal_at(tokens, places, position, free)
            if mention:
                found.append(mention)
            position += len(mention.tokens) if mention else 1
        return found

    def _literal_at(
        self, tokens: Sequence[Token], places: Sequence[int], position: int, free: Collection[int]
    ) -> Mention | None:
        for length in range(min(self.longest, len(places) - position), 0, -1):
            covered = tuple(places[position : position + length])
            if not set(covered) <= set(free) or covered[-1] - covered[0] >= length:
                continue
            form = tuple(tokens[place].stem for place in covered)
            if form in self.exact:
                return Mention(covered, tuple(self.exact[form]), is_certain=len(self.exact[form]) == 1)
            if form in self.topics:
                topic = self.topics[form]
                return Mention(covered, (TOPICS[topic].headline,), topic)
            if length > 1 and form in self.second:
                return Mention(covered, tuple(self.second[form]), is_certain=False)
        return None

    def scattered(self, tokens: Sequence[Token], runs: Iterable[Sequence[int]], *, least: int = 2) -> list[Mention]:
        """Phrases whose meaning words stand close together in a run of words, in any order: `deals did we win`.

        `least` is how many of them there must be.
        """
        found: list[Mention] = []
        for run in runs:
            left = list(run)
            while left:
                mention = self._scattered_in(tokens, left, least)
                if mention is None:
                    break
                found.append(mention)
                left = [place for place in left if place not in mention.tokens]
        return sorted(found, key=lambda mention: mention.tokens)

    def _scattered_in(self, tokens: Sequence[Token], run: Sequence[int], least: int) -> Mention | None:
        stems = [tokens[place].stem for place in run]
        best: tuple[tuple[int, int, int], tuple[int, ...], list[str]] | None = None
        for carrying, metrics in self.loose.items():
            if len(carrying) < least or not carrying <= set(stems):
                continue
            covered = _closest(stems, carrying)
            if covered is None:
                continue
            tier = min(tier for tier, _ in metrics)
            rank = (-len(carrying), covered[-1] - covered[0], tier)
            names = [name for each, name in metrics if each == tier]
            if best is None or rank < best[0]:
                best = rank, covered, names
            elif rank == best[0] and covered == best[1]:
                best[2].extend(name for name in names if name not in best[2])
        if best is None:
            return None
        return Mention(tuple(run[place] for place in best[1]), tuple(dict.fromkeys(best[2])))

    def own_stems(self, metric: str) -> frozenset[str]:
        """The stems of a metric's names."""
        return frozenset(word for word, metrics in self.with_stem.items() if metric in metrics)

    def partial(self, word: str) -> tuple[str, ...]:
        """The metrics in whose names a stem stands."""
        return tuple(self.with_stem.get(word, ()))

    def with_all(self, stems: Collection[str]) -> tuple[str, ...]:
        """The metrics that all of the stems are about, by their names and descriptions."""
        return tuple(name for name, about in self.about.items() if set(stems) <= about)

    def named(self, stems: Collection[str]) -> tuple[str, ...]:
        """The metrics one of whose names says just these stems, in any order."""
        found = self.loose.get(frozenset(stems), [])
        nearest = min((tier for tier, _ in found), default=0)
        return tuple(name for tier, name in found if tier == nearest)

    def related(self, stems: Collection[str]) -> tuple[str, ...]:
        """The metrics one of whose names says these stems, and no more but a unit: `bug` has `share of bugs`."""
        wanted = frozenset(stems)
        return tuple(
            dict.fromkeys(
                name
                for form, metrics in (*self.exact.items(), *self.second.items())
                if frozenset(form) - _DROPPED - set(UNIT_WORDS) - _SPANS == wanted
                for name in metrics
            )
        )

    def single(self, word: str) -> tuple[str, ...]:
        """The metrics that a single further word of the catalog may mean, unless it may mean many."""
        return tuple(self.second.get((word,), ()))


def _about(metric: Metric) -> frozenset[str]:
    """The stems of a metric's names and its description: they add nothing to it."""
    phrases = (metric.label, metric.description, metric.noun or "", *metric.synonyms, *metric.words)
    return frozenset(word for phrase in phrases for word in stems_of(phrase))


def _closest(stems: Sequence[str], carrying: frozenset[str]) -> tuple[int, ...] | None:
    """The places of the stems where they stand together with no more than a word between them."""
    width = len(carrying) + _WIDEST_GAP
    best: tuple[int, ...] | None = None
    for start in range(len(stems)):
        window = range(start, min(start + width, len(stems)))
        chosen: dict[str, int] = {}
        for place in window:
            if stems[place] in carrying:
                chosen.setdefault(stems[place], place)
        if len(chosen) == len(carrying):
            places = tuple(sorted(chosen.values()))
            if best is None or places[-1] - places[0] < best[-1] - best[0]:
                best = places
    return best
