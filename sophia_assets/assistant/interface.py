"""What goes through the assistant: a question, how it was read, the answer.

Belongs here: the types that its parts share, and their JSON. Does not belong here: anything that decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from sophia_assets.access.principal import Principal
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.filters import Filter

MOST_CHARACTERS = 500
"""A longer question is refused."""
MOST_TURNS = 6
"""So many earlier questions of a conversation are looked back on, the newest."""

Status = Literal["answered", "abstained", "clarify", "denied"]


class Intent(StrEnum):
    """What a question asks for; the `type` of its answer."""

    VALUE = "value"  # how much, how many
    COMPARISON = "comparison"  # metrics, periods or entities side by side
    RANKING = "ranking"  # top or bottom N, who is the best
    BREAKDOWN = "breakdown"  # by owner, per industry
    TREND = "trend"  # how it went over time
    EXPLANATION = "explanation"  # why
    OVERVIEW = "overview"  # how are we doing, what needs attention, how is an account doing
    QUOTES = "quotes"  # what do customers say about
    DEFINITION = "definition"  # what does a metric mean, how is it computed
    FRESHNESS = "freshness"  # how current is the data, what is broken
    HELP = "help"  # what can be asked


@dataclass(frozen=True)
class Question:
    """A question as it was asked: `earlier` are the questions of the same conversation before it, oldest first."""

    text: str
    principal: Principal
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How a question was read. Everything in it is of the catalog, the calendar, or the data's own names.

    `period` is what is measured, `compared_to` what it is held against, both None where the metric's own are meant
    (a stock's day, a flow's first period). `grain` is that of a trend. `metrics` are in the order of the question; a
    comparison of metrics has two or more. `dimension` is what it is broken down or ranked by. `search` are the words
    that quotes are looked for by. `assumptions` are said with the answer: `"sales" is taken as bookings`.
    """

    intent: Intent
    metrics: tuple[str, ...] = ()
    period: Period | None = None
    compared_to: Period | None = None
    grain: Literal["week", "month", "quarter"] | None = None
    dimension: str | None = None
    filters: tuple[Filter, ...] = ()
    limit: int | None = None
    order: Literal["largest", "smallest"] = "largest"
    search: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotRead:
    """A question that is not answered: why, in a sentence to the reader, and questions that would be.

    `clarify` asks back (`choices` are whole questions to pick from), `abstained` says that the data cannot answer.
    """

    status: Literal["clarify", "abstained", "denied"]
    reason: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Citation:
    """What an answer rests on: a fact with its evidence, or a quote's record.

    `evidence` holds the parameters that find its rows again (`metrics.drill_down.Evidence`); `as_of` is ISO 8601, UTC.
    """

    id: str
    label: str
    display: str
    period: str
    sources: tuple[str, ...]
    as_of: str | None
    query_hash: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An answer, or why there is none.

    `response` is the answer in words, `results` the figures as rows (an object each, keys in the order of the columns),
    `insights` further sentences that the facts bear out. `echo` says what was understood: metric labels, grain,
    period, filters. `answered_from` is `briefing of 2026-11-20` or `data`; `writer` who phrased it.
    """

    status: Status
    type: str
    response: str
    results: tuple[Mapping[str, Any], ...] = ()
    insights: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    caveats: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    echo: Mapping[str, Any] = field(default_factory=dict)
    answered_from: str = ""
    writer: str = "offline"
    latency_ms: float = 0.0
    is_cached: bool = False

    def timed(self, milliseconds: float, *, is_cached: bool) -> Answer:
        """The same answer with how long it took this time."""
        return replace(self, latency_ms=round(milliseconds, 1), is_cached=is_cached)


def answer_as_json(answer: Answer) -> dict[str, Any]:
    """The public JSON form of an answer."""
    return {
        "status": answer.status,
        "type": answer.type,
        "response": answer.response,
        "results": [dict(row) for row in answer.results],
        "insights": list(answer.insights),
        "citations": [
            {
                "id": each.id,
                "label": each.label,
                "display": each.display,
                "period": each.period,
                "sources": list(each.sources),
                "as_of": each.as_of,
                "query_hash": each.query_hash,
                "evidence": dict(each.evidence),
            }
            for each in answer.citations
        ],
        "caveats": list(answer.caveats),
        "follow_ups": list(answer.follow_ups),
        "echo": dict(answer.echo),
        "answered_from": answer.answered_from,
        "writer": answer.writer,
        "latency_ms": answer.latency_ms,
        "is_cached": answer.is_cached,
    }
