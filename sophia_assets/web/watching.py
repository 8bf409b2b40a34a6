"""What watches the process asks: whether it lives, and whether it can serve. Nothing else is told there."""

from __future__ import annotations

from time import monotonic
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sophia_assets.errors import SophiaError
from sophia_assets.web.failures import unavailable
from sophia_assets.web.schemas import Standing, errors
from sophia_assets.web.state import WebState, state_of

router = APIRouter(tags=["watching"])
_KEPT_SECONDS = 0.5


@router.get("/healthz", response_model=Standing, operation_id="healthz", summary="Whether the process lives")
async def healthz() -> Response:
    """Answers as long as the process serves at all."""
    return Response(orjson.dumps({"status": "alive"}), media_type="application/json")


@router.get(
    "/readyz", response_model=Standing, responses=errors(503), operation_id="readyz", summary="Whether it can serve"
)
async def readyz(request: Request) -> Response:
    """Ready once the data is loaded, and while the store of users, sessions and audit can be reached."""
    state = state_of(request)
    if not state.is_warm:
        raise unavailable("the data is being loaded")
    if not await _reaches_store(state):
        raise unavailable("the control store cannot be reached")
    return Response(orjson.dumps({"status": "ready"}), media_type="application/json")


async def _reaches_store(state: WebState) -> bool:
    """Whether the store answers, asked for all who want to know at once: anybody may ask, as often as they like."""
    async with state.asking_store:
        if monotonic() - state.store_asked_at > _KEPT_SECONDS:
            try:
                await state.reads.run(_ask_control_store, state)
                state.reaches_store = True
            except SophiaError:
                state.reaches_store = False
            state.store_asked_at = monotonic()
        return state.reaches_store


def _ask_control_store(state: WebState) -> Any:
    from sqlalchemy import text

    with state.services.control.reading() as connection:
        return connection.execute(text("SELECT 1")).scalar()
