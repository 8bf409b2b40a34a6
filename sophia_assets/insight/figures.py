"""Reads figures out of text: their number, unit and resolution, in every form in which people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sophia_assets.insight.lexicon import NUMBER_WORDS

_SCALES = {
    "k": 1e3,
    "m": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "mn": 1e6,
    "mm": 1e6,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
}
_FIGURE = re.compile(
    r"(?P<sign>(?<![\w.])[-+\u2212](?=[$\u20ac\u00a3\u00a5\d]))?"
    r"(?P<currency>US\$|USD\s?|EUR\s?|GBP\s?|[$\u20ac\u00a3\u00a5]\s{0,3})?"
    r"(?P<number>\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\w)\.\d+)"
    r"(?P<ordinal>(?:st|nd|rd|th)(?:-largest)?\b)?"
    r"(?:\s?(?P<scale>(?:thousand|million|billion|trillion|mn|mm|bn|[kKmMbB]))\b)?"
    r"(?P<unit>\s?%|\s?(?:percentage\s)?points?\b|\s?(?:percent|per\scent|pp|bps|basis\spoints)\b"
    r"|[\s-](?:days?|hours?|minutes?|weeks?|months?|years?|quarters?|seconds?)\b"
    r"|\s?(?:x|dollars?|euros?|pounds?|cents?|USD|EUR|GBP)\b"
    r"|\stimes\s(?:as|more|higher|lower|larger|bigger|the|greater)\b)?"
)
_WORDS = re.compile(
    rf"(?i)\b(?P<word>{'|'.join(NUMBER_WORDS)})(?:[- ](?P<ones>one|two|three|four|five|six|seven|eight|"
    r"nine))?(?P<unit>[\s-](?:days?|weeks?|months?|years?|hours?|minutes?|percent|points?))?\b"
)
_UNITS = {
    "%": "percent",
    "percent": "percent",
    "per cent": "percent",
    "pp": "points",
    "point": "points",
    "points": "points",
    "percentage point": "points",
    "percentage points": "points",
    "day": "days",
    "days": "days",
    "minute": "minutes",
    "minutes": "minutes",
}


@dataclass(frozen=True)
class Figure:
    """One figure in a text.

    `unit` is usd, percent, points, days, minutes, number, rank, or the foreign unit as written.
    `resolution` is the worth of the last digit shown: 10000 for $1.24M.
    """

    start: int
    end: int
    text: str
    number: float
    unit: str
    resolution: float


def find_figures(text: str) -> list[Figure]:
    """All figures of a text, digits and number words, in order of appearance."""
    digits = [_from_digits(match) for match in _FIGURE.finditer(text)]
    if "(" in text:
        digits = [_bracketed(text, figure, before) for before, figure in zip([None, *digits], digits, strict=False)]
    words = [_from_words(match) for match in _WORDS.finditer(text)]
    return sorted([*digits, *words], key=lambda figure: figure.start)


def _bracketed(text: str, figure: Figure, before: Figure | None) -> Figure:
    """A figure in brackets, `(317)`, `$(3.1)` or `(15)%`, is below zero; behind another, `$5 (3%)`, it is an aside."""
    start, end, unit = figure.start, figure.end, figure.unit
    end += text[end : end + 2] == " )"
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")" or (before and text[before.end : start] == " ("):
        return figure
    start, end = start - 1, end + 1
    if (currency := re.search(r"\$\s{0,3}$", text[:start])) and unit == "number":
        start, unit = currency.start(), "usd"
    if (percent := re.match(r"\s?%", text[end:])) and unit == "number":
        end, unit = end + percent.end(), "percent"
    return replace(figure, start=start, end=end, text=text[start:end], number=-figure.number, unit=unit)


def read_figure(display: str) -> Figure | None:
    """The figure that a display consists of, or None where it is not exactly one figure."""
    found = find_figures(display)
    return found[0] if len(found) == 1 and found[0].text == display.strip() else None


def same_figure(shown: Figure, true: Figure, raw: float) -> bool:
    """Whether a shown figure is a fact's display, or rounds its raw value (in the display's unit) rightly.

    The tolerance is half of the last digit shown; a rounding so coarse that it hides more than 5 % is refused.
    """
    if shown.unit != true.unit:
        return False
    if abs(shown.resolution - true.resolution) <= 1e-9 * true.resolution:
        return abs(shown.number - true.number) < 1e-6 * true.resolution
    half = shown.resolution / 2
    return half <= 0.05 * abs(raw) and abs(shown.number - raw) <= half * (1 + 1e-9)


def _from_digits(match: re.Match[str]) -> Figure:
    digits = match["number"].replace(",", "")
    scale = _SCALES.get((match["scale"] or "").lower(), 1.0)
    decimals = len(digits.partition(".")[2])
    sign = -1.0 if match["sign"] in ("-", "\u2212") else 1.0
    return Figure(
        match.start(), match.end(), match.group(), sign * float(digits) * scale, _unit(match), scale * 10.0**-decimals
    )


def _unit(match: re.Match[str]) -> str:
    currency, unit = (match["currency"] or "").strip(), " ".join((match["unit"] or "").replace("-", " ").split())
    if match["ordinal"]:
        return "rank" if not (currency or unit or match["scale"]) else f"{match['ordinal']} {unit}"
    if currency:
        # A price cannot also be a percentage or a span of days.
        return "usd" if currency == "$" and not unit else f"{currency} {unit}".strip()
    return _UNITS.get(unit, unit) if unit else "number"


def _from_words(match: re.Match[str]) -> Figure:
    number = NUMBER_WORDS[match["word"].lower()] + NUMBER_WORDS.get((match["ones"] or "").lower(), 0)
    unit = (match["unit"] or "").replace("-", " ").strip().lower()
    return Figure(match.start(), match.end(), match.group(), float(number), _UNITS.get(unit, unit) or "number", 1.0)
