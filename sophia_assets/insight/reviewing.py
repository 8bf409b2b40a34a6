"""The constitution at work: a draft is reviewed, written anew at most twice, and every review is recorded.

Code judges accuracy, speculation, confidentiality and privacy, and what it can of the rest; a model judges helpfulness
and tone. A revision counts only if code finds that it is better. Does not belong here: the checks (`review_rules`), or
what is published in the end (`briefing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeGuard, TypeVar

from sophia_assets.insight.constitution import Principle, Review
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.review_rules import BOTTOM_LINE, Rules, Violation
from sophia_assets.insight.writing import (
    SECTION_TITLES,
    BriefingRequest,
    Criticism,
    Draft,
    ModelUse,
    RevisingWriter,
    Writer,
    WriterUnavailable,
)
from sophia_assets.telemetry.logs import get_logger

MAX_ROUNDS = 2
_MAX_REASON = 200
_CRITICISED = {
    Principle.ACTIONABLE: "A model found that this does not tell its reader what to do.",
    Principle.HELPFUL: "A model found this less helpful than it could be.",
}
_THROWN_AWAY = Criticism(
    Principle.HELPFUL,
    "",
    None,
    "an earlier revision was worse and was thrown away: mend only what is listed, keep all else word for word",
)
_log = get_logger(__name__)
_Answer = TypeVar("_Answer")
Action = Literal["none", "revised", "dropped", "rewritten", "noted"]


@dataclass(frozen=True)
class Version:
    """A draft that was accepted in a round, with what code and a model hold against it."""

    draft: Draft
    round: int
    violations: tuple[Violation, ...]
    criticisms: tuple[Criticism, ...] = ()

    @property
    def count(self) -> int:
        """How many violations code finds: a criticised sentence that stands word for word is one."""
        return len(self.violations) + len(self.criticisms)


@dataclass(frozen=True)
class Written:
    """What came of the writing: the last draft that was accepted, what all calls took, the reviews that are closed.

    `fallback` says why no model wrote, to stand behind `because`; it is empty where one did, or none was to.
    """

    version: Version
    used: ModelUse
    reviews: tuple[Review, ...] = ()
    rounds: int = 0
    fallback: str = ""


def write(request: BriefingRequest, writer: Writer, rules: Rules) -> Written:
    """Has a briefing drafted, reviewed and revised. Never raises because of the writer: the plain draft takes over."""
    if isinstance(writer, OfflineWriter):
        return Written(_judged(rules, rules.plain, 0), rules.plain.used)
    try:
        draft = _asked(lambda: _well_formed(writer.draft(request)))
    except WriterUnavailable as error:
        return Written(_judged(rules, rules.plain, 0), error.used, fallback=_as_reason(error))
    return _Rounds(request, writer, rules, draft).done()


def passed(reviews: Iterable[Review], last_round: int) -> tuple[Review, ...]:
    """One review without a finding for each principle that none of the reviews has a finding about."""
    found = {review.principle for review in reviews}
    return tuple(Review(principle, "code", last_round) for principle in Principle if principle not in found)


def closed(written: Written, rewritten: Iterable[str], *, is_whole: bool) -> tuple[Review, ...]:
    """The reviews of what was still open in the end. `rewritten` names the parts that the deterministic writer wrote
    instead; with `is_whole` it wrote all of them."""
    version, instead = written.version, set(rewritten)
    reviews = [
        _of_violation(
            violation,
            version.round,
            "rewritten" if is_whole or violation.section in instead else violation.remains,
        )
        for violation in version.violations
    ]
    reviews += [
        _of_criticism(criticism, version.round, "rewritten" if is_whole or criticism.section in instead else "noted")
        for criticism in version.criticisms
    ]
    return (*written.reviews, *reviews)


class _Rounds:
    """The critiques and revisions of one draft."""

    def __init__(self, request: BriefingRequest, writer: Writer, rules: Rules, draft: Draft) -> None:
        self._request, self._writer, self._rules = request, writer, rules
        self._used, self._reviews, self._rounds = draft.used, list[Review](), 0
        self._version = _judged(rules, draft, 0)

    def done(self) -> Written:
        """The outcome of at most `MAX_ROUNDS` revisions."""
        if _can_revise(self._writer):
            try:
                self._go_through(self._writer)
            except WriterUnavailable as error:
                self._spend(replace(error.used, provider=None, model=None))
                self._spend(ModelUse(troubles=(f"The draft was not revised further: {_as_reason(error)}.",)))
        return Written(self._version, self._used, tuple(self._reviews), self._rounds)

    def _go_through(self, writer: RevisingWriter) -> None:
        is_new = True
        while self._rounds < MAX_ROUNDS:
            if is_new:
                self._criticise(writer)
            if not self._version.count:
                return
            # Asked the very same again, a model could only give the same answer.
            again = () if is_new else (_THROWN_AWAY,)
            problems = (*again, *map(_as_criticism, self._version.violations), *self._version.criticisms)
            self._rounds += 1
            is_new = self._accept(self._revise(writer, problems))

    def _revise(self, writer: RevisingWriter, problems: Sequence[Criticism]) -> Draft:
        return _asked(lambda: _well_formed(writer.revise(self._request, self._version.draft, problems)))

    def _criticise(self, writer: RevisingWriter) -> None:
        """Adds a model's criticisms; a draft that no model would judge is not worse for it."""
        try:
            found, used = _asked(lambda: _judgement(writer.criticise(self._request, self._version.draft)))
        except WriterUnavailable as error:
            self._spend(replace(error.used, provider=None, model=None))
            self._spend(ModelUse(troubles=(f"No model judged the draft: {_as_reason(error)}.",)))
            return
        self._spend(replace(used, provider=None, model=None))
        known = {(criticism.section, criticism.sentence) for criticism in self._version.criticisms}
        new = [
            criticism
            for criticism in found
            if (criticism.section, criticism.sentence) not in known and _is_about(criticism, self._version.draft)
        ]
        self._version = replace(self._version, criticisms=(*self._version.criticisms, *new))

    def _accept(self, revised: Draft) -> bool:
        """Takes the revision if code finds fewer violations in it, and none more than before of its own."""
        old = self._version
        new = _judged(self._rules, revised, self._rounds)
        standing = tuple(found for each in old.criticisms if (found := _standing(each, old.draft, revised)))
        new = replace(new, criticisms=standing)
        if new.count >= old.count or len(new.violations) > len(old.violations):
            self._spend(replace(revised.used, provider=None, model=None))
            told = f"A revision was thrown away: code found {new.count} violations in it, after {old.count} before."
            self._reviews.append(Review(Principle.HELPFUL, "code", self._rounds, told, action="none"))
            return False
        self._spend(revised.used)
        remaining = {_what(violation, revised) for violation in new.violations}
        self._reviews += [
            _of_violation(violation, old.round, "revised")
            for violation in old.violations
            if _what(violation, old.draft) not in remaining
        ]
        met = [each for each in old.criticisms if not _standing(each, old.draft, revised)]
        self._reviews += [_of_criticism(criticism, old.round, "revised") for criticism in met]
        self._version = new
        return True

    def _spend(self, used: ModelUse) -> None:
        self._used = self._used.plus(used)


def _asked(ask: Callable[[], _Answer]) -> _Answer:
    """What a writer answers. Raises WriterUnavailable, whatever the writer raises."""
    try:
        return ask()
    except WriterUnavailable:
        raise
    except Exception as error:  # no briefing fails because its writer does
        _log.exception("the writer failed")
        raise WriterUnavailable("its writer failed") from error


def _well_formed(draft: object) -> Draft:
    """What a writer returned, if it is a draft through and through. Raises TypeError."""
    if not isinstance(draft, Draft) or not isinstance(draft.used, ModelUse):
        raise TypeError("the writer returned no draft")
    sentences = [*draft.bottom_line, *(sentence for section in draft.sections for sentence in section.sentences)]
    for sentence in sentences:
        if not (isinstance(sentence.text, str) and isinstance(sentence.story_id, (str, type(None)))):
            raise TypeError("the writer returned a sentence that is none")
    return draft


def _judgement(answer: object) -> tuple[tuple[Criticism, ...], ModelUse]:
    """What a writer returned as its criticisms. Raises TypeError where it is none."""
    found, used = answer if isinstance(answer, tuple) and len(answer) == 2 else (None, None)
    if not (isinstance(found, tuple) and isinstance(used, ModelUse)):
        raise TypeError("the writer returned no criticisms")
    if not all(isinstance(each, Criticism) for each in found):
        raise TypeError("the writer returned a criticism that is none")
    return found, used


def _can_revise(writer: Writer) -> TypeGuard[RevisingWriter]:
    return callable(getattr(writer, "criticise", None)) and callable(getattr(writer, "revise", None))


def _judged(rules: Rules, draft: Draft, number: int) -> Version:
    return Version(draft, number, tuple(rules.violations(draft)))


def _as_reason(error: WriterUnavailable) -> str:
    return " ".join(error.message.split())[:_MAX_REASON].rstrip(".") or "no language model could be asked"


def _what(violation: Violation, draft: Draft) -> tuple[object, ...]:
    """What a violation is of, wherever in its section it stands."""
    texts = _texts(draft, violation.section)
    text = "" if violation.sentence is None else texts[violation.sentence][2]
    return violation.breach, violation.section, violation.detail, text


def _as_criticism(violation: Violation) -> Criticism:
    return Criticism(violation.breach.principle, violation.section, violation.sentence, violation.problem)


def _texts(draft: Draft, section: str = "") -> list[tuple[str, int, str]]:
    """(section, place, text) of the sentences of a section, or of all."""
    parts = [(BOTTOM_LINE, draft.bottom_line), *((key, draft.section(key)) for key in SECTION_TITLES)]
    return [
        (key, place, sentence.text)
        for key, sentences in parts
        if section in ("", key)
        for place, sentence in enumerate(sentences)
    ]


def _is_about(criticism: Criticism, draft: Draft) -> bool:
    places = {place for _, place, _ in _texts(draft, criticism.section)}
    return criticism.sentence is None or (criticism.section != "" and criticism.sentence in places)


def _standing(criticism: Criticism, before: Draft, after: Draft) -> Criticism | None:
    """The criticism, where what it is about still stands word for word; None where it was met."""
    old, new = _texts(before, criticism.section), _texts(after, criticism.section)
    if criticism.sentence is None:
        return criticism if old == new else None
    text = next(words for _, place, words in old if place == criticism.sentence)
    found = next(((key, place) for key, place, words in _texts(after) if words == text), None)
    return replace(criticism, section=found[0], sentence=found[1]) if found else None


def _of_violation(violation: Violation, number: int, action: Action) -> Review:
    breach = violation.breach
    return Review(breach.principle, "code", number, breach.told, violation.section, violation.sentence, action)


def _of_criticism(criticism: Criticism, number: int, action: Action) -> Review:
    # A model's own words are as little checked as its sentences.
    told = _CRITICISED.get(criticism.principle, _CRITICISED[Principle.HELPFUL])
    return Review(criticism.principle, "model", number, told, criticism.section, criticism.sentence, action)
