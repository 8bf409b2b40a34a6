"""A proxy on loopback that passes everything on and changes what comes back: a wrong date, a header, a body."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import requests

Change = Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]]
_NOT_PASSED_ON = ("connection", "content-length", "transfer-encoding", "content-encoding", "host", "accept-encoding")


def as_it_is(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """Changes nothing."""
    return headers, body


def date_shifted(by: timedelta) -> Change:
    """Answers whose Date is later by so much."""

    def change(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        date = parsedate_to_datetime(headers.get("date") or format_datetime(datetime.now(UTC), usegmt=True))
        return headers | {"date": format_datetime((date + by).astimezone(UTC), usegmt=True)}, body

    return change


def with_headers(more: dict[str, str]) -> Change:
    """Answers with further headers."""
    return lambda headers, body: (headers | more, body)


def with_text(old: bytes, new: bytes) -> Change:
    """Answers in which a text stands in the place of another one."""
    return lambda headers, body: (headers, body.replace(old, new))


@contextmanager
def proxied(address: str, change: Change = as_it_is, *, certificate: Path | None = None) -> Iterator[str]:
    """The address of a proxy in front of another one; with a certificate and its key in one file, over TLS."""
    parts = urlsplit(address)
    target = f"{parts.scheme}://{parts.netloc}"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            with requests.Session() as session:
                session.trust_env = False
                session.headers.clear()
                answer = session.request(
                    self.command, target + self.path, headers=asked, data=body, allow_redirects=False, timeout=30
                )
            headers = {name.lower(): value for name, value in answer.headers.items()}
            headers = {name: value for name, value in headers.items() if name not in _NOT_PASSED_ON}
            headers, content = change(headers, answer.content)
            self.send_response_only(answer.status_code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = _pass_on

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        scheme = "https" if certificate else "http"
        yield f"{scheme}://127.0.0.1:{server.server_port}{parts.path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
