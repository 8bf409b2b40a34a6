"""One call ends when its time is over, whatever the vendor does, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psutil
import pytest

from sophia_assets.llm.interface import FailureKind, ModelError, Tokens
from sophia_assets_tests.llm.scripted_server import (
    ScriptedServer,
    Step,
    again_and_again,
    scripted_server,
    send,
    stall,
)
from sophia_assets_tests.llm.vendors import COMMENT, PING, PROMPT, TEXT, VENDORS, Vendor, loaded

SECONDS = 0.4
GRACE = 0.5


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name, autouse=True)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """A vendor whose SDK is loaded already, so that this is not measured."""
    return loaded(request.param)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as serving:
        yield serving


def left_behind(port: int) -> tuple[set[str], int]:
    """The threads that are no test server's, and how many of this process's sockets have called somebody."""
    threads = {thread.name for thread in threading.enumerate() if not thread.name.startswith("scripted")}
    return threads, sum(each.raddr.port == port for each in psutil.Process().net_connections("tcp") if each.raddr)


def timed_out(ask: Callable[[], object]) -> ModelError:
    """The error; a machine that is busy with something else gets three tries to be in time."""
    taken: list[float] = []
    while len(taken) < 3 and not any(each <= SECONDS + GRACE for each in taken):
        began = time.monotonic()
        with pytest.raises(ModelError) as raised:
            ask()
        taken.append(time.monotonic() - began)
    assert SECONDS * 0.9 <= min(taken) <= SECONDS + GRACE
    assert raised.value.kind is FailureKind.TIMEOUT
    return raised.value


def comes_true(condition: Callable[[], bool], seconds: float = 3.0) -> bool:
    """Whether it does within so many seconds: a thread that ends is listed for a moment longer."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def stalls(vendor: Vendor) -> dict[str, list[Step]]:
    head = vendor.headers
    return {
        "before the headers": [stall()],
        "within the headers": [send(head[:20]), stall()],
        "a trickle of headers": [send(b"HTTP/1.1 200 OK\r\n"), again_and_again(b"x-more: 1\r\n")],
        "after the headers": [send(head), stall()],
        "in the middle": vendor.stream(vendor.delta(TEXT), stall()),
        "in the middle, with pings": vendor.stream(vendor.delta(TEXT), again_and_again(PING)),
        "with comments": vendor.stream(again_and_again(COMMENT)),
        "a trickle of bytes": vendor.stream(b"event: ", again_and_again(b"x")),
        "a trickle of text": vendor.stream(again_and_again(vendor.delta("a "))),
        "before the body of an error": [send(b"HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\n{"), stall()],
    }


@pytest.mark.parametrize("where", stalls(VENDORS[0]))
def test_a_stall_ends_with_the_deadline_and_its_connection_with_it(
    vendor: Vendor, server: ScriptedServer, where: str
) -> None:
    server.play(stalls(vendor)[where])
    port = int(server.url.rpartition(":")[2])
    threads, sockets = left_behind(port)
    timed_out(lambda: vendor.asked_at(server.url).complete(PROMPT, seconds=SECONDS))
    assert server.hung_up.acquire(timeout=2), "the connection is still open"
    assert comes_true(lambda: left_behind(port) == (threads, sockets))


def test_what_came_before_a_stall_is_known_and_is_no_answer(vendor: Vendor, server: ScriptedServer) -> None:
    server.play(stalls(vendor)["in the middle"])
    error = timed_out(lambda: vendor.asked_at(server.url).complete(PROMPT, seconds=SECONDS))
    assert error.partial == TEXT
    assert error.tokens is not None and error.tokens.input > 0 and error.tokens.output > 0


def test_nobody_knows_what_was_used_where_nothing_came(vendor: Vendor, server: ScriptedServer) -> None:
    server.play([stall()])
    assert timed_out(lambda: vendor.asked_at(server.url).complete(PROMPT, seconds=SECONDS)).tokens is None


def test_connecting_slowly_ends_with_the_deadline(vendor: Vendor) -> None:
    """A listener whose queue is full takes no further connection, and refuses none."""
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        url = f"http://127.0.0.1:{address[1]}"
        error = timed_out(lambda: vendor.asked_at(url).complete(PROMPT, seconds=SECONDS))
        assert error.tokens == Tokens(), "nothing was sent yet"
        for each in waiting:
            each.close()


def test_a_tls_handshake_that_stalls_ends_with_the_deadline(vendor: Vendor, server: ScriptedServer) -> None:
    server.listens = False
    server.play([send(b"\x16\x03\x03\x00"), stall()])
    url = server.url.replace("http:", "https:")
    error = timed_out(lambda: vendor.asked_at(url).complete(PROMPT, seconds=SECONDS))
    assert error.tokens == Tokens(), "nothing was sent yet"
    assert server.hung_up.acquire(timeout=2), "the connection is still open"


def test_a_name_that_is_looked_up_for_ever_does_not_hold_the_call(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        answered.wait(10)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        timed_out(lambda: vendor.asked_at("http://slow.invalid").complete(PROMPT, seconds=SECONDS))
    finally:
        answered.set()


def test_no_time_at_all_asks_nothing_for_long(vendor: Vendor, server: ScriptedServer) -> None:
    server.play([stall()])
    began = time.monotonic()
    with pytest.raises(ModelError) as raised:
        vendor.asked_at(server.url).complete(PROMPT, seconds=0.0)
    assert raised.value.kind is FailureKind.TIMEOUT and time.monotonic() - began < GRACE


def test_it_works_where_a_loop_runs_already(vendor: Vendor, server: ScriptedServer) -> None:
    server.play(vendor.answer())

    async def within_a_loop() -> str:
        return vendor.asked_at(server.url).complete(PROMPT, seconds=30).text

    assert asyncio.run(within_a_loop()) == TEXT


def test_many_threads_ask_at_once_each_with_its_own_deadline(vendor: Vendor, server: ScriptedServer) -> None:
    server.play(*[vendor.answer() for _ in range(8)])
    provider = vendor.asked_at(server.url)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: provider.complete(PROMPT, seconds=30).text, range(8)))
    assert answers == [TEXT] * 8
