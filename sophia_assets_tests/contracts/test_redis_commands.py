"""Every command that the Redis connector sends is one of the vendor's, takes those arguments, and only reads."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest

from sophia_assets.sandbox.standins.redis.resp import Frames, parsed
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Window
from sophia_assets_tests.contracts.openapi import CONTRACTS, needs_contracts
from sophia_assets_tests.sandbox.small_company import START, served, small_company
from sophia_assets_tests.sandbox.small_redis import small_redis
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, source_for

pytestmark = needs_contracts

Command = tuple[str, ...]
_CONTAINERS = ("XINFO",)


@cache
def _spec(name: str) -> dict[str, Any]:
    file = CONTRACTS / "redis" / "commands" / f"{name.lower().replace(' ', '-')}.json"
    [spec] = json.loads(file.read_text(encoding="utf-8")).values()
    found: dict[str, Any] = spec
    return found


def _named(command: Command) -> tuple[str, list[str]]:
    """The command's name, with that of its container, and its arguments."""
    length = 2 if command[0] in _CONTAINERS else 1
    return " ".join(command[:length]), list(command[length:])


def _takes(arguments: list[dict[str, Any]], given: list[str]) -> bool:
    """Whether a command with these declared arguments can be given these."""
    if not arguments:
        return not given
    first, rest = arguments[0], arguments[1:]
    if first.get("optional") and _takes(rest, given):
        return True
    if "token" in first:
        if not given or given[0].upper() != first["token"]:
            return False
        return _takes(rest, given[1:] if first["type"] == "pure-token" else given[2:])
    least = 1
    most = len(given) if first.get("multiple") else 1
    return any(len(given) >= count and _takes(rest, given[count:]) for count in range(least, most + 1))


@contextmanager
def _listened_in(url: str) -> Iterator[tuple[str, list[Command]]]:
    """The URL of a relay to the server, and every command that passes it."""
    seen: list[Command] = []
    target = urlsplit(url)

    def relay(source: socket.socket, sink: socket.socket, frames: Frames | None) -> None:
        with source, sink:
            try:
                while data := source.recv(1 << 16):
                    if frames is not None:
                        seen.extend(tuple(part.decode() for part in parsed(frame)) for frame in frames.fed(data))
                    sink.sendall(data)
            except OSError:
                return

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((target.hostname, target.port))
            for ends in ((client, server, Frames()), (server, client, None)):
                threading.Thread(target=relay, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield url.replace(f":{target.port}/", f":{listener.getsockname()[1]}/"), seen


@pytest.fixture(scope="module")
def commands() -> list[Command]:
    """Everything that is sent for a ping and for reading every group, whole and by a window."""
    company = small_company(hubspot=None, gong=None, snowflake=None, redis=small_redis())
    with served(company) as running, _listened_in(running.env["REDIS_URL"]) as (url, seen):
        source = source_for("redis", running.env | {"REDIS_URL": url})
        source.ping()
        for group in registry.groups("redis"):
            for window in (EVERYTHING, Window(START, END)):
                list(source.read(group, window))
    return seen


def test_every_command_takes_the_arguments_it_is_given(commands: list[Command]) -> None:
    assert len(commands) > 50
    for command in commands:
        name, given = _named(command)
        assert _takes(_spec(name).get("arguments", []), given), command[:1]


def test_no_command_writes(commands: list[Command]) -> None:
    flags = {name: set(_spec(name)["command_flags"]) for name, _ in map(_named, commands)}

    assert set(flags) == {"AUTH", "DBSIZE", "INFO", "SCAN", "HGETALL", "GET", "XRANGE", "XINFO STREAM"}
    assert not any("WRITE" in found for found in flags.values())
    assert {name for name, found in flags.items() if "READONLY" not in found} == {"AUTH", "INFO"}


@pytest.mark.parametrize(
    ("name", "given", "right"),
    [
        ("XRANGE", ["key", "-", "+"], True),
        ("XRANGE", ["key", "-", "+", "COUNT", "5"], True),
        ("XRANGE", ["key", "-", "+", "LIMIT", "5"], False),
        ("SCAN", ["0", "COUNT", "5", "TYPE", "hash"], True),
        ("SCAN", [], False),
        ("AUTH", ["user", "password"], True),
        ("AUTH", ["password"], True),
    ],
)
def test_the_check_itself_knows_right_from_wrong(name: str, given: list[str], right: bool) -> None:
    assert _takes(_spec(name)["arguments"], given) is right
