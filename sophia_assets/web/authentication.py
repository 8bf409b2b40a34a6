"""Who asks: a bearer token for programs, a session cookie for people.

Belongs here: how a request proves who it is. Does not belong here: users and sessions themselves (`access`), the login
page (`logins`), what somebody may see (`access.policies`).
"""

from __future__ import annotations

import hmac
import re
from time import perf_counter
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets.access.principal import Principal
from sophia_assets.telemetry.logs import bind
from sophia_assets.web.failures import NotLoggedIn, Refused, too_many, unknown_token
from sophia_assets.web.limits import address_key
from sophia_assets.web.state import WebState, state_of
from sophia_assets.web.work import Timings

if TYPE_CHECKING:
    from sophia_assets.access.sessions import Ticket
    from sophia_assets.web.local_login import LocalTicket

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
NOBODY = Principal("nobody", "nobody", "page")
"""Whoever has not shown who they are, in the audit trail: of no role, so that nothing is ever answered for it."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_TOKEN = re.compile(r"sophia_[A-Za-z0-9_-]{20,200}")
_SESSION_ID = re.compile(r"[A-Za-z0-9_.~-]{16,200}")


async def current_principal(request: Request) -> Principal:
    """The dependency of everything that shows or changes something.

    Raises NotLoggedIn (401 for the API, the login for people), Refused for a wrong CSRF token or too many requests.
    """
    started = perf_counter()
    state = state_of(request)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        principal = await _by_token(request, state, authorization)
    else:
        principal = await _by_session(request, state)
    request.scope["state"]["principal"] = principal
    bind(principal=principal.name, role=principal.role, channel=principal.channel)
    if wait := state.limits.principal.take(principal.name):
        raise too_many(wait)
    timings_of(request).add("login", started)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def timings_of(request: Request) -> Timings:
    """The timings of this request."""
    found: Timings = request.scope["state"]["timings"]
    return found


def cookie_name(request: Request) -> str:
    """The session's cookie; by https its prefix binds it to this host alone."""
    return "__Host-sophia" if is_https(request) else "sophia"


def is_https(request: Request) -> bool:
    """Whether the reader came by https, to here or to the proxy in front."""
    return bool(request.scope["scheme"] == "https")


def set_session(request: Request, response: Response, ticket: Ticket | LocalTicket, seconds: int) -> None:
    """Gives the browser its session."""
    response.set_cookie(
        cookie_name(request),
        ticket.id,
        max_age=seconds,
        path="/",
        secure=is_https(request),
        httponly=True,
        samesite="lax",
    )


def safe_next(target: str | None) -> str:
    """A path of this site to go on to; `/` for everything that may lead elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or len(target) > 2000:
        return "/"
    if "\\" in target or not target.isascii() or any(character <= " " or character == "\x7f" for character in target):
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    is_elsewhere = parts.scheme or parts.netloc or parts.path.startswith("//")
    return "/" if is_elsewhere or parts.path.rstrip("/") in ("/login", "/logout") else target


def audited_address(request: Request) -> str:
    """The address for the audit trail and for rates."""
    return address_key(request.client.host if request.client else None)


async def record_refusal(request: Request, state: WebState, what: str) -> None:
    """Writes down a refused credential, at most so many a minute of one address. Raises Refused beyond."""
    address = audited_address(request)
    if wait := state.limits.refusals.take(address):
        raise too_many(wait)
    details = {"address": address, "by": what}
    await state.reads.run(state.services.audit.record, NOBODY, "token.refused", "web", "denied", details)


async def _by_token(request: Request, state: WebState, authorization: str) -> Principal:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        await record_refusal(request, state, "bearer")
        raise unknown_token()
    user = await state.reads.run(state.services.users.with_token, token)
    if user is None:
        await record_refusal(request, state, "bearer")
        raise unknown_token()
    return user.principal("api")


async def _by_session(request: Request, state: WebState) -> Principal:
    session_id = request.cookies.get(cookie_name(request), "")
    found = await find_session(state, session_id)
    if found is None:
        raise NotLoggedIn
    principal, csrf = found
    request.scope["state"]["csrf"] = csrf
    if request.method not in _SAFE:
        await _check_csrf(request, csrf)
    return principal


async def find_session(state: WebState, session_id: str) -> tuple[Principal, str] | None:
    """Whose session it is, and its CSRF token; None where it is nobody's (any more)."""
    if not _SESSION_ID.fullmatch(session_id):
        return None
    if state.local is not None and (local := state.local.find(session_id)):
        return state.local.principal, local.csrf
    found = await state.reads.run(state.services.sessions.find, session_id)
    if found is None:
        return None
    user, ticket = found
    return user.principal("page"), ticket.csrf


async def _check_csrf(request: Request, csrf: str) -> None:
    """What changes something must come from a page of this session: by header, or by a form's field."""
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        field = (await request.form(max_files=0, max_fields=100)).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if not is_same(given, csrf):
        raise wrong_csrf()


def wrong_csrf() -> Refused:
    """A form that is not of this session."""
    return Refused(403, "wrong_csrf_token", "this form is not of your session", "Open the page again and repeat it")


def is_same(given: str | None, held: str) -> bool:
    """Whether two secrets are equal, in constant time; nothing equals none."""
    if not given or not held:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), held.encode())
