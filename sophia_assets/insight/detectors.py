"""The detectors of stories about someone: an account, a deal, a stage, a competitor.

Every detector reads facts only, needs none of them to exist, and says nothing where a system is not
connected. Thresholds are relative to the company's own size and guard against small numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from sophia_assets.insight.account_signs import Sign
from sophia_assets.insight.materiality import MONTHS_OF_EFFECT, by_entity, robust_spread
from sophia_assets.insight.moves import RISES, STANDS_OUT, count_surprise
from sophia_assets.insight.search import Search
from sophia_assets.insight.stories import Story
from sophia_assets.metrics.facts import Fact

RENEWAL_HORIZON_DAYS = 90
ACCOUNT_SHARE_OF_MRR = 0.004
RISK_SIGNAL = 2.0
RISK_SIGNAL_WITHOUT_CALLS = 1.0
#: What another system's sign adds to the two that decide, and all of them together at most.
SUPPORT, MOST_SUPPORT = 0.5, 1.0
#: Facts in a story's evidence that support the decisive one.
MOST_SIGNS = 3
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
BIG_WIN_TIMES_AVERAGE = 2.5
BIG_WIN_SHARE_OF_YEAR = 0.01


def account_at_risk(search: Search) -> Iterator[Story]:
    """An account that renews soon grows unhappy: its satisfaction falls, it talks of leaving, other systems agree.

    One unhappy answer is noise: a fall counts in units of what other accounts' scores move, and where calls are known
    the signs have to add up. What use, bugs, worries and health show can only confirm.
    """
    facts = search.facts
    scores = by_entity(facts, "satisfaction_score", "last_60d", "account")
    calls = by_entity(facts, "churn_risk_mentions", "last_60d", "account")
    mentions = calls or by_entity(facts, "churn_signals", "last_30d", "account")
    renewals = by_entity(facts, "days_to_renewal", "as_of", "account")
    revenue = by_entity(facts, "mrr", "as_of", "account")
    noise = max(1.0, robust_spread([fact.delta for fact in scores.values() if fact.delta is not None]))
    for account, renewal in renewals.items():
        money = revenue.get(account)
        if not 0 <= renewal.value <= RENEWAL_HORIZON_DAYS or money is None:
            continue
        if money.value <= 0 or money.value < ACCOUNT_SHARE_OF_MRR * search.size.mrr:
            continue
        score, mention, signs = scores.get(account), mentions.get(account), search.signs.leaving(account)
        fall = max(0.0, -(score.delta or 0.0)) / noise if score and search.signs.enough_answers(account) else 0.0
        before = (mention.previous or 0.0) if mention else 0.0
        rise = max(0.0, mention.value - before) / max(before, 1.0) ** 0.5 if mention else 0.0
        others = [sign for sign in signs if sign.aspect not in ("mood", "talk")]
        support = SUPPORT * sum(sign.strength >= STANDS_OUT for sign in others)
        signal = fall + min(rise, 3.0) + min(support, MOST_SUPPORT)
        if signal < (RISK_SIGNAL if calls else RISK_SIGNAL_WITHOUT_CALLS):
            continue
        decisive = (score if score and fall and fall >= rise / 2 else mention if rise else None) or signs[0].fact
        yield search.story(
            "account_at_risk",
            "account",
            decisive,
            MONTHS_OF_EFFECT * money.value,
            (*_facts(sign for sign in signs if sign.fact is not decisive), renewal, money),
            probability=min(0.9, 0.3 + 0.1 * signal),
        )


def _facts(signs: Iterable[Sign]) -> list[Fact]:
    """The facts of the strongest signs."""
    return [sign.fact for sign in islice(signs, MOST_SIGNS)]


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
        if value is None or value.value <= 0 or value.value < floor:
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
        if count_surprise(fact.value, before) < RISES:
            continue
        effect = value.value if value else fact.value * search.size.average_deal
        yield search.story("stalled_stage", "stage", fact, effect, (value, ages.get(stage)), probability=0.7)


def _revenue_move(search: Search, metric: str, kind: str) -> Iterator[Story]:
    revenue = by_entity(search.facts, "mrr", "as_of", "account")
    for account, fact in by_entity(search.facts, metric, "last_30d", "account").items():
        if fact.value > 0 and fact.value >= REVENUE_MOVE_SHARE * search.size.mrr:
            signs = search.signs.growing(account) if kind == "expansion" else search.signs.leaving(account)
            evidence = (revenue.get(account), *_facts(signs))
            yield search.story(kind, "account", fact, MONTHS_OF_EFFECT * fact.value, evidence)


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
        many = fact.value >= max(COMPETITOR_MENTIONS, COMPETITOR_RATIO * before)
        if many and fact.delta and count_surprise(fact.value, before) >= RISES:
            yield search.story(
                "competitor_pressure",
                "competitor",
                fact,
                (fact.value - before) * search.size.average_deal,
                probability=0.7,
            )


def overdue_payment(search: Search) -> Iterator[Story]:
    """A large sum that has been overdue for more than 30 days."""
    for account, owed in by_entity(search.facts, "overdue_amount", "as_of", "account").items():
        found = search.signs.overdue_for_long(account)
        if found is not None and found[2] >= OVERDUE_SHARE * search.size.monthly:
            evidence = (found[1], *_facts(search.signs.leaving(account)))
            yield search.story("overdue_payment", "account", owed, owed.value, evidence, probability=0.6)


def big_win(search: Search) -> Iterator[Story]:
    """A deal won in the last seven days that is far larger than the usual one, and matters to the year."""
    size = search.size
    least = max(BIG_WIN_TIMES_AVERAGE * size.average_deal, BIG_WIN_SHARE_OF_YEAR * size.year_bookings)
    for fact in search.facts.by("bookings", "last_7d", "deal"):
        if size.average_deal > 0 and fact.value >= least:
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
