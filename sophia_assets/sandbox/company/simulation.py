"""Runs the simulated company from its first day to the day it is looked at."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from sophia_assets.errors import ConfigurationError, DateOutOfRange
from sophia_assets.sandbox.company import accounts, calls, deals, finance, stories
from sophia_assets.sandbox.company.history import FORESIGHT_DAYS, History
from sophia_assets.sandbox.company.publish import publish, publish_surroundings
from sophia_assets.sandbox.company.streams import Clock, Streams
from sophia_assets.sandbox.company.world import World, texts
from sophia_assets.sandbox.company_data import CompanyData


def simulate_company(seed: int, start: date, as_of: date, *, scale: float = 1.0, timezone: str = "UTC") -> CompanyData:
    """One software company's records in the systems it uses, as known at the end of `as_of`.

    `start` is the day on which its systems went live: accounts, deals and subscriptions that existed
    before carry that day as the day of their creation. `scale` multiplies accounts, deals, calls and
    what follows from them (at 1 about 250 accounts, 1,700 deals, 4,600 messages and 4,200 issues in 18
    months). Days and office hours are those of `timezone`; nothing is stamped later than the midnight
    that ends `as_of`. Equal arguments give equal records, and a later `as_of` only adds to what an
    earlier one shows.

    Raises DateOutOfRange when `as_of` lies before `start`, ConfigurationError for an unknown time
    zone or a scale that is not positive.
    """
    if as_of < start:
        raise DateOutOfRange(
            f"the company does not exist yet on {as_of.isoformat()}", remedy=f"Its first day is {start.isoformat()}."
        )
    if not scale > 0:
        raise ConfigurationError(f"scale must be greater than 0, not {scale}")
    with _collecting_nothing():
        world = _found(seed, start, scale, timezone)
        last = as_of.toordinal()
        _live(world, range(world.start, last + 1))
        company = publish(world, start, as_of)
        # Use, bugs and chat follow what is about to happen, so these systems are worked out with some foresight.
        _live(world, range(last + 1, last + 1 + FORESIGHT_DAYS))
        publish_surroundings(company, History(world, last))
    return company


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Nothing becomes garbage here before the end; to look for it again and again would take half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _live(world: World, days: range) -> None:
    for day in days:
        world.begin(day)
        if day == world.start:
            _go_live(world)
        accounts.meet_accounts(world)
        deals.open_deals(world)
        world.run_agenda()


def _found(seed: int, start: date, scale: float, timezone: str) -> World:
    streams = Streams(seed, start, scale)
    profile = streams.of("profile").choice(texts("names")["companies"])
    world = World(streams, Clock(timezone), start.toordinal(), scale, profile)
    accounts.hire_owners(world)
    return world


def _go_live(world: World) -> None:
    customers = accounts.found_accounts(world)
    finance.found_subscriptions(world, customers)
    for account in world.accounts:
        calls.schedule_check_ins(world, account)
    deals.open_initial_pipeline(world)
    stories.schedule_stories(world)
