"""The rows behind a figure, as JSON and as CSV.

Belongs here: parameters in, rows out. Does not belong here: who may see which rows and columns (`desk`), finding them
(`metrics.drill_down`).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets.web import schemas
from sophia_assets.web.api import as_json
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.failures import Refused
from sophia_assets.web.schemas import errors
from sophia_assets.web.state import state_of

if TYPE_CHECKING:
    from sophia_assets.access.principal import Principal
    from sophia_assets.desk import Desk
    from sophia_assets.metrics.drill_down import DrillDown

router = APIRouter(prefix="/api", tags=["api"])
MOST_ROWS = 10_000
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The rows, as JSON or as CSV"}
}
_NAME = r"^[a-z][a-z0-9_.-]{0,79}$"
_OUR_OWN = ("format", "limit")


@router.get(
    "/evidence",
    response_model=schemas.EvidenceOut,
    responses={**errors(401, 403, 404, 422), **_CSV},
    operation_id="evidence",
    summary="The rows behind a figure",
)
async def evidence(
    request: Request,
    principal: CurrentPrincipal,
    metric: Annotated[str, Query(pattern=_NAME)],
    start: Annotated[date, Query(description="first business day of the period")],
    end: Annotated[date, Query(description="its last")],
    period_key: Annotated[str, Query(pattern=_NAME, examples=["qtd"])],
    dimension: Annotated[str | None, Query(pattern=_NAME)] = None,
    entity_id: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
    filters: Annotated[str | None, Query(max_length=8_000, description="JSON, as in a citation's evidence")] = None,
    format: Literal["json", "csv"] = "json",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 200,
) -> Response:
    """Of the rows that a figure counts, those that the principal may see; parameters as in a citation's `evidence`."""
    state = state_of(request)
    given = _once(request)
    found = await state.answers.run(_drilled, state.desk, principal, given, limit)
    return _as_csv(metric, found) if format == "csv" else as_json(found.as_json())


def _once(request: Request) -> dict[str, str]:
    """The parameters of the evidence. Raises Refused where one is given twice: which one would count?"""
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    if len(set(names)) < len(names):
        raise Refused(422, "invalid_request", "a parameter is given more than once", "Give each once")
    return {name: value for name, value in given if name not in _OUR_OWN}


def _drilled(desk: Desk, principal: Principal, given: dict[str, str], limit: int) -> DrillDown:
    from sophia_assets.metrics.catalog import load_catalog
    from sophia_assets.metrics.drill_down import Evidence

    wanted = Evidence.from_parameters(given)
    if wanted.metric not in load_catalog().metrics:
        raise Refused(404, "no_metric", "there is no such metric", "GET /api/metrics lists those that there are")
    return desk.evidence(principal, wanted, limit=limit)


def _as_csv(metric: str, found: DrillDown) -> Response:
    from sophia_assets.metrics.drill_down import as_csv

    headers = {"Content-Disposition": f'attachment; filename="{metric}.csv"', "X-Total-Rows": str(found.total_rows)}
    return Response(as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
