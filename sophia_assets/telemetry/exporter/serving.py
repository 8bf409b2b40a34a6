"""Serving the newest picture over HTTP, until somebody ends it."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from http.client import HTTPException
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from sophia_assets.ports import refuse_taken
from sophia_assets.settings import Settings
from sophia_assets.telemetry.exporter.collecting import Looking
from sophia_assets.telemetry.exporter.families import Families
from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.parts import every_part

_SLOW_CLIENT_SECONDS = 10
# A copy for each answer: the server adds to it.
_PLAIN = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
_INDEX = b"The figures of the platform, for Prometheus: /metrics. Whether this process lives: /healthz.\n"

_log = structlog.get_logger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def serve(settings: Settings, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT. `tell` takes lines for the terminal.

    Raises PortTaken, and ConfigurationError where nobody could listen there.
    """
    refuse_taken(host.strip("[]"), port, "the exporter", "Stop what has it, or choose another --port")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ground = Ground(settings)
    looking = Looking(ground, every_part(settings.exporter.seconds))
    server = listening(host, port, application(looking))
    thread = threading.Thread(target=server.serve_forever, name="serve", daemon=True)
    try:
        looking.start()
        thread.start()
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        tell(f"Figures for Prometheus: http://{shown}:{port}/metrics  (Ctrl-C stops it)")
        ended.wait()
    finally:
        looking.stop()
        if thread.is_alive():
            server.shutdown()
        server.server_close()


def listening(host: str, port: int, app: Application) -> WSGIServer:
    """A server on the port, a thread per request."""
    address = host.strip("[]")

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that is slow, or talks nonsense, is no news; what goes wrong here is."""
            error = sys.exc_info()[1]
            if not isinstance(error, OSError | HTTPException):
                _log.error("a request could not be answered", exc_info=error)

    return make_server(address, port, app, Server, handler_class=_Handler)


def application(looking: Looking) -> Application:
    """`/metrics` by content negotiation, `/healthz`, and a line about both at `/`."""
    registry = CollectorRegistry()
    registry.register(Families(looking.samples))
    metrics: Application = make_wsgi_app(registry)
    plain = {"/": _INDEX, "/healthz": b"alive\n"}

    def answer(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/metrics":
            # Choosing some names by the query would only cost more.
            return metrics({**environ, "QUERY_STRING": ""}, start)
        if path not in plain:
            start("404 Not Found", list(_PLAIN))
            return [b"Nothing is here. The figures are at /metrics.\n"]
        start("200 OK", list(_PLAIN))
        return [b"" if method == "HEAD" else plain[path]]

    return answer


class _Handler(WSGIRequestHandler):
    """Quiet, and waits for nobody who says nothing."""

    timeout = _SLOW_CLIENT_SECONDS

    def address_string(self) -> str:
        """The address as it is: looking its name up may take seconds."""
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: a scrape every few seconds is no news."""
