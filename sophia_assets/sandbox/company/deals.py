"""Deals: how they begin, move through the pipeline, are re-forecast, and end."""

from __future__ import annotations

from datetime import datetime
from random import Random

from sophia_assets.sandbox.company import accounts, calls, finance
from sophia_assets.sandbox.company.model import CONTRACT, LOST, PROPOSAL, STAGES, WON, Account, Deal
from sophia_assets.sandbox.company.streams import between, business_day_from, is_business_day, poisson, quarter_end
from sophia_assets.sandbox.company.world import World, texts
from sophia_assets.sandbox.company_data import PropertyVersion

LARGE_AMOUNT = 30_000
# Most deals stop when their stage stands still; without the rest a quarter would have no bookings at all.
_HELD_SHARE = 0.75
NEW_BUSINESS = ("new", "rollout")
_CLOSE_OF_BUSINESS_MS = 17 * 3_600_000
_NEW_PER_DAY = 4.3
_SEASON = {1: 1.05, 2: 1.05, 3: 1.1, 4: 1.0, 5: 1.0, 6: 1.05, 7: 0.9, 8: 0.8, 9: 1.1, 10: 1.1, 11: 1.05, 12: 0.75}
_ADVANCE_CHANCE = (0.72, 0.76, 0.78, 0.80, 0.87)
_DWELL_DAYS = (7.0, 9.0, 13.0, 10.0, 8.0)
_CALL_CHANCE = (0.25, 0.2, 0.28, 0.23, 0.18)


def open_initial_pipeline(world: World) -> None:
    """The deals that were under way when the CRM went live on the first day."""
    stream = world.stream("new deals")
    prospects, customers = _buyers(world)
    for _ in range(max(6, round(75 * world.scale))):
        _ordinary_deal(world, stream, prospects, customers, stage=stream.choice((0, 0, 1, 1, 2, 2, 3, 4)))


def open_deals(world: World) -> None:
    """Today's new deals."""
    if not is_business_day(world.day):
        return
    stream = world.stream("new deals")
    prospects, customers = _buyers(world)
    for _ in range(poisson(stream, _NEW_PER_DAY * world.scale * _SEASON[world.today().month])):
        _ordinary_deal(world, stream, prospects, customers, stage=0)


def _buyers(world: World) -> tuple[list[Account], list[Account]]:
    """Prospects without a running sale, and customers."""
    prospects = [a for a in world.accounts if a.subscription is None and not a.new_business_open]
    return prospects, [a for a in world.accounts if a.subscription is not None]


def _ordinary_deal(
    world: World, stream: Random, prospects: list[Account], customers: list[Account], *, stage: int
) -> None:
    if not prospects and not customers:
        return
    names = texts("names")
    if prospects and (stream.random() < 0.2 or not customers):
        account, kind, topic = stream.choice(prospects), "new", world.profile["product"]
        large = account.enterprise
        median, spread, low, high = (50_000, 0.25, 36_000, 74_000) if large else (14_500, 0.5, 4_000, 34_000)
        account.new_business_open = True
        prospects.remove(account)
    else:
        account = stream.choice(customers)
        if not account.enterprise and stream.random() < 0.35:
            account = stream.choice(customers)
        if stream.random() < 0.15:
            kind, topic, (median, spread, low, high) = "seats", "Additional licences", (5_200, 0.45, 1_200, 13_000)
        else:
            kind = stream.choice(("addon", "services", "services"))
            topic = stream.choice(names["modules" if kind == "addon" else "services"])
            median, spread, low, high = (9_500 if account.enterprise else 6_500), 0.75, 1_200, 42_000
    amount = round(between(stream, median, spread, low, high) / 50) * 50
    known = amount if stream.random() > 0.05 else None
    begin_deal(world, account, kind, topic, known, int(between(stream, 62, 0.35, 30, 150)), stage=stage)


def begin_deal(
    world: World,
    account: Account,
    kind: str,
    topic: str,
    amount: int | None,
    days_to_close: int,
    *,
    stage: int = 0,
    scripted: bool = False,
) -> Deal:
    """A deal that begins today in `stage`; a scripted one is moved only by its story."""
    stream = world.stream("new deals")
    created = world.after(account.created, "new deals")
    deal = Deal(
        id=str(9_410_000_000 + world.number("deal") * 6_131),
        name=_deal_name(stream, account, topic, scripted),
        account=account,
        owner=account.owner,
        kind=kind,
        created=created,
        updated=created,
        active_at=created,
        close_day=business_day_from(world.day + days_to_close),
        amount=amount,
        stage=stage,
        scripted=scripted,
        last_activity=world.day,
    )
    deal.history = {"dealstage": [], "amount": [], "closedate": []}
    deal.history["dealstage"].append(PropertyVersion(STAGES[stage].id, created, _source(stage)))
    deal.history["closedate"].append(PropertyVersion(_forecast(world, deal.close_day), created))
    if amount is not None:
        deal.history["amount"].append(PropertyVersion(str(amount), created))
    world.deals.append(deal)
    world.note("opened", account, deal=deal, amount=amount or 0)
    world.open_deals[deal.id] = deal
    if account.subscription is None:
        accounts.set_lifecycle(world, account, "opportunity")
    if not scripted:
        deal.duplicate = kind != "new" and stream.random() < 0.008
        if deal.duplicate:
            world.at_work(world.day + stream.randint(2, 10), _archive, deal)
        _enter(world, deal)
        _watch_close_date(world, deal)
    return deal


def _enter(world: World, deal: Deal) -> None:
    """Decide what comes after the stage just entered, and when."""
    deal.entered = world.day
    stream = world.stream("deal moves")
    fit = deal.owner.skill * (0.92 if deal.kind == "new" else 1.0)
    advances = stream.random() < _ADVANCE_CHANCE[deal.stage] ** (1.0 / fit)
    deal.next_stage = deal.stage + 1 if advances else LOST
    days = max(1, round(between(stream, _DWELL_DAYS[deal.stage], 0.5, 1, 45) * (1.0 if advances else 1.15)))
    due = world.day + days
    if deal.next_stage == WON:
        due = _pull_to_quarter_end(stream, world.day, due)
    world.at_work(due, _step, deal, deal.stage)
    if stream.random() < _CALL_CHANCE[deal.stage]:
        world.at_work(world.day + stream.randint(1, 4), calls.talk_about_deal, deal, deal.stage)


def _pull_to_quarter_end(stream: Random, today: int, due: int) -> int:
    """Sellers hurry for the quarter: half of what would close just after its end closes just before."""
    end = quarter_end(today)
    if today < end - 2 and end < due <= end + 24 and stream.random() < 0.6:
        return max(today + 1, end - stream.randint(0, 9))
    return due


def _step(world: World, deal: Deal, stage: int) -> None:
    if not deal.is_open or deal.stage != stage:
        return
    if world.frozen_stage == stage and world.stream("deal moves").random() < _HELD_SHARE:
        world.held.append(deal)
        return
    move(world, deal, deal.next_stage)
    if deal.is_open:
        _enter(world, deal)


def release(world: World) -> None:
    """End the standstill of a stage: what was held moves within days."""
    world.frozen_stage = None
    stream = world.stream("release")
    for deal in world.held:
        world.at_work(world.day + stream.randint(0, 2), _step, deal, deal.stage)
    world.held = []


def move(world: World, deal: Deal, stage: int, *, amount: int | None = None) -> None:
    """Move a deal to `stage` today, with `amount` as its new amount where given; closing it has its consequences."""
    stream = world.stream("deal moves")
    if amount is None and not deal.scripted:
        amount = _revised_amount(stream, deal, stage)
    moment = touch(world, deal)
    deal.stage, deal.entered = stage, world.day
    deal.history["dealstage"].append(PropertyVersion(STAGES[stage].id, moment, _source(stage)))
    if amount is not None and amount != deal.amount:
        deal.amount = amount
        deal.history["amount"].append(PropertyVersion(str(amount), moment))
    if stage < WON:
        return
    deal.close_day = world.day
    deal.history["closedate"].append(PropertyVersion(iso(moment), moment))
    del world.open_deals[deal.id]
    if deal.kind in NEW_BUSINESS:
        deal.account.new_business_open = False
    if stage == WON:
        assert deal.amount is not None
        world.wins.append((world.day, deal.amount))
        world.note("won", deal.account, deal=deal, amount=deal.amount)
        world.at(world.day + 1, finance.fulfil, deal)
    else:
        deal.lost_reason = stream.choice(texts("names")["lost_reasons"])
        world.note("lost", deal.account, deal=deal, amount=deal.amount or 0, name=deal.lost_reason)


def push(world: World, deal: Deal, days: int) -> None:
    """Forecast the deal's close `days` after today, and no earlier than before."""
    moment = touch(world, deal)
    deal.close_day = business_day_from(max(world.day + days, deal.close_day + 1))
    deal.pushes += 1
    deal.history["closedate"].append(PropertyVersion(_forecast(world, deal.close_day), moment))
    world.note("pushed", deal.account, deal=deal, amount=deal.amount or 0, until=deal.close_day)


def touch(world: World, deal: Deal) -> datetime:
    """Note that the deal is being worked on now; returns the moment."""
    deal.updated = world.after(deal.updated, "deal moves")
    deal.last_activity, deal.active_at = world.day, max(deal.active_at, deal.updated)
    return deal.updated


def _watch_close_date(world: World, deal: Deal) -> None:
    """Large deals are re-forecast in good time; small ones sometimes only after their date has passed."""
    stream = world.stream("deal moves")
    if (deal.amount or 0) >= LARGE_AMOUNT:
        world.at(business_day_from(deal.close_day - 5), _check_close_date, deal, deal.close_day)
    else:
        late = 1 if stream.random() < 0.75 else stream.randint(3, 11)
        world.at_work(deal.close_day + late, _check_close_date, deal, deal.close_day)


def _check_close_date(world: World, deal: Deal, expected: int) -> None:
    if not deal.is_open or deal.close_day != expected:
        return
    stream = world.stream("deal moves")
    if (deal.amount or 0) >= LARGE_AMOUNT:
        if deal.pushes >= 2:
            move(world, deal, LOST)
            return
        push(world, deal, stream.randint(28, 42) if deal.pushes == 0 else stream.randint(85, 110))
    elif deal.pushes < 2 or stream.random() < 0.25:
        push(world, deal, stream.randint(14, 45))
    else:
        return
    _watch_close_date(world, deal)


def _archive(world: World, deal: Deal) -> None:
    if deal.is_open:
        deal.archived = world.after(deal.updated, "deal moves")
        del world.open_deals[deal.id]


def _revised_amount(stream: Random, deal: Deal, stage: int) -> int | None:
    if stage == WON and deal.amount is None:
        return round(between(stream, 7_000, 0.5, 1_500, 25_000) / 50) * 50
    if deal.amount is None:
        return None
    ceiling = {"new": 74_000 if deal.account.enterprise else 34_000, "seats": 13_000}.get(deal.kind, 42_000)
    factor = 1.0
    if stage == PROPOSAL and stream.random() < 0.4:
        factor = stream.uniform(0.8, 1.25)
    elif stage in (CONTRACT, WON) and stream.random() < 0.25:
        factor = stream.uniform(0.85, 0.98)
    revised = min(ceiling, round(deal.amount * factor / 50) * 50)
    stays_large = (deal.amount >= LARGE_AMOUNT) == (revised >= LARGE_AMOUNT)
    return revised if stays_large else deal.amount


def _deal_name(stream: Random, account: Account, topic: str, scripted: bool) -> str:
    short = account.name.split(",")[0]
    if not scripted and stream.random() < 0.015:
        return str(stream.choice(texts("names")["odd_names"])).format(account=short, topic=topic)
    return f"{short} - {topic}"


def _forecast(world: World, day: int) -> str:
    return iso(world.clock.moment(day, _CLOSE_OF_BUSINESS_MS))


def _source(stage: int) -> str:
    return "CRM_UI" if stage else "FORM"


def iso(moment: datetime) -> str:
    """A UTC moment as HubSpot writes it, to the millisecond."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
