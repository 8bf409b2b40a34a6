"""Builds a briefing: stories, a reviewed draft, what of it may be published, and how reliable all of it is.

A sentence that fails a check is dropped; what it leaves empty is filled from the offline writer, whose sentences pass
the same checks, and which writes the whole briefing where a model's draft is of no use. The last word is code's: what
does not stand when the finished briefing is verified once more is not returned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sophia_assets.errors import VerificationRefused
from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.charts import Chart, build_charts
from sophia_assets.insight.confidence import Confidence, judge_confidence
from sophia_assets.insight.constitution import Principle, Review
from sophia_assets.insight.gaps import gap_sentences, no_targets_sentence, stale_sentence, unknown_sentences
from sophia_assets.insight.last_time import SinceLast, since_last, verify_since_last
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.review_rules import BOTTOM_LINE, Rules, asks_to_decide, without_repeats
from sophia_assets.insight.reviewing import Written, closed, passed, write
from sophia_assets.insight.rollouts import rollout_sentences
from sophia_assets.insight.slots import SlotError, fill
from sophia_assets.insight.verification import Finding, Verifier
from sophia_assets.insight.writing import (
    MAX_BODY_WORDS,
    MAX_BOTTOM_LINE_WORDS,
    SECTION_LIMITS,
    SECTION_TITLES,
    BriefingRequest,
    Draft,
    DraftSentence,
    Writer,
)
from sophia_assets.metrics.facts import Fact, FactSet
from sophia_assets.sources import registry

NOTHING_KNOWN = "There is no data for this day, so there is nothing to report."
#: When a briefing is too long, moves of metrics go first; then these sections give up their last sentence, in this
#: order, as long as each keeps so many. Stories about someone go last.
_TRIM_ORDER = (
    ("product", 1),
    ("customers", 1),
    ("targets", 1),
    ("performance", 3),
    ("actions", 2),
    ("performance", 2),
    ("changes", 1),
    ("actions", 1),
    ("risks", 1),
)


@dataclass(frozen=True)
class Sentence:
    """A published sentence: its text, the slots it was made from, the facts it shows and the story it tells.

    `template` is empty for a sentence about missing data, which code writes and which cites no fact.
    """

    text: str
    template: str = ""
    fact_ids: tuple[str, ...] = ()
    story_id: str | None = None


@dataclass(frozen=True)
class Section:
    """A part of the briefing; `key` is a key of `SECTION_TITLES`."""

    key: str
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Rejection:
    """A drafted sentence that was not published, and the findings that kept it out."""

    section: str
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Verification:
    """What was checked before publishing. `rewritten` names the sections that the offline writer had to fill."""

    sentences: int
    figures: int
    rejected: tuple[Rejection, ...] = ()
    rewritten: tuple[str, ...] = ()
    shortened: int = 0


@dataclass(frozen=True)
class Briefing:
    """A verified briefing with everything needed to show it and to check it again.

    `writer` is who really wrote it. Where that is `offline` although a model was to, `fallback` tells the reader why in
    one plain sentence. `reviews` records every review by the constitution, `usage` what all calls of models took.
    """

    request: BriefingRequest
    writer: str
    bottom_line: tuple[Sentence, ...]
    sections: tuple[Section, ...]
    charts: tuple[Chart, ...]
    confidence: Confidence
    verification: Verification
    usage: dict[str, Any] = field(default_factory=dict)
    reviews: tuple[Review, ...] = ()
    fallback: str = ""
    since_last: SinceLast | None = None

    @property
    def title(self) -> str:
        """`Executive briefing`, without company and date."""
        return self.request.kind.title

    @property
    def bottom_line_text(self) -> str:
        return " ".join(sentence.text for sentence in self.bottom_line)

    def sentences(self) -> list[Sentence]:
        """Every sentence of the bottom line and the sections, in reading order."""
        return [*self.bottom_line, *(sentence for section in self.sections for sentence in section.sentences)]

    def cited_facts(self) -> list[Fact]:
        """Every fact that a sentence, a told story or a chart rests on, in order of first use."""
        stories = {story.id: story for story in self.request.stories}
        ids = [fact_id for sentence in self.sentences() for fact_id in sentence.fact_ids]
        ids += [fact_id for story in stories.values() for fact_id in story.fact_ids]
        ids += [point.fact_id for chart in self.charts for point in chart.points]
        return [fact for fact in map(self.request.facts.get, dict.fromkeys(ids)) if fact is not None]

    def told_story_ids(self) -> set[str]:
        """The stories that a sentence tells."""
        return {sentence.story_id for sentence in self.sentences() if sentence.story_id}


class _Press:
    """Turns drafted sentences into published ones, or refuses them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.rejected: list[Rejection] = []

    def publish(self, section: str, drafted: Iterable[DraftSentence]) -> list[Sentence]:
        """What may be published of a section's sentences."""
        published = []
        for sentence in drafted:
            filled = self._rules.filled(section, sentence)
            if filled is not None:
                published.append(Sentence(filled.text, sentence.text, filled.fact_ids, sentence.story_id))
                continue
            objections = self._rules.objections(section, sentence)
            self.rejected.append(Rejection(section, sentence.text, tuple(each.finding for each in objections)))
        return published


@dataclass
class _Page:
    """A briefing's sentences while it is made. `rewritten` names the parts that the offline writer filled;
    `is_plain` says that it wrote all of them, and `reason` why it had to."""

    bottom_line: list[Sentence]
    body: dict[str, list[Sentence]]
    rewritten: list[str] = field(default_factory=list)
    is_plain: bool = False
    reason: str = ""


def build_briefing(request: BriefingRequest, writer: Writer) -> Briefing:
    """Builds and verifies the briefing of a day. Whatever `writer` returns, only supported sentences are published.

    Raises VerificationRefused where even the offline writer's sentences do not stand.
    """
    stories = find_stories(request.facts, request.date, request.owners)
    request = replace(request, stories=tuple(stories))
    rules = Rules(request, OfflineWriter().draft(request))
    written = write(request, writer, rules)
    press = _Press(rules)
    page = _page(rules, written, press)
    gaps = {key: _gaps(request, key, bool(page.body[key])) for key in SECTION_TITLES}
    used = _words([*page.bottom_line, *(text for texts in gaps.values() for text in texts)])
    shortened = _shorten(page.body, used)
    sections = tuple(
        Section(key, title, (*page.body[key], *gaps[key]))
        for key, title in SECTION_TITLES.items()
        if page.body[key] or gaps[key]
    )
    told = [*page.bottom_line, *(sentence for sentences in page.body.values() for sentence in sentences)]
    figures = sum(len(rules.verifier.reader.read(sentence.text).figures) for sentence in told)
    reason = written.fallback or page.reason
    return _last_word(
        Briefing(
            request=request,
            writer=OfflineWriter.name if page.is_plain else written.used.provider or writer.name,
            bottom_line=tuple(page.bottom_line) or (Sentence(NOTHING_KNOWN),),
            sections=sections,
            charts=tuple(build_charts(request.facts, _reasons(request), request.role, request.date)),
            confidence=judge_confidence(request),
            verification=Verification(len(told), figures, tuple(press.rejected), tuple(page.rewritten), shortened),
            usage=asdict(written.used),
            reviews=_reviews(rules, written, page),
            fallback=f"Written without a language model, because {reason}." if reason else "",
        )
    )


def _with_since_last(briefing: Briefing) -> Briefing:
    told = since_last(briefing.request, briefing.cited_facts(), briefing.told_story_ids())
    return replace(briefing, since_last=told)


def _page(rules: Rules, written: Written, press: _Press) -> _Page:
    """What is published of the draft, or of the offline writer's where that is of no use."""
    draft, reason = written.version.draft, ""
    if draft is not rules.plain:
        draft = without_repeats(draft)
        page = _set(rules, press, draft)
        count = len(draft.bottom_line) + sum(len(section.sentences) for section in draft.sections)
        if 2 * len(press.rejected) > count:
            reason = "most of what the language model wrote could not be held against the facts"
        elif rules.plain.bottom_line and not page.bottom_line:
            reason = "the language model gave no bottom line that could be published"
        else:
            return _filled_up(rules, press, page)
    page = _set(rules, press, rules.plain)
    page.is_plain, page.reason = True, reason
    return _with_bottom_line(page)


def _set(rules: Rules, press: _Press, draft: Draft) -> _Page:
    body = {key: press.publish(key, draft.section(key))[: SECTION_LIMITS[key]] for key in SECTION_TITLES}
    return _Page(_fitting(press.publish(BOTTOM_LINE, draft.bottom_line)), body)


def _filled_up(rules: Rules, press: _Press, page: _Page) -> _Page:
    """The page with what the offline writer has to say in empty sections, and where no decision is asked for."""
    for key in SECTION_TITLES:
        if not page.body[key] and rules.plain.section(key):
            page.body[key] = press.publish(key, rules.plain.section(key))[: SECTION_LIMITS[key]]
            page.rewritten.append(key)
    _add_untold(rules, press, page)
    if not asks_to_decide(sentence.template for sentence in page.bottom_line):
        plain = _fitting(press.publish(BOTTOM_LINE, rules.plain.bottom_line))
        if asks_to_decide(sentence.template for sentence in plain):
            page.bottom_line = plain
            page.rewritten.append(BOTTOM_LINE)
    return _with_bottom_line(page)


def _add_untold(rules: Rules, press: _Press, page: _Page) -> None:
    """Puts in front of a section what is grave and what the page says nothing of, in the offline writer's words."""
    told = {sentence.story_id for key, body in page.body.items() if key != "actions" for sentence in body}
    told |= {sentence.story_id for sentence in page.bottom_line}
    missing: dict[str, list[DraftSentence]] = {}
    for key, sentence in rules.grave():
        if sentence.story_id not in told:
            missing.setdefault(key, []).append(sentence)
            steps = [step for step in rules.plain.section("actions") if step.story_id == sentence.story_id]
            if not any(step.story_id == sentence.story_id for step in page.body["actions"]):
                missing.setdefault("actions", []).extend(steps)
    for key, sentences in missing.items():
        page.body[key] = [*press.publish(key, sentences), *page.body[key]][: SECTION_LIMITS[key]]
        if key not in page.rewritten:
            page.rewritten.append(key)


def _fitting(sentences: Iterable[Sentence]) -> list[Sentence]:
    """As much of a bottom line as it may have words: what is to be decided goes last."""
    found = [sentence for sentence in sentences if len(sentence.text.split()) <= MAX_BOTTOM_LINE_WORDS]
    while _words(found) > MAX_BOTTOM_LINE_WORDS:
        others = [sentence for sentence in found if not asks_to_decide([sentence.template])]
        found.remove((others or found)[-1])
    return found


def _with_bottom_line(page: _Page) -> _Page:
    """The page with its first sentence as the bottom line, where that is empty."""
    for sentences in page.body.values():
        if not page.bottom_line and (page_first := _fitting(sentences[:1])):
            page.bottom_line = page_first
            sentences.remove(page_first[0])
    return page


def _reviews(rules: Rules, written: Written, page: _Page) -> tuple[Review, ...]:
    """Every review: of drafts, of what the offline writer wrote instead, and of the principles that stood."""
    is_model = written.version.draft is not rules.plain
    reviews = closed(written, page.rewritten, is_whole=is_model and page.is_plain)
    if is_model:
        reviews += tuple(
            Review(
                each.breach.principle, "code", written.rounds, each.breach.told, each.section, each.sentence, "dropped"
            )
            for each in rules.violations(rules.plain)
            if page.is_plain or each.section in page.rewritten
        )
    return (*reviews, *passed(reviews, written.rounds))


def _last_word(briefing: Briefing) -> Briefing:
    """The briefing without the sentences that do not stand. Raises VerificationRefused where it still does not."""
    facts = briefing.request.facts
    if not verify_briefing(_with_since_last(briefing), facts):
        return _with_since_last(briefing)
    check = _Check(briefing.request, facts)
    bottom_line = tuple(_fitting(each for each in briefing.bottom_line if not check.findings(each)))
    sections = (
        replace(section, sentences=tuple(each for each in section.sentences if not check.findings(each)))
        for section in briefing.sections
    )
    kept = replace(
        briefing,
        bottom_line=bottom_line or (Sentence(NOTHING_KNOWN),),
        sections=tuple(section for section in sections if section.sentences),
        reviews=(
            *briefing.reviews,
            Review(Principle.ACCURATE, "code", 0, "The finished briefing held what does not stand.", action="dropped"),
        ),
    )
    kept = _with_since_last(kept)
    if findings := verify_briefing(kept, facts):
        raise VerificationRefused(
            f"the briefing of {briefing.request.date} does not stand: {findings[0].message}",
            remedy="Nothing was published; report this with the day's facts",
        )
    return kept


def verify_briefing(briefing: Briefing, facts: FactSet) -> list[Finding]:
    """Checks a finished briefing again, sentence by sentence, against `facts`; an empty list means that it stands.

    Every text has to be what its slots give for these facts, and has to pass `verify_text` on its own.
    Sentences without slots have to be those that the systems' states call for.
    """
    check = _Check(briefing.request, facts)
    findings = [finding for sentence in briefing.sentences() for finding in check.findings(sentence)]
    if _words(briefing.bottom_line) > MAX_BOTTOM_LINE_WORDS:
        text = briefing.bottom_line_text
        findings.append(Finding(0, len(text), text, "vague", f"the bottom line is over {MAX_BOTTOM_LINE_WORDS} words"))
    request, cited, told = briefing.request, briefing.cited_facts(), briefing.told_story_ids()
    return findings + [
        Finding(0, 0, "", "slot", problem) for problem in verify_since_last(briefing.since_last, request, cited, told)
    ]


class _Check:
    """Checks published sentences against facts, apart from whatever was checked before."""

    def __init__(self, request: BriefingRequest, facts: FactSet) -> None:
        self._facts, self._stories = facts, request.stories
        self._verifier = Verifier(facts, request.stories, [request.company_name])
        self._own_words = {
            NOTHING_KNOWN,
            no_targets_sentence(request),
            *(stale_sentence(status) for status in request.statuses),
            *(text for status in request.statuses for text in rollout_sentences(status)),
            *unknown_sentences(request),
            *(text for key in SECTION_TITLES for text in gap_sentences(request, key)),
        }

    def findings(self, sentence: Sentence) -> list[Finding]:
        """What speaks against a sentence: its slots, its words, that it cites nothing or tells no story of these."""
        text, template, story_id = sentence.text, sentence.template, sentence.story_id
        if not template:
            own = text in self._own_words
            return [] if own else [Finding(0, len(text), text, "uncited", "the sentence cites nothing")]
        findings = self._verifier.draft_sentence(DraftSentence(template, story_id))
        findings += self._verifier.text(text, sentence.fact_ids, story_id)
        if story_id is not None and story_id not in self._verifier.stories:
            findings.append(Finding(0, len(text), text, "slot", "the sentence tells a story that there is not"))
        try:
            expected = fill(template, self._facts, self._stories).text
        except SlotError:
            return findings
        if expected != text:
            problem = "the text is not what its slots give"
            findings.append(Finding(0, len(text), text, "slot", problem, expected))
        return findings


def _words(sentences: Iterable[Sentence]) -> int:
    return sum(len(sentence.text.split()) for sentence in sentences)


def _shorten(body: dict[str, list[Sentence]], used: int) -> int:
    """Drops last sentences until the body fits; returns how many were dropped."""
    dropped = 0
    while used + sum(map(_words, body.values())) > MAX_BODY_WORDS:
        moves = [place for place, sentence in enumerate(body["changes"]) if _tells_a_metric(sentence)]
        key = next((key for key, least in _TRIM_ORDER if len(body[key]) > least), None)
        if moves:
            del body["changes"][moves[-1]]
        elif key is not None:
            body[key].pop()
        else:
            break
        dropped += 1
    return dropped


def _tells_a_metric(sentence: Sentence) -> bool:
    return (sentence.story_id or "").startswith("metric_change.")


def _gaps(request: BriefingRequest, key: str, is_told: bool) -> list[Sentence]:
    """What a section has to say of what it cannot tell."""
    texts = gap_sentences(request, key)
    if key == "targets" and not is_told:
        texts = [text for text in [no_targets_sentence(request)] if text]
    if key == "performance":
        texts += [text for text in map(stale_sentence, request.statuses) if text]
        texts += [text for status in request.statuses for text in rollout_sentences(status)]
        texts += unknown_sentences(request)
    return [Sentence(text) for text in texts]


def _reasons(request: BriefingRequest) -> dict[str, str]:
    """Why a system gave no data, by system, for charts that stay empty."""
    known = {status.system: status for status in request.statuses}
    reasons = {}
    for system in registry.SYSTEMS:
        status = known.get(system)
        name = registry.display_name(system)
        is_off = status is None or status.state == "off"
        reasons[system] = f"{name} is not connected." if is_off else f"{name} holds nothing for these periods."
        if status and not is_off and status.rollout.is_withheld:
            reasons[system] = f"{name} is taken back for now."
    return reasons
