"""The constructions in which a model may write: a sentence of any other build is refused, whatever it says.

Words, figures and names can each be right and the sentence still false: `X is likely to close` of a deal that is likely
to slip, one figure shared by two names, a share of what does not add up. What a sentence claims lies in how it is
built. So a model's sentence is reduced to its skeleton (which fact stands in which role, about whom, with which words
between them), and only skeletons that were found true for whatever facts fill them are published. They are kept in
`constructions.tsv`, each with a sentence that has it, which is what models are shown.

Belongs here: reducing a sentence, and the known skeletons. Does not belong here: how the list is made (the tests do
that, from sentences whose truth they know), or whether the slots of a sentence go with each other (`verification`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from sophia_assets.insight.materiality import entity_id
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.slots import SLOT
from sophia_assets.insight.stories import Story
from sophia_assets.insight.writing import DraftSentence
from sophia_assets.metrics.facts import Fact, FactSet

FILE = Path(__file__).with_name("constructions.tsv")
#: Units of which parts add up to a whole, so that a share of it means something.
_ADDITIVE = frozenset({"usd", "count", "minutes"})
_ANY_STORY = ("metric_change",)

_MOVE = r"(?:,| and is| and are)? \u27e8(?P=k)\.direction\u27e9 \u27e8(?P=k)\.delta\u27e9"
_SINCE = r",? (?:from|since|at) \u27e8(?P=k)\.previous_period\u27e9"
#: What may be added behind a role of the same fact without changing what the sentence says of it.
_ADDED = re.compile(
    rf"(?P<kept>\u27e8(?P<k>\d+)\.(?!subject)[a-z_]+\u27e9[^\u27e8\u27e9,;:]*?)(?<! is)(?<! are)(?<! than)"
    rf"(?:{_MOVE}(?:{_SINCE})?|{_SINCE}| \u27e8(?P=k)\.period\u27e9)(?=[\s.,;:])"
)
_OPENING_PERIOD = re.compile(r"^\u27e8(\d+)\.period\u27e9,? (?=.*\u27e8\1\.)")
_SAME_WORDS = {
    "is": "be",
    "are": "be",
    "was": "were",
    "has": "have",
    "an": "a",
    "its": "their",
    "it": "they",
    "which": "that",
    "who": "that",
}


def skeleton(sentence: DraftSentence, facts: FactSet, stories: Mapping[str, Story]) -> str:
    """How a sentence is built: its words in plain form, `⟨2.delta⟩` for the delta of the second fact that it shows,
    `⟨1.noun⟩` for a fact's own noun, and behind it what each fact is about and, where its noun is not said, measures.

    Periods, and a move told behind its own figure, may be there or not. Empty where a slot is unknown.
    """
    story = stories.get(sentence.story_id or "")
    shown: dict[str, Fact] = {}
    for match in SLOT.finditer(sentence.text):
        fact = facts.get(match["id"]) if match["kind"] == "fact" else None
        if match["kind"] == "fact":
            if fact is None:
                return ""
            shown.setdefault(match["id"], fact)
        elif story is None or match["id"] != story.id:
            return ""
    if any(_shares_nothing(match, shown) for match in SLOT.finditer(sentence.text)):
        return ""
    numbers = {fact_id: number for number, fact_id in enumerate(shown, 1)}
    text = SLOT.sub(lambda match: _role(match, numbers), sentence.text)
    text, said = _with_nouns(text, shown)
    if text.lower().startswith("of \u27e81.noun\u27e9") and next(iter(shown.values())).unit not in _ADDITIVE:
        return ""
    about = _about(tuple(shown.values()), story, said)
    tells = story is not None and ("\u27e8s." in text or any("=s" in each for each in about))
    kind = story.kind if story is not None and tells and story.kind not in _ANY_STORY else ""
    return " | ".join([kind, _plain(_without_added(text)), " ".join(about)])


@cache
def known_constructions() -> Mapping[str, str]:
    """Every construction that may be published, with a sentence in handles that has it."""
    rows = (line.split("\t", 1) for line in FILE.read_text(encoding="utf-8").splitlines() if line)
    return {row[0]: row[1] for row in rows}


def examples_for(kinds: Iterable[str], metrics: Iterable[str], most_each: int = 6) -> list[str]:
    """Sentences that show what may be written of stories of these kinds and facts of these metrics: of each kind, of
    what holds for any metric, and of each metric, the plainest `most_each` (of what holds for any, four times as many).
    """
    wanted, known = {"", *kinds}, set(metrics)
    groups: dict[tuple[str, ...], list[str]] = {}
    for key, example in known_constructions().items():
        kind, _, about = key.split(" | ")
        measured = sorted(set(re.findall(r"/([a-z_0-9]+)", about)))
        if kind in wanted and known.issuperset(measured):
            groups.setdefault((kind,) if kind else ("", *measured[:1]), []).append(example)
    return [
        example
        for group, found in sorted(groups.items())
        for example in sorted(found, key=lambda each: (len(each), each))[: most_each * (4 if group == ("",) else 1)]
    ]


def _shares_nothing(match: re.Match[str], shown: Mapping[str, Fact]) -> bool:
    return match["aspect"] == "share" and match["id"] in shown and shown[match["id"]].unit not in _ADDITIVE


def _role(match: re.Match[str], numbers: Mapping[str, int]) -> str:
    if match["kind"] == "story":
        return f"\u27e8s.{match['aspect'] or 'subject'}\u27e9"
    aspect = match["aspect"] or "value"
    return f"\u27e8{numbers[match['id']]}.{'delta' if aspect == 'change' else aspect}\u27e9"


def _with_nouns(text: str, shown: Mapping[str, Fact]) -> tuple[str, set[int]]:
    """The text with each metric's own noun replaced, and the numbers of the facts whose noun is said."""
    said: set[int] = set()
    order = sorted(enumerate(shown.values(), 1), key=lambda item: (-len(noun(item[1]).text), item[0]))
    for number, fact in order:
        spoken = noun(fact).text
        core = re.escape(spoken.removeprefix("the "))
        pattern = re.compile(rf"(?i)(?<![\w\u27e8.])(?:the )?{core}(?![\w\u27e9])")
        text, times = pattern.subn(f"\u27e8{number}.noun\u27e9", text, count=1)
        if times:
            said.add(number)
    return text, said


def _about(facts: Sequence[Fact], story: Story | None, said: set[int]) -> list[str]:
    """`1:company`, `2:account=s` for the story's own subject, `3:deal=1` for that of the first fact; with the metric
    where its noun is not said."""
    first: dict[tuple[str, str], str] = {}
    found = []
    if story is not None:
        first[story.subject_type, story.subject_id] = "s"
    for number, fact in enumerate(facts, 1):
        dimension = next(iter(fact.dimensions), "company")
        same = first.setdefault((dimension, entity_id(fact)), str(number)) if fact.dimensions else str(number)
        whose = f"={same}" if same != str(number) else ""
        found.append(f"{number}:{dimension}{whose}{'' if number in said else f'/{fact.metric}'}")
    return found


def _without_added(text: str) -> str:
    text = _OPENING_PERIOD.sub("", text)
    # Which of the three it is follows from the period: a day, a span, a point.
    text = re.sub(r"(?i)\b(?:at|on|in) (?=\u27e8\d+\.previous_period\u27e9)", "at ", text)
    while True:
        shorter = _ADDED.sub(lambda match: match["kept"], text, count=1)
        if shorter == text:
            return text
        text = shorter


def _plain(text: str) -> str:
    """In small letters, without number, so that `is` and `are`, `deal` and `deals` are one."""
    words = re.sub(r"\s+", " ", text.lower()).split(" ")
    return " ".join(_plain_word(word) for word in words)


def _plain_word(word: str) -> str:
    if "\u27e8" in word or "\u27e9" in word:
        return word
    core = word.rstrip(".,;:")
    tail = word[len(core) :]
    core = _SAME_WORDS.get(core, core)
    return (core[:-1] if len(core) > 3 and core.endswith("s") and not core.endswith("ss") else core) + tail
