"""A source of many small pages with a checkpoint behind each, that writes down every page it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sophia_assets.ingestion.request_count import RequestCount
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, Notice, ReadItem, Rows, Window

WINDOW = Window(None, datetime(2026, 1, 31, tzinfo=UTC))


def owner(number: int) -> dict[str, Any]:
    """A row of hubspot.owners."""
    return {"owner_id": str(number), "last_name": f"Owner {number}"}


@dataclass
class PagedOwners:
    """Stands in for HubSpot's client in the group `owners`. `asked` is the file of the pages that were asked for.

    `broken_at` raises `error` instead of giving that page; `rows` replaces the rows of chosen pages; `notice` is said
    with every page.
    """

    asked: Path
    pages: int = 30
    page_rows: int = 20
    broken_at: int | None = None
    error: Exception | None = None
    rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    notice: str = ""
    system: str = "hubspot"
    requests: RequestCount = field(default_factory=RequestCount, init=False)

    @property
    def requests_made(self) -> int:
        return self.requests.number

    def ping(self) -> str:
        return "here"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for page in range(resume or 0, self.pages):
            if page == self.broken_at and self.error:
                raise self.error
            self.requests.add()
            with self.asked.open("a") as file:
                file.write(f"{page}\n")
            yield Rows(group, self.page(page))
            if self.notice:
                yield Notice(group, self.notice)
            yield Checkpoint(page + 1)
        yield CompleteSet(group)

    def page(self, page: int) -> list[dict[str, Any]]:
        """The rows of a page."""
        first = page * self.page_rows
        return self.rows.get(page, [owner(number) for number in range(first, first + self.page_rows)])

    def pages_asked(self) -> list[int]:
        """All pages asked for so far, by all processes."""
        return [int(line) for line in self.asked.read_text().split()] if self.asked.exists() else []
