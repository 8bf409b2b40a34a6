"""Subscriptions, their renewals, and what is billed and paid."""

from __future__ import annotations

from datetime import date
from random import Random

from sophia_assets.sandbox.company import accounts, satisfaction
from sophia_assets.sandbox.company.model import Account, Deal, Invoice, Subscription, Term
from sophia_assets.sandbox.company.streams import add_months, between
from sophia_assets.sandbox.company.world import World, texts

PAYMENT_DAYS = 30
LARGE_MRR = 2_600


def found_subscriptions(world: World, customers: list[Account]) -> None:
    """The subscriptions that were running on the first day, each somewhere in its year."""
    stream = world.stream("finance")
    for account in customers:
        median, spread, low, high = (6_400, 0.28, 4_000, 11_000) if account.enterprise else (1_150, 0.45, 300, 2_500)
        mrr = between(stream, median, spread, low, high)
        since = world.day - stream.randint(5, 360)
        subscribe(world, account, round(mrr / 10) * 10, since)


def subscribe(world: World, account: Account, mrr: int, since: int) -> None:
    """Begin a yearly subscription on `since`, which may lie before the first day."""
    stream = world.stream("finance")
    number = world.number("subscription")
    day_of_month = min(28, date.fromordinal(since).day)
    plan = stream.choice(texts("names")["plans"]["enterprise" if account.enterprise else "midmarket"])
    subscription = Subscription(f"SUB-{number:05d}", account, day_of_month)
    account.subscription = subscription
    renewal = add_months(since, 12, day_of_month)
    world.subscriptions.append(subscription)
    _begin_term(world, subscription, plan, max(3, round(mrr / stream.uniform(38, 62))), mrr, "new", since, renewal)
    bill_on = since
    while bill_on < world.day:
        bill_on = add_months(bill_on, 1, day_of_month)
    subscription.next_bill = bill_on
    world.at(bill_on, _bill, subscription)
    world.at(renewal, _renew, subscription, renewal)
    world.note("subscribed", account, amount=mrr)
    accounts.set_lifecycle(world, account, "customer")
    satisfaction.start_surveys(world, account)


def fulfil(world: World, deal: Deal) -> None:
    """The day after a win: what was sold becomes a subscription, more licences, or a one-off bill.

    An enterprise rollout is sold for three years, everything else for one.
    """
    assert deal.amount is not None
    account = deal.account
    months = 36 if deal.kind == "rollout" else 12
    mrr = max(10, round(deal.amount / months / 10) * 10)
    if deal.kind in ("new", "rollout") and account.subscription is None:
        subscribe(world, account, mrr, world.day)
    elif deal.kind == "seats" and account.subscription is not None:
        change_mrr(world, account.subscription, mrr, "expansion")
    else:
        _issue(world, account, None, deal.amount)


def change_mrr(world: World, subscription: Subscription, by: int, change: str) -> None:
    """Begin a term today with `by` more (or less) monthly revenue and the same renewal date."""
    old = subscription.current
    seats = max(2, round(old.seats * (old.mrr + by) / old.mrr))
    if old.valid_from >= world.day:
        world.at(old.valid_from + 1, change_mrr, subscription, by, change)
        return
    if subscription.account.subscription is subscription:
        _succeed(world, subscription, old.plan, seats, old.mrr + by, change, old.renewal)


def leave(world: World, subscription: Subscription) -> None:
    """The customer's subscription ends today, unless it has already."""
    if subscription.account.subscription is not subscription:
        return
    term = subscription.current
    term.valid_to, term.updated = world.day, world.batch_time(world.number("finance job"))
    world.note("left", subscription.account, amount=term.mrr)
    subscription.account.subscription = None
    subscription.account.survey_round += 1
    accounts.set_lifecycle(world, subscription.account, "other")


def _renew(world: World, subscription: Subscription, due: int) -> None:
    term = subscription.current
    if subscription.account.subscription is not subscription or term.renewal != due:
        return
    stream = world.stream("finance")
    draw, small = stream.random(), term.mrr < LARGE_MRR and not subscription.account.enterprise
    if subscription.ends_at_renewal or (small and term.mrr < 1_100 and draw < 0.16):
        leave(world, subscription)
        return
    renewal = add_months(due, 12, subscription.billing_day)
    if small and draw > 0.93:
        less = round(term.mrr * stream.uniform(0.1, 0.25) / 10) * 10
        _succeed(world, subscription, term.plan, max(2, term.seats - 2), term.mrr - less, "contraction", renewal)
    else:
        _succeed(world, subscription, term.plan, term.seats, term.mrr, "renewal", renewal)
    world.at(renewal, _renew, subscription, renewal)


def _succeed(
    world: World, subscription: Subscription, plan: str, seats: int, mrr: int, change: str, renewal: int
) -> None:
    old = subscription.current
    world.note(change, subscription.account, amount=abs(mrr - old.mrr))
    old.valid_to, old.updated = world.day, world.batch_time(world.number("finance job"))
    _begin_term(world, subscription, plan, seats, mrr, change, world.day, renewal)


def _begin_term(
    world: World, subscription: Subscription, plan: str, seats: int, mrr: int, change: str, since: int, renewal: int
) -> None:
    number = len(subscription.terms) + 1
    updated = world.batch_time(world.number("finance job"))
    term = Term(f"{subscription.id}-T{number:02d}", plan, seats, mrr, change, since, renewal, updated)
    subscription.terms.append(term)


def _bill(world: World, subscription: Subscription) -> None:
    if subscription.account.subscription is not subscription:
        return
    _issue(world, subscription.account, subscription, subscription.current.mrr)
    subscription.next_bill = add_months(world.day, 1, subscription.billing_day)
    world.at(subscription.next_bill, _bill, subscription)


def _issue(world: World, account: Account, subscription: Subscription | None, amount: int) -> None:
    invoice = Invoice(
        id=f"INV-{world.number('invoice'):06d}",
        account=account,
        subscription=subscription,
        amount=amount,
        issued=world.day,
        due=world.day + PAYMENT_DAYS,
        status="open",
        updated=world.batch_time(world.number("finance job")),
    )
    world.invoices.append(invoice)
    world.at(invoice.due + 1, _remind, invoice)
    if account.withholding and subscription is not None:
        account.unpaid.append(invoice)
        return
    world.at_work(invoice.issued + _days_until_paid(world.stream("finance"), amount), pay, invoice)


def _days_until_paid(stream: Random, amount: int) -> int:
    """Large bills are paid in time; of the small ones some are a little late and very few badly so."""
    draw = stream.random()
    if amount < LARGE_MRR and draw < 0.07:
        return PAYMENT_DAYS + (stream.randint(35, 45) if draw < 0.002 else stream.randint(2, 18))
    return stream.randint(6, PAYMENT_DAYS - 4)


def pay(world: World, invoice: Invoice) -> None:
    """The invoice is paid today."""
    invoice.paid, invoice.status = world.day, "paid"
    invoice.updated = world.after(invoice.updated, "finance")


def _remind(world: World, invoice: Invoice) -> None:
    if invoice.paid is None:
        invoice.status, invoice.updated = "overdue", world.batch_time(world.number("finance job"))
