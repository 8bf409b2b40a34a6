"""How a value must read and which days a period means, written again from the words of the catalog.

Exact fractions only: what is shown is the true value, rounded half up at its last digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction


def rounded(value: Fraction, places: int) -> str:
    """A value of no sign, rounded half up, with thousands separated."""
    scaled = value * 10**places
    whole = (scaled.numerator * 2 + scaled.denominator) // (2 * scaled.denominator)
    digits = str(whole).rjust(places + 1, "0")
    head, tail = (digits[:-places], "." + digits[-places:]) if places else (digits, "")
    return f"{int(head):,}{tail}"


_PLACES = {"percent": 1, "score": 1, "number": 1}


def shown(value: Fraction, unit: str, form: str = "") -> str:
    """A value in its unit's form, or in the decimals that `form` asks for."""
    size = abs(value)
    places = {"": _PLACES.get(unit, 0), "whole": 0, "tenths": 1}[form]
    if unit == "usd":
        if size >= Fraction(999_500):
            text = f"${rounded(size / 1_000_000, 2)}M"
        elif size >= Fraction(19_999, 2):
            text = f"${rounded(size / 1000, 0)}K"
        else:
            text = f"${rounded(size, 0)}"
    elif unit == "percent":
        text = f"{rounded(size * 100, places)}%"
    else:
        number = rounded(size, places)
        text = number if unit in ("count", "number", "score") else f"{number} {unit[:-1] if number == '1' else unit}"
    return f"-{text}" if value < 0 and re.search("[1-9]", text) else text


def shown_delta(delta: Fraction, unit: str, form: str = "") -> str:
    """The size of a move."""
    if unit == "percent":
        points = rounded(abs(delta) * 100, 1)
        return f"{points} {'point' if points == '1.0' else 'points'}"
    return shown(abs(delta), unit, form)


def shown_change(change: Fraction) -> str:
    """The size of a relative move: one decimal below ten percent."""
    percent = abs(change) * 100
    return f"{rounded(percent, 1 if percent < Fraction(199, 20) else 0)}%"


@dataclass(frozen=True)
class Span:
    """Business days from `start` to `end`, both included."""

    start: date
    end: date


def _months_on(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _quarter_of(day: date) -> date:
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def compared_spans(key: str, day: date) -> tuple[Span, Span]:
    """The span that a period means on `day`, and the one before it that it is compared to."""
    if key == "as_of":
        before = day - timedelta(days=30)
        return Span(day, day), Span(before, before)
    if key == "qtd":
        start = _quarter_of(day)
        before = _months_on(start, -3)
        # A whole quarter is compared to a whole one, however many days each has.
        whole = _quarter_of(day + timedelta(days=1)) != start
        end = start - timedelta(days=1) if whole else min(before + (day - start), start - timedelta(days=1))
        return Span(start, day), Span(before, end)
    length = timedelta(days=int(key.removeprefix("last_").removesuffix("d")))
    one = timedelta(days=1)
    return Span(day - length + one, day), Span(day - 2 * length + one, day - length)


def trend_spans(grain: str, day: date) -> dict[str, Span]:
    """The spans of a trend by period key: 6 whole weeks, 12 months and 5 quarters up to the day."""
    one = timedelta(days=1)
    if grain == "week":
        sunday = day
        while sunday.isoweekday() != 7:
            sunday -= one
        spans = [Span(sunday - timedelta(days=7 * back + 6), sunday - timedelta(days=7 * back)) for back in range(6)]
        return {f"week.{span.start.isoformat()}": span for span in spans}
    if grain == "month":
        firsts = [_months_on(day.replace(day=1), -back) for back in range(12)]
        return {f"month.{first:%Y-%m}": Span(first, min(_months_on(first, 1) - one, day)) for first in firsts}
    firsts = [_months_on(_quarter_of(day), -3 * back) for back in range(5)]
    return {
        f"quarter.{first.year}-q{(first.month + 2) // 3}": Span(first, min(_months_on(first, 3) - one, day))
        for first in firsts
    }
