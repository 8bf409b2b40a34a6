"""One load into Snowflake: the stage on local disk is uploaded, then all tables are merged in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from sophia_assets.sources.declarations import ReadItem, Table
from sophia_assets.sources.snowflake.queries import TableReader
from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import aware_utc, naive_utc
from sophia_assets.warehouse.drift import MissingColumn, suspects, vanished
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.interface import Load, LoadResult, Progress, Reader
from sophia_assets.warehouse.snowflake_merge import Judged, TableMerge, standing
from sophia_assets.warehouse.snowflake_quarantine import update_quarantine
from sophia_assets.warehouse.snowflake_schema import described, number_load, show_in_place
from sophia_assets.warehouse.snowflake_session import Session, in_transaction, query_tag, take_turn
from sophia_assets.warehouse.snowflake_staging import Upload, Uploaded, sweep
from sophia_assets.warehouse.stage_folder import Manifest, StageFolder
from sophia_assets.warehouse.staged_load import StagedLoad, disk_explained
from sophia_assets.warehouse.staging import Stage, TableStage

Writing = Callable[[str], AbstractContextManager[Session]]
"""A session for writing with a query tag, under the lock that this machine's writers share."""


class SnowflakeLoading(StagedLoad):
    """A load into Snowflake. What is uploaded before the transaction belongs to this load alone."""

    def __init__(
        self,
        load: Load,
        folder: StageFolder,
        writing: Writing,
        *,
        accepted_missing: Collection[str],
        checkpoint_seconds: float,
    ) -> None:
        super().__init__(load, folder, accepted_missing=accepted_missing, checkpoint_seconds=checkpoint_seconds)
        self._writing = writing
        self._others_stored = True

    @property
    def _manifest(self) -> Manifest:
        manifest = self._folder.manifest
        assert manifest is not None, "a stage that is read into has begun"
        return manifest

    def _tag(self, table: Table | None = None) -> str:
        about = {"table": table.qualified_name} if table else {}
        return query_tag(run=self._load.run_id, load=self._load.id, **about)

    def _record_missing(self, missing: Sequence[MissingColumn]) -> None:
        with self._writing(self._tag()) as session, in_transaction(session):
            ledger.record_missing(session, missing, naive_utc(datetime.now(UTC)))

    def _merge_in_one(self, stage: Stage) -> list[LoadResult]:
        with disk_explained(self._folder.path), self._writing(self._tag()) as session:
            sweep(session)
            upload = Upload(session, self._folder.path, is_sealed=self._folder.vault.is_on)
            with upload.tables(stage) as uploaded:
                reach("before_transaction")
                with in_transaction(session):
                    take_turn(session, self._load.id)
                    committed = ledger.recorded(session, self._load.id)
                    if committed is not None:
                        return committed
                    self._others_stored = ledger.length(session) > self._manifest.ledger_rows
                    results = [self._merge_table(session, stage, part) for part in uploaded]
                    session.tag = self._tag()
                    reach("ledger_written")
                reach("before_clean_up")
        return results

    def _merge_table(self, session: Session, stage: Stage, uploaded: Uploaded) -> LoadResult:
        staged, table, manifest = uploaded.staged, uploaded.table, self._manifest
        session.tag = self._tag(table)
        loaded_at, read_from = naive_utc(datetime.now(UTC)), naive_utc(manifest.started_at)
        overtaken_by: list[str] = []
        if self._others_stored:
            overtaken_by = ledger.overtaken_by(session, table, read_from=read_from, ledger_rows=manifest.ledger_rows)
        known = ledger.known_moment(session, self._load, table, read_from=read_from)
        merge = TableMerge(session, uploaded, known, overtaken_by)
        judged = merge.judge()
        self._refuse_missing(_missing_columns(merge, staged, judged))
        gone, unswept = merge.find_gone()
        counts = merge.apply(judged, gone, load_id=self._load.id, loaded_at=loaded_at)
        swept = staged.complete and not unswept
        update_quarantine(session, uploaded, load_id=self._load.id, at=loaded_at, swept=swept)
        if staged.rows_read:
            ledger.forget_missing(session, table, besides=staged.absent_columns, accepted=self._accepted_missing)
        reach("rows_merged")
        new_fields = ledger.note_new_fields(session, table, staged.new_fields, self._load.id, loaded_at)
        result = self._result(stage, staged, counts, new_fields=new_fields, unswept=unswept)
        ledger.record(session, self._load, table, result, read_from=read_from, loaded_at=loaded_at, known=known)
        number_load(session)
        return result


class InPlaceLoad:
    """A `PendingLoad` of tables that are views over source tables in the warehouse's own account: nothing is read.

    The views are made anew, as the source's columns are now. What is recorded is up to when they show the source, and
    how many rows. `locations` gives the source table of each view by qualified name.
    """

    def __init__(self, load: Load, locations: Mapping[str, str], writing: Writing) -> None:
        self._load, self._locations, self._writing = load, locations, writing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def read(self, items: Iterable[ReadItem] | Reader, progress: Progress | None = None) -> None:
        """See `PendingLoad.read`: `items` is not consumed, since the rows are there."""

    def merge(self, run_id: str | None = None) -> list[LoadResult]:
        """See `PendingLoad.merge`: the ledger and the state, in one transaction."""
        load = replace(self._load, run_id=run_id or self._load.run_id)
        with self._writing(query_tag(run=load.run_id, load=load.id)) as session:
            for table in load.tables:
                location = self._locations[table.qualified_name]
                # Raises SchemaDrift where something is missing that nothing can be done without.
                TableReader.of(table, location, described(session, location))
                show_in_place(session, table, location)
            with in_transaction(session):
                take_turn(session, load.id)
                committed = ledger.recorded(session, load.id)
                if committed is not None:
                    return committed
                return [self._recorded(session, load, table) for table in load.tables]

    def _recorded(self, session: Session, load: Load, table: Table) -> LoadResult:
        now = naive_utc(datetime.now(UTC))
        rows, newest = standing(session, table)
        result = LoadResult(
            table=table.qualified_name,
            window=load.window,
            rows_read=rows,
            inserted=0,
            updated=0,
            unchanged=rows,
            deleted=0,
            newest=aware_utc(newest),
            requests=0,
            seconds=0.0,
            rows_total=rows,
            notices=(f"read in place: a view over {self._locations[table.qualified_name]}",),
            load_id=load.id,
        )
        known = ledger.known_moment(session, load, table, read_from=now)
        ledger.record(session, load, table, result, read_from=now, loaded_at=now, known=known)
        number_load(session)
        return result


def _missing_columns(merge: TableMerge, staged: TableStage, judged: Judged) -> list[MissingColumn]:
    """The declared columns that have vanished, by the rule of `drift`."""
    candidates = suspects(staged, judged.held)
    return vanished(staged, candidates, *merge.held_values(candidates)) if candidates else []
