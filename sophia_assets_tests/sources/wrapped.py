"""A source around another one, for tests that spoil what it yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sophia_assets.sources.declarations import ReadItem, Source, Window


class Wrapped:
    """Passes everything on; who spoils a read overrides `read`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.system = source.system

    @property
    def requests_made(self) -> int:
        return self.source.requests_made

    def ping(self) -> str:
        return self.source.ping()

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        return self.source.read(group, window, resume)
