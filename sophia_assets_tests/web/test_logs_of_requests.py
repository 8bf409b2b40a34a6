"""What the log tells of requests: which route, how it ended, who asked, and nothing of what was in it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from sophia_assets.telemetry import logs
from sophia_assets_tests.telemetry.log_in_json import log_in_json
from sophia_assets_tests.web.serving import Served


class Lines(list[dict[str, Any]]):
    """The lines as they are written, each of which has to be JSON."""

    def write(self, line: str) -> None:
        """Takes one."""
        assert "\n" not in line
        self.append(json.loads(line))

    def of(self, request_id: str) -> list[dict[str, Any]]:
        """The lines of one request, once it is over."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            found = [line for line in self if line.get("request_id") == request_id]
            if any(line["event"] == "a request was served" for line in found):
                return found
            time.sleep(0.01)
        raise AssertionError(f"no line tells of {request_id}: {self}")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """The log in JSON."""
    found = Lines()
    monkeypatch.setattr(logs, "_write", found.write)
    with log_in_json(monkeypatch):
        yield found


def _served(lines: Lines, response: requests.Response) -> dict[str, Any]:
    found = lines.of(response.headers["X-Request-ID"])
    return next(line for line in found if line["event"] == "a request was served")


def test_each_request_is_one_line_with_its_route_and_reader(site: Served, lines: Lines) -> None:
    line = _served(lines, site.get("/api/briefings/2026-11-20?canary=1"))
    assert re.fullmatch(r"[0-9a-f]{16}", line["request_id"])
    assert {name: line[name] for name in ("method", "route", "principal", "role", "channel", "level")} == {
        "method": "GET",
        "route": "/api/briefings/{day}",
        "level": "info",
        "principal": "ada",
        "role": "executive",
        "channel": "api",
    }
    assert line["status"] == 200 and line["ms"] > 0
    assert "canary" not in json.dumps(lines) and "2026-11-20" not in line["route"]


def test_a_valid_request_id_goes_through_and_any_other_is_replaced(site: Served, lines: Lines) -> None:
    given = "trace-0123456789.abc"
    response = requests.get(f"{site.address}/healthz", headers={"X-Request-ID": given}, timeout=10)
    assert response.headers["X-Request-ID"] == given and _served(lines, response)["route"] == "/healthz"
    for wrong in (
        "short",
        "x" * 65,
        "with space here",
        "new%0aline-aaaaaaaa",
        "sophia_AbCdEfGhIjKlMnOpQrSt",
        "-leading-dash",
    ):
        made = requests.get(f"{site.address}/healthz", headers={"X-Request-ID": wrong}, timeout=10)
        assert re.fullmatch(r"[0-9a-f]{16}", made.headers["X-Request-ID"]), wrong


def test_who_is_not_known_is_not_named(site: Served, lines: Lines) -> None:
    site.get("/api/briefings")
    refused = requests.get(
        f"{site.address}/api/briefings", headers={"Authorization": "Bearer sophia_CANARY"}, timeout=10
    )
    line = _served(lines, refused)
    assert line["status"] == 401 and "principal" not in line
    assert "CANARY" not in json.dumps(lines)


def test_an_unknown_path_is_not_repeated(site: Served, lines: Lines) -> None:
    line = _served(lines, site.get("/canary/of/a/customer?q=canary"))
    assert (line["status"], line["route"]) == (404, "other")
    assert "canary" not in json.dumps(lines)


def test_requests_at_the_same_time_keep_their_own_readers(site: Served, lines: Lines) -> None:
    readers = {f"reader{number}": site.bearer(f"reader{number}") for number in range(6)}

    def ask(name: str) -> tuple[str, requests.Response]:
        body = {"query": f"canary question of {name}"}
        return name, requests.post(f"{site.address}/api/chat", json=body, headers=readers[name], timeout=30)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(ask, [*readers] * 5))
    for name, response in answers:
        assert response.status_code == 200
        assert {line["principal"] for line in lines.of(response.headers["X-Request-ID"]) if "principal" in line} == {
            name
        }
        assert _served(lines, response)["principal"] == name
    assert "canary" not in json.dumps(lines)
