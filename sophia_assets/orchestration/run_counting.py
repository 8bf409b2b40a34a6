"""Counting the runs that have ended, each exactly once, however many exporters look and whatever is pruned.

How far the count has come is a mark in the control store, moved in the transaction that adds what was counted: of two
who count the same, one begins anew. Dagster numbers its runs as they are made, and they end in any order: the mark
holds the last number, the runs that were still open, and the newest numbers with whose they were, since SQLite gives
the number of a run that was deleted away again, and Postgres may show a lower number after a higher one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG
from sqlalchemy import ColumnElement, Connection, or_, select

from sophia_assets.control.schema import marks
from sophia_assets.control.store import ControlStore, Stale, insert_new, update_version
from sophia_assets.telemetry.exporter.known_labels import JOBS, OTHER
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import RUN_SECONDS, RUNS, Point

MARK = "runs counted"
#: So many of the newest numbers are remembered with their runs.
_REMEMBERED = 128
#: So many runs are counted in one transaction.
_BATCH = 2000
_TRIES = 20
_CHUNK = 500
COLUMNS = (
    RunsTable.c.id,
    RunsTable.c.run_id,
    RunsTable.c.pipeline_name,
    RunsTable.c.status,
    RunsTable.c.start_time,
    RunsTable.c.end_time,
    RunsTable.c.update_timestamp,
)
_ENDED = {"SUCCESS": "success", "FAILURE": "failure", "CANCELED": "canceled"}
#: A run that could still say what went wrong leaves its reason; these are of runs that could not.
_LOST_REASONS = ("UNEXPECTED_TERMINATION", "START_TIMEOUT", "RUN_WORKER_RESTART")


@dataclass(frozen=True)
class Ended:
    """A run that has ended: its job, how, when, and how many seconds it was at work (None where it never began)."""

    job: str
    status: str
    at: datetime
    seconds: float | None


@dataclass
class _Mark:
    """How far the count has come: numbers of runs, whose they were, and when (UTC) it last moved."""

    upto: int = 0
    moved_at: str = ""
    open: dict[str, str] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)


def job_label(name: str | None) -> str:
    """The label of a job; whatever nobody declared is one and the same."""
    return name if name in JOBS else OTHER


def count_ended(store: ControlStore, storage: Any) -> int:
    """Adds the runs that have ended since the last count to the totals; returns how many. `storage` keeps the runs.

    Raises ControlStoreUnavailable, and what the storage raises; what was counted by then stays counted.
    """
    # The first who asks makes it up. Of two who ask at once each has its own, until it asks again.
    storage.get_run_storage_id()
    name = f"{MARK} {storage.get_run_storage_id()}"[:100]
    counted = 0
    while True:
        found = _count_batch(store, storage, name)
        counted += found.counted
        if not found.has_more:
            return counted


@dataclass(frozen=True)
class _Step:
    """What one batch came to."""

    counted: int
    has_more: bool


def _count_batch(store: ControlStore, storage: Any, name: str) -> _Step:
    for _ in range(_TRIES):
        mark, version = _read(store, name)
        new, were_open = _rows(storage, mark)
        moved, ended = _moved(mark, new, were_open)
        has_more = len(new) == _BATCH
        if moved is None:
            return _Step(0, False)
        found = as_ended(storage, ended)
        try:
            with store.transaction() as connection:
                _move(connection, name, version, moved)
                for points in _by_day(found):
                    write(connection, points[1], points[0])
        except Stale:
            continue
        return _Step(len(found), has_more)
    return _Step(0, False)


def as_ended(storage: Any, rows: Sequence[Any]) -> list[Ended]:
    """What rows of runs that have ended say. One that failed without a word of its own was lost."""
    failed = [row["run_id"] for row in rows if row["status"] == "FAILURE"]
    tags = RunTagsTable.c
    reasons: dict[str, str] = {}
    for start in range(0, len(failed), _CHUNK):
        some = failed[start : start + _CHUNK]
        query = select(tags.run_id, tags.value).where(tags.key == RUN_FAILURE_REASON_TAG, tags.run_id.in_(some))
        reasons |= {row["run_id"]: row["value"] for row in storage.fetchall(query)}
    return [_ended(row, reasons.get(row["run_id"])) for row in rows]


def _ended(row: Any, reason: str | None) -> Ended:
    start, end = row["start_time"], row["end_time"]
    status = _ENDED[row["status"]]
    if status == "failure" and (reason in _LOST_REASONS or (reason is None and start is not None)):
        status = "lost"
    at = datetime.fromtimestamp(end, UTC) if end else row["update_timestamp"].replace(tzinfo=UTC)
    seconds = max(0.0, end - start) if start and end else None
    return Ended(job_label(row["pipeline_name"]), status, at, seconds)


def _by_day(ended: Iterable[Ended]) -> list[tuple[datetime, list[Point]]]:
    """What is to be added, with a moment of the day to which it belongs."""
    found: dict[str, tuple[datetime, list[Point]]] = {}
    for run in ended:
        _, points = found.setdefault(run.at.date().isoformat(), (run.at, []))
        points.append(RUNS.add(job=run.job, status=run.status))
        if run.seconds is not None:
            points.append(RUN_SECONDS.observe(run.seconds, job=run.job))
    return [found[day] for day in sorted(found)]


def _read(store: ControlStore, name: str) -> tuple[_Mark, int]:
    with store.reading() as connection:
        row = connection.execute(select(marks).where(marks.c.name == name)).one_or_none()
    return (_Mark(**json.loads(row.value)), row.version) if row is not None else (_Mark(), 0)


def _move(connection: Connection, name: str, version: int, mark: _Mark) -> None:
    value = json.dumps(asdict(mark), separators=(",", ":"))
    if version:
        update_version(connection, marks, name, version, {"value": value})
    else:
        insert_new(connection, marks, {"name": name, "value": value, "version": 1})


def _rows(storage: Any, mark: _Mark) -> tuple[Sequence[Any], Sequence[Any]]:
    """The runs that may be new, lowest number first, at most a batch of them; and all that were open and still are."""
    runs = RunsTable.c
    wanted: ColumnElement[bool] = runs.id > mark.upto - _REMEMBERED
    new = _selected(storage, wanted, _BATCH)
    if mark.newest and not any(mark.newest.get(str(row["id"])) == _short(row) for row in new):
        # None of the newest is left. The numbers may have begun anew below, with runs that were made since.
        since = datetime.fromisoformat(mark.moved_at).replace(tzinfo=None)
        new = _selected(storage, or_(wanted, runs.create_timestamp > since), _BATCH)
    numbers = [int(number) for number in mark.open]
    chunks = [numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK)]
    return new, [row for chunk in chunks for row in _selected(storage, runs.id.in_(chunk), _CHUNK)]


def _selected(storage: Any, wanted: ColumnElement[bool], most: int) -> Sequence[Any]:
    found: Sequence[Any] = storage.fetchall(select(*COLUMNS).where(wanted).order_by(RunsTable.c.id).limit(most))
    return found


def _moved(mark: _Mark, new: Sequence[Any], were_open: Sequence[Any]) -> tuple[_Mark | None, list[Any]]:
    """The mark after these rows, None where it stands as it was; and the rows of runs that have ended since."""
    still = {str(row["id"]): _short(row) for row in were_open}
    # Those that are no longer there were deleted; how they ended, nobody knows.
    is_open = {number: run for number, run in mark.open.items() if still.get(number) == run}
    ended = {}
    # What was read later comes later: a run may have ended in between, and would stay open to be counted again.
    for row in (*new, *were_open):
        number, run = str(row["id"]), _short(row)
        if mark.open.get(number) != run and mark.newest.get(number) == run:
            continue
        if row["status"] in _ENDED:
            ended[row["run_id"]] = row
            is_open.pop(number, None)
        else:
            is_open[number] = run
    seen = {str(row["id"]): _short(row) for row in new}
    begins_anew = bool(mark.newest) and not any(mark.newest.get(number) == run for number, run in seen.items())
    highest = max((row["id"] for row in new), default=0)
    upto = highest if new and (highest > mark.upto or begins_anew) else mark.upto
    every = {**mark.newest, **seen}.items()
    newest = {number: run for number, run in every if upto - _REMEMBERED < int(number) <= upto}
    moved = _Mark(upto, mark.moved_at, is_open, newest)
    if moved == mark:
        return None, []
    return replace(moved, moved_at=datetime.now(UTC).isoformat()), list(ended.values())


def _short(row: Any) -> str:
    """Enough of a run's id to tell it from others of its number."""
    return str(row["run_id"])[:8]
