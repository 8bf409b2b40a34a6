"""The Slack stand-in answers what Slack's OpenAPI file promises, the connector asks what it documents, and the vendor's
own client works.

The file is from 2020 and in places stricter or older than Slack is: `_ADDED` and `_OPTIONAL` say where. Of its
refusals it does not know `not_in_channel` and, for messages, `invalid_cursor`; those are compared with recorded ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from sophia_assets.sources.slack.wire import SlackWire
from sophia_assets_tests.contracts.openapi import CONTRACTS, needs_contracts
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sandbox.small_slack import GENERAL, LOBBY, START, make_message, slack_company
from sophia_assets_tests.sources.complete_company import EVERYTHING, source_for

FILE = "slack/slack_web_openapi_v2.json"

# Fields that Slack has added since, per definition.
_ADDED: Mapping[str, tuple[str, ...]] = {
    "objs_message": ("edited", "is_locked"),
    "objs_conversation": ("updated",),
    "conversations.history": ("response_metadata",),
    "conversations.replies": ("has_more", "response_metadata"),
    "thread": ("is_locked", "edited", "reactions", "subtype", "bot_id"),
}
# Fields that Slack does not always send, though the file says so, per definition.
_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "thread": ("reply_count", "subscribed", "thread_ts", "user"),
}


@cache
def _contract() -> dict[str, Any]:
    contract = json.loads((CONTRACTS / FILE).read_text(encoding="utf-8"))
    for name, definition in contract["definitions"].items():
        _amend(name, definition)
    for path, methods in contract["paths"].items():
        for operation in methods.values():
            schema = operation["responses"].get("200", {}).get("schema", {})
            _amend(path.removeprefix("/"), schema)
            messages = schema.get("properties", {}).get("messages", {})
            if path == "/conversations.replies":
                _amend("thread", messages["items"])
            # A list may be empty, whatever the file says.
            for part in schema.get("properties", {}).values():
                part.pop("minItems", None)
    return _alternatives(contract)  # type: ignore[no-any-return]


def _amend(name: str, schema: dict[str, Any]) -> None:
    for part in [schema, *(item for item in schema.get("items", ()) if isinstance(item, dict))]:
        if "properties" in part:
            part["properties"] |= {field: {} for field in _ADDED.get(name, ())}
            part["required"] = [field for field in part.get("required", ()) if field not in _OPTIONAL.get(name, ())]


def _alternatives(node: Any) -> Any:
    """The file writes alternatives as a list under `items`, which JSON Schema takes for something else."""
    if isinstance(node, list):
        return [_alternatives(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _alternatives(value) for key, value in node.items()}
    if isinstance(node.get("items"), list) and node.get("type") != "array":
        node["anyOf"] = node.pop("items")
    return node


def check(method: str, answer: Mapping[str, Any]) -> None:
    """Fail unless the answer is what the file says about this method."""
    contract = _contract()
    responses = contract["paths"][f"/{method}"]["get"]["responses"]
    schema = responses["200" if answer["ok"] else "default"]["schema"]
    jsonschema.Draft4Validator({**schema, "definitions": contract["definitions"]}).validate(answer)


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served(slack_company(), wait_for="listening", limits=False) as started:
        yield started


@pytest.fixture
def sdk(running: Served) -> Iterator[WebClient]:
    """The vendor's own client, as it comes."""
    env = running.env
    yield WebClient(token=env["SLACK_BOT_TOKEN"], base_url=env["SLACK_BASE_URL"])
    running.app.faults.clear()


@needs_contracts
@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("auth.test", {}),
        ("team.info", {}),
        ("users.list", {}),
        ("users.list", {"limit": 1}),
        ("users.info", {"user": "U1UNASELLER"}),
        ("conversations.list", {"types": "public_channel,private_channel"}),
        ("conversations.info", {"channel": GENERAL}),
        ("conversations.history", {"channel": GENERAL, "limit": 200}),
        ("conversations.history", {"channel": GENERAL, "limit": 10}),
        ("conversations.history", {"channel": GENERAL, "latest": "1.000000"}),
        ("conversations.replies", {"channel": GENERAL, "ts": make_message(10).ts}),
        ("conversations.replies", {"channel": GENERAL, "ts": make_message(11).ts}),
    ],
)
def test_answers_keep_the_contract(sdk: WebClient, method: str, arguments: dict[str, Any]) -> None:
    answer = sdk.api_call(method, params=arguments).data
    assert isinstance(answer, dict)
    check(method, answer)


@needs_contracts
@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("conversations.history", {"channel": "CNONE"}, "channel_not_found"),
        ("conversations.history", {"channel": GENERAL, "latest": "x"}, "invalid_ts_latest"),
        ("conversations.replies", {"channel": GENERAL, "ts": "1.000000"}, "thread_not_found"),
        ("users.info", {"user": "UNONE"}, "user_not_found"),
        ("users.list", {"cursor": "x"}, "invalid_cursor"),
    ],
)
def test_refusals_keep_the_contract(sdk: WebClient, method: str, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        sdk.api_call(method, params=arguments)
    assert refused.value.response["error"] == error
    check(method, refused.value.response.data)


@needs_contracts
@pytest.mark.parametrize(
    ("recorded", "fault", "channel"),
    [
        ("auth", "auth", GENERAL),
        ("scope", "missing_scope", GENERAL),
        ("rate", "rate_limit:30", GENERAL),
        ("notmember", None, LOBBY),
        ("cursor", "expired_cursor:1", GENERAL),
    ],
)
def test_refusals_read_as_they_were_recorded(
    running: Served, sdk: WebClient, recorded: str, fault: str | None, channel: str
) -> None:
    expected = json.loads((CONTRACTS / "slack" / "errors.json").read_text(encoding="utf-8"))[recorded]
    cursor = sdk.conversations_history(channel=GENERAL, limit=5)["response_metadata"]["next_cursor"]
    if fault:
        running.app.faults.add(f"slack:{fault}")
    arguments = {"channel": channel} | ({"cursor": cursor} if recorded == "cursor" else {})
    with pytest.raises(SlackApiError) as refused:
        sdk.conversations_history(**arguments)

    response = refused.value.response
    assert (response.status_code, response.data.keys()) == (expected["status"], expected["body"].keys())
    assert response["error"] == expected["body"]["error"]
    assert response.headers.get("retry-after") == expected.get("headers", {}).get("Retry-After")


@needs_contracts
def test_the_limits_are_those_of_the_documented_tiers() -> None:
    from sophia_assets.sandbox.standins.slack.standin import LIMITS
    from sophia_assets.sources.slack.api import LIMITS as ASKED

    tiers = json.loads((CONTRACTS / "slack" / "method_tiers.json").read_text(encoding="utf-8"))
    documented = {method: tiers["per_minute"][tiers["tiers"][method]] for method in LIMITS}
    assert documented == LIMITS
    assert {method: documented[method] for method in ASKED} == dict(ASKED)


@needs_contracts
def test_the_connector_asks_documented_methods_with_documented_arguments(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []
    send = SlackWire.send

    def recorded(self: SlackWire, method: str, params: Mapping[str, Any], seconds: float) -> Any:
        asked.append((method, params))
        return send(self, method, params, seconds)

    monkeypatch.setattr(SlackWire, "send", recorded)
    source = source_for("slack", running.env)
    source.ping()
    for group in ("channels", "users", "messages"):
        list(source.read(group, EVERYTHING))

    assert {method for method, _ in asked} == {
        "auth.test", "conversations.list", "users.list", "conversations.history", "conversations.replies",
    }  # fmt: skip
    for method, params in asked:
        documented = {p["name"]: p.get("type") for p in _contract()["paths"][f"/{method}"]["get"]["parameters"]}
        assert params.keys() <= documented.keys(), method
        for name, value in params.items():
            kinds = {"integer": int, "boolean": bool, "number": str, "string": str}
            assert isinstance(value, kinds[documented[name]]), (method, name)


def test_the_vendors_client_pages_by_itself(sdk: WebClient) -> None:
    history = sdk.conversations_history(channel=GENERAL, limit=25, oldest=f"{START.timestamp():.6f}", inclusive=True)
    assert [len(page["messages"]) for page in history] == [25, 25, 10]
    assert [len(page["members"]) for page in sdk.users_list(limit=2)] == [2, 1]


def test_the_vendors_retry_handler_waits_out_a_limit(running: Served, sdk: WebClient) -> None:
    sdk.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    running.app.faults.add("slack:rate_limit:0")
    before = running.app.standins["slack"].counters.requests
    assert sdk.auth_test()["ok"]
    assert running.app.standins["slack"].counters.requests - before == 2


@needs_contracts
def test_the_contract_check_itself_notices_a_field_that_slack_does_not_know(sdk: WebClient) -> None:
    answer = json.loads(json.dumps(sdk.conversations_list().data))
    answer["channels"][0]["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError):
        check("conversations.list", answer)
