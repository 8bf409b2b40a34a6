"""What counts as unusual: noise does not, a step does, and neither depends on the unit."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.insight.moves import (
    LIMIT,
    RISES,
    STANDS_OUT,
    among_peers,
    count_surprise,
    is_whole_month,
    missing_days,
    move_surprise,
    ratio_surprise,
    surprise,
    usual,
    weekdays_in,
)

TRIALS = 2_000
amounts = st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=24)


def noise(rng: random.Random, count: int, shift: float = 0.0) -> list[float]:
    return [rng.gauss(100 + shift, 1) for _ in range(count)]


def share_of(hits: int) -> float:
    return hits / TRIALS


@pytest.mark.parametrize("history", [8, 12, 24])
@pytest.mark.parametrize("recent", [1, 2])
def test_noise_alone_is_a_surprise_less_than_once_in_twenty_times(history: int, recent: int) -> None:
    rng = random.Random(f"noise {history} {recent}")
    alarms = sum(abs(surprise(noise(rng, history), noise(rng, recent))) > STANDS_OUT for _ in range(TRIALS))
    # The share itself is known to half a point after so many trials; the bound leaves room for one and a half of these.
    assert share_of(alarms) < 0.0575


def test_a_step_of_three_sigma_that_stays_for_two_points_is_found_nine_times_in_ten() -> None:
    rng = random.Random("step")
    found = sum(surprise(noise(rng, 12), noise(rng, 2, shift=3)) > STANDS_OUT for _ in range(TRIALS))
    assert share_of(found) >= 0.9


def test_a_step_is_found_beside_an_outlier_in_the_history() -> None:
    rng = random.Random("outlier")
    found = sum(
        surprise([*noise(rng, 11), 100 + rng.choice([-40, 40])], noise(rng, 3, shift=4)) > STANDS_OUT
        for _ in range(TRIALS)
    )
    assert share_of(found) >= 0.9


@pytest.mark.parametrize("months", [8, 11, 12, 18])
def test_months_that_only_vary_make_no_move_stand_out(months: int) -> None:
    rng = random.Random(f"months {months}")

    def move_is_told() -> bool:
        history = noise(rng, months)
        return abs(move_surprise(history, noise(rng, 1)[0] - history[-1])) > STANDS_OUT

    assert share_of(sum(move_is_told() for _ in range(TRIALS))) < 0.0575


def test_a_rise_that_comes_at_the_end_of_every_quarter_is_no_surprise_but_its_absence_is() -> None:
    rng = random.Random("season")
    history = [100 + (60 if month % 3 == 2 else 0) + rng.gauss(0, 2) for month in range(14)]
    assert abs(move_surprise(history, 160 - history[-1])) < STANDS_OUT
    assert move_surprise(history, 100 - history[-1]) < -STANDS_OUT


def test_a_longer_period_may_move_more() -> None:
    history = noise(random.Random("longer"), 10)
    assert abs(move_surprise(history, 4, months=3)) < abs(move_surprise(history, 4))


@given(amounts, st.floats(-1e6, 1e6), st.sampled_from([1e-3, 0.5, 7.0, 1000.0]))
def test_surprise_knows_no_unit(history: list[float], recent: float, scale: float) -> None:
    plain = surprise(history, [recent])
    scaled = surprise([value * scale for value in history], [recent * scale])
    assert scaled == pytest.approx(plain, rel=1e-3, abs=1e-3) or known_to_the_last_digit(history)


def known_to_the_last_digit(history: list[float]) -> bool:
    """Whether a history varies by so little that rounding decides."""
    known = usual(history)
    return known is not None and known.spread <= 1e-9 * max(1.0, *map(abs, history))


@given(amounts, st.floats(-1e6, 1e6))
def test_surprise_is_bounded_and_has_the_sign_of_the_move(history: list[float], recent: float) -> None:
    found = surprise(history, [recent])
    known = usual(history)
    assert -LIMIT <= found <= LIMIT
    assert known is not None and found * (recent - known.middle) >= 0


def test_too_short_a_history_knows_nothing_and_one_without_any_variation_is_broken_by_everything() -> None:
    assert surprise([1, 2, 3], [50]) == 0 and move_surprise([1, 2, 3, 4], 50) == 0
    assert surprise([5.0] * 8, [5.0]) == 0 and surprise([5.0] * 8, [6.0]) == LIMIT


def test_small_counts_move_without_meaning_anything() -> None:
    assert count_surprise(2, 1) < RISES and count_surprise(3, 1) < RISES
    assert count_surprise(12, 2) > STANDS_OUT and count_surprise(2, 12) < -STANDS_OUT
    assert count_surprise(0, 0) == 0 and count_surprise(-3, 0) == 0


@pytest.mark.parametrize("mean", [1, 4, 20])
def test_a_count_that_keeps_its_mean_rises_about_once_in_twenty_times_at_most(mean: int) -> None:
    rng = random.Random(f"counts {mean}")

    def drawn() -> int:
        return sum(rng.random() < mean / 500 for _ in range(500))

    assert share_of(sum(count_surprise(drawn(), drawn()) > RISES for _ in range(TRIALS // 2)) * 2) < 0.065


def test_a_ratio_of_a_few_cases_can_be_anything() -> None:
    assert abs(ratio_surprise(1.0, 2, 0.5, 2)) < STANDS_OUT
    assert ratio_surprise(0.5, 400, 0.3, 400) > STANDS_OUT
    assert ratio_surprise(0.5, 0, 0.3, 400) == 0


def test_one_of_many_stands_out_only_against_the_others() -> None:
    moves = {f"account {number}": -0.1 + 0.01 * (number % 5) for number in range(40)} | {"falls": -0.5}
    judged = among_peers(moves)
    assert judged["falls"] < -STANDS_OUT
    assert max(map(abs, (value for name, value in judged.items() if name != "falls"))) < STANDS_OUT
    assert among_peers({"one": -0.5, "two": 0.1}) == {}


def test_missing_days_are_those_after_the_end_of_the_data() -> None:
    end, midnight = date(2026, 3, 20), datetime(2026, 3, 21, tzinfo=UTC)
    assert missing_days(end, midnight) == 0 and missing_days(end, None) == 0
    assert missing_days(end, midnight + timedelta(hours=5)) == 0
    assert missing_days(end, midnight - timedelta(days=4)) == 4


def test_a_month_that_still_runs_is_not_whole() -> None:
    assert is_whole_month(date(2026, 2, 1), date(2026, 2, 28))
    assert not is_whole_month(date(2026, 2, 1), date(2026, 2, 27))
    assert not is_whole_month(date(2026, 2, 2), date(2026, 2, 28))
    assert not is_whole_month(date(2026, 1, 1), date(2026, 2, 28))


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 120))
def test_weekdays_are_counted_like_on_a_calendar(start: date, length: int) -> None:
    days = [start + timedelta(days=day) for day in range(length + 1)]
    assert weekdays_in(start, days[-1]) == sum(day.weekday() < 5 for day in days)
