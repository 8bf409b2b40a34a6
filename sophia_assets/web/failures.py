"""Refusals and failures as readers meet them: one JSON shape for the API, one page for people, no stack traces.

Belongs here: which failure is which status, and how it is told. Does not belong here: deciding to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from fastapi.exceptions import RequestValidationError
from jinja2 import TemplateNotFound
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sophia_assets.errors import (
    AccessDenied,
    AuditUnavailable,
    BriefingMissing,
    ConfigurationError,
    ControlStoreUnavailable,
    SophiaError,
    WarehouseBusy,
    WarehouseUnavailable,
)
from sophia_assets.telemetry.logs import get_logger
from sophia_assets.web.work import Overloaded

_log = get_logger(__name__)
_API_PATHS = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_LATER = "Try again in a few seconds"


class Refused(Exception):
    """A request that is not served: its status, a stable word for it, what happened, and what to do."""

    def __init__(
        self, status: int, code: str, message: str, remedy: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy
        self.headers = dict(headers or {})


class NotLoggedIn(Refused):
    """Nobody, or somebody unknown, asks. People are led to the login."""

    def __init__(self, message: str = "this needs a login", *, remedy: str = "") -> None:
        remedy = remedy or "Send a token as `Authorization: Bearer sophia_...`; `sophia users add` makes one"
        headers = {"WWW-Authenticate": 'Bearer realm="sophia"'}
        super().__init__(401, "not_logged_in", message, remedy, headers=headers)


def unknown_token() -> NotLoggedIn:
    """A token was shown that nobody has."""
    return NotLoggedIn("the token is unknown, expired or disabled", remedy="Ask whoever runs Sophia for a new one")


def too_many(seconds: int) -> Refused:
    """More than the rate allows."""
    remedy = f"Try again in {seconds} s"
    return Refused(429, "too_many_requests", "too many requests", remedy, headers={"Retry-After": str(seconds)})


def busy(seconds: int = Overloaded.retry_after) -> Refused:
    """No thread is free and no more may wait."""
    headers = {"Retry-After": str(seconds)}
    return Refused(503, "busy", "too many questions are being answered", _LATER, headers=headers)


def unavailable(message: str, remedy: str = _LATER) -> Refused:
    """A store that is needed cannot be reached."""
    return Refused(503, "unavailable", message, remedy, headers={"Retry-After": "5"})


def refusal_of(error: Exception) -> Refused:
    """How a failure is told. What an outage says of machines and paths is for the log, never for readers."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Overloaded):
        return busy()
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors())
    if isinstance(error, HTTPException):
        return _of_status(error)
    if isinstance(error, SophiaError):
        return _of_sophia(error)
    _log.error("a request failed", exc_info=error)
    return Refused(500, "failed", "this failed for a reason that is not the request's", "Tell whoever runs Sophia")


def as_response(request: Request, refused: Refused) -> Response:
    """The refusal for whoever asks: JSON for the API; for people the login, or a page."""
    if is_api(request.url.path) or "text/html" not in request.headers.get("accept", ""):
        return json_response(refused)
    if isinstance(refused, NotLoggedIn):
        return RedirectResponse(f"/login?next={quote(_here(request), safe='')}", 303)
    return _page(request, refused)


def json_response(refused: Refused) -> Response:
    """The one shape of every error of the API."""
    return Response(error_body(refused), refused.status, refused.headers, "application/json")


def error_body(refused: Refused) -> bytes:
    """`{"error": {"code", "message", "remedy"}}`."""
    error = {"code": refused.code, "message": refused.message, "remedy": refused.remedy}
    return orjson.dumps({"error": error})


def is_api(path: str) -> bool:
    """Whether programs ask there."""
    return path.startswith(_API_PATHS)


def _here(request: Request) -> str:
    if request.method not in ("GET", "HEAD"):
        return "/"
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _page(request: Request, refused: Refused) -> Response:
    from sophia_assets.web.page import render

    try:
        response: Response = render(
            request,
            "error.html",
            status_code=refused.status,
            status=refused.status,
            message=refused.message,
            remedy=refused.remedy,
        )
    except TemplateNotFound:
        text = f"<!doctype html><title>Sophia</title><h1>{escape(refused.message)}</h1><p>{escape(refused.remedy)}</p>"
        response = HTMLResponse(text, refused.status)
    response.headers.update(refused.headers)
    return response


def _invalid(problems: Sequence[Any]) -> Refused:
    """What is wrong with a request, without repeating what was sent."""
    if any(problem.get("type") == "json_invalid" for problem in problems):
        return Refused(400, "not_json", "the body is no JSON", 'Send such as {"query": "How much did we book?"}')
    told = []
    for problem in problems[:5]:
        place = ".".join(str(part)[:60] for part in problem.get("loc", ())).encode("ascii", "replace").decode()
        told.append(f"{place}: {problem.get('msg', 'is not allowed')}")
    return Refused(422, "invalid_request", "; ".join(told), "See /openapi.json for what each operation takes")


def _of_status(error: HTTPException) -> Refused:
    phrase = HTTPStatus(error.status_code).phrase.lower()
    code = phrase.replace(" ", "_")
    remedies = {404: "See /openapi.json for what there is", 405: "Use one of the methods in the Allow header"}
    if error.status_code == 400:
        return Refused(400, code, "the request cannot be read", "See /openapi.json for what each operation takes")
    if error.status_code == 413:
        return Refused(413, "body_too_large", "the body is too large", headers={"Connection": "close"})
    return Refused(error.status_code, code, phrase, remedies.get(error.status_code, ""), headers=error.headers)


def _of_sophia(error: SophiaError) -> Refused:
    from sophia_assets.metrics.on_demand import Unmeasurable
    from sophia_assets.warehouse.reading import QueryStopped

    if isinstance(error, AccessDenied):
        return Refused(403, "denied", error.message, error.remedy or "Ask whoever runs Sophia for another role")
    if isinstance(error, BriefingMissing):
        return Refused(404, "no_briefing", error.message, "GET /api/briefings lists those that there are")
    if isinstance(error, AuditUnavailable):
        _log.error("access cannot be recorded", problem=error)
        return unavailable("access cannot be recorded at present, so nothing is shown")
    if isinstance(error, ControlStoreUnavailable | WarehouseBusy | WarehouseUnavailable):
        _log.error("a store cannot be used", problem=error)
        return unavailable("a store that this needs cannot be reached at present")
    if isinstance(error, ConfigurationError | Unmeasurable):
        return Refused(422, "invalid_request", error.message, error.remedy or "")
    if isinstance(error, QueryStopped):
        return Refused(504, "timeout", error.message, error.remedy or "")
    _log.error("a request failed", problem=error)
    return unavailable("this cannot be served at present")
