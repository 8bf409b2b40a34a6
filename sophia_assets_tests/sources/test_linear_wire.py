"""What a server that is Linear, or not quite, may answer: garbage, errors, limits; and what it is asked."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sophia_assets.errors import PermissionMissing, QuotaExhausted, ResponseInvalid
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.sources.declarations import Rows, Window
from sophia_assets.sources.linear.api import LinearConnection
from sophia_assets.sources.linear.client import LinearSource, create_source
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, IMPATIENT, START

_INFO = {"hasNextPage": False, "endCursor": None}


def ask(httpserver: HTTPServer) -> LinearSource:
    """A client of that server, with limits of its own."""
    connection = LinearConnection(httpserver.url_for("/graphql"), "lin_api_test")
    return create_source(connection, retry=IMPATIENT, limiters=Limiters())


def lists(connection: Any) -> dict[str, Any]:
    return {"data": {"users": connection}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "no data"),
        ([], "no data"),
        ({"data": None}, "no data"),
        ({"data": []}, "no data"),
        ({"data": {}}, "no `nodes`"),
        (lists(None), "no `nodes`"),
        (lists({"nodes": None, "pageInfo": _INFO}), "no `nodes`"),
        (lists({"nodes": [None], "pageInfo": _INFO}), "no `nodes`"),
        (lists({"nodes": []}), "no `pageInfo`"),
        (lists({"nodes": [], "pageInfo": {}}), "no `pageInfo`"),
        (lists({"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}), "no cursor"),
        (lists({"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "again"}}), "repeats a page's cursor"),
        ({"errors": [{"message": "Nope", "extensions": {"code": "INVALID_INPUT"}}], "data": None}, "Nope"),
        ({"errors": [{"message": "Nope", "extensions": {"userError": True}}]}, "Nope"),
    ],
)
def test_garbage_is_refused_with_what_and_where(body: Any, told: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/graphql").respond_with_json(body)

    with pytest.raises(ResponseInvalid, match=f"linear/users: .*{told}"):
        list(ask(httpserver).read("users", EVERYTHING))


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("errors", [["text"], [{}], {"message": "Broke"}, [{"message": "Broke", "extensions": None}]])
def test_an_error_without_a_code_is_tried_again(status: int, errors: Any, httpserver: HTTPServer) -> None:
    answers = iter([Response(json.dumps({"errors": errors}), status)])
    fine = json.dumps(lists({"nodes": [], "pageInfo": _INFO}))
    httpserver.expect_request("/graphql").respond_with_handler(lambda _: next(answers, Response(fine)))

    assert Rows("users", []) in list(ask(httpserver).read("users", EVERYTHING))


def test_a_refusal_that_is_torn_is_asked_for_again(httpserver: HTTPServer) -> None:
    answers = iter([Response('{"errors": [{"message": "Rate li', 400)])
    fine = json.dumps(lists({"nodes": [], "pageInfo": _INFO}))
    httpserver.expect_request("/graphql").respond_with_handler(lambda _: next(answers, Response(fine)))

    assert Rows("users", []) in list(ask(httpserver).read("users", EVERYTHING))


def test_a_forbidden_field_is_a_missing_permission(httpserver: HTTPServer) -> None:
    body = {"errors": [{"message": "Forbidden", "extensions": {"code": "FORBIDDEN"}}], "data": {"users": None}}
    httpserver.expect_request("/graphql").respond_with_json(body)

    with pytest.raises(PermissionMissing, match="LINEAR_API_KEY"):
        list(ask(httpserver).read("users", EVERYTHING))


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("lin_api_abc", "lin_api_abc"),
        ("lin_oauth_abc", "Bearer lin_oauth_abc"),
        ("0123456789abcdef" * 4, "Bearer " + "0123456789abcdef" * 4),
    ],
)
def test_keys_go_bare_and_oauth_tokens_as_bearer(key: str, sent: str, httpserver: HTTPServer) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers["Authorization"])
        return Response(json.dumps({"data": {"viewer": {"id": "1"}, "organization": {"name": "Acme"}}}))

    httpserver.expect_request("/graphql").respond_with_handler(answer)
    create_source(LinearConnection(httpserver.url_for("/graphql"), key)).ping()

    assert seen == [sent]


def test_archived_objects_are_always_asked_for_and_windows_are_closed(httpserver: HTTPServer) -> None:
    asked: list[Any] = []

    def answer(request: Request) -> Response:
        asked.append(request.get_json())
        return Response(json.dumps({"data": {"issues": {"nodes": [], "pageInfo": _INFO}}}))

    httpserver.expect_request("/graphql").respond_with_handler(answer)
    list(ask(httpserver).read("issues", Window(START, END)))

    span = {"gte": "2026-01-01T09:00:00.000Z", "lt": "2026-07-01T00:00:00.000Z"}
    assert [body["variables"]["filter"] for body in asked] == [{"updatedAt": span}, {"archivedAt": span}]
    assert all("includeArchived: true" in body["query"] for body in asked)


@pytest.mark.parametrize("limit", ["Requests", "Complexity"])
def test_a_budget_that_is_spent_is_not_asked_beyond(limit: str, httpserver: HTTPServer) -> None:
    headers = {
        f"X-RateLimit-{limit}-Remaining": "0",
        f"X-RateLimit-{limit}-Reset": str(int((time.time() + 1800) * 1000)),
    }
    body = lists({"nodes": [], "pageInfo": _INFO})
    httpserver.expect_request("/graphql").respond_with_json(body, headers=headers)
    asking = ask(httpserver)
    list(asking.read("users", EVERYTHING))

    with pytest.raises(QuotaExhausted) as caught:
        list(asking.read("users", EVERYTHING))
    assert asking.requests_made == 1
    assert timedelta(minutes=29) < caught.value.not_before - datetime.now(UTC) < timedelta(minutes=31)


def test_headers_that_make_no_sense_change_nothing(httpserver: HTTPServer) -> None:
    headers = {
        "X-Complexity": "many",
        "X-RateLimit-Requests-Limit": "none",
        "X-RateLimit-Requests-Remaining": "-1",
        "X-RateLimit-Requests-Reset": "99999999999999999999",
        "Date": "yesterday",
    }
    body = lists({"nodes": [], "pageInfo": _INFO})
    httpserver.expect_request("/graphql").respond_with_json(body, headers=headers)
    asking = ask(httpserver)
    for _ in range(3):
        list(asking.read("users", EVERYTHING))

    assert asking.requests_made == 3
