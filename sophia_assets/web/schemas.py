"""What the API takes and gives, as types that document themselves.

Belongs here: shapes on the wire. Does not belong here: making what is in them (`api`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sophia_assets.assistant.interface import MOST_CHARACTERS, MOST_TURNS

_LONGEST_CONVERSATION = 100


class ChatContext(BaseModel):
    """What may be said about a question beside itself. Other keys are ignored: who asks is known by the login."""

    model_config = ConfigDict(extra="ignore")

    conversation: list[str] = Field(
        default_factory=list,
        max_length=_LONGEST_CONVERSATION,
        description=f"the earlier questions of the same conversation, oldest first; the newest {MOST_TURNS} count",
        examples=[["How much did we book this quarter?"]],
    )


class ChatRequest(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="ignore")

    query: str = Field(
        min_length=1,
        max_length=MOST_CHARACTERS,
        description="the question in plain English",
        examples=["How much did we book this quarter?"],
    )
    context: ChatContext | None = None


class CitationOut(BaseModel):
    """What an answer rests on. `evidence` are the parameters of /api/evidence that find its rows."""

    id: str
    label: str
    display: str
    period: str
    sources: list[str]
    as_of: str | None = Field(description="ISO 8601, UTC")
    query_hash: str
    evidence: dict[str, Any]


class ChatAnswer(BaseModel):
    """An answer, or why there is none: `status` says which. Send `conversation` back with the next question."""

    status: Literal["answered", "abstained", "clarify", "denied"]
    type: str
    response: str = Field(description="the answer in words")
    results: list[dict[str, Any]] = Field(description="its figures, one object a row")
    insights: list[str]
    citations: list[CitationOut]
    caveats: list[str]
    follow_ups: list[str]
    echo: dict[str, Any] = Field(description="how the question was understood: metrics, grain, period, filters")
    answered_from: str
    writer: str
    latency_ms: float
    is_cached: bool
    conversation: list[str]


class BriefingEntry(BaseModel):
    """A briefing that the principal may read."""

    day: str = Field(description="its last day, YYYY-MM-DD")
    kind: Literal["daily", "weekly"]
    role: str = Field(description="for whom it was written")
    path: str = Field(description="where it is read")


class Briefings(BaseModel):
    """The briefings that the principal may read, the newest first."""

    briefings: list[BriefingEntry]


class BriefingOut(BaseModel):
    """A briefing with its evidence, as `sophia briefing show --json` prints it."""

    model_config = ConfigDict(extra="allow")

    kind: str
    role: str
    date: str
    title: str
    bottom_line: str
    sections: list[dict[str, Any]]
    facts: list[dict[str, Any]]


class LineageOut(BaseModel):
    """One table on the way from a figure to the systems; `asset_key` is its asset's in Dagster."""

    table: str
    kind: Literal["mart", "staging", "raw"]
    reads: list[str]
    asset_key: list[str]
    is_needed: bool
    system: str | None


class EvidenceOut(BaseModel):
    """The rows that a figure counts. For a ratio those of what stands above the line; `parts` finds both."""

    columns: list[str]
    rows: list[dict[str, Any]]
    total_rows: int = Field(description="how many there are; `rows` holds the first of them")
    sql: str
    tables: list[str]
    sources: list[str]
    lineage: list[LineageOut]
    parts: list[dict[str, str]]


class MetricOut(BaseModel):
    """A metric that the principal may see."""

    name: str
    label: str
    description: str
    area: str
    kind: Literal["flow", "stock", "ratio"]
    unit: str
    good: Literal["up", "down", "neutral"]
    owner: str
    definition: str
    dimensions: list[str]
    synonyms: list[str]
    tables: list[str]
    systems: list[str]


class Metrics(BaseModel):
    """The metrics that the principal may see."""

    metrics: list[MetricOut]


class SystemStatus(BaseModel):
    """How one system stands. Moments are ISO 8601, UTC."""

    system: str
    display_name: str
    is_connected: bool
    breaker: str
    told: str
    freshness: str
    loaded_at: str | None
    next_try: str | None


class TableStatus(BaseModel):
    """How old one table or model is. Moments are ISO 8601, UTC."""

    table: str
    state: str
    loaded_at: str | None
    reaches: str | None
    newest_event: str | None


class ProblemOut(BaseModel):
    """Something that is broken."""

    kind: str
    severity: Literal["error", "warning"]
    subject: str
    expected: str
    observed: str
    recovery: str
    since: str | None


class Status(BaseModel):
    """How fresh the data is and how the breakers stand; `problems` for roles that see the platform."""

    at: str
    day: str | None = Field(description="the business day that answers are of")
    systems: list[SystemStatus]
    tables: list[TableStatus]
    problems: list[ProblemOut]


class Usage(BaseModel):
    """What this process served since it started, and what language models cost."""

    served: dict[str, Any]
    models: dict[str, Any]


class Standing(BaseModel):
    """How the process stands."""

    status: Literal["alive", "ready"]


class ErrorDetail(BaseModel):
    """What happened and what to do; `code` stays the same for the same kind of error."""

    code: str
    message: str
    remedy: str


class ErrorOut(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


_ERRORS = {
    400: "The request cannot be read, or its Host is unknown",
    401: "No login, or a token that is unknown, expired or disabled",
    403: "Not for this principal, or a cookie's request without its CSRF token",
    404: "There is none",
    413: "The body is too large",
    414: "The URL is too long",
    415: "The body is of another media type",
    422: "The request is not allowed; `message` says what of it",
    429: "Too many requests; Retry-After says when to try again",
    431: "The headers are too large",
    503: "Busy, or a store cannot be reached; Retry-After says when to try again",
    504: "It took too long",
}
ANYWHERE = (400, 414, 429, 431, 503, 504)
"""What any operation may answer."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of an operation: those, and what may happen anywhere."""
    return {status: {"model": ErrorOut, "description": _ERRORS[status]} for status in sorted({*ANYWHERE, *statuses})}
