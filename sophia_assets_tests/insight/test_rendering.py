"""What a reader sees: one page that needs nothing, harms nothing, leads to its evidence and back, and can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sophia_assets.insight import rendering
from sophia_assets.insight.briefing import Briefing, Verification, build_briefing
from sophia_assets.insight.constitution import Principle, Review
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.rendering import render_html, render_markdown
from sophia_assets.insight.rendering.provenance import provenance
from sophia_assets.insight.rendering.quoting import MOST_CHARACTERS, shown_quotes
from sophia_assets.insight.writing import ModelUse
from sophia_assets_tests.insight.sample_facts import IN_USE, sample_request

CSS = Path(rendering.__file__).with_name("briefing.css").read_text()
VOID = {"meta", "link", "br", "line", "polyline", "circle", "rect"}


class Page(HTMLParser):
    """A page's elements with their attributes, checked for balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def briefing(**changes: object) -> Briefing:
    return replace(build_briefing(sample_request(), OfflineWriter()), **changes)  # type: ignore[arg-type]


def make_quote(text: str, account: str = "1001", **changes: object) -> Quote:
    at = datetime(2026, 3, 12, 14, tzinfo=UTC)
    quote = Quote("q1", text, "gong", "transcripts", "778229", 12, 12 + len(text), at, "customer", account)
    return replace(quote, **changes)  # type: ignore[arg-type]


def with_quotes(quotes: Mapping[str, tuple[Quote, ...]]) -> Briefing:
    return build_briefing(replace(sample_request(), quotes=quotes), OfflineWriter())


@pytest.mark.parametrize("systems", [IN_USE, ("hubspot",), ()])
def test_the_page_is_well_formed_and_has_no_way_out(systems: tuple[str, ...]) -> None:
    html = render_html(build_briefing(sample_request(systems), OfflineWriter()))
    page = Page(html)
    assert not {tag for tag, _ in page.elements} & {
        "script",
        "iframe",
        "object",
        "embed",
        "form",
        "img",
        "link",
        "base",
    }
    assert not any(name.startswith("on") or name in ("src", "action") for _, a in page.elements for name in a)
    assert all(link["href"].startswith("#") for link in page.all("a"))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"url\(|@import|https?://", html)


def test_each_figure_leads_to_its_evidence_in_one_click_and_back() -> None:
    page = Page(render_html(briefing()))
    ids = set(page.ids)
    links = [link["href"][1:] for link in page.all("a")]
    assert links and set(links) <= ids
    rows = [found for found in ids if re.fullmatch(r"e\d+", found)]
    assert rows and set(rows) <= set(links)
    backs = [link for link in links if re.fullmatch(r"s\d+", link)]
    assert len(backs) == len(rows)


def test_whoever_cannot_see_finds_headings_landmarks_and_the_charts_in_words() -> None:
    made = briefing()
    html = render_html(made)
    page = Page(html)
    assert [len(page.all(tag)) for tag in ("h1", "header", "main", "footer")] == [1, 1, 1, 1]
    labels = [section["aria-labelledby"] for section in page.all("section")]
    assert labels and set(labels) <= set(page.ids)
    with_points = [chart for chart in made.charts if chart.points]
    assert html.count('role="img"') == html.count("<desc ") == html.count('<details class="data">') == len(with_points)
    for chart in with_points:
        assert all(f"<td>{point.label}</td>" in html for point in chart.points)
    assert 'lang="en"' in html and all("scope" in head for head in page.all("th"))
    # Only phrases may stand in a summary.
    assert not re.search(r"<summary>\s*<(p|div|h\d)\b", html)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def themes() -> list[dict[str, str]]:
    """The colours on a light screen, on a dark one, and on paper."""
    found = [
        {name: value if len(value) == 7 else "#" + "".join(c * 2 for c in value[1:]) for name, value in pairs}
        for block in re.findall(r":root\{([^}]*)\}", CSS)
        if (pairs := re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block))
    ]
    assert len(found) == 3
    return found


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark", "paper"])
def test_every_colour_can_be_told_from_its_ground(theme: dict[str, str]) -> None:
    for ground in ("paper", "card"):
        for text in ("ink", "soft", "accent", "good", "bad"):
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
    # What is drawn needs less than what is read.
    assert contrast(theme["accent-soft"], theme["paper"]) >= 3
    assert contrast(theme["accent"], theme["paper"]) >= 3


def test_paper_is_not_taken_for_a_phone_and_nothing_is_cut_on_it() -> None:
    narrow = re.findall(r"@media ([a-z ]*)\(max-width", CSS)
    assert narrow == ["screen and "]
    printed = CSS.partition("@media print{")[2]
    assert "figure{break-inside:avoid}" in printed and "thead{display:table-header-group}" in printed
    assert "@page{margin:15mm}" in printed


def test_a_quote_stands_beneath_the_story_that_it_belongs_to() -> None:
    said = "If the export breaks once more, we look elsewhere."
    made = with_quotes({"1001": (make_quote(said), make_quote("Another one."))})
    html, markdown = render_html(made), render_markdown(made)
    assert html.count(f"&ldquo;{said}&rdquo;") == 1 and "Another one." not in html
    assert "A customer, in a call on 12 March 2026." in html
    assert "Gong, transcripts 778229, characters 12 to 62" in html and 'href="#q1"' in html and 'id="q1"' in html
    assert f"  > \u201c{said}\u201d" in markdown and "\\[Q1\\]" in markdown
    where = next(iter(shown_quotes(made)))
    assert where[0] in ("risks", "changes", "customers")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"object": "messages", "system": "slack"}, "A customer, in chat on 12 March 2026"),
        ({"said_by": "company"}, "Somebody of ours, in a call on 12 March 2026"),
        ({"said_by": "<b>Eve</b>"}, "Somebody, in a call on 12 March 2026"),
        ({"at": datetime(2026, 3, 13, 2, tzinfo=UTC)}, "in a call on 12 March 2026"),
    ],
)
def test_who_said_it_is_a_side_and_never_a_name(changes: dict[str, object], told: str) -> None:
    html = render_html(with_quotes({"1001": (replace(make_quote("Well."), **changes),)}))  # type: ignore[arg-type]
    assert told in html and "Eve" not in html


def test_a_quote_too_long_to_be_whole_is_left_out() -> None:
    made = with_quotes({"1001": (make_quote("x" * (MOST_CHARACTERS + 1)), make_quote("Short."))})
    assert [quote.text for quote in shown_quotes(made).values()] == ["Short."]
    assert shown_quotes(with_quotes({"1001": (make_quote("  "),)})) == {}


def test_there_are_three_quotes_at_most() -> None:
    accounts = [str(number) for number in range(1000, 1100)]
    made = with_quotes({account: (make_quote("Well.", account),) for account in accounts})
    assert len(shown_quotes(made)) <= 3
    assert len({quote.story_id for quote in shown_quotes(made).values()}) == len(shown_quotes(made))


ATTACKS = [
    "</blockquote><script>alert(1)</script>",
    "[click](https://evil.example) ![x](http://evil.example/p.png)",
    "www.evil.example and a@evil.example and mailto:x@evil.example",
    "> # Heading\n\n- item | cell | {{fact:mrr.as_of}} `code` ~~no~~ $x$",
    "safe \u202e txt.exe \u200b\u2066 \U000e0041",
    "\x00\x1b[31m red",
    "1. one\n2. two\n---\n***bold***",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_was_said_stays_words(attack: str) -> None:
    clean, made = with_quotes({"1001": (make_quote("Well."),)}), with_quotes({"1001": (make_quote(attack),)})
    assert len(shown_quotes(made)) == 1
    page = Page(render_html(made))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in Page(render_html(clean)).elements]
    markdown = render_markdown(made)
    assert len(markdown.splitlines()) == len(render_markdown(clean).splitlines())
    assert not re.search(r"(?<!\\)(\]\(|<[a-z/!]|`|https?://|\bwww\.)", markdown)
    assert not re.search(r"\S@\S(?<!\u2060)", markdown.replace("@\u2060", ""))
    for shown in (render_html(made), markdown):
        assert not set(shown) & set("\u202e\u200b\u2066\x00\x1b\U000e0041")


def test_the_footer_says_who_wrote_and_that_a_stand_in_is_one() -> None:
    assert provenance(briefing())[0] == "Written by the offline writer, from fixed patterns and without a model."
    used = vars(ModelUse(model="claude-sonnet-5-5-sandbox", provider="anthropic", prompt_version="draft-3"))
    written = provenance(briefing(writer="anthropic", usage=used))
    assert written[0] == (
        "Written by the model claude-sonnet-5-5-sandbox, a stand-in, prompt draft-3; code filled in every figure, name "
        "and period."
    )


def test_the_footer_says_why_no_model_wrote() -> None:
    why = "Written without a language model, because none answered in time."
    assert provenance(briefing(fallback=why))[0] == why
    assert why in render_html(briefing(fallback=why)) and why in render_markdown(briefing(fallback=why))


def test_the_footer_counts_findings_and_names_what_was_left_out() -> None:
    reviews = (
        Review(Principle.HELPFUL, "model", 0, "too long", "risks", 0, "revised"),
        Review(Principle.HELPFUL, "model", 0, "vague", "risks", 1, "revised"),
        *(Review(principle, "code", 0) for principle in Principle if principle is not Principle.HELPFUL),
    )
    checked = Verification(9, 20, rewritten=("risks", "bottom_line"), shortened=2)
    used = vars(ModelUse(model="m", left_out=("12 facts that no story rests on",)))
    told = provenance(briefing(writer="openai", reviews=reviews, verification=checked, usage=used))
    assert told[1:] == [
        "The offline writer wrote \u201cRisks\u201d and the bottom line.",
        "Reviewed by 6 of 6 principles. Helpful, harmless and honest: 2 findings; 5 without a finding. What was found "
        "was put right or left out.",
        "Left out: 2 sentences for length and 12 facts that no story rests on.",
    ]


def test_the_markdown_holds_the_charts_figures_in_two_tables() -> None:
    markdown = render_markdown(briefing())
    assert "## The last twelve months" in markdown and "## The last six weeks" in markdown
    assert "| 9 Mar | \\$143K |" in markdown
