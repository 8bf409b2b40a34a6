"""Who read, asked and changed what, for those who may audit.

Belongs here: laying out entries of the audit trail. Does not belong here: whether they are whole (`sophia audit
verify`, which reads all of them, archives and checkpoints included).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sophia_assets.access.audit import AuditEntry
from sophia_assets.access.audit_masking import masked
from sophia_assets.access.policies import may_audit
from sophia_assets.access.principal import Principal
from sophia_assets.errors import AccessDenied
from sophia_assets.plain_text import visible
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.pages.cards import Column
from sophia_assets.web.state import WebState, state_of

router = APIRouter(include_in_schema=False)
_ENTRIES = 100
_LONGEST = 160
_COLUMNS = [Column("Number", True), Column("At, UTC", True), *(Column(head, False) for head in ("Who", "What", "More"))]


@router.get("/audit")
async def audit_page(
    request: Request,
    principal: CurrentPrincipal,
    who: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
) -> Response:
    """A hundred entries, the newest first; reading them is an entry, too. Raises AccessDenied and AuditUnavailable."""
    if not may_audit(principal):
        raise AccessDenied("the audit trail speaks of everybody", remedy="The roles executive and auditor read it")
    state = state_of(request)
    return await state.reads.run(_page, request, state, principal, who.strip(), action.strip(), before)


def _page(
    request: Request, state: WebState, principal: Principal, who: str, action: str, before: int | None
) -> HTMLResponse:
    trail = state.services.audit
    newest = trail.record(principal, "audit.read", "audit", "allowed", {"who": who or None, "action": action or None})
    entries = trail.tail(_ENTRIES, who=who or None, action=action or None, before=before)
    older = ""
    if len(entries) == _ENTRIES:
        wanted = {"who": who, "action": action, "before": str(entries[-1].seq)}
        older = "/audit?" + urlencode({name: value for name, value in wanted.items() if value})
    table = {
        "title": "Entries",
        "columns": _COLUMNS,
        "rows": [_row(entry) for entry in entries],
        "empty": "No such entry." if who or action else "Nothing older.",
        "note": "Whether the trail is whole, `sophia audit verify` tells.",
    }
    return render(request, "audit.html", total=f"{newest:,}", who=who, action=action, tables=[table], older=older)


def _row(entry: AuditEntry) -> list[str]:
    who = ", ".join(part for part in (entry.actor, entry.role, f"by {entry.channel}") if part)
    # What was let through is the ordinary case.
    what = f"{entry.action} {entry.target}" + ("" if entry.outcome == "allowed" else f": {entry.outcome}")
    moment = entry.at[:19].replace("T", " ")
    return [f"{entry.seq:,}", moment, *map(_short, (who, what, _details(entry.details)))]


def _details(details: Mapping[str, Any]) -> str:
    told = ((name, value) for name, value in masked(details).items() if value not in (None, "", {}, []))
    return "; ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}" for name, value in told
    )


def _short(text: str) -> str:
    """On one line, with nothing in it that turns the direction of the text."""
    plain = visible(text)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
