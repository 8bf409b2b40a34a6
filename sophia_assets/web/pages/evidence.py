"""The page of a figure: what it is, and the rows, the tables and the query behind it.

Belongs here: its routes. Does not belong here: gathering what it shows (`figures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sophia_assets.access.policies import may_read_edition
from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import role_named
from sophia_assets.errors import AccessDenied, BriefingMissing
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.drill_down import MOST_ROWS, Evidence, EvidenceInvalid, as_csv, counted_metric
from sophia_assets.metrics.facts import Fact
from sophia_assets.metrics.facts_frame import fact_from_json
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.pages.briefings import pages_of
from sophia_assets.web.pages.editions import KIND_NAMES, Edition
from sophia_assets.web.pages.figures import ROWS_A_PAGE, Gathered, cells, evidence_of, gather
from sophia_assets.web.state import state_of

router = APIRouter(include_in_schema=False)
_LAST_PAGE = MOST_ROWS // ROWS_A_PAGE
_OWN_NAMES = ("page",)


@router.get("/evidence")
async def evidence_page(request: Request, principal: CurrentPrincipal) -> Response:
    """The figure that the parameters of `Evidence` find."""
    given = _parameters(request)
    return await state_of(request).reads.run(_of_parameters, request, principal, given)


@router.get("/evidence.csv")
async def evidence_csv(request: Request, principal: CurrentPrincipal) -> Response:
    """The rows behind a figure as a file."""
    evidence = Evidence.from_parameters(_parameters(request))
    state = state_of(request)
    drill = await state.reads.run(state.desk.evidence, principal, evidence, limit=MOST_ROWS)
    name = f"{evidence.metric}-{evidence.start}-{evidence.end}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(as_csv(drill), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/evidence/fact/{fact_id}")
async def fact_page(
    request: Request,
    principal: CurrentPrincipal,
    fact_id: str,
    day: date,
    kind: str = "daily",
    edition: str | None = None,
    page: int = 1,
) -> Response:
    """A fact as a briefing told it, with what is behind it today."""
    run = state_of(request).reads.run
    return await run(_of_fact, request, principal, fact_id, day, kind, edition or principal.role, page)


def _parameters(request: Request) -> dict[str, str]:
    """The parameters of the evidence alone; one that is given twice is no parameter of ours."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name not in _OWN_NAMES]
    if len({name for name, _ in pairs}) != len(pairs):
        raise EvidenceInvalid("a parameter is given twice", remedy="Open a figure's own link")
    return dict(pairs)


def _of_parameters(request: Request, principal: Principal, given: Mapping[str, str]) -> HTMLResponse:
    evidence = Evidence.from_parameters(given)
    page = _page_number(request.query_params.get("page", "1"))
    address = f"/evidence?{urlencode(evidence.as_parameters())}"
    return _page(request, principal, evidence, None, page, address, None)


def _of_fact(
    request: Request, principal: Principal, fact_id: str, day: date, kind: str, role: str, page: int
) -> HTMLResponse:
    if kind not in KIND_NAMES:
        raise EvidenceInvalid("there is no such kind of briefing", remedy=f"Use one of {', '.join(KIND_NAMES)}")
    edition = Edition(KIND_NAMES[kind], day, role_named(role).name)
    try:
        if not may_read_edition(principal, role):
            raise AccessDenied(
                f"the role {principal.role} reads its own edition only", remedy="An executive may read all editions"
            )
        pages_of(request).open(edition, principal)
        fact = _fact(pages_of(request).content(edition), fact_id)
    except AccessDenied:
        state_of(request).services.audit.record(principal, "evidence.read", fact_id[:200], "denied", {"edition": role})
        raise
    except ValueError:
        raise BriefingMissing("this briefing cannot be read any more", remedy="Open another one") from None
    back = {"address": edition.address(principal.role), "label": edition.kind.covered(day)}
    address = edition.fact_address(fact_id)
    return _page(request, principal, evidence_of(fact), fact, _page_number(str(page)), address, back)


def _fact(content: Mapping[str, Any], fact_id: str) -> Fact:
    found = next((fact for fact in content["facts"] if fact["id"] == fact_id), None)
    if found is None:
        raise BriefingMissing("this briefing tells no such figure", remedy="Open the figure from the briefing")
    return fact_from_json(found)


def _page_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= _LAST_PAGE:
        raise EvidenceInvalid("there is no such page of rows", remedy=f"Use 1 to {_LAST_PAGE}")
    return int(text)


def _page(
    request: Request,
    principal: Principal,
    evidence: Evidence,
    told: Fact | None,
    page: int,
    address: str,
    back: dict[str, str] | None,
) -> HTMLResponse:
    state = state_of(request)
    found = gather(state.services, state.desk, principal, evidence, told, page * ROWS_A_PAGE)
    return render(
        request,
        "evidence.html",
        figure=found.figure,
        rows=_rows(found, evidence, page, address),
        back=back,
        sources=found.sources,
        lineage=found.lineage,
        sql=found.sql,
        query_hash=found.query_hash,
    )


def _rows(found: Gathered, evidence: Evidence, page: int, address: str) -> dict[str, Any]:
    """A page of the rows, with links to those around it."""
    if found.drill is None:
        return {"refusal": found.refusal or "There are no rows that may be shown."}
    start, total = (page - 1) * ROWS_A_PAGE, found.drill.total_rows
    catalog = load_catalog()
    metric = counted_metric(catalog, catalog.metrics[evidence.metric])
    columns, rows = cells(found.drill, metric, start)
    link = "&" if "?" in address else "?"
    words = f"{total:,} row{'' if total == 1 else 's'} count{'s' if total == 1 else ''} towards it"
    if total > ROWS_A_PAGE:
        words += f"; shown are {start + 1:,} to {start + len(rows):,}"
    more = start + ROWS_A_PAGE < total and page < _LAST_PAGE
    return {
        "refusal": "",
        "total": total,
        "words": f"{words}.",
        "columns": columns,
        "cells": rows,
        "csv": f"/evidence.csv?{urlencode(evidence.as_parameters())}",
        "earlier": f"{address}{link}page={page - 1}" if page > 1 else "",
        "later": f"{address}{link}page={page + 1}" if more else "",
    }
