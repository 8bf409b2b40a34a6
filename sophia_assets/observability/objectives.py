"""What the platform is held to: each objective declared once, and how a measured value is judged by it.

The two that alerts burn on stand in `deploy/prometheus/alerts.yaml` as well; a test holds them together.

Belongs here: the objectives, and judging. Does not belong here: reading what was measured (`slo`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LONGEST_DAYS = 400
"""The longest time over which they are looked at: so long day figures are kept by default."""

LEAST_EVENTS = 20
"""From so many events on an objective is judged: of fewer, one more or less would change everything."""


class Unit(StrEnum):
    """What a value counts in."""

    SHARE = "share"
    SECONDS = "seconds"
    DOLLARS = "usd"


@dataclass(frozen=True)
class Objective:
    """One thing that is measured. `target` None: it is told, and nothing is promised about it.

    With `is_floor` a share has to be at least the target, else at most. For seconds, `share` of all has to be done
    within the target.
    """

    name: str
    label: str
    meaning: str
    unit: Unit = Unit.SHARE
    target: float | None = None
    is_floor: bool = True
    share: float = 0.95


@dataclass(frozen=True)
class Judged:
    """An objective as it was kept in a span of time, for one `subject` (a system, a cache, a principle) or for all.

    `value` None: nothing was counted, so nothing is known. `count` is what the value rests on; where that is less than
    `LEAST_EVENTS`, `is_met` is None. `width` is that of the bucket in which a percentile lies. `budget_used` is the
    share of what the objective allows to go wrong that has gone wrong: 1 is all of it; None where that is not known,
    nothing is promised, or nothing may go wrong and something has.
    """

    objective: Objective
    subject: str
    value: float | None
    count: int
    is_met: bool | None
    budget_used: float | None
    note: str = ""
    width: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        objective = self.objective
        return {
            "name": objective.name,
            "subject": self.subject,
            "label": objective.label,
            "unit": objective.unit.value,
            "value": self.value,
            "count": self.count,
            "target": objective.target,
            "direction": "at_least" if objective.is_floor else "at_most",
            "is_met": self.is_met,
            "budget_used": self.budget_used,
            "note": self.note,
        }


AVAILABILITY = Objective(
    "availability",
    "Availability",
    "Reads of a system that went well, of all that were wanted; one that an open circuit held back did not go well",
    # Not more: what fails is caught up within the hour, and the last good data serves meanwhile.
    target=0.95,
)
QUESTION_LATENCY = Objective(
    "question_latency",
    "Answers, 95th percentile",
    "How long the slowest of twenty questions waited for its answer",
    unit=Unit.SECONDS,
    target=3.0,
    is_floor=False,
)
QUESTION_MEDIAN = Objective(
    "question_median", "Answers, median", "How long half of the questions waited at most", unit=Unit.SECONDS
)
QUESTION_ERRORS = Objective(
    "question_errors",
    "Failed questions",
    "Questions that a fault of the platform's own kept from being answered, of all",
    target=0.01,
    is_floor=False,
)
ANSWERED = Objective("answered", "Questions answered", "Questions that were answered, of all")
ABSTAINED = Objective("abstained", "Questions left open", "Questions that the data cannot answer, of all")
CLARIFIED = Objective("clarified", "Questions asked back", "Questions that had to be made clearer, of all")
VALIDATION_ERRORS = Objective(
    "validation_errors",
    "Failed checks",
    "Checks of the data that did not pass and hold it back, of all that were made",
    target=0.01,
    is_floor=False,
)
CACHE_HITS = Objective("cache_hits", "From the cache", "What was found in a cache, of all it was asked", target=0.70)
OTHER_CACHE_HITS = Objective("cache_hits", "From the cache", "What was found in a cache, of all it was asked")
MODEL_LATENCY = Objective(
    "model_latency",
    "Language models, 95th percentile",
    "How long the slowest of twenty calls to a language model took",
    unit=Unit.SECONDS,
    target=20.0,
    is_floor=False,
)
MODEL_COST = Objective(
    "model_cost",
    "Language models, cost",
    "What calls cost against the budget of all days; simulated ones count at the real price",
    unit=Unit.DOLLARS,
    is_floor=False,
)
PUNCTUALITY = Objective(
    "punctuality",
    "Briefings in time",
    "Working days on which the briefing was there half an hour after its schedule, of all that were due",
    target=0.99,
)
COMPLIANCE = Objective(
    "compliance",
    "Principles kept",
    "Reviews of briefings in which nothing was found, or something was done about what was found, of all",
    target=1.0,
)


def judged_share(objective: Objective, good: float, all_of_them: float, subject: str = "", note: str = "") -> Judged:
    """Judges a share: `good` of so many, where the objective is a floor, else what went wrong of so many."""
    count = round(all_of_them)
    if count <= 0:
        return Judged(objective, subject, None, 0, None, None, note)
    value = min(max(good / all_of_them, 0.0), 1.0)
    if objective.target is None:
        return Judged(objective, subject, value, count, None, None, note)
    wrong = 1 - value if objective.is_floor else value
    allowed = 1 - objective.target if objective.is_floor else objective.target
    # Shares are made of counts: what differs by less than one of them is a matter of binary fractions.
    is_met = wrong <= allowed + 0.5e-9
    # Where nothing may go wrong and something has, more events change nothing.
    if count < LEAST_EVENTS and not allowed <= 0 < wrong:
        return Judged(objective, subject, value, count, None, None, _too_few(note, count))
    return Judged(objective, subject, value, count, is_met, used(wrong, allowed), note)


def judged_seconds(
    objective: Objective,
    value: float | None,
    count: int,
    slower: float,
    subject: str = "",
    note: str = "",
    width: float | None = None,
) -> Judged:
    """Judges a percentile. `slower` is the share of all that took longer than the target, `width` is the bucket's."""
    if value is None or not count:
        return Judged(objective, subject, None, 0, None, None, note)
    if objective.target is None:
        return Judged(objective, subject, value, count, None, None, note, width)
    if count < LEAST_EVENTS:
        return Judged(objective, subject, value, count, None, None, _too_few(note, count), width)
    budget_used = used(slower, 1 - objective.share)
    return Judged(objective, subject, value, count, value <= objective.target, budget_used, note, width)


def _too_few(note: str, count: int) -> str:
    told = f"{count} of at least {LEAST_EVENTS}: too few to judge"
    return f"{note}; {told}" if note else told


def used(wrong: float, allowed: float) -> float | None:
    """Which share of what may go wrong has gone wrong; None where nothing may and something has."""
    if allowed <= 0:
        return None if wrong > 0 else 0.0
    return round(wrong / allowed, 6)
