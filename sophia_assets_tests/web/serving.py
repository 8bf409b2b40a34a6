"""A web process in a thread, on a free port of loopback, over a copied home: what the tests of HTTP talk to."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from sophia_assets.access.principal import EVERY_ROW, RowScope
from sophia_assets.assistant.interface import Answer, Question
from sophia_assets.home import Home
from sophia_assets.services import Services
from sophia_assets.web.app import create_app
from sophia_assets.web.local_login import LocalLogin
from sophia_assets.web.server import Server, configuration
from sophia_assets.web.state import WebState
from sophia_assets_tests.finished_home import services_of

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Echoing:
    """An assistant that answers with the question, or does what a test wants of it."""

    def __init__(self, answer: Callable[[Question], Answer] | None = None) -> None:
        self._answer = answer
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Answer:
        """Answers at once."""
        self.asked.append(question)
        if self._answer is not None:
            return self._answer(question)
        return Answer("answered", "value", f"You asked: {question.text}", echo={"role": question.principal.role})

    def warm_up(self) -> None:
        """There is nothing to load."""

    def close(self) -> None:
        """There is nothing to let go of."""


@dataclass
class Served:
    """A running process. `services` are its own: what a test does with them, the process sees."""

    host: str
    port: int
    services: Services
    local: LocalLogin | None
    server: Server
    state: WebState
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    def token(self, name: str = "ada", role: str = "executive", rows: RowScope = EVERY_ROW) -> str:
        """The token of a user, who is added with the first use."""
        if name not in self._tokens:
            self._tokens[name] = self.services.users.add(name, role, rows=rows, by="tests")
        return self._tokens[name]

    def bearer(self, name: str = "ada", role: str = "executive") -> dict[str, str]:
        """The header that a program sends."""
        return {"Authorization": f"Bearer {self.token(name, role)}"}

    def get(self, path: str, **more: Any) -> requests.Response:
        """GET as the executive's program; redirects are not followed."""
        more.setdefault("headers", self.bearer())
        return requests.get(self.address + path, allow_redirects=False, timeout=30, **more)

    def ask(self, query: str, **more: Any) -> requests.Response:
        """Asks as the executive's program."""
        headers = {**self.bearer(), **more.pop("headers", {})}
        body = {"query": query, **more.pop("body", {})}
        return requests.post(f"{self.address}/api/chat", json=body, headers=headers, timeout=30, **more)

    def browser(self, name: str = "ada", role: str = "executive") -> requests.Session:
        """Somebody who has logged in by the page; `headers` has the CSRF token for calls of scripts."""
        session = requests.Session()
        response = self.log_in(session, self.token(name, role))
        assert response.status_code == 303, response.text
        found = self.services.sessions.find(session.cookies["sophia"])
        assert found, "the session is kept"
        session.headers["X-CSRF-Token"] = found[1].csrf
        return session

    def log_in(self, session: requests.Session, token: str, **fields: str) -> requests.Response:
        """Sends the form of the login page."""
        page = session.get(f"{self.address}/login", timeout=30)
        form = {"csrf_token": csrf_in(page.text), "token": token, **fields}
        return session.post(f"{self.address}/login", data=form, allow_redirects=False, timeout=30)

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((self.host, self.port), timeout=20)

    def raw(self, sent: bytes) -> bytes:
        """What comes back for these bytes until the connection ends."""
        with self.connect() as connection:
            connection.sendall(sent)
            return everything(connection)


def everything(connection: socket.socket) -> bytes:
    """What arrives until the connection ends; a reset is an end as well."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def csrf_in(page: str) -> str:
    """The CSRF token of a page's form."""
    found = _CSRF.search(page)
    assert found, page
    return found[1]


@contextmanager
def served(
    home: Home,
    settings: Mapping[str, str] | None = None,
    *,
    assistant: Any = None,
    local: LocalLogin | None = None,
    is_behind_proxy: bool = False,
) -> Iterator[Served]:
    """Serves a home that may be written into. `assistant` stands in for the real one."""
    with _listening() as listener:
        host, port = listener.getsockname()
        services = services_of(home, {**(settings or {}), "SOPHIA_WEB_PORT": str(port)})
        if assistant is not None:
            services.__dict__["assistant"] = assistant
        web = replace(services.settings.web, host=host)
        app = create_app(services, settings=web, local=local, is_behind_proxy=is_behind_proxy)
        server = Server(configuration(app, web, is_behind_proxy=is_behind_proxy))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web")
        thread.start()
        try:
            _until_started(server, thread)
            yield Served(host, port, services, local, server, app.state.web)
        finally:
            server.should_exit = True
            thread.join(30)
            services.close()


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _until_started(server: Server, thread: threading.Thread) -> None:
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server did not start"


def folder_for(factory: Any, name: str) -> Path:
    """An empty place for a copied home."""
    made: Path = factory.mktemp(name) / "home"
    return made
