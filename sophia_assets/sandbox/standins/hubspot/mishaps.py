"""What a fault that happens once does to HubSpot's data: each gives the data as they are afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sophia_assets.sandbox.company_data import HubSpotData, HubSpotRecord

_NEVER = datetime.min.replace(tzinfo=UTC)


def tie(data: HubSpotData, count: int) -> HubSpotData:
    """`count` more deals without amount in the first open stage, all created and modified when the newest deal was."""
    deals = _deals(data)
    moment = _latest(data)
    last_id = max((int(deal.id) for deal in deals if deal.id.isdigit()), default=0)
    stage = next((stage.id for stage in data.stages if not stage.is_closed), None)
    properties = {"dealname": "Imported deal", "pipeline": data.pipeline_id, "dealstage": stage}
    more = [HubSpotRecord(str(last_id + number), dict(properties), moment, moment) for number in range(1, count + 1)]
    return _with_deals(data, [*deals, *more])


def association_change(data: HubSpotData, count: int) -> HubSpotData:
    """The newest open deal belongs to another company."""
    found = _newest_open(data)
    had = found.associations.get("companies", []) if found else []
    other = next((record.id for record in data.objects.get("companies", []) if record.id not in had), None)
    if found is None or other is None:
        return data
    return _changed(data, replace(found, associations={**found.associations, "companies": [other]}))


def archive(data: HubSpotData, count: int) -> HubSpotData:
    """The newest open deal is archived; its modification time stays."""
    found = _newest_open(data)
    return data if found is None else _changed(data, replace(found, archived=True, archived_at=_latest(data)))


def restore(data: HubSpotData, count: int) -> HubSpotData:
    """The deal that was archived last is back; its modification time stays."""
    archived = [deal for deal in _deals(data) if deal.archived]
    if not archived:
        return data
    found = max(archived, key=lambda deal: deal.archived_at or _NEVER)
    return _changed(data, replace(found, archived=False, archived_at=None))


MISHAPS: dict[str, Callable[[HubSpotData, int], HubSpotData]] = {
    "tie": tie,
    "association_change": association_change,
    "archive": archive,
    "restore": restore,
}


def _deals(data: HubSpotData) -> list[HubSpotRecord]:
    return data.objects.get("deals", [])


def _latest(data: HubSpotData) -> datetime:
    """The last time anything happened to a deal."""
    moments = [moment for deal in _deals(data) for moment in (deal.updated_at, deal.archived_at) if moment]
    return max(moments, default=datetime(2020, 1, 1, tzinfo=UTC))


def _newest_open(data: HubSpotData) -> HubSpotRecord | None:
    open_stages = {stage.id for stage in data.stages if not stage.is_closed}
    candidates = [d for d in _deals(data) if not d.archived and d.properties.get("dealstage") in open_stages]
    return max(candidates, key=lambda deal: (deal.created_at, deal.id), default=None)


def _changed(data: HubSpotData, changed: HubSpotRecord) -> HubSpotData:
    return _with_deals(data, [changed if deal.id == changed.id else deal for deal in _deals(data)])


def _with_deals(data: HubSpotData, deals: list[HubSpotRecord]) -> HubSpotData:
    """The data with other deals; what was given is left as it is, since others may serve it too."""
    return replace(data, objects={**data.objects, "deals": deals})
