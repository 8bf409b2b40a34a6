"""How values read: one rounding, half up on the exact decimal, and one form per unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.metrics.formats import display, display_change, display_delta, is_nothing
from sophia_assets_tests.end_to_end.shown_values import shown, shown_change, shown_delta

VALUES = st.decimals(0, 10**11, places=4)
RATIOS = st.decimals(0, 20, places=6)
UNITS = st.sampled_from(["usd", "count", "percent", "days", "score", "minutes"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "$0"),
        ("0.49", "$0"),
        ("0.5", "$1"),
        ("9850", "$9,850"),
        ("9999.49", "$9,999"),
        ("9999.5", "$10K"),
        ("10499.99", "$10K"),
        ("10500", "$11K"),
        ("999499", "$999K"),
        ("999499.99", "$999K"),
        ("999500", "$1.00M"),
        ("1234567", "$1.23M"),
        ("1235000", "$1.24M"),
        ("1234567890", "$1,234.57M"),
        ("-0.49", "$0"),
        ("-0.5", "-$1"),
        ("-12499", "-$12K"),
        ("-1235000", "-$1.24M"),
    ],
)
def test_dollars_are_shown_to_the_dollar_then_in_thousands_then_in_millions(value: str, text: str) -> None:
    assert display(Decimal(value), "usd") == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("1234", "count", "1,234"),
        ("0", "count", "0"),
        ("-0.4", "count", "0"),
        ("0.412", "percent", "41.2%"),
        ("0.4125", "percent", "41.3%"),
        ("0.41249", "percent", "41.2%"),
        ("1", "percent", "100.0%"),
        ("-0.0004", "percent", "0.0%"),
        ("4.25", "score", "4.3"),
        ("4.2499", "score", "4.2"),
        ("5", "score", "5.0"),
        ("1", "days", "1 day"),
        ("0", "days", "0 days"),
        ("0.5", "days", "1 day"),
        ("12.4", "days", "12 days"),
        ("1234", "days", "1,234 days"),
        ("1.49", "minutes", "1 minute"),
        ("35", "minutes", "35 minutes"),
    ],
)
def test_each_unit_has_one_form(value: str, unit: str, text: str) -> None:
    assert display(Decimal(value), unit) == text


@pytest.mark.parametrize(
    ("delta", "unit", "text"),
    [
        ("-97350", "usd", "$97K"),
        ("-0.0309", "percent", "3.1 points"),
        ("0.01", "percent", "1.0 point"),
        ("-1", "days", "1 day"),
        ("-0.25", "score", "0.3"),
        ("-7", "count", "7"),
    ],
)
def test_a_move_is_shown_without_a_sign_and_that_of_a_percentage_in_points(delta: str, unit: str, text: str) -> None:
    assert display_delta(Decimal(delta), unit) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("0.12", "12%"),
        ("-0.084", "8.4%"),
        ("0.0994", "9.9%"),
        ("0.0995", "10%"),
        ("0.125", "13%"),
        ("12.345", "1,235%"),
    ],
)
def test_a_relative_change_has_a_decimal_below_ten_percent(change: str, text: str) -> None:
    assert display_change(Decimal(change)) == text


@pytest.mark.parametrize(("text", "nothing"), [("$0", True), ("0.0 points", True), ("0 days", True), ("$10K", False)])
def test_a_size_that_rounds_to_zero_is_nothing(text: str, nothing: bool) -> None:
    assert is_nothing(text) is nothing


@given(VALUES, UNITS)
def test_every_value_reads_as_its_exact_fraction_rounded_half_up(value: Decimal, unit: str) -> None:
    assert display(value, unit) == shown(Fraction(value), unit)
    assert display_delta(-value, unit) == shown_delta(Fraction(value), unit)


@given(RATIOS)
def test_every_change_reads_as_its_exact_fraction_rounded_half_up(ratio: Decimal) -> None:
    assert display_change(-ratio) == shown_change(Fraction(ratio))


@given(VALUES, VALUES)
def test_a_larger_amount_never_reads_as_a_smaller_one(one: Decimal, other: Decimal) -> None:
    def read(text: str) -> float:
        scale = {"K": 1e3, "M": 1e6}.get(text[-1], 1.0)
        return float(text.strip("$KM").replace(",", "")) * scale

    smaller, larger = sorted([one, other])
    assert read(display(smaller, "usd")) <= read(display(larger, "usd"))


@pytest.mark.parametrize(
    ("value", "unit", "form", "text"),
    [
        ("1243600", "usd", "full", "$1,243,600"),
        ("-1243600.4", "usd", "full", "-$1,243,600"),
        ("4823.456", "usd", "hundredths", "$4,823.46"),
        ("3.04", "days", "tenths", "3.0 days"),
        ("1.02", "days", "tenths", "1.0 days"),
        ("1.02", "days", None, "1 day"),
        ("88.46", "number", None, "88.5"),
        ("39465.1", "number", "whole", "39,465"),
        ("0.4126", "percent", "whole", "41%"),
        ("4.267", "score", "hundredths", "4.27"),
    ],
)
def test_a_metric_may_ask_for_other_decimals(value: str, unit: str, form: str | None, text: str) -> None:
    assert display(Decimal(value), unit, form) == text


@given(VALUES, st.sampled_from(["days", "number", "score"]), st.sampled_from(["whole", "tenths"]))
def test_other_decimals_are_rounded_half_up_as_well(value: Decimal, unit: str, form: str) -> None:
    assert display(value, unit, form) == shown(Fraction(value), unit, form)
    assert display_delta(value, unit, form) == shown_delta(Fraction(value), unit, form)
