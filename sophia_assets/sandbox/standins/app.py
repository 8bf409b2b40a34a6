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
from sophia_assets.sandbox.mailbox import Mailbox
from sophia_assets.sandbox.standins import registry
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, read_object
from sophia_assets.sandbox.standins.billing import Meter
from sophia_assets.sandbox.standins.faults import KINDS, FaultBoard, FaultKind
from sophia_assets.sandbox.standins.gate import Gate
from sophia_assets.sandbox.standins.model_standin import ModelStandin
from sophia_assets.sandbox.standins.standin import Standin


class SandboxApp:
    """Each system under its name (Snowflake on its fixed paths), the controls under /_control.

    Controls (answered to loopback only): `GET /_control/stats`, `GET /_control/ready`, what was sent
    (`GET /_control/mailbox`, `GET /_control/slack/posted`), and `GET`, `POST {"fault": "SYSTEM:KIND[:ARG]"}`,
    `DELETE [?system=]` on `/_control/faults`. `/_control/usage` is what the vendors of language models would bill since
    the start or the last `DELETE`; `GET /_control/usage/calls` lists each one's last 200 calls.
    """

    def __init__(
        self, company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool = True
    ) -> None:
        self.company = company
        self.faults = faults
        self.standins: dict[str, Standin] = {}
        self.ready: dict[str, bool] = {}
        self.mailbox = Mailbox(credentials.mail_password)
        self._gates: dict[str, Gate] = {}
        for system in registry.SYSTEMS:
            holds_data = registry.holds_company_data(system)
            if not holds_data or getattr(company, system) is not None:
                standin = registry.create(system, company, credentials, faults, limits=limits)
                self.standins[system] = standin
                self._gates[system] = Gate(standin, faults)
                if holds_data:
                    self.ready[system] = type(standin).start is Standin.start
                faults.attach(system, standin.play)
        self._paths = {path: system for system in registry.SYSTEMS for path in registry.paths(system)}
        self._controls = Starlette(
            routes=[
                Route("/", self._landing),
                Route("/_control/stats", self._stats),
                Route("/_control/ready", self._readiness),
                Route("/_control/mailbox", self._mail),
                Route("/_control/slack/posted", self._posted),
                Route("/_control/faults", self._faults, methods=["GET", "POST", "DELETE"]),
                Route("/_control/usage", self._usage, methods=["GET", "DELETE"]),
                Route("/_control/usage/calls", self._model_calls),
            ]
        )

    def settings(self, host: str, port: int) -> dict[str, str]:
        """The environment that points the connectors at this sandbox; systems that the company lacks are off."""
        found: dict[str, str] = self.mailbox.settings(host)
        for standin in self.standins.values():
            found |= standin.settings(host, port)
        missing = [system for system in registry.SYSTEMS if system not in self.standins]
        return found | {f"SOPHIA_{system.upper()}_MODE": "off" for system in missing}

    def start(self, on_ready: Callable[[Exception | None], None]) -> None:
        """Load what takes long; `on_ready` is called in the event loop when all answer, or with what went wrong."""

        def watch(system: str) -> Callable[[Exception | None], None]:
            def done(problem: Exception | None) -> None:
                self.ready[system] = problem is None
                if problem is not None or all(self.ready.values()):
                    on_ready(problem)

            return done

        self.mailbox.start()
        if not self.ready:
            on_ready(None)
        for system in list(self.ready):
            self.standins[system].start(watch(system))

    def stop(self) -> None:
        """Stop what the stand-ins have started."""
        self.mailbox.stop()
        for standin in self.standins.values():
            standin.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        system = self._system(scope["path"])
        if system is None:
            await self._control(scope, receive, send)
        elif system not in self._gates:
            await JsonAnswer({"message": f"this company has no {system}"}, 404)(scope, receive, send)
        else:
            if not registry.has_fixed_paths(system):
                scope = {**scope, "root_path": f"/{system}"}
            await self._gates[system](scope, receive, send)

    def _system(self, path: str) -> str | None:
        return next((system for prefix, system in self._paths.items() if path.startswith(prefix)), None)

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None or not ipaddress.ip_address(client[0]).is_loopback:
            await JsonAnswer({"message": "only this machine may do that"}, 403)(scope, receive, send)
        else:
            await self._controls(scope, receive, send)

    async def _stats(self, request: Request) -> Response:
        return JsonAnswer({system: standin.counters.as_dict() for system, standin in self.standins.items()})

    async def _readiness(self, request: Request) -> Response:
        return JsonAnswer(self.ready)

    async def _mail(self, request: Request) -> Response:
        return JsonAnswer({"messages": list(self.mailbox.messages)})

    async def _posted(self, request: Request) -> Response:
        posted = getattr(self.standins.get("slack"), "posted", None)
        return JsonAnswer({"messages": posted.messages if posted else []})

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear(request.query_params.get("system"))
        elif request.method == "POST":
            try:
                self.faults.add(str((await read_object(request)).get("fault", "")))
            except (ConfigurationError, MalformedBody) as problem:
                return JsonAnswer({"message": str(problem)}, 400)
        return JsonAnswer({"faults": self.faults.listed()})

    async def _usage(self, request: Request) -> Response:
        meters = self._meters()
        if request.method == "DELETE":
            for meter in meters.values():
                meter.reset()
        return JsonAnswer({system: meter.totals() for system, meter in meters.items()})

    async def _model_calls(self, request: Request) -> Response:
        return JsonAnswer({system: meter.logged() for system, meter in self._meters().items()})

    def _meters(self) -> dict[str, Meter]:
        return {system: each.meter for system, each in self.standins.items() if isinstance(each, ModelStandin)}

    def _state(self, system: str) -> str:
        if system not in self.standins:
            return "not part of this company"
        return "answering" if self.ready.get(system, True) else "starting"

    async def _landing(self, request: Request) -> Response:
        rows = "".join(f"<tr><td>{system}</td><td>{self._state(system)}</td></tr>" for system in registry.SYSTEMS)
        company = self.company
        return HTMLResponse(
            "<!doctype html><html lang=en><title>Sophia sandbox</title>"
            "<style>body{font:16px/1.5 system-ui;max-width:42rem;margin:3rem auto}"
            "td{padding:.1rem 1rem .1rem 0}</style>"
            f"<h1>{html.escape(company.name)}</h1><p>{company.first_day} to {company.last_day}. "
            "Stand-ins for the business systems and for vendors of language models; nothing here is a real account.</p>"
            f"<table>{rows}</table><h2>Faults</h2><p>Active: {', '.join(self.faults.listed()) or 'none'}. "
            'Post <code>{"fault": "gong:errors:0.3"}</code> to <code>/_control/faults</code>; '
            f"<code>DELETE</code> clears them.</p><ul>{_listed(KINDS)}</ul>"
            f"{''.join(_own_faults(system) for system in self.standins)}</html>"
        )


def _own_faults(system: str) -> str:
    own = {name: kind for name, kind in registry.fault_kinds(system).items() if name not in KINDS}
    return f"<h3>Only {system}</h3><ul>{_listed(own)}</ul>" if own else ""


def _listed(kinds: dict[str, FaultKind]) -> str:
    return "".join(f"<li><code>{name}</code>: {html.escape(kind.effect)}</li>" for name, kind in kinds.items())
