"""How much, how often and how slowly anybody may ask, and what happens to those who do it beyond that."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from sophia_assets.assistant.interface import Answer, Question
from sophia_assets.errors import AuditUnavailable
from sophia_assets.home import Home
from sophia_assets.web.limits import Buckets, address_key
from sophia_assets.web.protocol import GuardedProtocol
from sophia_assets_tests.finished_home import copied_home
from sophia_assets_tests.web.serving import Echoing, Served, everything, served


class _Gate:
    """An assistant that answers when it is let go."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self, question: Question) -> Answer:
        self.entered.release()
        assert self.opened.wait(30)
        return Answer("answered", "value", question.text)


GATE = _Gate()


@pytest.fixture(scope="module")
def narrow(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process with tight limits: one question at a time, one more may wait."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("narrow") / "home")
    settings = {
        "SOPHIA_WEB_THREADS": "1",
        "SOPHIA_WEB_WAITING": "1",
        "SOPHIA_WEB_BODY_BYTES": "8192",
        "SOPHIA_WEB_REQUESTS_PER_MINUTE": "60",
        "SOPHIA_WEB_LOGINS_PER_MINUTE": "5",
        "SOPHIA_WEB_CONNECTIONS": "40",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuardedProtocol, "head_seconds", 1.0)
        with served(home, settings, assistant=Echoing(GATE)) as running:
            try:
                yield running
            finally:
                GATE.opened.set()


def test_a_question_beyond_those_that_may_wait_is_told_to_come_again(narrow: Served) -> None:
    narrow.token()
    GATE.opened.clear()
    with ThreadPoolExecutor(2) as askers:
        first = askers.submit(narrow.ask, "one")
        assert GATE.entered.acquire(timeout=20)
        second = askers.submit(narrow.ask, "two")
        _wait_until(lambda: narrow.state.answers.under_way == 2)
        beyond = narrow.ask("three")
        assert beyond.status_code == 503
        assert beyond.json()["error"]["code"] == "busy"
        assert int(beyond.headers["retry-after"]) > 0
        alive = requests.get(f"{narrow.address}/healthz", timeout=5)
        assert alive.status_code == 200, "the process lives while all threads are busy"
        assert narrow.get("/api/metrics").status_code == 200, "reading goes on while answers queue"
        GATE.opened.set()
        assert [first.result().json()["response"], second.result().json()["response"]] == ["one", "two"]


def _wait_until(is_so: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(2000):
        if is_so():
            return
        tick.wait(0.01)
    raise AssertionError("it never came about")


@pytest.fixture
def hasty(narrow: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The same process while requests may take no more than a second."""
    monkeypatch.setattr(narrow.state, "settings", replace(narrow.state.settings, request_seconds=1.0))
    return narrow


def test_what_takes_too_long_ends_with_a_timeout_and_its_thread_counts_until_it_ends(hasty: Served) -> None:
    GATE.opened.clear()
    answer = hasty.ask("slow")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
    assert hasty.state.answers.under_way == 1
    GATE.opened.set()
    _wait_until(lambda: hasty.state.answers.under_way == 0)
    assert hasty.ask("next").status_code == 200


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_beyond_its_limit_is_refused_however_it_is_sent(narrow: Served, is_chunked: bool) -> None:
    body = json.dumps({"query": "x", "padding": "y" * 50_000}).encode()

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    headers = {**narrow.bearer("big", "analyst"), "Content-Type": "application/json"}
    answer = requests.post(
        f"{narrow.address}/api/chat", data=chunks() if is_chunked else body, headers=headers, timeout=30
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


def test_a_body_that_never_ends_is_not_read_for_ever(hasty: Served) -> None:
    head = (
        f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{hasty.port}\r\nContent-Length: 100\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken="
    )
    assert hasty.raw(head.encode()).startswith(b"HTTP/1.1 504 ")


def test_a_head_that_comes_byte_by_byte_ends_with_the_time_for_it(narrow: Served) -> None:
    with narrow.connect() as connection:
        connection.sendall(b"GET /login HTTP/1.1\r\nHost: 127")
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_on_which_nothing_comes_ends(narrow: Served) -> None:
    assert narrow.raw(b"").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"a" * 2_000_000,
    ],
    ids=["url", "one header", "many headers", "endless header"],
)
def test_a_head_beyond_its_limit_is_refused(narrow: Served, head: bytes) -> None:
    with narrow.connect() as connection:
        try:
            connection.sendall(head)
        except (BrokenPipeError, ConnectionResetError):
            return
        answer = everything(connection)
    assert not answer or answer.split(b" ")[1] in (b"414", b"431")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\x00",
    ],
    ids=["tls", "space in a name", "zero byte", "two lengths of a kind", "negative", "two lengths", "http/2", "zero"],
)
def test_what_is_no_http_ends_the_connection_with_one_reason(narrow: Served, sent: bytes) -> None:
    answer = narrow.raw(sent)
    assert answer.split(b" ")[1] in (b"400", b"408"), answer
    assert b"Traceback" not in answer


def test_more_connections_than_there_may_be_are_turned_away_and_the_others_go_on(narrow: Served) -> None:
    held = [narrow.connect() for _ in range(40)]
    try:
        with narrow.connect() as beyond:
            assert everything(beyond).startswith(b"HTTP/1.1 503 ")
    finally:
        for connection in held:
            connection.close()
    _wait_until(lambda: len(narrow.server.server_state.connections) < 40)
    assert requests.get(f"{narrow.address}/healthz", timeout=20).status_code == 200


def test_whoever_tries_tokens_is_slowed_down_and_fills_no_audit_trail(narrow: Served) -> None:
    answers = [
        requests.get(
            f"{narrow.address}/api/metrics", headers={"Authorization": f"Bearer sophia_{'x' * 40}{n}"}, timeout=30
        )
        for n in range(12)
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:5] == [401] * 5 and set(statuses[6:]) == {429}
    assert int(answers[-1].headers["retry-after"]) > 0
    assert len(narrow.services.audit.tail(50, action="token.refused")) <= 6
    assert narrow.get("/api/metrics", headers=narrow.bearer("calm", "analyst")).status_code == 200, "no lockout"


def test_logins_are_slowed_down(narrow: Served) -> None:
    session = requests.Session()
    statuses = [narrow.log_in(session, f"sophia_{'y' * 40}{n}").status_code for n in range(8)]
    assert statuses[:5] == [401] * 5 and statuses[-1] == 429


def test_one_principal_that_asks_too_often_waits_and_another_does_not(narrow: Served) -> None:
    hasty = narrow.bearer("hasty", "analyst")
    answers = [narrow.get("/api/briefings", headers=hasty) for _ in range(30)]
    assert [answer.status_code for answer in answers[:15]] == [200] * 15
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert narrow.get("/api/briefings", headers=narrow.bearer("patient", "analyst")).status_code == 200


def test_what_cannot_be_recorded_is_not_shown(narrow: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = narrow.bearer("unrecorded", "executive")

    def fails(*_: object, **__: object) -> int:
        raise AuditUnavailable("the disk /var/secret/place is full")

    monkeypatch.setattr(narrow.services.audit, "record", fails)
    answer = narrow.get("/api/briefings/newest", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert "secret" not in answer.text and "bottom_line" not in answer.text


def test_a_bucket_fills_with_time_and_memory_stays_bounded() -> None:
    now = [0.0]
    buckets = Buckets(60, 2, most=100, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 1]
    now[0] += 1
    assert [buckets.take("a"), buckets.take("a")] == [0, 1]
    for number in range(1000):
        buckets.take(str(number))
    assert len(buckets) == 100
    assert [Buckets(0, 1).take("a") for _ in range(5)] == [0] * 5


def test_the_addresses_of_one_network_count_as_one() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:2")
    assert address_key("2001:db8:0:1::1") != address_key("2001:db8::1")
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1") == "10.0.0.1"
    assert address_key("") == address_key(None) == address_key("testclient") == "unknown"
