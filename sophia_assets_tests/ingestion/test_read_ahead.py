"""Reads that begin before their turn are taken over by the read that asks for the same, and by no other."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

import pytest

from sophia_assets.ingestion.read_ahead import ReadAheadSource
from sophia_assets.ingestion.waiting import WaitEnded, waits_end_with
from sophia_assets.sources.declarations import ReadItem, Rows, Window

WINDOW = Window(None, datetime(2026, 1, 1, tzinfo=UTC))


class _Counting:
    """A source that says how often it was read and from where on, and when a reader has been stopped."""

    system = "shop"
    requests_made = 0

    def __init__(self) -> None:
        self.resumes: list[Any] = []
        self.begun, self.stopped = threading.Event(), threading.Event()

    def ping(self) -> str:
        return "shop answers"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        self.resumes.append(resume)
        try:
            for number in range(resume or 0, 1000):
                self.begun.set()
                yield Rows(group, [{"id": number}])
        finally:
            self.stopped.set()


def _first(source: ReadAheadSource, resume: Any = None) -> int:
    item = next(iter(source.read("items", WINDOW, resume)))
    assert isinstance(item, Rows)
    return int(item.rows[0]["id"])


def test_a_started_read_is_taken_over() -> None:
    counting = _Counting()
    source = ReadAheadSource(counting)
    source.start({"items": WINDOW}, lambda: None)

    assert _first(source) == 0
    assert counting.resumes == [None]
    source.close()


def test_a_read_behind_a_position_is_made_anew_and_the_started_one_stopped() -> None:
    counting = _Counting()
    source = ReadAheadSource(counting)
    source.start({"items": WINDOW}, lambda: None)
    assert counting.begun.wait(5)

    assert _first(source, resume=7) == 7
    assert counting.stopped.is_set()
    assert counting.resumes == [None, 7]
    source.close()


def test_a_second_read_of_the_same_is_made_anew() -> None:
    counting = _Counting()
    source = ReadAheadSource(counting)
    source.start({"items": WINDOW}, lambda: None)
    _first(source)

    assert _first(source) == 0
    assert len(counting.resumes) == 2
    source.close()


def test_a_source_is_ready_once_its_reads_have_ended_or_are_far_enough_ahead() -> None:
    ready = threading.Event()
    source = ReadAheadSource(_Counting())
    source.start({"items": WINDOW, "others": WINDOW}, ready.set)

    assert ready.wait(10)
    source.close()


def test_a_source_of_which_nothing_is_read_ahead_is_ready_at_once() -> None:
    ready = threading.Event()
    ReadAheadSource(_Counting()).start({}, ready.set)

    assert ready.is_set()


class _Hanging:
    """A source of which no answer comes before `answer` is set."""

    system = "shop"
    requests_made = 0

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.asked: SimpleQueue[str] = SimpleQueue()
        self.ended: SimpleQueue[str] = SimpleQueue()

    def ping(self) -> str:
        return "shop answers"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        self.asked.put(group)
        self.answer.wait()
        yield Rows(group, [])
        self.ended.put(group)


def test_all_reads_are_told_to_stop_before_any_is_waited_for() -> None:
    hanging = _Hanging()
    source = ReadAheadSource(hanging)
    source.start(dict.fromkeys("abc", WINDOW), lambda: None)
    for _ in "abc":
        hanging.asked.get(timeout=5)
    source.stop()
    hanging.answer.set()
    source.close()

    assert hanging.ended.empty()


def test_a_started_read_stops_with_the_read_that_took_it_over() -> None:
    counting = _Counting()
    source = ReadAheadSource(counting)
    source.start({"items": WINDOW}, lambda: None)
    taken = source.read("items", WINDOW)
    next(iter(taken))
    assert isinstance(taken, Generator)
    taken.close()

    assert counting.stopped.wait(5)
    source.close()


def test_a_reader_that_waits_for_a_started_read_can_be_stopped() -> None:
    hanging = _Hanging()
    source = ReadAheadSource(hanging)
    source.start({"items": WINDOW}, lambda: None)
    taken = source.read("items", WINDOW)
    assert isinstance(taken, Generator)
    stopped = threading.Event()
    stopped.set()
    with waits_end_with(stopped), pytest.raises(WaitEnded):
        source.stop()
        next(taken)
    hanging.answer.set()
    source.close()


class _LargePages(_Counting):
    """A source of pages of ten thousand rows, which counts those that it was asked for."""

    pages = 0

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for _ in range(30):
            self.pages += 1
            yield Rows(group, [{"id": 1}] * 10_000)


def test_large_pages_are_read_ahead_by_their_rows() -> None:
    large, ready = _LargePages(), threading.Event()
    source = ReadAheadSource(large)
    source.start({"items": WINDOW}, ready.set)
    assert ready.wait(5)
    assert large.pages < 10

    assert sum(1 for _ in source.read("items", WINDOW)) == large.pages == 30
    source.close()
