"""A circuit says in one line why it is as it is, since when, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sophia_assets.control.breaker import (
    BreakerPolicy,
    Circuit,
    Failure,
    Force,
    State,
    after_failure,
    after_success,
    forced,
)
from sophia_assets.control.breaker import take_probe as taken
from sophia_assets.control.wording import in_words

NOW = datetime(2026, 3, 1, 9, 12, tzinfo=UTC)
POLICY = BreakerPolicy()
MINUTE = timedelta(minutes=1)


def after(*failures: Failure, circuit: Circuit | None = None) -> Circuit:
    circuit = circuit or Circuit("gong")
    for failure in failures:
        circuit = after_failure(circuit, failure, NOW, POLICY)
    return circuit


NO_ANSWER = Failure("connection", "gong/calls: no answer from api.gong.io. Try later")
OPEN = after(*[NO_ANSWER] * 5)
PROBED = taken(OPEN, "7f3c9a12-aaaa", NOW + 2 * MINUTE, POLICY) or OPEN
WHY = "open since 09:12 UTC after 5 failures in a row: gong/calls: no answer from api.gong.io. Try later"


@pytest.mark.parametrize(
    ("circuit", "later", "words"),
    [
        (Circuit("gong"), 0, "closed"),
        (after(NO_ANSWER), 0, "closed, 1 failure in a row"),
        (OPEN, 0, f"{WHY}; next try at 09:13 UTC"),
        (OPEN, 5, f"{WHY}; the next try is due"),
        (PROBED, 2, f"{WHY}; a probe is on its way (run 7f3c9a12), answer due by 09:16 UTC"),
        (PROBED, 9, f"{WHY}; 1 probe without success; the next try is due"),
        (
            after(Failure("authentication", "the token was refused")),
            0,
            "open since 09:12 UTC: the token was refused; it is not tried again until its credential "
            "is renewed or somebody resets the circuit",
        ),
        (after(Failure("quota", "spent", NOW + timedelta(days=1))), 0, "closed; its limit is spent until 2026-03-02 "
         "09:12 UTC"),
        (
            forced(Circuit("gong"), Force(State.OPEN, "ada", "maintenance", NOW, NOW + 30 * MINUTE)),
            0,
            "forced open by ada since 09:12 UTC (maintenance), until 09:42 UTC",
        ),
        (
            forced(OPEN, Force(State.CLOSED, "ada", "it is\nback", NOW)),
            0,
            "forced closed by ada since 09:12 UTC (it is back), until it is taken back; by itself it would be "
            f"{WHY}; next try at 09:13 UTC",
        ),
    ],
)  # fmt: skip
def test_a_state_is_told_in_one_line(circuit: Circuit, later: int, words: str) -> None:
    assert in_words(circuit, NOW + later * MINUTE) == words


def test_moments_are_told_in_the_time_zone_and_with_the_day_where_it_is_another() -> None:
    told = in_words(OPEN, NOW + timedelta(hours=15), ZoneInfo("Asia/Tokyo"))

    assert told.startswith("open since 2026-03-01 18:12 JST")


def test_a_ratio_is_told_beside_the_failures_in_a_row() -> None:
    circuit = Circuit("gong")
    for _ in range(5):
        circuit = after_failure(after_success(circuit, NOW, POLICY), NO_ANSWER, NOW, POLICY)

    assert "after 1 failure in a row, 5 of the last 10 calls" in in_words(circuit, NOW)


def test_a_try_that_is_less_than_a_minute_away_is_told_in_seconds() -> None:
    circuit = replace(Circuit("gong"), state=State.OPEN, since=NOW, retry_at=NOW + timedelta(seconds=25))

    assert in_words(circuit, NOW) == "open since 09:12 UTC; next try at 09:12 UTC, in 25 s"
