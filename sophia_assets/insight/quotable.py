"""What of somebody's words may be quoted: strict rules, since nobody reads it before it is published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from sophia_assets.insight import lexicon
from sophia_assets.insight.everyday_words import everyday_words
from sophia_assets.insight.lexicon import word_set
from sophia_assets.insight.privacy import personal_data
from sophia_assets.insight.vocabulary import allowed_words

if TYPE_CHECKING:
    from sophia_assets.warehouse.reading import Readable

MIN_WORDS, MAX_WORDS = 6, 30
_SENTENCE = re.compile(r"(?:^|(?<=[.!?]\s))[^.!?\s][^.!?]*[.!?](?=\s|$)")
_PLAIN = re.compile(r"[A-Z][A-Za-z ,'\u2019-]*[.?]")
#: How a quoted sentence may begin: not with a name, and not with a verb that asks for something.
_OPENERS = word_set(
    "a after all also an and another any anybody as at before both but everybody everything for from "
    "here how i if in is it its management many most my no nobody nothing of on other our part parts "
    "people reports right several since so some somebody something still support that the their then "
    "there these they things this those tickets to today under until users we what when where which while "
    "who why with without words yes yesterday yet you're your"
) - {"you're", "your"}
#: Words of somebody who asks a reader or a machine to do something, or talks of keys.
_COMMANDS = word_set(
    "ignore ignores ignoring disregard forget forgets respond responds reply replies write writes add "
    "adds say says tell tells click clicks visit visits prompt prompts system systems assistant "
    "instruction instructions instruct you your yours yourself please must repeat print output execute "
    "run runs delete remove pretend act role admin administrator override bypass password passwords "
    "passcode token tokens secret secrets key keys credential credentials login wire transfer pay send "
    "sends forward email mail download upload install follow obey summarise summarize translate briefing "
    "report reports model models chatbot bot ai developer jailbreak note attention urgent immediately "
    "approve approves approved confirm confirms"
)
_NUMBERS = frozenset(lexicon.NUMBER_WORDS) | word_set(
    "hundred hundreds thousand thousands million millions billion billions dozen dozens half halves third "
    "thirds quarter quarters double doubled triple twice thrice once percent couple pair several first "
    "second fourth fifth sixth seventh eighth ninth tenth eleventh twelfth monday tuesday wednesday "
    "thursday friday saturday sunday january february march april june july august september october "
    "november december dollar dollars euro euros cent cents"
)
#: Words for a multiple or a part of something, however they end.
_MULTIPLES = re.compile(r"[a-z]*fold|(?:halv|doubl|tripl|trebl|quadrupl|quintupl)[a-z]*")
#: Whoever is set apart by commas, as in `, jane,`, is a name; these are not.
_BETWEEN_COMMAS = re.compile(r",\s*([A-Za-z'\u2019-]+)\s*,")
_ASIDES = word_set("however though too still again then also now today honestly frankly yes no unfortunately therefore")
_ABSENCE = re.compile(r"(?i)\bon\s+(?:\w+\s+)?leave\b")
#: Abbreviations that may stand in capitals.
_CAPITALS = word_set("I I'm I've I'd I'll IT HR ERP CRM API")
_ABBREVIATIONS = frozenset(word.lower() for word in _CAPITALS if "'" not in word)


def sentences_to_quote(text: str, unwanted: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where in a text the whole sentences start and end that may be quoted; `unwanted` are words that name somebody."""
    for match in _SENTENCE.finditer(text):
        if may_quote(match.group(), unwanted):
            yield match.start(), match.end()


def may_quote(sentence: str, unwanted: frozenset[str] = frozenset()) -> bool:
    """Whether a sentence is one that may be quoted: plain, of 6 to 30 everyday words, naming nobody, counting nothing,
    asking for nothing, without anything personal or secret."""
    words = sentence[:-1].split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or not _PLAIN.fullmatch(sentence):
        return False
    if sentence.count("'") + sentence.count("\u2019") != len(
        re.findall(r"(?<=[A-Za-z])['\u2019](?=[A-Za-z])", sentence)
    ):
        return False
    if words[0].lower().strip(",") not in _OPENERS:
        return False
    if any(
        word.strip(",")[:1].isupper() and word.strip(",").replace("\u2019", "'") not in _CAPITALS for word in words[1:]
    ):
        return False
    plain = {part for word in words for part in re.findall(r"[a-z]+", word.lower())}
    if plain & (_COMMANDS | _NUMBERS | unwanted) or any(len(word) > 24 for word in words):
        return False
    if not plain <= everyday_words() | _ABBREVIATIONS or any(map(_MULTIPLES.fullmatch, plain)):
        return False
    if _ABSENCE.search(sentence) or not _asides(sentence) <= _ASIDES:
        return False
    return not personal_data(sentence)


def _asides(sentence: str) -> set[str]:
    """The single words between two commas; a series, as in `slow, clumsy, late`, holds them too and is not quoted."""
    return {match[1].lower() for match in _BETWEEN_COMMAS.finditer(sentence)}


@cache
def _harmless() -> frozenset[str]:
    """Words that are no name even where somebody is called so (Will, May, Mark)."""
    return allowed_words() | _OPENERS | word_set("will may mark hope grace rose bill rich sue pat art dean chase")


def strangers(warehouse: Readable, tables: frozenset[str]) -> frozenset[str]:
    """Every word, in small letters, by which a system knows a person, an account or a competitor; words that mean
    something else as well are left out, since a name stands in capitals and those are refused anyway."""
    sources = {
        "gong.users": ("first_name", "last_name"),
        "gong.call_parties": ("name",),
        "slack.users": ("real_name", "display_name", "name"),
        "hubspot.contacts": ("first_name", "last_name"),
        "hubspot.owners": ("first_name", "last_name"),
        "linear.users": ("name", "display_name"),
        "staging.accounts": ("account",),
        "gong.trackers": ("name",),
    }
    parts = [
        f"SELECT DISTINCT {column} AS name FROM {table}"
        for table, columns in sources.items()
        if table in tables
        for column in columns
    ]
    if not parts:
        return frozenset()
    names = warehouse.query(" UNION ".join(parts)).column(0).to_pylist()
    words = {word for name in names if name for word in re.findall(r"[^\W\d_]{2,}", name.lower())}
    return frozenset(words - _harmless())
