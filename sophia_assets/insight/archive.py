"""The archive: each day's briefing as Markdown, HTML and JSON, in one folder per day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sophia_assets.errors import BriefingMissing
from sophia_assets.home import write_atomically
from sophia_assets.insight.briefing import Briefing
from sophia_assets.insight.rendering.html import render_html
from sophia_assets.insight.rendering.markdown import render_markdown
from sophia_assets.insight.serialization import briefing_as_json


@dataclass(frozen=True)
class BriefingFiles:
    """Where one day's briefing lies."""

    html: Path
    markdown: Path
    json: Path


class BriefingArchive:
    """The briefings under `folder`. A day that is written again replaces what was there, file by file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self, day: date) -> BriefingFiles:
        """Where a day's briefing lies, or would lie."""
        folder = self._folder / day.isoformat()
        return BriefingFiles(folder / "briefing.html", folder / "briefing.md", folder / "briefing.json")

    def write(self, briefing: Briefing) -> BriefingFiles:
        """Writes a briefing in its three forms. The JSON, which says that the day has one, comes last."""
        files = self.files(briefing.request.date)
        write_atomically(files.markdown, render_markdown(briefing))
        write_atomically(files.html, render_html(briefing))
        write_atomically(files.json, json.dumps(briefing_as_json(briefing), indent=1, ensure_ascii=False))
        return files

    def days(self) -> list[date]:
        """The days that have a briefing, oldest first."""
        return sorted(date.fromisoformat(path.parent.name) for path in self._folder.glob("????-??-??/briefing.json"))

    def read(self, day: date | None = None) -> dict[str, Any]:
        """A day's briefing as JSON, the newest one for None. Raises BriefingMissing."""
        days = self.days()
        if not days:
            raise BriefingMissing("no briefing has been written yet", remedy="Run `sophia run` to write one")
        if day is None:
            day = days[-1]
        if day not in days:
            raise BriefingMissing(
                f"there is no briefing for {day}",
                remedy=f"Run `sophia run --date {day}` to write it; the newest is of {days[-1]}",
            )
        content: dict[str, Any] = json.loads(self.files(day).json.read_text(encoding="utf-8"))
        return content
