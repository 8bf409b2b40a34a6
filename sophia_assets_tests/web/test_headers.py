"""What every answer carries, whatever it is, and under which names anything is answered at all."""

from __future__ import annotations

import re

import pytest
import requests

from sophia_assets_tests.web.serving import Served

ANSWERS = ["/healthz", "/login", "/api/metrics", "/api/nothing", "/nothing", "/openapi.json", "/static/../app.py", "/"]


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_says_what_browsers_may_do_with_it(site: Served, path: str) -> None:
    headers = site.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert re.fullmatch("[0-9a-f]{16}", headers["x-request-id"])
    assert "total;dur=" in headers["server-timing"]
    assert "server" not in headers


def test_a_page_runs_nothing_inline_without_the_nonce_of_its_own_answer(site: Served) -> None:
    answers = [site.get("/login") for _ in range(2)]
    nonces = []
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "http" not in policy and "*" not in policy
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
        found = re.search("script-src 'self' 'nonce-([^']+)'", policy)
        assert found
        nonces.append(found[1])
        for inline in re.findall(r"<(?:script|style)\b[^>]*>", answer.text):
            assert f'nonce="{found[1]}"' in inline
        assert not re.search(r"\son[a-z]+\s*=", answer.text)
    assert nonces[0] != nonces[1]


def test_a_login_by_https_is_kept_to_https(site: Served) -> None:
    assert "strict-transport-security" not in site.get("/healthz").headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "localhost:8000:9000", "a b", "[::1", "*"],
)
def test_another_name_in_the_host_header_is_answered_with_nothing(site: Served, host: str) -> None:
    answer = site.raw(f"GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<form" not in answer


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8000", "localhost."])
def test_loopback_is_answered_under_its_own_names(site: Served, host: str) -> None:
    answer = site.raw(f"GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_two_hosts_or_none_are_no_host(site: Served) -> None:
    port = site.port
    for lines in (f"Host: 127.0.0.1:{port}\r\nHost: evil.example\r\n", ""):
        answer = site.raw(f"GET /login HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")


def test_who_watches_the_process_may_ask_by_any_address_and_is_told_nothing_else(site: Served) -> None:
    answer = requests.get(f"{site.address}/healthz", headers={"Host": "10.1.2.3"}, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    answer = requests.get(f"{site.address}/readyz", headers={"Host": "10.1.2.3"}, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_a_header_cannot_be_made_of_what_somebody_sends(site: Served) -> None:
    answer = site.get("/login?next=%0d%0aSet-Cookie:%20a=b&token=%0d%0aX-Own:%20c")
    assert "x-own" not in answer.headers
    assert "a=b" not in answer.headers.get("set-cookie", "")


def test_forwarded_headers_count_for_nothing_where_no_proxy_is_in_front(site: Served) -> None:
    answer = requests.get(
        f"{site.address}/login",
        headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.example"},
        timeout=30,
    )
    assert "strict-transport-security" not in answer.headers
    assert "__Host-" not in answer.headers["set-cookie"]
