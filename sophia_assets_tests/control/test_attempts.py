"""The log of attempts keeps why a system's data is old, for every process that asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sophia_assets.control.attempts import AttemptLog, FailedAttempt
from sophia_assets.control.store import ControlStore

NOW = datetime(2026, 3, 1, 9, 12, 13, 456789, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def log(store: ControlStore) -> AttemptLog:
    return AttemptLog(store)


def test_a_failure_is_known_to_the_next_process(log: AttemptLog, store_url: str) -> None:
    log.failed("shop", "items", "the limit is spent", NOW, kind="quota")

    kept = AttemptLog(ControlStore(store_url)).last_failure("shop")
    assert kept == FailedAttempt("items", "the limit is spent", NOW.isoformat(), "quota", NOW.isoformat())


def test_the_first_of_several_failures_in_a_row_says_since_when(log: AttemptLog) -> None:
    log.failed("shop", "items", "cut the connection", NOW)
    log.failed("shop", "carts", "cut the connection", LATER)
    last = log.last_failure("shop")
    assert last is not None and (last.since, last.failed_at) == (NOW.isoformat(), LATER.isoformat())
    log.succeeded("shop", "carts")
    log.failed("shop", "items", "cut the connection", LATER)
    again = log.last_failure("shop")
    assert again is not None and again.since == LATER.isoformat()


def test_success_of_the_same_group_alone_forgets_the_failure(log: AttemptLog) -> None:
    log.failed("shop", "items", "no", NOW)
    log.succeeded("shop", "carts")
    assert log.last_failure("shop") is not None
    log.succeeded("shop", "items")
    assert log.last_failure("shop") is None


def test_a_failure_can_be_forgotten(log: AttemptLog) -> None:
    log.failed("shop", "items", "no", NOW)
    log.forget("shop")

    assert log.last_failure("shop") is None
