"""Findings about the service in words, the same in a terminal and on a page."""

from __future__ import annotations

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
    return f"> {_text(found.value, found)}" if found.note.startswith("longer than") else _text(found.value, found)


def target_text(found: Judged) -> str:
    """The objective; a dash where nothing is promised."""
    target = found.objective.target
    if target is None:
        return _NOTHING
    return f"{'≥' if found.objective.is_floor else '≤'} {_text(target, found, is_target=True)}"


def kept_text(found: Judged) -> str:
    """Whether it was kept."""
    if found.objective.target is None:
        return _NOTHING
    return {True: "yes", False: "NO", None: "not known"}[found.is_met]


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
        return f"{value:,.4g} s" if is_target else f"{value * 1000:,.0f} ms" if value < 1 else f"{value:,.2f} s"
    percent = value * 100
    if is_target:
        return f"{percent:g} %"
    # Rounded away from 100 %, so that one failure in many thousands is seen.
    shown = min(percent, 99.99) if value < 1 else percent
    return f"{shown:.2f} %"
