"""Reads HubSpot into rows: the whole list once, then only what was modified, and what was archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sophia_assets.ingestion.http import RetryPolicy
from sophia_assets.sources.declarations import CompleteSet, Deleted, ReadItem, ReplacedChildren, Rows, Window
from sophia_assets.sources.hubspot.api import (
    ASSOCIATION_BATCH,
    HISTORY_BATCH,
    SYSTEM,
    HubSpotApi,
    HubSpotConnection,
    Record,
)
from sophia_assets.sources.hubspot.objects import (
    OBJECTS,
    CrmObject,
    Row,
    history_rows,
    moment,
    owner_row,
    row,
    stage_rows,
)

_CONCURRENT_BATCHES = 4


CONNECTION = HubSpotConnection


def create_source(connection: HubSpotConnection, *, retry: RetryPolicy | None = None) -> HubSpotSource:
    """A client for the account; nothing is contacted yet."""
    return HubSpotSource(connection, retry=retry)


class HubSpotSource:
    """HubSpot as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(self, connection: HubSpotConnection, *, retry: RetryPolicy | None = None) -> None:
        self._connection = connection
        self._api = HubSpotApi(connection, retry or RetryPolicy())

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._api.transport.requests_made

    def ping(self) -> str:
        """See `Source.ping`."""
        self._api.account()
        return f"HubSpot answers at {self._connection.base_url} and accepts the access token"

    def read(self, group: str, window: Window) -> Iterator[ReadItem]:
        """See `Source.read`. `owners` and `pipelines` are read whole, whatever the window."""
        if group == "owners":
            yield from self._owners()
        elif group == "pipelines":
            yield Rows("pipeline_stages", stage_rows(self._api.deal_pipelines()))
            yield CompleteSet("pipeline_stages")
        else:
            obj = OBJECTS[group]
            if window.start is None:
                yield from self._everything(obj)
            else:
                yield from self._modified(obj, window.start, window.end)
            yield from self._archived(obj, window.end)

    def _owners(self) -> Iterator[ReadItem]:
        for archived in (False, True):
            for page in self._api.owner_pages(archived=archived):
                yield Rows("owners", [owner_row(owner) for owner in page])
        yield CompleteSet("owners")

    def _everything(self, obj: CrmObject) -> Iterator[ReadItem]:
        """All there is now. A record that was modified after the window's end is not left out: what it was
        before stands in its history, and without it the day would lack a deal.
        """
        for page in self._api.list_pages(obj):
            yield Rows(obj.type, [row(obj, record) for record in page])
            if obj.history:
                yield Rows("deal_history", [item for record in page for item in history_rows(obj, record)])
            if obj.companies:
                yield from self._inline_companies(page)
        yield CompleteSet(obj.type)

    def _inline_companies(self, records: Sequence[Record]) -> Iterator[ReadItem]:
        """Associations that came with the list; a record with more than fit there is asked about again."""
        linked: dict[str, set[str]] = {}
        cut_off = []
        for record in records:
            companies = (record.get("associations") or {}).get("companies") or {}
            linked[str(record["id"])] = {str(company["id"]) for company in companies.get("results") or ()}
            if (companies.get("paging") or {}).get("next"):
                cut_off.append(str(record["id"]))
        for ids in _chunks(cut_off, ASSOCIATION_BATCH):
            linked |= self._api.associated("deals", "companies", ids)
        yield from _deal_companies(linked)

    def _modified(self, obj: CrmObject, start: datetime, end: datetime) -> Iterator[ReadItem]:
        with ThreadPoolExecutor(_CONCURRENT_BATCHES, thread_name_prefix="hubspot-batch") as pool:
            for page in self._api.modified_pages(obj, start, end):
                yield Rows(obj.type, [row(obj, record) for record in page])
                ids = [str(record["id"]) for record in page]
                histories = []
                if obj.history:
                    histories = [pool.submit(self._api.histories, obj, few) for few in _chunks(ids, HISTORY_BATCH)]
                if obj.companies:
                    linked = [
                        pool.submit(self._api.associated, obj.type, "companies", few)
                        for few in _chunks(ids, ASSOCIATION_BATCH)
                    ]
                    for answer in linked:
                        yield from _deal_companies(answer.result())
                for batch in histories:
                    records = batch.result()
                    yield Rows("deal_history", [item for record in records for item in history_rows(obj, record)])

    def _archived(self, obj: CrmObject, end: datetime) -> Iterator[ReadItem]:
        """Archiving does not move the modification time, so all archived records are swept every time."""
        for page in self._api.archived_pages(obj):
            gone = [str(record["id"]) for record in page if _archived_before(record, end)]
            if gone:
                yield Deleted(obj.type, [(identifier,) for identifier in gone])
                if obj.companies:
                    yield ReplacedChildren("deal_companies", obj.id_column, gone)


def _deal_companies(linked: dict[str, set[str]]) -> Iterator[ReadItem]:
    rows: list[Row] = [
        {"deal_id": deal, "company_id": company} for deal, companies in linked.items() for company in sorted(companies)
    ]
    yield Rows("deal_companies", rows)
    yield ReplacedChildren("deal_companies", "deal_id", list(linked))


def _archived_before(record: Record, end: datetime) -> bool:
    archived_at = record.get("archivedAt")
    return archived_at is None or moment(archived_at) < end


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for place in range(0, len(ids), size):
        yield ids[place : place + size]
