"""The rules of a breaker: what opens it, what it lets through, and what closes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sophia_assets.control.breaker import (
    BreakerPolicy,
    Circuit,
    Failure,
    Force,
    State,
    Verdict,
    admit,
    after_failure,
    after_success,
    forced,
    reset,
    settled,
    take_probe,
)
from sophia_assets.errors import ConfigurationError

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = BreakerPolicy()
MINUTE = timedelta(minutes=1)
NO_ANSWER = Failure("connection", "no answer")
REFUSED = Failure("authentication", "the token was refused")


def opened(failure: Failure = NO_ANSWER, at: datetime = NOW, credential: str = "key") -> Circuit:
    circuit = Circuit("gong")
    for _ in range(POLICY.failure_threshold):
        circuit = after_failure(circuit, failure, at, POLICY, credential=credential)
    assert circuit.state is State.OPEN
    return circuit


def probing(circuit: Circuit, at: datetime, credential: str = "") -> Circuit:
    taken = take_probe(circuit, "run", at, POLICY, credential)
    assert taken is not None
    return taken


def test_as_many_failures_in_a_row_as_the_threshold_open_it() -> None:
    circuit = Circuit("gong")
    for number in range(1, 6):
        circuit = after_failure(circuit, NO_ANSWER, NOW, POLICY)
        assert (circuit.state is State.OPEN) == (number == 5)


def test_a_success_in_between_begins_the_count_anew() -> None:
    circuit = Circuit("gong")
    for _ in range(4):
        circuit = after_failure(circuit, NO_ANSWER, NOW, POLICY)
    circuit = after_failure(after_success(circuit, NOW, POLICY), NO_ANSWER, NOW, POLICY)

    assert (circuit.state, circuit.consecutive_failures) == (State.CLOSED, 1)


def half_failed() -> Circuit:
    """Four of nine calls failed: with one more that fails, half of ten."""
    circuit = Circuit("gong")
    for _ in range(4):
        circuit = after_success(after_failure(circuit, NO_ANSWER, NOW, POLICY), NOW, POLICY)
    return after_success(circuit, NOW, POLICY)


def test_half_of_enough_outcomes_in_the_window_opens_it() -> None:
    assert after_failure(half_failed(), NO_ANSWER, NOW + MINUTE, POLICY).state is State.OPEN


def test_outcomes_before_the_window_do_not_count() -> None:
    circuit = after_failure(half_failed(), NO_ANSWER, NOW + POLICY.window, POLICY)

    assert (circuit.state, len(circuit.outcomes)) == (State.CLOSED, 1)


def test_a_busy_circuit_remembers_a_bounded_number_of_outcomes() -> None:
    circuit = Circuit("gong")
    for _ in range(500):
        circuit = after_success(circuit, NOW, POLICY)

    assert len(circuit.outcomes) == 100


@pytest.mark.parametrize("kind", ["validation", "schema_drift", "permission", "configuration", "circuit_open"])
def test_what_a_living_system_answers_never_opens_it(kind: str) -> None:
    circuit = Circuit("gong")
    for _ in range(50):
        circuit = after_failure(circuit, Failure(kind, "no"), NOW, POLICY)

    assert admit(circuit, NOW).is_allowed


def test_a_spent_limit_is_waited_for_and_does_not_count() -> None:
    circuit = Circuit("gong")
    for _ in range(50):
        circuit = after_failure(circuit, Failure("quota", "spent", NOW + MINUTE), NOW, POLICY)

    assert admit(circuit, NOW).verdict is Verdict.LEFT_ALONE
    assert admit(circuit, NOW + MINUTE).is_allowed


def test_the_later_of_two_moments_to_wait_for_holds() -> None:
    circuit = after_failure(Circuit("gong"), Failure("quota", "spent", NOW + 2 * MINUTE), NOW, POLICY)
    circuit = after_failure(circuit, Failure("quota", "spent", NOW + MINUTE), NOW, POLICY)

    assert circuit.not_before == NOW + 2 * MINUTE


def test_a_refused_credential_opens_it_at_once_and_for_good() -> None:
    circuit = after_failure(Circuit("gong"), REFUSED, NOW, POLICY, credential="old")

    assert circuit.state is State.OPEN
    assert admit(circuit, NOW + timedelta(days=3650), "old").verdict is Verdict.OPEN
    assert admit(circuit, NOW, "new").verdict is Verdict.PROBE_DUE


def test_a_lost_probe_of_a_new_credential_brings_none_for_the_old_one() -> None:
    circuit = probing(after_failure(Circuit("gong"), REFUSED, NOW, POLICY, credential="old"), NOW, "new")
    later = NOW + POLICY.lease

    assert admit(circuit, later, "old").verdict is Verdict.OPEN
    assert admit(circuit, later, "new").verdict is Verdict.PROBE_DUE


def test_each_failed_probe_doubles_the_wait_up_to_the_longest() -> None:
    circuit, waits, now = opened(), [], NOW
    for _ in range(8):
        assert circuit.retry_at is not None
        waits.append((circuit.retry_at - now) / MINUTE)
        now = circuit.retry_at
        circuit = after_failure(probing(circuit, now), NO_ANSWER, now, POLICY, owner="run")

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 54), (0.0, 60), (1.0, 66)])
def test_jitter_moves_the_wait_by_up_to_a_tenth(jitter: float, seconds: int) -> None:
    assert POLICY.open_time(0, jitter) == timedelta(seconds=seconds)


def test_very_many_failed_probes_wait_no_longer_than_the_longest() -> None:
    assert POLICY.open_time(100_000, 0.0) == POLICY.longest


def test_only_one_probe_is_let_through_while_its_lease_lasts() -> None:
    circuit = probing(opened(), NOW + MINUTE)

    assert take_probe(circuit, "another", NOW + MINUTE, POLICY) is None
    assert admit(circuit, NOW + MINUTE).verdict is Verdict.PROBING


def test_the_probe_of_a_lost_holder_is_due_at_once_under_another_key() -> None:
    circuit = probing(opened(), NOW + MINUTE)
    later = settled(circuit, NOW + MINUTE + POLICY.lease)

    assert (later.state, later.attempt) == (State.OPEN, 1)
    assert later.probe_key != circuit.probe_key
    assert take_probe(later, "another", NOW + MINUTE + POLICY.lease, POLICY) is not None


def test_the_probes_holder_alone_closes_it() -> None:
    circuit = probing(opened(), NOW + MINUTE)

    assert after_success(circuit, NOW + MINUTE, POLICY, "another").state is State.HALF_OPEN
    assert after_success(circuit, NOW + MINUTE, POLICY).state is State.HALF_OPEN
    assert after_success(circuit, NOW + MINUTE, POLICY, "run").state is State.CLOSED
    assert after_success(circuit, NOW + MINUTE + POLICY.lease, POLICY, "run").state is State.OPEN


def test_a_probe_that_was_told_to_wait_has_found_it_alive() -> None:
    circuit = probing(opened(), NOW + MINUTE)
    answered = after_failure(circuit, Failure("quota", "spent", NOW + 9 * MINUTE), NOW + MINUTE, POLICY, owner="run")

    assert answered.state is State.CLOSED
    assert admit(answered, NOW + 2 * MINUTE).verdict is Verdict.LEFT_ALONE


def test_a_force_stands_above_what_the_breaker_finds_until_it_ends() -> None:
    circuit = forced(opened(), Force(State.CLOSED, "ada", "a test", NOW, NOW + MINUTE / 2))

    assert admit(circuit, NOW).is_allowed
    assert admit(circuit, NOW + MINUTE / 2).verdict is Verdict.OPEN
    assert settled(circuit, NOW + MINUTE / 2).change_seq == circuit.change_seq + 1


def test_what_is_forced_open_lets_nobody_through_not_even_a_probe() -> None:
    circuit = forced(opened(), Force(State.OPEN, "ada", "maintenance", NOW))
    later = NOW + timedelta(days=365)

    assert admit(circuit, later, "another key").verdict is Verdict.FORCED_OPEN
    assert take_probe(circuit, "run", later, POLICY) is None


def test_a_force_lets_nobody_ask_before_a_spent_limit_is_fresh() -> None:
    waiting = after_failure(Circuit("gong"), Failure("quota", "spent", NOW + MINUTE), NOW, POLICY)
    circuit = forced(waiting, Force(State.CLOSED, "ada", "now", NOW))

    assert admit(circuit, NOW).verdict is Verdict.LEFT_ALONE


def test_a_reset_takes_everything_back() -> None:
    circuit = forced(opened(REFUSED), Force(State.OPEN, "ada", "maintenance", NOW))
    circuit = reset(replace(circuit, not_before=NOW + MINUTE), NOW)

    assert admit(circuit, NOW).is_allowed
    assert (circuit.open_seq, circuit.force, circuit.not_before) == (1, None, None)


def test_a_force_that_ended_before_a_reset_counts_as_a_change_of_its_own() -> None:
    circuit = forced(Circuit("gong"), Force(State.OPEN, "ada", "maintenance", NOW, NOW + MINUTE))

    assert reset(circuit, NOW + MINUTE).change_seq == circuit.change_seq + 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"failure_threshold": 0},
        {"failure_ratio": 0.0},
        {"failure_ratio": 1.1},
        {"minimum_outcomes": 0},
        {"window": timedelta()},
        {"recovery_timeout": timedelta()},
        {"longest": timedelta(seconds=1)},
        {"jitter": 1.0},
        {"lease": timedelta()},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        replace(POLICY, **wrong)  # type: ignore[arg-type]


def reopened_after_a_probe(circuit: Circuit) -> Circuit:
    assert circuit.retry_at is not None
    circuit = after_success(probing(circuit, circuit.retry_at), circuit.retry_at, POLICY, "run")
    for _ in range(POLICY.failure_threshold):
        assert circuit.since is not None
        circuit = after_failure(circuit, NO_ANSWER, circuit.since, POLICY)
    assert circuit.state is State.OPEN
    return circuit


def open_time(circuit: Circuit) -> timedelta:
    assert circuit.retry_at is not None and circuit.since is not None
    return circuit.retry_at - circuit.since


def test_a_system_that_answers_probes_and_nothing_else_is_left_alone_for_longer_each_time() -> None:
    once = reopened_after_a_probe(opened())
    twice = reopened_after_a_probe(once)

    assert [open_time(circuit) for circuit in (once, twice)] == [2 * MINUTE, 4 * MINUTE]


def test_something_that_was_read_well_makes_the_next_open_time_short_again() -> None:
    circuit = reopened_after_a_probe(opened())
    assert circuit.retry_at is not None
    circuit = after_success(probing(circuit, circuit.retry_at), circuit.retry_at, POLICY, "run")
    circuit = after_success(circuit, NOW + 5 * MINUTE, POLICY)
    for _ in range(POLICY.failure_threshold):
        circuit = after_failure(circuit, NO_ANSWER, NOW + 6 * MINUTE, POLICY)

    assert open_time(circuit) == MINUTE
