"""How values read: one rounding and one form per unit, used for every figure that is shown.

Rounding is half up on the exact decimal value, as people round by hand.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

#: Decimals of each unit, and those that a metric's format asks for instead.
_PLACES = {"percent": 1, "score": 1, "number": 1}
_FORMATS = {"whole": 0, "tenths": 1, "hundredths": 2, "full": 0}


def display(value: float | Decimal, unit: str, form: str | None = None) -> str:
    """A value as readers see it: `$1.24M`, `$412K`, `$9,850`, `1,234`, `41.2%`, `12 days`, `4.2`, `35 minutes`.

    `form` is a metric's `format`: the decimals shown, or `full` for dollars without K and M.
    """
    exact = Decimal(str(value))
    if unit == "usd" and form is None:
        return _dollars(exact)
    places = _FORMATS[form] if form else _PLACES.get(unit, 0)
    if unit == "percent":
        return f"{_rounded(exact * 100, places):,}%"
    shown = _rounded(exact, places)
    if unit == "usd":
        return f"{'-' if shown < 0 else ''}${abs(shown):,}"
    if unit in ("days", "minutes"):
        return f"{shown:,} {unit[:-1] if abs(shown) == 1 and not places else unit}"
    return f"{shown:,}"


def display_delta(delta: float | Decimal, unit: str, form: str | None = None) -> str:
    """The size of a move, without a sign; that of a percentage is in points."""
    exact = abs(Decimal(str(delta)))
    if unit == "percent":
        points = _rounded(exact * 100, _FORMATS[form] if form else _PLACES[unit])
        return f"{points:,} {'point' if points == 1 else 'points'}"
    return display(exact, unit, form)


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
