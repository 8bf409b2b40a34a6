"""One read of one CRM object, in phases that each can be gone on with behind any of their pages.

- `search` (incremental reads only): what was modified in the window, with its history.
- `list`: every live record with its associations. In a full read that is the data. In an incremental
  one it finds what no search can: an association that changed without its record counting as modified,
  a record that was restored, one that was deleted for good or merged into another, and what the search
  index was late for. It takes a request per 100 records.
- `archived`: every archived record with the moment of its archiving, which does not count as a modification
  either. Such a record is stored as it was, so that the days before know it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sophia_assets.errors import ResponseInvalid
from sophia_assets.ingestion.workers import Workers
from sophia_assets.sources.declarations import (
    Checkpoint,
    CompleteSet,
    Deleted,
    PresentKeys,
    ReadItem,
    ReplacedChildren,
    Rows,
    Window,
)
from sophia_assets.sources.hubspot.api import (
    ASSOCIATION_BATCH,
    HISTORY_BATCH,
    HubSpotApi,
    Page,
    Record,
    SearchPlace,
    chunks,
    modified_ms,
)
from sophia_assets.sources.hubspot.objects import CrmObject, history_rows, link_rows, milliseconds, moment, row

_SEARCH, _LIST, _ARCHIVED, _DONE = "search", "list", "archived", "done"
_CONCURRENT_BATCHES = 4
_MOST_RESTARTS = 5
# HubSpot answers a search from the epoch with a 500.
_EARLIEST_MS = 1


class ObjectReading:
    """Reads `obj` for `window`, through `api`."""

    def __init__(self, api: HubSpotApi, obj: CrmObject, window: Window) -> None:
        self._api, self._obj, self._window = api, obj, window
        self._is_full = window.start is None

    def items(self, resume: Any) -> Iterator[ReadItem]:
        """Everything from the position `resume` on (None: from the beginning)."""
        place: Mapping[str, Any] = resume or {"phase": _LIST if self._is_full else _SEARCH}
        phase = place["phase"]
        if phase == _SEARCH and self._window.start is not None:
            yield from self._search(place, self._window.start)
            place, phase = {}, _LIST
        if phase == _LIST:
            yield from self._list(place)
            place, phase = {}, _ARCHIVED
        if phase == _ARCHIVED:
            yield from self._archived(place)

    def _search(self, place: Mapping[str, Any], start: datetime) -> Iterator[ReadItem]:
        lower = place.get("lower", max(milliseconds(start), _EARLIEST_MS))
        upper = milliseconds(self._window.end)
        at: SearchPlace | None = SearchPlace(lower, place.get("drain")) if lower < upper else None
        with Workers(_CONCURRENT_BATCHES, thread_name_prefix="hubspot-batch") as pool:
            while at is not None:
                found, at = self._api.modified_page(self._obj, at, upper)
                yield from self._modified(found, pool)
                yield Checkpoint({"phase": _SEARCH, **at._asdict()} if at else {"phase": _LIST})

    def _modified(self, records: Sequence[Record], pool: Workers) -> Iterator[ReadItem]:
        obj = self._obj
        ids = [str(record["id"]) for record in records] if obj.history else []
        histories = [pool.submit(self._api.histories, obj, few) for few in chunks(ids, HISTORY_BATCH)]
        yield Rows(obj.table, [row(obj, record) for record in records])
        for batch in histories:
            yield from self._history(batch.result())

    def _list(self, place: Mapping[str, Any]) -> Iterator[ReadItem]:
        obj = self._obj
        found_any = bool(place.get("found"))
        for page in self._pages(place.get("after"), archived=False, history=self._is_full and bool(obj.history)):
            found_any = found_any or bool(page.records)
            yield from self._records(page.records)
            if self._is_full:
                yield from self._history(page.records)
            elif page.records:
                yield PresentKeys(obj.table, [(str(record["id"]),) for record in page.records])
            if page.after is not None:
                yield Checkpoint({"phase": _LIST, "after": page.after, "found": found_any})
        if self._is_full:
            yield CompleteSet(obj.table)
        # An account that all of a sudden lists nothing is more likely to be broken than to be empty.
        if self._is_full or found_any:
            for table in obj.link_tables:
                yield CompleteSet(table)
        yield Checkpoint({"phase": _ARCHIVED})

    def _archived(self, place: Mapping[str, Any]) -> Iterator[ReadItem]:
        obj = self._obj
        for page in self._pages(place.get("after"), archived=True, history=bool(obj.history)):
            gone = [record for record in page.records if _archived_before(record, self._window.end)]
            there = [record for record in page.records if not _archived_before(record, self._window.end)]
            if gone:
                yield from self._gone(gone)
            if there:
                yield from self._still_there(there)
            yield Checkpoint({"phase": _ARCHIVED, "after": page.after} if page.after else {"phase": _DONE})

    def _gone(self, records: Sequence[Record]) -> Iterator[ReadItem]:
        """Archived records as they were, and since when they are gone with all that they were associated with."""
        obj = self._obj
        given = {str(record["id"]): record.get("archivedAt") for record in records}
        archived_at = {identifier: moment(text) if text else None for identifier, text in given.items()}
        yield Rows(obj.table, [row(obj, record) for record in records])
        yield Deleted(obj.table, [(identifier,) for identifier in archived_at], list(archived_at.values()))
        yield from self._history(records)
        # Only what fits into the list: HubSpot tells no more of the associations of what is archived.
        inline = {to_type: {str(r["id"]): _inline(r, to_type) for r in records} for to_type in obj.links}
        for table, rows in link_rows(obj, inline).items():
            yield Rows(table, rows)
            keys = [tuple(link.values()) for link in rows]
            yield Deleted(table, keys, [archived_at[str(link[obj.id_column])] for link in rows])
        for table in obj.link_tables:
            yield ReplacedChildren(table, obj.id_column, list(archived_at))

    def _still_there(self, records: Sequence[Record]) -> Iterator[ReadItem]:
        """Records that were archived only after the window's end: at its end they were live.

        An incremental read of an older window must not revive what a newer one has found to be gone.
        """
        obj = self._obj
        if self._is_full:
            yield Rows(obj.table, [row(obj, record) for record in records])
            yield from self._links(records)
        else:
            yield PresentKeys(obj.table, [(str(record["id"]),) for record in records])
            for table, rows in link_rows(obj, self._linked(records)).items():
                yield PresentKeys(table, [tuple(link.values()) for link in rows])
        yield from self._history([record for record in records if self._is_inside(record)])

    def _records(self, records: Sequence[Record]) -> Iterator[ReadItem]:
        """The rows and associations of listed records.

        An incremental read leaves out what was modified after the window's end, for the next window to bring. A full
        one does not: what such a record was before stands in its history, and without it the day would lack it.
        """
        yield Rows(self._obj.table, [row(self._obj, record) for record in records if self._is_inside(record)])
        yield from self._links(records)

    def _links(self, records: Sequence[Record]) -> Iterator[ReadItem]:
        if self._obj.links:
            for table, rows in link_rows(self._obj, self._linked(records)).items():
                yield Rows(table, rows)

    def _linked(self, records: Sequence[Record]) -> dict[str, dict[str, set[str]]]:
        """Associations by target type and record; a record with more than fit into a list is asked about again."""
        linked: dict[str, dict[str, set[str]]] = {}
        for to_type in self._obj.links:
            by_record, cut_off = {}, []
            for record in records:
                by_record[str(record["id"])] = _inline(record, to_type)
                if (_associations(record, to_type).get("paging") or {}).get("next"):
                    cut_off.append(str(record["id"]))
            for ids in chunks(cut_off, ASSOCIATION_BATCH):
                by_record |= self._api.associated(self._obj.type, to_type, ids)
            linked[to_type] = by_record
        return linked

    def _history(self, records: Sequence[Record]) -> Iterator[ReadItem]:
        if self._obj.history:
            yield Rows("deal_history", [item for record in records for item in history_rows(self._obj, record)])

    def _is_inside(self, record: Record) -> bool:
        return self._is_full or modified_ms(self._obj, record) < milliseconds(self._window.end)

    def _pages(self, after: str | None, *, archived: bool, history: bool) -> Iterator[Page]:
        """The pages behind `after`; from the first one on again where HubSpot no longer knows a cursor."""
        restarts = 0
        while True:
            try:
                page = self._api.list_page(self._obj, after, archived=archived, history=history)
            except ResponseInvalid:
                if after is None or restarts == _MOST_RESTARTS:
                    raise
                after, restarts = None, restarts + 1
                continue
            yield page
            if page.after is None:
                return
            after = page.after


def _associations(record: Record, to_type: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (record.get("associations") or {}).get(to_type) or {}
    return found


def _inline(record: Record, to_type: str) -> set[str]:
    """The ids that the record's own list of associations has."""
    return {str(to["id"]) for to in _associations(record, to_type).get("results") or ()}


def _archived_before(record: Record, end: datetime) -> bool:
    archived_at = record.get("archivedAt")
    return archived_at is None or moment(archived_at) < end
