"""HubSpot's objects as its API knows them: names, default properties, value types, association types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sophia_assets.sandbox.company_data import HubSpotRecord
from sophia_assets.sandbox.standins.answers import millisecond_stamp

ValueType = Literal["text", "number", "datetime"]

ALIASES = {
    "companies": "companies", "company": "companies", "0-2": "companies",
    "contacts": "contacts", "contact": "contacts", "0-1": "contacts",
    "deals": "deals", "deal": "deals", "0-3": "deals",
}  # fmt: skip
SINGULAR = {"companies": "company", "contacts": "contact", "deals": "deal"}

# Always returned, whatever was asked for.
SYSTEM_PROPERTIES = {
    "companies": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "contacts": ("createdate", "lastmodifieddate", "hs_object_id"),
    "deals": ("createdate", "hs_lastmodifieddate", "hs_object_id"),
}
DEFAULT_PROPERTIES = {
    "companies": ("name", "domain"),
    "contacts": ("firstname", "lastname", "email"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
}
STANDARD_PROPERTIES = {
    "companies": (
        "name", "domain", "industry", "country", "city", "state", "annualrevenue", "numberofemployees",
        "hubspot_owner_id", "lifecyclestage", "createdate", "hs_lastmodifieddate", "hs_object_id",
    ),
    "contacts": (
        "email", "firstname", "lastname", "jobtitle", "lifecyclestage", "hubspot_owner_id", "associatedcompanyid",
        "company", "phone", "createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id",
    ),
    "deals": (
        "dealname", "pipeline", "dealstage", "amount", "hs_deal_stage_probability", "dealtype", "closedate",
        "hubspot_owner_id", "closed_lost_reason", "closed_won_reason", "description", "createdate",
        "hs_lastmodifieddate", "hs_object_id", "hs_is_closed", "hs_is_closed_won",
    ),
}  # fmt: skip

NUMBERS = {"amount", "hs_deal_stage_probability", "annualrevenue", "numberofemployees", "hs_object_id"}
DATETIMES = {"createdate", "closedate", "hs_lastmodifieddate", "lastmodifieddate"}

# (from, to): the type of the primary association (None where there is no primary), and of the unlabelled one.
ASSOCIATION_TYPES: dict[tuple[str, str], tuple[int | None, int]] = {
    ("deals", "companies"): (5, 341), ("companies", "deals"): (6, 342),
    ("contacts", "companies"): (1, 279), ("companies", "contacts"): (2, 280),
    ("deals", "contacts"): (None, 3), ("contacts", "deals"): (None, 4),
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
    if name == "createdate":
        return millisecond_stamp(record.created_at)
    if name == ("lastmodifieddate" if object_type == "contacts" else "hs_lastmodifieddate"):
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
