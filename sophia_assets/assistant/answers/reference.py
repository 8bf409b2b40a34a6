"""Answers about the platform itself: what a metric means, how current the data is, what can be asked.

Belongs here: what these answers say. Does not belong here: the catalog, or how systems are watched.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets.access.policies import may_read_quotes
from sophia_assets.assistant.answers import saying, spans_of_time
from sophia_assets.assistant.answers.composing import Asked, Composed
from sophia_assets.assistant.answers.standing import SystemState
from sophia_assets.insight.names import listed
from sophia_assets.insight.slots import day_phrase
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.catalog.entries import AREAS
from sophia_assets.metrics.origins import systems_behind
from sophia_assets.sources import registry

_HELD_AGAINST = {
    "qtd": "this quarter so far against the same point of the last quarter",
    "last_7d": "the last 7 days against the 7 before",
    "last_30d": "the last 30 days against the 30 before",
    "last_60d": "the last 60 days against the 60 before",
    "as_of": "a day against the 30th day before it",
}
_KINDS = {"flow": "over a period", "stock": "as it stands at the end of a day"}
_AGGREGATES = (
    ("count(distinct", "counted without repeats"),
    ("count", "counted"),
    ("sum(", "added up"),
    ("avg(", "averaged"),
    ("median", "the middle of all values"),
)
_UNITS = {
    "usd": "US dollars",
    "percent": "per cent",
    "days": "days",
    "score": "a score from 1 to 5",
    "minutes": "minutes",
}
_AREA_WORDS = {
    "sales": "sales",
    "revenue": "recurring revenue and invoices",
    "customers": "customer satisfaction and health",
    "voice": "what customers say",
    "delivery": "the teams' delivery and bugs",
    "usage": "use of the product",
    "knowledge": "documents",
    "data_health": "the health of the data",
}


def definition(asked: Asked) -> Composed:
    """What a metric means: what is counted and how, for which days, by whom it is owned, from where it comes."""
    found = Composed(may_be_phrased=False)
    for metric in asked.metrics()[:3]:
        found.plain.append(" ".join(_lines(asked, metric)))
        found.rows.append(_row(asked, metric))
    first = asked.metrics()[0]
    found.plain_insights = [f"People also call it {listed([f'“{word}”' for word in first.synonyms[:4]])}."] * bool(
        first.synonyms
    )
    return found


def _lines(asked: Asked, metric: Metric) -> list[str]:
    parts = [f"{metric.label}: {metric.description}", f"It is {_how(asked, metric)}."]
    keys = [_HELD_AGAINST[key] for key in dict.fromkeys([*metric.periods, *metric.breakdowns.values()])]
    if keys:
        parts.append(f"It is compared over {listed(keys)}.")
    systems = [registry.display_name(system) for system in systems_behind(metric.name)]
    source = listed(systems) or "the platform's own record"
    parts.append(f"It comes from {source} and is owned by the {metric.owner.removeprefix('team:')} team.")
    if metric.target is not None:
        from sophia_assets.metrics import formats

        parts.append(f"Its target is {formats.display(metric.target, metric.unit, metric.format)}.")
    return parts


def _how(asked: Asked, metric: Metric) -> str:
    """The formula in words."""
    unit = _UNITS.get(metric.unit)
    units = f", in {unit}" if unit else ""
    if metric.kind == "ratio":
        above, below = asked.facts.catalog.parts(metric)
        return f"{above.spoken} over {below.spoken}{units}"
    head = metric.expression.replace(" ", "").lower()
    how = next((words for start, words in _AGGREGATES if head.startswith(start)), "computed")
    if "/" in head:
        how = "computed as one part over another"
    return f"{how} {_KINDS[metric.kind]}{units}"


def _row(asked: Asked, metric: Metric) -> dict[str, Any]:
    from sophia_assets.metrics.descriptions import definition as formula

    return {
        "metric": metric.label,
        "definition": metric.description,
        "formula": formula(asked.facts.catalog, metric),
        "grain": metric.grain,
        "unit": metric.unit,
        "by": ", ".join(saying.singular(each) for each in metric.dimensions),
        "owner": metric.owner,
        "sources": ", ".join(registry.display_name(system) for system in systems_behind(metric.name)),
    }


def freshness(asked: Asked) -> Composed:
    """How current each system's data is, and what is broken."""
    found = Composed(may_be_phrased=False)
    wanted = {each for f in asked.reading.filters if f.dimension == "system" for each in f.ids}
    states = [each for each in asked.standing.systems if not wanted or each.system in wanted]
    end = asked.data.context.end_of(asked.day).replace(tzinfo=UTC)
    found.rows = [_system_row(asked, state) for state in states]
    broken = [state for state in states if state.is_broken]
    behind = [state for state in states if state.is_connected and state.is_behind(end)]
    found.plain.append(f"The data reaches to the end of {day_phrase(asked.day)}.")
    if not broken and not behind:
        which = "Every connected system was" if not wanted else f"{listed([s.name for s in states])} was"
        found.plain.append(f"{which} read up to then, and nothing is broken.")
    for state in dict.fromkeys([*broken, *behind]):
        found.plain += asked.standing.caveats([state.system], end)[:2]
        if state.read_through is None and state.is_connected:
            found.plain.append(f"{state.name} is connected, but nothing of it was read yet.")
    off = [state.name for state in states if not state.is_connected]
    if off:
        found.plain_insights.append(f"{listed(off)} {'is' if len(off) == 1 else 'are'} not connected.")
    if asked.briefing is not None:
        found.plain_insights.append(f"The newest briefing is of {day_phrase(asked.briefing.day)}.")
    return found


def _system_row(asked: Asked, state: SystemState) -> dict[str, Any]:
    through = state.read_through.astimezone(ZoneInfo(asked.standing.timezone)) if state.read_through else None
    return {
        "system": state.name,
        "state": _state(state),
        "read_up_to": f"{day_phrase(through.date())}, {through:%H:%M}" if through else None,
        "circuit": state.circuit or ("closed" if state.is_connected else None),
        "failing_checks": ", ".join(state.failing) or None,
        "served": f"{state.percent}%",
    }


def _state(state: SystemState) -> str:
    if not state.is_connected:
        return "not connected"
    if state.read_through is None:
        return "no data yet"
    if state.circuit:
        return "not read at the moment"
    return "checks failing" if state.failing else "in order"


def help_(asked: Asked) -> Composed:
    """What can be asked by whoever asks: areas, kinds of questions, examples that work."""
    found = Composed(may_be_phrased=False)
    metrics = [metric for name, metric in asked.data.catalog.metrics.items() if asked.facts.has(name)]
    areas = [area for area in AREAS if any(metric.area == area for metric in metrics)]
    if not metrics:
        found.plain.append("There are no figures that you may see yet.")
        return found
    found.plain.append(
        f"You can ask about {listed([_AREA_WORDS.get(area, area) for area in areas])}: how much something is, how it "
        "compares, how it went over time, who is first, what a move is made of, and what a figure means."
    )
    if may_read_quotes(asked.question.principal):
        found.plain.append("You can also ask what customers say about something.")
    found.rows = [
        {
            "area": _AREA_WORDS.get(area, area),
            "figures": ", ".join(metric.label for metric in metrics if metric.area == area),
        }
        for area in areas
    ]
    first = {area: next(metric for metric in metrics if metric.area == area) for area in areas}
    found.ideas = [f"What {'are' if first[area].plural else 'is'} {first[area].spoken}?" for area in areas]
    if "sales" in areas:
        found.ideas = ["How are bookings this quarter?", "Top 5 deals this quarter", *found.ideas]
    return found


def data_day(asked: Asked) -> str:
    """`20 November 2026`: up to when all answers reach."""
    return spans_of_time.day_of(asked.day)
