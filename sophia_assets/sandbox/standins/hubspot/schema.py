"""HubSpot's objects as its API knows them: names, default properties, value types, association types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sophia_assets.sandbox.company_data import HubSpotRecord
from sophia_assets.sandbox.standins.answers import millisecond_stamp

ValueType = Literal["text", "number", "datetime"]

# Each type's plural name, with its other names in paths.
_NAMES = {
    "companies": ("company", "0-2"), "contacts": ("contact", "0-1"), "deals": ("deal", "0-3"),
    "tickets": ("ticket", "0-5"), "line_items": ("line_item", "0-8"), "meetings": ("meeting", "0-47"),
    "calls": ("call", "0-48"),
}  # fmt: skip
SINGULAR = {plural: names[0] for plural, names in _NAMES.items()}
ALIASES = {alias: plural for plural, names in _NAMES.items() for alias in (plural, *names)}

_CREATED, _MODIFIED, _ID = "createdate", "hs_lastmodifieddate", "hs_object_id"
# The property that says when a record was created, and the one that moves with every modification.
CREATED_PROPERTY = {"meetings": "hs_createdate", "calls": "hs_createdate"}
MODIFIED_PROPERTY = {"contacts": "lastmodifieddate"}

# Always returned, whatever was asked for.
SYSTEM_PROPERTIES = {
    name: (CREATED_PROPERTY.get(name, _CREATED), MODIFIED_PROPERTY.get(name, _MODIFIED), _ID) for name in SINGULAR
}
DEFAULT_PROPERTIES = {
    "companies": ("name", "domain"),
    "contacts": ("firstname", "lastname", "email"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
    "tickets": ("subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_priority"),
    "line_items": ("amount", "quantity", "hs_product_id"),
    "meetings": (),
    "calls": (),
}
STANDARD_PROPERTIES = {
    "companies": (
        "name", "domain", "industry", "country", "city", "state", "annualrevenue", "numberofemployees",
        "hubspot_owner_id", "lifecyclestage", _CREATED, _MODIFIED, _ID,
    ),
    "contacts": (
        "email", "firstname", "lastname", "jobtitle", "lifecyclestage", "hubspot_owner_id", "associatedcompanyid",
        "company", "phone", _CREATED, "lastmodifieddate", _MODIFIED, _ID,
    ),
    "deals": (
        "dealname", "pipeline", "dealstage", "amount", "hs_deal_stage_probability", "dealtype", "closedate",
        "hubspot_owner_id", "closed_lost_reason", "closed_won_reason", "description", _CREATED, _MODIFIED, _ID,
        "hs_is_closed", "hs_is_closed_won",
    ),
    "tickets": (
        "subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category",
        "hubspot_owner_id", "closed_date", "source_type", _CREATED, _MODIFIED, _ID,
    ),
    "line_items": (
        "name", "hs_product_id", "hs_sku", "quantity", "price", "amount", "discount", "recurringbillingfrequency",
        _CREATED, _MODIFIED, _ID,
    ),
    "meetings": (
        "hs_meeting_title", "hs_meeting_outcome", "hs_meeting_start_time", "hs_meeting_end_time", "hs_timestamp",
        "hs_activity_type", "hubspot_owner_id", "hs_createdate", _MODIFIED, _ID,
    ),
    "calls": (
        "hs_call_title", "hs_call_direction", "hs_call_status", "hs_call_disposition", "hs_call_duration",
        "hs_timestamp", "hs_activity_type", "hubspot_owner_id", "hs_createdate", _MODIFIED, _ID,
    ),
}  # fmt: skip

NUMBERS = {
    "amount", "hs_deal_stage_probability", "annualrevenue", "numberofemployees", "hs_object_id", "quantity", "price",
    "discount", "hs_call_duration",
}  # fmt: skip
DATETIMES = {
    "createdate", "closedate", "hs_lastmodifieddate", "lastmodifieddate", "hs_createdate", "closed_date",
    "hs_meeting_start_time", "hs_meeting_end_time", "hs_timestamp",
}  # fmt: skip

# (from, to): the type of the primary association (None where there is no primary), and of the unlabelled one.
ASSOCIATION_TYPES: dict[tuple[str, str], tuple[int | None, int]] = {
    ("deals", "companies"): (5, 341), ("companies", "deals"): (6, 342),
    ("contacts", "companies"): (1, 279), ("companies", "contacts"): (2, 280),
    ("tickets", "companies"): (26, 339), ("companies", "tickets"): (25, 340),
    ("deals", "contacts"): (None, 3), ("contacts", "deals"): (None, 4),
    ("tickets", "contacts"): (None, 16), ("contacts", "tickets"): (None, 15),
    ("tickets", "deals"): (None, 28), ("deals", "tickets"): (None, 27),
    ("line_items", "deals"): (None, 20), ("deals", "line_items"): (None, 19),
    ("meetings", "companies"): (None, 188), ("companies", "meetings"): (None, 187),
    ("meetings", "contacts"): (None, 200), ("contacts", "meetings"): (None, 199),
    ("meetings", "deals"): (None, 212), ("deals", "meetings"): (None, 211),
    ("calls", "companies"): (None, 182), ("companies", "calls"): (None, 181),
    ("calls", "contacts"): (None, 194), ("contacts", "calls"): (None, 193),
    ("calls", "deals"): (None, 206), ("deals", "calls"): (None, 205),
    ("companies", "companies"): (None, 450), ("contacts", "contacts"): (None, 449), ("deals", "deals"): (None, 451),
}  # fmt: skip


def value_type(name: str) -> ValueType:
    """How a property's values are compared."""
    if name in DATETIMES:
        return "datetime"
    return "number" if name in NUMBERS else "text"


def property_value(object_type: str, record: HubSpotRecord, name: str) -> str | None:
    """A property's value; the ones that HubSpot keeps itself come from the record."""
    value = record.properties.get(name)
    if value is not None:
        return value
    if name == "hs_object_id":
        return record.id
    if name == CREATED_PROPERTY.get(object_type, _CREATED):
        return millisecond_stamp(record.created_at)
    if name == MODIFIED_PROPERTY.get(object_type, _MODIFIED):
        return millisecond_stamp(record.updated_at)
    return None


def comparable(text: str | None, kind: ValueType) -> str | float | None:
    """A stored value in the form in which it is compared: epoch milliseconds, a number, or lower-case text."""
    if text is None or text == "":
        return None
    if kind == "text":
        return text.lower()
    try:
        return float(text) if kind == "number" else epoch_ms(text)
    except ValueError:
        return None


def epoch_ms(text: str) -> float:
    """Epoch milliseconds of an ISO 8601 date-time or date, or of a text that is milliseconds. Raises ValueError."""
    if text.lstrip("-").isdigit() and len(text) > 8:
        return float(text)
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
