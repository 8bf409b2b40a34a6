"""The HubSpot stand-in plays what only HubSpot does, and lists its properties, tickets, line items and activities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sophia_assets_tests.sandbox.clients import Client, hubspot_client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company, small_hubspot

DEALS = "/crm/v3/objects/deals"
NEWEST_OPEN = "5011"


@pytest.fixture
def running() -> Iterator[Served]:
    with served(small_company(hubspot=small_hubspot(12), gong=None, snowflake=None), limits=False) as started:
        yield started


@pytest.fixture
def hubspot(running: Served) -> Client:
    return hubspot_client(running.env)


def deal(hubspot: Client, record_id: str, **params: Any) -> Any:
    return hubspot.get(f"{DEALS}/{record_id}", params={"associations": "companies", **params}).json()


def test_a_tie_adds_deals_with_one_modification_time(running: Served, hubspot: Client) -> None:
    running.app.faults.add("hubspot:tie:30")
    body = {"sorts": [{"propertyName": "hs_object_id", "direction": "DESCENDING"}], "limit": 30}
    found = hubspot.post(f"{DEALS}/search", json=body).json()
    assert found["total"] == 11 + 30
    assert len({record["updatedAt"] for record in found["results"]}) == 1


@pytest.mark.parametrize("kind", ["association_change", "archive"])
def test_a_silent_change_does_not_move_the_modification_time(kind: str, running: Served, hubspot: Client) -> None:
    before = deal(hubspot, NEWEST_OPEN)
    running.app.faults.add(f"hubspot:{kind}")
    after = deal(hubspot, NEWEST_OPEN, archived=str(kind == "archive").lower())
    assert after["updatedAt"] == before["updatedAt"]
    assert (after["archived"], after["associations"] == before["associations"]) in [(True, True), (False, False)]


def test_what_was_archived_can_be_restored(running: Served, hubspot: Client) -> None:
    running.app.faults.add("hubspot:archive")
    assert deal(hubspot, NEWEST_OPEN)["category"] == "OBJECT_NOT_FOUND"
    running.app.faults.add("hubspot:restore")
    assert deal(hubspot, NEWEST_OPEN)["id"] == NEWEST_OPEN


def test_a_company_that_is_served_elsewhere_is_left_as_it_is() -> None:
    company = small_company(hubspot=small_hubspot(12), gong=None, snowflake=None)
    assert company.hubspot is not None
    with served(company, limits=False) as running:
        running.app.faults.add("hubspot:archive")
    assert [record.id for record in company.hubspot.objects["deals"] if record.archived] == ["5012"]


def test_a_missing_scope_refuses_tickets_and_names_the_scope(running: Served, hubspot: Client) -> None:
    running.app.faults.add("hubspot:missing_scope")
    for path in ("objects/tickets", "pipelines/tickets", "properties/tickets"):
        answer = hubspot.get(f"/crm/v3/{path}")
        assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
    assert hubspot.get("/crm/v3/objects/meetings").status_code == 200


def test_a_spent_day_says_so_without_a_retry_after(running: Served, hubspot: Client) -> None:
    running.app.faults.add("hubspot:daily_limit")
    answer = hubspot.get("/crm/v3/owners")
    assert (answer.status_code, answer.json()["policyName"]) == (429, "DAILY")
    assert "Retry-After" not in answer.headers


def test_an_expired_cursor_is_refused_and_the_next_one_is_not(running: Served, hubspot: Client) -> None:
    running.app.faults.add("hubspot:expired_cursor:1")
    answers = [hubspot.get(DEALS, params={"limit": 5, "after": "5005"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 200]
    assert hubspot.get(DEALS, params={"limit": 5}).status_code == 200


def test_irregular_pages_are_short_but_complete_and_sorted(running: Served, hubspot: Client) -> None:
    running.app.faults.add("hubspot:pages:7")
    listed: list[str] = []
    sizes: list[int] = []
    params: dict[str, Any] = {"limit": 5}
    while True:
        answer = hubspot.get(DEALS, params=params).json()
        sizes.append(len(answer["results"]))
        listed += [record["id"] for record in answer["results"]]
        if "paging" not in answer:
            break
        params["after"] = answer["paging"]["next"]["after"]
    assert listed == [str(5_000 + number) for number in range(1, 12)]
    assert min(sizes) >= 1 and min(sizes[:-1]) < 5


def test_properties_are_listed_and_a_removed_one_is_left_out_everywhere(running: Served, hubspot: Client) -> None:
    def known() -> set[str]:
        return {found["name"] for found in hubspot.get("/crm/v3/properties/deals").json()["results"]}

    assert {"dealname", "closed_lost_reason", "hs_lastmodifieddate"} <= known()
    running.app.faults.add("hubspot:removed_property")
    assert "closed_lost_reason" not in known()
    asked = hubspot.get(DEALS, params={"properties": "closed_lost_reason"}).json()["results"][0]
    assert "closed_lost_reason" not in asked["properties"]


@pytest.mark.parametrize("kind", ["tickets", "line_items", "meetings", "calls"])
def test_every_activity_is_listed_searched_and_associated(kind: str, hubspot: Client) -> None:
    listed = hubspot.get(f"/crm/v3/objects/{kind}", params={"associations": "deals"}).json()["results"]
    assert len(listed) == 3
    assert {to["id"] for record in listed for to in record["associations"]["deals"]["results"]} == {"5001"}
    wanted = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "1"}
    body = {"filterGroups": [{"filters": [wanted]}]}
    assert hubspot.post(f"/crm/v3/objects/{kind}/search", json=body).json()["total"] == 3
    read = hubspot.post(f"/crm/v4/associations/{kind}/deals/batch/read", json={"inputs": [{"id": "7000"}]}).json()
    assert [to["toObjectId"] for to in read["results"][0]["to"]] == ["5001"]


def test_the_ticket_pipeline_says_which_stages_are_closed(hubspot: Client) -> None:
    (pipeline,) = hubspot.get("/crm/v3/pipelines/tickets").json()["results"]
    assert [stage["metadata"]["ticketState"] for stage in pipeline["stages"]] == ["OPEN", "CLOSED"]


def test_types_that_cannot_be_associated_are_refused(hubspot: Client) -> None:
    path = "/crm/v4/associations/line_items/companies/batch/read"
    assert hubspot.post(path, json={"inputs": [{"id": "7000"}]}).status_code == 400
    assert hubspot.get("/crm/v3/objects/line_items", params={"associations": "companies"}).status_code == 400


def test_a_cursor_that_was_never_given_out_is_refused(hubspot: Client) -> None:
    assert hubspot.get(DEALS, params={"after": "yesterday"}).status_code == 400


def test_the_dated_paths_serve_the_same(hubspot: Client) -> None:
    for today, dated in (
        ("/crm/v3/objects/deals", "/crm/objects/2026-09/deals"),
        ("/crm/v3/owners", "/crm/owners/2026-09"),
        ("/crm/v3/pipelines/deals", "/crm/pipelines/2026-09/deals"),
    ):
        params = {"limit": 100}
        assert hubspot.get(dated, params=params).json() == hubspot.get(today, params=params).json()
