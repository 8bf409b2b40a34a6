"""How a row of an export becomes a HubSpot record, whatever its type."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sophia_assets.sandbox.company_data import HubSpotRecord
from sophia_assets.sandbox.exports.files import Row
from sophia_assets.sandbox.exports.values import Cells, hubspot_id

_PROPERTIES = {
    "companies": {
        "name": "name", "domain": "domain", "industry": "industry", "country": "country",
        "annual_revenue": "annualrevenue", "employees": "numberofemployees", "owner_id": "hubspot_owner_id",
    },
    "contacts": {
        "email": "email", "first_name": "firstname", "last_name": "lastname", "job_title": "jobtitle",
        "lifecycle_stage": "lifecyclestage", "owner_id": "hubspot_owner_id", "company_id": "associatedcompanyid",
    },
    "deals": {
        "name": "dealname", "amount": "amount", "deal_type": "dealtype", "owner_id": "hubspot_owner_id",
        "lost_reason": "closed_lost_reason", "probability": "hs_deal_stage_probability",
    },
    "tickets": {
        "subject": "subject", "priority": "hs_ticket_priority", "category": "hs_ticket_category",
        "channel": "source_type", "owner_id": "hubspot_owner_id", "closed_at": "closed_date",
    },
    "line_items": {
        "name": "name", "product_id": "hs_product_id", "sku": "hs_sku", "quantity": "quantity", "price": "price",
        "amount": "amount", "billing_frequency": "recurringbillingfrequency",
    },
    "meetings": {
        "title": "hs_meeting_title", "outcome": "hs_meeting_outcome", "starts_at": "hs_meeting_start_time",
        "ends_at": "hs_meeting_end_time", "owner_id": "hubspot_owner_id",
    },
    "calls": {
        "title": "hs_call_title", "direction": "hs_call_direction", "status": "hs_call_status",
        "duration_ms": "hs_call_duration", "called_at": "hs_timestamp", "owner_id": "hubspot_owner_id",
    },
}  # fmt: skip
_IDS = {"owner_id", "company_id"}
_NUMBERS = {"annual_revenue", "employees", "amount", "probability", "quantity", "price", "duration_ms"}
_MOMENTS = {"closed_at", "starts_at", "ends_at", "called_at"}
_HANDLED = {
    "created_at", "updated_at", "stage", "stage_id", "close_date", "pipeline_id", "company_id", "deal_id", "contact_id",
    "archived", "_extra",
}  # fmt: skip


def hubspot_record(kind: str, key: str, row: Row, cells: Cells, beginning: datetime) -> HubSpotRecord:
    """The record of one row; `key` is the column with its id, `beginning` stands in for a missing creation.

    Columns that are not listed become properties of their own names.
    """
    original = cells.required(row, key)
    id_ = str(hubspot_id(original))
    created = cells.moment(row, "created_at") or beginning
    updated = max(cells.moment(row, "updated_at") or created, created)
    properties: dict[str, str | None] = {}
    for column, name in _PROPERTIES[kind].items():
        if column in _NUMBERS:
            properties[name] = number_text(cells.number(row, column))
        elif column in _MOMENTS:
            moment = cells.moment(row, column)
            properties[name] = iso_text(moment) if moment else None
        else:
            text = cells.text(row, column)
            properties[name] = hubspot_id(text) if column in _IDS else text
    known = _HANDLED | set(_PROPERTIES[kind]) | {key}
    properties |= {name: cells.text(row, name) for name in row.cells if name not in known}
    if id_ != original:
        properties["original_id"] = original
    cursor = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    birth = "hs_createdate" if kind in ("meetings", "calls") else "createdate"
    properties |= {birth: iso_text(created), cursor: iso_text(updated), "hs_object_id": id_}
    return HubSpotRecord(id_, properties, created, updated)


def iso_text(moment: datetime) -> str:
    """A moment as HubSpot writes it."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def number_text(number: Decimal | None) -> str | None:
    """A number as HubSpot writes it, without exponent or needless zeros."""
    if number is None:
        return None
    return f"{number.normalize():f}" if number else "0"
