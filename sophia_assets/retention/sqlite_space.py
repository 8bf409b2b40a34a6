"""Giving back what a SQLite file no longer needs.

SQLite writes new rows where old ones were, so a file that is looked after stops growing by itself. Only where most of
it is empty, as after the first time, is it written anew; Postgres does the like by itself (autovacuum).
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

_LEAST = 16 << 20
"""Less than this is not worth the trouble."""
_WAIT_SECONDS = 1.0


def size_of(path: Path | str) -> int:
    """The bytes of a file with its log; 0 where it is not there."""
    total = 0
    for end in ("", "-wal"):
        with suppress(OSError):
            total += Path(f"{path}{end}").stat().st_size
    return total


def give_back(path: Path, *, least: int = _LEAST) -> int:
    """Writes the file anew where at least half of it, and at least `least` bytes, is empty; gives the bytes saved.

    Does nothing where somebody writes just then, or where the disk has no room for a copy: it is tried the next time.
    A kill leaves the file as it was.
    """
    if not path.exists():
        return 0
    with suppress(sqlite3.Error, OSError), closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:
        connection.isolation_level = None
        pages, empty, each = (_number(connection, name) for name in ("page_count", "freelist_count", "page_size"))
        kept = (pages - empty) * each
        if empty * 2 < pages or empty * each < least or shutil.disk_usage(path.parent).free < 3 * kept + _LEAST:
            return 0
        before = size_of(path)
        connection.execute("VACUUM")
        # The copy went into the log; from there it goes into the file, which is cut off behind it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(0, before - size_of(path))
    return 0


def _number(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
