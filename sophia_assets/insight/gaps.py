"""What a briefing cannot say, and why: written by code from the systems' states, never by a writer."""

from __future__ import annotations

from dataclasses import dataclass

from sophia_assets.insight.names import listed
from sophia_assets.insight.slots import day_phrase
from sophia_assets.insight.writing import BriefingRequest, SourceState, SourceStatus

STATE_WORDS: dict[SourceState, str] = {
    "fresh": "up to date",
    "stale": "out of date",
    "failed": "last load failed",
    "off": "not connected",
    "empty": "connected, but holds no data",
}


@dataclass(frozen=True)
class Question:
    """Something an executive asks of every briefing: where it is answered, by which metrics, from which system."""

    section: str
    asks: str
    metrics: tuple[str, ...]
    system: str


QUESTIONS: tuple[Question, ...] = (
    Question("performance", "how sales are doing", ("bookings", "pipeline_value", "win_rate"), "hubspot"),
    Question("performance", "recurring revenue", ("mrr",), "snowflake"),
    Question("performance", "overdue invoices", ("overdue_amount",), "snowflake"),
    Question("customers", "customer satisfaction", ("satisfaction_score",), "snowflake"),
    Question("customers", "what customers say in calls", ("calls", "churn_risk_mentions"), "gong"),
)


def unanswered(request: BriefingRequest) -> list[Question]:
    """The questions for which there is not a single company-wide fact."""
    known = {fact.metric for fact in request.facts if not fact.dimensions}
    return [question for question in QUESTIONS if not known.intersection(question.metrics)]


def gap_sentences(request: BriefingRequest, section: str) -> list[str]:
    """Plain sentences on what a section cannot say, one for each system that is missing."""
    by_system: dict[str, list[str]] = {}
    for question in unanswered(request):
        if question.section == section:
            by_system.setdefault(question.system, []).append(question.asks)
    return [
        f"{_cause(_status(request, system), system)}, so {listed(asks)} {'is' if len(asks) == 1 else 'are'} "
        "missing here."
        for system, asks in by_system.items()
    ]


def no_targets_sentence(request: BriefingRequest) -> str | None:
    """Says that no metric has a target, where that is so."""
    if any(fact.target is not None for fact in request.facts):
        return None
    return "No targets are set for these metrics."


def stale_sentence(status: SourceStatus) -> str | None:
    """A warning about data that is older than it should be, or None."""
    if status.state not in ("stale", "failed"):
        return None
    reach = f"its figures reach to {day_phrase(status.newest_data)}" if status.newest_data else "its figures may be old"
    return f"{status.display_name}: {STATE_WORDS[status.state]}, so {reach}."


def excluded_sources(request: BriefingRequest) -> list[SourceStatus]:
    """The systems that gave nothing to this briefing."""
    return [status for status in request.statuses if status.state in ("off", "empty")]


def _status(request: BriefingRequest, system: str) -> SourceStatus | None:
    return next((status for status in request.statuses if status.system == system), None)


def _cause(status: SourceStatus | None, system: str) -> str:
    name = status.display_name if status else {"hubspot": "HubSpot"}.get(system, system.title())
    if status is None or status.state == "off":
        return f"{name} is not connected"
    if status.state == "empty":
        return f"{name} is connected but holds no data yet"
    if status.state == "failed":
        return f"The last load from {name} failed"
    return f"{name} holds nothing for this period"
