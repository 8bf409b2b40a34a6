"""Faults on demand: each kind spoils its own system in the way that was asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.standins.faults import FaultBoard, parse_fault
from sophia_assets_tests.sandbox.clients import Client, control_client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company

OWNERS = "/crm/v3/owners"


@pytest.fixture
def control(unlimited: Served) -> Iterator[Client]:
    client = control_client(unlimited.env)
    yield client
    client.delete("/_control/faults")


def play(control: Client, *faults: str) -> None:
    for fault in faults:
        assert control.post("/_control/faults", json={"fault": fault}).status_code == 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jira:down", "gong, hubspot"),
        ("gong:explode", "errors:RATE"),
        ("snowflake:expired_cursor", "truncate"),
        ("gong:errors:2", "RATE from 0 to 1"),
        ("gong:slow:soon", "SECONDS from 0"),
        ("gong:down:3", "no argument"),
        ("gong", "down"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_fault(text)


def test_a_fault_reads_as_it_was_written() -> None:
    texts = ["gong:down", "gong:errors:0.3", "hubspot:rate_limit:7200"]
    assert FaultBoard(texts).listed() == texts


def test_down_cuts_the_connection_of_one_system_only(control: Client, hubspot: Client, gong: Client) -> None:
    play(control, "hubspot:down")
    with pytest.raises(requests.ConnectionError):
        hubspot.get(OWNERS)
    assert gong.get("/v2/users").status_code == 200


def test_errors_hit_the_share_that_was_asked_for(control: Client, hubspot: Client) -> None:
    play(control, "hubspot:errors:0.5")
    statuses = [hubspot.get(OWNERS).status_code for _ in range(100)]
    assert 30 <= statuses.count(502) <= 70
    assert set(statuses) == {200, 502}
    play(control, "hubspot:errors:1")
    assert hubspot.get(OWNERS).json()["status"] == "error"


def test_a_rate_limit_tells_how_long_it_lasts(control: Client, hubspot: Client, gong: Client) -> None:
    play(control, "gong:rate_limit:7200", "hubspot:rate_limit:7200")
    assert gong.get("/v2/users").headers["Retry-After"] == "7200"
    assert hubspot.get(OWNERS).json()["policyName"] == "DAILY"
    play(control, "hubspot:rate_limit:5")
    assert hubspot.get(OWNERS).json()["policyName"] == "TEN_SECONDLY_ROLLING"


def test_a_rate_limit_of_zero_seconds_is_served_once(control: Client, gong: Client) -> None:
    play(control, "gong:rate_limit:0")
    first, second = gong.get("/v2/users"), gong.get("/v2/users")
    assert (first.status_code, first.headers["Retry-After"], second.status_code) == (429, "0", 200)


def test_auth_refuses_the_right_credential(control: Client, hubspot: Client, gong: Client) -> None:
    play(control, "hubspot:auth", "gong:auth")
    assert (hubspot.get(OWNERS).status_code, gong.get("/v2/users").status_code) == (401, 401)


def test_truncate_tears_the_json(control: Client, hubspot: Client) -> None:
    play(control, "hubspot:truncate")
    torn = hubspot.get(OWNERS)
    assert torn.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        torn.json()


def test_empty_answers_as_a_system_without_records(control: Client, hubspot: Client, gong: Client) -> None:
    play(control, "hubspot:empty", "gong:empty")
    assert hubspot.get("/crm/v3/objects/deals").json() == {"results": []}
    assert hubspot.post("/crm/v3/objects/deals/search", json={}).json() == {"total": 0, "results": []}
    assert gong.get("/v2/calls").status_code == 404
    assert gong.get("/v2/users").json()["users"] == []


def test_slow_answers_arrive_in_the_end(control: Client, hubspot: Client) -> None:
    play(control, "hubspot:slow:0.01")
    assert hubspot.get(OWNERS).status_code == 200


def test_clearing_one_system_leaves_the_others(control: Client) -> None:
    play(control, "hubspot:auth", "gong:auth")
    assert control.delete("/_control/faults", params={"system": "gong"}).json() == {"faults": ["hubspot:auth"]}
    assert control.delete("/_control/faults").json() == {"faults": []}


def test_the_control_refuses_a_wrong_fault_with_the_reason(control: Client) -> None:
    answer = control.post("/_control/faults", json={"fault": "gong:explode"})
    assert answer.status_code == 400
    assert "rate_limit:SECONDS" in answer.json()["message"]


def test_faults_given_at_the_start_are_active_and_counted() -> None:
    with served(small_company(snowflake=None), faults=("gong:rate_limit:60",)) as running:
        client = control_client(running.env)
        before = client.get("/_control/stats").json()["gong"]
        client.get("/gong/v2/users")
        after = client.get("/_control/stats").json()["gong"]
        assert (after["requests"] - before["requests"], after["throttled"] - before["throttled"]) == (1, 1)


def test_the_landing_page_tells_what_is_served(control: Client) -> None:
    page = control.get("/").text
    assert "Small Company" in page
    assert "not part of this company" in page


def test_a_system_that_the_company_lacks_is_off_and_not_found() -> None:
    with served(small_company(gong=None, snowflake=None)) as running:
        assert running.env["SOPHIA_GONG_MODE"] == running.env["SOPHIA_SNOWFLAKE_MODE"] == "off"
        assert "GONG_BASE_URL" not in running.env
        assert control_client(running.env).get("/gong/v2/users").status_code == 404
