"""From a question that was read to its answer: which kind of answer it gets, and what is said beside it.

Belongs here: choosing the kind, filling slots, caveats, the echo of what was understood. Does not belong here: what
each kind says (`answer_*`), other words for it (`phrasing`), recording and keeping it (`assistant`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

from sophia_assets.assistant.answers import figures as answer_figures
from sophia_assets.assistant.answers import overviews as answer_overviews
from sophia_assets.assistant.answers import quotes as answer_quotes
from sophia_assets.assistant.answers import rankings as answer_rankings
from sophia_assets.assistant.answers import reference as answer_reference
from sophia_assets.assistant.answers import saying, spans_of_time
from sophia_assets.assistant.answers.citing import citations
from sophia_assets.assistant.answers.composing import MOST_INSIGHTS, Asked, Composed
from sophia_assets.assistant.answers.fact_source import FROM_DATA, NothingKnown, NotToBeSeen
from sophia_assets.assistant.answers.follow_ups import follow_ups
from sophia_assets.assistant.answers.phrasing import Phrasing
from sophia_assets.assistant.interface import Answer, Citation, Intent, NotRead, Reading
from sophia_assets.errors import AccessDenied, SophiaError
from sophia_assets.insight.slots import fill
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.on_demand import Unmeasurable
from sophia_assets.metrics.origins import systems_behind

_KINDS: Mapping[Intent, Callable[[Asked], Composed]] = {
    Intent.VALUE: answer_figures.value,
    Intent.COMPARISON: answer_figures.comparison,
    Intent.RANKING: answer_rankings.ranking,
    Intent.BREAKDOWN: answer_rankings.breakdown,
    Intent.TREND: answer_figures.trend,
    Intent.EXPLANATION: answer_rankings.explanation,
    Intent.OVERVIEW: answer_overviews.overview,
    Intent.QUOTES: answer_quotes.quotes,
    Intent.DEFINITION: answer_reference.definition,
    Intent.FRESHNESS: answer_reference.freshness,
    Intent.HELP: answer_reference.help_,
}
#: Kinds of which the data's state is the answer itself, or does not matter.
_WITHOUT_CAVEATS = frozenset({Intent.FRESHNESS, Intent.HELP, Intent.DEFINITION})
_FEW_ANSWERS = 10
_AT_RISK = frozenset({"customers_at_risk", "mrr_at_risk"})
#: Where names lie that whoever is limited to accounts may not hear of.
_TABLES = {"account": "marts.accounts", "deal": "marts.deals", "owner": "marts.deal_states"}
_DENIED = "That is not among the figures you may see."
_DENIED_REMEDY = "Ask what you can ask, or whoever manages access to the data."


def answer(
    asked: Asked, phrasing: Phrasing | None = None, is_readable: Callable[[str], Reading | None] | None = None
) -> Answer:
    """The answer to a question as it was read; what is denied or not known is an answer, too.

    Raises SophiaError where the data cannot be read at the moment, which says nothing about what is in it.

    `phrasing` may put it into other words; `is_readable` reads a follow-up, so that only those are offered that work.
    """
    reading = asked.reading
    try:
        refuse_strangers(asked)
        composed = _KINDS[reading.intent](asked)
    except (NotToBeSeen, AccessDenied):
        return denied(reading.intent)
    except (NothingKnown, Unmeasurable) as error:
        return abstained(error, reading.intent, asked)
    return _finished(asked, composed, phrasing, is_readable)


def refuse_strangers(asked: Asked) -> None:
    """Raises NothingKnown for whoever is limited to accounts and asks about others, be there such or not.

    A sum over rows that are held back would be nothing, which is not what is known of somebody else's account.
    """
    condition = None if asked.question.principal.rows.is_everything else asked.facts.account_condition
    for each in asked.reading.filters if condition else ():
        table = _TABLES.get(each.dimension)
        if table is None or each.is_excluded:
            continue
        marks, column = ", ".join("?" for _ in each.ids), f"t.{each.dimension}_id"
        sql = f"SELECT DISTINCT {column} FROM {table} AS t WHERE {column} IN ({marks}) AND {condition}"
        if asked.data.query(sql, list(each.ids)).num_rows < len(set(each.ids)):
            raise NothingKnown(
                f"there is no such {saying.singular(each.dimension)} among those you may see",
                remedy="Ask about one that you look after",
            )


def denied(intent: str = "question") -> Answer:
    """The answer to whoever may not see what was asked for: it says nothing about it."""
    return Answer("denied", str(intent), f"{_DENIED} {_DENIED_REMEDY}")


def abstained(error: SophiaError, intent: str, asked: Asked | None = None) -> Answer:
    """The answer where there is none: why, and what would help."""
    reason = _sentence(error.message)
    remedy = f" {_sentence(error.remedy)}" if error.remedy else ""
    return Answer(
        "abstained", str(intent), f"{reason}{remedy}", echo=echo(asked) if asked else {}, caveats=_assumed(asked)
    )


def not_read(found: NotRead) -> Answer:
    """The answer to a question that could not be read: the reason, and questions to pick from."""
    return Answer(found.status, "question", found.reason, follow_ups=found.choices[:5])


def _finished(
    asked: Asked,
    composed: Composed,
    phrasing: Phrasing | None,
    is_readable: Callable[[str], Reading | None] | None,
) -> Answer:
    facts = composed.fact_set()
    sentences = [fill(each, facts).text for each in composed.sentences]
    insights = [fill(each, facts).text for each in composed.insights]
    writer = "offline"
    # A model would take a slot for days that it does not name, where those are not the usual ones.
    is_usual = all(spans_of_time.is_usual(fact.period, fact.previous_period) for fact in facts)
    if phrasing is not None and composed.may_be_phrased and composed.sentences and is_usual:
        told = phrasing.phrase(asked, composed)
        if told.response:
            sentences, insights, writer = list(told.response), list(told.insights) or insights, told.writer
        elif told.reason:
            composed.echo["phrasing"] = told.reason
    shown = [*composed.facts.values(), *(each for each in composed.citations if isinstance(each, Fact))]
    quotes = [each for each in composed.citations if isinstance(each, Citation)]
    cited = (*citations(shown, asked.reading.filters), *quotes)
    return Answer(
        status="answered",
        type=str(asked.reading.intent),
        response=" ".join([*sentences, *composed.plain]),
        results=tuple(composed.rows),
        insights=tuple([*insights, *composed.plain_insights, *_warned_of(asked, shown)][:MOST_INSIGHTS]),
        citations=cited,
        caveats=_caveats(asked, composed, shown),
        follow_ups=follow_ups(asked, composed, is_readable),
        echo={**echo(asked, shown), **composed.echo},
        answered_from=" and ".join(sorted(asked.facts.answered_from)) or FROM_DATA,
        writer=writer,
    )


def _warned_of(asked: Asked, shown: Sequence[Fact]) -> list[str]:
    """Of whom the briefing warns, beside a count of customers at risk: it goes by more than their health."""
    if asked.briefing is None or _AT_RISK.isdisjoint(fact.metric for fact in shown):
        return []
    stories = [story for story in asked.briefing.stories if story.kind == "account_at_risk" and story.sentences]
    return [f"The {asked.briefing.name} warns: {story.sentences[0]}" for story in stories[:1]]


def _caveats(asked: Asked, composed: Composed, facts: Sequence[Fact]) -> tuple[str, ...]:
    """What a reader has to know to use the answer rightly, each once: how it was read, of what time, how fresh."""
    found = [*_assumed(asked), *composed.caveats]
    if asked.reading.intent not in _WITHOUT_CAVEATS:
        found += [caveat for fact in facts for caveat in fact.caveats]
        if any(_still_counted(asked, fact) for fact in facts):
            found.append(f"The current period is counted up to {answer_reference.data_day(asked)}.")
        found += _few(asked, facts)
        end = asked.data.context.end_of(asked.day).replace(tzinfo=UTC)
        metrics = dict.fromkeys(fact.metric for fact in facts if fact.metric in asked.facts.catalog.metrics)
        found += asked.standing.caveats((s for metric in metrics for s in systems_behind(metric)), end)
        if not asked.question.principal.rows.is_everything:
            found.append("Only the accounts that you may see are counted.")
    return tuple(dict.fromkeys(found))


def _still_counted(asked: Asked, fact: Fact) -> bool:
    """Whether a fact is of a period that still runs; what stands on a day is not."""
    metric = asked.facts.catalog.metrics.get(fact.metric)
    return metric is not None and not asked.facts.is_stock(metric) and spans_of_time.is_to_date(fact.period)


def _few(asked: Asked, facts: Sequence[Fact]) -> list[str]:
    """A warning where a mean rests on a handful of survey answers."""
    scored = next((fact for fact in facts if fact.unit == "score" and not fact.id.startswith("derived.")), None)
    if scored is None or not asked.facts.has("satisfaction_responses"):
        return []
    metric = asked.facts.catalog.metrics["satisfaction_responses"]
    dimensions = {each.dimension for each in asked.reading.filters}
    if not dimensions <= set(metric.dimensions):
        return []
    sources = dict(asked.facts.answered_from)
    try:
        answers = asked.facts.whole(metric, scored.period, None, asked.reading.filters)
    except SophiaError:
        return []
    finally:
        # Only what is shown says where an answer is from.
        asked.facts.answered_from = sources
    if answers is None or answers.value >= _FEW_ANSWERS:
        return []
    return [f"The score rests on {answers.display} survey answer{'' if answers.value == 1 else 's'} only."]


def _assumed(asked: Asked | None) -> tuple[str, ...]:
    return tuple(_sentence(each) for each in asked.reading.assumptions) if asked else ()


def echo(asked: Asked, facts: Sequence[Fact] = ()) -> dict[str, Any]:
    """What was understood: metrics with their definitions, the days, the grain, what it is narrowed to."""
    reading, found = asked.reading, dict[str, Any]()
    metrics = [asked.facts.catalog.metrics[name] for name in reading.metrics if asked.facts.may_see(name)]
    if metrics:
        found["metrics"] = [
            {"name": metric.name, "label": metric.label, "definition": metric.description, "grain": metric.grain}
            for metric in metrics
        ]
    measured = next((fact for fact in facts if fact.metric in reading.metrics), None)
    period = measured.period if measured and reading.intent is not Intent.TREND else reading.period
    before = measured.previous_period if measured else reading.compared_to
    if period is not None:
        found["period"] = _days(period)
    if before is not None and reading.intent is not Intent.TREND:
        found["compared_to"] = _days(before)
    if reading.grain:
        found["grain"] = reading.grain
    if reading.dimension:
        found["by"] = saying.singular(reading.dimension)
    if reading.filters:
        found["filters"] = [
            {"dimension": each.dimension, "names": list(each.names), "is_excluded": each.is_excluded}
            for each in reading.filters
        ]
    found["as_of"] = asked.day.isoformat()
    return found


def _days(period: Period) -> dict[str, str]:
    return {"label": period.label, "start": period.start.isoformat(), "end": period.end.isoformat()}


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "!")) else ".")
