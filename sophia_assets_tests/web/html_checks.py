"""What every page must be: well formed, accessible in its outline, and with nothing active or from elsewhere in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})
_ADDRESSES = ("href", "src", "action", "formaction", "poster", "data", "xlink:href")


@dataclass
class Outline(HTMLParser):
    """Reads one page; `problems` says what is wrong with it."""

    allowed_elsewhere: str = ""
    problems: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labelled: set[str] = field(default_factory=set)
    inputs: list[dict[str, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Looks at one element."""
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        for name, value in given.items():
            if name.startswith("on") or name in ("style", "srcdoc", "autofocus2"):
                self.problems.append(f"<{tag} {name}=...> is active or styles itself")
            if name in _ADDRESSES and not self._is_own(value):
                self.problems.append(f"<{tag} {name}={value!r}> leads elsewhere")
        if tag in ("iframe", "object", "embed", "base", "img", "style"):
            self.problems.append(f"<{tag}> has no place on a page")
        if tag == "script" and ("src" not in given or "nonce" not in given):
            self.problems.append("a script stands in the page")
        self._note(tag, given)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closes the element that is open."""
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1:]}")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keeps what is read."""
        self.text.append(data)

    def finish(self) -> list[str]:
        """What is wrong with the page."""
        if self._open:
            self.problems.append(f"{self._open} stay open")
        if self.headings[:1] != [1] or self.headings.count(1) != 1:
            self.problems.append(f"its headings are {self.headings}")
        steps = zip(self.headings, self.headings[1:], strict=False)
        self.problems += [
            f"a heading {after} follows a heading {before}" for before, after in steps if after > before + 1
        ]
        self.problems += [f"the id {each!r} is there twice" for each in set(self.ids) if self.ids.count(each) > 1]
        for given in self.inputs:
            if given.get("type") != "hidden" and given.get("id") not in self.labelled and "aria-label" not in given:
                self.problems.append(f"the input {given.get('name')!r} has no label")
        return self.problems

    def _note(self, tag: str, given: dict[str, str]) -> None:
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "label":
            self.labelled.add(given.get("for", ""))
        if tag in ("input", "select", "textarea"):
            self.inputs.append(given)
        if tag == "a":
            self.links.append(given.get("href", ""))

    def _is_own(self, address: str) -> bool:
        is_ours = address.startswith(("/", "#")) and not address.startswith("//")
        return is_ours or bool(self.allowed_elsewhere and address.startswith(self.allowed_elsewhere))


def read_page(page: str, allowed_elsewhere: str = "") -> Outline:
    """A page's outline; fails where the page is not as every page must be."""
    outline = Outline(allowed_elsewhere)
    outline.feed(page)
    outline.close()
    problems = outline.finish()
    assert not problems, problems
    assert page.startswith("<!doctype html>") and '<html lang="en">' in page
    assert {"header", "main"} <= outline.tags
    return outline
