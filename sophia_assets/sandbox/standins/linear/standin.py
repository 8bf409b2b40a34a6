"""Linear's GraphQL API, for reading: one endpoint, its schema, limits and error bodies."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
from graphql import execute
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, LinearData, LinearIssue
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, read_object
from sophia_assets.sandbox.standins.faults import Fault, FaultBoard
from sophia_assets.sandbox.standins.linear.connections import SYSTEM, Pager
from sophia_assets.sandbox.standins.linear.errors import (
    LinearErrors,
    Refused,
    internal_error,
    too_complex,
    validation_failed,
)
from sophia_assets.sandbox.standins.linear.limits import COMPLEXITY_PER_HOUR, REQUESTS_PER_HOUR, UNLIMITED, HourlyLimit
from sophia_assets.sandbox.standins.linear.nodes import Graph, build_graph
from sophia_assets.sandbox.standins.linear.projection import Compiled, compile_operation
from sophia_assets.sandbox.standins.linear.schema import SCHEMA, Operation, operation
from sophia_assets.sandbox.standins.standin import Standin, base_url

PATH = "/graphql"
MOST_COMPLEX = 10_000
_LIMITED = 400


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> LinearStandin:
    """The stand-in for the company's Linear."""
    return LinearStandin(company, credentials.linear_api_key, faults, limits=limits)


class LinearStandin(Standin):
    """Serves a company's Linear."""

    system = SYSTEM

    def __init__(self, company: CompanyData, api_key: str, faults: FaultBoard, *, limits: bool = True) -> None:
        super().__init__()
        self._api_key = api_key
        self._faults = faults
        self._pager = Pager(faults)
        self._requests = HourlyLimit("requests", REQUESTS_PER_HOUR if limits else UNLIMITED)
        self._complexity = HourlyLimit("complexity", COMPLEXITY_PER_HOUR if limits else UNLIMITED)
        self.errors: LinearErrors = LinearErrors(self._limited_status, self._count_throttled)
        self._app = Starlette(routes=[Route(PATH, self._graphql, methods=["POST"])])
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its Linear data must not be None."""
        if company.linear is None:
            raise ValueError("the company has no Linear")
        self._data: LinearData = company.linear
        self._graph: Graph | None = None

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {"LINEAR_API_URL": base_url(host, port, f"/{SYSTEM}{PATH}"), "LINEAR_API_KEY": self._api_key}

    def play(self, fault: Fault) -> None:
        """Share one moment among the newest issues, archive or delete the newest one."""
        issues = self._data.issues
        newest = sorted(issues, key=lambda issue: (issue.updated_at, issue.id), reverse=True)
        match fault.kind:
            case "ties":
                moment = newest[0].updated_at if newest else None
                tied = {
                    issue.id: replace(issue, updated_at=moment) for issue in newest[: int(fault.argument)] if moment
                }
                self._replace([tied.get(issue.id, issue) for issue in issues])
            case "archive":
                live = next((issue for issue in newest if issue.archived_at is None), None)
                if live is not None:
                    archived = replace(live, archived_at=newest[0].updated_at + timedelta(seconds=1))
                    self._replace([archived if issue is live else issue for issue in issues])
            case "delete":
                self._replace([issue for issue in issues if issue is not newest[0]] if newest else [])
            case _:
                super().play(fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    def _replace(self, issues: list[LinearIssue]) -> None:
        self._data = replace(self._data, issues=issues)
        self._graph = None

    @property
    def _served(self) -> Graph:
        if self._graph is None:
            self._graph = build_graph(self._data)
        return self._graph

    def _limited_status(self) -> int:
        fault = self._faults.active(SYSTEM, "limited_as")
        return int(fault.argument) if fault is not None else _LIMITED

    def _count_throttled(self) -> None:
        self.counters.throttled += 1

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("authorization") != self._api_key:
            return self.errors.unauthorized()
        try:
            asked, variables = _asked(await read_object(request))
            if _introspects(asked):
                return JsonAnswer(_introspected(asked, variables))
            compiled = compile_operation(asked, variables, self._pager)
        except MalformedBody as problem:
            return validation_failed([f"The request body is invalid: {problem}"], "BAD_REQUEST").answer()
        except Refused as refusal:
            return refusal.answer(self._headers(1) if refusal.data else None)
        return self._answered(compiled)

    def _answered(self, compiled: Compiled) -> Response:
        cap = self._faults.active(SYSTEM, "complexity")
        most = int(cap.argument) if cap is not None else MOST_COMPLEX
        if compiled.points > most:
            return too_complex(compiled.points, most).answer({"X-Complexity": str(compiled.points)})
        spent = self._take(compiled.points)
        if spent is not None:
            return self.errors.limited(spent.name, spent.maximum, spent.reset)
        headers = self._headers(compiled.points)
        try:
            data = compiled.answer(self._served)
        except Refused as refusal:
            return refusal.answer(headers)
        body: dict[str, Any] = {"data": data}
        if self._faults.strikes(SYSTEM, "partial"):
            body["errors"] = _spoil(data, compiled.fragile)
        return JsonAnswer(orjson.dumps(body), headers=headers)

    def _take(self, points: int) -> HourlyLimit | None:
        """Count a request, or return the limit that it would exceed."""
        for limit, cost in ((self._requests, 1), (self._complexity, points)):
            if not limit.allows(cost):
                return limit
        self._requests.take(1)
        self._complexity.take(points)
        return None

    def _headers(self, points: int) -> dict[str, str]:
        return {"X-Complexity": str(points), **self._requests.headers, **self._complexity.headers}


def _asked(body: dict[str, Any]) -> tuple[Operation, dict[str, Any]]:
    """The operation and its variables. Raises Refused."""
    text, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    if not isinstance(text, str) or not text.strip():
        raise validation_failed(["GraphQL operations must contain a non-empty `query`."], "BAD_REQUEST")
    if variables is not None and not isinstance(variables, dict):
        raise validation_failed(["`variables` in a POST body must be an object if provided."], "BAD_REQUEST")
    found = operation(text, name if isinstance(name, str) else None)
    return found, found.variables(variables or {})


def _introspects(asked: Operation) -> bool:
    names = (getattr(node, "name", None) for node in asked.definition.selection_set.selections)
    return any(name is not None and name.value in ("__schema", "__type") for name in names)


def _introspected(asked: Operation, variables: dict[str, Any]) -> Any:
    """The schema about itself; rare, so that the library's own execution does."""
    result = execute(SCHEMA, asked.document, variable_values=variables, operation_name=asked.name)
    return result.formatted  # type: ignore[union-attr]


def _spoil(data: dict[str, Any], fragile: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Empty what may be null in the last node of every connection, as if it could not be looked up."""
    errors = []
    for key, names in fragile.items():
        nodes = data[key].get("nodes") or []
        for name in names if nodes else []:
            nodes[-1][name] = None
            errors.append(internal_error(key, "nodes", len(nodes) - 1, name))
    return errors or [internal_error()]
