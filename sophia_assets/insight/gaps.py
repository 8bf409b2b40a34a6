"""What a briefing cannot say, and why: written by code from the systems' states, never by a writer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sophia_assets.access.roles import may_see
from sophia_assets.insight.names import listed
from sophia_assets.insight.slots import day_phrase
from sophia_assets.insight.writing import BriefingRequest, SourceState, SourceStatus
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.origins import systems_behind
from sophia_assets.sources import registry

STATE_WORDS: dict[SourceState, str] = {
    "fresh": "up to date",
    "stale": "out of date",
    "failed": "last load failed",
    "off": "not connected",
    "empty": "connected, but holds no data",
}


@dataclass(frozen=True)
class Question:
    """Something an executive asks of every briefing: where it is answered, and by which metrics."""

    section: str
    asks: str
    metrics: tuple[str, ...]


QUESTIONS: tuple[Question, ...] = (
    Question("performance", "how sales are doing", ("bookings", "pipeline_value", "win_rate")),
    Question("performance", "recurring revenue", ("mrr",)),
    Question("performance", "overdue invoices", ("overdue_amount",)),
    Question("customers", "customer satisfaction", ("satisfaction_score",)),
    Question("customers", "what customers say in calls", ("calls", "churn_risk_mentions")),
    Question("product", "how much the product is used", ("product_actions",)),
    Question("product", "what the teams delivered", ("issues_completed", "open_bugs")),
)
#: Areas whose unknown figures an executive would miss.
_MISSED_AREAS = frozenset({"sales", "revenue", "customers", "voice", "delivery", "usage"})
_NAMED_AT_MOST = 3


def unanswered(request: BriefingRequest) -> list[Question]:
    """The questions for which there is not a single company-wide fact; none that the reader's role may not ask."""
    known = {fact.metric for fact in request.facts if not fact.dimensions}
    return [
        question
        for question in QUESTIONS
        if not known.intersection(question.metrics)
        and all(may_see(request.role, metric) for metric in question.metrics)
    ]


def gap_sentences(request: BriefingRequest, section: str) -> list[str]:
    """Plain sentences on what a section cannot say, one for each system that is missing."""
    by_system: dict[str, list[str]] = {}
    for question in unanswered(request):
        if question.section == section:
            by_system.setdefault(_missing_system(request, question), []).append(question.asks)
    return [
        f"{_cause(_status(request, system), system)}, so {listed(asks)} {'is' if len(asks) == 1 else 'are'} "
        "missing here."
        for system, asks in by_system.items()
    ]


def unknown_sentences(request: BriefingRequest) -> list[str]:
    """What nobody kept of the day, one sentence for each day since which something is known."""
    metrics = load_catalog().metrics
    since: dict[date, list[str]] = {}
    for entry in request.facts.unknown:
        if entry.metric in metrics and metrics[entry.metric].area in _MISSED_AREAS:
            known_from = entry.since.astimezone(ZoneInfo(request.timezone)).date()
            since.setdefault(known_from, []).append(entry.label[:1].lower() + entry.label[1:])
    sentences = []
    for known_from, labels in sorted(since.items()):
        more = len(labels) - _NAMED_AT_MOST
        named = [*labels[:_NAMED_AT_MOST], *([f"{more} more figures"] if more > 1 else labels[_NAMED_AT_MOST:])]
        verb = "is" if len(labels) == 1 else "are"
        sentences.append(
            f"Of this day {listed(named)} {verb} not known, since no system tells {'it' if verb == 'is' else 'them'} "
            f"for the past and nothing was read before {day_phrase(known_from)}."
        )
    return sentences


def no_targets_sentence(request: BriefingRequest) -> str | None:
    """Says that no metric has a target, where that is so."""
    if any(fact.target is not None for fact in request.facts):
        return None
    return "No targets are set for these metrics."


def stale_sentence(status: SourceStatus) -> str | None:
    """A warning about data that is older than it should be, or held back by its checks; None where neither is so."""
    warnings: list[str] = []
    if status.rollout.is_withheld:
        return None  # no figure of it is shown
    if status.state in ("stale", "failed"):
        reach = f"reach to {day_phrase(status.newest_data)}" if status.newest_data else "may be old"
        why = status.not_asked or STATE_WORDS[status.state]
        warnings.append(f"{status.display_name}: {why}, so {_serves(status)}its figures {reach}.")
    for reached in sorted(set(status.held_back.values()), key=lambda day: (day is not None, day)):
        names = [table_in_words(table) for table, day in sorted(status.held_back.items()) if day == reached]
        follows = f"reach to {day_phrase(reached)}" if reached else "are left out"
        warnings.append(
            f"{status.display_name}: {listed(names)} did not pass the checks, so figures that rest on that {follows}."
        )
    return " ".join(warnings) or None


def _serves(status: SourceStatus) -> str:
    return "the last good data serves and " if status.not_asked else ""


def table_in_words(table: str) -> str:
    """`deal history` for `hubspot.deal_history`."""
    return table.split(".")[-1].replace("_", " ")


def excluded_sources(request: BriefingRequest) -> list[SourceStatus]:
    """The systems that gave nothing to this briefing."""
    return [status for status in request.statuses if status.state in ("off", "empty") or status.rollout.is_withheld]


def exclusion_reason(status: SourceStatus) -> str:
    """Why a system gave nothing to the briefing."""
    is_there = status.state not in ("off", "empty")
    return "taken back" if is_there and status.rollout.is_withheld else STATE_WORDS[status.state]


def _missing_system(request: BriefingRequest, question: Question) -> str:
    """The system that keeps a question from being answered: the first that is not connected, else the first."""
    systems = systems_behind(question.metrics[0])
    return next(
        (name for name in systems if (status := _status(request, name)) is None or status in excluded_sources(request)),
        systems[0],
    )


def _status(request: BriefingRequest, system: str) -> SourceStatus | None:
    return next((status for status in request.statuses if status.system == system), None)


def _cause(status: SourceStatus | None, system: str) -> str:
    name = status.display_name if status else registry.display_name(system)
    if status is None or status.state == "off":
        return f"{name} is not connected"
    if status.state == "empty":
        return f"{name} is connected but holds no data yet"
    if status.rollout.is_withheld:
        return f"{name} is taken back for now"
    if status.state == "failed" and status.not_asked:
        return f"{name} is {status.not_asked}"
    if status.state == "failed":
        return f"The last load from {name} failed"
    if status.held_back:
        return f"What came from {name} did not pass its checks"
    return f"{name} holds nothing for this period"
