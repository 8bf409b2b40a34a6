"""What the stand-ins answer over HTTP, read with plain requests and the vendor's connector, as plain records.

Nothing of the platform's connectors, loader or models is used: this is the other way to the same data.
Every moment is aware UTC; `day_of` gives its day in the business time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets_tests.sandbox.clients import Client, gong_client, hubspot_client

Record = dict[str, Any]

_WATCHED = "dealstage,amount,closedate,hubspot_owner_id,dealname"


@dataclass(frozen=True)
class Deal:
    """A deal with the versions of its watched properties, oldest first; `archived` since when it is gone, if it is."""

    id: str
    created: datetime
    archived: datetime | None
    company_id: str | None
    names: list[tuple[datetime, str]]
    owners: list[tuple[datetime, str]]
    stages: list[tuple[datetime, str]]
    amounts: list[tuple[datetime, str]]
    close_dates: list[tuple[datetime, str]]


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline."""

    id: str
    label: str
    chance: Fraction
    is_open: bool
    is_won: bool


@dataclass(frozen=True)
class Call:
    """A recorded call; `trackers` holds those that were heard."""

    id: str
    started: datetime
    seconds: int
    company_id: str | None
    company_name: str | None
    trackers: frozenset[str]


@dataclass
class Answers:
    """Everything the three systems answered. `systems` names those that are there, and `marts` where rows are."""

    zone: ZoneInfo
    systems: frozenset[str]
    deals: list[Deal] = field(default_factory=list)
    companies: dict[str, Record] = field(default_factory=dict)
    owners: dict[str, Record] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    terms: list[Record] = field(default_factory=list)
    invoices: list[Record] = field(default_factory=list)
    answers: list[Record] = field(default_factory=list)
    marts: dict[str, list[Record]] = field(default_factory=dict)

    def with_marts(self, marts: dict[str, list[Record]]) -> Answers:
        """These answers with the rows of marts, by which metrics of `recomputed_work` are computed."""
        return replace(self, marts=marts, systems=self.systems | {"marts"})

    def day_of(self, moment: datetime) -> date:
        """The business day of a moment."""
        return moment.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        """Midnight at the end of a business day."""
        return datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)

    def company_name(self, company_id: str | None, otherwise: str | None = None) -> str | None:
        """The name the CRM has for a company, else the other system's."""
        record = self.companies.get(company_id or "")
        if record is None:
            return otherwise
        return str(record["name"] or "").strip() or f"Account {company_id}"


def read_answers(env: Mapping[str, str], timezone: str = "UTC") -> Answers:
    """Reads all that the metrics rest on from the systems that `env` names."""
    found = Answers(
        ZoneInfo(timezone),
        frozenset(
            name
            for name, key in (
                ("hubspot", "HUBSPOT_BASE_URL"),
                ("gong", "GONG_BASE_URL"),
                ("snowflake", "SNOWFLAKE_HOST"),
            )
            if env.get(key)
        ),
    )
    if "hubspot" in found.systems:
        _read_hubspot(hubspot_client(dict(env)), found)
    if "gong" in found.systems:
        found.calls = [_call(record) for record in _gong_calls(gong_client(dict(env)))]
    if "snowflake" in found.systems:
        _read_snowflake(env, found)
    return found


def _read_hubspot(client: Client, found: Answers) -> None:
    for archived in ("false", "true"):
        deals = _pages(
            client,
            "/crm/v3/objects/deals",
            limit=50,
            properties=f"createdate,{_WATCHED}",
            propertiesWithHistory=_WATCHED,
            associations="companies",
            archived=archived,
        )
        found.deals += [_deal(record) for record in deals]
    for record in _pages(client, "/crm/v3/objects/companies", limit=100, properties="name,industry"):
        found.companies[record["id"]] = record["properties"]
    for archived in ("false", "true"):
        for record in _pages(client, "/crm/v3/owners", limit=100, archived=archived):
            found.owners[record["id"]] = record
    pipelines = client.get("/crm/v3/pipelines/deals").json()["results"]
    for stage in (stage for pipeline in pipelines for stage in pipeline["stages"]):
        chance = Fraction(stage["metadata"]["probability"])
        closed = stage["metadata"]["isClosed"] == "true"
        found.stages[stage["id"]] = Stage(stage["id"], stage["label"], chance, not closed, closed and chance == 1)


def _pages(client: Client, path: str, **params: Any) -> Iterator[Record]:
    after: str | None = None
    while True:
        answer = client.get(path, params=params | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        content = answer.json()
        yield from content["results"]
        after = content.get("paging", {}).get("next", {}).get("after")
        if after is None:
            return


def _deal(record: Record) -> Deal:
    properties = record["properties"]
    companies = [entry["id"] for entry in record.get("associations", {}).get("companies", {}).get("results", ())]
    return Deal(
        id=record["id"],
        created=_moment(properties["createdate"]),
        archived=_moment(record["archivedAt"]) if record["archived"] else None,
        company_id=min(companies, default=None),
        names=_versions(record, "dealname"),
        owners=_versions(record, "hubspot_owner_id"),
        stages=_versions(record, "dealstage"),
        amounts=_versions(record, "amount"),
        close_dates=_versions(record, "closedate"),
    )


def _versions(record: Record, name: str) -> list[tuple[datetime, str]]:
    """The versions of a property, oldest first; one without any has had its present value from the start."""
    given = [
        (_moment(entry["timestamp"]), entry["value"] or "") for entry in record["propertiesWithHistory"].get(name, ())
    ]
    present = record["properties"].get(name)
    if not given and present:
        return [(_moment(record["properties"]["createdate"]), present)]
    return sorted(given, key=lambda version: version[0])


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _gong_calls(client: Client) -> Iterator[Record]:
    content = {"context": "Extended", "exposedFields": {"content": {"trackers": True}}}
    body: Record = {"filter": {}, "contentSelector": content}
    while True:
        answer = client.post("/v2/calls/extensive", json=body)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["calls"]
        if not page["records"].get("cursor"):
            return
        body["cursor"] = page["records"]["cursor"]


def _call(record: Record) -> Call:
    linked = [entry for context in record.get("context") or () for entry in context["objects"]]
    account: Record = next((entry for entry in linked if entry["objectType"] == "Account"), {})
    names = [entry["value"] for entry in account.get("fields", ()) if entry["name"] == "Name"]
    heard = record.get("content", {}).get("trackers", ())
    return Call(
        id=record["metaData"]["id"],
        started=_moment(record["metaData"]["started"]),
        seconds=record["metaData"]["duration"],
        company_id=account.get("objectId"),
        company_name=names[0] if names else None,
        trackers=frozenset(tracker["name"] for tracker in heard if tracker["count"] > 0),
    )


def _read_snowflake(env: Mapping[str, str], found: Answers) -> None:
    import snowflake.connector

    names = ("account", "user", "password", "database", "warehouse", "role", "host", "protocol")
    given = {name: env[f"SNOWFLAKE_{name.upper()}"] for name in names}
    session = snowflake.connector.connect(
        **given, port=int(env["SNOWFLAKE_PORT"]), session_parameters={"CLIENT_TELEMETRY_ENABLED": False}
    )
    try:
        found.terms = _table(session, "FINANCE.SUBSCRIPTIONS")
        found.invoices = _table(session, "FINANCE.INVOICES")
        found.answers = _table(session, "SUPPORT.SATISFACTION")
    finally:
        session.close(retry=False)


def _table(session: Any, name: str) -> list[Record]:
    with session.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {name}")
        columns = [column.name.lower() for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
