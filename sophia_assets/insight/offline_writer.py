"""The writer that needs no model: it speaks plainly, and always the same for the same facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sophia_assets.insight.candidates import ACTIONS
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_product import product_sentences
from sophia_assets.insight.offline_stories import decision, of_fact, slot, story_slot, tell_change, tell_risk
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.insight.writing import (
    SECTION_LIMITS,
    BriefingRequest,
    Draft,
    DraftSection,
    DraftSentence,
)
from sophia_assets.metrics.facts import Fact, FactSet

#: Metrics that the sections on performance and customers tell, so that the changes need not.
_TOLD_ELSEWHERE = frozenset(
    {"bookings", "win_rate", "pipeline_value", "mrr", "satisfaction_score", "calls", "churn_risk_mentions"}
)
_LEADER_SHARE = 0.1


class OfflineWriter:
    """Writes from sentence patterns, one for each situation, chosen so that neighbours differ."""

    name = "offline"

    def draft(self, request: BriefingRequest) -> Draft:
        """Returns the draft of a whole briefing from the request's facts and stories."""
        risks = [story for story in request.stories if story.category == "risk"][: SECTION_LIMITS["risks"]]
        changes = self._changes(request, risks)
        sections = {
            "performance": _performance(request.facts),
            "targets": _targets(request.facts),
            "customers": _customers(request.facts),
            "product": product_sentences(request.facts),
            "changes": [tell_change(story, request.facts, number) for number, story in enumerate(changes)],
            "risks": [tell_risk(story, request.facts) for story in risks],
            "actions": [_action(story) for story in _to_act_on(risks, changes)],
        }
        drafted = tuple(
            DraftSection(key, tuple(sentences[: SECTION_LIMITS[key]])) for key, sentences in sections.items()
        )
        return Draft(bottom_line=tuple(_bottom_line(request)), sections=drafted)

    def _changes(self, request: BriefingRequest, risks: Sequence[Story]) -> list[Story]:
        """What moved and is not told elsewhere: stories about someone first, then metrics, by effect."""
        left = [story for story in request.stories if story not in risks]
        about_someone = [story for story in left if story.kind != "metric_change"]
        metrics = [story for story in left if story.kind == "metric_change" and story.subject_id not in _TOLD_ELSEWHERE]
        limit = SECTION_LIMITS["changes"]
        return (about_someone[:limit] + metrics)[:limit]


def _bottom_line(request: BriefingRequest) -> Iterator[DraftSentence]:
    facts = request.facts
    headline = facts.total("bookings", "qtd") or facts.total("mrr", "as_of") or facts.total("pipeline_value", "as_of")
    if headline is not None:
        yield _state(headline, brief=True)
    weighty = [story for story in request.stories if story.kind != "metric_change"]
    chosen = next((story for story in weighty if story.category == "risk"), None) or next(iter(weighty), None)
    if chosen is not None:
        yield decision(chosen, facts)


def _moves(fact: Fact) -> bool:
    return fact.direction in ("up", "down") and bool(fact.delta_display)


def _state(fact: Fact, *, verb: str | None = None, brief: bool = False, tail: str = "") -> DraftSentence:
    """`Bookings are $1.24M so far this quarter, down $210K from the same point last quarter.`"""
    name = noun(fact)
    when = "" if fact.period.key == "as_of" else f" {slot(fact, 'period')}"
    text = f"{name.opening} {verb or name.be} {slot(fact)}{tail}{when}"
    if _moves(fact):
        text += f", {slot(fact, 'direction')} {slot(fact, 'delta')}"
        if not brief and fact.previous_period is not None:
            text += f" from {slot(fact, 'previous_period')}"
    return DraftSentence(text + ".")


def _performance(facts: FactSet) -> list[DraftSentence]:
    sentences = []
    bookings, wins, losses = (facts.total(metric, "qtd") for metric in ("bookings", "deals_won", "deals_lost"))
    if bookings is not None:
        sentences.append(_booked(bookings))
    leader = next(iter(facts.by("bookings", "qtd", "owner")), None)
    if leader is not None and _leads(leader):
        sentences.append(
            DraftSentence(f"{slot(leader, 'subject')} brought in {slot(leader)}, {slot(leader, 'share')} of the total.")
        )
    rate = facts.total("win_rate", "qtd")
    if rate is not None:
        sentences.append(_win_rate(rate, wins, losses))
    pipeline, deals = facts.total("pipeline_value", "as_of"), facts.total("open_deals", "as_of")
    if pipeline is not None:
        tail = f" across {slot(deals)} {of_fact(deals, 'deal')}" if deals is not None else ""
        sentences.append(_state(pipeline, verb="stands at", tail=tail, brief=bool(tail)))
    elif deals is not None:
        # The CRM may hold open deals without any amount; how many there are is still known.
        sentences.append(_state(deals))
    revenue = facts.total("mrr", "as_of")
    if revenue is not None:
        sentences.append(_recurring(revenue))
    return sentences


def _leads(leader: Fact) -> bool:
    """Whether the first in a ranking is a person with enough of the total to be named."""
    named = (leader.subject or "").lower() not in ("", UNASSIGNED)
    return named and leader.rank == 1 and bool(leader.share_display) and (leader.share or 0) >= _LEADER_SHARE


def _booked(fact: Fact) -> DraftSentence:
    """The same figure as in the bottom line, with what it is compared to instead of the difference."""
    if _moves(fact) and fact.previous_display and fact.previous_period is not None:
        pace = f", a run-rate of {slot(fact, 'run_rate')}" if fact.run_rate_display else ""
        return DraftSentence(
            f"We booked {slot(fact)} {slot(fact, 'period')}{pace}, against {slot(fact, 'previous')} "
            f"at {slot(fact, 'previous_period')}."
        )
    return _state(fact)


def _win_rate(rate: Fact, wins: Fact | None, losses: Fact | None) -> DraftSentence:
    if wins is not None and losses is not None:
        text = f"The team won {slot(wins)} {of_fact(wins, 'deal')} and lost {slot(losses)}, a win rate of {slot(rate)}"
        if _moves(rate):
            text += f", {slot(rate, 'direction')} {slot(rate, 'delta')}"
        return DraftSentence(text + ".")
    return _state(rate)


def _recurring(fact: Fact) -> DraftSentence:
    if _moves(fact) and fact.previous_period is not None:
        return DraftSentence(
            f"Monthly recurring revenue {slot(fact, 'moved')} {slot(fact, 'delta')} to {slot(fact)} "
            f"since {slot(fact, 'previous_period')}."
        )
    return DraftSentence(f"Monthly recurring revenue holds at {slot(fact)}.")


def _targets(facts: FactSet) -> list[DraftSentence]:
    measured = [
        fact
        for fact in facts
        if fact.target_display and not fact.dimensions and fact.period.key in ("qtd", "as_of", "last_30d", "last_60d")
    ]
    return [
        DraftSentence(f"{noun(fact).opening} {noun(fact).be} {slot(fact)} against a target of {slot(fact, 'target')}.")
        for fact in measured
    ]


def _customers(facts: FactSet) -> list[DraftSentence]:
    sentences = []
    score = _first(facts, "satisfaction_score", ("last_60d", "last_30d", "qtd"))
    if score is not None:
        sentences.append(_satisfaction(score, facts.total("satisfaction_responses", score.period.key)))
    calls = facts.total("calls", "last_30d")
    if calls is not None:
        sentences.append(_calls(calls, facts.total("customers_spoken_to", "last_30d")))
    leaving = _first(facts, "churn_risk_mentions", ("last_30d", "last_60d"))
    if leaving is not None and _moves(leaving):
        sentences.append(
            DraftSentence(
                f"Talk of leaving came up in {slot(leaving)} {of_fact(leaving, 'call')} {slot(leaving, 'period')}, "
                f"{slot(leaving, 'direction')} {slot(leaving, 'delta')} from {slot(leaving, 'previous_period')}."
            )
        )
    return sentences


def _satisfaction(score: Fact, responses: Fact | None) -> DraftSentence:
    text = f"Customers scored us {slot(score)} {slot(score, 'period')}"
    if _moves(score):
        text += f", {slot(score, 'direction')} {slot(score, 'delta')} from {slot(score, 'previous_period')}"
    if responses is not None:
        text += f", across {slot(responses)} {of_fact(responses, 'response')}"
    return DraftSentence(text + ".")


def _calls(calls: Fact, spoken_to: Fact | None) -> DraftSentence:
    text = f"We held {slot(calls)} {of_fact(calls, 'call')}"
    if spoken_to is not None:
        text += f" and spoke with {slot(spoken_to)} {of_fact(spoken_to, 'account')}"
    return DraftSentence(f"{text} {slot(spoken_to or calls, 'period')}.")


def _first(facts: FactSet, metric: str, periods: Sequence[str]) -> Fact | None:
    return next((fact for fact in (facts.total(metric, period) for period in periods) if fact is not None), None)


def _to_act_on(risks: Sequence[Story], changes: Sequence[Story]) -> list[Story]:
    """Risks first, then what changed; a metric's move is acted on only when it is unwelcome and little else is."""
    weighty = [*risks, *(story for story in changes if story.kind != "metric_change")]
    return (weighty or list(changes))[: SECTION_LIMITS["actions"]]


def _action(story: Story) -> DraftSentence:
    template = ACTIONS.get(story.kind)
    verb = template[0].format(story_slot(story)) if template else story.action.verb
    return DraftSentence(f"{verb}: {story_slot(story, 'owner')}, by {story_slot(story, 'due')}.", story.id)
