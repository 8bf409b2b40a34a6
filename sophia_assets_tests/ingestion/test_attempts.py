"""The log of attempts keeps why a system's data is old, and until when the system is to be left alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.ingestion.attempts import AttemptLog, FailedAttempt

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=2)


@pytest.fixture
def log(tmp_path: Path) -> AttemptLog:
    return AttemptLog(tmp_path)


def test_a_moment_to_wait_for_is_remembered_by_the_next_process(log: AttemptLog, tmp_path: Path) -> None:
    log.failed("shop", "items", "the limit is spent", NOW, kind="quota", not_before=LATER)

    assert AttemptLog(tmp_path).not_before("shop") == LATER
    assert log.last_failure("shop") == FailedAttempt(
        "items", "the limit is spent", NOW.isoformat(), "quota", LATER.isoformat(), NOW.isoformat()
    )


def test_the_first_of_several_failures_in_a_row_says_since_when(log: AttemptLog) -> None:
    log.failed("shop", "items", "cut the connection", NOW)
    log.failed("shop", "carts", "cut the connection", LATER)
    last = log.last_failure("shop")
    assert last is not None and (last.since, last.failed_at) == (NOW.isoformat(), LATER.isoformat())
    log.succeeded("shop", "carts")
    log.failed("shop", "items", "cut the connection", LATER)
    again = log.last_failure("shop")
    assert again is not None and again.since == LATER.isoformat()


def test_a_moment_that_has_passed_holds_nobody_back(log: AttemptLog) -> None:
    log.failed("shop", "items", "the limit is spent", NOW, not_before=NOW - timedelta(seconds=1))

    assert log.not_before("shop") is None
    assert log.last_failure("shop") is not None


def test_another_groups_failure_does_not_shorten_the_wait(log: AttemptLog) -> None:
    log.failed("shop", "items", "the limit is spent", NOW, not_before=LATER)
    log.failed("shop", "carts", "cut the connection", NOW)
    log.succeeded("shop", "items")

    assert log.not_before("shop") == LATER


def test_success_of_the_same_group_forgets_failure_and_wait(log: AttemptLog) -> None:
    log.failed("shop", "items", "the limit is spent", NOW, not_before=LATER)
    log.succeeded("shop", "items")

    assert (log.last_failure("shop"), log.not_before("shop")) == (None, None)


@pytest.mark.parametrize("content", [
    json.dumps({"group": "items", "reason": "no", "failed_at": "2026-01-01T00:00:00+00:00", "later": "unknown"}),
    json.dumps({"group": "items", "reason": "no", "failed_at": "2026-01-01T00:00:00+00:00"}),
])  # fmt: skip
def test_a_file_of_another_version_is_read(log: AttemptLog, tmp_path: Path, content: str) -> None:
    (tmp_path / "shop.json").write_text(content)

    failure = log.last_failure("shop")
    assert failure is not None and (failure.reason, failure.not_before) == ("no", None)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"strange": 1}'])
def test_a_torn_file_is_no_failure(log: AttemptLog, tmp_path: Path, content: str) -> None:
    (tmp_path / "shop.json").write_text(content)

    assert log.last_failure("shop") is None
    log.failed("shop", "items", "no", NOW)
    assert log.last_failure("shop") is not None
