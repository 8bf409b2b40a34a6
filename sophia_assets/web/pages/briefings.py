"""The briefing of a reader's role on the first page, and the archive of those before it.

Belongs here: the routes of briefings. Does not belong here: opening and laying out one (`editions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sophia_assets.access.policies import may_read_edition
from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import EXECUTIVE, ROLES, role_named
from sophia_assets.desk import briefing_target
from sophia_assets.errors import AccessDenied, BriefingMissing, ConfigurationError
from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.insight.names import safe_line
from sophia_assets.insight.slots import day_phrase
from sophia_assets.web.authentication import CurrentPrincipal
from sophia_assets.web.page import render
from sophia_assets.web.pages.editions import KIND_NAMES, Edition, Page, Pages, Seal, StripLine, role_words
from sophia_assets.web.state import state_of

if TYPE_CHECKING:
    from sophia_assets.services import Services

router = APIRouter(include_in_schema=False)
_MONTHS_A_PAGE = 2
_NEAREST = 4
_LIMITED = (
    "A briefing speaks of the whole company, and you read the figures of your own accounts only.",
    "Ask a question instead: every answer keeps to your accounts.",
)


@dataclass(frozen=True)
class Link:
    """A link of a page's tools."""

    address: str
    label: str
    is_current: bool = False


def pages_of(request: Request) -> Pages:
    """The opened briefings of this process."""
    found: Pages | None = getattr(request.app.state, "pages", None)
    if found is None:
        found = request.app.state.pages = Pages(state_of(request).services)
    return found


@router.get("/")
async def newest(
    request: Request, principal: CurrentPrincipal, kind: str = "daily", edition: str | None = None
) -> Response:
    """The newest briefing of the reader's role."""
    return await state_of(request).reads.run(_show, request, principal, _kind(kind), None, edition)


@router.get("/briefings/weekly/{day}")
async def weekly(request: Request, principal: CurrentPrincipal, day: str, edition: str | None = None) -> Response:
    """The review of the week that a day lies in."""
    return await state_of(request).reads.run(_show, request, principal, WEEKLY, _day(day), edition)


@router.get("/briefings/{day}")
async def daily(request: Request, principal: CurrentPrincipal, day: str, edition: str | None = None) -> Response:
    """The briefing of a day."""
    return await state_of(request).reads.run(_show, request, principal, DAILY, _day(day), edition)


@router.get("/briefings")
async def archive(
    request: Request, principal: CurrentPrincipal, before: str | None = None, edition: str | None = None
) -> Response:
    """What was written, by month, the newest first."""
    return await state_of(request).reads.run(_archive, request, principal, before, edition)


def _kind(name: str) -> BriefingKind:
    if name not in KIND_NAMES:
        raise ConfigurationError("there is no such kind of briefing", remedy=f"Use one of {', '.join(KIND_NAMES)}")
    return KIND_NAMES[name]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("that is not a day", remedy="Write it as 2026-11-20") from None


def _show(
    request: Request, principal: Principal, kind: BriefingKind, day: date | None, asked: str | None
) -> HTMLResponse:
    services, pages = state_of(request).services, pages_of(request)
    role = asked or principal.role
    target = briefing_target(kind, day, safe_line(role))
    if not _may_read(services, principal, role, target):
        return _no_briefing(request, "Briefings", _LIMITED, 403 if day else 200)
    days = pages.days(kind, role)
    last = kind.last_day(day) if day else days[-1] if days else None
    if last is None or last not in days:
        return _missing(request, principal, kind, day, role, days)
    edition = Edition(kind, last, role)
    seal, target = pages.seal(edition), briefing_target(kind, edition.day, role)
    try:
        page = pages.open(edition, principal)
        services.audit.record(principal, "briefing.read", target, "allowed")
    except AccessDenied:
        services.audit.record(principal, "briefing.read", target, "denied")
        raise
    except ValueError:
        services.audit.record(principal, "briefing.read", target, "failed")
        told = ("Its file cannot be read any more.", "Whoever runs Sophia can restore it, or write it again.")
        return _no_briefing(request, f"{kind.title}, {day_phrase(edition.day)}", told)
    return _page(request, principal, page, seal, days)


def _may_read(services: Services, principal: Principal, role: str, target: str) -> bool:
    """Whether a briefing may be shown; False where a page says why none is. Raises AccessDenied for another's."""
    if role in ROLES and may_read_edition(principal, role):
        return True
    services.audit.record(principal, "briefing.read", target, "denied")
    if role == principal.role:
        return False
    raise AccessDenied(
        f"the role {principal.role} reads its own edition only", remedy="An executive may read all editions"
    )


def _page(request: Request, principal: Principal, page: Page, seal: Seal, days: Sequence[date]) -> HTMLResponse:
    edition = page.edition
    place = days.index(edition.day)
    lines = list(page.lines)
    if seal.is_broken:
        lines.insert(0, StripLine("This briefing was changed after it was published: do not rely on it.", "alarm"))
    elif seal.is_intact:
        lines.append(StripLine("Its seal is intact."))
    strip = {"written": page.written, "lines": lines, "is_alarming": seal.is_broken, "is_warned": _is_warned(lines)}
    return render(
        request,
        "briefing.html",
        shown=page.shown,
        body=page.body,
        strip=strip,
        kinds=_kinds(edition.kind, edition.role, principal),
        editions=_editions(request, principal, edition),
        earlier=_step(edition, days[place - 1], principal) if place else None,
        later=_step(edition, days[place + 1], principal) if place + 1 < len(days) else None,
    )


def _is_warned(lines: list[StripLine]) -> bool:
    return any(line.tone == "warn" for line in lines)


def _kinds(shown: BriefingKind, role: str, principal: Principal) -> list[Link]:
    named = {} if role == principal.role else {"edition": role}
    return [
        Link(
            f"/?{urlencode({'kind': name, **named})}" if name != "daily" or named else "/",
            "Daily" if name == "daily" else "Weekly review",
            kind is shown,
        )
        for name, kind in KIND_NAMES.items()
    ]


def _editions(request: Request, principal: Principal, edition: Edition) -> list[Link]:
    """The editions of the same day that the reader may open."""
    roles = [
        role
        for role in pages_of(request).editions(edition.kind, edition.day)
        if role in ROLES and may_read_edition(principal, role)
    ]
    return [
        Link(Edition(edition.kind, edition.day, role).address(principal.role), role_words(role), role == edition.role)
        for role in roles
    ]


def _step(edition: Edition, day: date, principal: Principal) -> Link:
    return Link(Edition(edition.kind, day, edition.role).address(principal.role), day_phrase(day))


def _missing(
    request: Request, principal: Principal, kind: BriefingKind, day: date | None, role: str, days: Sequence[date]
) -> HTMLResponse:
    """The page in a briefing's place: what there is instead."""
    what = "weekly review" if kind is WEEKLY else "briefing"
    whose = f" for the role {role_words(role).lower()}" if role != EXECUTIVE else ""
    if not days:
        told = (f"No {what} has been written{whose} yet.", *_how(kind, role))
        return _no_briefing(request, f"No {what} yet", told, 404 if day else 200, _kinds(kind, role, principal))
    assert day is not None, "the newest is there where there is any"
    near = sorted(sorted(days, key=lambda each: abs((each - day).days))[:_NEAREST], reverse=True)
    links = [Link(Edition(kind, each, role).address(principal.role), kind.covered(each)) for each in near]
    covered = kind.covered(kind.last_day(day))
    told = (f"There is none of {covered[:1].lower() + covered[1:] if kind is WEEKLY else covered}{whose}.",)
    return _no_briefing(request, f"No {what}", told, 404, _kinds(kind, role, principal), links)


def _how(kind: BriefingKind, role: str) -> tuple[str, ...]:
    if role != EXECUTIVE:
        return ("Whoever runs Sophia can have one written for your role: the setting is SOPHIA_EDITIONS.",)
    return ("The first one comes with the first Sunday.",) if kind is WEEKLY else ("The first run writes one.",)


def _no_briefing(
    request: Request,
    heading: str,
    lines: tuple[str, ...],
    status: int = 200,
    kinds: list[Link] | None = None,
    nearest: list[Link] | None = None,
) -> HTMLResponse:
    return render(
        request,
        "no_briefing.html",
        status_code=status,
        heading=heading,
        lines=lines,
        kinds=kinds or [],
        editions=[],
        earlier=None,
        later=None,
        nearest=nearest or [],
    )


def _archive(request: Request, principal: Principal, before: str | None, asked: str | None) -> HTMLResponse:
    services, pages = state_of(request).services, pages_of(request)
    role = asked or principal.role
    if not _may_read(services, principal, role, f"archive/{safe_line(role)}"):
        return _archive_page(request, principal, role, {}, 0, {}, _LIMITED)
    services.audit.record(principal, "briefing.read", f"archive/{role}", "allowed")
    every = [Edition(kind, day, role) for kind in KIND_NAMES.values() for day in pages.days(kind, role)]
    every.sort(key=lambda edition: (edition.day, edition.kind is WEEKLY), reverse=True)
    months = {key: list(found) for key, found in groupby(every, key=lambda edition: f"{edition.day:%Y-%m}")}
    keys = list(months)
    start = next((place for place, key in enumerate(keys) if before is None or key < before), len(keys))
    shown = keys[start : start + _MONTHS_A_PAGE]
    named = {} if role == principal.role else {"edition": role}
    around: dict[str, str] = {}
    if start + _MONTHS_A_PAGE < len(keys):
        around["earlier"] = f"/briefings?{urlencode({'before': shown[-1], **named})}"
    if start:
        newer = keys[max(start - _MONTHS_A_PAGE, 0)]
        year, month = int(newer[:4]), int(newer[5:])
        around["later"] = f"/briefings?{urlencode({'before': f'{year + month // 12}-{month % 12 + 1:02}', **named})}"
    notes = () if every else ("No briefing has been written for your role yet.",)
    held = {key: months[key] for key in shown}
    return _archive_page(request, principal, role, held, len(every), around, notes)


def _archive_page(
    request: Request,
    principal: Principal,
    role: str,
    months: Mapping[str, list[Edition]],
    total: int,
    around: Mapping[str, str],
    notes: tuple[str, ...],
) -> HTMLResponse:
    pages = pages_of(request)
    told = [
        {
            "key": key,
            "label": f"{editions[0].day:%B %Y}",
            "entries": [_entry(pages, edition, principal) for edition in editions],
        }
        for key, editions in months.items()
    ]
    roles = [each for each in (EXECUTIVE, *state_of(request).services.settings.editions) if each in ROLES]
    links = [
        Link(f"/briefings?{urlencode({'edition': each})}", role_words(each), each == role)
        for each in dict.fromkeys(roles)
        if may_read_edition(principal, role_named(each).name)
    ]
    return render(
        request,
        "archive.html",
        months=told,
        total=total,
        editions=links,
        notes=notes,
        pages={"earlier": around.get("earlier"), "later": around.get("later")},
    )


def _entry(pages: Pages, edition: Edition, principal: Principal) -> dict[str, Any]:
    """A line of the archive. One whose file is torn, or holds what the reader may not see now, shows its day alone."""
    seal = pages.seal(edition, is_exact=False)
    try:
        bottom_line = pages.bottom_line(edition, principal)
    except (AccessDenied, BriefingMissing, ValueError):
        bottom_line = ""
    return {
        "address": edition.address(principal.role),
        "label": edition.kind.covered(edition.day),
        "is_weekly": edition.kind is WEEKLY,
        "bottom_line": bottom_line,
        "seal": seal,
    }
