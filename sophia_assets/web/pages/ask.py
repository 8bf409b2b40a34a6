"""The question box: an answer as a page, or, for the page's script, as events.

Belongs here: the routes of questions. Does not belong here: answering (`assistant`), how an answer is laid out
(`cards`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sophia_assets.access.principal import Principal
from sophia_assets.assistant.interface import MOST_CHARACTERS, MOST_TURNS, Question
from sophia_assets.web.api import answered
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.failures import refusal_of
from sophia_assets.web.page import csrf_of, environment, render
from sophia_assets.web.pages.cards import card, conversation
from sophia_assets.web.state import state_of

router = APIRouter(include_in_schema=False)
_STREAM = "text/event-stream"
_COMMENT_SECONDS = 5.0
_EXAMPLES: dict[str, tuple[str, ...]] = {
    "sales": ("How much did we book this quarter?", "Who are the top 5 owners by bookings this quarter?"),
    "finance": ("How did monthly recurring revenue develop over the last 12 months?",),
    "customer": ("How satisfied are customers?", "What do customers say about pricing?"),
    "engineering": ("How many issues were completed last month?", "How many open bugs are there by team?"),
    "product": ("How much was the product used last month?",),
    "platform": ("How current is the data?",),
}
_MOST_EXAMPLES = 6


@router.get("/ask")
async def ask_page(request: Request, principal: CurrentPrincipal, q: str = "") -> Response:
    """The empty page; `q` is put into the box, and not asked: a link must not ask in somebody's name."""
    return _page(request, principal, prefilled=q[:MOST_CHARACTERS])


@router.post("/ask")
async def ask(request: Request, principal: CurrentPrincipal) -> Response:
    """Answers the form's `question`, asked after those of `earlier`."""
    question = _question(await request.form(max_files=0, max_fields=100), principal)
    wants_events = _STREAM in request.headers.get("accept", "")
    problem = _problem(question.text)
    if wants_events:
        return StreamingResponse(
            _events(request, question, problem), media_type=_STREAM, headers={"X-Accel-Buffering": "no"}
        )
    if problem:
        return _page(request, principal, status=422, prefilled=question.text[:MOST_CHARACTERS], problem=problem)
    answer = await answered(request, question)
    laid_out = card(question, answer, state_of(request).services.settings.tzinfo)
    return _page(request, principal, card=laid_out, earlier=conversation(question))


def _question(form: FormData, principal: Principal) -> Question:
    text = form.get("question")
    earlier = [each for each in form.getlist("earlier") if isinstance(each, str)]
    kept = [each for each in earlier if each.strip() and len(each) <= MOST_CHARACTERS]
    return Question(text.strip() if isinstance(text, str) else "", principal, tuple(kept[-MOST_TURNS:]))


def _problem(text: str) -> str:
    """Why a text is no question that can be asked; empty where it can."""
    if not text:
        return "Write a question first."
    return f"A question may have {MOST_CHARACTERS} characters." if len(text) > MOST_CHARACTERS else ""


def _page(
    request: Request,
    principal: Principal,
    *,
    status: int = 200,
    prefilled: str = "",
    problem: str = "",
    card: dict[str, Any] | None = None,
    earlier: Sequence[str] = (),
) -> Response:
    return render(
        request,
        "ask.html",
        status_code=status,
        prefilled=prefilled,
        problem=problem,
        card=card,
        earlier=earlier,
        examples=_examples(principal),
    )


def _examples(principal: Principal) -> list[str]:
    """Questions that the reader's role may ask."""
    from sophia_assets.access.roles import role_named

    areas = role_named(principal.role).areas
    found = [text for area, texts in _EXAMPLES.items() if area in areas for text in texts]
    return found[:_MOST_EXAMPLES]


async def _events(request: Request, question: Question, problem: str) -> AsyncIterator[bytes]:
    """`answer` with the answer laid out, or `failed` with what happened; comments while it is being made."""
    if problem:
        yield _event("failed", {"message": problem})
        return
    asking = asyncio.ensure_future(answered(request, question))
    try:
        yield b": asked\n\n"
        while not (await asyncio.wait({asking}, timeout=_COMMENT_SECONDS))[0]:
            yield b": still working\n\n"
        answer = asking.result()
        laid_out = card(question, answer, state_of(request).services.settings.tzinfo)
        html = environment().get_template("answer.html").render(card=laid_out, csrf_token=csrf_of(request))
        yield _event("answer", {"html": html, "said": answer.response, "conversation": conversation(question)})
    except Exception as error:
        refused = refusal_of(error)
        yield _event("failed", {"message": f"{refused.message[:1].upper()}{refused.message[1:]}. {refused.remedy}"})
    finally:
        asking.cancel()


def _event(name: str, content: dict[str, Any]) -> bytes:
    """One event. JSON holds no line breaks, so that its data is one line."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(content) + b"\n\n"
