"""Headline changes: company-wide metrics that moved by more than they usually do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from sophia_assets.insight.materiality import CompanySize, complete_months, robust_spread, working_days_after
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.stories import UNASSIGNED, Story, SuggestedAction
from sophia_assets.metrics.facts import Fact, FactSet


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
            effect=_effect(fact, size),
            action=SuggestedAction(f"Find out what moved {noun(fact).text}", UNASSIGNED, working_days_after(day, 5)),
        )


def headline_fact(facts: FactSet, headline: Headline) -> Fact | None:
    """The company-wide fact in the first of the headline's periods that the facts have."""
    found = (facts.total(headline.metric, period) for period in headline.periods)
    return next((fact for fact in found if fact is not None), None)


def is_material(facts: FactSet, headline: Headline, fact: Fact) -> bool:
    """Whether a move is large enough, rests on enough cases, and stands out of the metric's own months."""
    if not fact.delta or fact.previous is None or fact.direction not in ("up", "down"):
        return False
    if headline.counted_by is not None:
        metric, least = headline.counted_by
        cases = facts.total(metric, fact.period.key)
        if cases is not None and min(cases.value, cases.previous or 0) < least:
            return False
    if fact.previous and abs(fact.delta / fact.previous) < headline.least_change:
        return False
    if abs(fact.delta) < headline.least_delta:
        return False
    if fact.period.key != "as_of":
        return True
    months = complete_months(facts, headline.metric)
    usual = robust_spread([after - before for before, after in pairwise(months)])
    return abs(fact.delta) >= 0.5 * usual


def _effect(fact: Fact, size: CompanySize) -> float:
    """The move in US dollars: money as it is (a year of it where it recurs), the rest by rules of proportion."""
    delta = abs(fact.delta or 0.0)
    if fact.unit == "usd":
        return delta * (12 if fact.metric.endswith("mrr") else 1)
    if fact.metric == "win_rate":
        return delta * size.pipeline
    if fact.metric == "satisfaction_score":
        return delta / 4 * size.monthly
    return 0.01 * size.monthly
