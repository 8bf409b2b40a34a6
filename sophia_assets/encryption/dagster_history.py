"""Takes content out of what Dagster has stored of a home before encryption was switched on.

Belongs here: the form of Dagster's events, and which of their metadata repeats business data. Does not belong here:
what new events say (`orchestration.withheld`). Runs, materializations and their counts stay.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sophia_assets.errors import EncryptionError

#: The metadata that repeat what is in the warehouse, the facts, the briefings and answers.
CONTENT_LABELS = frozenset(
    {
        "briefing", "evidence", "sources", "left out", "principles", "since the last briefing", "confidence",
        "headline figures", "preview", "findings", "response", "results", "insights", "caveats", "follow_ups",
        "understood_as",
    }
)  # fmt: skip
TAKEN_OUT = "Taken out when encryption was switched on"
_WAIT_SECONDS = 30.0
_TABLES = {
    "event_logs": ("event",),
    "asset_keys": ("last_materialization", "asset_details"),
    "asset_check_executions": ("evaluation_event",),
}


def take_out_content(folder: Path) -> int:
    """Rewrites the events in Dagster's folder of a home; how many held content. Safe to repeat.

    Raises EncryptionError where Dagster's files are in use, or cannot be written.
    """
    try:
        return sum(_rewritten(file) for file in sorted(folder.rglob("*.db"))) + _outputs_removed(folder)
    except (sqlite3.Error, OSError) as error:
        raise EncryptionError(
            f"Dagster's history in {folder} cannot be rewritten ({error})",
            remedy="End Dagster and whatever else uses it, see that the disk has room, then run this again",
        ) from None


def holds_content(folder: Path) -> bool:
    """Whether any stored event holds content. Raises sqlite3.Error for a file that is in use."""
    return any(True for file in sorted(folder.rglob("*.db")) for _ in _found(file))


def _found(file: Path) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=_WAIT_SECONDS)) as connection:
        for _, _, _, text in _cells(connection):
            yield text


def _rewritten(file: Path) -> int:
    with closing(sqlite3.connect(file, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        cells = list(_cells(connection))
        for table, column, rowid, text in cells:
            connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', [text, rowid])
        connection.execute("COMMIT")
        if cells or _is_bloated(connection):
            overwrite_free_pages(connection)
        return len(cells)


def overwrite_free_pages(connection: sqlite3.Connection) -> None:
    """Writes a SQLite file anew, so that what was deleted or replaced is in none of its pages, and empties its log."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_bloated(connection: sqlite3.Connection) -> bool:
    """Whether pages are free: a kill may have come before they were overwritten."""
    return bool(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _cells(connection: sqlite3.Connection) -> Iterator[tuple[str, str, int, str]]:
    """Table, column, row and new text of every cell that holds content."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, columns in _TABLES.items():
        if table not in there:
            continue
        for column in columns:
            found = connection.execute(f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" LIKE ?', ["%label%"])
            for rowid, text in found:
                try:
                    event = json.loads(text)
                except (TypeError, ValueError):
                    continue
                if _emptied(event):
                    yield table, column, rowid, json.dumps(event)


def _emptied(part: Any) -> bool:
    """Takes content out of a part of an event; whether there was any."""
    if isinstance(part, list):
        emptied = [_emptied(each) for each in part]
        return any(emptied)
    if not isinstance(part, dict):
        return False
    if part.get("label") in CONTENT_LABELS and isinstance(part.get("entry_data"), dict):
        if _says_something(part["entry_data"]):
            part["entry_data"] = {"__class__": "TextMetadataEntryData", "text": TAKEN_OUT}
            return True
        return False
    # Of every part, not only of the first that holds some.
    emptied = [_emptied(each) for each in part.values()]
    return any(emptied)


def _says_something(value: dict[str, Any]) -> bool:
    text = str(value.get("text", ""))
    return text != TAKEN_OUT and not text.startswith("Encryption is on")


def _outputs_removed(folder: Path) -> int:
    """Answers that the question job has left as outputs."""
    outputs = list((folder / "storage").glob("*/answer_question"))
    for output in outputs:
        shutil.rmtree(output)
    return len(outputs)
