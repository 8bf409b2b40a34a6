"""Findings about the service in words, the same in a terminal and on a page."""

from __future__ import annotations

from math import floor, log10

from sophia_assets.observability.objectives import Judged, Unit
from sophia_assets.sources import registry

_NOTHING = "\u2013"


def title(found: Judged) -> str:
    """What was measured, and of what."""
    if not found.subject:
        return found.objective.label
    is_system = found.subject in registry.SYSTEMS
    told = registry.display_name(found.subject) if is_system else found.subject.replace("_", " ")
    return f"{found.objective.label}: {told}"


def value_text(found: Judged) -> str:
    """The value; `not known` where nothing was counted."""
    if found.value is None:
        return "not known"
    if found.note.startswith("longer than"):
        return f"> {_text(found.value, found, is_target=True)}"
    return _text(found.value, found)


def target_text(found: Judged) -> str:
    """The objective; a dash where nothing is promised."""
    target = found.objective.target
    if target is None:
        return _NOTHING
    if target >= 1 and found.objective.unit is Unit.SHARE and found.objective.is_floor:
        return _text(target, found, is_target=True)
    return f"{'≥' if found.objective.is_floor else '≤'} {_text(target, found, is_target=True)}"


def kept_text(found: Judged) -> str:
    """Whether it was kept."""
    if found.objective.target is None:
        return _NOTHING
    if is_too_few(found):
        return "too few"
    return {True: "yes", False: "NO", None: "not known"}[found.is_met]


def is_too_few(found: Judged) -> bool:
    """Whether something is promised and measured, but rests on too few events to be judged."""
    return found.objective.target is not None and found.value is not None and found.is_met is None


def budget_text(found: Judged) -> str:
    """How much of what may go wrong has gone wrong."""
    if found.is_met is None:
        return _NOTHING
    if found.budget_used is None:
        return "exceeded"
    return f"{found.budget_used:.0%}" if found.budget_used < 100 else "> 9,999%"


def _text(value: float, found: Judged, *, is_target: bool = False) -> str:
    unit = found.objective.unit
    if unit is Unit.DOLLARS:
        return f"${value:,.2f}"
    if unit is Unit.SECONDS:
        return f"{value:,.4g} s" if is_target else _about(value, found)
    percent = value * 100
    if is_target:
        return f"{percent:g} %"
    # Rounded away from 100 %, so that one failure in many thousands is seen.
    shown = min(percent, 99.99) if value < 1 else percent
    return f"{shown:.2f} %"


def _about(value: float, found: Judged) -> str:
    """A percentile, as exactly as the width of its bucket allows; never rounded to the other side of the objective."""
    target = found.objective.target
    places = -floor(log10(round(found.width, 9))) if found.width else 2
    shown = round(value, places)
    for _ in range(4):
        if value and (not shown or (target is not None and (shown <= target) != (value <= target))):
            places += 1
            shown = round(value, places)
    return f"about {shown * 1000:,.6g} ms" if shown < 1 else f"about {shown:,.{max(places, 0)}f} s"
