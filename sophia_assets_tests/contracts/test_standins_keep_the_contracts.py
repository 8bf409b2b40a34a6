"""What the stand-ins answer is what the vendors' OpenAPI files promise, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import jsonschema
import pytest

from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Window
from sophia_assets_tests.contracts.openapi import (
    CONTRACTS,
    check,
    check_request,
    gong_quirks,
    hubspot_quirks,
    needs_contracts,
)
from sophia_assets_tests.sandbox.clients import Client, gong_client, hubspot_client
from sophia_assets_tests.sandbox.small_company import BIG_ID, START, Served, served, small_company

pytestmark = needs_contracts

OBJECTS = [
    ("companies", "companies.v3.json", "companies"),
    ("contacts", "contacts.v3.json", "contacts"),
    ("deals", "deals.v3.json", "0-3"),
    ("tickets", "tickets.v3.json", "tickets"),
    ("line_items", "lineItems.v3.json", "line_items"),
    ("meetings", "meetings.v3.json", "meetings"),
    ("calls", "calls.v3.json", "calls"),
]
GONG = "gong/gong-openapi-v2.json"


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served(small_company(snowflake=None), limits=False) as started:
        yield started


@pytest.fixture
def hubspot(running: Served) -> Client:
    return hubspot_client(running.env)


@pytest.fixture
def gong(running: Served) -> Client:
    return gong_client(running.env)


def hubspot_check(answer: Any, file: str, path: str, method: str = "get") -> None:
    check(answer.json(), f"hubspot/{file}", path, method, answer.status_code, hubspot_quirks)


@pytest.mark.parametrize(("name", "file", "segment"), OBJECTS)
def test_hubspot_lists_keep_the_contract(hubspot: Client, name: str, file: str, segment: str) -> None:
    other = {"companies": "contacts", "line_items": "deals"}.get(name, "companies")
    params: dict[str, Any] = {"limit": 2, "propertiesWithHistory": "dealstage,name,email", "associations": other}
    for archived in ("false", "true"):
        answer = hubspot.get(f"/crm/v3/objects/{name}", params={**params, "archived": archived})
        hubspot_check(answer, file, f"/crm/v3/objects/{segment}")


@pytest.mark.parametrize(("name", "file", "segment"), OBJECTS)
def test_hubspot_searches_and_batch_reads_keep_the_contract(
    hubspot: Client, name: str, file: str, segment: str
) -> None:
    found = hubspot.post(f"/crm/v3/objects/{name}/search", json={"limit": 2})
    assert found.json()["results"]
    hubspot_check(found, file, f"/crm/v3/objects/{segment}/search", "post")
    inputs = [{"id": item["id"]} for item in found.json()["results"]]
    for wanted in (inputs, [*inputs, {"id": "404"}]):
        read = hubspot.post(f"/crm/v3/objects/{name}/batch/read", json={"inputs": wanted})
        hubspot_check(read, file, f"/crm/v3/objects/{segment}/batch/read", "post")


def test_a_single_hubspot_record_keeps_the_contract(hubspot: Client) -> None:
    answer = hubspot.get("/crm/v3/objects/deals/5001", params={"associations": "companies"})
    hubspot_check(answer, "deals.v3.json", "/crm/v3/objects/0-3/{dealId}")


def test_hubspot_associations_keep_the_contract(hubspot: Client) -> None:
    path = "/crm/v4/associations/{fromObjectType}/{toObjectType}/batch/read"
    for ids in (["5001"], ["5001", "5005"]):
        body = {"inputs": [{"id": value} for value in ids]}
        answer = hubspot.post("/crm/v4/associations/deals/companies/batch/read", json=body)
        hubspot_check(answer, "associations.v4.json", path, "post")


def test_hubspot_owners_pipelines_and_account_keep_the_contract(hubspot: Client) -> None:
    for archived in ("false", "true"):
        owners = hubspot.get("/crm/v3/owners", params={"archived": archived})
        hubspot_check(owners, "crmOwners.v3.json", "/crm/v3/owners")
    for kind in ("deals", "tickets"):
        hubspot_check(hubspot.get(f"/crm/v3/pipelines/{kind}"), "pipelines.v3.json", "/crm/v3/pipelines/{objectType}")
        known = hubspot.get(f"/crm/v3/properties/{kind}")
        hubspot_check(known, "properties.v3.json", "/crm/v3/properties/{objectType}")
    hubspot_check(hubspot.get("/account-info/v3/details"), "accountInfo.v3.json", "/account-info/v3/details")


def test_hubspot_refusals_have_the_recorded_fields(hubspot: Client) -> None:
    recorded = json.loads((CONTRACTS / "hubspot" / "errors.json").read_text(encoding="utf-8"))
    wrong = hubspot.get("/crm/v3/owners", headers={"Authorization": "Bearer wrong"})
    assert (wrong.status_code, set(wrong.json())) == (recorded["auth"]["status"], set(recorded["auth"]["body"]))
    assert wrong.json()["message"] == recorded["auth"]["body"]["message"]
    missing = hubspot.get("/crm/v3/objects/deals/404")
    assert (missing.status_code, set(missing.json())) == (404, set(recorded["notfound"]["body"]))
    with served(small_company(gong=None, snowflake=None)) as strict:
        client = hubspot_client(strict.env)
        spent = [client.post("/crm/v3/objects/deals/search", json={}) for _ in range(6)][-1]
    assert (spent.status_code, set(spent.json())) == (429, set(recorded["rate_search"]["body"]))
    assert spent.json()["message"] == recorded["rate_search"]["body"]["message"]


def test_hubspots_dated_paths_keep_their_contracts(hubspot: Client) -> None:
    listed = hubspot.get("/crm/objects/2026-09/deals", params={"limit": 2, "associations": "companies"})
    hubspot_check(listed, "objects.2026-09.json", "/crm/objects/2026-09/{objectType}")
    read = hubspot.post("/crm/associations/2026-09/deals/companies/batch/read", json={"inputs": [{"id": "5001"}]})
    path = "/crm/associations/2026-09/{fromObjectType}/{toObjectType}/batch/read"
    hubspot_check(read, "associations.2026-09.json", path, "post")
    hubspot_check(hubspot.get("/crm/owners/2026-09"), "crmOwners.2026-09.json", "/crm/owners/2026-09")
    pipelines = hubspot.get("/crm/pipelines/2026-09/deals")
    hubspot_check(pipelines, "pipelines.2026-09.json", "/crm/pipelines/2026-09/{objectType}")


def test_a_refused_scope_has_the_recorded_fields(running: Served, hubspot: Client) -> None:
    recorded = json.loads((CONTRACTS / "hubspot" / "errors.json").read_text(encoding="utf-8"))["scopes"]
    running.app.faults.add("hubspot:missing_scope")
    try:
        refused = hubspot.get("/crm/v3/objects/tickets")
    finally:
        running.app.faults.clear("hubspot")
    assert (refused.status_code, set(refused.json())) == (recorded["status"], set(recorded["body"]))
    assert refused.json()["message"] == recorded["body"]["message"]
    assert set(refused.json()["errors"][0]) == set(recorded["body"]["errors"][0])


EXPOSED = {
    "parties": True,
    "content": {"structure": True, "topics": True, "trackers": True},
    "interaction": {"speakers": True, "video": True, "personInteractionStats": True, "questions": True},
    "collaboration": {"publicComments": True},
    "media": True,
}


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/v2/calls", "get", None),
        ("/v2/users", "get", None),
        ("/v2/workspaces", "get", None),
        ("/v2/calls/extensive", "post", {"filter": {}}),
        (
            "/v2/calls/extensive",
            "post",
            {"filter": {}, "contentSelector": {"context": "Extended", "exposedFields": EXPOSED}},
        ),
        ("/v2/calls/transcript", "post", {"filter": {}}),
        ("/v2/users/extensive", "post", {"filter": {}}),
        ("/v2/calls", "get", {"fromDateTime": "soon"}),
        ("/v2/calls/transcript", "post", {"filter": {"callIds": ["1"]}}),
        ("/v2/settings/scorecards", "get", None),
        ("/v2/settings/trackers", "get", None),
        ("/v2/settings/trackers", "get", {"workspaceId": "1"}),
        ("/v2/stats/activity/scorecards", "post", {"filter": {}}),
        ("/v2/stats/activity/scorecards", "post", {"filter": {"reviewFromDate": "2020-01-01T00:00:00Z"}}),
        ("/v2/stats/activity/day-by-day", "post", {"filter": {"fromDate": "2026-01-01", "toDate": "2026-01-09"}}),
        ("/v2/stats/activity/day-by-day", "post", {"filter": {"fromDate": "2020-01-01", "toDate": "2020-01-02"}}),
        ("/v2/stats/activity/day-by-day", "post", {"filter": {}}),
    ],
)
def test_gong_keeps_the_contract(gong: Client, path: str, method: str, body: dict[str, Any] | None) -> None:
    answer = gong.get(path, params=body) if method == "get" else gong.post(path, json=body)
    check(answer.json(), GONG, path, method, answer.status_code, gong_quirks)


@pytest.mark.parametrize("start", [None, START])
def test_what_the_connector_asks_gong_for_is_in_the_contract(
    running: Served, monkeypatch: pytest.MonkeyPatch, start: datetime | None
) -> None:
    asked: list[tuple[str, Any]] = []
    send = HttpTransport.request

    def noted(transport: HttpTransport, method: str, path: str, **given: Any) -> Any:
        if method == "POST":
            asked.append((path, given["body"]))
        return send(transport, method, path, **given)

    monkeypatch.setattr(HttpTransport, "request", noted)
    source = registry.create_source_from_settings("gong", running.env)
    for group in registry.groups("gong"):
        list(source.read(group, Window(start, START + timedelta(days=120))))
    assert len({path for path, _ in asked}) == 4 and any("cursor" in body for _, body in asked)
    for path, body in asked:
        check_request(body, GONG, path, "post", gong_quirks)


def test_gong_refusals_have_the_recorded_words(running: Served, gong: Client) -> None:
    recorded = json.loads((CONTRACTS / "gong" / "errors.json").read_text(encoding="utf-8"))
    none = gong.post("/v2/stats/activity/scorecards", json={"filter": {"reviewToDate": "2020-01-01"}})
    assert none.status_code == recorded["empty_scorecards"]["status"]
    assert none.json()["errors"] == [recorded["empty_scorecards"]["body"]["errors"][0].rstrip(".")]
    running.app.faults.add("gong:missing_scope")
    try:
        days = {"filter": {"fromDate": "2026-01-01", "toDate": "2026-01-09"}}
        refused = gong.post("/v2/stats/activity/day-by-day", json=days)
    finally:
        running.app.faults.clear()
    assert refused.status_code == recorded["missing_scope"]["status"]
    assert refused.json()["errors"] == recorded["missing_scope"]["body"]["errors"]


def test_gong_ids_are_texts_beyond_what_a_float_can_hold(gong: Client) -> None:
    assert gong.get("/v2/calls").json()["calls"][0]["id"] == str(BIG_ID)


def test_the_contract_check_itself_notices_a_field_that_the_vendor_does_not_know(gong: Client) -> None:
    answer = gong.get("/v2/workspaces").json()
    answer["workspaces"][0]["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        check(answer, GONG, "/v2/workspaces", "get", 200, gong_quirks)
