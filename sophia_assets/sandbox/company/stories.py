"""The stories planted in the simulated company: when they begin, and what they set in motion.

A rolling schedule repeats every twelve weeks, shifted by the seed, so that at any time a handful of
stories is under way. Each story plans ahead what only it moves, and `visible_from` and `visible_to`
are worked out from that plan with the briefing's own definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sophia_assets.sandbox.company import account_stories, market_stories
from sophia_assets.sandbox.company.world import World

CYCLE_DAYS = 84
_JITTER_DAYS = 3
_RETRY_DAYS = 20


@dataclass(frozen=True)
class Slot:
    """A place in the cycle: a story of `begin` starts `lead` days before day `visible` of the cycle.

    `earliest` is the first day of the history on which it can start.
    """

    begin: Callable[..., bool]
    visible: int
    lead: int
    earliest: int
    arguments: Mapping[str, Any]


def _slots() -> tuple[Slot, ...]:
    risk, slip = account_stories.begin_account_at_risk, market_stories.begin_slipping_deal
    grow, leave = account_stories.begin_expansion, account_stories.begin_churn
    win = market_stories.begin_big_win
    return (
        Slot(risk, 7, 20, 66, {"leaves": True}),
        Slot(risk, 35, 20, 66, {"leaves": False}),
        Slot(risk, 63, 20, 66, {"leaves": False}),
        Slot(slip, 9, 84, 1, {}),
        Slot(slip, 51, 84, 1, {}),
        Slot(market_stories.begin_stalled_stage, 5, 17, 70, {}),
        Slot(grow, 13, 0, 45, {}),
        Slot(grow, 55, 0, 45, {}),
        Slot(leave, 73, 0, 60, {}),
        Slot(market_stories.begin_competitor_pressure, 31, 14, 60, {}),
        Slot(account_stories.begin_overdue_payment, 19, 68, 10, {}),
        Slot(win, 0, 56, 1, {}),
        Slot(win, 28, 56, 1, {}),
        Slot(win, 56, 56, 1, {}),
    )


def schedule_stories(world: World) -> None:
    """Put the first cycle of stories on the agenda; each cycle schedules the next."""
    phase = world.streams.of("story phase").randrange(CYCLE_DAYS)
    _schedule_cycle(world, world.start - phase)


def _schedule_cycle(world: World, first_day: int) -> None:
    stream = world.streams.of("story cycle", first_day - world.start)
    for slot in _slots():
        begins = first_day + CYCLE_DAYS + slot.visible - slot.lead + stream.randint(-_JITTER_DAYS, _JITTER_DAYS)
        if begins >= world.start + slot.earliest:
            world.at_work(begins, _try_to_begin, slot, _RETRY_DAYS)
    world.at(max(world.day + 1, first_day + CYCLE_DAYS), _schedule_cycle, first_day + CYCLE_DAYS)


def _try_to_begin(world: World, slot: Slot, tries: int) -> None:
    """Begin the story today, or on the first of the next days on which there is a subject for it."""
    if not slot.begin(world, **slot.arguments) and tries > 0:
        world.at_work(world.day + 1, _try_to_begin, slot, tries - 1)
