"""The writer that needs no model: it speaks plainly, and always the same for the same facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sophia_assets.insight.candidates import ACTIONS
from sophia_assets.insight.kinds import WEEKLY
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_product import product_sentences
from sophia_assets.insight.offline_stories import (
    decision,
    of_fact,
    signs_that_fit,
    slot,
    story_slot,
    tell_change,
    tell_risk,
)
from sophia_assets.insight.stories import UNASSIGNED, Story
from sophia_assets.insight.telling import beside, flow, headline
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
        signs = signs_that_fit(sum(story.kind != "metric_change" for story in [*risks, *changes]))
        sections = {
            "performance": _performance(request),
            "targets": _targets(request.facts),
            "customers": _customers(request),
            "product": product_sentences(request),
            "changes": [tell_change(story, request.facts, place, signs) for place, story in enumerate(changes)],
            "risks": [tell_risk(story, request.facts, signs) for story in risks],
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
    first = headline(request)
    if first is not None:
        yield _state(first, brief=True)
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


def _performance(request: BriefingRequest) -> list[DraftSentence]:
    facts, sentences = request.facts, []
    bookings, wins, losses = (flow(request, metric) for metric in ("bookings", "deals_won", "deals_lost"))
    if bookings is not None:
        sentences.append(_booked(bookings))
        leader = next(iter(facts.by("bookings", bookings.period.key, "owner")), None)
        if leader is not None and _leads(leader):
            sentences.append(
                DraftSentence(
                    f"{slot(leader, 'subject')} brought in {slot(leader)}, {slot(leader, 'share')} of the total."
                )
            )
    rate = flow(request, "win_rate")
    if rate is not None and (wins is None or wins.period.key == rate.period.key):
        sentences.append(_win_rate(rate, wins, losses))
    elif wins is not None:
        sentences.append(_closed(wins, losses))
    created = facts.total("pipeline_created", "last_7d") if request.kind is WEEKLY else None
    if created is not None:
        sentences.append(_state(created))
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
        link = "at" if fact.period.key == "qtd" else "in"
        return DraftSentence(
            f"We booked {slot(fact)} {slot(fact, 'period')}{pace}, against {slot(fact, 'previous')} "
            f"{link} {slot(fact, 'previous_period')}."
        )
    return _state(fact)


def _closed(wins: Fact, losses: Fact | None) -> DraftSentence:
    """Deals won and lost where no rate is known for the same period."""
    lost = f" and lost {slot(losses)}" if losses is not None and losses.period.key == wins.period.key else ""
    return DraftSentence(f"The team won {slot(wins)} {of_fact(wins, 'deal')}{lost} {slot(wins, 'period')}.")


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


def _customers(request: BriefingRequest) -> list[DraftSentence]:
    sentences = []
    score = flow(request, "satisfaction_score")
    if score is not None:
        sentences.append(_satisfaction(score, beside(request, score, "satisfaction_responses")))
    answers = request.facts.total("satisfaction_responses", "last_7d") if request.kind is WEEKLY else None
    if answers is not None and score is not None and score.period.key != "last_7d":
        sentences.append(_state(answers))
    calls = flow(request, "calls")
    if calls is not None and calls.value == 1:
        # In the singular, a call is also the name of a kind of sales activity.
        sentences.append(_state(calls))
    elif calls is not None:
        sentences.append(_calls(calls, beside(request, calls, "customers_spoken_to")))
    leaving = flow(request, "churn_risk_mentions")
    if leaving is not None and _moves(leaving) and leaving.value == 1:
        sentences.append(_state(leaving))
    elif leaving is not None and _moves(leaving):
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


def _to_act_on(risks: Sequence[Story], changes: Sequence[Story]) -> list[Story]:
    """Risks first, then what changed; a metric's move is acted on only when it is unwelcome and little else is."""
    weighty = [*risks, *(story for story in changes if story.kind != "metric_change")]
    return (weighty or list(changes))[: SECTION_LIMITS["actions"]]


def _action(story: Story) -> DraftSentence:
    template = ACTIONS.get(story.kind)
    verb = template[0].format(story_slot(story)) if template else story.action.verb
    return DraftSentence(f"{verb}: {story_slot(story, 'owner')}, by {story_slot(story, 'due')}.", story.id)
