"""The warehouse on one DuckDB file: short transactions on short-lived connections behind one lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sophia_assets.errors import ConfigurationError, WarehouseBusy
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Table
from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import (
    Load,
    LoadKey,
    LoadResult,
    PendingLoad,
    Progress,
    Reader,
    TableState,
    Unfinished,
)
from sophia_assets.warehouse.loading import AlreadyLoaded, Loading
from sophia_assets.warehouse.lock import FileLock
from sophia_assets.warehouse.merge import target
from sophia_assets.warehouse.schema import bring_up, fingerprint, is_current
from sophia_assets.warehouse.stage_folder import StageFolders
from sophia_assets.warehouse.staging import CHECKPOINT_SECONDS

_OPEN_RETRY_SECONDS = 0.05


class DuckDBWarehouse:
    """A `Warehouse` in the file `path`, which is created with all its tables where it does not exist.

    `tables` defaults to every registered raw table. What is being read is kept in a folder `staging` beside the
    file, with a checkpoint at most every `checkpoint_seconds`. `accepted_missing` names columns, as
    `system.table.column`, whose vanishing is accepted instead of raised as SchemaDrift. Safe to use from several
    threads and processes at once; raises WarehouseBusy where another holds the file for longer than `wait_seconds`.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        tables: Sequence[Table] | None = None,
        wait_seconds: float = 60.0,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        accepted_missing: Collection[str] = (),
    ) -> None:
        self.path = Path(path).absolute()
        self._stages = StageFolders(self.path.parent / "staging" / self.path.stem)
        self._checkpoint_seconds = checkpoint_seconds
        self._accepted_missing = frozenset(accepted_missing)
        self.tables = tuple(registry.tables() if tables is None else tables)
        self._lock = FileLock(self.path, wait_seconds=wait_seconds)
        self._wait_seconds = wait_seconds
        self._shared = threading.local()
        self._prepare()

    def load(
        self, load: Load, items: Iterable[ReadItem] | Reader, progress: Progress | None = None
    ) -> list[LoadResult]:
        """See `Warehouse.load`."""
        with self.begin(load) as pending:
            pending.read(items, progress)
            return pending.merge()

    def begin(self, load: Load) -> PendingLoad:
        """See `Warehouse.begin`. The file is locked only for the merge, after the source has been read."""
        declared = fingerprint(load.tables)
        with self._reading() as connection:
            committed, ledger_rows = ledger.recorded(connection, load.id), ledger.length(connection)
        if committed is not None:
            self._discard(load, declared)
            return AlreadyLoaded(committed)
        with _folder_explained(self.path.parent):
            folder = self._stages.open(load, declared, ledger_rows)
        return Loading(
            load,
            folder,
            self._writing,
            accepted_missing=self._accepted_missing,
            checkpoint_seconds=self._checkpoint_seconds,
        )

    def unfinished(self, key: LoadKey, tables: Sequence[Table]) -> Unfinished | None:
        """See `Warehouse.unfinished`."""
        folder = self._stages.find(key, fingerprint(tables))
        if folder is None:
            return None
        try:
            manifest, entry = folder.manifest, folder.entry
        finally:
            folder.close()
        if manifest is None or entry is None:
            return None
        is_committed = self.recorded(manifest.load_id) is not None
        return Unfinished(manifest.load_id, manifest.window, entry["position"], is_committed)

    def recorded(self, load_id: str) -> list[LoadResult] | None:
        """See `Warehouse.recorded`."""
        with self._reading() as connection:
            return ledger.recorded(connection, load_id)

    def table_state(self, qualified_name: str) -> TableState | None:
        """See `Warehouse.table_state`."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT loaded_through, newest, loaded_at, load_id, rows_total "
                'FROM "_sophia"."state" WHERE table_name = ?',
                [qualified_name],
            ).fetchone()
        if row is None:
            return None
        loaded_through, newest, loaded_at, load_id, rows_total = row
        return TableState(
            table=qualified_name,
            loaded_through=loaded_through.replace(tzinfo=UTC),
            newest=aware_utc(newest),
            loaded_at=loaded_at.replace(tzinfo=UTC),
            load_id=load_id,
            rows_total=rows_total,
        )

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """See `Warehouse.query`; DuckDB's dialect. The result is complete in memory when it returns."""
        with self._reading() as connection:
            return connection.execute(sql, parameters).to_arrow_table()

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Warehouse.session`."""
        if self._session_connection() is not None:
            yield
            return
        with self._reading() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                self._shared.connection = None

    def _session_connection(self) -> duckdb.DuckDBPyConnection | None:
        return getattr(self._shared, "connection", None)

    def execute_in_transaction(self, statements: Iterable[str]) -> None:
        """See `Warehouse.execute_in_transaction`; DuckDB's dialect."""
        with self._writing() as connection:
            for statement in statements:
                connection.execute(statement)

    def row_counts(self) -> dict[str, int]:
        """See `Warehouse.row_counts`."""
        counts = " UNION ALL ".join(
            f"SELECT '{table.qualified_name}' AS name, count(*) AS rows FROM {target(table)} WHERE _deleted_at IS NULL"
            for table in self.tables
        )
        found = self.query(counts)
        return {str(row["name"]): int(row["rows"]) for row in found.to_pylist()}

    def _prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            with self._reading() as connection:
                if is_current(connection, self.tables):
                    return
        with self._writing() as connection:
            bring_up(connection, self.tables)

    def _discard(self, load: Load, declared: str) -> None:
        """Removes the stage of a load that was committed, where its process died before it could."""
        folder = self._stages.find(load.key, declared) if load.key else None
        if folder is None:
            return
        if folder.manifest is not None and folder.manifest.load_id == load.id:
            folder.remove()
        folder.close()

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        assert self._session_connection() is None, "a session reads only: writing in it would wait for itself"
        with self._lock.exclusive(), self._connection(read_only=False) as connection:
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        held = self._session_connection()
        if held is not None:
            yield held
            return
        with self._lock.shared(), self._connection(read_only=True) as connection:
            yield connection

    @contextmanager
    def _connection(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._open(read_only)
        try:
            yield connection
        finally:
            connection.close()

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Opens the file, waiting for programs that hold it without our lock, such as the DuckDB shell."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only)
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise ConfigurationError(
                        f"{self.path.name} cannot be opened as a DuckDB file ({str(error).splitlines()[0]})",
                        remedy=f"Check the disk and the file, or move {self.path} away to start afresh",
                    ) from error
                if time.monotonic() >= deadline:
                    raise WarehouseBusy(
                        f"another program holds {self.path.name} open ({str(error).splitlines()[0]})",
                        remedy="Close it, then run this again; nothing was changed",
                    ) from error
            time.sleep(_OPEN_RETRY_SECONDS)


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    # A fatal error has already invalidated the transaction; nothing of it is on disk.
    with suppress(duckdb.Error):
        connection.execute("ROLLBACK")


@contextmanager
def _folder_explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"no files can be made in {home} ({error.strerror})",
            remedy="Make room on its disk, and check that it can be written; nothing was changed",
        ) from error
