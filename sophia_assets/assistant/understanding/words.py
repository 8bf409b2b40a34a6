"""Words of a question: tokens, their plain form and their stem.

Belongs here: cutting a text into tokens and what makes two words the same word. Does not belong here: what a word
means (`vocabulary`, `metric_words`, `entities`, `spans`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sophia_assets.insight.lexicon import word_set

_TOKEN = re.compile(
    r"\d{4}-\d{2}-\d{2}|20\d{2}-(?:0[1-9]|1[0-2])(?![\d-])|(?:0?[1-9]|1[0-2])/20\d{2}(?!\d)|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d+(?:[.,]\d+)*%?(?![^\W_])|[^\W_]+(?:'[^\W\d_]+)*|[^\w\s]|_",
    re.UNICODE,
)
_CONTRACTIONS = {"'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}
_IS_BEFORE = word_set("what how who where when that there here it which why he she")
_WHOLE = {"can't": ("can", "not"), "won't": ("will", "not"), "let's": ("let", "us"), "cannot": ("can", "not")}
_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_IRREGULAR = {
    word: stem
    for stem, words in {
        "win": "won wins winning win",
        "lose": "lost losing loses lose loss losses",
        "sell": "sold selling sells",
        "speak": "spoke spoken speaking speaks",
        "pay": "paid paying pays",
        "leave": "left leaving leaves leavers leaver",
        "grow": "grew grown growing grows growth",
        "fall": "fell fallen falling falls",
        "rise": "rose risen rising rises",
        "hold": "held holding holds",
        "make": "made making makes",
        "bring": "brought bringing brings",
        "say": "said saying says",
        "tell": "told telling tells",
        "think": "thought thinking thinks",
        "feel": "felt feeling feels",
        "do": "did done does doing",
        "spend": "spent spending spends",
        "creat": "opened",
        "document": "doc docs document documents",
        "without": "without no lacking lack lacks",
        "take": "took taken taking takes",
        "give": "gave given giving gives",
        "person": "people persons",
        "usage": "usage used using use uses",
        "renew": "renewal renewals renewed renewing renews",
        "satisfy": "satisfied satisfying satisfies",
        "stick": "stuck sticking",
        "owe": "owed owes owing",
        "utilis": "utilisation utilization utilised utilized",
        "licens": "license licence licenses licences",
        "rating": "rating ratings",
        "user": "user users",
        "late": "late",
        "business": "business",
        "analysis": "analysis analyses",
        "criteria": "criteria",
    }.items()
    for word in words.split()
}
_KEEPS_S = ("ss", "us", "is", "ous")
_VOWEL = re.compile(r"[aeiouy]")


@dataclass(frozen=True)
class Token:
    """A word, number or sign of a question, `start` to `end` of its text. `folded` is its plain form, without accents.

    `is_quoted` tells that it stood in quotation marks; `is_possessive` that it had `'s`.
    """

    text: str
    folded: str
    start: int
    end: int
    is_quoted: bool = False
    is_possessive: bool = False

    @property
    def stem(self) -> str:
        """What it shares with its inflections."""
        return stem(self.folded)

    @property
    def is_word(self) -> bool:
        """Whether it is no mere sign."""
        return self.folded[:1].isalnum()

    @property
    def is_capital(self) -> bool:
        """Whether it was written with a capital."""
        return self.text[:1].isupper()


def cleaned(text: str) -> str:
    """The text with one kind of quotation mark, dash and space, without control and formatting characters."""
    plain = unicodedata.normalize("NFKC", text).translate(_QUOTES).translate(_DASHES)
    plain = "".join(" " if unicodedata.category(each)[0] in "ZC" else each for each in plain)
    return " ".join(plain.split())


def fold(word: str) -> str:
    """A word in small letters without accents: `Müller` is `muller`."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in bare if not unicodedata.combining(each)).replace("ø", "o").replace("ł", "l")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a cleaned text; contractions are opened, `Acme's` loses its ending."""
    made: list[Token] = []
    is_quoted = False
    for match in _TOKEN.finditer(text.replace("e-mail", "email ").replace("E-mail", "Email ")):
        raw = match.group()
        if raw == '"':
            is_quoted = not is_quoted
            continue
        made += [replace(token, is_quoted=is_quoted) for token in _opened(raw, *match.span())]
    return made


def _opened(raw: str, start: int, end: int) -> list[Token]:
    """One token, or those of a contraction."""
    word = fold(raw).replace("&", "and")
    if word in _WHOLE:
        return [Token(part, part, start, end) for part in _WHOLE[word]]
    if word.endswith("n't"):
        return [Token(raw[:-3], word[:-3], start, end), Token("not", "not", start, end)]
    for ending, opened in _CONTRACTIONS.items():
        if word.endswith(ending):
            return [Token(raw[: -len(ending)], word[: -len(ending)], start, end), Token(opened, opened, start, end)]
    if word.endswith("'s"):
        bare = Token(raw[:-2], word[:-2], start, start + len(raw) - 2, is_possessive=True)
        if bare.folded in _IS_BEFORE:
            return [replace(bare, is_possessive=False), Token("is", "is", start, end)]
        return [bare]
    return [Token(raw, word.replace("'", ""), start, end)]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """What a word shares with its inflections: `closed`, `closing` and `closes` are one, as are `won` and `win`."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    bare = _without_plural(word)
    if bare in _IRREGULAR:
        return _IRREGULAR[bare]
    for ending, least in (("ing", 6), ("ed", 5)):
        if bare.endswith(ending) and len(bare) >= least and _VOWEL.search(bare[: -len(ending)]):
            bare = _single(bare[: -len(ending)])
            break
    return bare[:-1] if bare.endswith("e") and len(bare) > 3 else bare


def _without_plural(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s") or word.endswith(_KEEPS_S):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("xes", "ches", "shes", "sses", "zes")):
        return word[:-2]
    return word[:-1]


def _single(word: str) -> str:
    """`stopp` becomes `stop`; `call` and `miss` stay."""
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsfz":
        return word[:-1]
    return word


def stems_of(phrase: str) -> tuple[str, ...]:
    """The stems of a phrase's words."""
    return tuple(token.stem for token in tokens_of(cleaned(phrase)) if token.is_word)


def folded_of(phrase: str) -> tuple[str, ...]:
    """The plain forms of a phrase's words."""
    return tuple(token.folded for token in tokens_of(cleaned(phrase)) if token.is_word)


class Line:
    """The words of a question on one line with single spaces, for patterns; tells which tokens a match covers."""

    def __init__(self, tokens: Sequence[Token], *, signs: Iterable[str] = (), without: Collection[int] = ()) -> None:
        kept = set(signs)
        self._indexes: list[int] = []
        self._starts: list[int] = []
        parts: list[str] = []
        length = 0
        for index, token in enumerate(tokens):
            if index not in without and (token.is_word or token.folded in kept):
                self._indexes.append(index)
                self._starts.append(length)
                parts.append(token.folded)
                length += len(token.folded) + 1
        self.text = " ".join(parts)

    def covered(self, start: int, end: int) -> tuple[int, ...]:
        """The indexes of the tokens that lie within a span of the line."""
        return tuple(
            index for index, begin in zip(self._indexes, self._starts, strict=True) if start <= begin < max(end, 1)
        )
