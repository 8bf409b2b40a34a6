"""In which of its periods a briefing tells a figure: what its kind asks for, else the first that there is."""

from __future__ import annotations

from sophia_assets.insight.writing import BriefingRequest
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.facts import Fact


def flow(request: BriefingRequest, metric: str) -> Fact | None:
    """A metric's company-wide fact in the period that the kind asks for; where there is none, in its own first."""
    known = load_catalog().metrics.get(metric)
    keys = dict.fromkeys([request.kind.period_of(metric), *(known.periods if known else ())])
    return next((fact for key in keys if (fact := request.facts.total(metric, key)) is not None), None)


def beside(request: BriefingRequest, fact: Fact, metric: str) -> Fact | None:
    """Another metric's company-wide fact for the same period as `fact`, so that one sentence may tell both."""
    return request.facts.total(metric, fact.period.key)


def headline(request: BriefingRequest) -> Fact | None:
    """What a bottom line begins with: money where the reader may see it, else what the reader answers for."""
    facts = request.facts
    found = (
        flow(request, "bookings"),
        facts.total("mrr", "as_of"),
        facts.total("pipeline_value", "as_of"),
        flow(request, "issues_completed"),
        flow(request, "product_actions"),
        flow(request, "calls"),
        next((fact for fact in facts if not fact.dimensions and "." not in fact.period.key), None),
    )
    return next((fact for fact in found if fact is not None), None)
