"""Logging in and out: tokens, sessions, the one link of one's own machine, and where a login leads on to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import text

from sophia_assets.home import Home
from sophia_assets.web.authentication import safe_next
from sophia_assets.web.local_login import LocalLogin
from sophia_assets_tests.finished_home import copied_home
from sophia_assets_tests.web.serving import Echoing, Served, csrf_in, served

BY_LINK = LocalLogin("a-token-that-only-this-test-knows")


def test_a_token_logs_in_and_the_cookie_cannot_be_read_by_scripts(site: Served) -> None:
    session = requests.Session()
    response = site.log_in(session, site.token(), next="/status")
    assert (response.status_code, response.headers["location"]) == (303, "/status")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie and re.search("samesite=lax", cookie, re.IGNORECASE) and "Path=/" in cookie
    assert site.token() not in cookie
    assert session.get(f"{site.address}/api/briefings", timeout=30).status_code == 200


def test_a_page_without_a_login_leads_to_it_and_back(site: Served) -> None:
    response = requests.get(
        f"{site.address}/briefings/2026-11-20?edition=executive",
        headers={"Accept": "text/html"},
        allow_redirects=False,
        timeout=30,
    )
    assert response.status_code == 303
    assert response.headers["location"] == "/login?next=%2Fbriefings%2F2026-11-20%3Fedition%3Dexecutive"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer sophia_",
        "Bearer sophia_AAAAAAAAAAAAAAAAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Bearer ' OR 1=1 --",
        "Basic YWRhOmFkYQ==",
        "sophia_token_alone",
        "Bearer " + "a" * 5000,
        "Bearer sophia_\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc".encode().decode(
            "latin-1"
        ),
    ],
)
def test_what_is_no_token_of_anybody_is_refused(site: Served, authorization: str) -> None:
    response = site.get("/api/briefings", headers={"Authorization": authorization})
    assert response.status_code in (401, 429)
    assert set(response.json()["error"]) == {"code", "message", "remedy"}


def test_a_wrong_bearer_token_is_not_made_good_by_a_session(site: Served) -> None:
    session = site.browser()
    response = session.get(
        f"{site.address}/api/briefings", headers={"Authorization": f"Bearer sophia_{'x' * 60}"}, timeout=30
    )
    assert response.status_code in (401, 429)


def test_a_user_who_is_disabled_in_the_middle_of_a_session_is_out_at_once(site: Served) -> None:
    session = site.browser("leaver", "analyst")
    assert session.get(f"{site.address}/api/metrics", timeout=30).status_code == 200
    site.services.users.disable("leaver", by="tests", reason="left")
    assert session.get(f"{site.address}/api/metrics", timeout=30).status_code == 401
    bearer = {"Authorization": f"Bearer {site.token('leaver')}"}
    assert site.get("/api/metrics", headers=bearer).status_code == 401
    assert site.log_in(requests.Session(), site.token("leaver")).status_code == 401


def test_a_session_that_has_expired_leads_to_the_login(site: Served) -> None:
    session = site.browser("sleeper", "analyst")
    with site.services.control.transaction() as connection:
        past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
        changed = connection.execute(
            text("UPDATE sessions SET expires_at = :past WHERE user_name = 'sleeper'"), {"past": past}
        )
    assert changed.rowcount == 1
    assert session.get(f"{site.address}/api/metrics", timeout=30).status_code == 401


def test_logging_out_ends_the_session_for_whoever_kept_its_cookie(site: Served) -> None:
    session = site.browser("tidy", "analyst")
    kept = dict(session.cookies)
    token = str(session.headers.pop("X-CSRF-Token"))
    response = session.post(f"{site.address}/logout", data={"csrf_token": token}, allow_redirects=False, timeout=30)
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert requests.get(f"{site.address}/api/metrics", cookies=kept, timeout=30).status_code == 401


def test_two_logins_at_once_are_two_sessions_with_their_own_forms(site: Served) -> None:
    first, second = site.browser("two", "analyst"), site.browser("two", "analyst")
    assert first.cookies["sophia"] != second.cookies["sophia"]
    assert first.headers["X-CSRF-Token"] != second.headers["X-CSRF-Token"]
    assert {each.get(f"{site.address}/api/metrics", timeout=30).status_code for each in (first, second)} == {200}


def test_a_login_ends_the_session_that_the_browser_had_before(site: Served) -> None:
    session = site.browser("again", "analyst")
    before = session.cookies["sophia"]
    form = requests.Session()
    fields = {"csrf_token": csrf_in(form.get(f"{site.address}/login", timeout=30).text), "token": site.token("again")}
    form.cookies.set("sophia", before)
    response = form.post(f"{site.address}/login", data=fields, allow_redirects=False, timeout=30)
    assert response.status_code == 303
    assert requests.get(f"{site.address}/api/metrics", cookies={"sophia": before}, timeout=30).status_code == 401


def test_a_session_id_that_somebody_chose_is_not_taken_over(site: Served) -> None:
    session = requests.Session()
    session.cookies.set("sophia", "chosen-by-somebody-else-0000000000")
    assert site.log_in(session, site.token()).status_code == 303
    assert "chosen" not in site.log_in(requests.Session(), site.token()).headers["set-cookie"]
    chosen = {"sophia": "chosen-by-somebody-else-0000000000"}
    assert requests.get(f"{site.address}/api/metrics", cookies=chosen, timeout=30).status_code == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%09/evil.example\t",
        "/\t/evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "///evil.example",
        "/login",
        "/logout",
        "/" + "a" * 3000,
        "/\r\nSet-Cookie: a=b",
        "/caf\u00e9",
        "",
    ],
)
def test_a_login_leads_nowhere_but_to_this_site(site: Served, elsewhere: str) -> None:
    assert safe_next(elsewhere) == "/"
    response = site.log_in(requests.Session(), site.token(), next=elsewhere)
    assert (response.status_code, response.headers["location"]) == (303, "/")


@pytest.mark.parametrize("here", ["/", "/status", "/briefings/2026-11-20?edition=executive", "/evidence?metric=arr"])
def test_a_login_leads_on_to_where_the_reader_wanted_to_go(here: str) -> None:
    assert safe_next(here) == here


def test_a_login_form_from_another_site_is_refused(site: Served) -> None:
    session = requests.Session()
    form = {"csrf_token": csrf_in(session.get(f"{site.address}/login", timeout=30).text), "token": site.token()}
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = session.post(f"{site.address}/login", data=form, headers=foreign, allow_redirects=False, timeout=30)
        assert answer.status_code == 403
    without = requests.post(f"{site.address}/login", data=form, allow_redirects=False, timeout=30)
    assert without.status_code == 403


def test_every_login_and_every_refused_token_is_in_the_audit_trail(site: Served) -> None:
    session = site.browser("watched", "analyst")
    token = str(session.headers["X-CSRF-Token"])
    site.log_in(requests.Session(), "sophia_nobody_has_this_token_at_all_000000")
    session.post(f"{site.address}/logout", data={"csrf_token": token}, timeout=30)
    told = [(entry.actor, entry.action, entry.outcome) for entry in site.services.audit.tail(50)]
    assert ("watched", "login", "allowed") in told
    assert ("watched", "logout", "allowed") in told
    assert ("nobody", "login", "denied") in told


@pytest.fixture(scope="module")
def own(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process on one's own machine, without any user."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("own") / "home")
    with served(home, {"SOPHIA_WEB_LOGINS_PER_MINUTE": "1000"}, assistant=Echoing(), local=BY_LINK) as running:
        yield running


def test_the_link_of_ones_own_machine_logs_an_executive_in_once(own: Served) -> None:
    session = requests.Session()
    link = f"{own.address}/login?token={BY_LINK.token}"
    response = session.get(link, allow_redirects=False, timeout=30)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert session.get(f"{own.address}/api/usage", timeout=30).status_code == 200
    again = requests.get(link, timeout=30)
    assert again.status_code == 401
    assert "has been used" in again.text
    assert BY_LINK.token not in again.text
    assert session.get(f"{own.address}/api/usage", timeout=30).status_code == 200
    as_program = {"Authorization": f"Bearer {BY_LINK.token}"}
    assert requests.get(f"{own.address}/api/usage", headers=as_program, timeout=30).status_code == 401


def test_a_wrong_link_logs_nobody_in(own: Served) -> None:
    response = requests.get(f"{own.address}/login?token=guessed", allow_redirects=False, timeout=30)
    assert response.status_code == 401
    assert "sophia=" not in response.headers.get("set-cookie", "").replace("sophia-form=", "")
