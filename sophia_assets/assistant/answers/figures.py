"""Answers that state figures: how much, side by side, and over time.

Belongs here: which facts these answers show and in which sentences. Does not belong here: finding facts
(`fact_source`), rankings and explanations (`rankings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sophia_assets.assistant.answers import saying, spans_of_time
from sophia_assets.assistant.answers.composing import Asked, Composed, row, same_columns
from sophia_assets.assistant.answers.fact_source import NothingKnown
from sophia_assets.insight.names import listed
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_stories import slot
from sophia_assets.metrics import derived
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.facts import Fact, Period

_MOST_METRICS = 6
_MOST_ENTITIES = 6
#: What a total is best broken down by, the first that a metric has.
LEADING = ("owner", "account", "industry", "team", "stage", "plan", "system")
_LEAST_SHARE = 0.1
_TREND_WORDS = {"up": "an upward trend", "down": "a downward trend", "none": "no clear trend"}


def value(asked: Asked) -> Composed:
    """How much one or more metrics are, each against its comparison, with what it means beside its target and pace."""
    found = Composed()
    for metric in asked.metrics()[:_MOST_METRICS]:
        fact = _fact(asked, metric)
        found.show(fact)
        found.say(saying.stated(fact, asked.day, asked.scope))
        found.rows.append(row(fact))
        if len(asked.reading.metrics) == 1:
            _beside_value(asked, metric, fact, found)
    found.rows = list(same_columns(found.rows))
    found.may_be_phrased = not asked.scope
    return found


def _fact(asked: Asked, metric: Metric) -> Fact:
    reading = asked.reading
    fact = asked.facts.whole(metric, reading.period, reading.compared_to, reading.filters)
    if fact is None:
        raise NothingKnown(
            f"nothing is known of {metric.spoken}{asked.whole_scope} "
            f"{spans_of_time.said(asked.facts.period_of(metric, reading.period))}",
            remedy="Ask for another time, or for the whole company",
        )
    return fact


def _beside_value(asked: Asked, metric: Metric, fact: Fact, found: Composed) -> None:
    """What else the facts say of one value: its target, its pace, its trend, who leads, what part of all it is."""
    if fact.target_display is not None:
        found.add(_against_target(fact, metric, found))
    if fact.run_rate_display is not None:
        found.add(
            f"At the current pace {noun(fact).text} come{'' if noun(fact).plural else 's'} to a run-rate of "
            f"{slot(fact, 'run_rate')} by the end of the quarter."
        )
    if fact.trend_display and fact.trend != "none":
        found.add(f"{noun(fact).opening} {'show' if noun(fact).plural else 'shows'} {slot(fact, 'trend')}.")
    if fact.dimensions and asked.reading.filters:
        _part_of_all(asked, metric, fact, found)
    elif not asked.reading.filters:
        _leader(asked, metric, fact, found)


def _against_target(fact: Fact, metric: Metric, found: Composed) -> str:
    from sophia_assets.insight.slots import target_side

    gap = abs(derived.delta(Decimal(str(fact.value)), Decimal(str(fact.target))))
    short = saying.figure(fact, metric, gap, f"{fact.id}.gap", f"{metric.label}: distance to target")
    if target_side(fact) is None:
        return f"That is the target of {slot(fact, 'target')}."
    found.show(short)
    return f"That is {slot(short)} {slot(fact, 'target_side')} the target of {slot(fact, 'target')}."


def _part_of_all(asked: Asked, metric: Metric, fact: Fact, found: Composed) -> None:
    """What part of all that may be seen an entity's value is."""
    if not metric.is_additive or fact.value <= 0:
        return
    whole = asked.facts.whole(metric, asked.reading.period, asked.reading.compared_to)
    if whole is None or whole.value <= 0:
        return
    part = saying.share_of(
        Decimal(str(fact.value)), Decimal(str(whole.value)), fact, metric, f"{fact.id}.share", f"{metric.label}: share"
    )
    if part is not None:
        found.show(whole, part)
        found.add(f"That is {slot(part)} of {slot(whole)} in all.")


def _leader(asked: Asked, metric: Metric, fact: Fact, found: Composed) -> None:
    """Who has the largest part of a total, where that is a part worth naming."""
    dimension = next((each for each in LEADING if each in metric.dimensions), None)
    if dimension is None or not metric.is_additive or fact.value <= 0 or metric.unit not in ("usd", "count"):
        return
    leaders = asked.facts.by(
        metric, dimension, asked.reading.period, asked.reading.compared_to, asked.reading.filters, limit=2
    )
    first = next((each for each in leaders if (each.subject or "").lower() != "unassigned"), None)
    if first is None or not first.share_display or not _LEAST_SHARE <= (first.share or 0) <= 1:
        return
    found.show(first)
    found.add(
        f"The largest part is {slot(first, 'subject')} with {slot(first)}, {slot(first, 'share')} of the total."
        if first.rank == 1
        else ""
    )


def comparison(asked: Asked) -> Composed:
    """Metrics, entities or times side by side: which is higher and by how much, and whether both moved the same way."""
    metrics = asked.metrics()[:_MOST_METRICS]
    if len(metrics) > 1:
        return _of_metrics(asked, metrics)
    side_by_side = next((each for each in asked.reading.filters if len(each.ids) > 1 and not each.is_excluded), None)
    if side_by_side is not None:
        return _of_entities(asked, metrics[0], side_by_side.dimension)
    if asked.reading.dimension is not None:
        from sophia_assets.assistant.answers.rankings import breakdown

        return breakdown(asked)
    return _of_times(asked, metrics[0])


def _of_metrics(asked: Asked, metrics: Sequence[Metric]) -> Composed:
    found = Composed(may_be_phrased=not asked.scope)
    facts = []
    for metric in metrics:
        try:
            facts.append(_fact(asked, metric))
        except NothingKnown as error:
            found.caveats.append(_sentence(error.message))
    if not facts:
        raise NothingKnown("none of what you compare is known for that time", remedy="Ask for another time")
    for fact in facts:
        found.show(fact)
        found.say(saying.stated(fact, asked.day, asked.scope))
        found.rows.append(row(fact))
    found.rows = list(same_columns(found.rows))
    if len(facts) > 1:
        found.add(_same_way(facts))
        found.add(_further_apart(facts, metrics, found))
        found.caveats.append("Figures side by side do not say that one moves the other.")
    if len({(fact.period.start, fact.period.end) for fact in facts}) > 1:
        found.caveats.append("They are measured over different times: each says over which.")
    return found


def _same_way(facts: Sequence[Fact]) -> str:
    """Whether metrics moved the same way; nothing where one of them cannot be compared."""
    ways = [fact.direction for fact in facts]
    names = [noun(fact).text for fact in facts]
    if any(way is None for way in ways):
        return ""
    if len(set(ways)) == 1:
        both = "Both" if len(facts) == 2 else "All of them"
        return f"{both} {slot(facts[0], 'moved')}." if ways[0] != "flat" else f"{both} are unchanged."
    parts = [
        f"{name} {slot(fact, 'moved') if fact.direction != 'flat' else 'did not move'}"
        for name, fact in zip(names, facts, strict=True)
    ]
    return f"They did not move the same way: {listed(parts)}."


def _further_apart(facts: Sequence[Fact], metrics: Sequence[Metric], found: Composed) -> str:
    """Which of two metrics of one unit is higher, and by how much."""
    if len(facts) != 2 or facts[0].unit != facts[1].unit or facts[0].unit not in ("usd", "count"):
        return ""
    if (facts[0].period.start, facts[0].period.end) != (facts[1].period.start, facts[1].period.end):
        return ""
    counted = {metric.counts for metric in metrics if metric.name in {fact.metric for fact in facts}}
    # Calls are not so many more than deals: only what counts the same has a difference that means something.
    if facts[0].unit == "count" and (len(counted) != 1 or None in counted):
        return ""
    high, low = sorted(facts, key=lambda fact: -fact.value)
    metric = next(each for each in metrics if each.name == high.metric)
    apart = saying.difference(high, low, metric)
    if apart is None:
        return ""
    found.show(apart)
    return f"{noun(high).opening} {noun(high).be} {slot(apart)} higher than {noun(low).text}."


def _of_entities(asked: Asked, metric: Metric, dimension: str) -> Composed:
    """Entities of one dimension side by side, the highest first."""
    reading = asked.reading
    facts = asked.facts.by(metric, dimension, reading.period, reading.compared_to, reading.filters)
    facts = sorted(facts, key=lambda fact: (-fact.value, fact.subject or ""))[:_MOST_ENTITIES]
    if not facts:
        raise NothingKnown(
            f"nothing is known of {metric.spoken}{asked.whole_scope} "
            f"{spans_of_time.said(asked.facts.period_of(metric, reading.period))}",
            remedy="Ask for another time",
        )
    found = Composed(may_be_phrased=False)
    for fact in facts:
        found.show(fact)
        found.say(saying.stated(fact, asked.day))
        found.rows.append(row(fact))
    found.rows = list(same_columns(found.rows))
    missing = _not_found(reading, dimension, facts)
    if missing:
        found.caveats.append(f"Nothing is known of {metric.spoken} for {listed(missing)}.")
    if len(facts) > 1:
        apart = saying.difference(facts[0], facts[1], metric)
        if apart is not None:
            found.show(apart)
            found.add(
                f"{slot(facts[0], 'subject')} is {slot(apart)} higher than "
                f"{'the next' if len(facts) > 2 else slot(facts[1], 'subject')}."
            )
        else:
            found.add("The first two are level.")
        ways = {fact.direction for fact in facts}
        if None not in ways:
            both = "Both" if len(facts) == 2 else "All of them"
            same = {"up": f"{both} rose.", "down": f"{both} fell.", "flat": f"{both} are unchanged."}
            found.add(same[str(next(iter(ways)))] if len(ways) == 1 else "They did not move the same way.")
    return found


def _not_found(reading: object, dimension: str, facts: Sequence[Fact]) -> list[str]:
    """The names that were asked for and have no fact."""
    from sophia_assets.insight.names import safe_name

    had = {fact.entity_ids.get(dimension) for fact in facts}
    return [
        saying.literal(safe_name(name))
        for each in getattr(reading, "filters", ())
        if each.dimension == dimension
        for entity, name in zip(each.ids, each.names, strict=False)
        if entity not in had
    ]


def _of_times(asked: Asked, metric: Metric) -> Composed:
    """One metric in one time against another."""
    fact = _fact(asked, metric)
    found = Composed(may_be_phrased=not asked.scope)
    found.show(fact)
    found.say(saying.moved(fact, asked.day, asked.scope))
    found.rows = [row(fact)]
    if fact.previous is None:
        found.caveats.append("Nothing is known of the time before to compare it with.")
    elif saying.moves(fact) and fact.change_display:
        found.add(f"That is {slot(fact, 'change')} {slot(fact, 'compared')}.")
    return found


def trend(asked: Asked) -> Composed:
    """How a metric went: its first and last point, its high and low, and whether the series has a direction."""
    metric = asked.metrics()[0]
    own = next((each for each in ("month", "week", "quarter") if each in metric.series), "month")
    grain: str = asked.reading.grain or own
    periods = spans_of_time.points(grain, asked.reading.period, asked.data.context)
    facts = asked.facts.series(metric, periods, asked.reading.filters)
    if not facts:
        raise NothingKnown(
            f"there is no series of {metric.spoken}{asked.whole_scope} for that time", remedy="Ask for a longer time"
        )
    ended = [fact for fact in facts if spans_of_time.is_whole(fact.period)]
    # What stands now is as good as what stood at an earlier end; what is still being counted is not.
    whole = facts if asked.facts.is_stock(metric) else ended
    found = Composed(may_be_phrased=not asked.scope)
    found.show(*facts)
    found.rows = list(same_columns([_point(fact) for fact in facts]))
    _course(asked, whole, found)
    running = next((fact for fact in facts if fact not in whole), None)
    if running is not None:
        name = "" if whole else f"{noun(running).opening}{asked.scope or saying.subject(running)} "
        found.say(
            f"{name}{saying.be(running, asked.day)} {slot(running)} so far {slot(running, 'period')}."
            if name
            else f"So far {slot(running, 'period')} it is {slot(running)}."
        )
        found.caveats.append(f"The last {grain} still runs: it is not held against whole ones.")
    _direction_of(metric, ended, grain, found)
    return found


def _point(fact: Fact) -> dict[str, object]:
    return {
        "period": fact.period.label,
        "start": fact.period.start.isoformat(),
        "value": fact.display,
        "number": fact.value,
    }


def _course(asked: Asked, whole: Sequence[Fact], found: Composed) -> None:
    if not whole:
        return
    first, last = whole[0], whole[-1]
    about = f"{noun(first).opening}{asked.scope or saying.subject(first)}"
    if len(whole) == 1:
        found.say(f"{about} {saying.be(first, asked.day)} {slot(first)}{saying.when(first, asked.day)}.")
        return
    found.say(f"{about} went from {slot(first)} {slot(first, 'period')} to {slot(last)} {slot(last, 'period')}.")
    high = max(whole, key=lambda fact: (fact.value, fact.period.start))
    low = min(whole, key=lambda fact: (fact.value, -fact.period.start.toordinal()))
    if high.display == low.display:
        found.say(f"It was {slot(high)} throughout.")
        return
    found.say(f"The highest was {slot(high)} {slot(high, 'period')}, the lowest {slot(low)} {slot(low, 'period')}.")


def _direction_of(metric: Metric, whole: Sequence[Fact], grain: str, found: Composed) -> None:
    """The trend by the same test as the facts of a briefing, told as the facts tell it."""
    result = derived.trend([Decimal(str(fact.value)) for fact in whole])
    if result is None:
        found.caveats.append(f"With {len(whole)} whole {grain}{'' if len(whole) == 1 else 's'} no trend can be told.")
        return
    shown = f"{_TREND_WORDS[result.direction]} over {result.points} {grain}s"
    last = whole[-1]
    fact = replace(
        last, id=f"{last.id}.trend", trend=result.direction, trend_display=shown, trend_slope=float(result.slope)
    )
    found.show(fact)
    found.say(f"There is {slot(fact, 'trend')}.")
    if result.direction == "none":
        return
    step = saying.figure(last, metric, abs(result.slope), f"{last.id}.slope", f"{metric.label}: typical step")
    found.show(step)
    found.add(f"The typical move from one {grain} to the next is {slot(step)} {_WAY[result.direction]}.")


_WAY = {"up": "up", "down": "down"}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def days_of(period: Period) -> int:
    """How many days a period has."""
    return (period.end - period.start).days + 1
