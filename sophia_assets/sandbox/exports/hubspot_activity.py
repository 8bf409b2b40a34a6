"""The part of an export folder that is about tickets, line items, meetings, calls and associations in HubSpot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import HubSpotRecord, HubSpotStage
from sophia_assets.sandbox.exports.files import Row
from sophia_assets.sandbox.exports.hubspot_records import hubspot_record
from sophia_assets.sandbox.exports.values import Cells, hubspot_id

ACTIVITY_KEYS: dict[str, tuple[str, ...]] = {
    "hubspot/tickets": ("ticket_id", "stage"),
    "hubspot/line_items": ("line_item_id",),
    "hubspot/meetings": ("meeting_id",),
    "hubspot/crm_calls": ("call_id",),
    "hubspot/associations": ("from_type", "from_id", "to_type", "to_id"),
}

# HubSpot's name of each object, with its file, the column of its id, and of when it happened.
_OBJECTS = {
    "tickets": ("tickets", "ticket_id", None),
    "line_items": ("line_items", "line_item_id", None),
    "meetings": ("meetings", "meeting_id", "starts_at"),
    "calls": ("crm_calls", "call_id", "called_at"),
}
_TYPES = ("companies", "contacts", "deals", *_OBJECTS)
_CLOSED = {"closed", "done", "resolved"}
_TARGETS = {"companies": "company_id", "contacts": "contact_id", "deals": "deal_id"}


def activity(rows: Mapping[str, list[Row]], cells: Cells, beginning: datetime) -> dict[str, list[HubSpotRecord]]:
    """The records of each object, by HubSpot's names."""
    return {
        kind: [_record(kind, key, happened, row, cells, beginning) for row in rows.get(file, [])]
        for kind, (file, key, happened) in _OBJECTS.items()
    }


def ticket_stages(rows: Mapping[str, list[Row]], cells: Cells) -> list[HubSpotStage]:
    """The stages that occur in the tickets, by first appearance, the closed ones last."""
    labels = list(dict.fromkeys(cells.required(row, "stage") for row in rows.get("tickets", [])))
    labels.sort(key=_is_closed)
    return [HubSpotStage(label, label, place, 0.0, _is_closed(label)) for place, label in enumerate(labels)]


def links(rows: Mapping[str, list[Row]], cells: Cells) -> list[tuple[str, str, str, str]]:
    """The associations of their own file. Raises ConfigurationError for a type that HubSpot does not have."""
    found = []
    for row in rows.get("associations", []):
        kinds = [cells.required(row, "from_type"), cells.required(row, "to_type")]
        for kind in kinds:
            if kind not in _TYPES:
                raise ConfigurationError(
                    f"{row.file}, line {row.line}: unknown object type {kind!r}",
                    remedy=f"Allowed are {', '.join(_TYPES)}.",
                )
        ids = [str(hubspot_id(cells.required(row, column))) for column in ("from_id", "to_id")]
        found.append((kinds[0], ids[0], kinds[1], ids[1]))
    return found


def _record(kind: str, key: str, happened: str | None, row: Row, cells: Cells, beginning: datetime) -> HubSpotRecord:
    moment = cells.moment(row, happened) if happened else None
    record = hubspot_record(kind, key, row, cells, moment or beginning)
    if kind == "tickets":
        record.properties |= {"hs_pipeline": "0", "hs_pipeline_stage": cells.required(row, "stage")}
    targets = {to: hubspot_id(cells.text(row, column)) for to, column in _TARGETS.items()}
    record.associations = {to: [target] for to, target in targets.items() if target}
    if kind == "line_items":
        record.associations = {to: ids for to, ids in record.associations.items() if to == "deals"}
    return record


def _is_closed(label: str) -> bool:
    return label.lower() in _CLOSED
