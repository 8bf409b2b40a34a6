"""What counts as material: sizes relative to the company's own, robust against outliers and small numbers.

Stories are ranked by one effect in US dollars, whatever they are about:

- `account_at_risk`, `churn`, `expansion`: a year of the recurring revenue that may go, went or came; what such an
  account owes for long comes on top.
- `overdue_payment`, `big_win`, `slipping_deal`, `stalled_stage`: the amount itself, once.
- `competitor_pressure`: an average deal for each call more than before.
- `rising_topic`, `bug_pile`: of a month's revenue the part that the rise is of all conversations, or of all open bugs.
- `falling_usage`: of a year's recurring revenue the part of the use that was lost.
- `metric_change`: money as it moved, a year of it where it recurs, and of pipeline what is usually won; the move of the
  win rate times the open pipeline; a score's move as a part of its scale, of a month's revenue; anything else a
  hundredth of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from sophia_assets.metrics.facts import Fact, FactSet

#: What recurs counts for a year.
MONTHS_OF_EFFECT = 12
#: From the worst satisfaction score to the best.
SCORE_SPAN = 4
#: What a move is worth of a month's revenue where nothing better is known.
SMALL_SHARE = 0.01
#: Scales the median absolute deviation to the standard deviation of normal noise.
_MAD_TO_SIGMA = 1.4826


def robust_spread(values: Sequence[float]) -> float:
    """The scaled median absolute deviation, 0 for fewer than four values."""
    if len(values) < 4:
        return 0.0
    middle = median(values)
    return _MAD_TO_SIGMA * median(abs(value - middle) for value in values)


def working_days_after(day: date, count: int) -> date:
    """The day `count` working days (Monday to Friday) after `day`."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


def entity_id(fact: Fact) -> str:
    """The system's id of what a broken-down fact is about; its name where no id is known."""
    dimension = next(iter(fact.dimensions), "")
    return fact.entity_ids.get(dimension) or fact.subject or ""


def by_entity(facts: FactSet, metric: str, period: str, dimension: str) -> dict[str, Fact]:
    """A breakdown's facts keyed by the id of what they are about."""
    return {entity_id(fact): fact for fact in facts.by(metric, period, dimension)}


def complete_months(facts: FactSet, metric: str) -> list[float]:
    """A metric's values for whole months, oldest first: a month that is still running would look like a fall."""
    return [fact.value for fact in facts.series(metric, "month") if (fact.period.end + timedelta(days=1)).day == 1]


@dataclass(frozen=True)
class CompanySize:
    """The yardsticks of one company, in US dollars; 0 where the data has none.

    `monthly` is recurring revenue, or bookings a month where no recurring revenue is known.
    """

    monthly: float
    mrr: float
    pipeline: float
    average_deal: float
    median_open_deal: float
    year_bookings: float

    @classmethod
    def of(cls, facts: FactSet) -> CompanySize:
        """Measures the company by its facts."""
        months, won = complete_months(facts, "bookings"), complete_months(facts, "deals_won")
        average = facts.total("average_deal_size", "qtd")
        open_deals = [fact.value for fact in facts.by("pipeline_value", "as_of", "deal") if fact.value > 0]
        mrr = _value(facts.total("mrr", "as_of"))
        return cls(
            monthly=mrr or max(0.0, median(months) if months else 0.0),
            mrr=mrr,
            pipeline=_value(facts.total("pipeline_value", "as_of")) or sum(open_deals),
            average_deal=max(0.0, sum(months) / sum(won) if sum(won) else _value(average)),
            median_open_deal=_median_open_deal(facts, open_deals),
            year_bookings=sum(fact.value for fact in facts.series("bookings", "month")),
        )


def _value(fact: Fact | None) -> float:
    """A total as a size: what a company owes on balance makes it no smaller than nothing."""
    return max(0.0, fact.value) if fact else 0.0


def _median_open_deal(facts: FactSet, listed: Sequence[float]) -> float:
    """The typical open deal; from the totals where the breakdown lists only the largest deals."""
    count, total = _value(facts.total("open_deals", "as_of")), _value(facts.total("pipeline_value", "as_of"))
    if count and total and len(listed) < 0.8 * count:
        return total / count
    return median(listed) if listed else 0.0
