"""The transport: what is retried, what is waited for, what is given up, and how each failure is told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sophia_assets.errors import AuthenticationFailed, ConnectionFailed, QuotaExhausted, ResponseInvalid
from sophia_assets.ingestion.http import ApiProfile, ErrorDetail, HttpTransport, RetryPolicy
from sophia_assets.ingestion.limiter import RateLimiter

QUICK = RetryPolicy(attempts=3, first_delay=0.01, longest_delay=0.02, longest_wait=3.0, read_timeout=2.0)


def _detail(body: Any) -> ErrorDetail:
    if not isinstance(body, Mapping):
        return ErrorDetail()
    return ErrorDetail(body.get("message", ""), body.get("id"), exhausted=body.get("daily", False))


def _transport(base_url: str, limiter: RateLimiter | None = None, retry: RetryPolicy = QUICK) -> HttpTransport:
    profile = ApiProfile(
        system="shop", label="Shop", base_url=base_url, base_url_setting="SHOP_URL",
        credential_remedy="Check SHOP_TOKEN", permission_remedy="Widen SHOP_TOKEN's scopes", error_detail=_detail,
        is_permission=lambda detail: "scope" in detail.message,
        is_empty=lambda status, detail: status == 404 and detail.message == "nothing matches",
        retry=retry,
    )  # fmt: skip
    return HttpTransport(profile, "Bearer secret", limiter or RateLimiter(1000, 1.0))


@pytest.fixture
def transport(httpserver: HTTPServer) -> HttpTransport:
    return _transport(httpserver.url_for("").rstrip("/"))


def _answers(httpserver: HTTPServer, *responses: Response) -> None:
    """Answers `/things` with each response once, in order."""
    for response in responses:
        httpserver.expect_ordered_request("/things").respond_with_response(response)


OK = b'{"ok": true}'


def test_the_credential_is_sent_and_the_answer_parsed(httpserver: HTTPServer, transport: HttpTransport) -> None:
    httpserver.expect_request("/things", headers={"Authorization": "Bearer secret"}).respond_with_data(OK)

    assert transport.request("GET", "/things", obj="things") == {"ok": True}
    assert transport.requests_made == 1


def test_a_server_error_and_torn_json_are_tried_again(httpserver: HTTPServer, transport: HttpTransport) -> None:
    _answers(httpserver, Response("oops", 503), Response('{"ok": tr', 200), Response(OK, 200))

    assert transport.request("GET", "/things", obj="things") == {"ok": True}
    assert transport.requests_made == 3


def test_server_errors_without_end_are_a_failed_connection(httpserver: HTTPServer, transport: HttpTransport) -> None:
    httpserver.expect_request("/things").respond_with_json({"message": "broken", "id": "r-1"}, 500)

    with pytest.raises(ConnectionFailed, match=r"shop/things: Shop answered 500 broken .*request r-1"):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == QUICK.attempts


def test_json_that_stays_torn_is_an_invalid_response(httpserver: HTTPServer, transport: HttpTransport) -> None:
    httpserver.expect_request("/things").respond_with_data('{"ok": tr')

    with pytest.raises(ResponseInvalid, match="not valid JSON"):
        transport.request("GET", "/things", obj="things")


def test_nobody_listening_is_a_failed_connection_that_names_the_setting() -> None:
    with pytest.raises(ConnectionFailed, match=r"cannot be reached.*SHOP_URL"):
        _transport("http://127.0.0.1:9").request("GET", "/things", obj="things")


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(ConnectionFailed, match="Set SHOP_URL"):
        _transport("shop.example").request("GET", "/things", obj="things")


@pytest.mark.parametrize(("status", "message", "remedy"), [
    (401, "bad token", "Check SHOP_TOKEN"),
    (401, "missing scope", "Widen SHOP_TOKEN"),
    (403, "no", "Widen SHOP_TOKEN"),
])  # fmt: skip
def test_a_refusal_is_not_tried_again_and_says_what_to_check(
    httpserver: HTTPServer, transport: HttpTransport, status: int, message: str, remedy: str
) -> None:
    httpserver.expect_request("/things").respond_with_json({"message": message}, status)

    with pytest.raises(AuthenticationFailed, match=remedy):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 1


def test_nothing_found_is_none_and_any_other_404_an_error(httpserver: HTTPServer, transport: HttpTransport) -> None:
    httpserver.expect_ordered_request("/things").respond_with_json({"message": "nothing matches"}, 404)
    httpserver.expect_ordered_request("/things").respond_with_json({"message": "no such thing"}, 404)

    assert transport.request("GET", "/things", obj="things") is None
    with pytest.raises(ResponseInvalid, match="404 no such thing"):
        transport.request("GET", "/things", obj="things")


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(httpserver: HTTPServer, transport: HttpTransport, as_date: bool) -> None:
    arrivals: list[float] = []

    def answer(request: Request) -> Response:
        arrivals.append(time.monotonic())
        if len(arrivals) > 1:
            return Response(OK, 200)
        later = datetime.now(UTC) + timedelta(seconds=1.9)
        return Response("{}", 429, headers={"Retry-After": format_datetime(later, usegmt=True) if as_date else "0.5"})

    httpserver.expect_request("/things").respond_with_handler(answer)

    assert transport.request("GET", "/things", obj="things") == {"ok": True}
    assert as_date or arrivals[1] - arrivals[0] >= 0.5


def test_a_retry_after_of_hours_is_reported_instead_of_slept_through(
    httpserver: HTTPServer, transport: HttpTransport
) -> None:
    _answers(httpserver, Response('{"message": "slow down"}', 429, headers={"Retry-After": "7200"}))

    with pytest.raises(QuotaExhausted) as caught:
        transport.request("GET", "/things", obj="things")

    assert timedelta(hours=1.9) < caught.value.not_before - datetime.now(UTC) <= timedelta(hours=2)
    assert "Run again after" in str(caught.value)


def test_a_daily_limit_is_reported_at_once(httpserver: HTTPServer, transport: HttpTransport) -> None:
    _answers(httpserver, Response('{"message": "daily", "daily": true}', 429))

    with pytest.raises(QuotaExhausted):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 1


def test_limits_without_end_are_reported(httpserver: HTTPServer) -> None:
    transport = _transport(httpserver.url_for("").rstrip("/"), retry=replace(QUICK, longest_wait=0.5))
    httpserver.expect_request("/things").respond_with_response(Response("{}", 429, headers={"Retry-After": "0.2"}))

    with pytest.raises(QuotaExhausted):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 3


def test_retries_have_a_budget_over_all_requests(httpserver: HTTPServer) -> None:
    thrifty = RetryPolicy(attempts=100, first_delay=0.001, longest_delay=0.001, budget_floor=4)
    transport = _transport(httpserver.url_for("").rstrip("/"), retry=thrifty)
    httpserver.expect_request("/things").respond_with_data("", 500)

    with pytest.raises(ConnectionFailed):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 5
