"""The login and the logout of people: a token in a form, or the one link of a process on one's own machine.

Belongs here: opening and closing sessions. Does not belong here: finding out whose a request is (`authentication`).
"""

from __future__ import annotations

import secrets
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sophia_assets.access.principal import Principal
from sophia_assets.web.authentication import (
    CSRF_FIELD,
    NOBODY,
    audited_address,
    cookie_name,
    current_principal,
    find_session,
    is_https,
    is_same,
    safe_next,
    set_session,
    timings_of,
    wrong_csrf,
)
from sophia_assets.web.failures import NotLoggedIn, too_many
from sophia_assets.web.page import render
from sophia_assets.web.state import WebState, state_of

if TYPE_CHECKING:
    from sophia_assets.access.audit_chain import Outcome

router = APIRouter(include_in_schema=False)
_USED = "This link has been used. Start `sophia serve` again for a new one, or log in with a token."
_NO_LINK = "This link logs nobody in. Log in with a token."
_WRONG = "This token is unknown, expired or disabled."


@router.get("/login")
async def login_page(request: Request, next: str = "/", token: str = "") -> Response:
    """The login; with the one token of a process on one's own machine, straight on."""
    state = state_of(request)
    target = safe_next(next)
    if token:
        return await _log_in(request, state, token, target, by_link=True)
    if await find_session(state, request.cookies.get(cookie_name(request), "")):
        return RedirectResponse(target, 303)
    return _login_form(request, target)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Takes the form of the login page: `token`, `next`, `csrf_token`."""
    form = {
        name: value
        for name, value in (await request.form(max_files=0, max_fields=10)).items()
        if isinstance(value, str)
    }
    if not is_same(form.get(CSRF_FIELD), request.cookies.get(_form_cookie(request), "")) or _is_foreign(request):
        raise wrong_csrf()
    return await _log_in(request, state_of(request), form.get("token", "").strip(), safe_next(form.get("next")))


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Ends the session."""
    state, response = state_of(request), RedirectResponse("/login", 303)
    try:
        principal = await current_principal(request)
    except NotLoggedIn:
        return response
    session_id = request.cookies.get(cookie_name(request), "")
    await _record(state, principal, "logout", "allowed", request)
    if state.local is not None and state.local.find(session_id):
        state.local.close(session_id)
    elif session_id:
        await state.reads.run(state.services.sessions.close, session_id)
    response.delete_cookie(cookie_name(request), path="/", secure=is_https(request), httponly=True, samesite="lax")
    response.headers["clear-site-data"] = '"cache"'
    return response


async def _log_in(request: Request, state: WebState, token: str, target: str, *, by_link: bool = False) -> Response:
    """Opens a session for whoever has the token. Whatever session the browser had before ends.

    No user's token works in a link: another site's link would log its readers in as somebody else, who then sees in the
    audit trail what they ask.
    """
    started = perf_counter()
    if wait := state.limits.logins.take(audited_address(request)):
        raise too_many(wait)
    seconds = state.settings.session_hours * 3600
    response = RedirectResponse(target, 303)
    if state.local is not None and state.local.is_its_token(token):
        await _record(state, state.local.principal, "login", "denied" if state.local.is_used else "allowed", request)
        if (local := state.local.open(token, seconds)) is None:
            return _login_form(request, target, _USED, 401)
        set_session(request, response, local, seconds)
        return response
    user = await state.reads.run(state.services.users.with_token, token) if token and not by_link else None
    if user is None:
        await _record(state, NOBODY, "login", "denied", request)
        return _login_form(request, target, _NO_LINK if by_link else _WRONG, 401)
    await _record(state, user.principal("page"), "login", "allowed", request)
    if before := request.cookies.get(cookie_name(request), ""):
        await state.reads.run(state.services.sessions.close, before)
    ticket = await state.reads.run(state.services.sessions.open, user.name, seconds)
    set_session(request, response, ticket, seconds)
    timings_of(request).add("login", started)
    return response


async def _record(state: WebState, who: Principal, action: str, outcome: Outcome, request: Request) -> None:
    details = {"address": audited_address(request)}
    await state.reads.run(state.services.audit.record, who, action, "web", outcome, details)


def _login_form(request: Request, target: str, message: str = "", status: int = 200) -> HTMLResponse:
    """The page, with a secret of its own in a cookie and in the form: nobody else's page can log a reader in."""
    secret = secrets.token_urlsafe(24)
    request.scope["state"]["csrf"] = secret
    is_local = state_of(request).local is not None
    response = render(request, "login.html", status_code=status, next=target, problem=message, is_local=is_local)
    response.set_cookie(
        _form_cookie(request),
        secret,
        max_age=3600,
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="strict",
    )
    return response


def _form_cookie(request: Request) -> str:
    return "__Host-sophia-form" if is_https(request) else "sophia-form"


def _is_foreign(request: Request) -> bool:
    """Whether a browser says that the form was sent from another site."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    # A page that sends no referrer makes its form's origin `null`.
    if origin in (None, "null"):
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    except ValueError:
        return True
