"""What the sandbox asks of every stand-in, whichever system it stands in for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.standins.faults import Fault

OnDone = Callable[[Exception | None], None]


@dataclass
class Counters:
    """Requests a system received, and how many of them it throttled (429) or failed (5xx)."""

    requests: int = 0
    throttled: int = 0
    failed: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self)


class VendorErrors:
    """A vendor's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """The answer to a wrong credential."""
        raise NotImplementedError

    def rate_limited(self, seconds: float) -> Response:
        """The answer when the limit is spent for `seconds`."""
        raise NotImplementedError

    def server_error(self) -> Response:
        """A 5xx answer."""
        raise NotImplementedError


class Standin:
    """An ASGI app that serves one system of a company, from its package's `create`.

    `errors` are the vendor's bodies that the gate in front of it answers faults with.
    `counters` counts what it was asked; the gate keeps them. A system that does not speak HTTP
    listens on a port of its own, plays every fault itself and keeps its counters.
    """

    system: str
    errors: VendorErrors

    def __init__(self) -> None:
        self.counters = Counters()

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on; it must use the system."""
        raise NotImplementedError

    def settings(self, host: str, port: int) -> dict[str, str]:
        """The connection settings that reach it in a sandbox that listens on `host` and `port`."""
        raise NotImplementedError

    def start(self, on_done: OnDone) -> None:
        """Get ready; `on_done` is called in the event loop, with what went wrong or None."""
        on_done(None)

    def stop(self) -> None:
        """Free what it holds beside memory."""

    def play(self, fault: Fault) -> None:
        """Do what a fault that happens once does to the data."""
        raise NotImplementedError(fault.text)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raise NotImplementedError


def base_url(host: str, port: int, path: str = "") -> str:
    """`http://host:port/path`, with an IPv6 host in brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
