"""Stories about one account: at risk, leaving, growing, not paying."""

from __future__ import annotations

from datetime import date
from random import Random
from statistics import fmean
from typing import Any

from sophia_assets.sandbox.company import calls, finance, satisfaction
from sophia_assets.sandbox.company.history import (
    BUGS_BEFORE_TROUBLE,
    DEALS,
    ESCALATIONS,
    FADES_BEFORE_LEAVING,
    FADES_BEFORE_TROUBLE,
    FILLS_BEFORE_GROWING,
    LEADERSHIP,
)
from sophia_assets.sandbox.company.model import Account, Subscription
from sophia_assets.sandbox.company.streams import business_day_from
from sophia_assets.sandbox.company.world import World
from sophia_assets.sandbox.company_data import PlantedStory

_WINDOW, _RENEWAL_HORIZON, _DROP, _FEWEST_ANSWERS = 60, 90, 1.0, 3
_FEWEST_DAYS = 24
# A story needs an account worth about 1 % of the monthly revenue; in a company many times larger no account is.
_SMALLEST_MRR, _NOTABLE_SHARE, _LARGEST_FLOOR = 4_400, 0.0105, 8_000
_LAST_30_DAYS = 29
_REST_DAYS = 90
_LOW_SCORES = (2, 3, 2, 3, 2, 3, 3, 1, 3, 2)


def begin_account_at_risk(world: World, *, leaves: bool) -> bool:
    """An important customer grows unhappy some weeks before its renewal, and leaves or is kept."""
    fits = [
        subscription
        for subscription in _subjects(world)
        if 56 <= subscription.current.renewal - world.day <= 78
        and _answers_within(subscription.account, world.day - 58, world.day) >= _FEWEST_ANSWERS
        and _answers_within(subscription.account, world.day - 39 - _WINDOW, world.day - 39) >= _FEWEST_ANSWERS
    ]
    if not fits:
        return False
    stream = world.stream("stories")
    subscription = max(fits, key=lambda fit: (fit.current.mrr * stream.uniform(0.7, 1.0), fit.id))
    account, renewal = subscription.account, subscription.current.renewal
    planned = _unhappy_answers(stream, world.day, renewal)
    visible = _days_at_risk(account.answers + planned, world.day, renewal)
    if len(visible) < _FEWEST_DAYS:
        return False
    _occupy(world, account, renewal + (30 if leaves else 0))
    world.note("at_risk", account, amount=subscription.current.mrr, until=renewal, leaves=leaves)
    satisfaction.follow_script(account)
    for day, score in planned:
        world.at(day, satisfaction.answer, account, score)
    if leaves:
        subscription.ends_at_renewal = True
        world.at(renewal, _tell_departure, subscription, subscription.current.mrr)
    else:
        world.at(renewal, satisfaction.start_surveys, account)
    for offset in (5, 16, 29, 44):
        if world.day + offset < renewal - 5:
            world.at_work(world.day + offset + stream.randint(0, 4), _complaint, account)
    echoes = {
        "slack": {"channel": ESCALATIONS},
        "linear": {"label": account.name, "bugs_rise_from": _iso(world.day - BUGS_BEFORE_TROUBLE)},
        "redis": {"usage_falls_from": _iso(world.day - FADES_BEFORE_TROUBLE)},
    }
    detail = {"renewal_date": _iso(renewal), "mrr": subscription.current.mrr, "leaves": leaves, "echoes": echoes}
    world.at(visible[0], _tell, "account_at_risk", account, visible[0], visible[-1], detail)
    return True


def _unhappy_answers(stream: Random, since: int, until: int) -> list[tuple[int, int]]:
    """Days and scores of the answers between two days: more of them than usual, and low."""
    planned: list[tuple[int, int]] = []
    day = since + 1
    while (day := business_day_from(day)) < until:
        planned.append((day, _LOW_SCORES[len(planned) % len(_LOW_SCORES)]))
        day += stream.randint(3, 4) if day < since + 40 else stream.randint(5, 6)
    return planned


def _days_at_risk(answers: list[tuple[int, int]], since: int, renewal: int) -> list[int]:
    """The longest unbroken run of days on which satisfaction has fallen and the renewal is near."""
    longest: list[int] = []
    run: list[int] = []
    for day in range(max(since, renewal - _RENEWAL_HORIZON), renewal):
        recent = [score for when, score in answers if day - _WINDOW < when <= day]
        before = [score for when, score in answers if day - 2 * _WINDOW < when <= day - _WINDOW]
        enough = min(len(recent), len(before)) >= _FEWEST_ANSWERS
        if enough and fmean(before) - fmean(recent) >= _DROP:
            run.append(day)
            longest = max(longest, run, key=len)
        else:
            run = []
    return longest


def begin_churn(world: World) -> bool:
    """An important customer does not renew, without any warning."""
    fits = [s for s in _subjects(world) if 0 <= s.current.renewal - world.day <= 12]
    if not fits:
        return False
    subscription = max(fits, key=lambda fit: (fit.current.mrr, fit.id))
    subscription.ends_at_renewal = True
    renewal = subscription.current.renewal
    _occupy(world, subscription.account, renewal + 30)
    world.at(renewal, _tell_departure, subscription, subscription.current.mrr)
    if renewal == world.day:
        finance.leave(world, subscription)
    return True


def _tell_departure(world: World, subscription: Subscription, mrr: int) -> None:
    echoes = {
        "slack": {"channel": LEADERSHIP},
        "redis": {"usage_falls_from": _iso(world.day - FADES_BEFORE_LEAVING)},
    }
    detail = {"mrr": mrr, "last_day": _iso(world.day), "echoes": echoes}
    _tell(world, "churn", subscription.account, world.day, world.day + _LAST_30_DAYS, detail)


def begin_expansion(world: World) -> bool:
    """A customer adds many licences by itself, without a deal."""
    fits = [s for s in _subjects(world) if s.current.valid_from < world.day and s.current.renewal > world.day + 45]
    if not fits:
        return False
    stream = world.stream("stories")
    subscription = stream.choice(sorted(fits, key=lambda fit: fit.id))
    by = round(max(5_600, 0.0135 * world.mrr()) * stream.uniform(1.0, 1.5) / 10) * 10
    _occupy(world, subscription.account, world.day + 30)
    finance.change_mrr(world, subscription, by, "expansion")
    for offset in (1, 9):
        world.at_work(world.day + offset, _enthusiasm, subscription.account)
    echoes = {
        "slack": {"channel": DEALS},
        "redis": {"seats_fill_from": _iso(world.day - FILLS_BEFORE_GROWING)},
    }
    detail = {"mrr_added": by, "echoes": echoes}
    _tell(world, "expansion", subscription.account, world.day, world.day + _LAST_30_DAYS, detail)
    return True


def begin_overdue_payment(world: World) -> bool:
    """An important customer stops paying for some months, then pays everything at once."""
    fits = [s for s in _subjects(world) if 1 <= s.next_bill - world.day <= 10 and s.current.renewal > world.day + 110]
    if not fits:
        return False
    stream = world.stream("stories")
    subscription = max(fits, key=lambda fit: (fit.current.mrr * stream.uniform(0.6, 1.0), fit.id))
    account, mrr = subscription.account, subscription.current.mrr
    account.withholding = True
    first_due = subscription.next_bill + finance.PAYMENT_DAYS
    world.note("withholding", account, amount=mrr, until=first_due)
    visible_from = first_due + 31
    paid_on = business_day_from(visible_from + stream.randint(34, 42))
    _occupy(world, account, paid_on)
    world.at(paid_on, _settle, account)
    detail = {
        "first_due_on": _iso(first_due),
        "amount_overdue": 2 * mrr,
        "monthly_amount": mrr,
        "echoes": {"slack": {"channel": ESCALATIONS}},
    }
    world.at(visible_from, _tell, "overdue_payment", account, visible_from, paid_on - 1, detail)
    return True


def _settle(world: World, account: Account) -> None:
    account.withholding = False
    world.note("settled", account, amount=sum(invoice.amount for invoice in account.unpaid))
    for invoice in account.unpaid:
        finance.pay(world, invoice)
    account.unpaid = []


def _complaint(world: World, account: Account) -> None:
    if account.subscription is not None:
        calls.hold_call(world, account, "trouble", ["churn"])
        world.note("complaint", account)


def _enthusiasm(world: World, account: Account) -> None:
    calls.hold_call(world, account, "checkin", ["expansion"])


def _subjects(world: World) -> list[Subscription]:
    """Running subscriptions large enough to matter to the whole company, of accounts that no story occupies."""
    floor = min(max(_SMALLEST_MRR, _NOTABLE_SHARE * world.mrr()), _LARGEST_FLOOR)
    return [
        subscription
        for subscription in world.subscriptions
        if subscription.account.subscription is subscription
        and subscription.current.mrr >= floor
        and subscription.account.in_story_until < world.day
    ]


def _occupy(world: World, account: Account, until: int) -> None:
    account.in_story_until = until + _REST_DAYS


def _answers_within(account: Account, first: int, last: int) -> int:
    return sum(1 for day, _ in account.answers if first <= day <= last)


def _tell(world: World, kind: str, account: Account, first: int, last: int, detail: dict[str, Any]) -> None:
    world.stories.append(
        PlantedStory(
            id=f"{kind}-{world.number(kind):03d}",
            kind=kind,
            subject_type="account",
            subject_id=account.id,
            subject_name=account.name,
            visible_from=date.fromordinal(first),
            visible_to=date.fromordinal(last),
            detail=detail,
        )
    )


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
