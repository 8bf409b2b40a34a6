"""How a briefing came about, in plain sentences: who wrote it, what was reviewed, what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.constitution import Principle, Review
from sophia_assets.insight.gaps import excluded_sources, exclusion_reason
from sophia_assets.insight.names import listed, safe_line
from sophia_assets.insight.writing import SECTION_TITLES

OFFLINE = "offline"
_STAND_IN = "-sandbox"


def provenance(briefing: Briefing) -> list[str]:
    """The sentences of the footer, each about one thing; what does not apply is left out."""
    found = [_writer(briefing), _filled(briefing), _reviews(briefing), _left_out(briefing), _sources(briefing)]
    return [sentence for sentence in found if sentence]


def _writer(briefing: Briefing) -> str:
    used: dict[str, Any] = briefing.usage
    model = safe_line(str(used.get("model") or ""))
    wrote = briefing.writer != OFFLINE and used.get("model")
    if briefing.fallback:
        return " ".join(briefing.fallback.split())
    if not wrote:
        return "Written by the offline writer, from fixed patterns and without a model."
    stands_in = ", a stand-in" if model.endswith(_STAND_IN) else ""
    version = f", prompt {safe_line(str(used['prompt_version']))}" if used.get("prompt_version") else ""
    return f"Written by the model {model}{stands_in}{version}; code filled in every figure, name and period."


def _filled(briefing: Briefing) -> str:
    """The parts that the model left empty, or whose sentences did not stand."""
    titles = {
        "bottom_line": "the bottom line",
        **{key: f"\u201c{title}\u201d" for key, title in SECTION_TITLES.items()},
    }
    parts = [titles[key] for key in briefing.verification.rewritten if key in titles]
    return "" if briefing.fallback or not parts else f"The offline writer wrote {listed(parts)}."


def _reviews(briefing: Briefing) -> str:
    reviews = briefing.reviews
    if not reviews:
        return ""
    counts = {principle: _findings(reviews, principle) for principle in Principle}
    reviewed = [principle for principle in Principle if any(review.principle == principle for review in reviews)]
    found = [f"{principle.value}: {_count(counts[principle])}" for principle in reviewed if counts[principle]]
    told = f"Reviewed by {len(reviewed)} of {len(Principle)} principles"
    if not found:
        return f"{told}, without a finding."
    clean = len(reviewed) - len(found)
    rest = f"; {clean} without a finding" if clean else ""
    standing = sum(bool(review.finding) and review.action == "noted" for review in reviews)
    ending = "What was found was put right or left out."
    if standing:
        ending = f"{standing} could not be put right; what else was found was, or was left out."
    return f"{told}. {'; '.join(found)}{rest}. {ending}"


def _findings(reviews: Iterable[Review], principle: Principle) -> int:
    return sum(review.principle == principle and bool(review.finding) for review in reviews)


def _count(findings: int) -> str:
    return f"{findings} finding{'' if findings == 1 else 's'}"


def _left_out(briefing: Briefing) -> str:
    """Sentences that were dropped for length, and what the model was not shown."""
    parts = []
    if dropped := briefing.verification.shortened:
        parts.append(f"{dropped} sentence{'' if dropped == 1 else 's'} for length")
    parts += [safe_line(str(what)) for what in briefing.usage.get("left_out") or ()]
    return f"Left out: {listed(parts)}." if parts else ""


def _sources(briefing: Briefing) -> str:
    missing = [f"{status.display_name} ({exclusion_reason(status)})" for status in excluded_sources(briefing.request)]
    return f"Without data from {listed(missing)}." if missing else ""
