"""The money of a business day: how much is spent, how much is spoken for, and what is said when it does not suffice.

Simulated money (the sandbox's models) has a budget of its own of the same size, so that trying things out does not
leave the real briefing without a writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from sophia_assets.control.schema import llm_calls
from sophia_assets.llm.interface import BudgetSpent
from sophia_assets.llm.prices import dollars, shown
from sophia_assets.settings.llm import BUDGET

ABANDONED = "abandoned"
"""The outcome of a call whose process vanished: nobody told how it ended."""
ABANDONED_AFTER = timedelta(minutes=15)
OPEN, ENDED = "open", "ended"
ALERT_PERCENT = 80


@dataclass(frozen=True)
class Standing:
    """How a day stands. `spent` is the cost of the calls that have ended, `reserved` what the open ones may cost."""

    day: date
    is_simulated: bool
    budget: Decimal
    spent: Decimal
    reserved: Decimal
    open_calls: int

    @property
    def left(self) -> Decimal:
        """What may still be reserved, never below 0."""
        return max(Decimal(0), self.budget - self.spent - self.reserved)

    @property
    def percent(self) -> int:
        """How many hundredths of the budget are spent, rounded down; 100 where there is no budget."""
        return int(self.spent * 100 / self.budget) if self.budget else 100

    def covers(self, cost: Decimal) -> bool:
        """Whether a call that may cost so much can be made."""
        return self.budget > 0 and self.spent + self.reserved + cost <= self.budget


def business_day(moment: datetime, timezone: tzinfo) -> date:
    """The day on whose budget a call counts that begins at the moment (aware)."""
    return moment.astimezone(timezone).date()


def is_left_behind(now: datetime) -> ColumnElement[bool]:
    """Of a call: that it has been open for longer than any can last."""
    return (llm_calls.c.state == OPEN) & (llm_calls.c.started_at < now - ABANDONED_AFTER)


def counted_cost(now: datetime) -> ColumnElement[int]:
    """Of a call, in nano-dollars: what it has cost; nothing while it is open."""
    calls = llm_calls.c
    return case(
        (is_left_behind(now), calls.estimate_nano_usd),
        (calls.state == OPEN, 0),
        else_=calls.cost_nano_usd,
    )


def standing(connection: Connection, day: date, is_simulated: bool, budget: Decimal, now: datetime) -> Standing:
    """How the day stands now."""
    calls = llm_calls.c
    is_open = (calls.state == OPEN) & ~is_left_behind(now)
    spent, reserved, number = connection.execute(
        select(
            _sum(counted_cost(now)),
            _sum(case((is_open, calls.reserved_nano_usd), else_=0)),
            _sum(case((is_open, 1), else_=0)),
        ).where(calls.day == day, calls.is_simulated == is_simulated)
    ).one()
    return Standing(day, is_simulated, budget, dollars(int(spent)), dollars(int(reserved)), int(number))


def begins_anew(day: date, timezone: tzinfo) -> str:
    """When the next day's budget begins, such as `00:00 on 21 November 2026 (Europe/Berlin)`."""
    midnight = datetime.combine(day + timedelta(days=1), time(), timezone)
    return f"{midnight:%H:%M} on {midnight.day} {midnight:%B %Y} ({timezone})"


def refusal(found: Standing, cost: Decimal, timezone: tzinfo) -> BudgetSpent:
    """Why a call that may cost so much is not made, and what to do about it, in one line."""
    kind = "simulated budget" if found.is_simulated else "budget"
    under_way = f", {shown(found.reserved)} reserved for calls under way" if found.reserved else ""
    return BudgetSpent(
        f"no model was asked: of the day's {kind} of {shown(found.budget)}, {shown(found.spent)} is spent{under_way}, "
        f"and the call may cost {shown(cost)}",
        remedy=f"It starts anew at {begins_anew(found.day, timezone)}; {BUDGET} raises it",
    )


def no_budget() -> BudgetSpent:
    """What is said where the budget is 0."""
    return BudgetSpent(
        "no model was asked, since the day's budget is $0", remedy=f"Set {BUDGET} to an amount in US dollars"
    )


def unrecorded(why: Exception) -> BudgetSpent:
    """What is said where a call cannot be recorded: what cannot be recorded is not spent."""
    return BudgetSpent(f"no model was asked, since its cost cannot be recorded: {why}")


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)
