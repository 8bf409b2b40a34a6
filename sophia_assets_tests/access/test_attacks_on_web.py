"""What strangers, other sites and readers with few rights try on the web process, and what planted texts do there."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
import requests

from sophia_assets.access.principal import Principal, RowScope
from sophia_assets.access.roles import ROLES, Role
from sophia_assets.desk import Desk
from sophia_assets.errors import AccessDenied, AuditUnavailable, WarehouseUnavailable
from sophia_assets.home import Home
from sophia_assets.services import Services
from sophia_assets_tests.finished_home import LAST_DAY, copied_home
from sophia_assets_tests.web.serving import Served, folder_for, served

_PLANTED = (
    "<img src=x onerror=alert(1)>Evil",
    '=HYPERLINK("http://evil.example")',
    "[x](javascript:alert(1))",
    "\x1b[31mRed\x1b[2J",
    "\u202eBackward Trading",
    "Wide\u200b\u2028Split\r\nHoldings",
    "  =1+1",
)
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")
_ACTIVE = re.compile(r"<img src=x|<svg onload|href=[\"']?javascript:", re.IGNORECASE)
# Counts of requests are open to this machine alone; `web/test_metrics.py` asks from elsewhere.
_OPEN_TO_ALL = {"/metrics", "/healthz", "/readyz", "/login", "/logout", "/static/{digest}/{name}", "/openapi.json"}


@pytest.fixture(scope="module")
def site(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The real process over a home in which the largest customers have names that somebody has planted."""
    home = copied_home(finished_home, folder_for(tmp_path_factory, "attacked"))
    with duckdb.connect(str(home.warehouse_file)) as warehouse:
        ids = warehouse.execute("SELECT account_id FROM marts.accounts ORDER BY mrr DESC, account_id").fetchall()
        sql = (
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'account' AND table_schema = 'marts'"
        )
        for (table,) in warehouse.execute(sql).fetchall():
            for (account_id,), name in zip(ids, _PLANTED, strict=False):
                warehouse.execute(f"UPDATE marts.{table} SET account = ? WHERE account_id = ?", [name, account_id])
    with served(home, {"SOPHIA_WEB_LOGINS_PER_MINUTE": "100000"}) as running:
        yield running


def tool(site: Served, name: str, arguments: dict[str, Any]) -> str:
    """A call of a tool, as a program makes it."""
    call = {"name": name, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    headers = {**site.bearer(), "Accept": "application/json, text/event-stream"}
    return requests.post(f"{site.address}/mcp", json=body, headers=headers, timeout=30).text


def test_nothing_is_open_to_whoever_has_no_login(site: Served) -> None:
    from starlette.routing import Route

    from sophia_assets.web.app import create_app

    app = create_app(site.services)
    tried = 0
    for route in app.router.routes:
        for inner in getattr(getattr(route, "original_router", None), "routes", [route]):
            path = getattr(inner, "path", "")
            if not isinstance(inner, Route) or path in _OPEN_TO_ALL or not path:
                continue
            address = re.sub(r"\{[^}]+\}", "2026-11-20", path)
            for method in sorted((inner.methods or set()) - {"HEAD"}):
                answer = requests.request(method, site.address + address, json={"query": "MRR"}, timeout=30)
                assert answer.status_code in (401, 405), (method, path, answer.status_code)
                tried += 1
    assert tried > 10


def test_a_users_token_in_a_link_logs_nobody_in(site: Served) -> None:
    session = requests.Session()
    link = {"token": site.token("mallory", "analyst"), "next": "/ask"}
    response = session.get(f"{site.address}/login", params=link, allow_redirects=False, timeout=30)
    assert response.status_code == 401
    assert "sophia" not in session.cookies
    victim = site.browser()
    before = victim.cookies["sophia"]
    victim.get(f"{site.address}/login", params=link, timeout=30)
    assert victim.cookies["sophia"] == before
    assert victim.get(f"{site.address}/api/metrics", timeout=30).status_code == 200


def test_the_tools_keep_no_connection_open(site: Served) -> None:
    for method in ("GET", "DELETE"):
        headers = {**site.bearer(), "Accept": "text/event-stream"}
        response = requests.request(method, f"{site.address}/mcp", headers=headers, timeout=10)
        assert response.status_code == 405


def test_the_platform_is_not_shown_to_whoever_sees_some_rows_only(site: Served) -> None:
    token = site.token("lim", "executive", RowScope({"account": frozenset({"nobody"})}))
    limited = {"Authorization": f"Bearer {token}"}
    assert site.get("/api/usage", headers=limited).status_code == 403
    assert site.get("/usage", headers=limited).status_code == 403
    site.state.board.read()
    site.state.board._held = {**site.state.board._held, "problems": [{"subject": "a secret"}]}
    assert site.get("/api/status", headers=limited).json()["problems"] == []
    assert site.get("/api/status").json()["problems"] != []


def test_an_edition_with_what_its_reader_sees_no_more_is_shown_nowhere(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = Role("executive", "Fewer rights than when it was written.", frozenset({"engineering"}), "internal")
    monkeypatch.setitem(ROLES, "executive", fewer)
    headers = site.bearer()
    for path in (f"/api/briefings/{LAST_DAY}", f"/briefings/{LAST_DAY}", f"/evidence/fact/x?day={LAST_DAY}"):
        assert site.get(path, headers=headers).status_code == 403, path
        newest = site.services.audit.tail(1)[0]
        assert (newest.outcome, newest.actor) == ("denied", "ada"), path
    assert "does not see" in tool(site, "read_briefing", {})
    with pytest.raises(AccessDenied, match="any more"):
        Desk(site.services).briefing(Principal("ada", "executive", "cli"))


def test_without_a_record_nothing_is_given_on_any_way(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = "metric=mrr&start=2026-11-20&end=2026-11-20&period_key=as_of"
    fact = site.get(f"/api/briefings/{LAST_DAY}").json()["facts"][0]
    paths = ["/", "/briefings", f"/briefings/{LAST_DAY}", f"/api/briefings/{LAST_DAY}", "/api/briefings/newest"]
    paths += [f"{path}?{evidence}" for path in ("/evidence", "/evidence.csv", "/api/evidence")]
    paths.append(f"/evidence/fact/{fact['id']}?day={LAST_DAY}")
    assert [path for path in paths if site.get(path).status_code != 200] == []
    figure = site.ask("What is MRR?").json()["results"][0]["value"]

    def broken(*_: object, **__: object) -> int:
        raise AuditUnavailable("the trail is broken")

    monkeypatch.setattr(site.services.audit, "record", broken)
    assert [path for path in paths if site.get(path).status_code != 503] == []
    answer = site.ask("What is MRR?")
    assert answer.json()["status"] == "denied"
    given = [answer.text, *(tool(site, name, {}) for name in ("read_briefing", "data_freshness"))]
    given += [tool(site, "ask", {"question": "What is MRR?"})]
    assert not [text for text in given if figure in text or str(fact["display"]) in text]


def test_an_outage_is_told_to_a_tools_client_without_its_words(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        raise WarehouseUnavailable("cannot open /srv/secret/place.duckdb")

    monkeypatch.setattr(Desk, "briefing", broken)
    told = tool(site, "read_briefing", {})
    assert "secret" not in told
    assert "at present" in told


def test_whoever_asks_all_the_time_whether_it_is_ready_reaches_the_store_once(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sophia_assets.web import watching

    asked: list[object] = []
    monkeypatch.setattr(watching, "_ask_control_store", asked.append)
    monkeypatch.setattr(watching, "_KEPT_SECONDS", 60.0)
    site.state.store_asked_at = float("-inf")
    answers = {requests.get(f"{site.address}/readyz", timeout=30).status_code for _ in range(20)}
    assert answers == {200}
    assert len(asked) == 1
    site.state.store_asked_at = float("-inf")


@pytest.mark.parametrize("question", ["Top 10 accounts by MRR", "What is MRR of Backward?", "MRR by account"])
def test_planted_names_are_neither_active_nor_unseen(site: Served, question: str) -> None:
    answer = site.ask(question)
    # What repr() writes of characters that are not shown.
    assert not re.search(r"\\x1b|\\u202e|\\u200b", repr(answer.json()))
    browser = site.browser()
    form = {"csrf_token": str(browser.headers["X-CSRF-Token"]), "question": question}
    page = browser.post(f"{site.address}/ask", data=form, timeout=30).text
    assert not _ACTIVE.search(page)
    assert not _UNSEEN.search(page)
    evidence = next(each["evidence"] for each in answer.json()["citations"] if each["evidence"])
    shown = site.get("/evidence", params=evidence).text
    assert not _ACTIVE.search(shown)
    assert not _UNSEEN.search(shown)


def test_no_cell_of_a_file_is_a_formula_or_a_terminals_command(site: Served) -> None:
    query = "metric=mrr&start=2026-11-20&end=2026-11-20&period_key=as_of"
    for path in (f"/evidence.csv?{query}", f"/api/evidence?{query}&format=csv"):
        text = site.get(path).text
        assert "HYPERLINK" in text
        assert not _UNSEEN.search(text)
        cells = [cell.lstrip(" ") for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


def test_a_terminal_is_given_nothing_to_obey(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from sophia_assets.cli import main

    services: Services = site.services
    monkeypatch.setattr(type(services.flags), "is_on", lambda *_: True)
    environment = {"SOPHIA_HOME": str(services.home.path)}
    for arguments in (
        ["ask", "Top 10 accounts by MRR"],
        ["ask", "MRR of Backwart"],
        ["sql", "SELECT account AS a FROM marts.accounts", "--as", "executive"],
        ["ask", "What is MRR?", "--as", "\x1b[2Jnobody"],
    ):
        done = CliRunner().invoke(main, arguments, env=environment, prog_name="sophia", color=False)
        assert not _UNSEEN.search(done.output), arguments
        assert done.output


@pytest.mark.parametrize(
    "text", ["MRR ❶", "Top ❷ accounts by MRR", "MRR of the last ③ months", "MRR ² \u0000 \u202e ٣"]
)
def test_signs_that_are_almost_numbers_are_no_fault_of_the_platform(site: Served, text: str) -> None:
    assert "fault" not in site.ask(text).json()["response"]


def test_a_page_of_rows_with_an_endless_number_is_refused(site: Served) -> None:
    query = "metric=mrr&start=2026-11-20&end=2026-11-20&period_key=as_of"
    assert site.get(f"/evidence?{query}&page=000001{'0' * 6000}").status_code == 422
