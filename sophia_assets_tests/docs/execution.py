"""Running a written command as a reader would: in a working folder of its own, on a copy of a finished home.

A server is started on a free port, awaited until it answers, and stopped. What belongs to other machines (containers,
services of the system) or is a test run of its own is not run: for it, the names that it mentions are checked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TextIO

from sophia_assets.home import Home
from sophia_assets.ports import free_port
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.sources import registry
from sophia_assets_tests.docs import commands
from sophia_assets_tests.docs.pages import Line

ELSEWHERE = frozenset(
    {"kubectl", "helm", "docker", "podman", "systemctl", "journalctl", "sudo", "psql", "pg_dump", "pg_restore"}
    | {"createdb", "redis-cli", "apt-get", "useradd", "install", "git", "pip", "crontab", "rsync", "scp", "ssh"}
    | {"mail", "curl", "wget"}
)
# What CI runs anyway, and what works on the project itself.
_DRY_TARGETS = frozenset({"briefing", "test", "test-long", "lint", "bench", "pictures", "lock", "clean"})
_SERVERS = (
    ("ui", "serve", "exporter", "mcp"),
    ("dagster", "dagster-webserver", "dagster-daemon", "prometheus"),
)
_BETWEEN = re.compile(r"\|\|?|&&|;|\$\(")
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=\S*$")
_ISO_DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_PORT_OPTION = re.compile(r"(--port|-p)[ =](\d+)")
# What a page asks on this machine is answered by what listens there by default.
_LISTENS = {"8000": "sophia serve", "9464": "sophia exporter"}
_LOCAL = re.compile(r"(?<=127\.0\.0\.1:)(\d+)")
_ANSWERS_WITHIN_S, _ENDS_WITHIN_S, _LONGEST_S = 150, 30, 400


class Kind(Enum):
    """What is done with a command."""

    RUN = "run"
    SERVER = "started, awaited, stopped"
    ASKED = "run while the server runs"
    DRY = "make -n"
    NAMED = "names checked"


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    line: Line
    kind: Kind
    code: int
    output: str
    seconds: float

    @property
    def is_as_written(self) -> bool:
        return self.code == self.line.exit_code

    def __str__(self) -> str:
        where = f"{self.line.page}:{self.line.number}"
        return (
            f"{where}: {self.line.command}\n  {self.kind.value}: code {self.code}, {self.seconds:.1f} s\n{self.output}"
        )


def kind_of(command: str) -> Kind:
    """What is done with a command, by what it calls."""
    programs = [_program(part) for part in _BETWEEN.split(command)]
    if programs[0] == "curl" and (port := _LOCAL.search(command)) and port[0] in _LISTENS:
        return Kind.ASKED
    if any(program in ELSEWHERE for program in programs):
        return Kind.NAMED
    if targets := commands.make_targets(command):
        return Kind.DRY if set(targets) <= _DRY_TARGETS else Kind.SERVER
    if "sophia_assets_tests" in command or any(program in ("pytest", "playwright") for program in programs):
        return Kind.NAMED
    calls = list(commands.sophia_calls(command))
    if any(call[:1] == ["drill"] for call in calls):
        # A drill takes two minutes, and is a test of its own.
        return Kind.NAMED
    if any(_is_served(call) for call in calls) or any(_runs_on(program, command) for program in programs):
        return Kind.SERVER
    return Kind.RUN


def _program(part: str) -> str:
    words = [word for word in part.split() if not _ASSIGNMENT.match(word)]
    return words[0].rpartition("/")[2] if words else ""


def _is_served(call: list[str]) -> bool:
    return "--help" not in call and (call[:1] in [[name] for name in _SERVERS[0]] or call[:2] == ["sandbox", "up"])


def _runs_on(program: str, command: str) -> bool:
    if program == "dagster":
        return " dev" in command
    return program in _SERVERS[1] and "--help" not in command and "--version" not in command


@dataclass(frozen=True)
class Workplace:
    """A folder that looks like the project's, and a home in it that may be written into."""

    folder: Path
    home: Home
    last_day: date
    exports: Path

    @classmethod
    def make(cls, folder: Path, finished: Home, exports: Path) -> Workplace:
        """In `folder`, which must not be there yet, with a copy of the finished home."""
        folder.mkdir(parents=True)
        for path in PROJECT_ROOT.iterdir():
            if path.name not in ("var", ".venv", ".git", ".env") and not path.name.endswith("_cache"):
                (folder / path.name).symlink_to(path)
        (folder / ".venv").symlink_to(sys.prefix)
        shutil.copytree(finished.path, folder / "var", ignore=shutil.ignore_patterns("*.lock"))
        company = finished.company()
        assert company and company.last_day
        return cls(folder, Home(folder / "var"), date.fromisoformat(company.last_day), exports)

    def environment(self, **more: str) -> dict[str, str]:
        """The process's own, without any setting, and with the home."""
        settings = {name for system in registry.SYSTEMS for name in registry.settings_of(system).names}
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SOPHIA_", "DAGSTER_", "OPENAI_", "ANTHROPIC_", "PYTEST_")) and name not in settings
        }
        path = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
        return kept | {"SOPHIA_HOME": str(self.home.path), "HOME": str(self.folder), "PATH": path} | more

    def execute(self, line: Line) -> Ran:
        """Does with the command what its kind says."""
        kind, began = kind_of(line.command), time.monotonic()
        if kind is Kind.NAMED:
            return Ran(line, kind, line.exit_code, "", 0.0)
        if kind is Kind.SERVER:
            code, output = self._serve(line)
        elif kind is Kind.ASKED:
            code, output = self._asked(line)
        else:
            dry = " -n -o .venv/.ready " if kind is Kind.DRY else " "
            code, output = self._run(self._script(line, re.sub(r"^make ", f"make{dry}", self._fitted(line.command))))
        return Ran(line, kind, code, output[-3000:], time.monotonic() - began)

    def _fitted(self, command: str) -> str:
        """The command with this home's days and folders where the page shows an example's."""
        first = self.last_day - timedelta(days=20)
        fitted = _ISO_DATE.sub(
            lambda found: found[0] if first <= date.fromisoformat(found[0]) <= self.last_day else first.isoformat(),
            command,
        )
        return fitted.replace("path/to/exports", str(self.exports))

    @staticmethod
    def _script(line: Line, command: str) -> str:
        return "\n".join([*line.before, command])

    def _run(self, script: str) -> tuple[int, str]:
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(_LONGEST_S)
            except subprocess.TimeoutExpired:
                code = 124
            finally:
                _end(process)
            output.seek(0)
            return code, output.read()

    def _serve(self, line: Line) -> tuple[int, str]:
        """Starts the server on a free port; 0 where it answers and ends when it is asked to."""
        port = free_port()
        command = _on_port(self._fitted(line.command), port)
        is_talking = any(call[:1] == ["mcp"] for call in commands.sophia_calls(command))
        with self._served(self._script(line, command), port, is_talking=is_talking) as (process, output):
            answered = _greets(process) if is_talking else _answers(process, port)
            _end(process)
            output.seek(0)
            return (0 if answered else process.returncode or 1), output.read()

    def _asked(self, line: Line) -> tuple[int, str]:
        """Runs a command that asks a server of this machine, while that runs on a free port."""
        port = free_port()
        [usual] = set(_LOCAL.findall(line.command))
        with self._served(_on_port(_LISTENS[usual], port), port) as (process, output):
            if not _answers(process, port):
                output.seek(0)
                return 1, output.read()
            return self._run(self._script(line, _LOCAL.sub(str(port), line.command)))

    @contextmanager
    def _served(
        self, script: str, port: int, *, is_talking: bool = False
    ) -> Iterator[tuple[subprocess.Popen[str], TextIO]]:
        """A server's process and what it prints; ended with the block."""
        more = {"SOPHIA_WEB_PORT": str(port)} | ({"SOPHIA_TOKEN": self._token()} if is_talking else {})
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment(**more),
                stdin=subprocess.PIPE if is_talking else subprocess.DEVNULL,
                stdout=subprocess.PIPE if is_talking else output,
                stderr=output,
                start_new_session=True,
                text=True,
            )
            try:
                yield process, output
            finally:
                _end(process)

    def _token(self) -> str:
        code, output = self._run("sophia users add reader-of-docs --role executive --json 2>/dev/null")
        assert code == 0, output
        return str(json.loads(output)["token"])


def _on_port(command: str, port: int) -> str:
    if _PORT_OPTION.search(command):
        return _PORT_OPTION.sub(rf"\1 {port}", command)
    if command.startswith("make ui"):
        return f"{command} -o .venv/.ready PORT={port}"
    if command.startswith("make"):
        return f"{command} -o .venv/.ready"
    for call in commands.sophia_calls(command):
        if call[0] != "mcp" and not commands.unknown_in_call([*call, "--port"]):
            return f"{command} --port {port}"
    if "prometheus " in command:
        return f"{command} --web.listen-address=127.0.0.1:{port} --storage.tsdb.path=prometheus-data"
    return f"{command} --port {port}" if "dagster-webserver" in command or "dagster dev" in command else command


def _answers(process: subprocess.Popen[str], port: int) -> bool:
    """Whether something listens at the port before the process ends, and within a while."""
    deadline = time.monotonic() + _ANSWERS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.2)
    return False


def _greets(process: subprocess.Popen[str]) -> bool:
    """Whether an assistant's first message is answered."""
    assert process.stdin and process.stdout
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "reader", "version": "1"},
        },
    }
    process.stdin.write(json.dumps(hello) + "\n")
    process.stdin.flush()
    return '"result"' in process.stdout.readline()


def _end(process: subprocess.Popen[Any]) -> None:
    """Ends the process and all that it has started, gently first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_ENDS_WITHIN_S)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
