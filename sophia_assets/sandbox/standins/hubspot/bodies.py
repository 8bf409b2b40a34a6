"""The bodies of HubSpot's answers that are no CRM records: batches, associations, owners, pipelines, properties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from starlette.requests import Request

from sophia_assets.sandbox.company_data import HubSpotData, HubSpotOwner, HubSpotStage
from sophia_assets.sandbox.standins.answers import JsonAnswer, millisecond_stamp, now
from sophia_assets.sandbox.standins.hubspot.schema import (
    ASSOCIATION_TYPES,
    SINGULAR,
    STANDARD_PROPERTIES,
    SYSTEM_PROPERTIES,
    value_type,
)
from sophia_assets.sandbox.standins.hubspot.store import ASSOCIATIONS_PER_PAGE

_FIELD_TYPES = {"text": ("string", "text"), "number": ("number", "number"), "datetime": ("datetime", "date")}


def next_page(request: Request, after: str) -> dict[str, Any]:
    """The `paging` of an answer that has a next page."""
    return {"next": {"after": after, "link": str(request.url.include_query_params(after=after))}}


def batch(results: bytes, errors: Sequence[dict[str, Any]]) -> JsonAnswer:
    """A batch's answer, 207 where some of it failed; `results` is the inside of a JSON list."""
    stamp = millisecond_stamp(now())
    rest: dict[str, Any] = {"startedAt": stamp, "completedAt": stamp}
    if errors:
        rest |= {"numErrors": len(errors), "errors": errors}
    body = b'{"status":"COMPLETE","results":[' + results + b"]," + orjson.dumps(rest)[1:]
    return JsonAnswer(body, 207 if errors else 200)


def missing_records(object_type: str, ids: list[str]) -> dict[str, Any]:
    """The error of a batch read for ids that do not exist."""
    message = (
        f"Could not get some {SINGULAR[object_type]} objects, they may be deleted or not exist. "
        "Check that ids are valid."
    )
    return _item_error(message, "OBJECT_NOT_FOUND", {"ids": ids})


def no_association(source: str, record_id: str, target: str) -> dict[str, Any]:
    """The error of a batch read for a record without associations."""
    return _item_error(
        f"No {SINGULAR[target]} is associated with {SINGULAR[source]} {record_id}.",
        "OBJECT_NOT_FOUND",
        {"fromObjectId": [record_id], "fromObjectType": [SINGULAR[source]], "toObjectType": [SINGULAR[target]]},
        subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
    )


def association_page(source: str, record_id: str, target: str, ids: list[str], start: int) -> dict[str, Any]:
    """One record's associations from `start` on, as many as fit."""
    primary, unlabelled = ASSOCIATION_TYPES[source, target]
    to = []
    for at, other in enumerate(ids[start : start + ASSOCIATIONS_PER_PAGE], start):
        types = [{"category": "HUBSPOT_DEFINED", "typeId": unlabelled, "label": None}]
        if primary is not None and at == 0:
            types.insert(0, {"category": "HUBSPOT_DEFINED", "typeId": primary, "label": "Primary"})
        to.append({"toObjectId": other, "associationTypes": types})
    answer: dict[str, Any] = {"from": {"id": record_id}, "to": to}
    if start + ASSOCIATIONS_PER_PAGE < len(ids):
        answer["paging"] = {"next": {"after": to[-1]["toObjectId"]}}
    return answer


def owner_body(owner: HubSpotOwner) -> dict[str, Any]:
    """An owner."""
    answer: dict[str, Any] = {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "createdAt": millisecond_stamp(owner.created_at),
        "updatedAt": millisecond_stamp(owner.updated_at),
        "archived": owner.archived,
    }
    if owner.team:
        answer["teams"] = [{"id": owner.team, "name": owner.team, "primary": True}]
    return answer


def pipeline_bodies(data: HubSpotData, object_type: str, stamp: str) -> list[dict[str, Any]]:
    """The one pipeline of deals or of tickets; other objects have none."""
    times = {"createdAt": stamp, "updatedAt": stamp, "archived": False}
    if object_type == "deals":
        head = {"id": data.pipeline_id, "label": data.pipeline_label}
        stages = [_stage(stage, _deal_metadata(stage), times) for stage in data.stages]
    elif object_type == "tickets" and data.ticket_stages:
        head = {"id": data.ticket_pipeline_id, "label": data.ticket_pipeline_label}
        stages = [_stage(stage, _ticket_metadata(stage), times) for stage in data.ticket_stages]
    else:
        return []
    return [head | {"displayOrder": 0, "stages": stages} | times]


def _deal_metadata(stage: HubSpotStage) -> dict[str, str]:
    return {"isClosed": str(stage.is_closed).lower(), "probability": str(stage.probability)}


def _ticket_metadata(stage: HubSpotStage) -> dict[str, str]:
    return {"isClosed": str(stage.is_closed).lower(), "ticketState": "CLOSED" if stage.is_closed else "OPEN"}


def _stage(stage: HubSpotStage, metadata: dict[str, str], times: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": stage.id,
        "label": stage.label,
        "displayOrder": stage.display_order,
        "metadata": metadata,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        **times,
    }


def property_bodies(object_type: str, known: Iterable[str], stamp: str) -> list[dict[str, Any]]:
    """What the account knows about the properties of an object type."""
    standard = set(STANDARD_PROPERTIES[object_type])
    return [
        {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "description": "",
            "type": _FIELD_TYPES[value_type(name)][0],
            "fieldType": _FIELD_TYPES[value_type(name)][1],
            "groupName": f"{SINGULAR[object_type]}information",
            "options": [],
            "displayOrder": -1,
            "calculated": False,
            "externalOptions": False,
            "hasUniqueValue": False,
            "hidden": False,
            "formField": False,
            "archived": False,
            "hubspotDefined": name in standard,
            "createdAt": stamp,
            "updatedAt": stamp,
            "modificationMetadata": {
                "archivable": name not in SYSTEM_PROPERTIES[object_type],
                "readOnlyDefinition": name in standard,
                "readOnlyValue": name in SYSTEM_PROPERTIES[object_type],
            },
        }
        for name in sorted(known)
    ]


def _item_error(message: str, category: str, context: dict[str, list[str]], **more: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": category,
        "message": message,
        "context": context,
        "errors": [],
        "links": {},
        **more,
    }
