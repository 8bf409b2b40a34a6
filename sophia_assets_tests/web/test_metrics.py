"""`/metrics` of the web process: what was served, for whoever may know it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sophia_assets.home import Home
from sophia_assets.telemetry.series import HTTP_SECONDS, Origin, every_series
from sophia_assets.web.counting import Counts
from sophia_assets_tests.telemetry.exporting import read
from sophia_assets_tests.web.serving import Served, served


def test_requests_are_told_by_route_and_status(site: Served) -> None:
    for path in ("/healthz", "/healthz", "/nobody/knows/this"):
        site.get(path)
    told = read(site.get("/metrics", headers={}).text)
    assert told.value("sophia_http_requests_total", route="GET /healthz", status="2xx") >= 2
    assert told.value("sophia_http_requests_total", route="GET other", status="4xx") >= 1
    count = told.value("sophia_http_request_seconds_count", route="GET /healthz")
    assert told.value("sophia_http_request_seconds_bucket", route="GET /healthz", le="+Inf") == count >= 2
    assert told.value("sophia_http_waiting") == 0
    declared = {one.name for one in every_series() if one.origin is Origin.SERVED}
    assert told.kinds.keys() == declared


def test_it_speaks_openmetrics_to_whoever_asks_for_it(site: Served) -> None:
    told = site.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert told.headers["content-type"].startswith("application/openmetrics-text")
    assert told.text.endswith("# EOF\n")


@pytest.mark.parametrize("sign", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_whoever_comes_through_a_proxy_needs_a_token(site: Served, sign: str) -> None:
    answer = site.get("/metrics", headers={sign: "203.0.113.9"})
    assert answer.status_code == 401
    assert "sophia_http" not in answer.text


def test_a_token_needs_a_role_that_sees_the_platform(site: Served) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    allowed, denied = site.bearer("grace", "auditor"), site.bearer("mary", "sales_leader")
    assert "sophia_http" in site.get("/metrics", headers=allowed | forwarded).text
    assert site.get("/metrics", headers=denied).status_code == 403
    assert site.get("/metrics", headers={"Authorization": "Bearer sophia_" + "x" * 43}).status_code == 401


def test_a_token_may_come_by_any_address_and_nobody_else_may(site: Served) -> None:
    """A container is scraped by its address; a page that a browser was led to has no token."""
    elsewhere = {"Host": "10.1.2.3:8000"}
    token = site.bearer("grace", "auditor")
    assert site.get("/metrics", headers=elsewhere).status_code == 400
    assert site.get("/metrics", headers=elsewhere | token).status_code == 200


@pytest.fixture
def proxied(web_home: Home) -> Iterator[Served]:
    with served(web_home, {"SOPHIA_WEB_TRUSTED_PROXIES": "127.0.0.1"}, is_behind_proxy=True) as running:
        yield running


def test_behind_a_proxy_nobody_comes_directly(proxied: Served) -> None:
    assert requests.get(f"{proxied.address}/metrics", timeout=10).status_code == 401


def test_each_request_falls_into_one_bucket(site: Served) -> None:
    counts = Counts()
    for milliseconds in (0.0, 5.0, 5.1, 99_999.0):
        counts.served("GET /", 200, milliseconds)
    (route,) = counts.routes()
    assert sum(route.buckets) == 4
    assert (route.buckets[0], route.buckets[1], route.buckets[-1]) == (2, 1, 1)
    assert len(route.buckets) == len(HTTP_SECONDS.buckets)
    assert counts.as_json()["requests"] == 4
