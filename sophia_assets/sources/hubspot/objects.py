"""Which properties of each CRM object become which columns, and how an answer becomes a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class CrmObject:
    """A CRM object type: `columns` maps HubSpot property names to our column names.

    `cursor` is the property that moves with every modification: for contacts it has another name
    than for everything else, and asking for the wrong one finds nothing.
    """

    type: str
    id_column: str
    columns: Mapping[str, str]
    cursor: str = "hs_lastmodifieddate"
    history: tuple[str, ...] = ()
    companies: bool = False

    @property
    def properties(self) -> tuple[str, ...]:
        return tuple(self.columns)


COMPANIES = CrmObject(
    type="companies",
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
    id_column="deal_id",
    history=("dealstage", "amount", "closedate"),
    companies=True,
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

OBJECTS: Mapping[str, CrmObject] = {obj.type: obj for obj in (COMPANIES, CONTACTS, DEALS)}

# HubSpot sends these unasked; they repeat what a column already holds.
_REPEATED = frozenset({"hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate"})


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


def stage_rows(pipelines: Iterable[Mapping[str, Any]]) -> list[Row]:
    """All stages of the pipelines; where a stage does not say whether it is closed, its probability does."""
    rows = []
    for pipeline in pipelines:
        for stage in pipeline.get("stages") or ():
            metadata = stage.get("metadata") or {}
            probability = metadata.get("probability")
            closed = metadata.get("isClosed")
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
