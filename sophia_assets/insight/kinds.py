"""The kinds of briefing: one builder makes them all, and a kind says what is particular about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from sophia_assets.insight.slots import day_phrase


@dataclass(frozen=True)
class BriefingKind:
    """What is particular about a kind of briefing.

    `key` names its asset and its prompts, `folder` its place in the archive. `days` is how many days one covers, and
    how long after the last one the next is due. `flow_period` is the period in which it tells what happened: `qtd`, or
    `last_7d`; a metric that has it not is told in the first of its periods. `periods` overrides that for a metric.
    """

    key: str
    title: str
    days: int
    flow_period: str
    periods: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    def period_of(self, metric: str) -> str:
        """The period in which a flow metric is told first."""
        return self.periods.get(metric, self.flow_period)

    def last_day(self, day: date) -> date:
        """The day whose facts the briefing that covers `day` tells: for a week, its Sunday."""
        return day + timedelta(days=6 - day.weekday()) if self.days > 1 else day

    def is_due(self, day: date) -> bool:
        """Whether a briefing of this kind ends on `day`."""
        return self.last_day(day) == day

    def covered(self, day: date) -> str:
        """What the briefing of `day` is of, in words: `Friday, 20 March 2026`, `Week of 16 to 22 November 2026`."""
        if self.days == 1:
            return f"{day:%A}, {day_phrase(day)}"
        first = day - timedelta(days=self.days - 1)
        start = day_phrase(first)
        if first.year == day.year:
            start = start.removesuffix(f" {first.year}")
            if first.month == day.month:
                start = str(first.day)
        return f"Week of {start} to {day_phrase(day)}"


#: A score of a few answers says little, and a quarter of delivery too much of what is long past.
_SCORES = {"satisfaction_score": "last_60d"}
DAILY = BriefingKind("daily_briefing", "Executive briefing", 1, "qtd", {**_SCORES, "issues_completed": "last_30d"})
WEEKLY = BriefingKind("weekly_business_review", "Weekly business review", 7, "last_7d", _SCORES, folder="weekly")
KINDS = {kind.key: kind for kind in (DAILY, WEEKLY)}
