"""What the ledger adds up to: calls, tokens and money by purpose, model, provider or day, and how today stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, select

from sophia_assets.control.schema import llm_calls, llm_days
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.budget import ABANDONED, OPEN, Standing, business_day, counted_cost, is_left_behind, standing
from sophia_assets.llm.calling import ANSWERED, NOT_ASKED
from sophia_assets.llm.prices import dollars
from sophia_assets.settings.llm import LlmSettings

GROUPS = ("purpose", "model", "provider", "day")


@dataclass(frozen=True)
class Row:
    """The calls of one group. Simulated ones never share a row with real ones.

    `estimated` is how many of the calls have tokens that were counted here, since the vendor did not tell. Open calls
    are among `calls`, and have neither tokens nor cost yet.
    """

    name: str
    is_simulated: bool
    calls: int
    failed: int
    estimated: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal

    def as_json(self, by: str) -> dict[str, Any]:
        """The row as plain values."""
        return {by: self.name} | {
            "simulated": self.is_simulated,
            "calls": self.calls,
            "failed": self.failed,
            "estimated": self.estimated,
            "input_tokens": self.input_tokens,
            "cached_input_tokens": self.cached_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": float(self.cost),
        }


@dataclass(frozen=True)
class CacheUse:
    """How many answers came from the cache, and what asking for them would have cost."""

    hits: int
    saved: Decimal

    def as_json(self) -> dict[str, Any]:
        """The numbers as plain values."""
        return {"hits": self.hits, "saved_usd": float(self.saved)}


@dataclass(frozen=True)
class UsageReport:
    """The days from `first` to `last`, both included, in groups of `by`.

    `today` has how the real budget stands, then the simulated one; one of which nothing was used is left out, unless
    nothing was used of either.
    """

    first: date
    last: date
    by: str
    rows: tuple[Row, ...]
    failures: Mapping[str, int]
    cache: CacheUse
    simulated_cache: CacheUse
    today: tuple[Standing, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked, and nothing answered from the cache."""
        return not self.rows and not self.cache.hits and not self.simulated_cache.hits

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; money in US dollars."""
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "by": self.by,
            "today": [
                {
                    "date": each.day.isoformat(),
                    "simulated": each.is_simulated,
                    "budget_usd": float(each.budget),
                    "spent_usd": float(each.spent),
                    "reserved_usd": float(each.reserved),
                    "open_calls": each.open_calls,
                    "percent_spent": each.percent,
                }
                for each in self.today
            ],
            "rows": [row.as_json(self.by) for row in self.rows],
            "total": [row.as_json("name") for row in totals(self.rows)],
            "failures": dict(self.failures),
            "from_cache": self.cache.as_json(),
            "from_cache_simulated": self.simulated_cache.as_json(),
        }


def read_usage(
    store: ControlStore,
    settings: LlmSettings,
    *,
    days: int,
    by: str,
    timezone: tzinfo,
    now: datetime | None = None,
) -> UsageReport:
    """The report of the last `days` business days, today included. Raises ControlStoreUnavailable."""
    now = now or datetime.now(UTC)
    last = business_day(now, timezone)
    first = last - timedelta(days=days - 1)
    with store.reading() as connection:
        found = [standing(connection, last, kind, settings.daily_budget_usd, now) for kind in (False, True)]
        return UsageReport(
            first=first,
            last=last,
            by=by,
            rows=_rows(connection, first, last, by, now),
            failures=_failures(connection, first, last, now),
            cache=_cache_use(connection, first, last, False),
            simulated_cache=_cache_use(connection, first, last, True),
            today=tuple(each for each in found if each.spent or each.reserved or each.open_calls) or (found[0],),
        )


def totals(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """All rows in one; two where some are simulated and some are not."""
    found = []
    for is_simulated in (False, True):
        mine = [row for row in rows if row.is_simulated == is_simulated]
        if mine:
            numbers = {
                name: sum(getattr(row, name) for row in mine)
                for name in ("calls", "failed", "estimated", "input_tokens", "output_tokens", "cached_tokens")
            }
            cost = sum((row.cost for row in mine), Decimal(0))
            found.append(Row("total", is_simulated, cost=cost, **numbers))
    return tuple(found)


def _rows(connection: Connection, first: date, last: date, by: str, now: datetime) -> tuple[Row, ...]:
    calls = llm_calls.c
    group = {"purpose": calls.purpose, "model": calls.model, "provider": calls.provider, "day": calls.day}[by]
    left_behind = is_left_behind(now)
    cost = func.sum(counted_cost(now))
    wanted = (
        select(
            group,
            calls.is_simulated,
            func.count(),
            func.sum(case((_outcome(now).not_in((ANSWERED, OPEN)), 1), else_=0)),
            func.sum(case((left_behind | calls.is_estimated, 1), else_=0)),
            func.sum(case((left_behind, calls.input_estimate), else_=calls.input_tokens)),
            func.sum(calls.output_tokens),
            func.sum(calls.cached_tokens),
            cost,
        )
        .where(calls.day >= first, calls.day <= last, _was_asked())
        .group_by(group, calls.is_simulated)
        .order_by(calls.is_simulated, group.desc() if by == "day" else cost.desc(), group)
    )
    return tuple(_row(*found) for found in connection.execute(wanted))


def _row(name: object, is_simulated: bool, *numbers: int) -> Row:
    calls, failed, estimated, given, written, cached, cost = map(int, numbers)
    return Row(str(name), bool(is_simulated), calls, failed, estimated, given, written, cached, dollars(cost))


def _failures(connection: Connection, first: date, last: date, now: datetime) -> dict[str, int]:
    calls, outcome = llm_calls.c, _outcome(now).label("outcome")
    wanted = (
        select(outcome, func.count())
        .where(calls.day >= first, calls.day <= last, _was_asked())
        .group_by(outcome)
        .order_by(func.count().desc(), outcome)
    )
    return {name: number for name, number in connection.execute(wanted) if name not in (ANSWERED, OPEN)}


def _cache_use(connection: Connection, first: date, last: date, is_simulated: bool) -> CacheUse:
    days = llm_days.c
    wanted = select(func.coalesce(func.sum(days.cache_hits), 0), func.coalesce(func.sum(days.saved_nano_usd), 0)).where(
        days.day >= first, days.day <= last, days.is_simulated == is_simulated
    )
    hits, saved = connection.execute(wanted).one()
    return CacheUse(int(hits), dollars(int(saved)))


def _outcome(now: datetime) -> ColumnElement[str]:
    """How a call ended; `open` while it has not."""
    calls = llm_calls.c
    return case(
        (is_left_behind(now), literal(ABANDONED)),
        (calls.state == OPEN, literal(OPEN)),
        else_=func.coalesce(calls.outcome, ""),
    )


def _was_asked() -> ColumnElement[bool]:
    return func.coalesce(llm_calls.c.outcome, "") != NOT_ASKED
