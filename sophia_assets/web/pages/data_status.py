"""How current the data is: each system, and for those who run the platform what is broken.

Belongs here: laying out what `web.status` reads. Does not belong here: judging it (`observability`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sophia_assets.access.policies import may_see_platform
from sophia_assets.access.principal import Principal
from sophia_assets.insight.names import listed
from sophia_assets.insight.rendering.evidence import local_time
from sophia_assets.insight.slots import day_phrase
from sophia_assets.sources import registry
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.pages.lineage import asset_address
from sophia_assets.web.state import state_of

router = APIRouter(include_in_schema=False)
_NONE = "\u2013"
# The lamp of a system by how fresh its oldest table is.
_STATES = {
    "fresh": "fresh",
    "quiet": "fresh",
    "late": "stale",
    "overdue": "stale",
    "never loaded": "empty",
    "": "empty",
}
_WORDS = {
    "fresh": "Up to date",
    "quiet": "Up to date, nothing new for long",
    "late": "Late",
    "overdue": "Overdue",
    "never loaded": "Never loaded",
    "": "No data",
}
_CIRCUITS = {"closed": "Closed", "forced closed": "Held closed"}


@router.get("/status")
async def status_page(request: Request, principal: CurrentPrincipal) -> Response:
    """The state of the data, a few seconds old at most."""
    state = state_of(request)
    found = await state.reads.run(state.board.read)
    return _page(request, principal, found, state.services.settings.tzinfo)


def _page(request: Request, principal: Principal, found: Mapping[str, Any], zone: ZoneInfo) -> HTMLResponse:
    sees_platform = may_see_platform(principal)
    systems = [each for each in found["systems"] if each["system"] in registry.SYSTEMS]
    rows = [_system(each, found["tables"], zone) for each in sorted(systems, key=lambda each: not each["is_connected"])]
    dagster = state_of(request).settings.dagster_url if sees_platform else ""
    return render(
        request,
        "status.html",
        looked=f"Looked at {_moment(found['at'], zone)}",
        summary=_summary(found, rows),
        systems=rows,
        sees_platform=sees_platform,
        problems=[_problem(each, dagster, zone) for each in found["problems"]] if sees_platform else [],
        circuits=[
            {"name": each["display_name"], "told": each["told"]}
            for each in found["systems"]
            if each["breaker"] not in _CIRCUITS and (each["is_connected"] or each["system"] not in registry.SYSTEMS)
        ],
    )


def _summary(found: Mapping[str, Any], rows: list[dict[str, Any]]) -> str:
    if found["day"] is None:
        return "There is no data yet."
    missing = [row["name"] for row in rows if row["state"] in ("stale", "empty")]
    through = f"Answers are of data through {day_phrase(date.fromisoformat(found['day']))}"
    if not missing:
        return f"{through}, and every connected system is up to date."
    return f"{through}; {listed(missing)} {'is' if len(missing) == 1 else 'are'} behind."


def _system(system: Mapping[str, Any], tables: list[Mapping[str, Any]], zone: ZoneInfo) -> dict[str, Any]:
    own = [each for each in tables if each["table"].split(".")[0] == system["system"]]
    reaches = min((each["reaches"] for each in own if each["reaches"]), default=None)
    freshness = system["freshness"]
    if not system["is_connected"]:
        return {
            **dict.fromkeys(("reaches", "loaded", "circuit", "next_try"), _NONE),
            "name": system["display_name"],
            "state": "off",
            "words": "Not connected",
        }
    return {
        "name": system["display_name"],
        "state": _STATES.get(freshness, "stale"),
        "words": _WORDS.get(freshness, freshness),
        "reaches": last_day(datetime.fromisoformat(reaches), zone) if reaches else _NONE,
        "loaded": _moment(system["loaded_at"], zone),
        "circuit": _CIRCUITS.get(system["breaker"], system["breaker"].capitalize()),
        "next_try": _moment(system["next_try"], zone),
    }


def last_day(moment: datetime, zone: ZoneInfo) -> str:
    """The last business day of which data that reaches up to a moment (UTC) holds anything."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return day_phrase((aware - timedelta(microseconds=1)).astimezone(zone).date())


def _problem(problem: Mapping[str, Any], dagster: str, zone: ZoneInfo) -> dict[str, Any]:
    subject = problem["subject"]
    name = registry.display_name(subject) if subject in registry.SYSTEMS else subject
    return {
        **{key: problem[key] for key in ("severity", "expected", "observed", "recovery")},
        "subject": name,
        "since": _moment(problem["since"], zone) if problem["since"] else "",
        "address": asset_address(dagster, subject) if "." in subject else "",
    }


def _moment(text: str | None, zone: ZoneInfo) -> str:
    return local_time(datetime.fromisoformat(text), zone) if text else _NONE
