"""Derived values equal what one computes by hand, and keep the laws that they are known by."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.metrics import derived

MONDAY_TO_FRIDAY = frozenset(range(5))
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
sizes = st.decimals(min_value=Decimal("0.01"), max_value=10**9, places=2)
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def decimals(*values: object) -> list[Decimal]:
    return [Decimal(str(value)) for value in values]


@pytest.mark.parametrize(
    ("now", "before", "delta", "change"),
    [
        ("120", "100", "20", "0.2"),
        ("0.3", "0.1", "0.2", "2"),
        ("75", "100", "-25", "-0.25"),
        ("5", "0", "5", None),
        ("5", "-10", "15", None),
        ("0", "8", "-8", "-1"),
    ],
)
def test_a_move_and_its_size(now: str, before: str, delta: str, change: str | None) -> None:
    assert derived.delta(Decimal(now), Decimal(before)) == Decimal(delta)
    assert derived.change(Decimal(now), Decimal(before)) == (None if change is None else Decimal(change))


@given(amounts, sizes)
def test_a_value_grown_by_its_change_is_the_value_now(now: Decimal, before: Decimal) -> None:
    change = derived.change(now, before)
    assert change is not None
    assert abs(before * (1 + change) - now) <= (abs(before) + abs(now)) * Decimal("1e-24")


@pytest.mark.parametrize(
    ("part", "whole", "share"), [("25", "200", "0.125"), ("0", "4", "0"), ("3", "0", None), ("3", "-1", None)]
)
def test_a_share_of_a_whole(part: str, whole: str, share: str | None) -> None:
    assert derived.share(Decimal(part), Decimal(whole)) == (None if share is None else Decimal(share))


def test_a_share_of_what_is_unknown_is_unknown() -> None:
    assert derived.share(Decimal(1), None) is None


@given(st.lists(sizes, min_size=1, max_size=20))
def test_the_shares_of_all_parts_come_to_one(parts: list[Decimal]) -> None:
    shares = [derived.share(part, sum(parts, Decimal(0))) for part in parts]
    assert abs(sum((share for share in shares if share is not None), Decimal(0)) - 1) < Decimal("1e-24")


@pytest.mark.parametrize(
    ("above", "below", "ratio"),
    [("9", "4", "2.25"), ("0", "4", "0"), ("9", "0", None), (None, "4", None), ("9", None, None), ("9", "-3", None)],
)
def test_one_value_over_another(above: str | None, below: str | None, ratio: str | None) -> None:
    given_parts = [None if part is None else Decimal(part) for part in (above, below)]
    assert derived.ratio(*given_parts) == (None if ratio is None else Decimal(ratio))


def test_the_largest_comes_first_and_equal_ones_go_by_name() -> None:
    sizes = dict(zip("abcd", decimals(3, 9, 3, "3.1"), strict=True))
    assert derived.ranked(sizes, {"a": "Zeta", "b": "Beta", "c": "Acme", "d": "Delta"}) == ["b", "d", "c", "a"]


@given(st.dictionaries(st.integers(0, 99), amounts, max_size=12))
def test_a_ranking_holds_everybody_once_in_falling_order(found: dict[int, Decimal]) -> None:
    order = derived.ranked(found, {key: f"name {key % 3}" for key in found})
    assert sorted(order) == sorted(found)
    assert [found[key] for key in order] == sorted(found.values(), reverse=True)


@pytest.mark.parametrize(
    ("value", "elapsed", "whole", "expected"),
    [
        # 600 in 20 of 65 working days.
        ("600", 20, 65, "1950"),
        ("600", 64, 65, "609.375"),
        ("0", 20, 65, "0"),
        # The period is over; and too little of it has passed.
        ("600", 65, 65, None),
        ("600", 4, 65, None),
    ],
)
def test_a_run_rate_goes_on_at_the_pace_so_far(value: str, elapsed: int, whole: int, expected: str | None) -> None:
    assert derived.run_rate(Decimal(value), elapsed, whole) == (None if expected is None else Decimal(expected))


@given(sizes, st.integers(5, 60), st.integers(1, 60))
def test_a_run_rate_is_never_below_what_is_there(value: Decimal, elapsed: int, more: int) -> None:
    found = derived.run_rate(value, elapsed, elapsed + more)
    assert found is not None
    assert found > value


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (date(2026, 3, 2), date(2026, 3, 8), 5),
        (date(2026, 3, 7), date(2026, 3, 8), 0),
        (date(2026, 1, 1), date(2026, 3, 31), 64),
        (date(2026, 3, 6), date(2026, 3, 5), 0),
    ],
)
def test_working_days_are_counted_with_both_ends(start: date, end: date, expected: int) -> None:
    assert derived.days_between(start, end, MONDAY_TO_FRIDAY) == expected


@given(days, st.integers(0, 400), st.frozensets(st.integers(0, 6)))
def test_counted_days_are_those_that_one_meets_on_the_way(start: date, length: int, weekdays: frozenset[int]) -> None:
    met = sum((start + timedelta(days=step)).weekday() in weekdays for step in range(length + 1))
    assert derived.days_between(start, start + timedelta(days=length), weekdays) == met


@pytest.mark.parametrize(
    ("values", "direction", "slope"),
    [
        (decimals(1, 2, 3, 4, 5, 6), "up", "1"),
        (decimals(10, 8, 6, 4, 2, 0), "down", "-2"),
        # One wild month does not hide a year's growth, nor make its slope.
        (decimals(10, 11, 12, 13, 900, 15, 16, 17, 18, 19), "up", "1"),
        (decimals(5, 5, 5, 5, 5, 5), "none", "0"),
        (decimals(4, 9, 2, 7, 3, 8, 5, 6), "none", None),
        # 13 of 15 pairs rise: of all orders 1 in 18 is so much in order, which is not rare enough.
        (decimals(1, 3, 2, 5, 4, 6), "none", None),
        # 14 of 15: 1 in 60.
        (decimals(1, 2, 4, 3, 5, 6), "up", None),
        (decimals(2, 1, 4, 3, 6, 5), "none", None),
    ],
)
def test_a_trend_is_told_from_noise(values: list[Decimal], direction: str, slope: str | None) -> None:
    found = derived.trend(values)
    assert found is not None
    assert found.direction == direction
    assert found.points == len(values)
    if slope is not None:
        assert found.slope == Decimal(slope)


def test_few_points_show_no_trend() -> None:
    assert derived.trend(decimals(1, 2, 3, 4, 5)) is None


def test_the_chance_of_an_order_is_counted_over_all_orders() -> None:
    def surplus(order: tuple[int, ...]) -> int:
        pairs = [(order[i], order[j]) for i in range(6) for j in range(i + 1, 6)]
        return sum(1 if later > earlier else -1 for earlier, later in pairs)

    found = [abs(surplus(order)) for order in permutations(range(6))]
    for least in range(1, 16, 2):
        assert derived.chance_of_surplus(6, least) == Fraction(sum(value >= least for value in found), 720)


@given(st.lists(amounts, min_size=6, max_size=14))
def test_a_series_read_backwards_has_the_opposite_trend(values: list[Decimal]) -> None:
    forwards, backwards = derived.trend(values), derived.trend(values[::-1])
    assert forwards is not None
    assert backwards is not None
    assert forwards.slope == -backwards.slope
    assert forwards.direction == {"up": "down", "down": "up", "none": "none"}[backwards.direction]


@given(st.lists(amounts, min_size=6, max_size=12), st.decimals(-1000, 1000, places=2), st.integers(1, 50))
def test_a_trend_depends_on_neither_level_nor_unit(values: list[Decimal], level: Decimal, unit: int) -> None:
    plain, moved = derived.trend(values), derived.trend([level + unit * value for value in values])
    assert plain is not None
    assert moved is not None
    assert moved.direction == plain.direction
    assert abs(moved.slope - unit * plain.slope) < Decimal("1e-12")


@given(st.lists(sizes, min_size=6, max_size=12, unique=True))
def test_what_only_rises_has_an_upward_trend(values: list[Decimal]) -> None:
    found = derived.trend(sorted(values))
    assert found is not None
    assert found.direction == "up"
