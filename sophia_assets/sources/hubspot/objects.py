"""Which properties of each CRM object become which columns, which associations are kept, how an answer becomes rows.

A property that no column is made from is not asked for: to add one, add it here and to `tables.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class CrmObject:
    """A CRM object type: `columns` maps HubSpot property names to our column names.

    `cursor` is the property that moves with every modification: for contacts it has another name
    than for everything else, and asking for the wrong one finds nothing. `links` maps the types whose
    associations are kept to the tables they are kept in; `table` is the objects' own.
    """

    type: str
    id_column: str
    columns: Mapping[str, str]
    table: str
    cursor: str = "hs_lastmodifieddate"
    history: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def properties(self) -> tuple[str, ...]:
        return tuple(self.columns)

    @property
    def link_tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.links.values()))


COMPANIES = CrmObject(
    type="companies",
    table="companies",
    id_column="company_id",
    columns={
        "name": "name",
        "domain": "domain",
        "industry": "industry",
        "country": "country",
        "annualrevenue": "annual_revenue",
        "numberofemployees": "employees",
        "hubspot_owner_id": "owner_id",
        "createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
)

CONTACTS = CrmObject(
    type="contacts",
    table="contacts",
    links={"companies": "contact_associations"},
    id_column="contact_id",
    cursor="lastmodifieddate",
    columns={
        "email": "email",
        "firstname": "first_name",
        "lastname": "last_name",
        "jobtitle": "job_title",
        "lifecyclestage": "lifecycle_stage",
        "hubspot_owner_id": "owner_id",
        "associatedcompanyid": "company_id",
        "createdate": "created_at",
        "lastmodifieddate": "updated_at",
    },
)

DEALS = CrmObject(
    type="deals",
    table="deals",
    id_column="deal_id",
    history=("dealstage", "amount", "closedate", "hubspot_owner_id", "dealname"),
    links={"companies": "deal_companies", "contacts": "deal_associations"},
    columns={
        "dealname": "name",
        "pipeline": "pipeline_id",
        "dealstage": "stage_id",
        "amount": "amount",
        "hs_deal_stage_probability": "probability",
        "dealtype": "deal_type",
        "closedate": "close_date",
        "hubspot_owner_id": "owner_id",
        "closed_lost_reason": "lost_reason",
        "createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
)

TICKETS = CrmObject(
    type="tickets",
    table="tickets",
    id_column="ticket_id",
    links=dict.fromkeys(("companies", "contacts", "deals"), "ticket_associations"),
    columns={
        "subject": "subject",
        "hs_pipeline": "pipeline_id",
        "hs_pipeline_stage": "stage_id",
        "hs_ticket_priority": "priority",
        "hs_ticket_category": "category",
        "source_type": "channel",
        "hubspot_owner_id": "owner_id",
        "createdate": "created_at",
        "closed_date": "closed_at",
        "hs_lastmodifieddate": "updated_at",
    },
)

LINE_ITEMS = CrmObject(
    type="line_items",
    table="line_items",
    id_column="line_item_id",
    links={"deals": "line_item_associations"},
    columns={
        "name": "name",
        "hs_product_id": "product_id",
        "hs_sku": "sku",
        "quantity": "quantity",
        "price": "price",
        "amount": "amount",
        "recurringbillingfrequency": "billing_frequency",
        "createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
)

MEETINGS = CrmObject(
    type="meetings",
    table="meetings",
    id_column="meeting_id",
    links=dict.fromkeys(("companies", "contacts", "deals"), "meeting_associations"),
    columns={
        "hs_meeting_title": "title",
        "hs_meeting_outcome": "outcome",
        "hs_meeting_start_time": "starts_at",
        "hs_meeting_end_time": "ends_at",
        "hubspot_owner_id": "owner_id",
        "hs_createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
)

CALLS = CrmObject(
    type="calls",
    table="crm_calls",
    id_column="call_id",
    links=dict.fromkeys(("companies", "contacts", "deals"), "crm_call_associations"),
    columns={
        "hs_call_title": "title",
        "hs_call_direction": "direction",
        "hs_call_status": "status",
        "hs_call_disposition": "disposition_id",
        "hs_call_duration": "duration_ms",
        "hs_timestamp": "called_at",
        "hubspot_owner_id": "owner_id",
        "hs_createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
)

# By the group that reads them, which is called as their table is.
OBJECTS: Mapping[str, CrmObject] = {
    obj.table: obj for obj in (COMPANIES, CONTACTS, DEALS, TICKETS, LINE_ITEMS, MEETINGS, CALLS)
}

# HubSpot sends these unasked; they repeat what a column already holds.
_REPEATED = frozenset({"hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate"})


def row(obj: CrmObject, record: Mapping[str, Any]) -> Row:
    """The record as a row; properties that no column holds keep their own names and end up in `_extra`."""
    found: Row = {obj.id_column: record["id"]}
    own_names = {obj.id_column, *obj.columns.values()}
    for name, value in (record.get("properties") or {}).items():
        column = obj.columns.get(name)
        # A cleared property comes back as an empty string.
        value = None if value == "" else value
        if column is not None:
            found[column] = value
        elif name not in _REPEATED and value is not None:
            found[f"hubspot_{name}" if name in own_names else name] = value
    if found.get("created_at") is None:
        found["created_at"] = record.get("createdAt")
    if found.get("updated_at") is None:
        found["updated_at"] = record.get("updatedAt")
    return found


def history_rows(obj: CrmObject, record: Mapping[str, Any]) -> list[Row]:
    """The versions that the record's watched properties have had, as rows of the history table."""
    rows = []
    for name, versions in (record.get("propertiesWithHistory") or {}).items():
        if name not in obj.history:
            continue
        # HubSpot lists the newest first; of two at the same moment the one listed first is the later.
        for version in reversed(versions or ()):
            rows.append(
                {
                    obj.id_column: record["id"],
                    "property": name,
                    "changed_at": version["timestamp"],
                    "value": None if version.get("value") == "" else version.get("value"),
                    "source_type": version.get("sourceType"),
                }
            )
    return rows


def link_rows(obj: CrmObject, linked: Mapping[str, Mapping[str, Iterable[str]]]) -> dict[str, list[Row]]:
    """The rows of each of the object's link tables; `linked` holds, by target type and record id, the target ids."""
    rows: dict[str, list[Row]] = {table: [] for table in obj.link_tables}
    for to_type, by_record in linked.items():
        table = obj.links[to_type]
        for record_id, ids in by_record.items():
            for to_id in sorted(ids):
                target = {"company_id": to_id} if table == "deal_companies" else {"to_type": to_type, "to_id": to_id}
                rows[table].append({obj.id_column: record_id, **target})
    return rows


def owner_row(owner: Mapping[str, Any]) -> Row:
    """An owner as a row; the primary team comes first where HubSpot marks one."""
    teams = sorted(owner.get("teams") or (), key=lambda team: not team.get("primary"))
    return {
        "owner_id": owner["id"],
        "email": owner.get("email"),
        "first_name": owner.get("firstName"),
        "last_name": owner.get("lastName"),
        "team": teams[0].get("name") if teams else None,
        "archived": owner.get("archived"),
        "created_at": owner.get("createdAt"),
        "updated_at": owner.get("updatedAt"),
    }


def ticket_stage_rows(pipelines: Iterable[Mapping[str, Any]]) -> list[Row]:
    """All stages of the ticket pipelines, as rows."""
    rows = stage_rows(pipelines)
    for found in rows:
        del found["probability"]
    return rows


def stage_rows(pipelines: Iterable[Mapping[str, Any]]) -> list[Row]:
    """All stages of the pipelines; where a stage does not say whether it is closed, its probability does."""
    rows = []
    for pipeline in pipelines:
        for stage in pipeline.get("stages") or ():
            metadata = stage.get("metadata") or {}
            probability = metadata.get("probability")
            closed = metadata.get("isClosed")
            if closed is None and "ticketState" in metadata:
                closed = metadata["ticketState"] == "CLOSED"
            if closed is None and probability is not None:
                closed = float(probability) in (0.0, 1.0)
            rows.append(
                {
                    "pipeline_id": pipeline["id"],
                    "pipeline_label": pipeline.get("label"),
                    "stage_id": stage["id"],
                    "stage_label": stage.get("label"),
                    "display_order": stage.get("displayOrder"),
                    "probability": probability,
                    "is_closed": closed,
                }
            )
    return rows


def moment(text: str) -> datetime:
    """HubSpot's ISO 8601 as an aware datetime."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def milliseconds(value: datetime) -> int:
    """Milliseconds since 1970, rounded down, as HubSpot's filters want them."""
    delta = value - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
