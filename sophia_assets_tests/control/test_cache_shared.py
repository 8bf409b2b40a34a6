"""The cache beside a real Redis: what processes share, and that no trouble of Redis reaches who asks."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from sophia_assets.control.cache import Cache, CacheKey, Codec
from sophia_assets.control.shared_cache import PREFIX, RedisCache
from sophia_assets.errors import ConfigurationError
from sophia_assets_tests.control.redis_server import RedisServer, running_redis
from sophia_assets_tests.control.seconds import SecondsClock

QUESTION, PERSON = "canary-question-why-did-we-lose", "canary-person-zoe"
KEY = CacheKey("answers", PERSON, "v1", (QUESTION,))
# A busy machine must not make these tests fail: only that a frozen server is given up counts.
PATIENCE_S = 2.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> RedisServer:
    server.command("FLUSHALL")
    return server


@contextmanager
def cache_at(url: str, clock: SecondsClock | None = None, patience_s: float = PATIENCE_S) -> Iterator[Cache]:
    """What a process of its own would have."""
    timer = clock or SecondsClock()
    cache = Cache("acme", shared=RedisCache(url, patience_s=patience_s, clock=timer), clock=timer)
    try:
        yield cache
    finally:
        cache.close()


def computed(value: Any) -> Callable[[], Any]:
    return lambda: value


def refused() -> Any:
    raise AssertionError("computed once more")


def keys(redis: RedisServer) -> list[str]:
    return [line for line in redis.command("KEYS *").decode().splitlines() if line.startswith("sophia")]


def test_what_one_process_has_computed_another_finds(redis: RedisServer) -> None:
    with cache_at(redis.url) as one, cache_at(redis.url) as other:
        one.get(KEY, 60, computed({"answer": 42}))
        one.close()
        assert other.get(KEY, 60, refused) == {"answer": 42}
        assert other.stats().numbers == {"shared": 1}


def test_who_may_not_see_a_value_does_not_find_it(redis: RedisServer) -> None:
    with cache_at(redis.url) as one, cache_at(redis.url) as other:
        one.get(KEY, 60, computed("for zoe"))
        one.close()
        assert other.get(CacheKey("answers", "someone else", "v1", KEY.parts), 60, computed("own")) == "own"


def test_entries_end_in_redis_and_are_kept_no_longer_here(redis: RedisServer) -> None:
    clock = SecondsClock()
    with cache_at(redis.url) as one, cache_at(redis.url, clock) as other:
        one.get(KEY, 60, computed("first"))
        one.close()
        entry = next(key for key in keys(redis) if "counted" not in key)
        assert 0 < int(redis.command(f"PTTL {entry}")[1:]) <= 60_000
        redis.command(f"PEXPIRE {entry} 10000")
        other.get(KEY, 60, refused)
        redis.command(f"DEL {entry}")
        clock.pass_seconds(10)
        assert other.get(KEY, 60, computed("second")) == "second"


def test_no_question_and_no_name_can_be_read_in_the_key_space(redis: RedisServer) -> None:
    with cache_at(redis.url) as cache:
        cache.get(KEY, 60, computed("x"))
    assert len(keys(redis)) == 2, "the value, and what was counted"
    assert not any(canary in key for key in keys(redis) for canary in (QUESTION, PERSON, "acme"))


def test_hits_are_counted_over_all_processes(redis: RedisServer) -> None:
    with cache_at(redis.url) as one, cache_at(redis.url) as other:
        for _ in range(5):
            one.get(KEY, 60, computed("x"))
        one.close()
        for _ in range(4):
            other.get(KEY, 60, refused)
        stats = other.stats(shared=True)
    assert stats.numbers == {"computed": 1, "shared": 1, "here": 7}
    assert stats.hit_rate == pytest.approx(8 / 9)


@pytest.mark.parametrize(
    "change",
    ["SET {key} garbage", "SETRANGE {key} 20 X", "SET {key} x", "RENAME {other} {key}", "DEL {key}"],
)
def test_a_value_that_is_not_what_was_kept_under_its_key_is_none(redis: RedisServer, change: str) -> None:
    with cache_at(redis.url) as one, cache_at(redis.url) as other:
        one.get(KEY, 60, computed("original answer"))
        key = PREFIX + KEY.digest("acme")
        another = CacheKey("answers", PERSON, "v1", ("another question",))
        one.get(another, 60, computed("the other answer"))
        one.close()
        redis.command(change.format(key=key, other=PREFIX + another.digest("acme")))
        assert other.get(KEY, 60, computed("computed")) == "computed"


def test_a_key_of_another_type_is_no_value(redis: RedisServer) -> None:
    redis.command(f"HSET {PREFIX}{KEY.digest('acme')} a b")
    with cache_at(redis.url) as cache:
        assert cache.get(KEY, 60, computed("computed")) == "computed"


def test_what_another_release_has_kept_in_another_form_is_computed_anew(redis: RedisServer) -> None:
    amounts = Codec[int](
        lambda amount: b'{"amount": %d}' % amount, lambda content: int(orjson.loads(content)["amount"])
    )
    with cache_at(redis.url) as one, cache_at(redis.url) as other, cache_at(redis.url) as third:
        one.get(KEY, 60, computed(["a list"]))
        one.close()
        assert [other.get(KEY, 60, computed(7), amounts) for _ in range(2)] == [7, 7]
        other.close()
        assert third.get(KEY, 60, refused, amounts) == 7


def test_a_redis_out_of_memory_costs_nothing_but_what_it_would_have_kept(redis: RedisServer) -> None:
    with cache_at(redis.url) as one, cache_at(redis.url) as other:
        one.get(KEY, 60, computed("kept before"))
        one.close()
        redis.command("CONFIG SET maxmemory 1")
        try:
            second = CacheKey("answers", PERSON, "v1", ("second",))
            assert other.get(second, 60, computed("here alone")) == "here alone"
            assert other.get(second, 60, refused) == "here alone"
            assert other.get(KEY, 60, refused) == "kept before", "what is there can still be read"
        finally:
            redis.command("CONFIG SET maxmemory 0")


def test_a_redis_that_is_gone_is_left_alone_and_found_again(tmp_path: Path) -> None:
    clock, server = SecondsClock(), RedisServer(tmp_path)
    with cache_at(server.url, clock) as cache, cache_at(server.url) as writer:
        assert cache.get(KEY, 600, computed("own")) == "own"
        assert cache.get(KEY, 600, refused) == "own"
        server.start()
        try:
            other = CacheKey("answers", PERSON, "v1", ("other",))
            writer.get(other, 600, computed("shared"))
            writer.close()
            assert cache.get(other, 1, computed("left alone")) == "left alone"
            clock.pass_seconds(6)
            assert cache.get(other, 600, refused) == "shared"
        finally:
            server.stop()


def test_each_failed_try_doubles_the_time_it_is_left_alone(tmp_path: Path) -> None:
    with _counting_listener() as (port, connections):
        clock = SecondsClock()
        with cache_at(f"redis://127.0.0.1:{port}/0", clock) as cache:
            tries = []
            for second in range(40):
                cache.get(CacheKey("n", "all", "v1", (second,)), 60, computed(second))
                tries.append(len(connections))
                clock.pass_seconds(1)
    grown = [second for second in range(1, 40) if tries[second] > tries[second - 1]]
    assert (tries[0], grown) == (1, [5, 15, 35])


def test_a_frozen_redis_is_given_up_and_used_again_when_it_goes_on(tmp_path: Path) -> None:
    clock = SecondsClock()
    with running_redis(tmp_path) as server, cache_at(server.url, clock, patience_s=0.1) as cache:
        server.freeze()
        assert cache.get(KEY, 60, computed("own")) == "own"
        server.thaw()
        another = CacheKey("answers", PERSON, "v1", ("another",))
        with cache_at(server.url) as writer:
            writer.get(another, 60, computed("shared"))
        assert cache.get(KEY, 60, refused) == "own"
        clock.pass_seconds(5)
        assert cache.get(another, 60, refused) == "shared"


def test_of_a_thousand_questions_to_a_hanging_redis_one_waits() -> None:
    with _counting_listener(hangs=True) as (port, connections):
        with cache_at(f"redis://127.0.0.1:{port}/0", patience_s=0.05) as cache:
            for number in range(1_000):
                cache.get(CacheKey("n", "all", "v1", (number,)), 60, computed(number))
        assert len(connections) == 1


def test_readers_who_wait_at_once_count_as_one_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = SecondsClock()
    with running_redis(tmp_path) as server, cache_at(server.url, clock, patience_s=0.2) as cache:
        server.freeze()
        try:
            readers = [
                threading.Thread(target=cache.get, args=(CacheKey("n", "all", "v1", (n,)), 60, computed(n)))
                for n in range(20)
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
        finally:
            server.thaw()
        clock.pass_seconds(5)
        cache.get(KEY, 60, computed("x"))
        cache.stats(shared=True)
    told = [record.getMessage() for record in caplog.records if record.name.endswith("shared_cache")]
    assert len([line for line in told if "not used for a while" in line]) == 1
    assert server.password not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\xfe" * 100, b"$-7\r\n", b"*3\r\n:1\r\n", b"+OK\r\n" * 50, b""],
)
def test_a_server_that_is_no_redis_is_no_trouble(answer: bytes) -> None:
    with _counting_listener(answer) as (port, _), cache_at(f"redis://127.0.0.1:{port}/0", patience_s=0.3) as cache:
        assert cache.get(KEY, 60, computed("own")) == "own"
        assert cache.get(KEY, 60, refused) == "own"


def test_an_answer_that_drips_is_given_up() -> None:
    drip = b"$1000000\r\n"
    with _counting_listener(drip, drips=True) as (port, _), cache_at(f"redis://127.0.0.1:{port}/0", None, 0.1) as cache:
        assert cache.get(KEY, 60, computed("own")) == "own"
        assert cache.get(CacheKey("n", "all", "v1"), 60, computed("left alone")) == "left alone"


def test_a_wrong_password_is_no_trouble_and_is_not_told(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with cache_at(f"redis://:canary-wrong@127.0.0.1:{redis.port}/0") as cache:
        assert cache.get(KEY, 60, computed("own")) == "own"
        assert cache.stats(shared=True).asked == 0
    assert "canary" not in caplog.text
    assert "not used for a while (AuthenticationError)" in caplog.text


def test_a_value_too_large_to_come_in_time_stays_here(redis: RedisServer) -> None:
    with cache_at(redis.url) as cache:
        cache.get(KEY, 60, computed("x" * 5_000_000))
    assert [key for key in keys(redis) if "counted" not in key] == []


@pytest.mark.parametrize("url", ["http://canary:canary@example.com", "redis://:canary@host:port/0"])
def test_an_address_that_is_none_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_CACHE_URL is no address of a Redis") as error:
        RedisCache(url)
    assert "canary" not in str(error.value)


@contextmanager
def _counting_listener(
    answer: bytes = b"", drips: bool = False, hangs: bool = False
) -> Iterator[tuple[int, list[int]]]:
    """A server that gives each connection the same answer; its port, and an entry for each connection."""
    connections: list[int] = []
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(1 << 16)
                connection.sendall(answer)
                if hangs:
                    ended.wait()
                while drips and not ended.wait(0.02):
                    connection.sendall(b"x")
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1], connections
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
