"""A load whose read is kept on local disk until it is merged, whichever engine merges it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from sophia_assets.errors import (
    ConfigurationError,
    ResponseInvalid,
    SchemaDrift,
    SourceError,
    WarehouseBusy,
    WarehouseUnavailable,
)
from sophia_assets.sources.declarations import ReadItem
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.drift import MissingColumn
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.interface import Load, LoadResult, Progress, Reader
from sophia_assets.warehouse.merge import MergeCounts
from sophia_assets.warehouse.stage_folder import StageFolder
from sophia_assets.warehouse.staging import Stage, TableStage

# A commit that finds no room fails as a transaction, or for good: the file is whole when it is opened again.
_DISK_ERRORS = (OSError, duckdb.IOException, duckdb.TransactionException, duckdb.FatalException)


class ColumnsMissing(Exception):
    """Ends the transaction; the load becomes SchemaDrift."""

    def __init__(self, missing: list[MissingColumn]) -> None:
        super().__init__()
        self.missing = missing


class AlreadyLoaded:
    """A `PendingLoad` that was committed before."""

    def __init__(self, results: list[LoadResult]) -> None:
        self._results = results

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def read(self, items: Iterable[ReadItem] | Reader, progress: Progress | None = None) -> None:
        """See `PendingLoad.read`: `items` is not consumed."""

    def merge(self, run_id: str | None = None) -> list[LoadResult]:
        """See `PendingLoad.merge`: the results as they were recorded."""
        return self._results


class StagedLoad(ABC):
    """A `PendingLoad` with its stage, which is locked until the block ends; `_merge` is the engine's part.

    `accepted_missing`: columns, as `system.table.column`, that may be empty from now on.
    """

    def __init__(
        self, load: Load, folder: StageFolder, *, accepted_missing: Collection[str], checkpoint_seconds: float
    ) -> None:
        self._load = load
        self._folder = folder
        self._accepted_missing = accepted_missing
        self._checkpoint_seconds = checkpoint_seconds
        self._stage: Stage | None = None
        self._is_merged = False
        self._seconds = 0.0
        self._began = 0.0

    @abstractmethod
    def _merge_in_one(self, stage: Stage) -> list[LoadResult]:
        """Merges what was read, in one transaction. Raises ColumnsMissing; nothing is changed then."""

    @abstractmethod
    def _record_missing(self, missing: Sequence[MissingColumn]) -> None:
        """Remembers for the checks that columns have vanished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._stage is not None:
                self._stage.close()
            if not self._is_to_be_kept(error):
                self._folder.remove()
                reach("cleaned_up")
        finally:
            self._folder.close()

    def read(self, items: Iterable[ReadItem] | Reader, progress: Progress | None = None) -> None:
        """See `PendingLoad.read`. Raises ConfigurationError where the disk refuses."""
        with self._timed():
            stage = self._stage = self._opened_stage()
            if not stage.is_complete:
                self._take(stage, items, progress)
            with disk_explained(self._folder.path):
                stage.finish()

    def merge(self, run_id: str | None = None) -> list[LoadResult]:
        """See `PendingLoad.merge`; only after `read` has come to its end."""
        stage = self._stage
        assert stage is not None, "what is merged has been read"
        if run_id is not None:
            self._load = replace(self._load, run_id=run_id)
        with self._timed():
            results = self._merge(stage)
        self._is_merged = True
        return results

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Counts the time in the block as work on this load; between reading and merging it may wait for its turn."""
        self._began = time.monotonic()
        yield
        self._seconds += time.monotonic() - self._began

    def _is_to_be_kept(self, error: BaseException | None) -> bool:
        """Whether going on from the stage can help: not where its own content is what failed."""
        if self._is_merged or self._folder.private or self._folder.entry is None:
            return False
        if isinstance(error, ResponseInvalid):
            # A position that the system refuses time after time must not block the group.
            return self._stage is not None and self._stage.checkpoints > 0
        if error is None:
            return True
        if isinstance(error, SchemaDrift):
            return False
        return isinstance(error, SourceError | WarehouseBusy | WarehouseUnavailable) or not isinstance(error, Exception)

    def _opened_stage(self) -> Stage:
        try:
            return Stage(self._load, self._folder, checkpoint_seconds=self._checkpoint_seconds)
        except (OSError, LookupError, TypeError):
            # An earlier process's files are not what its journal says: only reading anew is safe.
            assert self._folder.manifest is not None, "a stage that is opened has begun"
            with disk_explained(self._folder.path):
                self._folder.begin(replace(self._folder.manifest, started_at=datetime.now(UTC)))
            return Stage(self._load, self._folder, checkpoint_seconds=self._checkpoint_seconds)

    def _take(self, stage: Stage, items: Iterable[ReadItem] | Reader, progress: Progress | None) -> None:
        found = items(stage.position) if callable(items) else items
        try:
            for item in found:
                with disk_explained(self._folder.path):
                    stage.add(item, progress)
        finally:
            # A reader may hold a thread that has to be stopped now, not when it is collected.
            if callable(items) and isinstance(found, Generator):
                found.close()

    def _merge(self, stage: Stage) -> list[LoadResult]:
        reach("before_merge")
        try:
            results = self._merge_in_one(stage)
        except ColumnsMissing as drift:
            self._record_missing(drift.missing)
            raise _drift_error(drift.missing) from None
        reach("committed")
        return results

    def _refuse_missing(self, missing: Sequence[MissingColumn]) -> None:
        """Raises ColumnsMissing for the columns that nobody has accepted to be missing."""
        found = [item for item in missing if item.qualified_name not in self._accepted_missing]
        if found:
            raise ColumnsMissing(found)

    def _result(
        self,
        stage: Stage,
        staged: TableStage,
        counts: MergeCounts,
        *,
        new_fields: Mapping[str, int],
        unswept: str,
    ) -> LoadResult:
        return LoadResult(
            table=staged.table.qualified_name,
            window=self._load.window,
            rows_read=staged.rows_read,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged,
            deleted=counts.deleted,
            newest=aware_utc(counts.newest),
            requests=stage.requests,
            seconds=self._seconds + time.monotonic() - self._began,
            rows_total=counts.rows_total,
            rejected=staged.rejected,
            quarantined=dict(staged.misfits),
            new_fields=new_fields,
            unswept=unswept,
            notices=tuple(staged.notices),
            load_id=self._load.id,
        )


@contextmanager
def disk_explained(folder: Path) -> Iterator[None]:
    """What the disk refuses becomes one ConfigurationError."""
    try:
        yield
    except _DISK_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise ConfigurationError(
            f"what was read could not be written to disk ({reason})",
            remedy=f"Make room on the disk that holds {folder.parent}, and check that it can be written; "
            "nothing was changed",
        ) from error


def _drift_error(missing: list[MissingColumn]) -> SchemaDrift:
    first = missing[0]
    names = ", ".join(item.qualified_name for item in missing)
    return SchemaDrift(
        f"no row has {', '.join(item.column for item in missing)} any more: {first.rows_read:,} rows came without, "
        f"and {first.rows_held:,} of them held a value before",
        system=first.table.system,
        obj=first.table.name,
        remedy="If the system has dropped or renamed the field, change the declaration in "
        f"sources/{first.table.system}/tables.py; if it was really emptied, load once with "
        f"SOPHIA_ACCEPT_MISSING={names.replace(', ', ',')}",
    )
