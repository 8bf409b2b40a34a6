"""Falsehoods in disguise: other scripts and number systems, other languages, hedges, opinions, quotes, links."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

import yaml

from sophia_assets.insight.slots import due_phrase
from sophia_assets_tests.insight.falsehoods import Case, Corruption

_WORDS: dict[str, Any] = yaml.safe_load(FilePath(__file__).with_name("disguises.yaml").read_text(encoding="utf-8"))
_LOOKALIKES = str.maketrans(_WORDS["lookalikes"])


def lookalike_letter(case: Case) -> str | None:
    places = [i for i, ch in enumerate(case.text) if ord(ch) in _LOOKALIKES]
    if not places:
        return None
    place = case.rng.choice(places)
    return case.put(place, place + 1, case.text[place].translate(_LOOKALIKES))


def invisible_character(case: Case) -> str | None:
    place = case.rng.randrange(len(case.text) + 1)
    return case.put(place, place, case.rng.choice(_WORDS["invisible"]))


def other_digits(case: Case) -> str | None:
    places = [i for i, ch in enumerate(case.text) if ch.isdigit() and ch.isascii()]
    if not places:
        return None
    digits, place = case.rng.choice(_WORDS["digits"]), case.rng.choice(places)
    return case.put(place, place + 1, digits[int(case.text[place])])


def _instead_of_a_figure(words: Sequence[str]) -> Corruption:
    def corrupt(case: Case) -> str | None:
        spots = case.figures()
        if not spots:
            return None
        start, end = case.rng.choice(spots)
        old, word = case.text[start:end], case.rng.choice(words)
        return case.put(start, end, word.replace("{}", old) if "{}" in word else word)

    return corrupt


def _before_a_figure(words: Sequence[str]) -> Corruption:
    def corrupt(case: Case) -> str | None:
        spots = case.figures()
        if not spots:
            return None
        start, _ = case.rng.choice(spots)
        return case.put(start, start, f"{case.rng.choice(words)} ")

    return corrupt


def _before_a_name(words: Sequence[str]) -> Corruption:
    def corrupt(case: Case) -> str | None:
        spans = case.verifier.reader.read(case.text).names
        if not spans:
            return None
        span, word = case.rng.choice(spans), case.rng.choice(words)
        ranks = {fact.rank for fact in case.request.facts if fact.subject == span.text}
        if ranks & {1, 4, 12}:
            return None
        if case.rng.random() < 0.5:
            return case.put(span.end, span.end, f", {word} account,")
        return case.put(span.start, span.start, f"{word} account, ")

    return corrupt


def _anywhere(words: Sequence[str]) -> Corruption:
    def corrupt(case: Case) -> str | None:
        spots = [0, *(i + 1 for i, ch in enumerate(case.text) if ch == " "), len(case.text)]
        spot, word = case.rng.choice(spots), case.rng.choice(words)
        gap = " " if spot == len(case.text) else ""
        return case.put(spot, spot, f"{gap}{word}{' ' if not gap else ''}")

    return corrupt


def _at_the_end(words: Sequence[str]) -> Corruption:
    def corrupt(case: Case) -> str | None:
        joint = case.rng.choice([", ", " ", "; ", ": ", " (", " - "])
        word = case.rng.choice(words)
        return f"{case.text.removesuffix('.')}{joint}{word}{')' if joint == ' (' else ''}."

    return corrupt


def date_put_in(case: Case) -> str | None:
    spans = case.verifier.reader.read(case.text).periods
    story = case.verifier.stories.get(case.draft.story_id or "")
    due = due_phrase(story.action.due) if story else case.text
    date = case.rng.choice([date for date in _WORDS["dates"] if date not in case.text and due not in date])
    if not spans or case.rng.random() < 0.4:
        return _at_the_end((date,))(case)
    span = case.rng.choice(spans)
    return case.put(span.start, span.end, date)


def sentence_added(case: Case) -> str | None:
    name, other = case.rng.sample(sorted(case.verifier.reader.names), 2)
    added = case.rng.choice(_WORDS["sentences"]).format(name=name, other=other)
    form = case.rng.randrange(4)
    lowered = added if added.startswith(name) else added[:1].lower() + added[1:]
    forms: list[str] = [
        added,
        f"{case.text} {added}",
        f"{added} {case.text}",
        f"{case.text.removesuffix('.')}{case.rng.choice(['; ', ', and ', ' and ', ', while ', ': '])}{lowered}",
    ]
    return forms[form]


DISGUISES: dict[str, Corruption] = {
    "lookalike_letter": lookalike_letter,
    "invisible_character": invisible_character,
    "other_digits": other_digits,
    "number_in_words": _instead_of_a_figure(_WORDS["numbers"]),
    "number_in_another_language": _instead_of_a_figure(_WORDS["foreign"]),
    "word_of_another_language": _anywhere(_WORDS["foreign"]),
    "other_unit": _instead_of_a_figure(_WORDS["units"]),
    "rank_put_in": _before_a_name(_WORDS["ordinals"]),
    "date_put_in": date_put_in,
    "hedged_figure": _before_a_figure(_WORDS["hedges"]),
    "denied_somewhere": _anywhere(_WORDS["denials"]),
    "comparison_or_cause": _at_the_end(_WORDS["tails"]),
    "sentence_added": sentence_added,
    "quote_invented": _anywhere(_WORDS["quotes"]),
    "quote_at_the_end": _at_the_end(_WORDS["quotes"]),
    "mark_put_in": _anywhere(_WORDS["marks"]),
}
