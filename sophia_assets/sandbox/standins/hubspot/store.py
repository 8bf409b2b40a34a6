"""HubSpot's records, ready to be served: sorted, indexed, and serialised once per requested shape."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from sophia_assets.sandbox.company_data import HubSpotData, HubSpotRecord
from sophia_assets.sandbox.standins.answers import millisecond_stamp
from sophia_assets.sandbox.standins.hubspot.schema import (
    ASSOCIATION_TYPES,
    DEFAULT_PROPERTIES,
    SINGULAR,
    STANDARD_PROPERTIES,
    SYSTEM_PROPERTIES,
    comparable,
    property_value,
    value_type,
)
from sophia_assets.sandbox.standins.hubspot.search import Search, Value, find

# Associations beyond this many need a further page, per record.
ASSOCIATIONS_PER_PAGE = 100
_SHAPES_KEPT = 8
_SEARCHES_KEPT = 16
_FRAGMENTS_KEPT = 400_000

# Where a page that begins at its first argument ends: (start, most, total) -> end.
PageEnd = Callable[[int, int, int], int]

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True)
class Shape:
    """Which properties, histories and associations of a record are served."""

    properties: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    associations: tuple[str, ...] = ()


class Associations:
    """Who is associated with whom, in both directions whichever side recorded it. Primary ones come first."""

    def __init__(self, data: HubSpotData) -> None:
        self._pairs: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
        for object_type, records in data.objects.items():
            for record in records:
                for other_type, ids in record.associations.items():
                    for other in ids:
                        self._add(object_type, record.id, other_type, other)
                company = record.properties.get("associatedcompanyid") if object_type == "contacts" else None
                if company:
                    self._add("contacts", record.id, "companies", company)
        for link in data.links:
            self._add(*link)

    def _add(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        for a, a_id, b, b_id in ((from_type, from_id, to_type, to_id), (to_type, to_id, from_type, from_id)):
            self._pairs.setdefault((a, b), {}).setdefault(a_id, {})[b_id] = None

    def of(self, from_type: str, from_id: str, to_type: str) -> list[str]:
        """The ids of `to_type` that the record is associated with."""
        return list(self._pairs.get((from_type, to_type), {}).get(from_id, ()))


class ObjectStore:
    """All records of one object type."""

    def __init__(
        self,
        object_type: str,
        records: Sequence[HubSpotRecord],
        associations: Associations,
        removed: frozenset[str] = frozenset(),
    ) -> None:
        self.object_type = object_type
        self.associations = associations
        self._lists = {
            archived: sorted((r for r in records if r.archived is archived), key=_id_order)
            for archived in (False, True)
        }
        self._positions = {flag: {r.id: at for at, r in enumerate(listed)} for flag, listed in self._lists.items()}
        self.known = frozenset(STANDARD_PROPERTIES[object_type]).union(*(r.properties for r in records)) - removed
        self._columns: dict[str, list[Value]] = {}
        self._fragments: OrderedDict[Shape, dict[str, bytes]] = OrderedDict()
        self._searches: OrderedDict[tuple[Any, ...], list[int]] = OrderedDict()
        self._keep_fragments = len(records) <= _FRAGMENTS_KEPT

    def get(self, record_id: str, archived: bool) -> HubSpotRecord | None:
        """The record, or None when there is none in that state."""
        at = self._positions[archived].get(record_id)
        return None if at is None else self._lists[archived][at]

    def page(self, archived: bool, after: str, limit: int, end_of: PageEnd) -> tuple[list[HubSpotRecord], str | None]:
        """Up to `limit` records after the id `after` in the order of ids, and the next page's `after`."""
        listed = self._lists[archived]
        start = 0
        if after:
            at = self._positions[archived].get(after)
            start = bisect_right(listed, _text_order(after), key=_id_order) if at is None else at + 1
        end = end_of(start, limit, len(listed))
        return listed[start:end], listed[end - 1].id if end < len(listed) else None

    def found(self, search: Search, end_of: PageEnd) -> tuple[list[HubSpotRecord], int, int]:
        """The page of records that a search finds, where it ends, and how many are found. Never the archived."""
        live = self._lists[False]
        positions = self._searches.get(search.selection)
        if positions is None:
            positions = find(search, len(live), self._column, DEFAULT_PROPERTIES[self.object_type])
            _remember(self._searches, search.selection, positions, _SEARCHES_KEPT)
        end = end_of(search.after, search.limit, len(positions))
        return [live[at] for at in positions[search.after : end]], end, len(positions)

    def serialised(self, records: Sequence[HubSpotRecord], shape: Shape) -> bytes:
        """The records as the inside of a JSON list."""
        if not self._keep_fragments:
            return b",".join(orjson.dumps(self._as_json(record, shape)) for record in records)
        kept = self._fragments.get(shape)
        if kept is None:
            kept = _remember(self._fragments, shape, {}, _SHAPES_KEPT)
        parts: list[bytes] = []
        for record in records:
            part = kept.get(record.id)
            if part is None:
                part = kept[record.id] = orjson.dumps(self._as_json(record, shape))
            parts.append(part)
        return b",".join(parts)

    def _column(self, name: str) -> list[Value]:
        column = self._columns.get(name)
        if column is None:
            kind = value_type(name)
            column = [comparable(property_value(self.object_type, r, name), kind) for r in self._lists[False]]
            self._columns[name] = column
        return column

    def _as_json(self, record: HubSpotRecord, shape: Shape) -> dict[str, Any]:
        names = (shape.properties or DEFAULT_PROPERTIES[self.object_type]) + SYSTEM_PROPERTIES[self.object_type]
        answer: dict[str, Any] = {
            "id": record.id,
            "properties": {n: property_value(self.object_type, record, n) for n in names if n in self.known},
            "createdAt": millisecond_stamp(record.created_at),
            "updatedAt": millisecond_stamp(record.updated_at),
            "archived": record.archived,
        }
        if record.archived_at is not None:
            answer["archivedAt"] = millisecond_stamp(record.archived_at)
        if shape.history:
            answer["propertiesWithHistory"] = {n: self._history(record, n) for n in shape.history if n in self.known}
        listed = {to: self._associated(record.id, to) for to in shape.associations}
        if any(listed.values()):
            answer["associations"] = {to: value for to, value in listed.items() if value}
        return answer

    def _history(self, record: HubSpotRecord, name: str) -> list[dict[str, str]]:
        versions = record.history.get(name)
        if versions is None:
            value = property_value(self.object_type, record, name)
            stamp = millisecond_stamp(record.created_at)
            return [] if value is None else [{"value": value, "timestamp": stamp, "sourceType": "CRM_UI"}]
        return [
            {"value": v.value, "timestamp": millisecond_stamp(v.timestamp), "sourceType": v.source_type}
            for v in reversed(versions)
        ]

    def _associated(self, record_id: str, to_type: str) -> dict[str, Any] | None:
        ids = self.associations.of(self.object_type, record_id, to_type)
        if not ids:
            return None
        label = f"{SINGULAR[self.object_type]}_to_{SINGULAR[to_type]}"
        primary, _ = ASSOCIATION_TYPES[self.object_type, to_type]
        results = []
        for at, other in enumerate(ids[:ASSOCIATIONS_PER_PAGE]):
            if primary is None or at == 0:
                results.append({"id": other, "type": label})
            if primary is not None:
                results.append({"id": other, "type": f"{label}_unlabeled"})
        answer: dict[str, Any] = {"results": results}
        if len(ids) > ASSOCIATIONS_PER_PAGE:
            answer["paging"] = {"next": {"after": ids[ASSOCIATIONS_PER_PAGE - 1]}}
        return answer


def _text_order(record_id: str) -> tuple[int, int, str]:
    return (0, int(record_id), "") if record_id.isdigit() else (1, 0, record_id)


def _id_order(record: HubSpotRecord) -> tuple[int, int, str]:
    return _text_order(record.id)


def _remember(kept: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> _V:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)
    return value
