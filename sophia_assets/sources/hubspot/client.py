"""Reads HubSpot into rows: the whole list once, then what was modified, associated, archived or restored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sophia_assets.errors import SchemaDrift
from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, ReadItem, Rows, Window
from sophia_assets.sources.hubspot.answers import SYSTEM
from sophia_assets.sources.hubspot.api import HubSpotApi, HubSpotConnection
from sophia_assets.sources.hubspot.objects import (
    OBJECTS,
    TICKETS,
    CrmObject,
    owner_row,
    stage_rows,
    ticket_stage_rows,
)
from sophia_assets.sources.hubspot.permissions import permissions
from sophia_assets.sources.hubspot.reading import ObjectReading
from sophia_assets.sources.permissions import Told

CONNECTION = HubSpotConnection


def create_source(
    connection: HubSpotConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> HubSpotSource:
    """A client for the account; nothing is contacted yet."""
    return HubSpotSource(connection, retry=retry, limiters=limiters)


class HubSpotSource:
    """HubSpot as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(
        self, connection: HubSpotConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
    ) -> None:
        self._connection = connection
        self._api = HubSpotApi(connection, retry or RetryPolicy(), limiters)

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._api.transport.requests_made

    def permissions(self) -> Iterator[Told]:
        """What the credential may read, asked as cheaply as can be. Raises a SourceError."""
        return permissions(self._api)

    def ping(self) -> str:
        """See `Source.ping`."""
        self._api.ping()
        return f"HubSpot answers at {self._connection.base_url} and accepts the access token"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. `owners` and `pipelines` are read whole, whatever the window.

        Raises SchemaDrift where the account no longer has a property that a column is made from.
        """
        if group == "owners":
            yield from self._owners(resume)
        elif group == "pipelines":
            yield Rows("pipeline_stages", stage_rows(self._api.pipelines("deals")))
            yield CompleteSet("pipeline_stages")
        else:
            obj = OBJECTS[group]
            self._check_properties(obj)
            if obj is TICKETS:
                yield Rows("ticket_stages", ticket_stage_rows(self._api.pipelines(obj.type)))
                yield CompleteSet("ticket_stages")
            yield from ObjectReading(self._api, obj, window).items(resume)

    def _owners(self, resume: Any) -> Iterator[ReadItem]:
        place = resume or {"archived": False, "after": None}
        archived, after = place["archived"], place["after"]
        while True:
            page = self._api.owner_page(after, archived=archived)
            yield Rows("owners", [owner_row(owner) for owner in page.records])
            after = page.after
            if after is None:
                if archived:
                    break
                archived = True
            yield Checkpoint({"archived": archived, "after": after})
        yield CompleteSet("owners")

    def _check_properties(self, obj: CrmObject) -> None:
        """HubSpot leaves out what it does not know without a word, which would look like empty values."""
        known = self._api.property_names(obj.type)
        self._api.learn_account_day()
        missing = [name for name in obj.properties if name not in known] if known else []
        if missing:
            columns = ", ".join(f"{name} (column {obj.columns[name]})" for name in missing)
            raise SchemaDrift(
                f"HubSpot has no property {columns} any more",
                system=SYSTEM,
                obj=obj.type,
                remedy="Restore it under HubSpot > Settings > Properties; the data stays as it was",
            )
