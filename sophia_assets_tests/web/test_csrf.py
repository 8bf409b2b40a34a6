"""What a browser could be made to send by somebody else's page changes nothing."""

from __future__ import annotations

import pytest
import requests

from sophia_assets_tests.web.serving import Echoing, Served

QUESTION = {"query": "How much did we book?"}


def _post(site: Served, session: requests.Session, token: str | None) -> requests.Response:
    headers = {} if token is None else {"X-CSRF-Token": token}
    cookies = {"sophia": session.cookies["sophia"]}
    return requests.post(f"{site.address}/api/chat", json=QUESTION, headers=headers, cookies=cookies, timeout=30)


@pytest.fixture(scope="module")
def reader(site: Served) -> requests.Session:
    """Somebody who is logged in."""
    return site.browser("csrf", "executive")


def test_a_script_of_the_page_may_ask(site: Served, reader: requests.Session) -> None:
    assert _post(site, reader, str(reader.headers["X-CSRF-Token"])).status_code == 200


@pytest.mark.parametrize("token", [None, "", "0", "undefined", "a" * 5000, "\u00fc".encode().decode("latin-1")])
def test_a_cookie_alone_asks_nothing(
    site: Served, reader: requests.Session, echoing: Echoing, token: str | None
) -> None:
    before = len(echoing.asked)
    response = _post(site, reader, token)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "wrong_csrf_token")
    assert len(echoing.asked) == before


def test_the_token_of_another_session_does_not_count(site: Served, reader: requests.Session) -> None:
    other = site.browser("csrf", "executive")
    assert _post(site, reader, str(other.headers["X-CSRF-Token"])).status_code == 403


def test_the_token_of_a_session_that_has_ended_does_not_count_in_the_next(site: Served) -> None:
    session = site.browser("csrf2", "executive")
    old = str(session.headers.pop("X-CSRF-Token"))
    session.post(f"{site.address}/logout", data={"csrf_token": old}, timeout=30)
    assert site.log_in(session, site.token("csrf2")).status_code == 303
    assert _post(site, session, old).status_code == 403


def test_a_logout_without_its_token_logs_nobody_out(site: Served) -> None:
    session = site.browser("stays", "analyst")
    del session.headers["X-CSRF-Token"]
    assert session.post(f"{site.address}/logout", timeout=30).status_code == 403
    assert session.get(f"{site.address}/api/metrics", timeout=30).status_code == 200


def test_a_logout_by_following_a_link_does_nothing(site: Served) -> None:
    session = site.browser("stays", "analyst")
    assert session.get(f"{site.address}/logout", timeout=30).status_code == 405
    assert session.get(f"{site.address}/api/metrics", timeout=30).status_code == 200


def test_a_program_with_a_token_needs_none(site: Served) -> None:
    assert site.ask("How much did we book?").status_code == 200


def test_no_other_site_is_told_that_it_may_read_answers(site: Served) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (
        requests.options(f"{site.address}/api/chat", headers=asked, timeout=30),
        site.ask("How much did we book?", headers={"Origin": "https://evil.example"}),
    ):
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]
