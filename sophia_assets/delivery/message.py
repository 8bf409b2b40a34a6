"""A filed briefing as any channel delivers it: its stored sentences, and a digest of what it says.

It is read from the briefing's JSON, so that what is delivered is what was checked and filed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.errors import SophiaError
from sophia_assets.insight.kinds import DAILY, KINDS, BriefingKind
from sophia_assets.insight.names import listed


@dataclass(frozen=True)
class Part:
    """A section: its key, its title and its sentences."""

    key: str
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """What is delivered of a briefing. `is_update` says that another version of it was delivered before."""

    company: str
    title: str
    covered: str
    kind: str
    day: date
    role: str
    bottom_line: str
    parts: tuple[Part, ...]
    since_title: str
    since: tuple[str, ...]
    confidence: str
    reason: str
    unanswered: tuple[str, ...]
    disclaimer: str = ""
    is_update: bool = False

    @property
    def subject(self) -> str:
        """`Marrowfen Cloud: executive briefing, Friday, 20 November 2026`, `(updated)` where it is a new version."""
        return f"{self.company}: {self.title.lower()}, {self.covered}{' (updated)' if self.is_update else ''}"

    @property
    def digest(self) -> str:
        """A hash of what it says; when it was written and loaded is no part of that."""
        said = {name: value for name, value in vars(self).items() if name not in ("is_update", "day")}
        said["parts"] = [vars(part) for part in self.parts]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:32]

    def part(self, key: str) -> Part | None:
        """The section with that key."""
        return next((part for part in self.parts if part.key == key), None)

    def updated(self) -> Message:
        """The same, marked as a new version."""
        return replace(self, is_update=True)


def message_of(content: Mapping[str, Any]) -> Message:
    """From a briefing's stored JSON. Raises SophiaError where that is no briefing."""
    try:
        day = date.fromisoformat(content["date"])
        kind = _kind(content)
        since = content.get("since_last") or {}
        return Message(
            company=_line(content["company"]),
            title=_line(content["title"]),
            covered=kind.covered(day),
            kind=kind.key,
            day=day,
            role=_line(content.get("role") or EXECUTIVE),
            bottom_line=_line(content["bottom_line"]),
            parts=tuple(_part(section) for section in content["sections"]),
            since_title=_line(since.get("title") or ""),
            since=tuple(_line(line["text"]) for line in since.get("lines") or ()),
            confidence=_line(content["confidence"]["level"]),
            reason=_line(content["confidence"]["reason"]),
            unanswered=tuple(map(_line, content["confidence"]["unanswered"])),
            disclaimer=_left_out(content),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SophiaError(
            f"the stored briefing cannot be read ({type(error).__name__})", remedy="Write it again with `sophia run`"
        ) from error


def _kind(content: Mapping[str, Any]) -> BriefingKind:
    given = content.get("kind") or DAILY.key
    return KINDS[given["key"] if isinstance(given, Mapping) else given]


def _part(section: Mapping[str, Any]) -> Part:
    sentences = tuple(_line(sentence["text"]) for sentence in section["sentences"])
    return Part(_line(section["key"]), _line(section["title"]), sentences)


def _left_out(content: Mapping[str, Any]) -> str:
    names = [_line(source["display_name"]) for source in content.get("excluded_sources") or ()]
    return f"Without data from {listed(names)}." if names else ""


def _line(text: Any) -> str:
    """One line of visible text: nothing stored can begin a line, a header or a block of its own."""
    if not isinstance(text, str):
        raise TypeError("text is expected")
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
