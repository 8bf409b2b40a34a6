"""The pages in a browser: reading, opening evidence, asking, by keyboard, on a phone, on paper, and without scripts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from sophia_assets.home import Home
from sophia_assets_tests.finished_home import LAST_DAY, copied_home
from sophia_assets_tests.pictures import CHROMIUM_ARGUMENTS
from sophia_assets_tests.web.reader import SCRIPT, plant, reader
from sophia_assets_tests.web.serving import Served, folder_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
PAGES = (
    "/",
    "/?edition=sales_leader",
    "/briefings",
    "/ask",
    "/status",
    "/metrics-catalog",
    "/usage",
    "/audit",
    f"/evidence/fact/bookings.qtd?day={LAST_DAY}",
    "/evidence?metric=bookings&start=2026-10-01&end=2026-11-20&period_key=qtd",
)
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def site(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = copied_home(finished_home, folder_for(tmp_path_factory, "chromium"))
    plant(home)
    with reader(home) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()


@contextmanager
def visit(browser: Browser, site: Served, *, is_logged_in: bool = True, **more: Any) -> Iterator[Page]:
    """A browser's page, logged in by the form; fails for what its console reports, such as a breach of the policy."""
    context = browser.new_context(base_url=site.address, **more)
    context.set_default_timeout(15_000)
    page = context.new_page()
    told: list[str] = []
    elsewhere: list[str] = []

    def listened(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            told.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(site.address):
            elsewhere.append(request.url)

    page.on("console", listened)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", asked)
    try:
        if is_logged_in:
            log_in(page, site)
        yield page
        assert not told, told
        assert not elsewhere, elsewhere
        assert "attacked" not in page.title()
    finally:
        context.close()


def log_in(page: Page, site: Served) -> None:
    page.goto("/login")
    page.get_by_label("Access token").fill(site.token())
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Executive briefing")


def answers(page: Page) -> Any:
    return page.locator("article.answer")


def test_an_executive_reads_opens_the_evidence_asks_and_asks_on(site: Served, browser: Browser) -> None:
    with visit(browser, site) as page:
        page.locator(".bottom-line a.figure").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Bookings")
        expect(page.locator("table.rows tbody tr")).to_have_count(8)
        page.get_by_text("Show the SQL").click()
        expect(page.locator("pre code")).to_contain_text("SELECT")
        page.get_by_role("link", name=re.compile("^Briefing: ")).click()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Ask").click()
        page.get_by_label("Your question").fill("How much did we book?")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(answers(page)).to_have_count(1)
        expect(page.get_by_role("status")).to_contain_text("after 0 others")
        page.get_by_role("button", name="Who are the top owners?").click()
        expect(answers(page)).to_have_count(2)
        newest = answers(page).first
        expect(newest.get_by_role("heading")).to_be_focused()
        expect(newest.locator("svg").first).to_be_visible()
        expect(newest.locator("tbody tr")).to_have_count(4)
        expect(newest).to_contain_text(SCRIPT)
        page.get_by_label("Your question").fill("Which of them?")
        page.keyboard.press("Enter")
        expect(answers(page)).to_have_count(3)
        answers(page).first.get_by_role("button", name="How much did we book?").click()
        expect(answers(page).first).to_contain_text("after 3 others")


def test_the_conversation_is_kept_in_the_tab_until_it_is_begun_anew(site: Served, browser: Browser) -> None:
    with visit(browser, site) as page:
        page.get_by_label("Ask a question").fill("How much did we book?")
        page.keyboard.press("Enter")
        expect(answers(page)).to_contain_text("after 0 others")
        page.goto("/status")
        page.get_by_label("Ask a question").fill("And before?")
        page.keyboard.press("Enter")
        expect(answers(page)).to_contain_text("after 1 others")
        page.get_by_role("button", name="Start a new conversation").click()
        page.get_by_label("Your question").fill("Now?")
        page.keyboard.press("Enter")
        expect(answers(page)).to_contain_text("after 0 others")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        assert page.evaluate("() => sessionStorage.length") == 0


def test_everything_can_be_done_with_the_keyboard_alone(site: Served, browser: Browser) -> None:
    with visit(browser, site, is_logged_in=False, reduced_motion="reduce") as page:
        page.goto("/login")
        expect(page.get_by_label("Access token")).to_be_focused()
        page.keyboard.type(site.token())
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Executive briefing")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, ".bottom-line a.figure")
        assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab_to(page, ".bottom-line summary")
        page.keyboard.press("Enter")
        expect(page.locator(".bottom-line .proof").first).to_be_visible()
        page.goto("/ask")
        tab_to(page, "#question")
        page.keyboard.type("How much did we book?")
        page.keyboard.press("Enter")
        expect(answers(page)).to_have_count(1)
        tab_to(page, ".follow-ups button")
        page.keyboard.press("Enter")
        expect(answers(page)).to_have_count(2)


def tab_to(page: Page, selector: str) -> None:
    """Presses Tab until something of the selector has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_a_phone_shows_every_page_without_scrolling_sideways(site: Served, browser: Browser) -> None:
    with visit(browser, site, **PHONE) as page:
        for path in PAGES:
            page.goto(path)
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 360, path
        page.goto("/ask")
        page.get_by_label("Your question").fill("Who are the top owners?")
        page.get_by_role("button", name="Ask", exact=True).tap()
        expect(answers(page)).to_have_count(1)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(site: Served, browser: Browser, scheme: str) -> None:
    with visit(browser, site, color_scheme=scheme) as page:
        for path in PAGES:
            page.goto(path)
            assert page.evaluate(_LOW_CONTRAST) == [], path


#: The texts whose contrast to what is behind them is lower than WCAG 2 AA asks for.
_LOW_CONTRAST = """() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parts(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || element.closest("svg, script, .unseen, .skip")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [high, low] = [light(parts(style.color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const shown = `${texts.currentNode.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`;
    if (ratio < (isLarge ? 3 : 4.5)) found.push(shown);
  }
  return [...new Set(found)];
}"""


def test_a_briefing_comes_on_paper(site: Served, browser: Browser) -> None:
    with visit(browser, site) as page:
        paper = page.pdf(format="A4")
        pages = len(re.findall(rb"/Type\s*/Page\b", paper))
        assert 2 <= pages <= 8
        page.emulate_media(media="print")
        expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
        expect(page.get_by_text("Northwind Cloud").first).to_be_visible()
        page.set_viewport_size({"width": 680, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 680


def test_without_scripts_everything_can_be_read_and_asked(site: Served, browser: Browser) -> None:
    with visit(browser, site, java_script_enabled=False) as page:
        for path in PAGES:
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto("/")
        expect(page.get_by_role("button", name="Print")).to_be_hidden()
        page.get_by_label("Ask a question").fill("How much did we book?")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(answers(page)).to_contain_text("after 0 others")
        page.get_by_role("button", name="Who are the top owners?").click()
        expect(answers(page).locator("tbody tr")).to_have_count(4)
        page.goto("/metrics-catalog")
        page.get_by_label("Find a figure").fill("bookings")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#bookings")).to_be_visible()
        expect(page.locator("#open_bugs")).to_have_count(0)


def test_tables_can_be_put_in_order_and_lists_narrow_while_one_types(site: Served, browser: Browser) -> None:
    with visit(browser, site) as page:
        page.goto("/ask")
        page.get_by_label("Your question").fill("Who are the top owners?")
        page.keyboard.press("Enter")
        value = answers(page).locator("tbody tr td:last-child")
        expect(value).to_have_text(["$186K", "$40K", "$20K", "$7K"])
        heading = answers(page).get_by_role("button", name="Value")
        heading.click()
        heading.click()
        expect(value).to_have_text(["$7K", "$20K", "$40K", "$186K"])
        expect(answers(page).locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
        page.goto("/metrics-catalog")
        page.get_by_label("Find a figure").press_sequentially("win rate")
        expect(page.locator("#win_rate")).to_be_visible()
        expect(page.locator("#open_bugs")).to_be_hidden()


def test_nothing_planted_becomes_active(site: Served, browser: Browser) -> None:
    with visit(browser, site) as page:
        dialogs: list[str] = []

        def seen(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", seen)
        for path in PAGES:
            page.goto(path)
            assert page.locator("img, iframe, object, main script").count() == 0, path
            assert page.locator("a[href^='javascript'], a[href^='data']").count() == 0, path
        page.goto("/ask")
        for question in ("Who are the top owners?", SCRIPT, "Which?"):
            page.get_by_label("Your question").fill(question)
            page.keyboard.press("Enter")
            expect(answers(page).first.get_by_role("heading")).to_have_text(question)
            assert page.locator("img, main script").count() == 0
        assert not dialogs


def test_a_session_that_ended_leads_to_the_login(site: Served, browser: Browser) -> None:
    with visit(browser, site) as page:
        page.goto("/ask")
        page.context.clear_cookies()
        page.goto("/briefings")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        assert page.url.endswith("/login?next=%2Fbriefings")
