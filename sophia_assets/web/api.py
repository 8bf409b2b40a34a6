"""The API: questions, briefings, evidence, definitions, status.

Belongs here: taking requests apart and putting answers on the wire. Does not belong here: who may see what and the
record of it (`desk`), answering (`assistant`).
"""

from __future__ import annotations

from datetime import date
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets.access.policies import may_see_platform
from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import ROLES
from sophia_assets.assistant.interface import MOST_CHARACTERS, MOST_TURNS, Answer, Question, answer_as_json
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.web import schemas
from sophia_assets.web.authentication import CurrentPrincipal, timings_of
from sophia_assets.web.failures import Refused
from sophia_assets.web.schemas import ChatRequest, errors
from sophia_assets.web.state import state_of
from sophia_assets.web.streaming import EVENT, MEDIA_TYPE, event_stream

if TYPE_CHECKING:
    from sophia_assets.desk import Desk
    from sophia_assets.services import Services

router = APIRouter(prefix="/api", tags=["api"])
Kind = Literal["daily", "weekly"]
Edition = Literal["executive", "sales_leader", "engineering_leader", "analyst", "auditor"]
_KINDS = {"daily": DAILY, "weekly": WEEKLY}
_STREAM: dict[str, Any] = {MEDIA_TYPE: {"itemSchema": EVENT}}
_EITHER: dict[int | str, dict[str, Any]] = {
    200: {"content": _STREAM, "description": "The answer, or the events that lead to it"}
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": _STREAM, "description": "`understood`, `answer` and `done`, or `error`; their data is JSON"}
}


@router.post(
    "/chat",
    response_model=schemas.ChatAnswer,
    responses={**errors(401, 403, 413, 415, 422), **_EITHER},
    operation_id="chat",
    summary="Ask a question",
)
async def chat(request: Request, body: ChatRequest, principal: CurrentPrincipal) -> Response:
    """Answers from the data that the principal may see. With `Accept: text/event-stream`, as /api/chat/stream does."""
    question = question_of(body, principal)
    if MEDIA_TYPE in request.headers.get("accept", ""):
        return event_stream(request, question)
    answer = await answered(request, question)
    return as_json(chat_answer(question, answer))


@router.post(
    "/chat/stream",
    response_class=Response,
    responses={**errors(401, 403, 413, 415, 422), **_EVENTS},
    operation_id="chat_stream",
    summary="Ask a question and follow its way",
)
async def chat_stream(request: Request, body: ChatRequest, principal: CurrentPrincipal) -> Response:
    """The same answer as events. Nothing of it is sent before it was checked."""
    return event_stream(request, question_of(body, principal))


@router.get(
    "/briefings",
    response_model=schemas.Briefings,
    responses=errors(401),
    operation_id="briefings",
    summary="List the briefings",
)
async def briefings(request: Request, principal: CurrentPrincipal) -> Response:
    """Those that the principal may read, in its own role's edition, the newest first."""
    state = state_of(request)
    entries = []
    for name, kind in _KINDS.items():
        days = await state.reads.run(state.desk.days, principal, kind)
        where = "" if name == "daily" else f"?kind={name}"
        entries += [
            {"day": day.isoformat(), "kind": name, "role": principal.role, "path": f"/api/briefings/{day}{where}"}
            for day in days
        ]
    entries.sort(key=lambda entry: (entry["day"], entry["kind"]), reverse=True)
    return as_json({"briefings": entries})


@router.get(
    "/briefings/{day}",
    response_model=schemas.BriefingOut,
    responses=errors(401, 403, 404, 422),
    operation_id="briefing",
    summary="Read a briefing",
)
async def briefing(
    request: Request,
    day: Literal["newest"] | date,
    principal: CurrentPrincipal,
    kind: Kind = "daily",
    role: Annotated[Edition | None, Query(description="whose edition; the principal's own unless given")] = None,
) -> Response:
    """The briefing that covers a day, with its facts and evidence."""
    state = state_of(request)
    which = day if isinstance(day, date) else None
    content = await state.reads.run(state.desk.briefing, principal, which, _KINDS[kind], role)
    return as_json(content)


@router.get(
    "/metrics",
    response_model=schemas.Metrics,
    responses=errors(401),
    operation_id="metrics",
    summary="List the metrics",
)
async def metrics(request: Request, principal: CurrentPrincipal) -> Response:
    """The definitions of the metrics that the principal may see."""
    state = state_of(request)
    return as_json({"metrics": await state.reads.run(_visible_metrics, state.desk, principal)})


@router.get(
    "/status",
    response_model=schemas.Status,
    responses=errors(401),
    operation_id="status",
    summary="How fresh the data is",
)
async def status(request: Request, principal: CurrentPrincipal) -> Response:
    """How fresh every table is and how the breakers stand; a few seconds old at most."""
    state = state_of(request)
    found = await state.reads.run(state.board.read)
    problems = found["problems"] if may_see_platform(principal) else []
    return as_json({**found, "problems": problems})


@router.get(
    "/usage",
    response_model=schemas.Usage,
    responses=errors(401, 403, 422),
    operation_id="usage",
    summary="What was served and what models cost",
)
async def usage(
    request: Request, principal: CurrentPrincipal, days: Annotated[int, Query(ge=1, le=400)] = 7
) -> Response:
    """What this process served since it started, and what language models cost in so many days, with today."""
    if not may_see_platform(principal):
        raise Refused(403, "denied", f"{principal.name} does not see the platform", "Ask for another role")
    state = state_of(request)
    models = await state.reads.run(_model_usage, state.services, days)
    return as_json({"served": state.counts.as_json(), "models": models})


async def answered(request: Request, question: Question) -> Answer:
    """Asks the assistant on a thread of its own. Raises Overloaded where too many wait already."""
    started = perf_counter()
    state = state_of(request)
    answer = await state.answers.run(state.desk.ask, question)
    state.counts.answered(answer.status, is_cached=answer.is_cached)
    timings_of(request).add("answer", started)
    return answer


def question_of(body: ChatRequest, principal: Principal) -> Question:
    """The question with what was asked before it. Earlier ones that are no questions are left out."""
    given = body.context.conversation if body.context else []
    earlier = [text for text in given if text.strip() and len(text) <= MOST_CHARACTERS]
    return Question(body.query, principal, tuple(earlier[-MOST_TURNS:]))


def chat_answer(question: Question, answer: Answer) -> dict[str, Any]:
    """The answer with the conversation to send back with the next question."""
    return {**answer_as_json(answer), "conversation": [*question.earlier, question.text][-MOST_TURNS:]}


def as_json(content: Any) -> Response:
    """JSON with everything that answers hold: days, moments (UTC), decimals, figures without a value."""
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_NAIVE_UTC
    return Response(orjson.dumps(content, default=str, option=options), media_type="application/json")


def _visible_metrics(desk: Desk, principal: Principal) -> list[dict[str, Any]]:
    from sophia_assets.metrics.catalog import load_catalog
    from sophia_assets.metrics.descriptions import definition, summary
    from sophia_assets.warehouse.models import load_models

    catalog, models = load_catalog(), load_models()
    wanted = schemas.MetricOut.model_fields
    found = []
    for metric in desk.metrics(principal):
        everything = {
            **summary(catalog, metric, models),
            "description": metric.description,
            "definition": definition(catalog, metric),
            "dimensions": list(metric.dimensions),
            "synonyms": list(metric.synonyms),
        }
        found.append({name: everything[name] for name in wanted})
    return found


def _model_usage(services: Services, days: int) -> dict[str, Any]:
    from sophia_assets.llm.usage_report import read_usage

    settings = services.settings
    report = read_usage(services.control, settings.llm, days=days, by="purpose", timezone=settings.tzinfo)
    return report.as_json()


assert set(ROLES) == set(get_args(Edition))
