"""HubSpot's part of an export folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import HubSpotData, HubSpotOwner, HubSpotRecord, HubSpotStage, PropertyVersion
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.hubspot_activity import ACTIVITY_KEYS, activity, links, ticket_stages
from sophia_assets.sandbox.exports.hubspot_csv import find
from sophia_assets.sandbox.exports.hubspot_records import hubspot_record, iso_text, number_text
from sophia_assets.sandbox.exports.values import Cells, hubspot_id, no_dates

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {
    "hubspot/companies": ("company_id",),
    "hubspot/contacts": ("contact_id",),
    "hubspot/deals": (
        "deal_id",
        "stage",
    ),
    "hubspot/deal_history": (
        "deal_id",
        "property",
        "changed_at",
        "value",
    ),
    "hubspot/deal_companies": (
        "deal_id",
        "company_id",
    ),
    "hubspot/owners": ("owner_id",),
    "hubspot/pipeline_stages": (
        "stage_id",
        "stage_label",
    ),
    **ACTIVITY_KEYS,
}

__all__ = ["KEYS", "build", "find"]

History = dict[str, list[PropertyVersion]]

_HISTORY_PROPERTIES = ("dealstage", "amount", "closedate")
_WON, _LOST = {"won", "closed won", "closedwon"}, {"lost", "closed lost", "closedlost"}
_ONE_TICK = timedelta(milliseconds=1)


def build(objects: Mapping[str, ExportFile], cells: Cells) -> HubSpotData | None:
    """Companies, contacts, deals with histories, owners and the pipeline, or None without any HubSpot file."""
    rows = {name.removeprefix("hubspot/"): file.rows for name, file in objects.items() if name.startswith("hubspot/")}
    if not rows:
        return None
    for object_rows, columns in (
        (rows.get("companies", []), ("created_at", "updated_at")),
        (rows.get("contacts", []), ("created_at", "updated_at")),
        (rows.get("deals", []), ("created_at", "updated_at")),
        (rows.get("deal_history", []), ("changed_at",)),
        (rows.get("tickets", []), ("created_at", "updated_at", "closed_at")),
        (rows.get("line_items", []), ("created_at", "updated_at")),
        (rows.get("meetings", []), ("created_at", "updated_at")),
        (rows.get("crm_calls", []), ("created_at", "updated_at", "called_at")),
    ):
        for row in object_rows:
            for column in columns:
                cells.moment(row, column, event=True)
    pipeline = _Pipeline(rows.get("pipeline_stages", []), rows.get("deals", []), cells)
    for row in rows.get("deals", []):
        cells.moment(row, "close_date", event=pipeline.stage(cells.required(row, "stage")).is_closed)
    if cells.first_event is None:
        raise no_dates()
    beginning = cells.midnight(cells.first_event)
    deals = _Deals(rows, pipeline, cells, beginning)
    return HubSpotData(
        objects={
            "companies": [_company(row, cells, beginning) for row in rows.get("companies", [])],
            "contacts": [_contact(row, cells, beginning) for row in rows.get("contacts", [])],
            "deals": [deals.record(row) for row in rows.get("deals", [])],
            **activity(rows, cells, beginning),
        },
        owners=[_owner(row, cells, beginning) for row in rows.get("owners", [])],
        pipeline_id=pipeline.id,
        pipeline_label=pipeline.label,
        stages=pipeline.stages,
        links=links(rows, cells),
        ticket_stages=ticket_stages(rows, cells),
    )


class _Pipeline:
    """The stages, from their own file or from the deals."""

    def __init__(self, stage_rows: list[Row], deal_rows: list[Row], cells: Cells) -> None:
        first = stage_rows[0] if stage_rows else None
        self.id = (cells.text(first, "pipeline_id") if first else None) or "default"
        self.label = (cells.text(first, "pipeline_label") if first else None) or "Sales pipeline"
        self.stages = (
            [self._declared(row, index, cells) for index, row in enumerate(stage_rows)]
            if stage_rows
            else self._seen(list(dict.fromkeys(cells.required(row, "stage") for row in deal_rows)))
        )
        self._by_name = {stage.label.lower(): stage for stage in self.stages}
        self._by_name |= {stage.id.lower(): stage for stage in self.stages}

    def stage(self, name: str) -> HubSpotStage:
        """The stage of that id or label. Raises ConfigurationError where there is none."""
        try:
            return self._by_name[name.lower()]
        except KeyError:
            allowed = ", ".join(stage.label for stage in self.stages)
            raise ConfigurationError(f"unknown deal stage {name!r}", remedy=f"The stages are: {allowed}.") from None

    @staticmethod
    def _declared(row: Row, index: int, cells: Cells) -> HubSpotStage:
        label = cells.required(row, "stage_label")
        probability, order = cells.number(row, "probability"), cells.whole(row, "display_order")
        closed = cells.truth(row, "is_closed", label.lower() in _WON | _LOST)
        usual = Decimal(1) if label.lower() in _WON else Decimal(0)
        return HubSpotStage(
            cells.required(row, "stage_id"),
            label,
            index if order is None else order,
            float(usual if probability is None else probability),
            closed,
        )

    @staticmethod
    def _seen(labels: list[str]) -> list[HubSpotStage]:
        """Stages by first appearance, the open ones with evenly rising probabilities, the closed ones last."""
        still_open = [label for label in labels if label.lower() not in _WON | _LOST]
        closed = [label for label in labels if label.lower() in _WON]
        closed += [label for label in labels if label.lower() in _LOST]
        stages = [
            HubSpotStage(_stage_id(label), label, index, round((index + 1) / (len(still_open) + 1), 2), False)
            for index, label in enumerate(still_open)
        ]
        return stages + [
            HubSpotStage(_stage_id(label), label, len(stages) + index, float(label.lower() in _WON), True)
            for index, label in enumerate(closed)
        ]


class _Deals:
    """Turns rows into deals, with the histories and associations that other files hold."""

    def __init__(self, rows: Mapping[str, list[Row]], pipeline: _Pipeline, cells: Cells, beginning: datetime) -> None:
        self._pipeline, self._cells, self._beginning = pipeline, cells, beginning
        self._histories: dict[str, History] = defaultdict(lambda: defaultdict(list))
        self._companies: dict[str, list[str]] = defaultdict(list)
        for row in rows.get("deal_history", []):
            self._add_version(row)
        for row in rows.get("deal_companies", []):
            company = hubspot_id(cells.required(row, "company_id"))
            self._companies[cells.required(row, "deal_id")].append(str(company))

    def record(self, row: Row) -> HubSpotRecord:
        """The deal of one row."""
        cells = self._cells
        key = cells.required(row, "deal_id")
        record = hubspot_record("deals", "deal_id", row, cells, self._beginning)
        stage = self._pipeline.stage(cells.required(row, "stage"))
        closed = cells.moment(row, "close_date")
        given = self._histories.get(key, {})
        record.history = {name: _ordered(given[name]) for name in _HISTORY_PROPERTIES if given.get(name)}
        for name, versions in self._synthesised(record, stage, closed).items():
            record.history.setdefault(name, versions)
        record.properties |= {
            "pipeline": cells.text(row, "pipeline_id") or self._pipeline.id,
            "dealstage": stage.id,
            "closedate": iso_text(closed) if closed else None,
        }
        if record.properties.get("hs_deal_stage_probability") is None:
            record.properties["hs_deal_stage_probability"] = str(stage.probability)
        newest = max((v.timestamp for versions in record.history.values() for v in versions), default=record.created_at)
        if cells.text(row, "updated_at") is None:
            record.updated_at = max(record.updated_at, newest)
            record.properties["hs_lastmodifieddate"] = iso_text(record.updated_at)
        companies = list(dict.fromkeys(self._companies.get(key, []) + [str(c) for c in [_company_of(row, cells)] if c]))
        record.associations = {"companies": companies} if companies else {}
        return record

    def _synthesised(self, record: HubSpotRecord, stage: HubSpotStage, closed: datetime | None) -> History:
        """What the row alone says about the past: created open, and closed when it was closed."""
        ended = max(closed or record.updated_at, record.created_at) if stage.is_closed else record.created_at
        stages = [PropertyVersion(stage.id, record.created_at, "IMPORT")]
        if stage.is_closed:
            first_open = next((s for s in self._pipeline.stages if not s.is_closed), None)
            stages = [PropertyVersion(first_open.id, record.created_at, "IMPORT")] if first_open else []
            stages.append(PropertyVersion(stage.id, ended, "IMPORT"))
        history: History = {"dealstage": _ordered(stages)}
        amount = record.properties.get("amount")
        if amount is not None:
            history["amount"] = [PropertyVersion(amount, record.created_at, "IMPORT")]
        if closed is not None:
            history["closedate"] = [PropertyVersion(iso_text(closed), ended, "IMPORT")]
        return history

    def _add_version(self, row: Row) -> None:
        cells = self._cells
        name, changed = cells.required(row, "property"), cells.moment(row, "changed_at")
        if name not in _HISTORY_PROPERTIES:
            raise ConfigurationError(
                f"{row.file}, line {row.line}: no history is kept of {name!r}",
                remedy=f"Allowed are {', '.join(_HISTORY_PROPERTIES)}.",
            )
        if changed is None:
            raise ConfigurationError(f"{row.file}, line {row.line}: changed_at is empty", remedy="Fill it in.")
        value: str | None
        if name == "dealstage":
            value = self._pipeline.stage(cells.required(row, "value")).id
        elif name == "closedate":
            moment = cells.moment(row, "value")
            value = iso_text(moment) if moment else ""
        else:
            value = number_text(cells.number(row, "value")) or ""
        source = cells.text(row, "source_type") or "IMPORT"
        self._histories[cells.required(row, "deal_id")][name].append(PropertyVersion(value, changed, source))


def _company(row: Row, cells: Cells, beginning: datetime) -> HubSpotRecord:
    return hubspot_record("companies", "company_id", row, cells, beginning)


def _contact(row: Row, cells: Cells, beginning: datetime) -> HubSpotRecord:
    record = hubspot_record("contacts", "contact_id", row, cells, beginning)
    company = _company_of(row, cells)
    record.associations = {"companies": [company]} if company else {}
    return record


def _owner(row: Row, cells: Cells, beginning: datetime) -> HubSpotOwner:
    created = cells.moment(row, "created_at") or beginning
    return HubSpotOwner(
        id=str(hubspot_id(cells.required(row, "owner_id"))),
        first_name=cells.text(row, "first_name") or "",
        last_name=cells.text(row, "last_name") or "",
        email=cells.text(row, "email"),
        created_at=created,
        updated_at=cells.moment(row, "updated_at") or created,
        team=cells.text(row, "team"),
        archived=cells.truth(row, "archived", False),
    )


def _company_of(row: Row, cells: Cells) -> str | None:
    return hubspot_id(cells.text(row, "company_id"))


def _ordered(versions: list[PropertyVersion]) -> list[PropertyVersion]:
    """Oldest first; of two at the same moment the later one in the file is a tick later."""
    ordered: list[PropertyVersion] = []
    for version in sorted(versions, key=lambda at: at.timestamp):
        moment = version.timestamp
        if ordered and moment <= ordered[-1].timestamp:
            moment = ordered[-1].timestamp + _ONE_TICK
        ordered.append(PropertyVersion(version.value, moment, version.source_type))
    return ordered


def _stage_id(label: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in label.lower())
