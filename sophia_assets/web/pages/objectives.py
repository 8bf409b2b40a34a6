"""How well the platform serves, for those who run it: each objective, and how much may still go wrong.

Belongs here: laying it out. Does not belong here: reading and judging it (`observability.slo`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sophia_assets.access.policies import may_see_platform
from sophia_assets.errors import AccessDenied
from sophia_assets.insight.slots import day_phrase
from sophia_assets.observability.objectives import LONGEST_DAYS
from sophia_assets.observability.slo import ServiceReport, read_service
from sophia_assets.observability.slo_wording import budget_text, kept_text, target_text, title, value_text
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.pages.cards import Column
from sophia_assets.web.state import WebState, state_of

if TYPE_CHECKING:
    from sophia_assets.observability.objectives import Judged

router = APIRouter(include_in_schema=False)
_DAYS = 30
_BUDGET = (
    "Budget used: how much of what may go wrong by the objective has gone wrong. Days are UTC; what nothing was "
    "counted for is not known."
)


@router.get("/objectives")
async def objectives_page(
    request: Request, principal: CurrentPrincipal, days: Annotated[int, Query(ge=1, le=LONGEST_DAYS)] = _DAYS
) -> Response:
    """The objectives over the last `days` days. Raises AccessDenied for roles that do not see the platform."""
    if not may_see_platform(principal):
        raise AccessDenied(
            "objectives are for roles that see the platform", remedy="The roles executive, analyst and auditor do"
        )
    state = state_of(request)
    return await state.reads.run(_page, request, state, days)


def _page(request: Request, state: WebState, days: int) -> HTMLResponse:
    report = read_service(state.services, days=days)
    return render(
        request,
        "objectives.html",
        span=f"{day_phrase(report.first)} to {day_phrase(report.last)}",
        tiles=_tiles(report),
        tables=[_objectives(report), _told(report), _users(report)],
    )


def _tiles(report: ServiceReport) -> list[dict[str, str]]:
    known = [each for each in report.findings if each.is_met is not None]
    found = [
        ("Objectives kept", f"{sum(bool(each.is_met) for each in known)} of {len(known)}" if known else "\u2013"),
        ("Not kept", str(len(report.missed))),
        ("Not known", str(sum(each.value is None for each in report.findings))),
        ("Active users", f"{report.users.total:,}"),
    ]
    return [{"label": label, "value": value} for label, value in found]


def _objectives(report: ServiceReport) -> dict[str, Any]:
    heads = ("Measured", "Objective", "Kept", "Budget used", "Of")
    promised = [each for each in report.findings if each.objective.target is not None]
    # What is not kept first, then what is not known: nobody has to look for it.
    ordered = sorted(promised, key=lambda each: (each.is_met is not False, each.is_met is not None))
    return {
        "title": "Objectives",
        "columns": [Column("What", False), *(Column(head, head != "Kept") for head in heads), Column("Note", False)],
        "rows": [_row(each) for each in ordered],
        "empty": "",
        "note": " ".join((*_nothing(report), _BUDGET, *report.notes)),
    }


def _nothing(report: ServiceReport) -> tuple[str, ...]:
    is_empty = all(each.value is None for each in report.findings)
    return ("Nothing was measured in this time.",) if is_empty else ()


def _row(found: Judged) -> list[str]:
    texts = (value_text(found), target_text(found), kept_text(found), budget_text(found), f"{found.count:,}")
    return [title(found), *texts, found.note]


def _told(report: ServiceReport) -> dict[str, Any]:
    rows = [
        [title(each), value_text(each), f"{each.count:,}", each.objective.meaning]
        for each in report.findings
        if each.objective.target is None
    ]
    return {
        "title": "Told without an objective",
        "columns": [Column("What", False), Column("Measured", True), Column("Of", True), Column("Meaning", False)],
        "rows": rows,
        "empty": "",
        "note": "",
    }


def _users(report: ServiceReport) -> dict[str, Any]:
    return {
        "title": "Active users",
        "columns": [Column("Week", False), Column("Users", True)],
        "rows": [[week, f"{number:,}"] for week, number in reversed(report.users.weeks)],
        "empty": "Nobody has read or asked anything in this time.",
        "note": " ".join(
            text for text in ("Who read or asked something, as the audit trail has it.", report.users.note) if text
        ),
    }
