"""Pages: a template with what every page needs around it.

Belongs here: rendering. Does not belong here: what a page shows (`pages`), who may see it (`authentication`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sophia_assets.access.policies import may_audit, may_see_platform
from sophia_assets.access.principal import Principal
from sophia_assets.web.state import state_of

if TYPE_CHECKING:
    from sophia_assets.services import Services

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")


def render(request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """A page from `templates/<template>`, HTML-escaped. Raises jinja2.TemplateNotFound.

    Beside `context` every template has `request`; `nonce` for its `<script nonce>` and `<style nonce>`; `csrf_token`
    for the hidden field `csrf_token` of every form that changes something (scripts send it as the header
    `X-CSRF-Token`); `principal`, None where nobody is logged in; `navigation`, a list of `{label, path, is_here}`;
    `company`; `dagster_url`, empty where none is set or the principal may not see the platform.
    """
    principal = principal_of(request)
    state = state_of(request)
    sees_platform = principal is not None and may_see_platform(principal)
    everything = {
        "request": request,
        "nonce": nonce_of(request),
        "csrf_token": csrf_of(request),
        "principal": principal,
        "navigation": navigation_for(principal, request.url.path),
        "company": company_of(state.services),
        "dagster_url": state.settings.dagster_url if sees_platform else "",
        **context,
    }
    text = environment().get_template(template).render(everything)
    return HTMLResponse(text, status_code)


@lru_cache(1)
def environment() -> Environment:
    """The environment of all templates: everything is escaped, an unknown name is an error."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def company_of(services: Services) -> str:
    """The company that the home holds, by the name that its briefings have."""
    held = services.home.company()
    return (held.name if held else None) or services.settings.company_name


def nonce_of(request: Request) -> str:
    """The nonce of this answer's content security policy."""
    return str(request.scope["state"]["nonce"])


def csrf_of(request: Request) -> str:
    """What forms and scripts of this page send back; empty where nobody is logged in and nothing can be changed."""
    return str(request.scope["state"].get("csrf", ""))


def principal_of(request: Request) -> Principal | None:
    """Who was found to ask by `authentication`, where a dependency has asked for it."""
    found = request.scope["state"].get("principal")
    return found if isinstance(found, Principal) else None


def navigation_for(principal: Principal | None, path: str) -> list[dict[str, Any]]:
    """The pages that a principal may open."""
    if principal is None:
        return []
    entries = [("Briefing", "/"), ("Archive", "/briefings"), ("Ask", "/ask"), ("Figures", "/metrics-catalog")]
    entries += [
        ("Data", "/status"),
        *([("Usage", "/usage"), ("Objectives", "/objectives")] if may_see_platform(principal) else []),
    ]
    entries += [("Audit", "/audit")] if may_audit(principal) else []
    return [
        {"label": label, "path": where, "is_here": path == where or (where != "/" and path.startswith(f"{where}/"))}
        for label, where in entries
    ]
