"""What grows in Dagster's storage, and what of it may go.

Dagster itself removes a run together with all that it told of assets: tables would show as never loaded, and their days
as missing. Here a run goes, and of each asset's partition, and of each check, the newest that was told stays. Nothing
that is under way is touched, nor the newest row of a log: sensors and the exporter know how far they have come by its
number, which SQLite would give again.

Belongs here: Dagster's runs and their logs. Does not belong here: how long anything is kept (`retention.rules`), or
when it is removed (`retention_job`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS, DagsterEventType
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as events
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunsTable as runs
from dagster._core.storage.runs.schema import RunTagsTable as run_tags
from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, true

from sophia_assets.control.store import ControlStore
from sophia_assets.orchestration.run_protection import is_needed, needed_runs
from sophia_assets.retention.applying import Held, Keeper
from sophia_assets.retention.sqlite_space import give_back, size_of

STEP = 200
# What is told of assets stays longer than the run: see `asset_retention`.
KEPT_WITH_ASSETS = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION,
                    DagsterEventType.FRESHNESS_STATE_CHANGE)  # fmt: skip
_ENDED = [status.value for status in FINISHED_STATUSES]
_TOLD = [event.value for event in {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS}]


class RunLogsKeeper:
    """What runs logged step by step, and what their steps printed. That a run began, ended and what it told of assets
    stays with the run."""

    name = "run_logs"

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        storage = instance.event_log_storage
        self._shards = Path(storage._base_dir) if isinstance(storage, SqliteEventLogStorage) else None

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`: a log on SQLite, a line of one elsewhere."""
        if self._shards is not None:
            files = list(self._files())
            since = min((file.stat().st_mtime for file in files), default=None)
            due = len(self._old_files(cutoff)) if cutoff else 0
            return Held(len(files), _moment(since), sum(size_of(file) for file in files), due)
        with index(self._instance) as connection:
            count, first = connection.execute(select(func.count(), func.min(events.c.timestamp)).where(_noise())).one()
            old = and_(_noise(), events.c.timestamp < _naive(cutoff)) if cutoff else None
            due = counted(connection, events, old) if old is not None else 0
        return Held(int(count), _aware(first), None, due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`."""
        if self._shards is not None:
            for file in self._old_files(cutoff):
                self._remove_printed(file.stem)
                remove_shard(file)
                yield 1
            return
        with index(self._instance) as connection:
            query = select(events.c.id).where(_noise(), events.c.timestamp < _naive(cutoff)).order_by(events.c.id)
            ids = connection.execute(query).scalars().all()
        yield from removed_by_id(self._instance, events, ids)

    def _files(self) -> Iterator[Path]:
        assert self._shards is not None
        # The index, and what belongs to no run, are no run's log.
        yield from (file for file in sorted(self._shards.glob("*-*.db")))

    def _old_files(self, cutoff: datetime) -> list[Path]:
        """Logs of runs that ended before the cutoff, and of runs that are gone."""
        old = [file for file in self._files() if file.stat().st_mtime < cutoff.timestamp()]
        with run_storage(self._instance) as connection:
            young = or_(runs.c.status.not_in(_ENDED), runs.c.end_time >= cutoff.timestamp())
            kept = set(connection.execute(select(runs.c.run_id).where(young)).scalars())
        return [file for file in old if file.stem not in kept]

    def _remove_printed(self, run_id: str) -> None:
        with suppress(Exception):  # where logs lie elsewhere, that place's own rules apply
            self._instance.compute_log_manager.delete_logs(prefix=[run_id])


class RunsKeeper:
    """Runs that are over. Those that something still needs stay, see `run_protection`."""

    name = "runs"

    def __init__(self, instance: dg.DagsterInstance, store: ControlStore | None = None) -> None:
        self._instance, self._store = instance, store

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        with run_storage(self._instance) as connection:
            count, first = connection.execute(select(func.count(), func.min(runs.c.create_timestamp))).one()
        due = len(self._old(cutoff)) if cutoff else 0
        return Held(int(count), _aware(first), self._size(), due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`: first what a run told, last the run itself, so that one that is half removed is found again."""
        from sophia_assets.orchestration.asset_retention import repeated_removed
        from sophia_assets.orchestration.run_counting import count_ended

        if self._store is not None:
            # Where no exporter has been at work for a while, nobody else would ever count them.
            count_ended(self._store, self._instance.run_storage)
        yield from repeated_removed(self._instance, cutoff)
        old = self._old(cutoff)
        for start in range(0, len(old), STEP):
            part = old[start : start + STEP]
            yield self._remove(part)
        for file in self._sqlite_files():
            give_back(file)

    def _remove(self, ids: Sequence[str]) -> int:
        with index(self._instance) as connection:
            last = connection.execute(select(func.max(events.c.id))).scalar() or 0
            kept = [event.value for event in KEPT_WITH_ASSETS]
            told = or_(events.c.dagster_event_type.is_(None), events.c.dagster_event_type.not_in(kept))
            connection.execute(events.delete().where(events.c.run_id.in_(ids), told, events.c.id < last))
        storage = self._instance.event_log_storage
        for run_id in ids:
            if isinstance(storage, SqliteEventLogStorage):
                remove_shard(Path(storage.path_for_shard(run_id)))
            with suppress(Exception):  # see `RunLogsKeeper`
                self._instance.compute_log_manager.delete_logs(prefix=[run_id])
        with run_storage(self._instance) as connection:
            over = select(runs.c.run_id).where(runs.c.run_id.in_(ids), runs.c.status.in_(_ENDED))
            connection.execute(run_tags.delete().where(run_tags.c.run_id.in_(over)))
            return int(connection.execute(runs.delete().where(runs.c.run_id.in_(over))).rowcount)

    def _old(self, cutoff: datetime) -> list[str]:
        with index(self._instance) as connection:
            shown = needed_runs(connection)
        with run_storage(self._instance) as connection:
            ended = func.coalesce(runs.c.end_time, 0) < cutoff.timestamp()
            wanted = and_(runs.c.status.in_(_ENDED), ended, runs.c.update_timestamp < _naive(cutoff), ~is_needed())
            found = connection.execute(select(runs.c.run_id).where(wanted).order_by(runs.c.id)).scalars().all()
        return [run_id for run_id in found if run_id not in shown]

    def _sqlite_files(self) -> list[Path]:
        storage = self._instance.event_log_storage
        if not isinstance(storage, SqliteEventLogStorage):
            return []
        folder = Path(storage._base_dir)
        return [folder / "index.db", folder.parent / "runs.db", folder.parent.parent / "schedules" / "schedules.db"]

    def _size(self) -> int | None:
        files = self._sqlite_files()
        return sum(size_of(file) for file in files[:2]) if files else None


@contextmanager
def index(instance: dg.DagsterInstance) -> Iterator[Connection]:
    """A transaction on what Dagster knows of all runs together."""
    with instance.event_log_storage.index_transaction() as connection:  # type: ignore[attr-defined]
        yield connection


@contextmanager
def run_storage(instance: dg.DagsterInstance) -> Iterator[Connection]:
    """A transaction on the runs."""
    with _begun(instance.run_storage) as connection:
        yield connection


@contextmanager
def schedule_storage(instance: dg.DagsterInstance) -> Iterator[Connection]:
    """A transaction on ticks."""
    with _begun(instance.schedule_storage) as connection:
        yield connection


@contextmanager
def _begun(storage: Any) -> Iterator[Connection]:
    with storage.connect() as connection:
        if connection.in_transaction():
            yield connection
        else:
            with connection.begin():
                yield connection


def removed_by_id(
    instance: dg.DagsterInstance, table: Table, ids: Sequence[int], still: ColumnElement[bool] | None = None
) -> Iterator[int]:
    """Removes rows of the index in small transactions, where `still` holds, but the newest row; yields how many."""
    condition = true() if still is None else still
    for start in range(0, len(ids), STEP):
        part = ids[start : start + STEP]
        with index(instance) as connection:
            last = connection.execute(select(func.max(table.c.id))).scalar() or 0
            doomed = and_(table.c.id.in_(part), table.c.id < last, condition)
            count = connection.execute(table.delete().where(doomed)).rowcount
        yield int(count)


def remove_shard(file: Path) -> None:
    """Removes a run's log on SQLite, the file itself last."""
    for end in ("-wal", "-shm", ""):
        Path(f"{file}{end}").unlink(missing_ok=True)


def counted(connection: Connection, table: Table, where: Any) -> int:
    """How many rows of a table there are where something holds."""
    return int(connection.execute(select(func.count()).select_from(table).where(where)).scalar_one())


def _noise() -> Any:
    told = or_(events.c.dagster_event_type.is_(None), events.c.dagster_event_type.not_in(_TOLD))
    return and_(told, events.c.run_id != "")


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def dagster_keepers(instance: dg.DagsterInstance, store: ControlStore) -> list[Keeper]:
    """The keepers of Dagster's storage; runs are counted into the control store before they go."""
    from sophia_assets.orchestration.tick_retention import SkippedTicksKeeper, TicksKeeper

    return [RunLogsKeeper(instance), RunsKeeper(instance, store), SkippedTicksKeeper(instance), TicksKeeper(instance)]
