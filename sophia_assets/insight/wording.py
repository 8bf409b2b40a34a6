"""Finds, in a text taken apart, the words that claim something: directions, magnitudes, guesses, times, strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal

from sophia_assets.insight import lexicon
from sophia_assets.insight.mentions import MASK, NAME_MASK, TREND, Reading, Span
from sophia_assets.insight.nouns import catalog_nouns
from sophia_assets.insight.stories import LIKELIHOOD_SCALE
from sophia_assets.insight.vocabulary import allowed_words

ClaimKind = Literal["direction", "vague"]

_DIRECTION_WORDS = lexicon.DIRECTIONS.keys() | lexicon.JUDGEMENTS.keys() | lexicon.UNCHANGED | lexicon.FIRST_RANK
_VAGUE_WORDS = lexicon.VAGUE | lexicon.NEGATIONS | lexicon.SPECULATION | lexicon.OTHER_RANK
_LIKELIHOOD = re.compile(rf"(?i)\b(?:{'|'.join(sorted(LIKELIHOOD_SCALE, key=len, reverse=True))})\b")
_PLAIN = re.compile(rf"[A-Za-z0-9 .,;:%$'\u2019\u201c\u201d\"()\u2013\u2014+\-{MASK}{NAME_MASK}]+")
_ADDRESS = re.compile(r"(?i)\b(?:https?|ftp|www|mailto|javascript)\b|\b[\w-]+\.[a-z]{2,}\b|\w:\S")
_LIMIT = re.compile(
    r"(?i)\b(?:over|above|under|below|beyond|exceeding|about|some|up to|at least|at most"
    rf"|(?:more|less|fewer|higher|lower|greater) than)\s(?:a\s)?{MASK}"
)


def claims(reading: Reading) -> Iterator[tuple[Span, ClaimKind]]:
    """Every word that claims a direction or rank (`direction`), or a magnitude, cause, guess or denial (`vague`)."""
    for span in reading.words:
        word = span.text.lower().replace("\u2019", "'")
        if word in _DIRECTION_WORDS:
            beside = reading.rest[: span.start].rstrip()[-1:] == MASK or re.match(
                rf"\s(?:than|{MASK})", reading.rest[span.end :]
            )
            yield span, "vague" if word in ("more", "less", "fewer") and not beside else "direction"
        elif word in _VAGUE_WORDS or word.endswith("n't"):
            yield span, "vague"
    figures = {figure.start for figure in reading.figures}
    for match in _LIMIT.finditer(reading.rest):
        if match.end() - 1 in figures:
            yield Span(match.start(), match.end() - 1, match.group()[:-1].strip()), "vague"


def opinions(reading: Reading, is_step: bool) -> Iterator[Span]:
    """Words that judge, place or soften; some of them belong to a step or a decision."""
    judging = lexicon.OPINIONS if is_step else lexicon.OPINIONS | lexicon.PLANNING
    for span in reading.words:
        in_term = any(start <= span.start < end for start, end, _ in reading.terms)
        if span.text.lower() in judging and not in_term:
            yield span


def foreign_quotes(reading: Reading) -> list[Span]:
    """What stands in quotation marks and is no known quote."""
    marks = r"[\"\u201c\u201d]"
    found = re.finditer(rf"{marks}[^\"\u201c\u201d]*{marks}?", reading.rest)
    return [Span(match.start(), match.end(), reading.text[match.start() : match.end()]) for match in found]


def likelihood_spans(reading: Reading) -> list[Span]:
    """The ICD 203 words in a text."""
    return [Span(match.start(), match.end(), match.group()) for match in _LIKELIHOOD.finditer(reading.rest)]


def loose_times(reading: Reading) -> list[Span]:
    """Mentions of time that are not the exact words for a fact's period."""
    text = reading.rest
    for figure in (figure for figure in reading.figures if figure.unit != TREND):
        text = text[: figure.start] + reading.text[figure.start : figure.end] + text[figure.end :]
    text = re.sub(r"\ba month\b", lambda match: MASK * len(match.group()), text)
    return [Span(match.start(), match.end(), match.group()) for match in lexicon.LOOSE_TIME.finditer(text)]


def foreign_marks(reading: Reading) -> list[Span]:
    """Characters and addresses that have no place in a plain sentence: markup, links, other scripts, controls."""
    found = []
    position = 0
    # Digits of other scripts hide in figures, so only names are left out of sight.
    seen = "".join(
        NAME_MASK if mark == NAME_MASK else char for char, mark in zip(reading.text, reading.rest, strict=True)
    )
    for match in [*_PLAIN.finditer(seen), None]:
        start = match.start() if match else len(seen)
        if start > position:
            found.append(Span(position, start, reading.text[position:start]))
        position = match.end() if match else position
    found += [Span(match.start(), match.end(), match.group()) for match in _ADDRESS.finditer(reading.rest)]
    return found


@cache
def _openers() -> frozenset[str]:
    return lexicon.OPENERS | catalog_nouns().openers | allowed_words()


def unknown_capitals(reading: Reading) -> list[Span]:
    """Capitalised words that are neither known names, nor abbreviations of the trade, nor a sentence's opening word."""
    found = []
    openers = _openers()
    for match in re.finditer(r"[^\W\d_][\w'\u2019]*", reading.rest):
        word = match.group()
        if not word[0].isupper() or word in lexicon.CAPITALS_ALLOWED:
            continue
        before = reading.rest[: match.start()].rstrip(' "(')
        opens = not before or before.endswith(".")
        if not (opens and word.lower() in openers and word[1:].islower() | (len(word) == 1)):
            found.append(Span(match.start(), match.end(), word))
    return found
