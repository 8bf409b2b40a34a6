"""A server on loopback that plays scripts byte by byte: stalls, trickles, cuts and torn answers included."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Connection:
    """The server's end of one connection, for the steps of a script."""

    def __init__(self, raw: socket.socket, server: ScriptedServer) -> None:
        self.raw = raw
        self._server = server

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self.raw.sendall(data)

    def wait_for_close(self, seconds: float = 10.0) -> None:
        """Waits until the client has hung up, and takes note of it."""
        self.raw.settimeout(seconds)
        try:
            while self.raw.recv(4096):
                pass
        except TimeoutError:
            return
        except OSError:
            pass  # hung up with something unread
        self._server.hung_up.release()

    def is_gone(self, seconds: float) -> bool:
        """Whether the client hangs up within so many seconds."""
        self.raw.settimeout(seconds)
        try:
            gone = self.raw.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            gone = True
        if gone:
            self._server.hung_up.release()
        return gone


Step = Callable[[Connection], None]


def send(data: bytes) -> Step:
    """Sends bytes."""
    return lambda connection: connection.send(data)


def stall() -> Step:
    """Says nothing until the client hangs up."""
    return lambda connection: connection.wait_for_close()


def again_and_again(data: bytes, every: float = 0.02) -> Step:
    """Sends the same bytes until the client hangs up."""

    def step(connection: Connection) -> None:
        for _ in range(1000):
            with suppress(OSError):
                connection.send(data)
            if connection.is_gone(every):
                return

    return step


def reset() -> Step:
    """Ends the connection with a reset instead of an orderly end."""

    def step(connection: Connection) -> None:
        connection.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return step


@dataclass
class ScriptedServer:
    """Plays one script per request, in turn; the last one again and again. `url` has no path.

    Unless it `listens`, it plays without having read a request; `tls` wraps each connection.
    """

    scripts: list[Sequence[Step]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    hung_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    url: str = ""
    listens: bool = True
    tls: ssl.SSLContext | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, *scripts: Sequence[Step]) -> None:
        """Sets what the next requests are answered with."""
        with self._lock:
            self.scripts = list(scripts)

    def serve(self, raw: socket.socket) -> None:
        """Answers one connection's one request."""
        with ExitStack() as opened, suppress(OSError):
            opened.enter_context(raw)
            if self.tls:
                raw = opened.enter_context(self.tls.wrap_socket(raw, server_side=True))
            request = _read(raw) if self.listens else None
            if self.listens and request is None:
                return
            with self._lock:
                self.received += [request] if request else []
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            for step in script:
                step(Connection(raw, self))


@contextmanager
def scripted_server(*scripts: Sequence[Step]) -> Iterator[ScriptedServer]:
    """Serves on loopback until the block ends."""
    server = ScriptedServer(list(scripts))
    listening = socket.create_server(("127.0.0.1", 0))
    server.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listening.accept()
                thread = threading.Thread(target=server.serve, args=(raw,), daemon=True, name="scripted connection")
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, daemon=True, name="scripted server")
    accepting.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in [accepting, *threads]:
            thread.join(5)


def _read(raw: socket.socket) -> Received | None:
    """One request with its whole body; None where the connection ends before."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := raw.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += raw.recv(65536)
    return Received(first.split(" ")[1], headers, json.loads(body))
