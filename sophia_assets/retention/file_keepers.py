"""What grows among a home's files: briefings, facts, state that nobody touches any more, what killed programs left."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import and_, func, select

from sophia_assets.control.schema import published
from sophia_assets.control.store import ControlStore
from sophia_assets.home import Home, is_running
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.kinds import KINDS, BriefingKind
from sophia_assets.retention.applying import Held, Keeper

_GOING = ".removed-"
# As `home.write_bytes_atomically` names a draft: the file's name and the process that writes it.
_DRAFT = re.compile(r"\..+\.(\d+)")
# Where files come and go that can be made again, or whose content counts for a day at most.
_LOOSE = (("limits", "*.limit"), ("cache", "*.json"))


class BriefingsKeeper:
    """The archive, and the register of what was published.

    What counts is when a briefing was written, not which day it is of; the newest of each kind always stays.
    """

    name = "briefings"

    def __init__(self, home: Home, store: ControlStore) -> None:
        self._folder, self._store = home.briefings, store
        self._archive = BriefingArchive(home.briefings)

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        written = [self._written(kind, day) for kind in KINDS.values() for day in self._archive.folders(kind)]
        due = len(list(self._old(cutoff))) if cutoff else 0
        return Held(len(written), min(written, default=None), _bytes(self._folder), due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`: a day's briefing, with all its editions, is a step."""
        for kind, day in list(self._old(cutoff)):
            folder = self._archive.files(day, kind).folder
            going = folder.with_name(f"{_GOING}{folder.name}")
            shutil.rmtree(going, ignore_errors=True)
            # At once for readers; a kill from here on leaves a folder that nobody reads, and a line in the register.
            folder.rename(going)
            shutil.rmtree(going)
            self._forget(kind, day)
            yield 1
        for kind, day in self._without_files(cutoff):
            self._forget(kind, day)
        for left in self._folder.glob(f"**/{_GOING}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _old(self, cutoff: datetime) -> Iterator[tuple[BriefingKind, date]]:
        for kind in KINDS.values():
            for day in self._archive.folders(kind)[:-1]:
                if self._written(kind, day) < cutoff:
                    yield kind, day

    def _written(self, kind: BriefingKind, day: date) -> datetime:
        """When the last edition was published; of one that the register has not, when its files were written."""
        own = and_(published.c.kind == kind.key, published.c.day == day.isoformat())
        with self._store.reading() as connection:
            moment: datetime | None = connection.execute(select(func.max(published.c.published_at)).where(own)).scalar()
        if moment is not None:
            return moment
        files = (path for path in self._archive.files(day, kind).folder.glob("**/*") if path.is_file())
        return datetime.fromtimestamp(max((_modified(path) for path in files), default=time.time()), UTC)

    def _without_files(self, cutoff: datetime) -> Iterator[tuple[BriefingKind, date]]:
        """What the register has, and the archive not: a removal that was cut short."""
        query = select(published.c.kind, published.c.day).where(published.c.published_at < cutoff).distinct()
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        for name, day in rows:
            kind = KINDS.get(name)
            if kind and not self._archive.files(date.fromisoformat(day), kind).folder.exists():
                yield kind, date.fromisoformat(day)

    def _forget(self, kind: BriefingKind, day: date) -> None:
        own = and_(published.c.kind == kind.key, published.c.day == day.isoformat())
        with self._store.transaction() as connection:
            connection.execute(published.delete().where(own))


class FactsKeeper:
    """The files with a day's facts, by when they were written; the newest day's stays."""

    name = "facts"

    def __init__(self, home: Home) -> None:
        self._folder = home.path / "facts"

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        files = sorted(self._folder.glob("*.parquet"))
        since = min((_modified(path) for path in files), default=None)
        moment = datetime.fromtimestamp(since, UTC) if since is not None else None
        return Held(len(files), moment, _bytes(self._folder), len(self._old(cutoff)) if cutoff else 0)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`."""
        for path in self._old(cutoff):
            path.unlink(missing_ok=True)
            yield 1

    def _old(self, cutoff: datetime) -> list[Path]:
        return [path for path in sorted(self._folder.glob("*.parquet"))[:-1] if _modified(path) < cutoff.timestamp()]


class LooseFilesKeeper:
    """State of limits and caches that nobody has touched, and drafts of programs that were killed while they wrote."""

    name = "files"

    def __init__(self, home: Home) -> None:
        self._home = home

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        files = list(self._files())
        since = min((_modified(path) for path in files), default=None)
        moment = datetime.fromtimestamp(since, UTC) if since is not None else None
        size = sum(_size(path) for path in files)
        return Held(len(files), moment, size, len(self._old(cutoff)) if cutoff else 0)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`."""
        for path in self._old(cutoff):
            # A draft's writer may be on another machine, or slow; after so long it is neither.
            with suppress(OSError):
                path.unlink(missing_ok=True)
                yield 1

    def _old(self, cutoff: datetime) -> list[Path]:
        return [path for path in self._files() if _modified(path) < cutoff.timestamp()]

    def _files(self) -> Iterator[Path]:
        for name, pattern in _LOOSE:
            yield from (self._home.path / name).glob(pattern)
        folders = (self._home.path, *(self._home.path / name for name in ("facts", "cache", "health", "quality")))
        for folder in folders:
            yield from (path for path in folder.glob(".*") if _is_left(path))
        yield from (path for path in self._home.briefings.glob("**/.*") if _is_left(path))


def file_keepers(home: Home, store: ControlStore) -> list[Keeper]:
    """The keepers of a home's files."""
    return [BriefingsKeeper(home, store), FactsKeeper(home), LooseFilesKeeper(home)]


def _is_left(path: Path) -> bool:
    draft = _DRAFT.fullmatch(path.name)
    return draft is not None and path.is_file() and not is_running(int(draft[1]))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()  # it has just gone


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _bytes(folder: Path) -> int:
    return sum(_size(path) for path in folder.glob("**/*") if path.is_file())
