"""What the HubSpot connector asks is what HubSpot's OpenAPI files allow, body by body and parameter by parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Window
from sophia_assets_tests.contracts.openapi import check_request, hubspot_quirks, needs_contracts, query_parameters
from sophia_assets_tests.sandbox.small_company import START, make_deal, served, small_company, small_hubspot
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, source_for

pytestmark = needs_contracts

PATHS = (
    (r"/crm/v3/objects/[a-z_]+", "objects.v3.json", "/crm/v3/objects/{objectType}"),
    (r"/crm/v3/objects/[a-z_]+/search", "objects.v3.json", "/crm/v3/objects/{objectType}/search"),
    (r"/crm/v3/objects/[a-z_]+/batch/read", "objects.v3.json", "/crm/v3/objects/{objectType}/batch/read"),
    (
        r"/crm/v4/associations/[a-z_]+/[a-z_]+/batch/read",
        "associations.v4.json",
        "/crm/v4/associations/{fromObjectType}/{toObjectType}/batch/read",
    ),
    (r"/crm/v3/owners", "crmOwners.v3.json", "/crm/v3/owners"),
    (r"/crm/v3/pipelines/[a-z_]+", "pipelines.v3.json", "/crm/v3/pipelines/{objectType}"),
    (r"/crm/v3/properties/[a-z_]+", "properties.v3.json", "/crm/v3/properties/{objectType}"),
    (r"/account-info/v3/details", "accountInfo.v3.json", "/account-info/v3/details"),
)


@dataclass
class Asked:
    """Every request that was made: method, path, parameters, body."""

    requests: list[tuple[str, str, Mapping[str, Any], Any]] = field(default_factory=list)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found, request = Asked(), HttpTransport.request

    def noted(self: HttpTransport, method: str, path: str, **rest: Any) -> Any:
        found.requests.append((method, path, rest.get("params") or {}, rest.get("body")))
        return request(self, method, path, **rest)

    monkeypatch.setattr(HttpTransport, "request", noted)
    return found


def _as_specified(body: dict[str, Any], template: str) -> dict[str, Any]:
    """The body as the OpenAPI file has it where the vendor's own documentation differs: sorts, a first page's after."""
    if not template.endswith("/search"):
        return body
    assert all(set(sort) == {"propertyName", "direction"} for sort in body["sorts"])
    return {"after": "0", **body, "sorts": [sort["propertyName"] for sort in body["sorts"]]}


def test_every_request_is_one_that_the_contracts_know(asked: Asked) -> None:
    data = small_hubspot(60)
    tie = START + timedelta(days=9)
    data.objects["deals"] += [make_deal(number, tie) for number in range(61, 300)]
    data.objects["deals"][0].associations = {"contacts": [str(number) for number in range(120)]}
    with served(small_company(hubspot=data, gong=None, snowflake=None), wait_for="listening", limits=False) as running:
        source = source_for("hubspot", running.env)
        for window in (EVERYTHING, Window(START - timedelta(days=1), END)):
            for group in registry.groups("hubspot"):
                list(source.read(group, window))

    used = set()
    for method, path, params, body in asked.requests:
        file, template = next((file, template) for form, file, template in PATHS if re.fullmatch(form, path))
        used.add(template)
        if method == "GET" and params:
            assert set(params) <= query_parameters(f"hubspot/{file}", template)
        elif method == "POST":
            check_request(_as_specified(body, template), f"hubspot/{file}", template, "post", hubspot_quirks)
    assert used == {template for _, _, template in PATHS}
