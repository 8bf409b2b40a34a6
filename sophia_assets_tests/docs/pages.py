"""The project's Markdown pages, found by themselves and taken apart: code blocks, inline code, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sophia_assets.settings import PROJECT_ROOT

PATTERNS = ("README.md", ".github/*.md", "deploy/**/*.md", "sophia_assets/**/*.md")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_PLACEHOLDER = re.compile(r"<[a-z][a-z _-]*>")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, and the line on which it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """One page, by its path from the project's root."""

    name: str

    @property
    def path(self) -> Path:
        return PROJECT_ROOT / self.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def fences(self) -> tuple[Fence, ...]:
        """Its code blocks."""
        return tuple(
            Fence(token.info.strip(), token.content, (token.map or [0])[0] + 1)
            for token in self._tokens
            if token.type == "fence"
        )

    @cached_property
    def inline_code(self) -> tuple[str, ...]:
        """What stands between backticks."""
        return tuple(token.content for token in self._inline if token.type == "code_inline")

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Where its links and images lead."""
        found = [token.attrGet("href") or token.attrGet("src") for token in self._inline]
        return tuple(str(target) for target in found if target)

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The anchors that its headings make, as GitHub and GitLab name them."""
        found: dict[str, int] = {}
        for place, token in enumerate(self._tokens):
            if token.type == "heading_open":
                title = self._tokens[place + 1].content.replace("`", "")
                anchor = _NOT_IN_ANCHORS.sub("", title.lower()).replace(" ", "-")
                found[anchor] = found.get(anchor, -1) + 1
        return frozenset(anchor if not number else f"{anchor}-{number}" for anchor, number in found.items())

    def section(self, title: str) -> str:
        """The text below a heading, up to the next of its level or higher."""
        found = re.search(rf"(?ms)^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", self.text)
        assert found, f"{self.name} has no section {title!r}"
        return found[2]

    @property
    def _inline(self) -> Iterator[Token]:
        for token in self._tokens:
            yield from token.children or ()


@cache
def pages() -> tuple[Page, ...]:
    """Every page of the project, the entrance first."""
    found = dict.fromkeys(path for pattern in PATTERNS for path in sorted(PROJECT_ROOT.glob(pattern)))
    return tuple(Page(str(path.relative_to(PROJECT_ROOT))) for path in found)


def page(name: str) -> Page:
    """The page at a path from the project's root."""
    return next(found for found in pages() if found.name == name)


@dataclass(frozen=True)
class Line:
    """A command of a `sh` block. `before` are the lines of its block that it rests on: `cd`, exports, variables."""

    page: str
    number: int
    text: str
    before: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command without its comment."""
        return uncommented(self.text)

    @property
    def comment(self) -> str:
        return self.text[len(self.command) :].strip().removeprefix("#").strip()

    @property
    def exit_code(self) -> int:
        """The code that it is said to end with: `# code 12 where ...` says so; 0 otherwise."""
        said = re.search(r"\b(?:code|exits with) (\d+)\b", self.comment)
        return int(said[1]) if said else 0

    @property
    def has_placeholder(self) -> bool:
        return bool(_PLACEHOLDER.search(self.command))


_STATE = re.compile(r"^(cd|export|set|unset|source|\.|[A-Za-z_]\w*=\S*$)(\s|$)|^[A-Za-z_]\w*=[^\s]*$")


def lines(found: Page) -> list[Line]:
    """The commands of the page's `sh` blocks, continued lines and here-documents as one."""
    return [line for fence in found.fences if fence.language in ("sh", "bash", "shell") for line in _of(found, fence)]


def _of(found: Page, fence: Fence) -> Iterator[Line]:
    before: list[str] = []
    for offset, text in _logical_lines(fence.text):
        line = Line(found.name, fence.line + 1 + offset, text, tuple(before))
        if not line.command:
            continue
        if _STATE.match(line.command):
            before.append(line.command)
        else:
            yield line


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    waiting: list[str] = []
    end, begun = "", 0
    for number, line in enumerate(text.splitlines()):
        begun = begun if waiting else number
        waiting.append(line)
        if end:
            end = "" if line.strip() == end else end
        elif opened := re.search(r"<<-?\s*['\"]?(\w+)", line):
            end = opened[1]
        if end or line.endswith("\\"):
            continue
        yield begun, "\n".join(waiting)
        waiting = []


def uncommented(text: str) -> str:
    """A shell line without what stands behind a `#` that begins a word outside quotes."""
    quote = ""
    for place, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "#" and (place == 0 or text[place - 1].isspace()):
            return text[:place].rstrip() if "\n" not in text[place:] else text
    return text.rstrip()
