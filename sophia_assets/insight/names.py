"""Names that people typed, made safe to show: they are data, and must never act as anything else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from sophia_assets.insight import lexicon
from sophia_assets.metrics.facts import FactSet

MAX_NAME_LENGTH = 60

#: Tag-like and invisible code points: controls, bidirectional overrides, zero-width, Unicode tags.
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

NO_NAME = "(no name)"
_UNASSIGNED = "unassigned"  # `stories.UNASSIGNED`: code's own word where nobody is the owner
_ELLIPSIS = "\u2026"
_DOUBLE = '\u201c\u201d\u201e\u201f"'
_MARKS = f"{_DOUBLE}'\u2018\u2019 "
_AMOUNT = re.compile(
    r"(?i)[$\u20ac\u00a3\u00a5]\s?[\d.]|\b(?:usd|eur|gbp)\s?\d"
    r"|\d\s?(?:%|(?:percent|per cent|dollars?|euros?|pounds?|usd|eur|gbp|million|billion|thousand)\b)"
)
_DATE_WORDS = frozenset(lexicon.MONTHS) | lexicon.word_set(
    "monday tuesday wednesday thursday friday saturday sunday last previous today yesterday tomorrow"
)
#: Words that join others into a phrase, as those of names seldom do.
_GLUE = _DATE_WORDS | lexicon.word_set(
    "a an the in on at of by for to from with so we our this that these those it its they and but or is are was were"
)
#: Dimensions whose values are steps of a pipeline, which stand in charts as they are called: `Proposal`.
_STEPS = frozenset({"stage"})
#: Commas (not those of `1,000`), semicolons, and the end of a sentence; not the stop of an abbreviation.
_CLAUSES = re.compile(r",(?!\d)|;|[^\W\d_]{5,}[.!?]\s+\S|^[.:!?]|:$")
_LEGAL_FORM = re.compile(
    r"(?i),\s*(?:inc|incorporated|llc|l\.l\.c|ltd|limited|lp|llp|plc|corp|co|gmbh|ag|kg|sa|s\.a|sas|sarl|srl|spa"
    r"|s\.p\.a|se|nv|n\.v|bv|b\.v|pty|pte|pc|ab|as|oy|kk)\.?(?:\s+ltd\.?)?(?=\s*(?:\(|$))"
)


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`: the parts as one writes them in a sentence."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def safe_name(name: str) -> str:
    """The name as it may be shown: one line, visible characters only, no live link, no slot, <= 60 characters.

    One that a reader could take for words of the sentence around it is shown in quotation marks: “of”. What is safe
    stays as it is: `safe_name(safe_name(name)) == safe_name(name)`.
    """
    return _settled(_shown, name)


def safe_line(text: str) -> str:
    """A text on one line, without what is invisible, links or slots; 60 characters at most. For labels and ids."""
    return _settled(_cleaned, text) or NO_NAME


def _settled(step: Callable[[str], str], text: str) -> str:
    """`text` after so many steps that another changes nothing: what one cuts or adds can bring forth something new."""
    for _ in range(MAX_NAME_LENGTH):
        after = step(text)
        if after == text:
            break
        text = after
    return text


def _shown(name: str) -> str:
    line = safe_line(name)
    bare = line.strip(_MARKS)
    if line in (NO_NAME, _UNASSIGNED) or not _could_be_prose(bare):
        return line
    bare = _fitting(re.sub(f"[{_DOUBLE}]", "'", bare), MAX_NAME_LENGTH - 2).strip(_MARKS)
    return f"“{bare}”"


def _cleaned(text: str) -> str:
    visible = "".join(ch for ch in re.sub(r"\s+", " ", text) if unicodedata.category(ch) not in _INVISIBLE_CATEGORIES)
    defanged = re.sub(r"://", "[:]//", unicodedata.normalize("NFC", visible).strip())
    defanged = re.sub(r"(?i)\b(www|mailto|javascript|data)([.:])(?=\S)", r"\1[\2]", defanged)
    defanged = re.sub(r"(?<=\S)@(?=\S)", "[at]", defanged)
    return _fitting(re.sub(r"([{}])(?=\1)", r"\1 ", defanged), MAX_NAME_LENGTH)


def _fitting(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip(f" {_ELLIPSIS}") + _ELLIPSIS


def _could_be_prose(name: str) -> bool:
    """Whether a name reads like a part of a sentence: too little to be one, a plain word, an amount, or clauses."""
    words = re.findall(r"[^\W_]+", name)
    if sum(map(len, words)) < 2 or (len(words) == 1 and (words[0].isdigit() or words[0].lower() in _plain_words())):
        return True
    if _AMOUNT.search(name) or _CLAUSES.search(_LEGAL_FORM.sub("", name)):
        return True
    # `Bookings fell`, `so far this quarter`: a statement or a period in words that briefings use.
    lowered = {word.lower() for word in words if not word.isdigit()}
    return bool(lowered & _claims()) and lowered <= _plain_words() | _DATE_WORDS


@cache
def _plain_words() -> frozenset[str]:
    from sophia_assets.insight.vocabulary import allowed_words

    return allowed_words() | lexicon.NUMBER_WORDS.keys() | lexicon.OPENERS | lexicon.PLANNING | lexicon.OPINIONS


@cache
def _claims() -> frozenset[str]:
    return (
        frozenset(lexicon.DIRECTIONS) | frozenset(lexicon.JUDGEMENTS) | lexicon.UNCHANGED | lexicon.SPECULATION | _GLUE
    )


def with_safe_names(facts: FactSet) -> FactSet:
    """The facts with every name in them made safe, so that nothing that is made of them holds another."""
    return FactSet(
        (
            replace(fact, dimensions=_safe(fact.dimensions), entity_ids=_ids(fact.entity_ids))
            if fact.dimensions
            else fact
            for fact in facts
        ),
        facts.unknown,
        facts.shares,
    )


def _safe(names: Mapping[str, str]) -> dict[str, str]:
    return {key: safe_line(name) if key in _STEPS else safe_name(name) for key, name in names.items()}


def _ids(ids: Mapping[str, str]) -> dict[str, str]:
    return {key: safe_line(given) for key, given in ids.items()}
