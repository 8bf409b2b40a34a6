"""The kinds of briefing: one builder makes them all, and a kind says what is particular about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BriefingKind:
    """What is particular about a kind of briefing.

    `key` names its asset, its folder and its prompts. `days` is how long after the last one the next is due.
    `flow_period` is the period in which it tells what happened: `qtd`, or `last_7d`; a metric that has it not is told
    in the first of its periods. `periods` overrides that for a metric.
    """

    key: str
    title: str
    days: int
    flow_period: str
    periods: Mapping[str, str] = field(default_factory=dict)

    def period_of(self, metric: str) -> str:
        """The period in which a flow metric is told first."""
        return self.periods.get(metric, self.flow_period)


DAILY = BriefingKind("daily_briefing", "Executive briefing", 1, "qtd")
WEEKLY = BriefingKind("weekly_business_review", "Weekly business review", 7, "last_7d")
KINDS = {kind.key: kind for kind in (DAILY, WEEKLY)}
