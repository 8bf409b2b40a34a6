"""What the Slack client makes of answers that are not as Slack promises: one clear error, and never a wrong row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sophia_assets.errors import ConnectionFailed, ResponseInvalid, SourceError
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Rows, Source
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sources.complete_company import EVERYTHING, contents, ingest
from sophia_assets_tests.sources.unlimited import Unlimited

QUICK = RetryPolicy(attempts=2, first_delay=0.01, longest_delay=0.02, longest_wait=3.0, read_timeout=2.0)
CHANNEL = {"id": "C0GENERAL", "is_member": True}
MESSAGE = {"type": "message", "ts": "1767261600.000100", "user": "U1", "text": "canary"}
Answer = dict[str, Any] | str | Response


def slack(httpserver: HTTPServer, **answers: Answer | list[Answer]) -> Source:
    """A client of a Slack that answers so, per method; of a list the first, then the next, and so on."""
    defaults: dict[str, Answer | list[Answer]] = {"conversations_list": {"ok": True, "channels": [CHANNEL]}}

    def handler(given: Answer | list[Answer]) -> Callable[[Request], Response]:
        left = list(given) if isinstance(given, list) else [given]

        def answer(_: Request) -> Response:
            chosen = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(chosen, Response):
                return chosen
            text = chosen if isinstance(chosen, str) else json.dumps(chosen)
            return Response(text, content_type="application/json")

        return answer

    for method, given in (defaults | answers).items():
        httpserver.expect_request(f"/{method.replace('_', '.')}").respond_with_handler(handler(given))
    settings = {"SLACK_BASE_URL": httpserver.url_for("/"), "SLACK_BOT_TOKEN": "xoxb-token"}
    return registry.create_source_from_settings("slack", settings, retry=QUICK, limiters=Unlimited())


def history(*messages: Any, **more: Any) -> dict[str, Any]:
    """An answer of conversations.history."""
    return {"ok": True, "messages": list(messages), **more}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"messages": [MESSAGE]}, "neither ok nor an error"),
        ({"ok": "yes", "messages": [MESSAGE]}, "neither ok nor an error"),
        ({"ok": True}, "without a list of `messages`"),
        ({"ok": True, "messages": {"0": MESSAGE}}, "without a list of `messages`"),
        ({"ok": True, "messages": None}, "without a list of `messages`"),
        ({"ok": True, "messages": ["canary"]}, "without a list of `messages`"),
        (history({"text": "canary"}), "a message without an id"),
        (history({**MESSAGE, "ts": 1767261600.0001}), "a message without an id"),
        (history({**MESSAGE, "ts": None}), "a message without an id"),
        (history(MESSAGE, has_more=True), "has more, and not how to get it"),
        (history(MESSAGE, response_metadata={"next_cursor": 7}), "a cursor that is no text"),
        (history(MESSAGE, response_metadata={"next_cursor": "again"}), "repeats a page's cursor"),
        ({"ok": False, "error": "canary's words, not a code"}, "neither ok nor an error"),
        ({"ok": False, "error": ["canary"]}, "neither ok nor an error"),
        ({"ok": False, "error": "method_deprecated"}, "method_deprecated"),
        ("[]", "not valid JSON"),
        ("null", "not valid JSON"),
        ('"canary"', "not valid JSON"),
        ("", "not valid JSON"),
        ("<html>canary</html>", "not valid JSON"),
        ('{"ok": true, "messages": [', "not valid JSON"),
        (Response("gone", status=404), "404"),
        (Response("", status=302, headers={"Location": "/users.list"}), "302"),
    ],
)
def test_a_misshapen_answer_is_one_line_without_its_values(httpserver: HTTPServer, answer: Answer, told: str) -> None:
    with pytest.raises(ResponseInvalid, match=told) as caught:
        list(slack(httpserver, conversations_history=answer).read("messages", EVERYTHING))

    assert (caught.value.system, caught.value.obj) == ("slack", "messages")
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value) and "xoxb" not in str(caught.value)


@pytest.mark.parametrize("group", ["channels", "users"])
def test_a_list_without_its_items_is_refused(httpserver: HTTPServer, group: str) -> None:
    source = slack(httpserver, conversations_list={"ok": True}, users_list={"ok": True, "members": [1]})

    with pytest.raises(ResponseInvalid, match="without a list"):
        list(source.read(group, EVERYTHING))


@pytest.mark.parametrize("error", ["internal_error", "fatal_error", "service_unavailable", "request_timeout"])
def test_slacks_own_failures_are_tried_again(httpserver: HTTPServer, error: str) -> None:
    source = slack(httpserver, conversations_history=[{"ok": False, "error": error}, history(MESSAGE)])

    assert [len(item.rows) for item in source.read("messages", EVERYTHING) if isinstance(item, Rows)] == [1]


@pytest.mark.parametrize("answer", [Response("<html>canary</html>", status=503), {"ok": False, "error": "fatal_error"}])
def test_a_failure_that_lasts_is_a_failed_connection(httpserver: HTTPServer, answer: Answer) -> None:
    with pytest.raises(ConnectionFailed, match="status page") as caught:
        list(slack(httpserver, conversations_history=answer).read("messages", EVERYTHING))
    assert "canary" not in str(caught.value)


def test_a_redirect_does_not_take_the_token_elsewhere(httpserver: HTTPServer) -> None:
    asked: list[str] = []

    def elsewhere(request: Request) -> Response:
        asked.append(request.path)
        return Response()

    httpserver.expect_request("/elsewhere").respond_with_handler(elsewhere)
    redirect = Response("", status=307, headers={"Location": httpserver.url_for("/elsewhere")})

    with pytest.raises(SourceError):
        slack(httpserver, auth_test=redirect).ping()
    assert asked == []


def test_an_error_carries_slacks_own_number_of_the_request(httpserver: HTTPServer) -> None:
    answer = Response('{"ok": false, "error": "invalid_types"}', headers={"x-slack-req-id": "abc123"})

    with pytest.raises(ResponseInvalid, match="abc123"):
        list(slack(httpserver, conversations_list=answer).read("channels", EVERYTHING))


def test_a_limit_without_a_status_of_its_own_is_waited_for(httpserver: HTTPServer) -> None:
    limited = {"ok": False, "error": "ratelimited"}
    source = slack(httpserver, conversations_history=[limited, history(MESSAGE)])

    assert sum(isinstance(item, Rows) for item in source.read("messages", EVERYTHING)) == 1


def test_a_message_without_text_or_author_is_a_row(httpserver: HTTPServer, warehouse: DuckDBWarehouse) -> None:
    bare = {"type": "message", "ts": "1767261600.000100", "text": None, "reactions": None, "edited": None}
    ingest(slack(httpserver, conversations_history=history(bare)), "messages", warehouse)

    [row] = contents(warehouse, "slack.messages")
    assert (row["text"], row["user_id"], row["reactions"], row["is_reply"]) == (None, None, 0, False)


def test_an_id_that_is_no_time_sets_the_message_aside(httpserver: HTTPServer, warehouse: DuckDBWarehouse) -> None:
    odd = {**MESSAGE, "ts": "not-a-time", "reply_count": 2}
    [result] = ingest(slack(httpserver, conversations_history=history(MESSAGE, odd)), "messages", warehouse)

    assert (result.rows_read, result.rows_total, result.quarantined) == (2, 1, {"posted_at": 1})


def test_a_channel_without_most_of_its_fields_is_a_row(httpserver: HTTPServer, warehouse: DuckDBWarehouse) -> None:
    bare: dict[str, Any] = {"id": "C1", "topic": None, "purpose": {}, "created": None, "updated": 1767261600123}
    ingest(slack(httpserver, conversations_list={"ok": True, "channels": [bare]}), "channels", warehouse)

    [row] = contents(warehouse, "slack.channels")
    assert (row["name"], row["topic"], row["created_at"]) == (None, None, None)
    assert row["updated_at"].isoformat() == "2026-01-01T10:00:00.123000"


def test_fields_that_the_table_does_not_know_are_kept_and_what_is_personal_is_not(
    httpserver: HTTPServer, warehouse: DuckDBWarehouse
) -> None:
    message = {**MESSAGE, "metadata": {"event_type": "deal"}, "user_profile": {"real_name": "Canary"}}
    member = {"id": "U1", "is_stranger": True, "profile": {"phone": "canary", "email": "una@sandbox.example"}}
    users = {"ok": True, "members": [member]}
    source = slack(httpserver, conversations_history=history(message), users_list=users)
    ingest(source, "messages", warehouse)
    ingest(source, "users", warehouse)

    assert json.loads(contents(warehouse, "slack.messages")[0]["_extra"]) == {"metadata": {"event_type": "deal"}}
    [user] = contents(warehouse, "slack.users")
    assert (user["email"], json.loads(user["_extra"])) == ("una@sandbox.example", {"is_stranger": True})


def test_a_position_that_nobody_knows_begins_the_read_again(httpserver: HTTPServer) -> None:
    source = slack(httpserver, conversations_history=history(MESSAGE))

    for position in ({"channel": 7}, {"chapter": "one"}, {"channel": "C0GENERAL", "page": None}, ["x"]):
        found = [item for item in source.read("messages", EVERYTHING, position) if isinstance(item, Rows)]
        assert len(found) == 1
