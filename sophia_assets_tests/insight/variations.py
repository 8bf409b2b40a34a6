"""Companies like the sample one with other figures, so that checks meet many true sentences."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.offline_stories import decision, tell_change, tell_risk
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.slots import fill
from sophia_assets.insight.verification import Verifier
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets.metrics.facts import Fact, FactSet
from sophia_assets_tests.insight.sample_facts import breakdown, make_fact, sample_request


def _vary(value: float, unit: str, rng: random.Random) -> float:
    moved = value * rng.uniform(0.75, 1.35)
    if unit == "score":
        return min(4.9, max(1.2, value + rng.uniform(-0.7, 0.4)))
    if unit == "percent":
        return min(0.95, moved)
    return float(round(moved)) if unit in ("count", "days", "minutes") else round(moved, 2)


_TRENDING = ("bookings", "mrr", "pipeline_value", "satisfaction_score", "calls", "win_rate")


def _with_trend(fact: Fact, rng: random.Random) -> Fact:
    """The fact with a trend, for periods that a briefing compares."""
    if "." in fact.period.key:
        return fact
    trend, words = rng.choice([("up", "an upward trend"), ("down", "a downward trend"), ("none", "no clear trend")])
    points = f"{rng.choice([9, 10, 11, 12])} months" if fact.metric != "calls" else "6 weeks"
    return replace(fact, trend=trend, trend_display=f"{words} over {points}", trend_slope=fact.value / 100)


def varied_request(seed: int) -> BriefingRequest:
    """The sample company with every value moved at random; ranks, shares and comparisons stay right."""
    rng, request = random.Random(seed), sample_request()
    facts: list[Fact] = []
    groups: dict[tuple[str, str, str], list[tuple[str, str, float, float | None]]] = {}
    for fact in request.facts:
        value = _vary(fact.value, fact.unit, rng)
        previous = None if fact.previous is None else _vary(fact.previous, fact.unit, rng)
        if not fact.dimensions:
            target = _vary(value, fact.unit, rng) if fact.metric in ("bookings", "win_rate") and seed % 2 else None
            made = make_fact(fact.metric, fact.period.key, value, previous, target=target)
            facts.append(_with_trend(made, rng) if fact.metric in _TRENDING else made)
            continue
        dimension, name = next(iter(fact.dimensions.items()))
        groups.setdefault((fact.metric, fact.period.key, dimension), []).append(
            (fact.entity_ids[dimension], name, value, previous)
        )
    worth = {row[0]: row for row in groups["pipeline_value", "as_of", "deal"]}
    groups["slipped_value", "as_of", "deal"] = [worth[row[0]] for row in groups["slipped_value", "as_of", "deal"]]
    for (metric, key, dimension), rows in groups.items():
        facts += breakdown(metric, key, dimension, rows)
    return replace(request, facts=FactSet(facts))


def true_sentences(seed: int) -> tuple[BriefingRequest, list[tuple[str, DraftSentence]]]:
    """Every sentence that the offline writer can say about a varied company, published or not, with its text."""
    briefing = build_briefing(varied_request(seed), OfflineWriter())
    request = briefing.request
    return request, [
        (fill(draft.text, request.facts, request.stories).text, draft) for draft in dict.fromkeys(_drafts(request))
    ]


def _drafts(request: BriefingRequest) -> Iterator[DraftSentence]:
    draft = OfflineWriter().draft(request)
    yield from draft.bottom_line
    for section in draft.sections:
        yield from section.sentences
    for number, story in enumerate(request.stories):
        if story.kind == "metric_change":
            yield from (tell_change(story, request.facts, form) for form in range(3))
            continue
        yield tell_change(story, request.facts, number)
        yield decision(story, request.facts)
        if story.category == "risk":
            yield tell_risk(story, request.facts)


def verifier_for(request: BriefingRequest) -> Verifier:
    """The verifier that a briefing of this request would use."""
    return Verifier(request.facts, request.stories, [request.company_name])
