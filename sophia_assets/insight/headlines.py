"""Headline changes: company-wide metrics that moved by more than they usually do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sophia_assets.insight.account_signs import MISSING_SHARE
from sophia_assets.insight.materiality import (
    MONTHS_OF_EFFECT,
    SCORE_SPAN,
    SMALL_SHARE,
    CompanySize,
    complete_months,
    working_days_after,
)
from sophia_assets.insight.moves import (
    LEAST_HISTORY,
    RISES,
    count_surprise,
    missing_days,
    move_surprise,
    ratio_surprise,
)
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.stories import UNASSIGNED, Story, SuggestedAction
from sophia_assets.metrics.facts import Fact, FactSet

#: A company's own figures are watched one by one, so a move has to be out of the ordinary, not out of the question.
HEADLINE_SIGMAS = 1.6
#: What stands on a day is not compared where more days than this are missing before it.
STALE_DAYS = 3
DAYS_OF_A_MONTH = 30
#: What is in the pipeline is worth what of it is usually won.
_PIPELINE = frozenset({"pipeline_value", "pipeline_created", "slipped_value", "lost_value"})


@dataclass(frozen=True)
class Headline:
    """How a metric's change is judged: the least relative change and the least change in its own unit.

    `counted_by` is the metric that says how many cases are behind a ratio, with the least number of them.
    """

    metric: str
    periods: tuple[str, ...]
    least_change: float = 0.05
    least_delta: float = 0.0
    counted_by: tuple[str, int] | None = None


HEADLINES: tuple[Headline, ...] = (
    Headline("bookings", ("qtd", "last_30d"), counted_by=("deals_won", 5)),
    Headline("win_rate", ("qtd", "last_30d"), least_delta=0.02, counted_by=("deals_won", 8)),
    Headline("average_deal_size", ("qtd", "last_30d"), least_change=0.1, counted_by=("deals_won", 8)),
    Headline("sales_cycle_days", ("qtd", "last_30d"), least_change=0.1, counted_by=("deals_won", 8)),
    Headline("lost_value", ("qtd", "last_30d"), least_change=0.15, counted_by=("deals_lost", 5)),
    Headline("pipeline_created", ("qtd", "last_30d"), least_change=0.1, counted_by=("deals_created", 5)),
    Headline("pipeline_value", ("as_of",), counted_by=("open_deals", 5)),
    Headline("slipped_value", ("as_of",), least_change=0.15, counted_by=("slipped_deals", 3)),
    Headline("mrr", ("as_of",), least_change=0.01, counted_by=("active_customers", 5)),
    Headline("new_mrr", ("last_30d",), least_change=0.2),
    Headline("expansion_mrr", ("last_30d",), least_change=0.25),
    Headline("contraction_mrr", ("last_30d",), least_change=0.25),
    Headline("churned_mrr", ("last_30d",), least_change=0.25),
    Headline("overdue_amount", ("as_of",), least_change=0.15),
    Headline(
        "satisfaction_score",
        ("last_60d", "last_30d", "qtd"),
        least_change=0.0,
        least_delta=0.15,
        counted_by=("satisfaction_responses", 20),
    ),
    Headline("calls", ("last_30d",), least_change=0.15, least_delta=10),
    Headline("competitor_mentions", ("last_30d",), least_change=0.25, least_delta=5),
    Headline("churn_risk_mentions", ("last_30d", "last_60d"), least_change=0.25, least_delta=4),
)


def headline_changes(facts: FactSet, day: date, size: CompanySize) -> Iterator[Story]:
    """One story for each company-wide metric that moved materially, in its first period that is known."""
    for headline in HEADLINES:
        fact = headline_fact(facts, headline)
        if fact is None or not is_material(facts, headline, fact):
            continue
        yield Story(
            id=f"metric_change.metric.{headline.metric}",
            kind="metric_change",
            category="opportunity" if fact.is_good and headline.metric == "pipeline_value" else "change",
            subject_type="metric",
            subject_id=headline.metric,
            subject_name=fact.label,
            fact_ids=(fact.id,),
            effect=_effect(facts, fact, size),
            action=SuggestedAction(f"Find out what moved {noun(fact).text}", UNASSIGNED, working_days_after(day, 5)),
        )


def headline_fact(facts: FactSet, headline: Headline) -> Fact | None:
    """The company-wide fact in the first of the headline's periods that the facts have."""
    found = (facts.total(headline.metric, period) for period in headline.periods)
    return next((fact for fact in found if fact is not None), None)


def is_material(facts: FactSet, headline: Headline, fact: Fact) -> bool:
    """Whether a move is large enough, rests on enough cases and on all days, and stands out of the metric's own."""
    if not fact.delta or fact.previous is None or fact.direction not in ("up", "down"):
        return False
    if not _all_days_known(fact) or not _enough_cases(facts, headline, fact):
        return False
    if fact.previous and abs(fact.delta / fact.previous) < headline.least_change:
        return False
    if abs(fact.delta) < headline.least_delta:
        return False
    if fact.unit == "count" and abs(count_surprise(fact.value, fact.previous)) < RISES:
        return False
    months = complete_months(facts, headline.metric)
    if len(months) <= LEAST_HISTORY:
        return True
    return abs(move_surprise(months, fact.delta, max(1.0, _length(fact) / DAYS_OF_A_MONTH))) >= HEADLINE_SIGMAS


def _all_days_known(fact: Fact) -> bool:
    """Whether both sides of the comparison are known: data that ends early makes a fall of nothing."""
    missing = missing_days(fact.period.end, fact.as_of)
    return missing <= (STALE_DAYS if fact.period.key == "as_of" else MISSING_SHARE * _length(fact))


def _enough_cases(facts: FactSet, headline: Headline, fact: Fact) -> bool:
    """Whether enough stands behind both sides, and a ratio could not be so by the number of its cases alone."""
    if headline.counted_by is None:
        return True
    metric, least = headline.counted_by
    cases = facts.total(metric, fact.period.key)
    if cases is None:
        return True
    before = cases.previous or 0.0
    if min(cases.value, before) < least:
        return False
    if fact.metric == "win_rate" and min(fact.value, fact.previous or 0.0) > 0:
        # Wins are known; how many deals were closed follows from the rate.
        closed, closed_before = cases.value / fact.value, before / (fact.previous or 1.0)
        return abs(ratio_surprise(fact.value, closed, fact.previous or 0.0, closed_before)) >= HEADLINE_SIGMAS
    return True


def _length(fact: Fact) -> int:
    return (fact.period.end - fact.period.start).days + 1


def _effect(facts: FactSet, fact: Fact, size: CompanySize) -> float:
    """The move in US dollars, by the rules of `materiality`."""
    delta = abs(fact.delta or 0.0)
    if fact.metric in _PIPELINE:
        rate = facts.total("win_rate", "qtd")
        return delta * (min(max(rate.value, 0.0), 1.0) if rate else 1.0)
    if fact.unit == "usd":
        return delta * (MONTHS_OF_EFFECT if fact.metric.endswith("mrr") else 1)
    if fact.metric == "win_rate":
        return delta * size.pipeline
    if fact.metric == "satisfaction_score":
        return delta / SCORE_SPAN * size.monthly
    return SMALL_SHARE * size.monthly
