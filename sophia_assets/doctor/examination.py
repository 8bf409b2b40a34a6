"""Runs checks side by side, each under a deadline; one that fails unexpectedly is a finding like any other."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sophia_assets.doctor.findings import ORDER, Finding, Findings, Standing
from sophia_assets.errors import SophiaError

SECONDS = 10.0


@dataclass(frozen=True)
class Check:
    """A look at one thing, which yields findings as they come. It is not waited for longer than `seconds`."""

    area: str
    subject: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = SECONDS


@dataclass(frozen=True)
class Report:
    """What was found, areas in the order in which they were asked for, and how long that took."""

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each standing."""
        found = Counter(finding.standing for finding in self.findings)
        return {standing.value: found[standing] for standing in ORDER}

    @property
    def is_well(self) -> bool:
        """Whether there is no problem. Warnings leave it well."""
        return not self.counts[Standing.PROBLEM]

    def as_json(self) -> dict[str, Any]:
        """As plain values; `duration_s` is in seconds."""
        return {
            "is_well": self.is_well,
            "counts": self.counts,
            "duration_s": round(self.seconds, 2),
            "findings": [finding.as_json() for finding in self.findings],
        }


@dataclass
class _Looking:
    """A check under way in a thread of its own."""

    check: Check
    began: float
    found: list[Finding] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        # A check that hangs must not keep the program from ending.
        threading.Thread(target=self._look, name=f"doctor {self.check.area}", daemon=True).start()

    def findings(self) -> list[Finding]:
        """What it has found, once it has ended or its time is over."""
        check, about = self.check, Findings(self.check.area)
        if self.ended.wait(max(0.0, self.began + check.seconds - time.monotonic())):
            return self.found
        told = f"the check did not end within {check.seconds:g} s"
        return [*self.found, about.problem(check.subject, told, "See what it waits for, and run this again")]

    def _look(self) -> None:
        check, about = self.check, Findings(self.check.area)
        try:
            for finding in check.look():
                self.found.append(finding)
        except SophiaError as error:
            self.found.append(about.failed(check.subject, error))
        except Exception as error:
            told = f"the check itself failed ({type(error).__name__}: {str(error)[:200]})"
            self.found.append(about.problem(check.subject, told, "Report this; the other findings stand"))
        finally:
            self.ended.set()


def examine(checks: Sequence[Check], *, in_the_end: Callable[[], Iterable[Check]] = tuple) -> list[Finding]:
    """The findings of all checks, in their order. `in_the_end` gives those that rest on what the others have seen."""
    found = []
    for part in (checks, in_the_end):
        under_way = [_Looking(check, time.monotonic()) for check in (part() if callable(part) else part)]
        for looking in under_way:
            looking.start()
        for looking in under_way:
            found += looking.findings()
    return found
