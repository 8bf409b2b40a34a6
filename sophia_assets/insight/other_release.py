"""Pages that another release of this code wrote: what can be held against them although they cannot be made again.

Belongs here: taking a page apart into lines, and telling the lines that evidence bears out from those that nobody can
judge. Does not belong here: pages of this release, which are compared letter by letter (`reverification`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser

from sophia_assets.insight import lexicon
from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.everyday_words import everyday_words
from sophia_assets.insight.figures import Figure, find_figures
from sophia_assets.insight.names import NO_NAME, safe_name
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.vocabulary import allowed_words

# What a line of text runs through; cells of a row, and a figure's dates beneath it, belong together.
_RUNS_ON = lexicon.word_set("a abbr b br code dd dt em i mark q s small span strong sub sup td th time u tspan title")
_SPOKEN = ("title", "alt", "aria-label", "aria-description", "placeholder", "label", "value", "summary")
_FORBIDDEN = lexicon.word_set(
    "applet audio base button embed feimage foreignobject form frame frameset iframe image img input link math object "
    "picture script select slot source template textarea track use video"
)
_MARKED = re.compile(r"^(?:[#>|\s]|[-*+]\s)+|\*\*|(?<!\\)\||<!--.*?-->")
_LINK = re.compile(r"!?(?<!\\)\[[^\]\n]*(?<!\\)\]\(|(?<!\\)<[a-zA-Z/!]")
_CONTENT = re.compile(r"content\s*:\s*[^;}]*")
_CLAIMS = frozenset(lexicon.DIRECTIONS) | frozenset(lexicon.JUDGEMENTS) | lexicon.VAGUE | lexicon.SPECULATION
# What marks a stretch of a line, and parts no words.
_INLINE = lexicon.word_set("a b code em i span sup time tspan")
_MOST_SHOWN = 60


@dataclass(frozen=True)
class Page:
    """A page taken apart: its lines of text in order, its pictures, and what must not be in it."""

    lines: tuple[str, ...]
    pictures: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What became of holding a page against the evidence: findings, and what could not be judged."""

    findings: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def markdown_page(text: str) -> Page:
    """A Markdown text, a line for each line of it; it may hold neither links nor HTML."""
    lines = (_one_line(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", _MARKED.sub(" ", line))) for line in text.splitlines())
    links = tuple(match.group() for match in _LINK.finditer(text))
    return Page(tuple(line for line in lines if re.search(r"\w", line)), (), links)


def html_page(text: str) -> Page:
    """An HTML page; the texts that attributes hold are lines, too."""
    reader = _Lines()
    reader.feed(text)
    reader.close()
    reader.end_line()
    pictures = tuple(re.findall(r"(?is)<svg\b.*?</svg>", text))
    return Page(tuple(reader.lines), pictures, tuple(reader.forbidden))


class Judge:
    """Knows what a page about one briefing may say: everything that this release's own pages say, and its evidence."""

    def __init__(self, briefing: Briefing, own: Iterable[Page]) -> None:
        request, own = briefing.request, tuple(own)
        self._lines = frozenset(line for page in own for line in page.lines)
        self._allowed = frozenset(item for page in own for item in page.forbidden)
        quotes: list[Quote] = [quote for found in request.quotes.values() for quote in found]
        since = briefing.since_last.lines if briefing.since_last else ()
        said = [each.text for each in briefing.sentences()] + [each.text for each in quotes]
        texts = {_one_line(text) for text in (*said, *(line.text for line in since))}
        self._texts = sorted(texts, key=len, reverse=True)
        names = {value for fact in request.facts for value in fact.dimensions.values()}
        names |= {story.subject_name for story in request.stories if story.subject_type != "metric"}
        self._names = {form for name in names for form in (_one_line(name), safe_name(name))} - {"", NO_NAME}
        # Without names and ids, so that a part of one is not taken for a word of the page.
        bare = _any_of(self._names).sub(" ", "\n".join(line for line in self._lines if " " in line))
        self._words = {word.lower() for word in re.findall(r"[^\W\d_]+", bare)}
        shown = [*self._lines, *texts, *self._names, *_displays(briefing)]
        self._figures = {_known(figure) for text in shown for figure in find_figures(text)}

    def read(self, page: Page, own: Page) -> Reading:
        """Holds a page against `own`, the one that this release makes of the same briefing."""
        findings = [f"it holds {item!r}" for item in page.forbidden if item not in self._allowed]
        unknown = [line for line in dict.fromkeys(page.lines) if line not in self._lines]
        left: list[str] = []
        for line in unknown:
            rest = self._rest(line)
            if problem := self._problem(rest):
                findings.append(f"it says {_cut(line)!r}, {problem}")
            elif re.search(r"[^\W\d_]", rest):
                left.append(line)
        unchecked = [f"{len(left)} line{'s'[: len(left) != 1]} ({_cut(left[0])!r})"] if left else []
        if [line for line in page.lines if line in self._lines] != [line for line in own.lines if line in page.lines]:
            unchecked.append("the order of its lines")
        if page.pictures != own.pictures:
            unchecked.append("its pictures")
        return Reading(tuple(findings), tuple(unchecked))

    def _rest(self, line: str) -> str:
        for text in self._texts:
            line = line.replace(text, " ")
        return _one_line(line)

    def _problem(self, rest: str) -> str:
        """What is claimed by a line that nothing bears out."""
        for figure in find_figures(rest):
            if _known(figure) not in self._figures:
                return f"and no evidence has {figure.text.strip()!r}"
        words = {word.lower() for word in re.findall(r"[^\W\d_]+", rest)}
        if not re.search(r"[.!?][\W\d]*$", rest):
            return ""
        if _any_of(self._names).search(rest):
            return "which is no sentence of the briefing and names somebody"
        capitals = {word.lower() for word in re.findall(r"(?<!\w)[^\W\d_a-z][^\W\d_]*", rest)}
        if capitals - self._words - everyday_words() - allowed_words():
            return "and no evidence has the name in it"
        return "which is no sentence of the briefing and judges or compares" if words & _CLAIMS else ""


def _displays(briefing: Briefing) -> Iterable[str]:
    for fact in briefing.request.facts:
        texts = (
            fact.display,
            fact.previous_display,
            fact.delta_display,
            fact.change_display,
            fact.share_display,
            fact.target_display,
            fact.run_rate_display,
            fact.trend_display,
        )
        yield from (text for text in texts if text)


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)" if ordered else r"(?!)")


def _known(figure: Figure) -> tuple[float, str]:
    return figure.number, figure.unit


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "\u2026"


class _Lines(HTMLParser):
    """Collects the lines of a page, the texts of attributes, and what no page of a briefing may hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.forbidden: list[str] = []
        self._parts: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        if tag in _FORBIDDEN:
            self.forbidden.append(f"<{tag}>")
        for name, value in attrs:
            self._attribute(tag, name, value or "")
        self._parts.append("" if tag in _INLINE else " ")
        if tag not in _RUNS_ON:
            self.end_line()

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False
        self._parts.append("" if tag in _INLINE else " ")
        if tag not in _RUNS_ON:
            self.end_line()

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.forbidden += [_one_line(found) for found in _CONTENT.findall(data)]
            self.forbidden += [_one_line(found) for found in re.findall(r"@import[^;]*|url\([^)]*\)", data)]
        else:
            self._parts.append(data)

    def end_line(self) -> None:
        """Ends the line that is being read."""
        line = _one_line("".join(self._parts))
        if re.search(r"\w", line):
            self.lines.append(line)
        self._parts.clear()

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name in _SPOKEN or (name.startswith("data-") and value):
            self.lines.append(_one_line(value))
        elif name.startswith("on") or (name in ("href", "src", "xlink:href", "srcset") and not value.startswith("#")):
            self.forbidden.append(f"{name}={_cut(value)}")
        elif tag == "meta" and name == "http-equiv":
            self.forbidden.append(f"http-equiv={value.lower()}")
        elif name == "style" and ("content" in value or "url" in value):
            self.forbidden.append(_cut(value))
