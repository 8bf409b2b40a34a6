"""What was asked and what it cost, for those who run the platform.

Belongs here: laying out counts. Does not belong here: counting (`web.counting`, `llm.usage_report`).
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sophia_assets.access.policies import may_see_platform
from sophia_assets.control.schema import audit
from sophia_assets.errors import AccessDenied
from sophia_assets.insight.slots import day_phrase
from sophia_assets.llm.usage_report import Row, UsageReport, read_usage, totals
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.pages.cards import Column
from sophia_assets.web.state import WebState, state_of

if TYPE_CHECKING:
    from sophia_assets.control.store import ControlStore

router = APIRouter(include_in_schema=False)
_DAYS = 30


@router.get("/usage")
async def usage_page(request: Request, principal: CurrentPrincipal) -> Response:
    """Questions, cache hits, tokens and money. Raises AccessDenied for roles that do not see the platform."""
    if not may_see_platform(principal):
        raise AccessDenied(
            "usage is for roles that see the platform", remedy="The roles executive, analyst and auditor do"
        )
    state = state_of(request)
    return await state.reads.run(_page, request, state)


def _page(request: Request, state: WebState) -> HTMLResponse:
    settings = state.services.settings
    by_purpose, by_day = (
        read_usage(state.services.control, settings.llm, days=_DAYS, by=by, timezone=settings.tzinfo)
        for by in ("purpose", "day")
    )
    served = state.counts.as_json()
    questions = _asked(state.services.control, by_day.first)
    span = f"{day_phrase(by_day.first)} to {day_phrase(by_day.last)}"
    tables = [
        _questions(questions),
        _costs("Models by purpose", "Purpose", by_purpose),
        _costs("Models by day", "Day", by_day),
        _failures(by_purpose),
        _pages(served),
    ]
    return render(
        request,
        "usage.html",
        span=span,
        tiles=_tiles(served, questions, by_purpose),
        tables=[each for each in tables if each],
    )


def _asked(store: ControlStore, first: date) -> dict[str, Counter[str]]:
    """How many questions the audit trail has of each day (UTC), by how they ended, the newest first."""
    day = func.substr(audit.c.at, 1, 10)
    wanted = (
        select(day, audit.c.outcome, func.count())
        .where(audit.c.action == "ask", audit.c.at >= first.isoformat())
        .group_by(day, audit.c.outcome)
        .order_by(day.desc())
    )
    found: dict[str, Counter[str]] = {}
    with store.reading() as connection:
        for name, outcome, count in connection.execute(wanted):
            found.setdefault(name, Counter())[outcome] += count
    return found


def _questions(asked: dict[str, Counter[str]]) -> dict[str, Any]:
    heads = ("Asked", "Allowed", "Denied", "Failed")
    rows = [
        [day, f"{counts.total():,}", *(f"{counts[outcome]:,}" for outcome in ("allowed", "denied", "failed"))]
        for day, counts in asked.items()
    ]
    return {
        "title": "Questions",
        "columns": [Column("Day", False), *(Column(head, True) for head in heads)],
        "rows": rows,
        "empty": "Nothing was asked in this time.",
        "note": "Of every channel, as the audit trail has them; days are UTC." if rows else "",
    }


def _tiles(served: dict[str, Any], questions: dict[str, Counter[str]], report: UsageReport) -> list[dict[str, str]]:
    """The few figures on top. The share of the cache is that of this process since it started."""
    found = [
        ("Questions in this time", f"{sum(counts.total() for counts in questions.values()):,}"),
        ("Answered from the cache", f"{served['cache_hit_share']:.0%}" if served["answers"] else "\u2013"),
    ]
    for row in totals(report.rows):
        kind = ", simulated" if row.is_simulated else ""
        found.append((f"Spent on models{kind}", f"${row.cost:,.2f}"))
        found.append((f"Tokens{kind}", f"{row.input_tokens + row.output_tokens:,}"))
    if not report.rows:
        found.append(("Spent on models", "$0.00"))
    for standing in report.today:
        kind = ", simulated" if standing.is_simulated else ""
        found.append((f"Of today\u2019s budget{kind}", f"${standing.spent:,.2f} of ${standing.budget:,.2f}"))
    return [{"label": label, "value": value} for label, value in found]


def _costs(title: str, first: str, report: UsageReport) -> dict[str, Any]:
    heads = ("Calls", "Failed", "Tokens in", "Of them cached", "Tokens out", "Cost")
    return {
        "title": title,
        "columns": [Column(first, False), *(Column(head, True) for head in heads)],
        "rows": [_cost(row) for row in report.rows],
        "empty": "No model was asked in this time: the offline writer and the router need none.",
        "note": "Simulated calls went to a stand-in and cost nothing."
        if any(r.is_simulated for r in report.rows)
        else "",
    }


def _cost(row: Row) -> list[str]:
    numbers = (row.calls, row.failed, row.input_tokens, row.cached_tokens, row.output_tokens)
    name = f"{row.name} (simulated)" if row.is_simulated else row.name
    return [name, *(f"{number:,}" for number in numbers), f"${row.cost:,.4f}"]


def _failures(report: UsageReport) -> dict[str, Any] | None:
    if not report.failures:
        return None
    rows = [[name.replace("_", " "), f"{count:,}"] for name, count in report.failures.items()]
    return {
        "title": "Failed calls",
        "columns": [Column("Why", False), Column("Calls", True)],
        "rows": rows,
        "empty": "",
        "note": "",
    }


def _pages(served: dict[str, Any]) -> dict[str, Any]:
    heads = ("Requests", "Median, ms", "95th percentile, ms", "Longest, ms")
    rows = [
        [each["route"], f"{each['requests']:,}", *(f"{each[key]:,.1f}" for key in ("p50_ms", "p95_ms", "longest_ms"))]
        for each in served["routes"]
    ]
    return {
        "title": "Requests",
        "columns": [Column("Address", False), *(Column(head, True) for head in heads)],
        "rows": rows,
        "empty": "Nothing was asked for yet.",
        "note": "Of this process, since it started.",
    }
