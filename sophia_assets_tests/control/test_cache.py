"""The cache in one process: what a key tells apart, how long values live, and that each is computed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from sophia_assets.control.cache import ARROW, Cache, CacheKey
from sophia_assets_tests.control.seconds import SecondsClock

KEY = CacheKey("facts", "executive", "v1", (date(2026, 3, 31), "bookings"))


class Computation:
    """Something to compute: counts how often it was, and gives what it is told to."""

    def __init__(self, value: Any = 1) -> None:
        self.value, self.times = value, 0

    def __call__(self) -> Any:
        self.times += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_a_value_is_computed_once() -> None:
    cache, compute = Cache("acme"), Computation({"bookings": [1, 2.5, None, "Zoë"]})
    assert [cache.get(KEY, 60, compute) for _ in range(3)] == [compute.value] * 3
    assert compute.times == 1


@pytest.mark.parametrize(
    "other",
    [
        CacheKey("answers", "executive", "v1", KEY.parts),
        CacheKey("facts", "sales", "v1", KEY.parts),
        CacheKey("facts", "executive", "v2", KEY.parts),
        CacheKey("facts", "executive", "v1", (date(2026, 3, 30), "bookings")),
        CacheKey("facts", "executive", "v1", ("2026-03-31", ["bookings"])),
        CacheKey("facts", "executivev1", "1", KEY.parts),
    ],
)
def test_another_question_reader_or_ground_is_another_value(other: CacheKey) -> None:
    cache = Cache("acme")
    cache.get(KEY, 60, Computation("mine"))
    assert cache.get(other, 60, Computation("theirs")) == "theirs"


def test_another_company_has_other_keys() -> None:
    assert KEY.digest("acme") != KEY.digest("other")


@pytest.mark.parametrize("missing", [("", "all", "v1"), ("facts", "", "v1"), ("facts", "all", "")])
def test_a_key_without_reader_or_ground_is_refused(missing: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="needs its kind, its scope and its version"):
        CacheKey(*missing)


def test_a_value_lives_as_long_as_it_is_told_to() -> None:
    clock, compute = SecondsClock(), Computation()
    cache = Cache("acme", clock=clock)
    cache.get(KEY, 60, compute)
    clock.pass_seconds(59.9)
    cache.get(KEY, 60, compute)
    assert compute.times == 1
    clock.pass_seconds(0.1)
    cache.get(KEY, 60, compute)
    assert compute.times == 2


def test_no_reader_can_change_what_another_gets() -> None:
    cache = Cache("acme")
    cache.get(KEY, 60, Computation({"rows": [1]}))["rows"].append(2)
    cache.get(KEY, 60, Computation())["rows"].append(3)
    assert cache.get(KEY, 60, Computation()) == {"rows": [1]}


def test_a_table_comes_back_as_it_was() -> None:
    table = pa.table({"day": [date(2026, 3, 31), None], "amount": pa.array([1, 2], pa.decimal128(18, 4))})
    cache, compute = Cache("acme"), Computation(table)
    assert [cache.get(KEY, 60, compute, ARROW).equals(table) for _ in range(2)] == [True, True]
    assert compute.times == 1


def test_what_cannot_be_written_as_data_is_refused() -> None:
    with pytest.raises(TypeError):
        Cache("acme").get(KEY, 60, Computation(object()))


def test_it_holds_no_more_than_it_may() -> None:
    cache = Cache("acme", most_bytes=10_000)
    keys = [CacheKey("text", "all", "v1", (number,)) for number in range(20)]
    for key in keys:
        cache.get(key, 60, Computation("x" * 1_000))
    computations = [Computation("again") for _ in keys]
    for key, compute in zip(keys, computations, strict=True):
        cache.get(key, 60, compute)
    assert sum(compute.times for compute in computations) > 10


def test_a_value_larger_than_the_cache_is_given_and_not_kept() -> None:
    cache, compute = Cache("acme", most_bytes=1_000), Computation("x" * 2_000)
    assert [len(cache.get(KEY, 60, compute)) for _ in range(2)] == [2_000, 2_000]
    assert compute.times == 2


def test_a_failure_is_raised_and_not_kept() -> None:
    cache, compute = Cache("acme"), Computation(RuntimeError("down"))
    with pytest.raises(RuntimeError, match="down"):
        cache.get(KEY, 60, compute)
    compute.value = "up"
    assert cache.get(KEY, 60, compute) == "up"


def _asked_by_many(cache: Cache, compute: Callable[[], Any], readers: int = 8) -> list[Any]:
    """What readers get who all ask before the first has its answer."""
    gate, inside = threading.Event(), threading.Event()

    def slow() -> Any:
        inside.set()
        gate.wait(30)
        return compute()

    with ThreadPoolExecutor(readers) as pool:
        first = pool.submit(cache.get, KEY, 60, slow)
        inside.wait(30)
        others = [pool.submit(cache.get, KEY, 60, slow) for _ in range(readers - 1)]
        while cache.stats().numbers["joined"] < readers - 1:
            time.sleep(0.001)
        gate.set()
        return [future.exception() or future.result() for future in (first, *others)]


def test_readers_who_ask_at_once_share_one_computation() -> None:
    cache, compute = Cache("acme"), Computation("shared")
    assert _asked_by_many(cache, compute) == ["shared"] * 8
    assert compute.times == 1


def test_readers_who_ask_at_once_share_a_failure() -> None:
    cache, compute = Cache("acme"), Computation(RuntimeError("down"))
    assert {str(error) for error in _asked_by_many(cache, compute)} == {"down"}
    assert compute.times == 1


def test_a_computation_may_ask_for_what_it_computes() -> None:
    cache = Cache("acme")
    assert cache.get(KEY, 60, lambda: cache.get(KEY, 60, Computation("inner"))) == "inner"


def test_switched_off_it_computes_each_time_and_keeps_nothing() -> None:
    enabled, compute = [True], Computation()
    cache = Cache("acme", is_enabled=lambda: enabled[0])
    cache.get(KEY, 60, compute)
    enabled[0] = False
    compute.value = 2
    assert [cache.get(KEY, 60, compute) for _ in range(2)] == [2, 2]
    assert compute.times == 3


def test_hits_are_counted() -> None:
    cache, compute = Cache("acme"), Computation()
    assert cache.stats().hit_rate is None
    for _ in range(4):
        cache.get(KEY, 60, compute)
    assert cache.stats().as_json() == {
        "here": 3,
        "shared": 0,
        "joined": 0,
        "computed": 1,
        "bypassed": 0,
        "hit_rate": 0.75,
    }


def test_what_is_bypassed_says_nothing_about_the_hit_rate() -> None:
    cache = Cache("acme", is_enabled=lambda: False)
    cache.get(KEY, 60, Computation())
    assert (cache.stats().numbers["bypassed"], cache.stats().hit_rate) == (1, None)
