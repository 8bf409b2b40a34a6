"""The warehouse on one DuckDB file: short transactions on short-lived connections behind one lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from sophia_assets.errors import ConfigurationError, WarehouseBusy
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Table, Window
from sophia_assets.warehouse.coercion import aware_utc, naive_utc
from sophia_assets.warehouse.interface import Load, LoadResult, Progress, TableState
from sophia_assets.warehouse.lock import FileLock
from sophia_assets.warehouse.merge import merge, target
from sophia_assets.warehouse.schema import bring_up, is_current
from sophia_assets.warehouse.staging import Stage, TableStage

_OPEN_RETRY_SECONDS = 0.05


class DuckDBWarehouse:
    """A `Warehouse` in the file `path`, which is created with all its tables where it does not exist.

    `tables` defaults to every registered raw table. Safe to use from several threads and processes
    at once; raises WarehouseBusy where another holds the file for longer than `wait_seconds`.
    """

    def __init__(self, path: Path | str, *, tables: Sequence[Table] | None = None, wait_seconds: float = 60.0) -> None:
        self.path = Path(path).absolute()
        self.tables = tuple(registry.tables() if tables is None else tables)
        self._lock = FileLock(self.path, wait_seconds=wait_seconds)
        self._wait_seconds = wait_seconds
        self._shared = threading.local()
        self._prepare()

    def load(self, load: Load, items: Iterable[ReadItem], progress: Progress | None = None) -> list[LoadResult]:
        """See `Warehouse.load`. The file is locked only for the merge, after the source has been read."""
        committed = self.recorded(load.id)
        if committed is not None:
            return committed
        started = time.monotonic()
        began_at = datetime.now(UTC)
        with Stage(load.tables, self.path.parent) as stage:
            for item in items:
                stage.add(item, progress)
            with self._writing() as connection:
                committed = _recorded(connection, load.id)
                if committed is not None:
                    return committed
                return [
                    self._merge_table(connection, load, staged, began_at, started) for staged in stage.tables.values()
                ]

    def recorded(self, load_id: str) -> list[LoadResult] | None:
        """See `Warehouse.recorded`."""
        with self._reading() as connection:
            return _recorded(connection, load_id)

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

    def _merge_table(
        self, connection: duckdb.DuckDBPyConnection, load: Load, staged: TableStage, began_at: datetime, started: float
    ) -> LoadResult:
        loaded_at = naive_utc(datetime.now(UTC))
        counts = merge(connection, staged, load_id=load.id, loaded_at=loaded_at)
        result = LoadResult(
            table=staged.table.qualified_name,
            window=load.window,
            rows_read=staged.rows_read,
            inserted=counts.inserted,
            updated=counts.updated,
            unchanged=counts.unchanged,
            deleted=counts.deleted,
            newest=aware_utc(counts.newest),
            requests=load.requests(),
            seconds=time.monotonic() - started,
            rows_total=counts.rows_total,
            rejected=staged.rejected,
            coercion_failures=dict(staged.failures),
            load_id=load.id,
        )
        # A window that ends in the future is covered only as far as the moment the read began.
        covered = min(load.window.end, began_at)
        _record(connection, load, result, loaded_at, naive_utc(covered))
        return result

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


def _record(
    connection: duckdb.DuckDBPyConnection, load: Load, result: LoadResult, loaded_at: datetime, covered: datetime
) -> None:
    """Writes the ledger row and moves the table's state; `covered` and `loaded_at` are naive UTC."""
    start = naive_utc(load.window.start) if load.window.start else None
    newest = naive_utc(result.newest) if result.newest else None
    connection.execute(
        'INSERT INTO "_sophia"."loads" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        [
            load.id,
            result.table,
            load.run_id,
            start,
            naive_utc(load.window.end),
            loaded_at,
            result.rows_read,
            result.inserted,
            result.updated,
            result.unchanged,
            result.deleted,
            result.rejected,
            orjson.dumps(result.coercion_failures).decode(),
            newest,
            result.requests,
            result.seconds,
            result.rows_total,
        ],
    )
    held = connection.execute(
        'DELETE FROM "_sophia"."state" WHERE table_name = ? RETURNING loaded_through', [result.table]
    ).fetchone()
    through = max(covered, held[0]) if held else covered
    connection.execute(
        'INSERT INTO "_sophia"."state" VALUES (?, ?, ?, ?, ?, ?)',
        [result.table, through, newest, loaded_at, load.id, result.rows_total],
    )


def _recorded(connection: duckdb.DuckDBPyConnection, load_id: str) -> list[LoadResult] | None:
    rows = connection.execute(
        "SELECT table_name, window_start, window_end, rows_read, inserted, updated, unchanged, deleted, newest, "
        'requests, seconds, rows_total, rejected, coercion_failures FROM "_sophia"."loads" '
        "WHERE load_id = ? ORDER BY rowid",
        [load_id],
    ).fetchall()
    results = [
        LoadResult(name, Window(aware_utc(start), end.replace(tzinfo=UTC)), read, inserted, updated, unchanged,
                   deleted, aware_utc(newest), requests, seconds, total, rejected, orjson.loads(failures), load_id)
        for name, start, end, read, inserted, updated, unchanged, deleted, newest, requests, seconds, total, rejected,
        failures in rows
    ]  # fmt: skip
    return results or None
