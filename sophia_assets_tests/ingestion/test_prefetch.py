"""Reading ahead keeps order, errors and bounds."""

from __future__ import annotations

import threading
from collections.abc import Generator
from itertools import islice

import pytest

from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.ingestion.prefetch import prefetched
from sophia_assets.ingestion.waiting import WaitEnded


def test_items_come_in_order_and_an_error_at_its_place() -> None:
    def source() -> Generator[int, None, None]:
        yield from range(100)
        raise ValueError("broken")

    with prefetched(source(), ahead=3) as items:
        assert list(islice(items, 100)) == list(range(100))
        with pytest.raises(ValueError, match="broken"):
            next(items)


def test_no_more_than_the_bound_is_read_ahead_and_leaving_closes_the_source() -> None:
    produced: list[int] = []
    closed = threading.Event()

    def source() -> Generator[int, None, None]:
        try:
            for number in range(1000):
                produced.append(number)
                yield number
        finally:
            closed.set()

    with prefetched(source(), ahead=3) as items:
        assert next(items) == 0
    assert closed.is_set()
    assert len(produced) <= 6


def test_leaving_ends_a_wait_for_a_limit() -> None:
    waiting, ended = threading.Event(), threading.Event()
    limiter = RateLimiter(1, 3600.0)

    def source() -> Generator[int, None, None]:
        limiter.acquire()
        yield 1
        waiting.set()
        try:
            limiter.acquire()
        except WaitEnded:
            ended.set()
            raise

    with prefetched(source(), ahead=3) as items:
        assert next(items) == 1
        assert waiting.wait(5)
    assert ended.is_set()
