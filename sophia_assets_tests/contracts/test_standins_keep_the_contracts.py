"""What the stand-ins answer is what the vendors' OpenAPI files promise, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from sophia_assets_tests.contracts.openapi import CONTRACTS, check, gong_quirks, hubspot_quirks, needs_contracts
from sophia_assets_tests.sandbox.clients import Client, gong_client, hubspot_client
from sophia_assets_tests.sandbox.small_company import BIG_ID, Served, served, small_company

pytestmark = needs_contracts

OBJECTS = [
    ("companies", "companies.v3.json", "companies"),
    ("contacts", "contacts.v3.json", "contacts"),
    ("deals", "deals.v3.json", "0-3"),
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
    other = "contacts" if name == "companies" else "companies"
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
    hubspot_check(hubspot.get("/crm/v3/pipelines/deals"), "pipelines.v3.json", "/crm/v3/pipelines/{objectType}")
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
    ],
)
def test_gong_keeps_the_contract(gong: Client, path: str, method: str, body: dict[str, Any] | None) -> None:
    answer = gong.get(path, params=body) if method == "get" else gong.post(path, json=body)
    check(answer.json(), GONG, path, method, answer.status_code, gong_quirks)


def test_gong_ids_are_texts_beyond_what_a_float_can_hold(gong: Client) -> None:
    assert gong.get("/v2/calls").json()["calls"][0]["id"] == str(BIG_ID)


def test_the_contract_check_itself_notices_a_field_that_the_vendor_does_not_know(gong: Client) -> None:
    answer = gong.get("/v2/workspaces").json()
    answer["workspaces"][0]["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        check(answer, GONG, "/v2/workspaces", "get", 200, gong_quirks)
