"""The web process as one application: pages, API, and what stands before both.

Belongs here: putting the parts together, beginning and end. Does not belong here: listening (`server`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from ipaddress import ip_address
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets import __version__
from sophia_assets.errors import SophiaError
from sophia_assets.mcp_server.http import ToolsOverHttp
from sophia_assets.telemetry.logs import get_logger
from sophia_assets.web import api, evidence_api, logins, metrics, pages, watching
from sophia_assets.web.authentication import current_principal
from sophia_assets.web.failures import Refused, as_response, refusal_of
from sophia_assets.web.guarding import Guarding
from sophia_assets.web.limits import Limits
from sophia_assets.web.local_login import LocalLogin
from sophia_assets.web.openapi import describe
from sophia_assets.web.state import WebState
from sophia_assets.web.work import Overloaded, WorkPool

if TYPE_CHECKING:
    from sophia_assets.services import Services
    from sophia_assets.settings.web import WebSettings

_log = get_logger(__name__)
PRINCIPAL_PER_MINUTE, ADDRESS_PER_MINUTE = 600, 1_200
_READERS = 8
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def create_app(
    services: Services,
    *,
    settings: WebSettings | None = None,
    local: LocalLogin | None = None,
    is_behind_proxy: bool = False,
) -> FastAPI:
    """The application. `settings` are those of `services` unless given; `local` logs in without a user.

    Closing `services` is the caller's.
    """
    settings = settings or services.settings.web
    state = WebState(
        services,
        settings,
        answers=WorkPool("answer", settings.threads, settings.waiting),
        reads=WorkPool("read", _READERS, settings.waiting),
        limits=_limits(settings, is_loopback(settings.host) and not is_behind_proxy),
        local=local,
        is_behind_proxy=is_behind_proxy,
    )
    app = FastAPI(
        title="Sophia",
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.web = state
    app.add_middleware(Guarding, state=state, hosts=_hosts(settings))
    for failure in (Refused, Overloaded, SophiaError, RequestValidationError, HTTPException):
        app.add_exception_handler(failure, _told)
    for router in (watching.router, metrics.router, api.router, evidence_api.router, logins.router, *_page_routers()):
        app.include_router(router)
    app.state.tools = ToolsOverHttp(state.desk, current_principal, at_once=settings.threads, waiting=settings.waiting)
    app.add_route("/mcp", app.state.tools, methods=["POST"], include_in_schema=False)
    describe(app)
    return app


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def _told(request: Request, error: Exception) -> Response:
    return as_response(request, refusal_of(error))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: WebState = app.state.web
    warming = asyncio.create_task(_warm_up(state))
    try:
        async with app.state.tools.running():
            yield
    finally:
        warming.cancel()
        with suppress(asyncio.CancelledError):
            await warming
        for pool in (state.answers, state.reads):
            pool.close(wait=True)


async def _warm_up(state: WebState) -> None:
    """Loads what answers rest on before the first question. Where there is no data yet, answers will say so."""
    try:
        await state.answers.run(lambda: state.services.assistant.warm_up())
    except Exception as error:
        _log.warning("answering could not be prepared", problem=error)
    state.is_warm = True


def _limits(settings: WebSettings, is_local: bool) -> Limits:
    """The rates. Whoever can reach loopback has the machine; there only what is set holds."""
    principal, address = (0, 0) if is_local else (PRINCIPAL_PER_MINUTE, ADDRESS_PER_MINUTE)
    if settings.requests_per_minute is not None:
        principal = settings.requests_per_minute
    if settings.address_requests_per_minute is not None:
        address = settings.address_requests_per_minute
    return Limits(principal, address, settings.logins_per_minute)


def _hosts(settings: WebSettings) -> set[str]:
    listened = settings.host.lower()
    own = {f"[{listened}]" if ":" in listened and not listened.startswith("[") else listened}
    loopback = _LOOPBACK if is_loopback(settings.host) else ()
    return {*own, *loopback, *settings.allowed_hosts}


def _page_routers() -> list[APIRouter]:
    """The `router` of every module of `pages`, in the order of their names."""
    found = []
    for module in sorted(iter_modules(pages.__path__), key=lambda each: each.name):
        router = getattr(import_module(f"{pages.__name__}.{module.name}"), "router", None)
        if isinstance(router, APIRouter):
            found.append(router)
    return found
