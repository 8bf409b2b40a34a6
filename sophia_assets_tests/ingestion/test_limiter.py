"""The limiter lets through what the vendor allows, learns from its headers, and is one per account."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sophia_assets.ingestion.limiter import RateLimiter, shared_limiter


def _moments(limiter: RateLimiter, count: int, threads: int = 1) -> list[float]:
    """When each of `count` requests was let through, from the first on."""

    def one(_: int) -> float:
        limiter.acquire()
        return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        moments = sorted(pool.map(one, range(count)))
    return [moment - moments[0] for moment in moments]


def test_no_window_holds_more_than_the_limit_even_with_many_threads() -> None:
    moments = _moments(RateLimiter(3, 0.1), 12, threads=6)

    # A thread may be late to look at the clock, never early: a small allowance for that.
    assert all(later - earlier > 0.08 for earlier, later in zip(moments, moments[3:], strict=False))


def test_a_pause_holds_everybody_back() -> None:
    limiter = RateLimiter(100, 1.0)
    limiter.pause(0.2)
    before = time.monotonic()
    limiter.acquire()

    assert time.monotonic() - before >= 0.19


def test_a_higher_limit_is_learned() -> None:
    limiter = RateLimiter(1, 60.0)
    limiter.acquire()
    limiter.learn(limit=50, seconds=10.0, remaining=49)

    assert _moments(limiter, 40)[-1] < 5


def test_what_others_on_the_account_used_is_left_to_them() -> None:
    limiter = RateLimiter(10, 0.2)
    limiter.acquire()
    limiter.learn(limit=10, seconds=0.2, remaining=1)

    assert _moments(limiter, 2)[1] > 0.1


def test_an_account_has_one_limiter_and_another_account_another() -> None:
    first = shared_limiter("https://a.example", "token", "requests", requests=3, seconds=1)

    assert shared_limiter("https://a.example", "token", "requests", requests=3, seconds=1) is first
    assert shared_limiter("https://a.example", "other", "requests", requests=3, seconds=1) is not first
    assert shared_limiter("https://a.example", "token", "search", requests=3, seconds=1) is not first
