"""One load into DuckDB: all tables, the ledger and the state are merged in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import naive_utc
from sophia_assets.warehouse.drift import MissingColumn, missing_columns
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.interface import Load, LoadResult
from sophia_assets.warehouse.merge import apply, forget, judge
from sophia_assets.warehouse.quarantine import update_quarantine
from sophia_assets.warehouse.stage_folder import StageFolder
from sophia_assets.warehouse.staged_load import StagedLoad, disk_explained
from sophia_assets.warehouse.staging import Stage, TableStage
from sophia_assets.warehouse.sweep import find_gone

Transaction = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens the file for writing, under its lock, in one transaction. Called once for each attempt."""

# Little suffices, since DuckDB spills to disk; very wide rows may need more, and then get it.
_MEMORY_LIMITS = ("48MB", "512MB", "4GB", None)


class Loading(StagedLoad):
    """A load into a DuckDB file."""

    def __init__(
        self,
        load: Load,
        folder: StageFolder,
        transaction: Transaction,
        *,
        accepted_missing: Collection[str],
        checkpoint_seconds: float,
    ) -> None:
        super().__init__(load, folder, accepted_missing=accepted_missing, checkpoint_seconds=checkpoint_seconds)
        self._transaction = transaction

    def _record_missing(self, missing: Sequence[MissingColumn]) -> None:
        with self._transaction() as connection:
            ledger.record_missing(connection, missing, naive_utc(datetime.now(UTC)))

    def _merge_in_one(self, stage: Stage) -> list[LoadResult]:
        for limit in _MEMORY_LIMITS:
            try:
                with disk_explained(self._folder.path), self._transaction() as connection:
                    committed = ledger.recorded(connection, self._load.id)
                    if committed is not None:
                        return committed
                    _limit_memory(connection, limit, self._folder.path / "spill")
                    results = [self._merge_table(connection, stage, staged) for staged in stage.tables.values()]
                    reach("ledger_written")
                    return results
            except duckdb.OutOfMemoryException:
                if limit is None:
                    raise
        raise AssertionError("the last limit is none at all")

    def _merge_table(self, connection: duckdb.DuckDBPyConnection, stage: Stage, staged: TableStage) -> LoadResult:
        loaded_at = naive_utc(datetime.now(UTC))
        load, table, manifest = self._load, staged.table, self._folder.manifest
        assert manifest is not None, "a stage that is read into has begun"
        read_from = naive_utc(manifest.started_at)
        overtaken_by = ledger.overtaken_by(connection, table, read_from=read_from, ledger_rows=manifest.ledger_rows)
        known = ledger.known_moment(connection, load, table, read_from=read_from)
        verdict = judge(connection, staged, known=known, overtaken_by=overtaken_by)
        self._refuse_missing(missing_columns(connection, staged, verdict))
        sweep = find_gone(connection, staged, verdict, known=known)
        counts = apply(connection, staged, verdict, sweep, load_id=load.id, loaded_at=loaded_at, known=known)
        swept = staged.complete and not sweep.unswept
        update_quarantine(connection, staged, load_id=load.id, at=loaded_at, swept=swept)
        forget(connection)
        if staged.rows_read:
            ledger.forget_missing(connection, table, besides=staged.absent_columns, accepted=self._accepted_missing)
        reach("rows_merged")
        new_fields = ledger.note_new_fields(connection, table, staged.new_fields, load.id, loaded_at)
        result = self._result(stage, staged, counts, new_fields=new_fields, unswept=sweep.unswept)
        ledger.record(connection, load, table, result, read_from=read_from, loaded_at=loaded_at, known=known)
        return result


def _limit_memory(connection: duckdb.DuckDBPyConnection, limit: str | None, spill: Path) -> None:
    # One thread and one row group in the buffer: both are what DuckDB needs memory for outside its limit.
    place = str(spill).replace("'", "''")
    connection.execute(f"SET threads = 1; SET write_buffer_row_group_count = 1; SET temp_directory = '{place}'")
    if limit is not None:
        connection.execute(f"SET memory_limit = '{limit}'")
