"""The HubSpot stand-in behaves as HubSpot's API does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sophia_assets_tests.sandbox.clients import Client, hubspot_client
from sophia_assets_tests.sandbox.small_company import (
    START,
    Served,
    epoch_ms,
    make_deal,
    served,
    small_company,
    small_hubspot,
)

DEALS = "/crm/v3/objects/deals"


def condition(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, "value": value, **more}


def search(client: Client, *filters: dict[str, Any], kind: str = "deals", **body: Any) -> Any:
    groups = {"filterGroups": [{"filters": list(filters)}]} if filters else {}
    return client.post(f"/crm/v3/objects/{kind}/search", json={**groups, **body})


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer.json()["results"]]


def test_a_list_is_paged_to_its_end_without_gaps_or_repeats(hubspot: Client) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 50}
    while True:
        answer = hubspot.get(DEALS, params=params).json()
        seen += [item["id"] for item in answer["results"]]
        if "paging" not in answer:
            break
        params["after"] = answer["paging"]["next"]["after"]
    assert seen == [str(5_000 + number) for number in range(1, 120)]


def test_the_link_of_the_next_page_leads_to_it(hubspot: Client) -> None:
    first = hubspot.get(DEALS, params={"limit": 100, "properties": "amount"}).json()
    link = first["paging"]["next"]["link"]
    second = hubspot.session.get(link, timeout=20).json()
    assert second["results"][0]["id"] == "5101"
    assert set(second["results"][0]["properties"]) == {"amount", "createdate", "hs_lastmodifieddate", "hs_object_id"}


def test_only_requested_and_system_properties_are_returned_and_unknown_ones_are_left_out(hubspot: Client) -> None:
    answer = hubspot.get(DEALS, params={"properties": "dealname,closed_lost_reason,nonsense", "limit": 1}).json()
    assert answer["results"][0]["properties"] == {
        "dealname": "Deal 1",
        "closed_lost_reason": None,
        "createdate": "2026-01-01T10:00:00.000Z",
        "hs_lastmodifieddate": "2026-01-03T10:00:00.000Z",
        "hs_object_id": "5001",
    }


def test_values_are_strings_or_null(hubspot: Client) -> None:
    record = hubspot.get(f"{DEALS}/5007").json()
    assert record["properties"]["amount"] is None
    assert all(value is None or isinstance(value, str) for value in record["properties"].values())


def test_history_comes_newest_first_and_halves_the_page(hubspot: Client) -> None:
    answer = hubspot.get(DEALS, params={"propertiesWithHistory": "dealstage,amount", "limit": 50})
    history = answer.json()["results"][0]["propertiesWithHistory"]
    assert [version["value"] for version in history["dealstage"]] == ["qualified", "appointment"]
    assert [version["value"] for version in history["amount"]] == ["1000"]
    refused = hubspot.get(DEALS, params={"propertiesWithHistory": "dealstage", "limit": 51})
    assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("limit", ["101", "0", "ten"])
def test_a_wrong_limit_is_refused(hubspot: Client, limit: str) -> None:
    assert hubspot.get(DEALS, params={"limit": limit}).status_code == 400


def test_archived_records_are_listed_apart_and_never_searched(hubspot: Client) -> None:
    archived = hubspot.get(DEALS, params={"archived": "true"}).json()["results"]
    assert [(item["id"], item["archived"], item["archivedAt"]) for item in archived] == [
        ("5120", True, "2026-01-09T09:00:00.000Z")
    ]
    assert search(hubspot, condition("hs_object_id", "EQ", "5120")).json()["total"] == 0


def test_associations_are_given_inline_with_the_primary_marked(hubspot: Client) -> None:
    answer = hubspot.get(DEALS, params={"associations": "companies", "limit": 5}).json()["results"]
    assert answer[0]["associations"]["companies"]["results"] == [
        {"id": "101", "type": "deal_to_company"},
        {"id": "101", "type": "deal_to_company_unlabeled"},
    ]
    assert "associations" not in answer[4]


def test_search_finds_by_modification_time_in_order_and_pages_by_integer(hubspot: Client) -> None:
    since = epoch_ms(START + timedelta(hours=100) + timedelta(days=2))
    wanted = condition("hs_lastmodifieddate", "GTE", since)
    first = search(hubspot, wanted, sorts=[{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}], limit=15)
    assert first.json()["total"] == 20
    assert first.json()["paging"] == {"next": {"after": "15"}}
    second = search(hubspot, wanted, sorts=["hs_lastmodifieddate"], limit=15, after=15)
    assert ids(first) + ids(second) == [str(5_000 + number) for number in range(100, 120)]
    assert "paging" not in second.json()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (condition("hs_object_id", "GT", "5117"), ["5118", "5119"]),
        (condition("hs_object_id", "LTE", "5002"), ["5001", "5002"]),
        (condition("hs_object_id", "LT", "5002"), ["5001"]),
        (condition("dealname", "EQ", "deal 3"), ["5003"]),
        (condition("amount", "BETWEEN", "3000", highValue="5000"), ["5003", "5004", "5005"]),
        (condition("dealname", "IN", values=["deal 4", "deal 2"]), ["5002", "5004"]),
        (condition("hs_object_id", "NOT_IN", values=[str(i) for i in range(5_002, 5_120)]), ["5001"]),
        (condition("dealname", "CONTAINS_TOKEN", "11*"), [str(i) for i in (5_011, *range(5_110, 5_120))]),
    ],
)
def test_each_operator_selects_as_documented(hubspot: Client, wanted: dict[str, Any], found: list[str]) -> None:
    assert ids(search(hubspot, wanted, limit=200)) == found


def test_presence_operators_tell_empty_values_apart(hubspot: Client) -> None:
    without = search(hubspot, condition("amount", "NOT_HAS_PROPERTY")).json()["total"]
    assert without == 17
    assert search(hubspot, condition("amount", "HAS_PROPERTY")).json()["total"] == 119 - without


def test_groups_are_alternatives(hubspot: Client) -> None:
    groups = [{"filters": [condition("hs_object_id", "EQ", value)]} for value in ("5003", "5001", "5003")]
    assert ids(hubspot.post(f"{DEALS}/search", json={"filterGroups": groups})) == ["5001", "5003"]


def test_a_descending_sort_reverses(hubspot: Client) -> None:
    sort = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
    assert ids(search(hubspot, sorts=sort, limit=2)) == ["5119", "5118"]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"after": "abc"},
        {"after": 9_999, "limit": 2},
        {"sorts": ["amount", "createdate"]},
        {"sorts": ["nonsense"]},
        {"filterGroups": [{"filters": []}]},
        {"filterGroups": [{"filters": [condition("amount", "EQ", "1")]}] * 6},
        {"filterGroups": [{"filters": [condition("amount", "EQ", "1")] * 7}]},
        {"filterGroups": [{"filters": [condition("amount", "EQ", "1")] * 4}] * 5},
        {"filterGroups": [{"filters": [condition("nonsense", "EQ", "1")]}]},
        {"filterGroups": [{"filters": [condition("amount", "ROUGHLY", "1")]}]},
        {"filterGroups": [{"filters": [condition("amount", "EQ")]}]},
        {"filterGroups": [{"filters": [condition("createdate", "GT", "2026-01-01T00:00:00Z")]}]},
        {"filterGroups": [{"filters": [condition("dealname", "IN", "one")]}]},
    ],
)
def test_a_search_that_breaks_a_rule_is_refused(hubspot: Client, body: dict[str, Any]) -> None:
    answer = hubspot.post(f"{DEALS}/search", json=body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_a_search_at_the_epoch_breaks_the_vendor(hubspot: Client) -> None:
    assert search(hubspot, condition("createdate", "GTE", "0")).status_code == 500


def test_a_body_that_is_not_json_is_refused(hubspot: Client) -> None:
    assert hubspot.post(f"{DEALS}/search", data=b"{").status_code == 400


def test_contacts_are_found_by_lastmodifieddate_only(hubspot: Client) -> None:
    right = search(hubspot, condition("lastmodifieddate", "GTE", epoch_ms(START)), kind="contacts")
    wrong = search(hubspot, condition("hs_lastmodifieddate", "GTE", epoch_ms(START)), kind="contacts")
    assert (right.json()["total"], wrong.json()["total"]) == (9, 0)
    assert "lastmodifieddate" in right.json()["results"][0]["properties"]


def test_more_results_than_the_cap_are_counted_but_not_reachable() -> None:
    moment = START + timedelta(days=9)
    data = small_hubspot()
    data.objects["deals"] = [make_deal(number, moment) for number in range(10_050)]
    with served(small_company(hubspot=data, gong=None, snowflake=None), limits=False) as running:
        client = hubspot_client(running.env)
        wanted = condition("hs_lastmodifieddate", "EQ", epoch_ms(moment))
        last = search(client, wanted, limit=200, after=9_800)
        assert (last.json()["total"], len(ids(last))) == (10_050, 200)
        assert last.json()["paging"] == {"next": {"after": "10000"}}
        assert search(client, wanted, limit=200, after=10_000).status_code == 400
        drained = search(client, wanted, condition("hs_object_id", "GT", "14900"), sorts=["hs_object_id"], limit=200)
        assert len(ids(drained)) == 149


def test_a_batch_read_returns_what_exists_and_names_what_does_not(hubspot: Client) -> None:
    body = {"inputs": [{"id": "5001"}, {"id": "404"}], "properties": ["amount"], "propertiesWithHistory": ["dealstage"]}
    answer = hubspot.post(f"{DEALS}/batch/read", json=body)
    assert (answer.status_code, ids(answer)) == (207, ["5001"])
    assert answer.json()["errors"][0]["context"] == {"ids": ["404"]}
    assert answer.json()["results"][0]["propertiesWithHistory"]["dealstage"][0]["value"] == "qualified"


def test_a_batch_read_has_its_limits(hubspot: Client) -> None:
    inputs = [{"id": str(number)} for number in range(101)]
    assert hubspot.post(f"{DEALS}/batch/read", json={"inputs": inputs}).status_code == 400
    assert hubspot.post(f"{DEALS}/batch/read", json={"inputs": inputs[:100]}).status_code == 207
    history = {"inputs": inputs[:51], "propertiesWithHistory": ["amount"]}
    assert hubspot.post(f"{DEALS}/batch/read", json=history).status_code == 400


def test_associations_are_read_in_both_directions(hubspot: Client) -> None:
    answer = hubspot.post("/crm/v4/associations/deals/companies/batch/read", json={"inputs": [{"id": "5001"}]})
    assert answer.status_code == 200
    to = answer.json()["results"][0]["to"][0]
    assert (to["toObjectId"], [kind["typeId"] for kind in to["associationTypes"]]) == ("101", [5, 341])
    back = hubspot.post("/crm/v4/associations/companies/deals/batch/read", json={"inputs": [{"id": "101"}]})
    assert "5001" in [item["toObjectId"] for item in back.json()["results"][0]["to"]]


def test_a_record_without_associations_is_an_error_of_its_own(hubspot: Client) -> None:
    body = {"inputs": [{"id": "5001"}, {"id": "5005"}]}
    answer = hubspot.post("/crm/v4/associations/deals/companies/batch/read", json=body)
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_more_than_a_hundred_associations_are_paged_within_the_record() -> None:
    data = small_hubspot(deals=260)
    for deal in data.objects["deals"]:
        deal.associations = {"companies": ["100"]}
    with served(small_company(hubspot=data, gong=None, snowflake=None), limits=False) as running:
        client = hubspot_client(running.env)
        seen: list[str] = []
        after: str | None = None
        while True:
            body = {"inputs": [{"id": "100"} if after is None else {"id": "100", "after": after}]}
            result = client.post("/crm/v4/associations/companies/deals/batch/read", json=body).json()["results"][0]
            seen += [item["toObjectId"] for item in result["to"]]
            if "paging" not in result:
                break
            after = result["paging"]["next"]["after"]
        assert sorted(seen) == [str(5_000 + number) for number in range(1, 261)]


def test_owners_are_listed_active_or_archived(hubspot: Client) -> None:
    active = hubspot.get("/crm/v3/owners").json()["results"]
    archived = hubspot.get("/crm/v3/owners", params={"archived": "true"}).json()["results"]
    assert [(owner["id"], owner["teams"][0]["name"]) for owner in active] == [("71", "Sales EMEA")]
    assert [(owner["id"], owner["email"]) for owner in archived] == [("72", None)]


def test_the_deal_pipeline_tells_its_stages(hubspot: Client) -> None:
    pipeline = hubspot.get("/crm/v3/pipelines/deals").json()["results"][0]
    assert [(stage["id"], stage["metadata"]) for stage in pipeline["stages"]][1:3] == [
        ("qualified", {"isClosed": "false", "probability": "0.4"}),
        ("closedwon", {"isClosed": "true", "probability": "1.0"}),
    ]


def test_the_account_tells_its_currency(hubspot: Client) -> None:
    assert hubspot.get("/account-info/v3/details").json()["companyCurrency"] == "USD"


def test_a_wrong_token_is_refused(hubspot: Client) -> None:
    answer = hubspot.get(DEALS, headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


def test_an_unknown_record_type_or_address_is_refused(hubspot: Client) -> None:
    assert hubspot.get(f"{DEALS}/404").json()["category"] == "OBJECT_NOT_FOUND"
    assert hubspot.get("/crm/v3/objects/unicorns").status_code == 400
    assert hubspot.get("/crm/v9/nothing").status_code == 404


def test_an_address_that_is_too_long_is_refused(hubspot: Client) -> None:
    names = ",".join(f"property_number_{number}" for number in range(700))
    assert hubspot.get(DEALS, params={"properties": names}).status_code == 414


def test_the_rolling_limit_is_announced_and_kept() -> None:
    with served(small_company(gong=None, snowflake=None)) as running:
        client = hubspot_client(running.env)
        first = client.get("/crm/v3/owners")
        assert first.headers["X-HubSpot-RateLimit-Max"] == "190"
        assert first.headers["X-HubSpot-RateLimit-Remaining"] == "189"
        answers = [client.get("/crm/v3/owners") for _ in range(190)]
        assert [answer.status_code for answer in answers] == [200] * 189 + [429]
        assert answers[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
        assert answers[-1].headers["X-HubSpot-RateLimit-Remaining"] == "0"


def test_searches_have_a_limit_of_their_own_and_no_headers() -> None:
    with served(small_company(gong=None, snowflake=None)) as running:
        client = hubspot_client(running.env)
        answers = [search(client, limit=1) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[-1].json()["policyName"] == "SECONDLY"
        assert not any(name.lower().startswith("x-hubspot") for answer in answers for name in answer.headers)
        assert client.get("/crm/v3/owners").headers["X-HubSpot-RateLimit-Remaining"] == "189"


def test_a_change_of_the_company_is_served_at_once(unlimited: Served, hubspot: Client) -> None:
    standin = unlimited.app.standins["hubspot"]
    changed = small_company(snowflake=None)
    assert changed.hubspot is not None
    changed.hubspot.objects["deals"].append(make_deal(500))
    standin.load(changed)
    try:
        assert hubspot.get(f"{DEALS}/5500").status_code == 200
    finally:
        standin.load(unlimited.app.company)
