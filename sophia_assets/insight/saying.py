"""What a rendered briefing says: its words without markup, and whether a sentence is among them.

Belongs here: reading Markdown and HTML that the platform wrote. Does not belong here: writing them (`rendering`).
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from sophia_assets.insight.briefing import Briefing, Sentence
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.slots import due_phrase

_INLINE = frozenset({"a", "abbr", "b", "code", "em", "i", "mark", "q", "small", "span", "strong", "sup", "time"})
_UNSEEN = frozenset({"script", "style", "title"})


def text_of_markdown(text: str) -> str:
    """The words of a Markdown text on one line, without the signs that keep them from being taken for markup."""
    return _on_one_line(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text))


def text_of_html(text: str) -> str:
    """The words that a page shows, on one line."""
    reader = _Words()
    reader.feed(text)
    reader.close()
    return _on_one_line("".join(reader.parts))


def says(text: str, sentence: Sentence, briefing: Briefing) -> bool:
    """Whether a text has the whole sentence; a next step may stand in a table, with its owner and its day apart."""
    whole = _on_one_line(sentence.text)
    if whole in text:
        return True
    story = next((story for story in briefing.request.stories if story.id == sentence.story_id), None)
    if story is None:
        return False
    owner, due = safe_name(story.action.owner), due_phrase(story.action.due)
    what = whole.removesuffix(f": {owner}, by {due}.")
    if what == whole:
        return False
    return any(f"{what} {shown} {due}" in text for shown in (owner, owner.capitalize()))


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


class _Words(HTMLParser):
    """Collects the text between tags; what is not part of a line of text parts words."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)
