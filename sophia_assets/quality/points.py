"""What checks add to the platform's figures of itself.

Belongs here: from outcomes to points. Does not belong here: the series (`telemetry.series`), or what checks find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sophia_assets.quality.outcomes import Outcome
from sophia_assets.telemetry.series import VALIDATION_FAILURES, VALIDATIONS, Point


def points_of(table: str, outcomes: Sequence[Outcome]) -> list[Point]:
    """How many checks of a table (`system.name`) or model (`schema.name`) were made, and which did not pass."""
    if not outcomes:
        return []
    source, _, name = table.partition(".")
    failed = Counter(_severity(outcome) for outcome in outcomes if not outcome.passed)
    return [
        VALIDATIONS.add(len(outcomes), source=source),
        *(VALIDATION_FAILURES.add(number, source=source, table=name, severity=how) for how, number in failed.items()),
    ]


def _severity(outcome: Outcome) -> str:
    if outcome.errored:
        return "not_run"
    return "warn" if outcome.severity == "warn" else "error"
