"""Finds what is worth telling: changes, risks and opportunities that are material for this company's size.

Every detector reads facts only, needs none of them to exist, and says nothing where a system is not
connected. Thresholds are relative to the company's own size and guard against small numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from sophia_assets.insight.headlines import headline_changes
from sophia_assets.insight.materiality import CompanySize, by_entity, entity_id, robust_spread, working_days_after
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.stories import UNASSIGNED, Category, Story, SuggestedAction, likelihood_word
from sophia_assets.metrics.facts import Fact, FactSet

#: What to do about each kind of story ({} is its subject), and within how many working days.
ACTIONS: dict[str, tuple[str, int]] = {
    "account_at_risk": ("Agree a recovery plan with {}", 5),
    "slipping_deal": ("Set a firm close date for {} or take it out of the forecast", 5),
    "stalled_stage": ("Review the deals waiting in {}", 5),
    "expansion": ("Thank {} and ask for a reference", 10),
    "churn": ("Ask {} why it left", 5),
    "competitor_pressure": ("Give the sales team an answer to {}", 10),
    "overdue_payment": ("Call {} about its overdue invoices", 3),
    "big_win": ("Hand {} over to customer success", 5),
}
_CATEGORIES: dict[str, Category] = {
    "account_at_risk": "risk",
    "slipping_deal": "risk",
    "stalled_stage": "risk",
    "competitor_pressure": "risk",
    "overdue_payment": "risk",
    "churn": "change",
    "expansion": "opportunity",
    "big_win": "change",
}

MONTHS_OF_EFFECT = 12
RENEWAL_HORIZON_DAYS = 90
ACCOUNT_SHARE_OF_MRR = 0.004
RISK_SIGNAL = 2.0
DEAL_TIMES_MEDIAN = 2.0
DEAL_SHARE_OF_PIPELINE = 0.015
PUSHES = 3
DAYS_PAST_CLOSE = 7
MAX_SLIPPING_DEALS = 3
STALLED_MINIMUM = 4
STALLED_RISE = 3
STALLED_RATIO = 1.5
REVENUE_MOVE_SHARE = 0.01
COMPETITOR_MENTIONS = 6
COMPETITOR_RATIO = 2.0
OVERDUE_SHARE = 0.02
DAYS_OVERDUE = 30
BIG_WIN_TIMES_AVERAGE = 2.5
BIG_WIN_SHARE_OF_YEAR = 0.01


@dataclass(frozen=True)
class Search:
    """What every detector gets."""

    facts: FactSet
    date: date
    size: CompanySize
    owners: Mapping[str, str]

    def story(
        self,
        kind: str,
        subject_type: str,
        fact: Fact,
        effect: float,
        evidence: tuple[Fact | None, ...] = (),
        probability: float | None = None,
    ) -> Story:
        """A story about what `fact` is about, with `fact` first in its evidence."""
        subject_id, name = entity_id(fact), fact.subject or ""
        verb, days = ACTIONS[kind]
        return Story(
            id=f"{kind}.{subject_type}.{_slug(fact)}",
            kind=kind,
            category=_CATEGORIES[kind],
            subject_type=subject_type,
            subject_id=subject_id,
            subject_name=name,
            fact_ids=tuple(dict.fromkeys([fact.id, *(other.id for other in evidence if other)])),
            effect=abs(effect),
            action=SuggestedAction(
                verb=verb.format(safe_name(name)),
                owner=self.owners.get(f"{subject_type}:{subject_id}", UNASSIGNED),
                due=working_days_after(self.date, days),
            ),
            likelihood=None if probability is None else likelihood_word(probability),
        )


def _slug(fact: Fact) -> str:
    """The last part of a broken-down fact's id: safe characters, unique within its dimension."""
    dimension = next(iter(fact.dimensions), "")
    return fact.id.rpartition(f".{dimension}.")[2]


def account_at_risk(search: Search) -> Iterator[Story]:
    """Satisfaction falls and churn-risk mentions rise on an account that renews soon.

    One unhappy answer is noise: a fall counts in units of what other accounts' scores move, and
    where calls are known the two signals have to add up.
    """
    facts = search.facts
    scores = by_entity(facts, "satisfaction_score", "last_60d", "account")
    mentions = by_entity(facts, "churn_risk_mentions", "last_60d", "account")
    renewals = by_entity(facts, "days_to_renewal", "as_of", "account")
    revenue = by_entity(facts, "mrr", "as_of", "account")
    noise = max(1.0, robust_spread([fact.delta for fact in scores.values() if fact.delta is not None]))
    for account, renewal in renewals.items():
        money = revenue.get(account)
        if not 0 <= renewal.value <= RENEWAL_HORIZON_DAYS or money is None:
            continue
        score, mention = scores.get(account), mentions.get(account)
        fall = max(0.0, -(score.delta or 0.0)) / noise if score else 0.0
        before = (mention.previous or 0.0) if mention else 0.0
        rise = max(0.0, mention.value - before) / max(before, 1.0) ** 0.5 if mention else 0.0
        signal = fall + min(rise, 3.0)
        if signal < (RISK_SIGNAL if mentions else 1.0) or money.value < ACCOUNT_SHARE_OF_MRR * search.size.mrr:
            continue
        decisive = score if score and fall >= rise / 2 else mention
        yield search.story(
            "account_at_risk",
            "account",
            decisive or renewal,
            MONTHS_OF_EFFECT * money.value,
            (score if fall else None, mention if rise else None, renewal, money),
            probability=min(0.9, 0.3 + 0.1 * signal),
        )


def slipping_deal(search: Search) -> Iterator[Story]:
    """A large open deal whose close date was moved out again and again, or has passed."""
    values = by_entity(search.facts, "pipeline_value", "as_of", "deal")
    slipped = by_entity(search.facts, "slipped_value", "as_of", "deal")
    pushes = by_entity(search.facts, "close_date_pushes", "as_of", "deal")
    lateness = by_entity(search.facts, "days_past_close", "as_of", "deal")
    floor = max(DEAL_TIMES_MEDIAN * search.size.median_open_deal, DEAL_SHARE_OF_PIPELINE * search.size.pipeline)
    found = []
    for deal in {*pushes, *lateness, *slipped}:
        value, pushed, late = values.get(deal) or slipped.get(deal), pushes.get(deal), lateness.get(deal)
        if value is None or value.value < floor:
            continue
        pushed_often = pushed is not None and pushed.value >= PUSHES
        long_past = late is not None and late.value >= DAYS_PAST_CLOSE
        if pushed_often or long_past:
            probability = 0.6 + 0.05 * (pushed.value if pushed_often and pushed else 0) + (0.1 if long_past else 0)
            found.append(
                search.story(
                    "slipping_deal",
                    "deal",
                    value,
                    value.value,
                    (pushed if pushed_often else None, late if long_past else None),
                    probability=min(0.9, probability),
                )
            )
    yield from sorted(found, key=lambda story: (-story.effect, story.id))[:MAX_SLIPPING_DEALS]


def stalled_stage(search: Search) -> Iterator[Story]:
    """Deals pile up in a stage: more of them than a month ago have not moved."""
    values = by_entity(search.facts, "stalled_value", "as_of", "stage")
    ages = by_entity(search.facts, "days_in_stage", "as_of", "stage")
    for stage, fact in by_entity(search.facts, "stalled_deals", "as_of", "stage").items():
        before = fact.previous or 0.0
        value = values.get(stage)
        if fact.value < max(STALLED_MINIMUM, STALLED_RATIO * before) or fact.value - before < STALLED_RISE:
            continue
        effect = value.value if value else fact.value * search.size.average_deal
        yield search.story("stalled_stage", "stage", fact, effect, (value, ages.get(stage)), probability=0.7)


def _revenue_move(search: Search, metric: str, kind: str) -> Iterator[Story]:
    revenue = by_entity(search.facts, "mrr", "as_of", "account")
    for account, fact in by_entity(search.facts, metric, "last_30d", "account").items():
        if fact.value > 0 and fact.value >= REVENUE_MOVE_SHARE * search.size.mrr:
            yield search.story(kind, "account", fact, MONTHS_OF_EFFECT * fact.value, (revenue.get(account),))


def expansion(search: Search) -> Iterator[Story]:
    """An account that bought much more in the last 30 days."""
    yield from _revenue_move(search, "expansion_mrr", "expansion")


def churn(search: Search) -> Iterator[Story]:
    """An account that left in the last 30 days and was large enough to matter."""
    yield from _revenue_move(search, "churned_mrr", "churn")


def competitor_pressure(search: Search) -> Iterator[Story]:
    """A competitor that comes up in calls at least twice as often as in the 30 days before."""
    for fact in search.facts.by("competitor_mentions", "last_30d", "competitor"):
        before = fact.previous or 0.0
        if fact.value >= max(COMPETITOR_MENTIONS, COMPETITOR_RATIO * before) and fact.delta:
            yield search.story(
                "competitor_pressure",
                "competitor",
                fact,
                (fact.value - before) * search.size.average_deal,
                probability=0.7,
            )


def overdue_payment(search: Search) -> Iterator[Story]:
    """A large sum that has been overdue for more than 30 days.

    What was overdue a month ago and still is must be more than 30 days late; an exact count of days
    is used where the facts have one.
    """
    days = by_entity(search.facts, "days_overdue", "as_of", "account")
    for account, fact in by_entity(search.facts, "overdue_amount", "as_of", "account").items():
        age = days.get(account)
        late = min(fact.value, fact.previous or 0.0) if age is None else fact.value * (age.value > DAYS_OVERDUE)
        if late > 0 and late >= OVERDUE_SHARE * search.size.monthly:
            yield search.story("overdue_payment", "account", fact, fact.value, (age,), probability=0.6)


def big_win(search: Search) -> Iterator[Story]:
    """A deal won in the last seven days that is far larger than the usual one, and matters to the year."""
    size = search.size
    least = max(BIG_WIN_TIMES_AVERAGE * size.average_deal, BIG_WIN_SHARE_OF_YEAR * size.year_bookings)
    for fact in search.facts.by("bookings", "last_7d", "deal"):
        if size.average_deal and fact.value >= least:
            yield search.story("big_win", "deal", fact, fact.value)


DETECTORS: tuple[Callable[[Search], Iterator[Story]], ...] = (
    account_at_risk,
    slipping_deal,
    stalled_stage,
    expansion,
    churn,
    competitor_pressure,
    overdue_payment,
    big_win,
)


def find_stories(facts: FactSet, briefing_date: date, owners: Mapping[str, str] | None = None) -> list[Story]:
    """All material stories of a day, by effect, largest first, at most one for each subject.

    `owners` maps `subject_type:subject_id` to the name of the responsible person, where one is known.
    Changes of company-wide metrics come as stories of kind `metric_change`; unchanged ones do not.
    """
    search = Search(facts, briefing_date, CompanySize.of(facts), owners or {})
    found = [story for detector in DETECTORS for story in detector(search)]
    found += headline_changes(facts, briefing_date, search.size)
    best: dict[tuple[str, str], Story] = {}
    for story in sorted(found, key=lambda story: (-story.effect, story.id)):
        best.setdefault((story.subject_type, story.subject_id), story)
    return list(best.values())
