"""Takes a sentence apart: which names, periods, figures, metrics and judging words it mentions, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sophia_assets.insight.figures import Figure, find_figures
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.nouns import MetricTerms
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.slots import due_phrase, period_phrase, previous_period_phrase
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.metrics.facts import FactSet

#: Stands for a masked character: not a letter, not a digit, not punctuation.
MASK = "\ue000"
#: The unit of a figure that is a trend's words.
TREND = "trend"
#: Where a mention of metrics starts and ends, and which ones it can mean.
Term = tuple[int, int, frozenset[str]]
#: Stands for a masked character of a name.
NAME_MASK = "\ue001"
_CLAUSE = re.compile(r"[,;:\u2014\u2013]|\.(?=\s|$)|\b(?:and|but|while|which|with|whereas)\b")


@dataclass(frozen=True)
class Span:
    """A stretch of a text."""

    start: int
    end: int
    text: str


@dataclass
class Reading:
    """One text taken apart. `rest` is the text with names, periods and figures masked, at the same length."""

    text: str
    names: list[Span] = field(default_factory=list)
    periods: list[Span] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    words: list[Span] = field(default_factory=list)
    clauses: list[int] = field(default_factory=list)
    quotes: list[Span] = field(default_factory=list)
    rest: str = ""

    def sentences(self) -> list[tuple[int, int]]:
        """Where each sentence of the text starts and ends."""
        ends = [match.end() for match in re.finditer(r"[.!?](?=\s|$)", self.rest)]
        if not ends or self.rest[ends[-1] :].strip():
            ends.append(len(self.rest))
        return list(zip([0, *ends], ends, strict=False))

    def clause_of(self, position: int) -> int:
        """The number of the clause that holds a position."""
        return sum(1 for boundary in self.clauses if boundary <= position)


class Reader:
    """Knows the names, periods and metrics that texts about a set of facts can mention."""

    def __init__(self, facts: FactSet, stories: Iterable[Story] = (), names: Iterable[str] = ()) -> None:
        stories = tuple(stories)
        self.names = {safe_name(value) for fact in facts for value in fact.dimensions.values() if value}
        self.names |= {safe_name(story.subject_name) for story in stories if story.subject_type != "metric"}
        self.names |= {safe_name(story.action.owner) for story in stories if story.action.owner != UNASSIGNED}
        self.free_names = {safe_name(name) for name in names if name} - self.names
        self.phrases = {period_phrase(fact.period) for fact in facts}
        self.phrases |= {
            previous_period_phrase(fact.period, fact.previous_period) for fact in facts if fact.previous_period
        }
        self.phrases |= {due_phrase(story.action.due) for story in stories}
        self._trend_pattern = _any_of({fact.trend_display for fact in facts if fact.trend_display})
        self.terms = MetricTerms(facts)
        self._name_pattern = _any_of(self.names | self.free_names)
        self._phrase_pattern = _any_of(self.phrases | {phrase[:1].upper() + phrase[1:] for phrase in self.phrases})

    def read(self, text: str, quotes: Iterable[Quote] = ()) -> Reading:
        """Takes a text apart; longer names and periods win over shorter ones inside them, `quotes` over everything."""
        reading = Reading(text)
        rest, reading.quotes = _take(text, _quoted(quotes), NAME_MASK)
        rest, named = _take(rest, self._name_pattern, NAME_MASK)
        reading.names = [span for span in named if span.text not in self.free_names]
        rest, periods = _take(rest, self._phrase_pattern)
        reading.periods = [
            span if span.text in self.phrases else Span(span.start, span.end, _lowered(span.text)) for span in periods
        ]
        rest, trends = _take(rest, self._trend_pattern)
        reading.terms = self.terms.find(rest)
        fixed = _mask(rest, [(start, end) for start, end, _ in reading.terms if _is_idiom(rest[start:end])])
        reading.figures = find_figures(rest)
        if trends:
            found = [Figure(span.start, span.end, span.text, 0.0, TREND, 1.0) for span in trends]
            reading.figures = sorted([*reading.figures, *found], key=lambda figure: figure.start)
        rest = _mask(rest, [(figure.start, figure.end) for figure in reading.figures])
        reading.clauses = [match.start() for match in _CLAUSE.finditer(rest)]
        reading.rest = rest
        judged = "".join(MASK if mark == MASK else char for char, mark in zip(rest, fixed, strict=True))
        reading.words = [
            Span(match.start(), match.end(), match.group())
            for match in re.finditer(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?", judged)
        ]
        return reading


def _is_idiom(term: str) -> bool:
    """Whether a metric's term holds a word that would mean something else on its own (`came up`, `a month`)."""
    return bool(re.search(r"(?i)\b(?:up|month|shrinking|expanded|lost|churn risk)\b", term))


def _lowered(phrase: str) -> str:
    return phrase[:1].lower() + phrase[1:]


def _quoted(quotes: Iterable[Quote]) -> re.Pattern[str] | None:
    texts = sorted({re.escape(quote.text) for quote in quotes}, key=len, reverse=True)
    return re.compile(rf"\"(?:{'|'.join(texts)})\"|\u201c(?:{'|'.join(texts)})\u201d") if texts else None


def _any_of(phrases: Iterable[str]) -> re.Pattern[str] | None:
    ordered = sorted((phrase for phrase in phrases if phrase), key=lambda phrase: (-len(phrase), phrase))
    if not ordered:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)")


def _take(text: str, pattern: re.Pattern[str] | None, mask: str = MASK) -> tuple[str, list[Span]]:
    if pattern is None:
        return text, []
    found = [Span(match.start(), match.end(), match.group()) for match in pattern.finditer(text)]
    return _mask(text, [(span.start, span.end) for span in found], mask), found


def _mask(text: str, spans: Iterable[tuple[int, int]], mask: str = MASK) -> str:
    for start, end in spans:
        text = text[:start] + mask * (end - start) + text[end:]
    return text
