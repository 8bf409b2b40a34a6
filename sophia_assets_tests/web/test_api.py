"""The API over real HTTP: what it takes, what it gives, and that every error has the one shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sophia_assets.access.principal import RowScope
from sophia_assets.home import Home
from sophia_assets_tests.finished_home import LAST_DAY, copied_home
from sophia_assets_tests.web.serving import Echoing, Served, served

DAY = LAST_DAY.isoformat()


@pytest.fixture(scope="module")
def answering(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process with the real assistant."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("answering") / "home")
    with served(home) as running:
        yield running


def test_a_question_is_answered_with_its_figures_and_where_they_come_from(answering: Served) -> None:
    answer = answering.ask("How much did we book this quarter?")
    found = answer.json()
    assert (answer.status_code, found["status"]) == (200, "answered")
    assert found["citations"] and found["conversation"] == ["How much did we book this quarter?"]
    assert "answer;dur=" in answer.headers["server-timing"] and "login;dur=" in answer.headers["server-timing"]
    assert answering.ask("How much did we book this quarter?").json()["is_cached"]


def test_the_rows_behind_an_answer_are_found_by_its_citation(answering: Served) -> None:
    citation = answering.ask("How much did we book this quarter?").json()["citations"][0]
    rows = answering.get("/api/evidence", params={**citation["evidence"], "limit": "5"})
    found = rows.json()
    assert rows.status_code == 200, rows.text
    assert found["rows"] and len(found["rows"]) <= 5 <= found["total_rows"]
    assert set(found["rows"][0]) == set(found["columns"])
    assert {step["kind"] for step in found["lineage"]} == {"mart", "staging", "raw"}
    as_csv = answering.get("/api/evidence", params={**citation["evidence"], "format": "csv"})
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert as_csv.headers["content-disposition"].startswith("attachment; filename=")
    assert as_csv.text.splitlines()[0] == ",".join(found["columns"])


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"metric": "nothing_of_the_kind"}, 404),
        ({"metric": "../../etc/passwd"}, 422),
        ({"start": "yesterday"}, 422),
        ({"start": "2026-11-20", "end": "2026-11-01"}, 422),
        ({"owner": "1"}, 422),
        ({"filters": "[[[[["}, 422),
        ({"filters": '[["industry", ["\' OR 1=1 --"], false]]'}, 200),
        ({"limit": "0"}, 422),
        ({"limit": "1000000000"}, 422),
        ({"format": "xlsx"}, 422),
    ],
)
def test_evidence_of_what_there_is_not_says_so(answering: Served, changed: dict[str, str], status: int) -> None:
    asked = {"metric": "bookings", "start": "2026-10-01", "end": DAY, "period_key": "qtd", **changed}
    answer = answering.get("/api/evidence", params=asked)
    assert answer.status_code == status, answer.text
    if status != 200:
        _is_an_error(answer)


def test_a_parameter_given_twice_is_refused(answering: Served) -> None:
    asked = [("metric", "bookings"), ("metric", "arr"), ("start", DAY), ("end", DAY), ("period_key", "as_of")]
    assert answering.get("/api/evidence", params=asked).status_code == 422


def test_a_role_sees_its_own_metrics_and_no_rows_of_others(answering: Served) -> None:
    builder = answering.bearer("builder", "engineering_leader")
    seen = {each["name"] for each in answering.get("/api/metrics", headers=builder).json()["metrics"]}
    everything = {each["name"] for each in answering.get("/api/metrics").json()["metrics"]}
    assert seen < everything and "bookings" in everything - seen
    asked = {"metric": "bookings", "start": "2026-10-01", "end": DAY, "period_key": "qtd"}
    answer = answering.get("/api/evidence", params=asked, headers=builder)
    assert answer.status_code == 403
    _is_an_error(answer)


def test_briefings_are_listed_and_read_in_ones_own_edition(site: Served) -> None:
    listed = site.get("/api/briefings").json()["briefings"]
    assert {"day": DAY, "kind": "daily", "role": "executive", "path": f"/api/briefings/{DAY}"} in listed
    own = site.get(listed[0]["path"]).json()
    assert own["role"] == "executive" and own["facts"] and own == site.get("/api/briefings/newest").json()
    seller = site.bearer("seller", "sales_leader")
    assert site.get(f"/api/briefings/{DAY}", headers=seller).json()["role"] == "sales_leader"
    assert site.get(f"/api/briefings/{DAY}?role=executive", headers=seller).status_code == 403
    assert site.get(f"/api/briefings/{DAY}?role=sales_leader").json()["role"] == "sales_leader"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/briefings/2020-01-01", 404),
        ("/api/briefings/2026-02-30", 422),
        ("/api/briefings/..%2F..%2Fetc%2Fpasswd", 404),
        ("/api/briefings/newest?role=nobody", 422),
        ("/api/briefings/newest?kind=hourly", 422),
        ("/api/briefings/%00", 422),
        ("/api/nothing", 404),
        ("/api/usage?days=0", 422),
        ("/api/%f0%28%8c%28", 404),
        ("/API/metrics", 404),
    ],
)
def test_what_there_is_not_is_an_error_of_the_one_shape(site: Served, path: str, status: int) -> None:
    answer = site.get(path)
    assert answer.status_code == status
    _is_an_error(answer)


def test_whoever_is_limited_to_accounts_reads_no_briefing(site: Served) -> None:
    token = site.token("limited", "executive", RowScope({"country": frozenset({"DE"})}))
    headers = {"Authorization": f"Bearer {token}"}
    assert site.get("/api/briefings", headers=headers).json() == {"briefings": []}
    assert site.get("/api/briefings/newest", headers=headers).status_code == 403


def test_a_role_without_the_platform_sees_no_usage_and_no_problems(site: Served) -> None:
    seller = site.bearer("seller", "sales_leader")
    assert site.get("/api/usage", headers=seller).status_code == 403
    assert site.get("/api/status", headers=seller).json()["problems"] == []
    found = site.get("/api/status").json()
    assert found["day"] == DAY
    assert {"hubspot", "gong"} <= {system["system"] for system in found["systems"]}


def test_usage_counts_requests_by_route_and_answers_by_status(site: Served) -> None:
    site.ask("How much?")
    site.get("/api/briefings/2020-01-01")
    served_here = site.get("/api/usage").json()["served"]
    routes = {each["route"]: each for each in served_here["routes"]}
    assert routes["POST /api/chat"]["requests"] >= 1 and routes["POST /api/chat"]["p95_ms"] > 0
    assert "GET /api/briefings/{day}" in routes
    assert not [route for route in routes if "2020" in route]
    assert served_here["answers"]["answered"] >= 1


def test_who_asks_is_never_taken_from_the_body(site: Served, echoing: Echoing) -> None:
    context = {"role": "executive", "user": "ada", "principal": {"role": "executive"}, "rows": {}}
    body = {"context": context, "role": "executive", "principal": "ada"}
    answer = site.ask("Who am I?", headers=site.bearer("seller", "sales_leader"), body=body)
    assert answer.json()["echo"] == {"role": "sales_leader"}
    asked = echoing.asked[-1].principal
    assert (asked.name, asked.role, asked.channel) == ("seller", "sales_leader", "api")


def test_a_conversation_is_sent_back_with_its_newest_six_questions(site: Served, echoing: Echoing) -> None:
    earlier = [f"question {number}" for number in range(20)] + ["", "x" * 600]
    answer = site.ask("and now?", body={"context": {"conversation": earlier, "theme": "dark"}})
    assert echoing.asked[-1].earlier == tuple(f"question {number}" for number in range(14, 20))
    assert answer.json()["conversation"] == [*(f"question {number}" for number in range(15, 20)), "and now?"]


@pytest.mark.parametrize("context", [None, {}, {"conversation": []}, {"anything": [1, {"else": None}]}])
def test_the_context_may_be_anything_or_nothing(site: Served, context: Any) -> None:
    assert site.ask("How much?", body={"context": context}).status_code == 200


@pytest.mark.parametrize(
    "text", ["\u202e\u0000\ufeff", "🙂" * 100, "<script>alert(1)</script>", "'; DROP TABLE users;--"]
)
def test_a_question_comes_back_as_it_was_asked(site: Served, text: str) -> None:
    answer = site.ask(text)
    assert answer.json()["response"] == f"You asked: {text}"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b'{"query": "\xff\xfe"}', 400),
        (b'{"query": "\\ud800"}', 422),
        (b'{"query": ""}', 422),
        (b'{"query": 5}', 422),
        (b'{"query": null}', 422),
        (b'{"query": ["a"]}', 422),
        (b'{"question": "a"}', 422),
        (b'"query"', 422),
        (b"[]", 422),
        (b"NaN", 422),
        (b'{"query": "x", "context": "y"}', 422),
        (b'{"query": "x", "context": {"conversation": "y"}}', 422),
        (b'{"query": "x", "context": {"conversation": [1]}}', 422),
        (b"[" * 5_000, 400),
        (b'{"query": "x", "context": ' + b'{"a":' * 5_000, 400),
        (json.dumps({"query": "x" * 501}).encode(), 422),
    ],
)
def test_a_body_that_is_no_question_is_refused_with_what_is_wrong(site: Served, body: bytes, status: int) -> None:
    headers = {**site.bearer(), "Content-Type": "application/json"}
    answer = requests.post(f"{site.address}/api/chat", data=body, headers=headers, timeout=30)
    assert answer.status_code == status, answer.text
    _is_an_error(answer)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken_for_a_question(site: Served, media_type: str) -> None:
    headers = {**site.bearer(), "Content-Type": media_type}
    answer = requests.post(f"{site.address}/api/chat", data=b'{"query": "x"}', headers=headers, timeout=30)
    assert answer.status_code in (415, 422)
    _is_an_error(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/chat"), ("DELETE", "/api/chat"), ("POST", "/api/metrics"), ("TRACE", "/"), ("PUT", "/login")],
)
def test_another_method_is_told_which_there_are(site: Served, method: str, path: str) -> None:
    answer = requests.request(method, site.address + path, headers=site.bearer(), timeout=30)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    _is_an_error(answer)


def test_a_failure_within_tells_readers_nothing_of_its_inside(
    site: Served, echoing: Echoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(echoing, "ask", fails)
    answer = site.ask("How much?")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    assert "hunter2" not in answer.text and "Traceback" not in answer.text


def test_what_programs_may_do_is_described(site: Served) -> None:
    described = requests.get(f"{site.address}/openapi.json", timeout=30).json()
    assert {"/api/chat", "/api/chat/stream", "/api/evidence", "/api/briefings/{day}"} <= set(described["paths"])
    assert not [path for path in described["paths"] if not path.startswith(("/api/", "/healthz", "/readyz"))]
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert bool(operation["security"]) is path.startswith("/api/")
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorOut")


def _is_an_error(answer: requests.Response) -> None:
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"} and set(error) == {"code", "message", "remedy"}
    assert error["code"] and error["message"] and "Traceback" not in answer.text
