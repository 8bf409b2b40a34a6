"""Asks HubSpot for one record of each type, and says which scopes are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from sophia_assets.sources.hubspot.answers import SYSTEM
from sophia_assets.sources.hubspot.api import OBJECTS_PATH, OWNERS_PATH, PIPELINES_PATH, HubSpotApi
from sophia_assets.sources.hubspot.objects import OBJECTS
from sophia_assets.sources.hubspot.tables import TABLES
from sophia_assets.sources.permissions import Budget, Told, tried

# Those types that the scope is not named after in the usual way.
_SCOPES = {
    "tickets": "tickets",
    "meetings": "crm.objects.contacts.read",
    "calls": "crm.objects.contacts.read",
}


def permissions(api: HubSpotApi) -> Iterator[Told]:
    """One request per type. Raises a SourceError where HubSpot does not answer, or does not know the token."""
    headers: Mapping[str, str] = {}

    def look(path: str, obj: str) -> None:
        nonlocal headers
        headers = api.look(path, obj) or headers

    yield tried("crm.objects.owners.read", [f"{SYSTEM}.owners"], lambda: look(OWNERS_PATH, "owners"))
    for group, obj in OBJECTS.items():
        tables = [table.qualified_name for table in TABLES if table.group == group]
        scope = _SCOPES.get(obj.type, f"crm.objects.{obj.type}.read")
        yield tried(scope, tables, partial(look, f"{OBJECTS_PATH}/{obj.type}", obj.type))
    yield tried(
        "crm.schemas.deals.read",
        [f"{SYSTEM}.pipeline_stages"],
        lambda: look(f"{PIPELINES_PATH}/deals", "pipelines"),
    )
    yield from _left(headers)


def _left(headers: Mapping[str, str]) -> Iterator[Told]:
    """What the last answer's headers say of the day's limit."""
    try:
        limit = float(headers["X-HubSpot-RateLimit-Daily"])
        left = float(headers["X-HubSpot-RateLimit-Daily-Remaining"])
    except (KeyError, ValueError):
        return
    yield Budget("the day's requests", left, limit)
