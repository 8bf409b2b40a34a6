"""A storm: a server that fails a share of its requests in every way, and readers that have to get all pages.

`python -m sophia_assets_tests.ingestion.storm --requests N --rate 0.3 [--threads T] [--patient]` prints figures.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.ingestion.requesting import ApiProfile
from sophia_assets.ingestion.retrying import RetryPolicy

FAULTS = ("retry-after", "retry-at-once", "500", "503", "530", "cut", "reset", "torn")
# The same behaviour as the default policy's, in a hundredth of its time.
BRISK = RetryPolicy(first_delay=0.003, longest_delay=0.1, budget_rate=100.0, most_limited=100)


@dataclass
class Weather:
    """What the server does and what it saw. `retry_after` is what a long 429 asks for, in seconds.

    Of several `readers`, the others may have one request each on its way when one of them has heard that all
    are to wait.
    """

    rate: float
    retry_after: float
    readers: int = 1
    seed: int = 1
    url: str = ""
    arrivals: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    too_early: list[float] = field(default_factory=list)
    _closed_until: float = 0.0
    _on_their_way: float = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def what_next(self) -> str | None:
        """The fault for a request that has just arrived, or None."""
        with self._lock:
            moment = time.monotonic()
            self.arrivals += 1
            if moment < self._closed_until:
                self._on_their_way -= 1
                if self._on_their_way < 0:
                    self.too_early.append(self._closed_until - moment)
            if self._dice.random() >= self.rate:
                return None
            fault = self._dice.choice(FAULTS)
            self.injected[fault] += 1
            return fault

    def told_to_wait(self) -> None:
        """A 429 is about to be sent."""
        with self._lock:
            self._closed_until = time.monotonic() + self.retry_after
            self._on_their_way = math.inf if self.readers > 1 else 0

    def heard(self) -> None:
        """A reader has the answer, and holds the others back from now on."""
        with self._lock:
            self._on_their_way = self.readers - 1


class _Observed(RateLimiter):
    """Tells when a wait has been heard of."""

    def __init__(self, weather: Weather) -> None:
        super().__init__(1_000_000, 1.0)
        self._weather = weather

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        if seconds > 0:
            self._weather.heard()


@contextmanager
def storm(weather: Weather) -> Iterator[Weather]:
    """Serves `/pages/N` on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            self._answer(weather.what_next())

        def _answer(self, fault: str | None) -> None:
            body = json.dumps({"page": int(self.path.rsplit("/", 1)[1]), "rows": ["x" * 40] * 20}).encode()
            if fault is None:
                self._send(200, body)
            elif fault.startswith("retry"):
                if fault == "retry-after":
                    weather.told_to_wait()
                self._send(429, b"{}", str(weather.retry_after) if fault == "retry-after" else "0")
            elif fault == "torn":
                self._send(200, body[: len(body) // 2])
            elif fault == "cut":
                self._send(200, body, length=len(body) * 2)
                self._hang_up()
            elif fault == "reset":
                self._hang_up()
            else:
                self._send(int(fault), b"oops")

        def _send(self, status: int, body: bytes, retry_after: str | None = None, length: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length or len(body)))
            if retry_after is not None:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body)

        def _hang_up(self) -> None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    weather.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield weather
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Crossing:
    """How a read through a storm went. `ideal` is one request a page and one more per injected failure."""

    pages: int
    requests: int
    ideal: int
    too_early: tuple[float, ...]
    seconds: float


def cross(weather: Weather, pages: int, *, retry: RetryPolicy = BRISK) -> Crossing:
    """Reads that many pages through the storm, with as many threads as it expects readers."""
    profile = ApiProfile("shop", "Shop", weather.url, "SHOP_URL", "Check it", "Widen it", retry=retry)
    transport = HttpTransport(profile, _Observed(weather))
    began = time.monotonic()

    def page(number: int) -> int:
        return int(transport.request("GET", f"/pages/{number}", obj="pages")["page"])

    with ThreadPoolExecutor(weather.readers) as pool:
        got = list(pool.map(page, range(pages)))
    assert got == list(range(pages))
    seconds = time.monotonic() - began
    ideal = pages + weather.injected.total()
    return Crossing(len(got), weather.arrivals, ideal, tuple(weather.too_early), seconds)


def main() -> None:
    """The long version, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="pages to read")
    parser.add_argument("--rate", type=float, default=0.3, help="share of requests that fail")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--patient", action="store_true", help="with the default policy, in real time")
    given = parser.parse_args()
    policy = RetryPolicy() if given.patient else BRISK
    weather = Weather(given.rate, retry_after=1.0 if given.patient else 0.05, readers=given.threads)
    with storm(weather):
        crossing = cross(weather, given.requests, retry=policy)
    print(
        f"{crossing.pages} pages with {crossing.requests} requests in {crossing.seconds:.1f} s; ideal {crossing.ideal} "
        f"({crossing.requests / crossing.ideal:.3f} x); {len(crossing.too_early)} before their Retry-After was over"
    )
    print("injected: " + ", ".join(f"{name} {count}" for name, count in sorted(weather.injected.items())))


if __name__ == "__main__":
    main()
