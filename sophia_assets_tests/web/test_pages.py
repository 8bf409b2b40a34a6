"""The pages over HTTP: what each shows, to whom, and that nothing in the data becomes active in them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from sophia_assets.access.principal import Principal, RowScope
from sophia_assets.access.roles import ROLES, may_see
from sophia_assets.control.breaker import State
from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.web.pages.static_files import address_of, static_file
from sophia_assets_tests.finished_home import LAST_DAY, copied_home
from sophia_assets_tests.web.html_checks import Outline, read_page
from sophia_assets_tests.web.reader import ATTACKS, DAGSTER, IMAGE, SCRIPT, plant, reader
from sophia_assets_tests.web.serving import Served, csrf_in, folder_for

HTML = {"Accept": "text/html"}
PAGES = ("/", "/briefings", f"/briefings/{LAST_DAY}", "/?kind=weekly", "/ask", "/status", "/metrics-catalog")
BOOKINGS = {"metric": "bookings", "start": "2026-10-01", "end": str(LAST_DAY), "period_key": "qtd"}


@pytest.fixture(scope="module")
def site(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = copied_home(finished_home, folder_for(tmp_path_factory, "pages"))
    plant(home)
    with reader(home) as running:
        yield running


@pytest.fixture(scope="module")
def readers(site: Served) -> dict[str, requests.Session]:
    """Somebody of each role, logged in."""
    found = {role: site.browser(f"of-{role}".replace("_", "-"), role) for role in ROLES}
    for session in found.values():
        session.headers.update(HTML)
    return found


def look(site: Served, session: requests.Session, path: str, status: int = 200) -> tuple[str, Outline]:
    response = session.get(site.address + path, timeout=30, allow_redirects=False)
    assert response.status_code == status, (path, response.status_code, response.text[:500])
    return response.text, read_page(response.text, DAGSTER)


def status_of(path: str, role: str) -> int:
    """Roles without an edition of a day are told so."""
    return 404 if path.startswith("/briefings/") and role in ("analyst", "auditor") else 200


def post(site: Served, session: requests.Session, question: str, earlier: tuple[str, ...] = ()) -> requests.Response:
    form = {"question": question, "earlier": list(earlier), "csrf_token": session.headers["X-CSRF-Token"]}
    return session.post(f"{site.address}/ask", data=form, timeout=30)


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_well_formed_labelled_and_from_here_alone(
    site: Served, readers: dict[str, requests.Session], role: str
) -> None:
    for path in PAGES:
        look(site, readers[role], path, status_of(path, role))


def test_the_first_page_is_the_briefing_with_its_figures_as_links(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    _, outline = look(site, readers["executive"], "/")
    stored = json.loads((site.services.home.briefings / str(LAST_DAY) / "briefing.json").read_text())
    text = " ".join("".join(outline.text).split())
    for section in stored["sections"]:
        for sentence in section["sentences"]:
            told = sentence["text"] if section["key"] != "actions" else sentence["text"].partition(": ")[0]
            assert told in text
    cited = {fact for section in stored["sections"] for each in section["sentences"] for fact in each["fact_ids"]}
    linked = {re.match(r"/evidence/fact/([^?]+)", link) for link in outline.links}
    assert cited <= {each[1] for each in linked if each}
    assert "Written" in text and "from data through 20 November 2026" in text and "Its seal is intact." in text


def test_every_link_of_the_briefing_opens(site: Served, readers: dict[str, requests.Session]) -> None:
    _, outline = look(site, readers["executive"], "/")
    links = sorted({link for link in outline.links if link.startswith("/evidence/fact/")})
    assert len(links) > 50
    for link in links[::6]:
        look(site, readers["executive"], link)
    anchors = {link[1:] for link in outline.links if link.startswith("#")}
    assert anchors <= set(outline.ids)


def test_what_was_missing_is_said_on_top(site: Served, readers: dict[str, requests.Session]) -> None:
    folder = site.services.home.briefings / str(LAST_DAY) / "engineering_leader"
    stored = (folder / "briefing.json").read_text()
    content = json.loads(stored)
    linear = next(each for each in content["freshness"] if each["system"] == "linear")
    linear.update(state="failed", newest_data="2026-11-12", message="no answer")
    try:
        (folder / "briefing.json").write_text(json.dumps(content))
        page, _ = look(site, readers["engineering_leader"], "/")
    finally:
        (folder / "briefing.json").write_text(stored)
    assert "Linear is missing since 12 November 2026" in page


def test_a_briefing_that_was_changed_is_shown_with_an_alarm_and_nothing_in_it_is_active(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    page, outline = look(site, readers["sales_leader"], "/")
    assert "was changed after it was published" in page and 'role="alert"' in page
    assert "<img" not in page and "onerror=" in "".join(outline.text)
    archive, _ = look(site, readers["sales_leader"], "/briefings")
    assert "changed since" in archive and "<img" not in archive


def test_a_torn_briefing_says_so(site: Served, readers: dict[str, requests.Session]) -> None:
    path = site.services.home.briefings / str(LAST_DAY) / "engineering_leader" / "briefing.json"
    stored = path.read_text()
    try:
        for torn in (
            "",
            "{",
            "[]",
            '{"evidence": {"format": 1}}',
            stored.replace('"segments', '"x')[: len(stored) // 2],
        ):
            path.write_text(torn)
            page, _ = look(site, readers["engineering_leader"], "/")
            assert "cannot be read any more" in page
            look(site, readers["engineering_leader"], "/briefings")
            look(site, readers["engineering_leader"], f"/evidence/fact/open_bugs.as_of?day={LAST_DAY}", 404)
    finally:
        path.write_text(stored)


def test_a_day_without_a_briefing_leads_to_those_near_it(site: Served, readers: dict[str, requests.Session]) -> None:
    page, outline = look(site, readers["executive"], "/briefings/2026-11-01", 404)
    assert f"/briefings/{LAST_DAY}" in outline.links and "There is none of Sunday, 1 November 2026" in page
    look(site, readers["executive"], "/briefings/weekly/2026-11-15", 404)
    look(site, readers["executive"], "/briefings/yesterday", 422)
    look(site, readers["executive"], "/?kind=hourly", 422)


def test_each_role_reads_its_own_edition_and_the_executive_all(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    for role in ("sales_leader", "engineering_leader"):
        look(site, readers["executive"], f"/?edition={role}")
    for role in ("sales_leader", "engineering_leader", "analyst", "auditor"):
        page, _ = look(site, readers[role], "/?edition=executive", 403)
        assert "An executive may read all editions" in page
        look(site, readers[role], "/briefings?edition=executive", 403)
        look(site, readers[role], f"/evidence/fact/bookings.qtd?day={LAST_DAY}&edition=executive", 403)
    look(site, readers["sales_leader"], "/?edition=nobody", 403)
    page, _ = look(site, readers["analyst"], "/")
    assert "No briefing has been written for the role analyst" in page


@pytest.mark.parametrize("role", ["sales_leader", "engineering_leader", "auditor"])
def test_a_role_finds_no_word_of_what_it_may_not_see(
    site: Served, readers: dict[str, requests.Session], role: str
) -> None:
    catalog = load_catalog()
    hidden = [metric for metric in catalog.metrics.values() if not may_see(role, metric)]
    assert hidden
    definitions, _ = look(site, readers[role], "/metrics-catalog")
    others = "".join(
        look(site, readers[role], path, status_of(path, role))[0] for path in PAGES if path != "/metrics-catalog"
    )
    for metric in hidden:
        assert f'id="{metric.name}"' not in definitions and metric.description not in definitions + others
        given = {**BOOKINGS, "metric": metric.name}
        page, _ = look(site, readers[role], f"/evidence?{urlencode(given)}", 403)
        assert metric.description not in page and "SELECT" not in page and not re.search(r"\$\d", page)
        refused = readers[role].get(f"{site.address}/evidence.csv?{urlencode(given)}", timeout=30)
        assert refused.status_code == 403


def test_the_page_of_a_figure_has_its_definition_rows_lineage_and_query(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    page, outline = look(site, readers["executive"], f"/evidence?{urlencode(BOOKINGS)}")
    text = "".join(outline.text)
    for expected in ("Value of deals won", "$253K", "8 rows count towards it", "hubspot.deals", "marts.deal_states"):
        assert expected in text, expected
    assert "SELECT" in text and f"{DAGSTER}/assets/hubspot/deals" in outline.links
    assert {"svg", "path", "table"} <= outline.tags
    for attack in (SCRIPT, IMAGE):
        assert attack in text and attack not in page


def test_rows_are_paged_and_come_as_a_file(site: Served, readers: dict[str, requests.Session]) -> None:
    given = {"metric": "product_actions", "start": "2026-10-22", "end": str(LAST_DAY), "period_key": "last_30d"}
    address = f"/evidence?{urlencode(given)}"
    first, _ = look(site, readers["executive"], address)
    second, _ = look(site, readers["executive"], f"{address}&page=2")
    assert "shown are 1 to 50" in first and "shown are 51 to" in second and first != second
    for page in ("0", "-1", "201", "x", "%D9%A3"):
        look(site, readers["executive"], f"{address}&page={page}", 422)
    response = readers["executive"].get(f"{site.address}/evidence.csv?{urlencode(BOOKINGS)}", timeout=30)
    assert response.headers["content-type"].startswith("text/csv")
    assert "attachment" in response.headers["content-disposition"]
    assert len(list(csv.reader(io.StringIO(response.text)))) == 9


@pytest.mark.parametrize(
    "query",
    [
        "",
        "metric=bookings",
        urlencode({**BOOKINGS, "metric": "nothing"}),
        urlencode({**BOOKINGS, "metric": "<script>"}),
        urlencode({**BOOKINGS, "start": "x"}),
        urlencode({**BOOKINGS, "more": "1"}),
        urlencode({**BOOKINGS, "filters": "{"}),
        urlencode(BOOKINGS) + "&metric=mrr",
        urlencode({**BOOKINGS, "dimension": "owner", "entity_id": "\x00"}),
    ],
)
def test_an_address_that_finds_no_figure_says_so(
    site: Served, readers: dict[str, requests.Session], query: str
) -> None:
    page, _ = look(site, readers["executive"], f"/evidence?{query}", 422)
    assert "<script>" not in page


def test_an_entity_that_does_not_exist_has_no_value_and_no_rows(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    given = {
        **BOOKINGS,
        "dimension": "owner",
        "entity_id": "' OR 1=1 --",
        "filters": json.dumps([["industry", ["\u202e<b>"], False]]),
    }
    page, _ = look(site, readers["executive"], f"/evidence?{urlencode(given)}")
    assert "No row of the data counts towards it" in page and "No value can be measured" in page


def test_whoever_is_limited_to_accounts_reads_no_briefing_and_rows_of_these_alone(site: Served) -> None:
    token = site.token("limited", "sales_leader", rows=RowScope({"industry": frozenset({"Real estate"})}))
    session = requests.Session()
    site.log_in(session, token)
    session.headers.update(HTML)
    page, _ = look(site, session, "/")
    assert "your own accounts only" in page and "Bookings are" not in page
    page, _ = look(site, session, "/briefings")
    assert "your own accounts only" in page
    look(site, session, f"/evidence/fact/bookings.qtd?day={LAST_DAY}", 403)
    page, _ = look(site, session, f"/evidence?{urlencode(BOOKINGS)}")
    assert (
        "2 rows count towards it" in page and "Of your own accounts alone" in page and "Telecommunications" not in page
    )
    look(site, session, "/usage", 403)


def test_a_question_is_answered_without_scripts_and_its_conversation_goes_on(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    page = post(site, readers["executive"], "How much did we book?").text
    outline = read_page(page)
    assert "How much did we book?" in "".join(outline.text) and "after 0 others" in "".join(outline.text)
    assert any(link.startswith("/evidence?metric=bookings") for link in outline.links)
    assert '<input type="hidden" name="earlier" value="How much did we book?">' in page
    page = post(site, readers["executive"], "And before?", ("How much did we book?", " ", "x" * 501)).text
    assert "after 1 others" in page


@pytest.mark.parametrize(
    "question", ["Who are the top owners?", "Which revenue?", SCRIPT, IMAGE, "\u202e\U0001f600 \x00 \ud7ff"]
)
def test_names_and_questions_never_become_active(
    site: Served, readers: dict[str, requests.Session], question: str
) -> None:
    page = post(site, readers["executive"], question).text
    read_page(page, DAGSTER)
    for attack in ATTACKS[:2]:
        assert attack not in page
    assert "javascript:" not in "".join(re.findall(r'href="([^"]*)"', page))


def test_the_stream_of_the_page_is_its_answer_laid_out(site: Served, readers: dict[str, requests.Session]) -> None:
    form = {"question": "Who are the top owners?", "csrf_token": readers["executive"].headers["X-CSRF-Token"]}
    headers = {"Accept": "text/event-stream"}
    response = readers["executive"].post(f"{site.address}/ask", data=form, headers=headers, timeout=30)
    assert response.headers["content-type"].startswith("text/event-stream")
    name, data = re.findall(r"^event: (\w+)\ndata: (.*)$", response.text, re.MULTILINE)[0]
    told = json.loads(data)
    assert name == "answer" and told["conversation"] == ["Who are the top owners?"]
    assert told["html"].lstrip().startswith("<article") and SCRIPT not in told["html"]
    form["question"] = " "
    response = readers["executive"].post(f"{site.address}/ask", data=form, headers=headers, timeout=30)
    assert "event: failed" in response.text and "Write a question first" in response.text


@pytest.mark.parametrize(("question", "status"), [("", 422), ("   ", 422), ("x" * 501, 422), ("x" * 500, 200)])
def test_what_is_no_question_is_refused_kindly(
    site: Served, readers: dict[str, requests.Session], question: str, status: int
) -> None:
    response = post(site, readers["executive"], question)
    assert response.status_code == status
    read_page(response.text, DAGSTER)


def test_a_link_puts_a_question_into_the_box_and_does_not_ask_it(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    page, _ = look(site, readers["executive"], f"/ask?{urlencode({'q': IMAGE})}")
    assert "<article" not in page and IMAGE not in page and "onerror" in page


def test_a_form_without_the_sessions_secret_asks_nothing(site: Served, readers: dict[str, requests.Session]) -> None:
    headers = {"X-CSRF-Token": "x"}
    form = {"question": "How much?", "csrf_token": "y"}
    response = readers["executive"].post(f"{site.address}/ask", data=form, headers=headers, timeout=30)
    assert response.status_code == 403
    read_page(response.text)


def test_figures_are_found_by_what_people_call_them(site: Served, readers: dict[str, requests.Session]) -> None:
    page, _ = look(site, readers["executive"], "/metrics-catalog?q=bookings")
    assert 'id="bookings"' in page and 'id="open_bugs"' not in page
    page, _ = look(site, readers["executive"], f"/metrics-catalog?{urlencode({'q': SCRIPT})}")
    assert SCRIPT not in page and "No figure matches" in page


def test_what_is_broken_is_told_to_those_who_run_the_platform_alone(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    circuits = site.services.circuits
    circuits.force("hubspot", State.OPEN, "tests", f"a reason {SCRIPT}")
    site_state = site.server.config.app.state.web  # type: ignore[union-attr]
    try:
        site_state.board._read_at = float("-inf")
        page, _ = look(site, readers["executive"], "/status")
        assert "Forced open" in page and "a reason" in page and SCRIPT not in page
        page, _ = look(site, readers["sales_leader"], "/status")
        assert "HubSpot" in page and "a reason" not in page and "What is broken" not in page
    finally:
        circuits.reset("hubspot", "tests", "done")
        site_state.board._read_at = float("-inf")


def test_usage_is_for_those_who_see_the_platform(site: Served, readers: dict[str, requests.Session]) -> None:
    for role in ROLES:
        _, outline = look(site, readers[role], "/usage", 200 if role in ("executive", "analyst", "auditor") else 403)
        assert ("/usage" in outline.links) == (role in ("executive", "analyst", "auditor"))


def test_the_audit_trail_is_for_those_who_may_audit_and_reading_it_is_an_entry(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    for role in ROLES:
        is_allowed = role in ("executive", "auditor")
        page, outline = look(site, readers[role], "/audit?who=of-auditor", 200 if is_allowed else 403)
        assert ("/audit" in outline.links) == is_allowed
        assert ("audit.read" in page) == (role == "auditor")


def test_the_audit_trail_goes_on_page_by_page_and_shows_nothing_that_runs(
    site: Served, readers: dict[str, requests.Session]
) -> None:
    somebody = Principal(SCRIPT, "executive", "page")
    for number in range(101):
        site.services.audit.record(somebody, "briefing.read", f"{number}", "allowed")
    page, outline = look(site, readers["auditor"], f"/audit?{urlencode({'who': SCRIPT})}")
    (older,) = [link for link in outline.links if "before=" in link]
    assert SCRIPT not in page and page.count("briefing.read") == 100
    page, outline = look(site, readers["auditor"], older)
    assert page.count("briefing.read") == 1 and not [link for link in outline.links if "before=" in link]


def test_what_is_read_is_recorded_before_it_is_shown(site: Served, readers: dict[str, requests.Session]) -> None:
    audit = site.services.audit
    before = audit.tail(1)[0].seq
    look(site, readers["executive"], f"/evidence?{urlencode(BOOKINGS)}")
    look(site, readers["engineering_leader"], f"/evidence?{urlencode(BOOKINGS)}", 403)
    look(site, readers["executive"], "/")
    found = [(each.actor, each.action, each.outcome) for each in reversed(audit.tail(20)) if each.seq > before]
    assert found == [
        ("of-executive", "evidence.read", "allowed"),
        ("of-executive", "rows.read", "allowed"),
        ("of-engineering-leader", "evidence.read", "denied"),
        ("of-executive", "briefing.read", "allowed"),
    ]


def test_what_cannot_be_recorded_is_not_shown(
    site: Served, readers: dict[str, requests.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sophia_assets.errors import AuditUnavailable

    def fails(*_: object, **__: object) -> int:
        raise AuditUnavailable("the trail is full")

    monkeypatch.setattr(site.services.audit, "record", fails)
    for path in ("/", "/briefings", f"/evidence?{urlencode(BOOKINGS)}", f"/evidence/fact/bookings.qtd?day={LAST_DAY}"):
        page, _ = look(site, readers["executive"], path, 503)
        assert "$" not in page
    response = readers["executive"].get(f"{site.address}/evidence.csv?{urlencode(BOOKINGS)}", timeout=30)
    assert response.status_code == 503


def test_the_door_and_pages_that_are_not_there(site: Served, readers: dict[str, requests.Session]) -> None:
    page = requests.get(f"{site.address}/login", headers=HTML, timeout=30).text
    outline = read_page(page)
    assert csrf_in(page) and not [link for link in outline.links if link.startswith("/brief")]
    session = requests.Session()
    response = site.log_in(session, "sophia_wrong")
    assert response.status_code == 401 and 'role="alert"' in response.text
    read_page(response.text)
    page, _ = look(site, readers["executive"], "/nothing", 404)
    assert "There is no such page" in page and "openapi" not in page


def test_style_and_script_are_small_kept_for_good_and_found_by_their_content(site: Served) -> None:
    served_bytes = 0
    for name in ("reader.css", "reader.js"):
        response = requests.get(site.address + address_of(name), timeout=30)
        assert response.status_code == 200 and "immutable" in response.headers["cache-control"]
        assert response.content == static_file(name).content
        served_bytes += len(response.content)
    assert served_bytes < 40_000
    for path in ("/static/0/reader.css", "/static/0/../../page.py", address_of("icon.svg") + "x"):
        assert requests.get(site.address + path, timeout=30).status_code == 404
