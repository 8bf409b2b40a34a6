"""The archive: each briefing as Markdown, HTML and JSON in a folder of its own, sealed by a manifest.

The executive's briefing of a day lies in `<day>/`, another role's edition in `<day>/<role>/`; weekly reviews lie the
same way under `weekly/`, each in the folder of its week's last day.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import BriefingMissing, EncryptionError
from sophia_assets.home import write_bytes_atomically
from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.evidence import MANIFEST, manifest_of
from sophia_assets.insight.kinds import DAILY, BriefingKind
from sophia_assets.insight.rendering.html import render_html
from sophia_assets.insight.rendering.markdown import render_markdown
from sophia_assets.insight.serialization import briefing_as_json

_DAYS = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


@dataclass(frozen=True)
class BriefingFiles:
    """Where one briefing lies."""

    html: Path
    markdown: Path
    json: Path
    content: Callable[[Path], bytes] = field(default=Path.read_bytes, compare=False, repr=False)
    """What one of them says. Raises OSError where it is not there, EncryptionError for what does not open."""

    @property
    def manifest(self) -> Path:
        """The seal of the three others."""
        return self.json.with_name(MANIFEST)

    @property
    def folder(self) -> Path:
        return self.json.parent


class BriefingArchive:
    """The briefings under `folder`, sealed by `vault`. One that is written again replaces what was there, file by file.

    The manifest holds for what the files say, however they are kept.
    """

    def __init__(self, folder: Path, vault: Vault = PLAIN) -> None:
        self._folder = folder
        self._vault = vault

    @property
    def is_encrypted(self) -> bool:
        """Whether the files can be read only through `content`."""
        return self._vault.is_on

    def content(self, path: Path) -> bytes:
        """What a file says. Raises OSError where it is not there, EncryptionError for what does not open."""
        return self._vault.open(path.read_bytes(), self._context(path))

    def _write(self, path: Path, text: str) -> None:
        write_bytes_atomically(path, self._vault.seal(text.encode(), self._context(path)))

    def _context(self, path: Path) -> str:
        return f"briefings/{path.relative_to(self._folder).as_posix()}"

    def files(self, day: date, kind: BriefingKind = DAILY, role: str = EXECUTIVE) -> BriefingFiles:
        """Where a briefing lies, or would lie; `day` is its last day."""
        folder = self._folder / kind.folder / day.isoformat() / ("" if role == EXECUTIVE else role)
        return BriefingFiles(folder / "briefing.html", folder / "briefing.md", folder / "briefing.json", self.content)

    def write(self, briefing: Briefing) -> BriefingFiles:
        """Writes a briefing in its three forms. The JSON says that the day has one; the manifest comes last."""
        request = briefing.request
        files = self.files(request.date, request.kind, request.role)
        content = briefing_as_json(briefing)
        texts = {
            files.markdown: render_markdown(briefing),
            files.html: render_html(briefing),
            files.json: json.dumps(content, indent=1, ensure_ascii=False),
        }
        for path, text in texts.items():
            self._write(path, text)
        manifest = manifest_of(content, {path.name: text.encode() for path, text in texts.items()})
        self._write(files.manifest, json.dumps(manifest, indent=1))
        return files

    def days(self, kind: BriefingKind = DAILY, role: str = EXECUTIVE) -> list[date]:
        """The days that have a briefing of that kind in that role's edition, oldest first."""
        below = "briefing.json" if role == EXECUTIVE else f"{role}/briefing.json"
        found = (self._folder / kind.folder).glob(f"{_DAYS}/{below}")
        days = (_as_day(path.parents[0 if role == EXECUTIVE else 1].name) for path in found)
        return sorted(day for day in days if day is not None)

    def folders(self, kind: BriefingKind = DAILY) -> list[date]:
        """The days of which the archive holds any edition of a kind, oldest first."""
        found = (_as_day(path.name) for path in (self._folder / kind.folder).glob(_DAYS))
        return sorted(day for day in found if day is not None and self.editions(day, kind))

    def editions(self, day: date, kind: BriefingKind = DAILY) -> list[str]:
        """The roles that have an edition of a day's briefing, or what is left of one, the executive's first."""
        folder = self.files(day, kind).folder
        found = {path.parent for name in ("briefing.json", MANIFEST) for path in folder.glob(f"**/{name}")}
        others = sorted(each.name for each in found if each != folder)
        return [EXECUTIVE, *others] if folder in found else others

    def read(self, day: date | None = None, kind: BriefingKind = DAILY, role: str = EXECUTIVE) -> dict[str, Any]:
        """A briefing as JSON; the newest one for None, else the one that covers `day`. Raises BriefingMissing."""
        found = self.day_of(day, kind, role)
        content: dict[str, Any] = json.loads(self.content(self.files(found, kind, role).json))
        return content

    def day_of(self, day: date | None = None, kind: BriefingKind = DAILY, role: str = EXECUTIVE) -> date:
        """The last day of the briefing that covers `day`, or of the newest. Raises BriefingMissing."""
        days = self.days(kind, role)
        last = days[-1] if day is None and days else kind.last_day(day) if day else None
        if last in days and last is not None:
            return last
        raise _missing(self, last, kind, role)

    def before(self, day: date, kind: BriefingKind = DAILY, role: str = EXECUTIVE) -> dict[str, Any] | None:
        """The newest briefing of that kind and role of a day before `day`, as JSON; None where there is none.

        One that is torn, does not open or is no JSON object is passed over.
        """
        for earlier in reversed([each for each in self.days(kind, role) if each < day]):
            try:
                content = json.loads(self.content(self.files(earlier, kind, role).json))
            except (OSError, ValueError, EncryptionError):
                continue
            if isinstance(content, dict):
                return content
        return None


def _as_day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def _missing(archive: BriefingArchive, day: date | None, kind: BriefingKind, role: str) -> BriefingMissing:
    """Why a briefing is not there, and how it comes to be."""
    what = "weekly review" if kind.folder else "briefing"
    if day is not None and day in archive.days(kind):
        return BriefingMissing(
            f"the {what} of {day} was not written for {role}",
            remedy=f"Add {role} to SOPHIA_EDITIONS and run `sophia run --date {day}`",
        )
    days = archive.days(kind, role)
    if not days and archive.days(kind):
        return BriefingMissing(
            f"no {what} has been written for {role}", remedy=f"Add {role} to SOPHIA_EDITIONS and run `sophia run`"
        )
    if not days:
        how = "Run `sophia run --date D` for a Sunday" if kind.folder else "Run `sophia run`"
        return BriefingMissing(f"no {what} has been written yet", remedy=f"{how} to write one")
    return BriefingMissing(
        f"there is no {what} for {day}",
        remedy=f"Run `sophia run --date {day}` to write it; the newest is of {days[-1]}",
    )
