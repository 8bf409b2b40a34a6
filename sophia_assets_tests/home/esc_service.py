"""A stand-in of the part of Pulumi ESC's HTTP API that opens and reads an environment, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENVIRONMENT = "acme/sophia/production"
TOKEN = "pul-canary-4711-token"
_NOWHERE = {"environment": "production", "begin": {"line": 1, "column": 1, "byte": 0}}
_TRACE = {"def": {**_NOWHERE, "end": _NOWHERE["begin"]}}


@dataclass
class EscService:
    """What the service holds, how it misbehaves, and what it was asked (method and path).

    `troubles` are used up, one per request: an HTTP status, `hang` (no answer before `release`), `drip` (an answer that
    never ends), `torn` (half an answer) or `strange` (an answer of another kind). `secrets` are marked as such.
    """

    variables: dict[str, Any]
    secrets: tuple[str, ...] = ()
    has_variables: bool = True
    troubles: list[int | str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""
    release: threading.Event = field(default_factory=threading.Event)

    def properties(self) -> dict[str, Any]:
        """The environment's values, as the service writes them."""
        entries = {
            name: value
            if isinstance(value, dict)
            else {"value": value, "trace": _TRACE, **({"secret": True} if name in self.secrets else {})}
            for name, value in self.variables.items()
        }
        variables = {"environmentVariables": {"value": entries, "trace": _TRACE}} if self.has_variables else {}
        return {"region": {"value": "eu", "trace": _TRACE}, **variables}

    def answer(self, method: str, path: str, token: str | None) -> tuple[int, Any]:
        """The status and the body for a request."""
        opening = f"/api/esc/environments/{ENVIRONMENT}/open"
        if token != f"token {TOKEN}":
            return 401, {"code": 401, "message": f"Unauthorized: no token {token}"}
        if (method, path) == ("POST", opening):
            return 200, {"id": "session-1"}
        if (method, path) == ("GET", f"{opening}/session-1"):
            return 200, {"properties": self.properties(), "schema": {"type": "object"}}
        return 404, {"code": 404, "message": "Not Found: environment not found"}


@contextmanager
def running_esc(service: EscService) -> Iterator[EscService]:
    """The service on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def _respond(self) -> None:
            service.requests.append(f"{self.command} {self.path}")
            trouble = service.troubles.pop(0) if service.troubles else None
            if trouble == "hang":
                service.release.wait(60)
                return
            status, body = service.answer(self.command, self.path, self.headers.get("Authorization"))
            if isinstance(trouble, int):
                status, body = trouble, {"code": trouble, "message": f"trouble with {TOKEN}"}
            content = json.dumps(["strange", body] if trouble == "strange" else body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content) * (1000 if trouble == "drip" else 1)))
            self.end_headers()
            if trouble == "drip":
                while not service.release.wait(0.02):
                    self.wfile.write(b" ")
                return
            self.wfile.write(content[: len(content) // 2] if trouble == "torn" else content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has gone is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        service.release.set()
        server.shutdown()
        server.server_close()
