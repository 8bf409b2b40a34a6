"""All stand-ins behind one port: the ASGI app that hands each request to its system, and the controls."""

from __future__ import annotations

import html
import ipaddress
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, read_object
from sophia_assets.sandbox.standins.faults import KINDS, SYSTEMS, FaultBoard
from sophia_assets.sandbox.standins.gate import Gate
from sophia_assets.sandbox.standins.gong import GongErrors, GongStandin
from sophia_assets.sandbox.standins.hubspot import HubSpotStandin
from sophia_assets.sandbox.standins.hubspot_answers import HubSpotErrors
from sophia_assets.sandbox.standins.snowflake import PATHS as SNOWFLAKE_PATHS
from sophia_assets.sandbox.standins.snowflake import SnowflakeErrors, SnowflakeStandin


class SandboxApp:
    """HubSpot under /hubspot, Gong under /gong, Snowflake on its fixed paths, the controls under /_control.

    Controls (answered to loopback only): `GET /_control/stats`, `GET /_control/ready`, and
    `GET`, `POST {"fault": "SYSTEM:KIND[:ARG]"}`, `DELETE [?system=]` on `/_control/faults`.
    """

    def __init__(
        self, company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool = True
    ) -> None:
        self.company = company
        self.faults = faults
        self.gates: dict[str, Gate] = {}
        self.standins: dict[str, HubSpotStandin | GongStandin] = {}
        self.ready: dict[str, bool] = {}
        self.snowflake: SnowflakeStandin | None = None
        if company.hubspot is not None:
            hubspot = HubSpotStandin(company, credentials.hubspot_access_token, faults, limits=limits)
            self.standins["hubspot"] = hubspot
            self._add("hubspot", Gate("hubspot", hubspot, HubSpotErrors(), faults), ready=True)
        if company.gong is not None:
            key, secret = credentials.gong_access_key, credentials.gong_access_key_secret
            gong = GongStandin(company, key, secret, faults, limits=limits)
            self.standins["gong"] = gong
            self._add("gong", Gate("gong", gong, GongErrors(), faults), ready=True)
        if company.snowflake is not None:
            user, password = credentials.snowflake_user, credentials.snowflake_password
            self.snowflake = SnowflakeStandin(company.snowflake, user, password, faults)
            self._add("snowflake", Gate("snowflake", self.snowflake, SnowflakeErrors(), faults), ready=False)
        self._controls = Starlette(
            routes=[
                Route("/", self._landing),
                Route("/_control/stats", self._stats),
                Route("/_control/ready", self._readiness),
                Route("/_control/faults", self._faults, methods=["GET", "POST", "DELETE"]),
            ]
        )

    def _add(self, system: str, gate: Gate, *, ready: bool) -> None:
        self.gates[system] = gate
        self.ready[system] = ready

    def start(self, on_ready: Callable[[Exception | None], None]) -> None:
        """Load what takes long; `on_ready` is called in the event loop when all answer, or with what went wrong."""
        if self.snowflake is None:
            on_ready(None)
            return

        def done(problem: Exception | None) -> None:
            self.ready["snowflake"] = problem is None
            on_ready(problem)

        self.snowflake.start(done)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        system = path.split("/", 2)[1]
        if system in ("hubspot", "gong"):
            scope = {**scope, "root_path": f"/{system}"}
        elif path.startswith(SNOWFLAKE_PATHS):
            system = "snowflake"
        else:
            await self._control(scope, receive, send)
            return
        gate = self.gates.get(system)
        if gate is None:
            await JsonAnswer({"message": f"this company has no {system}"}, 404)(scope, receive, send)
        else:
            await gate(scope, receive, send)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None or not ipaddress.ip_address(client[0]).is_loopback:
            await JsonAnswer({"message": "only this machine may do that"}, 403)(scope, receive, send)
        else:
            await self._controls(scope, receive, send)

    async def _stats(self, request: Request) -> Response:
        return JsonAnswer({system: gate.counters.as_dict() for system, gate in self.gates.items()})

    async def _readiness(self, request: Request) -> Response:
        return JsonAnswer(self.ready)

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear(request.query_params.get("system"))
        elif request.method == "POST":
            try:
                self.faults.add(str((await read_object(request)).get("fault", "")))
            except (ConfigurationError, MalformedBody) as problem:
                return JsonAnswer({"message": str(problem)}, 400)
        return JsonAnswer({"faults": self.faults.listed()})

    async def _landing(self, request: Request) -> Response:
        rows = "".join(f"<tr><td>{system}</td><td>{_state(self.ready.get(system))}</td></tr>" for system in SYSTEMS)
        kinds = "".join(f"<li><code>{name}</code>: {html.escape(kind.effect)}</li>" for name, kind in KINDS.items())
        company = self.company
        return HTMLResponse(
            "<!doctype html><html lang=en><title>Sophia sandbox</title>"
            "<style>body{font:16px/1.5 system-ui;max-width:42rem;margin:3rem auto}"
            "td{padding:.1rem 1rem .1rem 0}</style>"
            f"<h1>{html.escape(company.name)}</h1><p>{company.first_day} to {company.last_day}. "
            "Stand-ins for the business systems; nothing here is a real account.</p>"
            f"<table>{rows}</table><h2>Faults</h2><p>Active: {', '.join(self.faults.listed()) or 'none'}. "
            'Post <code>{"fault": "gong:errors:0.3"}</code> to <code>/_control/faults</code>; '
            f"<code>DELETE</code> clears them.</p><ul>{kinds}</ul></html>"
        )


def _state(ready: bool | None) -> str:
    if ready is None:
        return "not part of this company"
    return "answering" if ready else "starting"
