"""What a validation found, in a form that crosses processes and that may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Outcome:
    """One rule's result.

    `errored` means that the check itself could not run (a missing column, say), which says nothing
    about the data. `expected` and `observed` are plain words; no value of a row is in them.
    `guards_downstream` says that what rests on the table must wait while the rule is broken.
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
    guards_downstream: bool = False

    @property
    def is_error(self) -> bool:
        """Whether it fails as more than a warning."""
        return not self.passed and self.severity == "error"

    @property
    def holds_back(self) -> bool:
        """Whether it keeps the table's rows from going on."""
        return self.is_error and self.guards_downstream and not self.errored


def span_in_words(length: timedelta) -> str:
    """`4 days`, or `6 hours` where it is less than a day."""
    return f"{length.days} days" if length.days else f"{length.total_seconds() / 3600:.0f} hours"
