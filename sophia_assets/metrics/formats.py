"""How values read: one rounding and one form per unit, used for every figure that is shown.

Rounding is half up on the exact decimal value, as people round by hand.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def display(value: float | Decimal, unit: str) -> str:
    """A value as readers see it: `$1.24M`, `$412K`, `$9,850`, `1,234`, `41.2%`, `12 days`, `4.2`, `35 minutes`."""
    exact = Decimal(str(value))
    if unit == "usd":
        return _dollars(exact)
    if unit == "percent":
        return f"{_rounded(exact * 100, 1):,}%"
    if unit == "score":
        return f"{_rounded(exact, 1):,}"
    whole = _rounded(exact, 0)
    if unit in ("days", "minutes"):
        return f"{whole:,} {unit[:-1] if abs(whole) == 1 else unit}"
    return f"{whole:,}"


def display_delta(delta: float | Decimal, unit: str) -> str:
    """The size of a move, without a sign; that of a percentage is in points."""
    exact = abs(Decimal(str(delta)))
    if unit == "percent":
        points = _rounded(exact * 100, 1)
        return f"{points:,} {'point' if points == 1 else 'points'}"
    return display(exact, unit)


def display_change(change: float | Decimal) -> str:
    """A relative change, without a sign: `12%`, and `8.4%` below ten."""
    percent = abs(Decimal(str(change))) * 100
    return f"{_rounded(percent, 1 if percent < Decimal('9.95') else 0):,}%"


def is_nothing(text: str) -> bool:
    """Whether a displayed size is zero once rounded."""
    return not any(character in "123456789" for character in text)


def _dollars(exact: Decimal) -> str:
    sign, size = ("-" if exact <= Decimal("-0.5") else ""), abs(exact)
    if size >= Decimal("999500"):
        return f"{sign}${_rounded(size / 1_000_000, 2):,}M"
    if size >= Decimal("9999.5"):
        return f"{sign}${_rounded(size / 1_000, 0):,}K"
    return f"{sign}${_rounded(size, 0):,}"


def _rounded(value: Decimal, places: int) -> Decimal:
    # Adding zero turns the -0 of a small negative value into 0.
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP) + 0
