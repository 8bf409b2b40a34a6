"""Stored briefings as the reader shows them: which there are, whether their seal is intact, what stands in one.

Belongs here: finding, opening and laying out one edition for the page. Does not belong here: routes (`briefings`), or
what the words of a briefing are (`insight.rendering`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

import nh3
from markupsafe import Markup

from sophia_assets.access.policies import refuse_edition_holding
from sophia_assets.access.principal import Principal
from sophia_assets.control.published import Register
from sophia_assets.errors import ControlStoreUnavailable, EncryptionError, SophiaError
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.evidence import is_kept, rebuilt
from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.insight.rendering.evidence import local_time
from sophia_assets.insight.rendering.html import shown
from sophia_assets.insight.reverification import seal_findings
from sophia_assets.insight.slots import day_phrase
from sophia_assets.web.page import environment

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from sophia_assets.insight.writing import SourceStatus
    from sophia_assets.services import Services

KIND_NAMES: dict[str, BriefingKind] = {"daily": DAILY, "weekly": WEEKLY}
_MOST_LAID_OUT, _MOST_GLANCED = 64, 2_000
_Value = TypeVar("_Value")
_TORN = (SophiaError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# What may stand in a briefing's body. Names arrive escaped already; this is the second net.
_TAGS = {
    *("section", "h2", "h3", "div", "p", "span", "a", "sup", "b", "dl", "dt", "dd", "time", "ul", "li", "code"),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "blockquote", "details", "summary"),
    *("svg", "title", "desc", "g", "rect", "line", "circle", "polyline", "text"),
}
_ATTRIBUTES = {
    "*": {"id", "class", "role", "aria-labelledby", "aria-label", "aria-hidden", "tabindex", "data-l"},
    "a": {"href", "title"},
    "th": {"scope", "colspan"},
    "td": {"colspan"},
    "time": {"datetime"},
    "svg": {"viewBox"},
    "rect": {"x", "y", "width", "height"},
    "line": {"x1", "x2", "y1", "y2"},
    "circle": {"cx", "cy", "r"},
    "polyline": {"points"},
    "text": {"x", "y", "text-anchor"},
}


@dataclass(frozen=True)
class Edition:
    """Which briefing: of what kind, of which last day, written for which role."""

    kind: BriefingKind
    day: date
    role: str

    @property
    def kind_name(self) -> str:
        """`daily` or `weekly`, as addresses have it."""
        return "weekly" if self.kind is WEEKLY else "daily"

    def address(self, own_role: str) -> str:
        """Its page; the edition of the reader's own role needs no name."""
        path = f"/briefings/{'weekly/' if self.kind is WEEKLY else ''}{self.day}"
        return path if self.role == own_role else f"{path}?{urlencode({'edition': self.role})}"

    def fact_address(self, fact_id: str) -> str:
        """The page of a fact that it tells."""
        where = {"day": self.day.isoformat(), "kind": self.kind_name, "edition": self.role}
        return f"/evidence/fact/{quote(fact_id, safe='')}?{urlencode(where)}"


@dataclass(frozen=True)
class Seal:
    """Whether an edition's files are those that were published."""

    state: Literal["intact", "broken", "unknown"]
    words: str

    @property
    def is_intact(self) -> bool:
        return self.state == "intact"

    @property
    def is_broken(self) -> bool:
        return self.state == "broken"


@dataclass(frozen=True)
class StripLine:
    """One thing to know of the data behind a briefing; `tone` is warn, alarm or empty."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Page:
    """An edition as it is shown. `body` is safe HTML; `metrics` are those of which it holds facts."""

    edition: Edition
    shown: Mapping[str, Any]
    body: Markup
    written: str
    lines: tuple[StripLine, ...]
    metrics: frozenset[str]


class Kept(Generic[_Value]):
    """What was made of files, by their fingerprints: the `most` that were used last. Threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, _Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """What is kept under a key, made where nothing is; two at once may both make it."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            self._held[key] = made
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made


class Pages:
    """Opens editions of one home, and keeps what it made of the newest opened files. Threads may share it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._laid_out: Kept[Page] = Kept(_MOST_LAID_OUT)
        self._glanced: Kept[tuple[str, frozenset[str]]] = Kept(_MOST_GLANCED)
        self._seals: Kept[Seal] = Kept(_MOST_GLANCED)

    @property
    def _archive(self) -> BriefingArchive:
        return self._services.publisher.archive

    def open(self, edition: Edition, principal: Principal) -> Page:
        """An edition's page. Raises BriefingMissing, or AccessDenied where it holds what the reader may not see (any
        more); ValueError where its files hold no briefing."""
        zone = self._services.settings.tzinfo
        page = self._laid_out.get(self._key(edition), lambda: _page(edition, self.content(edition), zone))
        refuse_edition_holding(principal, page.metrics)
        return page

    def bottom_line(self, edition: Edition, principal: Principal) -> str:
        """What an edition says first. Raises as `open` does; much quicker."""
        told, metrics = self._glanced.get(self._key(edition), lambda: _glance(self.content(edition)))
        refuse_edition_holding(principal, metrics)
        return told

    def content(self, edition: Edition) -> dict[str, Any]:
        """An edition's JSON. Raises BriefingMissing; ValueError where the file holds none, or does not open."""
        try:
            return self._archive.read(edition.day, edition.kind, edition.role)
        except EncryptionError as error:
            raise ValueError("the briefing's file does not open") from error

    def seal(self, edition: Edition, *, is_exact: bool = True) -> Seal:
        """Whether its files are those that were entered in the register.

        Unless it must be exact, files of the same time and size as before are taken for the same.
        """
        if is_exact:
            return self._seal(edition)
        files = self._archive.files(edition.day, edition.kind, edition.role)
        held = [_fingerprint(path) for path in (files.json, files.html, files.markdown, files.manifest)]
        digest = Register(self._services.control).digest(edition.kind.key, edition.day, edition.role)
        return self._seals.get((*_names(edition), *held, digest), lambda: self._seal(edition))

    def editions(self, kind: BriefingKind, day: date) -> list[str]:
        """The roles that have an edition of that day."""
        return [
            role for role in self._archive.editions(day, kind) if self._archive.files(day, kind, role).json.exists()
        ]

    def days(self, kind: BriefingKind, role: str) -> list[date]:
        """The days with an edition of that kind for a role, oldest first."""
        return self._archive.days(kind, role)

    def _seal(self, edition: Edition) -> Seal:
        registered = Register(self._services.control).digest
        try:
            found = seal_findings(self._archive, edition.day, edition.kind, edition.role, registered=registered)
        except ControlStoreUnavailable:
            raise
        except _TORN:
            return Seal("broken", "cannot be read")
        if found is None:
            return Seal("unknown", "not registered")
        return Seal("broken", "changed since") if found else Seal("intact", "seal intact")

    def _key(self, edition: Edition) -> tuple[object, ...]:
        path = self._archive.files(edition.day, edition.kind, edition.role).json
        if not path.exists():
            self._archive.day_of(edition.day, edition.kind, edition.role)
        return *_names(edition), _fingerprint(path)


def _names(edition: Edition) -> tuple[object, ...]:
    return edition.kind.key, edition.day, edition.role


@cache
def _cleaner() -> nh3.Cleaner:
    """The second net: what is no part of a briefing's body falls out, and links lead nowhere but to this site."""
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=lambda tag, name, value: (
            None if name == "href" and not value.startswith(("/", "#")) else value
        ),
        url_schemes=set(),
        link_rel=None,
        strip_comments=True,
    )


def _fingerprint(path: Path) -> str:
    """Changes whenever a file is written; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_ino}"


def _glance(content: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """The bottom line, and the metrics of the facts that an edition holds. Raises ValueError where it is torn."""
    try:
        facts = [*content["facts"], *content["evidence"]["grounds"]]
        return str(content["bottom_line"]), frozenset(str(fact["metric"]) for fact in facts)
    except _TORN as error:
        raise ValueError("the briefing's file is torn") from error


def _page(edition: Edition, content: Mapping[str, Any], zone: ZoneInfo) -> Page:
    if not isinstance(content, dict) or not is_kept(content):
        raise ValueError("written before evidence was kept")
    try:
        briefing = rebuilt(content)
        laid_out = shown(briefing)
        links = {fact["id"]: edition.fact_address(fact["id"]) for fact in content["facts"]}
        body = environment().get_template("briefing_body.html").render(shown=laid_out, links=links)
    except _TORN as error:
        raise ValueError(f"the briefing's file is torn ({type(error).__name__})") from error
    return Page(
        edition,
        laid_out,
        Markup(_cleaner().clean(body)),
        f"Written {laid_out['generated']} from data through {day_phrase(briefing.request.date)}.",
        tuple(_lines(briefing, zone)),
        frozenset(fact.metric for fact in briefing.request.facts),
    )


def _lines(briefing: Briefing, zone: ZoneInfo) -> list[StripLine]:
    """What was missing or old when the briefing was written, a line a system."""
    lines = [_line(status, zone) for status in briefing.request.statuses]
    found = [StripLine(text, "warn") for text in lines if text]
    return found or [StripLine("All connected systems were up to date.")]


def _line(status: SourceStatus, zone: ZoneInfo) -> str:
    name = status.display_name
    since = f" since {day_phrase(status.newest_data)}" if status.newest_data else ""
    if status.state in ("off", "fresh") and not status.rollout.is_withheld and not status.held_back:
        return ""
    if status.rollout.is_withheld:
        return f"{name} is withheld."
    if status.state == "empty":
        return f"{name} holds no data yet."
    if status.state in ("stale", "failed"):
        loaded = f", last loaded {local_time(status.last_loaded_at, zone)}" if status.last_loaded_at else ""
        asked = f"; {status.not_asked}" if status.not_asked else ""
        return f"{name} is missing{since}{loaded}{asked}."
    return f"A part of {name} is held back: {len(status.held_back)} of its tables broke a rule."


def role_words(role: str) -> str:
    """`Sales leader`."""
    return role.replace("_", " ").capitalize()
