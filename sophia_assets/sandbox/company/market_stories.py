"""Stories about deals, stages and competitors: slipping, won big, standing still, being pressed."""

from __future__ import annotations

from datetime import date
from typing import Any

from sophia_assets.sandbox.company import calls, deals
from sophia_assets.sandbox.company.history import DEALS, FEEDBACK, LEADERSHIP
from sophia_assets.sandbox.company.model import CONTRACT, EVALUATION, LOST, PROPOSAL, STAGES, WON, Account, Deal
from sophia_assets.sandbox.company.streams import business_day_from, is_business_day
from sophia_assets.sandbox.company.world import World, texts
from sophia_assets.sandbox.company_data import PlantedStory

_FREEZE_DAYS = 41
_SURGE_DAYS = 33
_MONTH = 30
_FEWEST_MENTIONS = 6
_STALLED_AFTER_DAYS = 30


def begin_slipping_deal(world: World) -> bool:
    """A large deal whose close date is moved again and again, until it is lost."""
    account = _buyer(world)
    if account is None:
        return False
    stream = world.stream("stories")
    amount = round(stream.uniform(112_000, 178_000) / 500) * 500
    deal = deals.begin_deal(world, account, _kind(account), _topic(world), amount, 38, scripted=True)
    begun = world.day
    for offset, stage in ((6, 1), (15, EVALUATION), (29, PROPOSAL)):
        world.at_work(begun + offset + stream.randint(0, 2), _advance, deal, stage)
    for offset, by in ((33, 30), (59, 30), (83, 27)):
        world.at_work(begun + offset, _slip, deal, by)
    lost_on = business_day_from(begun + 83 + stream.randint(42, 48))
    third_push = business_day_from(begun + 83)
    world.at(lost_on, _advance, deal, LOST)
    world.at(third_push, _tell_slipping, deal, lost_on - 1)
    return True


def _slip(world: World, deal: Deal, days: int) -> None:
    deals.push(world, deal, days + 5)
    calls.hold_call(world, deal.account, "delay", ["pricing"], deal=deal)


def _tell_slipping(world: World, deal: Deal, last: int) -> None:
    detail: dict[str, Any] = {"amount": deal.amount, "pushes": deal.pushes, "stage": STAGES[deal.stage].label}
    detail["echoes"] = {"slack": {"channel": DEALS}}
    _tell(world, "slipping_deal", "deal", deal.id, deal.name, world.day, last, detail)


def begin_big_win(world: World) -> bool:
    """A deal that will be won about eight weeks from now, among the largest of its year."""
    account = _buyer(world)
    if account is None:
        return False
    stream = world.stream("stories")
    amount = round(stream.uniform(0.86, 0.95) * _benchmark(world) / 500) * 500
    deal = deals.begin_deal(world, account, _kind(account), _topic(world), amount, 60, scripted=True)
    begun = world.day
    for offset, stage in ((5, 1), (14, EVALUATION), (27, PROPOSAL), (42, CONTRACT)):
        world.at_work(begun + offset + stream.randint(0, 3), _advance, deal, stage)
    world.at_work(begun + 55 + stream.randint(0, 2), _win, deal)
    return True


def _win(world: World, deal: Deal) -> None:
    stream = world.stream("stories")
    amount = round(_benchmark(world) * stream.uniform(1.005, 1.05) / 100) * 100
    deals.move(world, deal, WON, amount=amount)
    detail: dict[str, Any] = {"amount": amount, "won_on": world.today().isoformat()}
    detail["echoes"] = {"slack": {"channel": DEALS}}
    _tell(world, "big_win", "deal", deal.id, deal.name, world.day, world.day + 6, detail)


def _benchmark(world: World) -> float:
    """What a win must exceed to be among the three largest of the last twelve months."""
    amounts = sorted((amount for day, amount in world.wins if day > world.day - 365), reverse=True)
    return max(142_000.0, float(amounts[2]) if len(amounts) > 2 else 0.0)


def begin_stalled_stage(world: World) -> bool:
    """Most deals of one stage of the pipeline stand still for six weeks."""
    if world.frozen_stage is not None:
        return False
    stage = world.stream("stories").choice((EVALUATION, PROPOSAL))
    world.frozen_stage = stage
    world.note("standstill", name=STAGES[stage].label, until=world.day + _FREEZE_DAYS)
    released_on = world.day + _FREEZE_DAYS
    world.at(released_on, deals.release)
    world.at(world.day + 8, _watch_standstill, stage, _stalled(world, stage, world.day), released_on)
    return True


def _watch_standstill(world: World, stage: int, usual: int, released_on: int) -> None:
    """Tell the story on the first day on which the stalled deals have clearly become more."""
    stalled = _stalled(world, stage, world.day)
    if stalled >= max(8 * min(1.0, world.scale), 2.5 * usual):
        detail: dict[str, Any] = {"stalled_deals": stalled, "usual": usual, "moves_again_on": _iso(released_on)}
        detail["echoes"] = {"slack": {"channel": LEADERSHIP}}
        label = STAGES[stage].label
        _tell(world, "stalled_stage", "stage", STAGES[stage].id, label, world.day, released_on - 1, detail)
    elif world.day + 1 < released_on:
        world.at(world.day + 1, _watch_standstill, stage, usual, released_on)


def _stalled(world: World, stage: int, day: int) -> int:
    """Open deals that have not left `stage` for more than 30 days at the end of `day`."""
    return sum(1 for d in world.open_deals.values() if d.stage == stage and day - d.entered > _STALLED_AFTER_DAYS)


def begin_competitor_pressure(world: World) -> bool:
    """One competitor is brought up in many more calls than before, for about five weeks."""
    free = [name for name in texts("names")["competitors"] if world.muted_competitors.get(name, 0) < world.day]
    if not free:
        return False
    stream = world.stream("stories")
    stream.shuffle(free)
    competitor = min(free, key=lambda name: _count(world.mentions[name], world.day - _MONTH, world.day))
    usual = _count(world.mentions[competitor], world.day - _MONTH, world.day)
    planned = max(13, round(3.5 * usual * _SURGE_DAYS / _MONTH))
    work_days = [day for day in range(world.day, world.day + _SURGE_DAYS) if is_business_day(day)]
    surge = sorted(work_days[int((index + stream.random()) * len(work_days) / planned)] for index in range(planned))
    visible = _days_under_pressure(world.mentions[competitor] + surge, world.day, world.day + 75)
    if not visible:
        return False
    world.muted_competitors[competitor] = world.day + 75
    for day in surge:
        world.at(day, calls.mention_competitor, competitor)
    detail: dict[str, Any] = {"mentions_planned": planned, "usual_per_30_days": usual}
    detail["echoes"] = {"slack": {"channel": FEEDBACK}}
    arguments = ("competitor_pressure", "competitor", competitor, competitor, visible[0], visible[-1], detail)
    world.at(visible[0], _tell, *arguments)
    return True


def _days_under_pressure(mentions: list[int], first: int, last: int) -> list[int]:
    """The first unbroken run of days on which the mentions have at least doubled and are six or more."""
    run: list[int] = []
    for day in range(first, last):
        recent = _count(mentions, day - _MONTH, day)
        if recent >= max(_FEWEST_MENTIONS, 2 * _count(mentions, day - 2 * _MONTH, day - _MONTH)):
            run.append(day)
        elif run:
            break
    return run


def _count(days: list[int], after: int, until: int) -> int:
    return sum(1 for day in days if after < day <= until)


def _advance(world: World, deal: Deal, stage: int) -> None:
    if stage < LOST and world.stream("stories").random() < 0.7:
        subject = {EVALUATION: "evaluation", PROPOSAL: "proposal", CONTRACT: "contract"}.get(stage, "discovery")
        calls.hold_call(world, deal.account, subject, [], deal=deal)
    deals.move(world, deal, stage)


def _buyer(world: World) -> Account | None:
    """A large prospect without a running sale, or else a large customer."""
    fits = [a for a in world.accounts if a.enterprise and a.in_story_until < world.day]
    prospects = [a for a in fits if a.subscription is None and not a.new_business_open]
    choice = prospects or [a for a in fits if a.subscription is not None]
    if not choice:
        return None
    account = world.stream("stories").choice(choice)
    account.new_business_open = account.subscription is None
    return account


def _kind(account: Account) -> str:
    return "rollout" if account.subscription is None else "services"


def _topic(world: World) -> str:
    return f"{world.profile['product']} enterprise rollout"


def _tell(
    world: World, kind: str, subject_type: str, id_: str, name: str, first: int, last: int, detail: dict[str, Any]
) -> None:
    world.stories.append(
        PlantedStory(
            id=f"{kind}-{world.number(kind):03d}",
            kind=kind,
            subject_type=subject_type,
            subject_id=id_,
            subject_name=name,
            visible_from=date.fromordinal(first),
            visible_to=date.fromordinal(last),
            detail=detail,
        )
    )


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()
