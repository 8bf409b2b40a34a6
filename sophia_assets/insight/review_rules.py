"""The constitution in code: what is held against a drafted sentence or a draft, and which principle it breaks.

Belongs here: the checks, and the words for what they find, one for readers and one for the model that is to mend it.
Does not belong here: what is done about a finding (`reviewing`), or how facts support a text (`verification`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from sophia_assets.insight import lexicon
from sophia_assets.insight.constitution import Principle
from sophia_assets.insight.constructions import known_constructions, skeleton
from sophia_assets.insight.figures import find_figures
from sophia_assets.insight.privacy import personal_data
from sophia_assets.insight.slots import SLOT, Filled, SlotError, fill
from sophia_assets.insight.stories import LIKELIHOOD_SCALE, Story
from sophia_assets.insight.verification import Finding, FindingKind, Verifier
from sophia_assets.insight.writing import (
    MAX_BOTTOM_LINE_WORDS,
    SECTION_LIMITS,
    SECTION_TITLES,
    BriefingRequest,
    Draft,
    DraftSection,
    DraftSentence,
)

BOTTOM_LINE = "bottom_line"
_MASK = "\ue000"
_NAMING_ASPECTS = ("subject", "owner")

_SECRETS = re.compile(
    r"(?i)\b(?:sk-[\w-]{6,}|xox[a-z]-[\w-]{6,}|akia[0-9a-z]{12,}|eyj[\w-]{10,}|[0-9a-f]{24,})"
    r"|\b(?:passwords?|secrets?|credentials?|api[ -]keys?|access[ -]keys?|tokens?|system prompts?|prompts?"
    r"|language models?|handles?|slots?|placeholders?|as an ai)\b"
)
_INSTRUCTIONS = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|rules?|above|previous|prompt)\b"
    r"|\b(?:instructions?|jailbreak|developer mode)\b"
)


@dataclass(frozen=True)
class Breach:
    """What a check holds against a text: the principle, in words for readers, in words for the model.

    `told` never holds a word of what is refused.
    """

    principle: Principle
    told: str
    problem: str


def _accurate(told: str, problem: str) -> Breach:
    return Breach(Principle.ACCURATE, told, problem)


_BY_KIND: Mapping[str, Breach] = {
    "figure": _accurate(
        "A sentence held a figure that no fact it cites supports.",
        "a figure is typed, repeated, or stands where its fact, subject or noun does not belong",
    ),
    "name": _accurate(
        "A sentence held a name that no fact it cites is about.", "a name is typed, repeated, or of somebody else"
    ),
    "direction": _accurate(
        "A sentence held a direction or a rank that its facts do not show.",
        "a direction or rank is typed, or not that of the figure beside it",
    ),
    "period": _accurate(
        "A sentence held a period or a day that is not that of its figures.",
        "a period or day is typed, missing, or not that of the figure beside it",
    ),
    "vague": _accurate(
        "A sentence held a word that no fact can be held against.",
        "a word claims a magnitude, a judgement or a denial, or is not among the words to use",
    ),
    "uncited": _accurate("A sentence stated what no fact holds.", "it shows no value of a fact"),
    "slot": _accurate(
        "A sentence used a value that does not exist, or in a place where it makes no sense.",
        "a slot is malformed, unknown, without value, or stands where it makes no sense",
    ),
    "markup": Breach(
        Principle.HELPFUL,
        "A sentence held markup, a link or a sign that has no place in plain text.",
        "it holds markup, a link or a foreign sign",
    ),
}
_GUESS = Breach(
    Principle.NO_SPECULATION,
    "A sentence gave a cause, a guess, a forecast or a likelihood that no fact carries.",
    "it gives a cause, a guess, a forecast, or a likelihood that is not its story's",
)
_STRANGER = Breach(
    Principle.CONFIDENTIAL,
    "A sentence held a name that is not among the facts for this reader.",
    "it holds a capitalised word that is no slot",
)
_FOREIGN_FIGURE = Breach(
    Principle.CONFIDENTIAL,
    "A sentence held a figure that is not among the facts for this reader.",
    "it holds a figure that no fact has",
)
_INTERNALS = Breach(
    Principle.CONFIDENTIAL,
    "A sentence spoke of secrets or of how the briefing is made.",
    "it speaks of secrets or of its own making",
)
_COMMAND = Breach(
    Principle.HELPFUL,
    "A sentence held instructions to a machine.",
    "it holds instructions to a machine",
)
_NO_SENTENCE = Breach(
    Principle.HELPFUL,
    "A text was not one plain sentence.",
    "it is not one plain sentence with a capital letter and a full stop",
)
_PERSONAL = Breach(
    Principle.PRIVACY,
    "A sentence held personal data.",
    "it holds personal data",
)
_STRANGE = _accurate(
    "A sentence was built in a way in which its figures cannot be held to what it says.",
    "it is built like none of the sentences in <examples>, or a fact in it is about something else than theirs",
)
_NO_STEP = Breach(
    Principle.ACTIONABLE,
    "A step lacked its subject, its owner or its day.",
    "a step of a story ends in its owner and day: `: {{s1|owner}}, by {{s1|due}}.`",
)
_NO_RISK = Breach(
    Principle.NO_SPECULATION,
    "A sentence told as a risk what no rule has found to be one.",
    "the section is for stories of the category risk only",
)
_NO_STORY = Breach(
    Principle.ACCURATE,
    "A sentence claimed to tell a story that it does not show.",
    "it is marked as telling a story that is unknown, or of which it shows neither subject nor facts",
)


@dataclass(frozen=True)
class Violation:
    """A breach and where it is: `section` and `sentence` as in `constitution.Review`.

    `remains` is what is done about it where nothing mends it; a sentence that has one is always dropped.
    """

    breach: Breach
    section: str = ""
    sentence: int | None = None
    remains: Literal["dropped", "noted"] = "dropped"
    detail: str = ""

    @property
    def problem(self) -> str:
        """What is wrong, for the model that is to mend it."""
        return f"{self.breach.problem}: {self.detail}" if self.detail else self.breach.problem


@dataclass(frozen=True)
class Objection:
    """A finding that keeps a sentence from being published, and the principle that it breaks."""

    finding: Finding
    breach: Breach
    detail: str = ""


class Rules:
    """Checks drafts for one request; `plain` is the deterministic writer's, which shows what there is to tell.

    Every sentence is checked once, however often it comes back.
    """

    def __init__(self, request: BriefingRequest, plain: Draft) -> None:
        self.request, self.plain = request, plain
        self.verifier = Verifier(request.facts, request.stories, [request.company_name])
        self._known: dict[tuple[str, DraftSentence], tuple[Objection, ...]] = {}
        self._of_code = {sentence.text for _, sentences in _parts(plain) for sentence in sentences}

    def objections(self, section: str, sentence: DraftSentence) -> tuple[Objection, ...]:
        """What keeps a sentence out of a section; nothing where it may be published."""
        where = section if section in ("actions", "risks") else ""
        if (where, sentence) not in self._known:
            self._known[where, sentence] = tuple(self._objections(where, sentence))
        return self._known[where, sentence]

    def violations(self, draft: Draft) -> list[Violation]:
        """Everything that code holds against a draft, each kind once for each sentence."""
        found: dict[Violation, None] = {}
        seen: set[str] = set()
        for section, sentences in _parts(draft):
            for place, sentence in enumerate(sentences):
                for objection in self.objections(section, sentence):
                    if not any(
                        v.breach == objection.breach and (v.section, v.sentence) == (section, place) for v in found
                    ):
                        found[Violation(objection.breach, section, place, detail=objection.detail)] = None
                if sentence.text in seen:
                    found[Violation(_TWICE, section, place)] = None
                seen.add(sentence.text)
        # The deterministic writer leaves it to code to shorten what it drafts.
        return [*found, *(() if draft is self.plain else self._of_whole(draft))]

    def filled(self, section: str, sentence: DraftSentence) -> Filled | None:
        """The sentence with its slots filled, or None where it is refused."""
        if self.objections(section, sentence):
            return None
        return fill(sentence.text, self.request.facts, self.request.stories)

    def _objections(self, section: str, sentence: DraftSentence) -> Iterator[Objection]:
        found = self.verifier.draft_sentence(sentence)
        yield from (self._objection(finding, _detail(finding)) for finding in found)
        yield from self._foreign_figures(sentence)
        yield from self._own(section, sentence)
        try:
            filled = fill(sentence.text, self.request.facts, self.request.stories)
        except SlotError:
            return
        if not found and not self.is_known(sentence):
            yield _objection(_STRANGE, "uncited", 0, len(sentence.text), sentence.text)
        if not found:
            found = self.verifier.text(filled.text, filled.fact_ids, sentence.story_id)
            yield from (self._objection(finding) for finding in found)
        yield from self._of_text(filled)

    def is_known(self, sentence: DraftSentence) -> bool:
        """Whether a sentence is the deterministic writer's own, or built as sentences may be."""
        if sentence.text in self._of_code:
            return True
        return skeleton(sentence, self.request.facts, self.verifier.stories) in known_constructions()

    def _objection(self, finding: Finding, detail: str = "") -> Objection:
        breach = _BY_KIND.get(finding.kind, _BY_KIND["uncited"])
        words = set(re.findall(r"[a-z']+", finding.span.lower().replace("\u2019", "'")))
        if finding.kind == "vague" and (words & lexicon.SPECULATION or finding.span.lower() in LIKELIHOOD_SCALE):
            breach = _GUESS
        if finding.kind == "name" and finding.message == "no fact knows this name":
            breach = _STRANGER
        return Objection(finding, breach, detail)

    def _foreign_figures(self, sentence: DraftSentence) -> Iterator[Objection]:
        """Typed figures that are nobody's: they may be of what the reader's role must not see."""
        for figure in find_figures(_literal(sentence.text)):
            if figure.text.strip() not in self._displays:
                finding = Finding(
                    figure.start, figure.end, figure.text, "figure", "no fact for this role has this figure"
                )
                yield Objection(finding, _FOREIGN_FIGURE)

    @cached_property
    def _displays(self) -> frozenset[str]:
        return frozenset(
            shown
            for fact in self.request.facts
            for shown in (
                *(fact.display, fact.previous_display, fact.delta_display, fact.change_display),
                *(fact.share_display, fact.target_display, fact.run_rate_display),
            )
            if shown
        )

    def _own(self, section: str, sentence: DraftSentence) -> Iterator[Objection]:
        """What speaks against a sentence before its slots are filled, beside what it claims."""
        literal = _literal(sentence.text)
        for pattern, breach in ((_SECRETS, _INTERNALS), (_INSTRUCTIONS, _COMMAND)):
            if match := pattern.search(literal):
                yield _objection(breach, "markup", match.start(), match.end(), match.group())
        for span in personal_data(literal):
            breach = _INTERNALS if span.kind == "secret" else _PERSONAL
            yield _objection(breach, "name", span.start, span.end, span.text)
        slots = list(SLOT.finditer(sentence.text))
        story = self.verifier.stories.get(sentence.story_id or "")
        about = {(match["id"], match["aspect"] or "subject") for match in slots if match["kind"] == "story"}
        if sentence.story_id is not None:
            shown = {match["id"] for match in slots}
            if story is None or not shown & {story.id, *story.fact_ids}:
                yield _objection(_NO_STORY, "slot", 0, len(sentence.text), sentence.text)
        if section == "actions" and not (story and {(story.id, "owner"), (story.id, "due")} <= about):
            yield _objection(_NO_STEP, "uncited", 0, len(sentence.text), sentence.text)
        if section == "risks" and not (story and story.category == "risk"):
            yield _objection(_NO_RISK, "uncited", 0, len(sentence.text), sentence.text)

    def _of_text(self, filled: Filled) -> Iterator[Objection]:
        """What speaks against a filled sentence, beside what it claims."""
        text = filled.text
        first = filled.fills[0] if filled.fills and filled.fills[0].start == 0 else None
        opens = not text[:1].islower() or (first is not None and first.aspect in _NAMING_ASPECTS)
        if not opens or not text.endswith(".") or len(self.verifier.reader.read(text).sentences()) != 1:
            yield _objection(_NO_SENTENCE, "markup", 0, len(text), text)

    def _of_whole(self, draft: Draft) -> Iterator[Violation]:
        """What speaks against a draft beside its sentences, measured by what the deterministic writer has to tell.

        That it is too long does not: code shortens it.
        """
        lines = [filled for each in draft.bottom_line if (filled := self.filled(BOTTOM_LINE, each))]
        if self.plain.bottom_line and not draft.bottom_line:
            yield Violation(_EMPTY, BOTTOM_LINE, remains="noted")
        elif _asks_to_decide(self.plain.bottom_line) and not _asks_to_decide(draft.bottom_line):
            yield Violation(_NO_DECISION, BOTTOM_LINE, remains="noted")
        if _words(lines) > MAX_BOTTOM_LINE_WORDS:
            yield Violation(_LONG_LINE, BOTTOM_LINE)
        for key in SECTION_TITLES:
            if self.plain.section(key) and not draft.section(key):
                yield Violation(_EMPTY, key, remains="noted")
            if len(draft.section(key)) > SECTION_LIMITS[key]:
                yield Violation(_LONG_SECTION, key)
        yield from self._untold(draft)

    def grave(self) -> Iterator[tuple[str, DraftSentence]]:
        """The section and the deterministic writer's sentence of each story that no briefing may leave out: the gravest
        risks, and the first other story about someone."""
        for key, at_most in (("risks", SECTION_LIMITS["risks"]), ("changes", 1)):
            found = []
            for sentence in self.plain.section(key):
                story = self.verifier.stories.get(sentence.story_id or "")
                if story and story.kind != "metric_change" and not _is_spare_risk(key, story):
                    found.append((key, sentence))
            yield from found[:at_most]

    def _untold(self, draft: Draft) -> Iterator[Violation]:
        """What is grave, where the draft says nothing of it: a step alone does not."""
        told = {sentence.story_id for key, sentences in _parts(draft) if key != "actions" for sentence in sentences}
        for key, sentence in self.grave():
            if sentence.story_id not in told:
                yield Violation(_UNTOLD, key, remains="noted", detail=f"{{{{story:{sentence.story_id}}}}}")


def _is_spare_risk(key: str, story: Story) -> bool:
    """Whether a story is a risk for which the section on risks has no room."""
    return key != "risks" and story.category == "risk"


_TWICE = Breach(
    Principle.HELPFUL, "A sentence stood in the draft twice.", "the same sentence stands in the draft before"
)
_EMPTY = Breach(
    Principle.HELPFUL,
    "A part of the draft was empty although there is something to tell.",
    "it is empty although there is something to tell",
)
_NO_DECISION = Breach(
    Principle.ACTIONABLE,
    "The bottom line did not say what is to be decided by when.",
    "it does not say what is to be decided: `Decide by {{s1|due}} ...`",
)
_LONG_LINE = Breach(
    Principle.HELPFUL,
    f"The bottom line had more than {MAX_BOTTOM_LINE_WORDS} words.",
    f"it has more than {MAX_BOTTOM_LINE_WORDS} words",
)
_LONG_SECTION = Breach(
    Principle.HELPFUL, "A section had more sentences than it may have.", "it has more sentences than it may have"
)
_UNTOLD = Breach(
    Principle.HELPFUL, "A story that matters was told nowhere.", "a story that matters is told nowhere in the draft"
)


def without_repeats(draft: Draft) -> Draft:
    """The draft without sentences that stand in it before."""
    seen: set[str] = set()

    def new(sentences: tuple[DraftSentence, ...]) -> tuple[DraftSentence, ...]:
        kept = tuple(each for each in dict.fromkeys(sentences) if each.text not in seen)
        seen.update(each.text for each in kept)
        return kept

    line = new(draft.bottom_line)
    return replace(
        draft, bottom_line=line, sections=tuple(DraftSection(key, new(each)) for key, each in _parts(draft)[1:])
    )


def asks_to_decide(texts: Iterable[str]) -> bool:
    """Whether one of the slotted texts says by when something is to be decided."""
    return any(match["kind"] == "story" and match["aspect"] == "due" for text in texts for match in SLOT.finditer(text))


def _asks_to_decide(sentences: Iterable[DraftSentence]) -> bool:
    return asks_to_decide(sentence.text for sentence in sentences)


def _parts(draft: Draft) -> list[tuple[str, tuple[DraftSentence, ...]]]:
    """The bottom line and the sections, in reading order."""
    return [(BOTTOM_LINE, draft.bottom_line), *((key, draft.section(key)) for key in SECTION_TITLES)]


def _words(texts: Iterable[Filled]) -> int:
    return sum(len(filled.text.split()) for filled in texts)


def _literal(text: str) -> str:
    """The text as its writer typed it, with slots masked at the same length."""
    return SLOT.sub(lambda match: _MASK * len(match.group()), text)


def _detail(finding: Finding) -> str:
    """The words that a finding on a draft is about, where the writer typed them; they are its own."""
    return "" if re.search(r"[{}\ue000]", finding.span) else f"`{finding.span[:40]}`"


def _objection(breach: Breach, kind: FindingKind, start: int, end: int, span: str) -> Objection:
    return Objection(Finding(start, end, span, kind, breach.told), breach)
