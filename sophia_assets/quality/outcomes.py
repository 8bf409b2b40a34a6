"""What a validation found, in a form that crosses processes and that may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Outcome:
    """One expectation's result.

    `errored` means that the check itself could not run (a missing column, say), which says nothing
    about the data. `expected` and `observed` are plain words; no value of a row is in them.
    """

    name: str
    passed: bool
    severity: str
    expected: str
    observed: str
    unexpected: int = 0
    rows: int = 0
    errored: bool = False
    recovery: str = ""


def span_in_words(length: timedelta) -> str:
    """`4 days`, or `6 hours` where it is less than a day."""
    return f"{length.days} days" if length.days else f"{length.total_seconds() / 3600:.0f} hours"
