"""Answers that order entities: rankings, breakdowns, and what made up a move.

Belongs here: which facts these answers show and in which sentences. Does not belong here: causes, which no data here
holds: an explanation says where a move lies, never what made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sophia_assets.assistant.answers import saying, spans_of_time
from sophia_assets.assistant.answers.composing import Asked, Composed, row, same_columns
from sophia_assets.assistant.answers.fact_source import NothingKnown
from sophia_assets.assistant.answers.figures import LEADING
from sophia_assets.insight.names import listed
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_stories import slot
from sophia_assets.metrics import formats
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.facts import Fact

DEFAULT_LIMIT = 5
MOST_ROWS = 50
_TOLD = 5
_MOST_PARTS = 8
_MOST_METRICS = 3
#: Along which dimensions a move is looked at, the first of them that a metric has; at most two.
_EXPLAINING = ("owner", "industry", "account", "team", "stage", "plan", "topic", "feature", "activity", "system")
_UNITS_OF_PARTS = frozenset({"usd", "count", "minutes"})


def ranking(asked: Asked) -> Composed:
    """The first or last of a ranking, what they come to together, and what the others are."""
    metric, dimension = asked.metrics()[0], asked.reading.dimension or _dimension(asked.metrics()[0])
    limit = max(1, min(asked.reading.limit or DEFAULT_LIMIT, MOST_ROWS))
    smallest = asked.reading.order == "smallest"
    facts = asked.facts.by(
        metric,
        dimension,
        asked.reading.period,
        asked.reading.compared_to,
        asked.reading.filters,
        limit=limit,
        order=asked.reading.order,
    )
    facts = [fact for fact in facts if smallest or fact.value != 0 or not metric.is_additive][:limit]
    if not facts:
        return _none_of_it(asked, metric, dimension)
    found = Composed(may_be_phrased=not asked.reading.filters)
    found.show(*facts)
    found.rows = list(same_columns([row(fact, rank=place) for place, fact in enumerate(facts, 1)]))
    found.say(_ranked(asked, dimension, facts, smallest))
    if not smallest:
        _rest(asked, metric, dimension, facts, found)
    if len(facts) < limit:
        found.caveats.append(
            f"There {'is' if len(facts) == 1 else 'are'} only {len(facts)} "
            f"{saying.singular(dimension) if len(facts) == 1 else saying.plural(dimension)} to rank."
        )
    return found


def _dimension(metric: Metric) -> str:
    found = next((each for each in LEADING if each in metric.dimensions), None) or next(iter(metric.dimensions), None)
    if found is None:
        raise NothingKnown(
            f"{metric.spoken} is known for the whole company only", remedy="Ask for its value or its trend"
        )
    return found


def _none_of_it(asked: Asked, metric: Metric, dimension: str) -> Composed:
    """The answer where there is no entity to list: that the whole is nothing, where that is known."""
    whole = asked.facts.whole(metric, asked.reading.period, asked.reading.compared_to, asked.reading.filters)
    if whole is None or whole.value or not asked.question.principal.rows.is_everything:
        raise NothingKnown(_nothing(asked, metric, dimension), remedy="Ask for another time, or for the whole company")
    found = Composed(may_be_phrased=False, rows=[row(whole)])
    found.show(whole)
    found.say(
        saying.stated(whole, asked.day, asked.scope), f"There is nothing to list by {saying.singular(dimension)}."
    )
    # A bare zero is easily taken for more than it says: that no customer is below a score is not that none may leave.
    found.plain_insights.append(f"By definition: {metric.description[:1].lower()}{metric.description[1:]}")
    return found


def _nothing(asked: Asked, metric: Metric, dimension: str) -> str:
    when = spans_of_time.said(asked.facts.period_of(metric, asked.reading.period))
    return f"nothing is known of {metric.spoken} by {saying.singular(dimension)}{asked.whole_scope} {when}"


def _ranked(asked: Asked, dimension: str, facts: Sequence[Fact], smallest: bool) -> str:
    first, scope = facts[0], asked.whole_scope
    time = saying.when(first, asked.day)
    shown = [f"{slot(fact, 'subject')} with {slot(fact)}" for fact in facts[:_TOLD]]
    word = "lowest" if smallest else "top"
    if len(facts) == 1:
        what = "lowest" if smallest else "highest"
        return f"{slot(first, 'subject')} has the {what} {_bare(first)}{scope}{time}: {slot(first)}."
    if asked.reading.limit is None and facts[0].value != facts[1].value:
        what = f"has the {'lowest' if smallest else 'highest'} {_bare(first)}{scope}{time} with {slot(first)}"
        return f"{slot(first, 'subject')} {what}, followed by {listed(shown[1:])}."
    left = len(facts) - len(shown)
    more = f", and {left} more below" if left else ""
    names = listed(shown) if not left else ", ".join(shown)
    return f"The {word} {len(facts)} {saying.plural(dimension)} by {_bare(first)}{scope}{time} are {names}{more}."


def _bare(fact: Fact) -> str:
    """The metric's noun without its article, behind `by` or `the highest`."""
    return noun(fact).text.removeprefix("the ")


def _rest(asked: Asked, metric: Metric, dimension: str, facts: Sequence[Fact], found: Composed) -> None:
    """What those shown come to, what part of all that is, and what the others come to."""
    if not metric.is_additive or metric.unit not in _UNITS_OF_PARTS:
        return
    whole = asked.facts.whole(metric, asked.reading.period, asked.reading.compared_to, asked.reading.filters)
    if whole is None or whole.value <= 0:
        return
    key = f"{metric.name}.{facts[0].period.key}.{dimension}.first{len(facts)}"
    total = Decimal(str(whole.value))
    together = sum((Decimal(str(fact.value)) for fact in facts), Decimal(0))
    part = saying.share_of(together, total, whole, metric, f"{key}.share", f"{metric.label}: share of those shown")
    if part is None:
        return
    found.show(whole, part)
    if len(facts) == 1:
        found.add(f"That is {slot(part)} of {slot(whole)} in all.")
        return
    both = saying.sum_of(facts, metric, f"{key}.sum", f"{metric.label}: those shown together")
    rest = saying.figure(whole, metric, total - together, f"{key}.rest", f"{metric.label}: all others")
    found.show(both)
    if formats.is_nothing(rest.display):
        found.add(f"Those named come to {slot(both)}, all there is.")
    else:
        found.show(rest)
        found.add(
            f"Those named come to {slot(both)}, {slot(part)} of {slot(whole)} in all; the others come to {slot(rest)}."
        )


def breakdown(asked: Asked) -> Composed:
    """Metrics by the entities of a dimension: the largest first, the share of each, what stands out."""
    first, *others = asked.metrics()[:_MOST_METRICS]
    found = _broken_down(asked, first)
    for metric in others:
        more = _broken_down(asked, metric)
        found.show(*more.facts.values())
        found.say(*more.sentences)
        found.add(*more.insights)
        found.rows = list(same_columns([*found.rows, *more.rows]))
        found.citations += more.citations
        found.caveats += more.caveats
    return found


def _broken_down(asked: Asked, metric: Metric) -> Composed:
    dimension = asked.reading.dimension or _dimension(metric)
    facts = asked.facts.by(
        metric,
        dimension,
        asked.reading.period,
        asked.reading.compared_to,
        asked.reading.filters,
        limit=asked.reading.limit or MOST_ROWS,
        order=asked.reading.order,
    )
    if not facts:
        return _none_of_it(asked, metric, dimension)
    found = Composed(may_be_phrased=not asked.reading.filters)
    found.show(*facts[:_TOLD])
    found.rows = list(same_columns([row(fact) for fact in facts]))
    found.citations = facts[_TOLD:]
    first = facts[0]
    shown = [
        f"{slot(fact, 'subject')} with {slot(fact)}" + (f" ({slot(fact, 'share')})" if fact.share_display else "")
        for fact in facts[:_TOLD]
    ]
    more = len(facts) - len(shown)
    names = listed(shown) if not more else f"{', '.join(shown)}, and {more} more"
    found.say(
        f"{noun(first).opening}{asked.whole_scope} by {saying.singular(dimension)}{saying.when(first, asked.day)}: "
        f"{names}."
    )
    _rest(asked, metric, dimension, facts[:_TOLD], found)
    rising = [fact for fact in facts if saying.moves(fact)]
    if rising and metric.unit in _UNITS_OF_PARTS:
        most = max(rising, key=lambda fact: (abs(fact.delta or 0), fact.subject or ""))
        found.show(most)
        found.add(
            f"The largest move is {slot(most, 'subject')}, {slot(most, 'direction')} {slot(most, 'delta')} "
            f"from {slot(most, 'previous')} {saying.since(most)}."
        )
    if len(facts) == MOST_ROWS:
        found.caveats.append(f"Only the first {MOST_ROWS} {saying.plural(dimension)} are shown.")
    return found


def explanation(asked: Asked) -> Composed:
    """Where a metric's move lies: the parts that moved most, by dimension, and what the newest briefing tells of it."""
    metric = asked.metrics()[0]
    whole = asked.facts.whole(metric, asked.reading.period, asked.reading.compared_to, asked.reading.filters)
    if whole is None:
        raise NothingKnown(
            f"nothing is known of {metric.spoken}{asked.whole_scope} for that time", remedy="Ask for another time"
        )
    found = Composed(may_be_phrased=False)
    found.show(whole)
    found.rows = [{"by": "all", "name": None, **row(whole)}]
    found.say(saying.moved(whole, asked.day, asked.scope))
    if not saying.moves(whole):
        found.say("There is no move to take apart.")
        return found
    dimensions = [asked.reading.dimension] if asked.reading.dimension else _explaining(asked, metric)
    for dimension in dimensions:
        _parts_of_move(asked, metric, whole, dimension, found)
    if not dimensions:
        found.say("It is known for the whole company only, so the move cannot be taken apart.")
    found.rows = list(same_columns(found.rows))
    found.caveats.append("This says where the move lies, not what caused it.")
    _told_in_briefing(asked, metric, found)
    return found


def _explaining(asked: Asked, metric: Metric) -> list[str]:
    narrowed = {each.dimension for each in asked.reading.filters if len(each.ids) == 1 and not each.is_excluded}
    return [each for each in _EXPLAINING if each in metric.dimensions and each not in narrowed][:2]


def _parts_of_move(asked: Asked, metric: Metric, whole: Fact, dimension: str, found: Composed) -> None:
    """The parts that moved most, those that moved the way of the whole first."""
    facts = asked.facts.by(metric, dimension, asked.reading.period, asked.reading.compared_to, asked.reading.filters)
    if len(facts) < 2:
        return
    moved = sorted(
        (fact for fact in facts if saying.moves(fact)), key=lambda fact: (-abs(fact.delta or 0), fact.subject or "")
    )
    with_it = [fact for fact in moved if fact.direction == whole.direction]
    against = [fact for fact in moved if fact.direction != whole.direction]
    if not with_it:
        return
    first = with_it[0]
    adds_up = metric.is_additive and metric.unit in _UNITS_OF_PARTS
    part = _part(metric, whole, first) if adds_up else None
    found.show(first, part)
    what = f"By {saying.singular(dimension)}, the largest {'part of the move' if adds_up else 'move the same way'} is"
    text = f"{what} {slot(first, 'subject')}, {slot(first, 'direction')} {slot(first, 'delta')}"
    text += f", {slot(part)} of the move" if part else ""
    if len(with_it) > 1:
        found.show(with_it[1])
        text += f"; next is {slot(with_it[1], 'subject')}, {slot(with_it[1], 'direction')} {slot(with_it[1], 'delta')}"
    if against:
        found.show(against[0])
        text += (
            f"; against it went {slot(against[0], 'subject')}, "
            f"{slot(against[0], 'direction')} {slot(against[0], 'delta')}"
        )
    found.say(text + ".")
    for fact in [*with_it, *against][:_MOST_PARTS]:
        contribution = _part(metric, whole, fact) if adds_up and fact in with_it else None
        more = {"part_of_move": contribution.display} if contribution else {}
        found.rows.append(
            {"by": saying.singular(dimension), "name": fact.dimensions[dimension], **_bare_row(fact), **more}
        )
        found.citations.append(fact)


def _bare_row(fact: Fact) -> dict[str, object]:
    """A row without columns of its own for whom it is about."""
    return {key: shown for key, shown in row(fact).items() if key not in fact.dimensions}


def _part(metric: Metric, whole: Fact, fact: Fact) -> Fact | None:
    """What part of the whole's move lies in one entity; None where parts go both ways beyond the whole."""
    if not whole.delta or fact.delta is None:
        return None
    label = f"{metric.label}: part of the move"
    return saying.share_of(
        Decimal(str(abs(fact.delta))), Decimal(str(abs(whole.delta))), fact, metric, f"{fact.id}.of_move", label
    )


def _told_in_briefing(asked: Asked, metric: Metric, found: Composed) -> None:
    """What the newest briefing tells of the metric, in the words that it was published in."""
    if asked.briefing is None or asked.reading.filters:
        return
    for story in asked.briefing.stories_of([metric.name])[:2]:
        asked.facts.answered_from[asked.briefing.name] = None
        facts = [asked.briefing.by_id(each) for each in story.fact_ids]
        found.citations += [fact for fact in facts if fact is not None]
        found.plain_insights.append(f"The {asked.briefing.name} tells: {story.sentences[0]}")
