"""The checks of a briefing, each over all of its editions, with what was expected and what was observed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.orchestration.withheld import without_content

if TYPE_CHECKING:
    from sophia_assets.insight.archive import BriefingArchive
    from sophia_assets.insight.briefing import Briefing
    from sophia_assets.metrics.facts import FactSet
    from sophia_assets.publishing import Edition

SUPPORTED = "every_sentence_is_supported"
PRINCIPLES = "principles_are_kept"
DISCLOSED = "sources_are_disclosed"
READABLE = "length_is_readable"
FORM = "form_is_kept"
STANDS = "stored_evidence_stands"
_DESCRIPTIONS = {
    SUPPORTED: "Read again from scratch, no figure, name or direction is without a fact that supports it.",
    PRINCIPLES: "Each of the six principles was reviewed, and what was found was revised, rewritten, dropped or noted.",
    DISCLOSED: "Every system that is off, stale or failed is named in the briefing.",
    READABLE: "The bottom line has at most 40 words, the body at most 350.",
    FORM: "Sections, order, actions, charts and footer are those that every briefing has.",
    STANDS: "The files, read again without the warehouse, are whole, sealed, and say what their evidence gives.",
}


def briefing_check_specs(key: Sequence[str]) -> list[dg.AssetCheckSpec]:
    """The checks of one briefing's asset."""
    return [dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _DESCRIPTIONS.items()]


def check_results(
    editions: Sequence["Edition"], facts: "FactSet", archive: "BriefingArchive", vault: Vault = PLAIN
) -> Iterator[dg.AssetCheckResult]:
    """One result a check; `facts` are all of the day's, of which each edition is checked against its own part.

    Where `vault` encrypts, findings are counted and not told: they quote the briefing.
    """
    told = "`sophia briefing verify` tells the findings."
    for result in _results(editions, facts, archive):
        yield dg.AssetCheckResult(
            check_name=result.check_name,
            passed=result.passed,
            severity=result.severity,
            metadata=without_content(vault, result.metadata, "findings", instead=told),
        )


def _results(
    editions: Sequence["Edition"], facts: "FactSet", archive: "BriefingArchive"
) -> Iterator[dg.AssetCheckResult]:
    yield _judged(SUPPORTED, "no finding", editions, lambda edition: _unsupported(edition, facts))
    yield _judged(PRINCIPLES, "six principles, each reviewed and its findings handled", editions, _unhandled)
    yield _judged(DISCLOSED, "every missing or old system is named", editions, _undisclosed, _systems(editions[0]))
    yield _judged(READABLE, *_limits(), editions=editions, findings=_too_long, more=_lengths(editions[0]), warn=True)
    yield _judged(FORM, "no departure from the fixed form", editions, _form, warn=True)
    yield _judged(STANDS, "every file as it was written", editions, lambda edition: _fallen(edition, archive))


def _limits() -> tuple[str]:
    from sophia_assets.insight.writing import MAX_BODY_WORDS, MAX_BOTTOM_LINE_WORDS

    return (f"at most {MAX_BOTTOM_LINE_WORDS} words in the bottom line, {MAX_BODY_WORDS} in all",)


def _judged(
    name: str,
    expected: str,
    editions: Sequence["Edition"],
    findings: Callable[["Edition"], list[str]],
    more: Mapping[str, Any] | None = None,
    *,
    warn: bool = False,
) -> dg.AssetCheckResult:
    """A check that passes where no edition has a finding."""
    found = {edition.role: findings(edition) for edition in editions}
    count, sentences = sum(map(len, found.values())), sum(len(edition.briefing.sentences()) for edition in editions)
    listed = [f"{role}: {finding}" for role, each in found.items() for finding in each]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not count,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        metadata={
            "expected": expected,
            "observed": f"{count} findings in {sentences} sentences of {len(editions)} editions",
            "findings": "; ".join(listed) or "none",
            **(more or {}),
        },
    )


def _unsupported(edition: "Edition", facts: "FactSet") -> list[str]:
    from sophia_assets.access.roles import visible_facts
    from sophia_assets.insight.briefing import verify_briefing

    findings = verify_briefing(edition.briefing, visible_facts(edition.role, facts))
    return [finding.message for finding in findings]


def _unhandled(edition: "Edition") -> list[str]:
    from sophia_assets.insight.constitution import Principle

    reviews = edition.briefing.reviews
    missing = [f"not reviewed: {each.value}" for each in Principle if each not in {r.principle for r in reviews}]
    open_ones = [
        f"not handled: {review.principle.value}: {review.finding}"
        for review in reviews
        # What is only helpful or not may stand; nothing that is untrue, private or speculative may.
        if review.finding and review.action == "none" and review.principle != Principle.HELPFUL
    ]
    return [*missing, *open_ones]


def _undisclosed(edition: "Edition") -> list[str]:
    from sophia_assets.insight.gaps import excluded_sources
    from sophia_assets.insight.serialization import briefing_as_json

    named = {item["system"] for item in briefing_as_json(edition.briefing)["excluded_sources"]}
    told = " ".join(sentence.text for sentence in edition.briefing.sentences())
    request = edition.briefing.request
    left_out = [status for status in excluded_sources(request) if status.system not in named]
    behind = [
        status
        for status in request.statuses
        if status.state in ("stale", "failed") and not status.rollout.is_withheld and status.display_name not in told
    ]
    return [f"{status.display_name} is {status.state}, and not named" for status in (*left_out, *behind)]


def _systems(edition: "Edition") -> dict[str, str]:
    from sophia_assets.insight.gaps import excluded_sources

    request = edition.briefing.request
    not_there = [status.display_name for status in excluded_sources(request)]
    behind = [status.display_name for status in request.statuses if status.state in ("stale", "failed")]
    return {"left out or not current": ", ".join(dict.fromkeys([*not_there, *behind])) or "none"}


def _words(briefing: "Briefing") -> tuple[int, int]:
    """The words of the bottom line, and of the body without sentences that tell of missing data.

    These come on top: saying so must never make a briefing fail.
    """
    bottom = len(briefing.bottom_line_text.split())
    told = sum(len(sentence.text.split()) for sentence in briefing.sentences() if sentence.template)
    return bottom, max(0, told - bottom)


def _too_long(edition: "Edition") -> list[str]:
    from sophia_assets.insight.writing import MAX_BODY_WORDS, MAX_BOTTOM_LINE_WORDS

    bottom, body = _words(edition.briefing)
    found = [f"{bottom} words in the bottom line"] if bottom > MAX_BOTTOM_LINE_WORDS else []
    return [*found, f"{bottom + body} words in all"] if bottom + body > MAX_BODY_WORDS else found


def _lengths(edition: "Edition") -> dict[str, int]:
    bottom, body = _words(edition.briefing)
    return {"words in the bottom line": bottom, "words in the body": body}


def _form(edition: "Edition") -> list[str]:
    from sophia_assets.insight.form import lint

    return lint(edition.briefing)


def _fallen(edition: "Edition", archive: "BriefingArchive") -> list[str]:
    from sophia_assets.insight.reverification import verify_stored

    request = edition.briefing.request
    verdict = verify_stored(archive, request.date, request.kind, request.role)
    return [*verdict.findings, *([verdict.note] if verdict.note else [])]
