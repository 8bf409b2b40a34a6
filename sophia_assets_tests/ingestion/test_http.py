"""The transport: what is retried, what is waited for, what is given up, and how each failure is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sophia_assets.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    PermissionMissing,
    QuotaExhausted,
    ResponseInvalid,
    SourceError,
)
from sophia_assets.ingestion.http import HttpTransport
from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.ingestion.requesting import (
    Answer,
    ApiProfile,
    NoAnswer,
    Outcome,
    Requester,
    Verdict,
    by_status,
    retry_after,
)
from sophia_assets.ingestion.retrying import RetryPolicy

QUICK = RetryPolicy(attempts=3, first_delay=0.01, longest_delay=0.02, longest_wait=3.0, read_timeout=2.0)


def _classify(answer: Answer) -> Verdict:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    message, code = body.get("message", ""), body.get("code")
    if answer.status == 404 and message == "nothing matches":
        return Verdict(Outcome.EMPTY)
    if answer.status == 401 and "scope" in message:
        return Verdict(Outcome.NO_PERMISSION, message)
    if code == "RATELIMITED":
        return Verdict(Outcome.LIMITED, message, wait=0.2)
    return by_status(answer, message, body.get("id"), code=code, exhausted=body.get("daily", False))


def _transport(base_url: str, limiter: RateLimiter | None = None, retry: RetryPolicy = QUICK) -> HttpTransport:
    profile = ApiProfile(
        system="shop", label="Shop", base_url=base_url, base_url_setting="SHOP_URL",
        credential_remedy="Check SHOP_TOKEN", permission_remedy="Widen SHOP_TOKEN's scopes", classify=_classify,
        retry=retry,
    )  # fmt: skip
    return HttpTransport(profile, limiter or RateLimiter(1000, 1.0), authorization="Bearer secret")


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


def test_a_refusal_that_was_cut_off_is_asked_for_again(httpserver: HTTPServer, transport: HttpTransport) -> None:
    httpserver.expect_ordered_request("/things").respond_with_data('{"message": "the cur', 400)
    httpserver.expect_ordered_request("/things").respond_with_json({"message": "the cursor has expired"}, 400)

    with pytest.raises(ResponseInvalid, match="the cursor has expired"):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 2


def test_nobody_listening_is_a_failed_connection_that_names_the_setting() -> None:
    transport = _transport("http://127.0.0.1:9", retry=replace(QUICK, attempts=8, connection_attempts=2))
    with pytest.raises(ConnectionFailed, match=r"cannot be reached.*SHOP_URL"):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 2


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(ConnectionFailed, match="Set SHOP_URL"):
        _transport("shop.example").request("GET", "/things", obj="things")


@pytest.mark.parametrize(("status", "message", "error", "remedy"), [
    (401, "bad token", AuthenticationFailed, "Check SHOP_TOKEN"),
    (401, "missing scope", PermissionMissing, "Widen SHOP_TOKEN"),
    (403, "no", PermissionMissing, "Widen SHOP_TOKEN"),
])  # fmt: skip
def test_a_refusal_is_not_tried_again_and_says_what_to_check(
    httpserver: HTTPServer, transport: HttpTransport, status: int, message: str, error: type[SourceError], remedy: str
) -> None:
    httpserver.expect_request("/things").respond_with_json({"message": message}, status)

    with pytest.raises(AuthenticationFailed, match=remedy) as caught:
        transport.request("GET", "/things", obj="things")
    assert type(caught.value) is error
    assert transport.requests_made == 1


def test_a_refusal_in_plain_text_is_understood_by_its_status(httpserver: HTTPServer, transport: HttpTransport) -> None:
    httpserver.expect_request("/things").respond_with_data("Unauthorized", 401)

    with pytest.raises(AuthenticationFailed, match="Check SHOP_TOKEN"):
        transport.request("GET", "/things", obj="things")


def test_a_vendors_own_word_for_an_error_reaches_the_connector(
    httpserver: HTTPServer, transport: HttpTransport
) -> None:
    httpserver.expect_request("/things").respond_with_json({"message": "Query too complex", "code": "INPUT"}, 400)

    with pytest.raises(ResponseInvalid) as caught:
        transport.request("GET", "/things", obj="things")
    assert (caught.value.code, caught.value.kind) == ("INPUT", "validation")


@pytest.mark.parametrize("status", [200, 400, 429])
def test_a_limit_is_one_whatever_the_status_says(httpserver: HTTPServer, transport: HttpTransport, status: int) -> None:
    arrivals: list[float] = []

    def answer(_: Request) -> Response:
        arrivals.append(time.monotonic())
        return Response(OK, 200) if len(arrivals) > 1 else Response('{"code": "RATELIMITED"}', status)

    httpserver.expect_request("/things").respond_with_handler(answer)

    assert transport.request("GET", "/things", obj="things") == {"ok": True}
    assert arrivals[1] - arrivals[0] >= 0.2


def test_forms_extra_headers_and_a_bare_credential_are_sent(httpserver: HTTPServer) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        request.form  # noqa: B018, parses the body while it is there
        seen.append(request)
        return Response(OK, 200)

    httpserver.expect_request("/things").respond_with_handler(answer)
    profile = _transport(httpserver.url_for("").rstrip("/")).profile
    transport = HttpTransport(profile, RateLimiter(10, 1.0), authorization="key-1", headers={"Api-Key": "key-2"})

    transport.request("POST", "/things", obj="things", form={"channel": "C1", "limit": 200})

    (request,) = seen
    assert dict(request.form) == {"channel": "C1", "limit": "200"}
    assert (request.headers["Authorization"], request.headers["Api-Key"]) == ("key-1", "key-2")


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


def test_retries_beyond_their_share_of_requests_are_slowed_and_not_refused(httpserver: HTTPServer) -> None:
    slow = replace(QUICK, attempts=4, first_delay=0.001, longest_delay=0.001, budget_floor=1, budget_rate=5.0)
    transport = _transport(httpserver.url_for("").rstrip("/"), retry=slow)
    arrivals: list[float] = []

    def answer(_: Request) -> Response:
        arrivals.append(time.monotonic())
        return Response("", 500)

    httpserver.expect_request("/things").respond_with_handler(answer)

    with pytest.raises(ConnectionFailed):
        transport.request("GET", "/things", obj="things")
    assert len(arrivals) == 4
    # The first retry is within the budget; each further one waits for most of a fifth of a second.
    assert arrivals[2] - arrivals[1] > 0.1 and arrivals[3] - arrivals[2] > 0.1


def test_an_answer_that_trickles_in_ends_with_the_requests_deadline(httpserver: HTTPServer) -> None:
    transport = _transport(httpserver.url_for("").rstrip("/"), retry=replace(QUICK, deadline=0.3, read_timeout=5.0))
    released = threading.Event()

    def trickle() -> Iterator[bytes]:
        while not released.wait(0.02):
            yield b" "

    httpserver.expect_request("/things").respond_with_handler(lambda _: Response(trickle(), 200))

    with pytest.raises(ConnectionFailed, match="did not answer in time"):
        transport.request("GET", "/things", obj="things")
    released.set()


def test_a_long_retry_after_on_a_server_error_is_reported_at_once(
    httpserver: HTTPServer, transport: HttpTransport
) -> None:
    _answers(httpserver, Response("", 503, headers={"Retry-After": "7200"}))

    with pytest.raises(QuotaExhausted):
        transport.request("GET", "/things", obj="things")
    assert transport.requests_made == 1


def test_whoever_uses_the_same_limit_waits_for_a_retry_after_too(httpserver: HTTPServer) -> None:
    limiter = RateLimiter(1000, 1.0)
    url = httpserver.url_for("").rstrip("/")
    _answers(httpserver, Response("", 429, headers={"Retry-After": "7200"}))
    with pytest.raises(QuotaExhausted):
        _transport(url, limiter).request("GET", "/things", obj="things")

    other = _transport(url, limiter)
    with pytest.raises(QuotaExhausted):
        other.request("GET", "/others", obj="others")
    assert other.requests_made == 0


def test_a_date_is_understood_by_the_vendors_own_clock() -> None:
    hours_ago = datetime.now(UTC) - timedelta(hours=3)
    headers = {
        "Date": format_datetime(hours_ago, usegmt=True),
        "Retry-After": format_datetime(hours_ago + timedelta(seconds=30), usegmt=True),
    }
    assert retry_after(headers) == 30
    assert [retry_after({"Retry-After": text}) for text in ("0", "7200", "soon", "-1", "nan", "")] == [
        0, 7200, None, None, None, None,
    ]  # fmt: skip


def test_closing_ends_a_wait(httpserver: HTTPServer, transport: HttpTransport) -> None:
    asked = threading.Event()

    def answer(_: Request) -> Response:
        asked.set()
        return Response("", 429, headers={"Retry-After": "2"})

    httpserver.expect_request("/things").respond_with_handler(answer)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(transport.request, "GET", "/things", obj="things")
        assert asked.wait(5)
        transport.close()
        with pytest.raises(ConnectionFailed, match="ended while waiting"):
            reading.result(5)
    assert transport.requests_made == 1


def test_a_sender_of_another_library_is_retried_and_counted_alike() -> None:
    requester = Requester(_transport("redis://shop").profile, RateLimiter(1000, 1.0))
    tries: Iterator[NoAnswer | Answer] = iter(
        [NoAnswer("cut the connection"), NoAnswer("did not answer in time"), Answer(200, body=b"pong")]
    )

    def send(_: float) -> Answer:
        item = next(tries)
        if isinstance(item, NoAnswer):
            raise item
        return item

    answer = requester.ask(send, obj="events")

    assert answer is not None and answer.body == b"pong"
    assert requester.requests_made == 3


def test_what_a_sender_says_of_the_last_failure_is_raised_once_the_tries_are_spent() -> None:
    requester = Requester(_transport("redis://shop").profile, RateLimiter(1000, 1.0))
    mine = ConnectionFailed("the session ended", system="shop", remedy="Run again")

    def send(_: float) -> Answer:
        raise NoAnswer("is away", error=mine)

    with pytest.raises(ConnectionFailed) as caught:
        requester.ask(send, obj="events")
    assert caught.value is mine
    assert requester.requests_made == QUICK.attempts
