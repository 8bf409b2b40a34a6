"""A server that counts arrivals and refuses those beyond a rolling limit, and a process that asks it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.ingestion.requesting import ApiProfile
from sophia_assets.ingestion.retrying import RetryPolicy


class LimitedServer:
    """At most `requests` in any `seconds`; `refused` counts the others, `arrivals` says when each came."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.arrivals: list[float] = []
        self.refused = 0
        self.url = ""
        self._requests, self._seconds = requests, seconds
        self._lock = threading.Lock()

    def lets_through(self) -> bool:
        """Takes note of a request."""
        with self._lock:
            moment = time.monotonic()
            recent = sum(1 for arrival in self.arrivals if arrival > moment - self._seconds)
            self.arrivals.append(moment)
            self.refused += recent >= self._requests
            return recent < self._requests


@contextmanager
def limited_server(requests: int, seconds: float) -> Iterator[LimitedServer]:
    """Serves on loopback until the block ends."""
    limited = LimitedServer(requests, seconds)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200 if limited.lets_through() else 429)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    limited.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield limited
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def transport(url: str, limiters: Limiters, requests: float, seconds: float) -> HttpTransport:
    """A client of the server's one account."""
    profile = ApiProfile("shop", "Shop", url, "SHOP_URL", "Check it", "Widen it", retry=RetryPolicy(first_delay=0.05))
    limiter = limiters.account("shop", url, "token").limiter("requests", requests=requests, seconds=seconds)
    return HttpTransport(profile, limiter)


def main() -> None:
    """Asks `url` `count` times, keeping to `requests` in `seconds` together with whoever shares `folder`."""
    folder, url, count, requests, seconds = sys.argv[1:]
    client = transport(url, Limiters(Path(folder)), float(requests), float(seconds))
    for _ in range(int(count)):
        client.request("GET", "/things", obj="things")


if __name__ == "__main__":
    main()
