"""The warehouse on one DuckDB file: short transactions on short-lived connections behind one lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import ConfigurationError, WarehouseBusy
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse import duckdb_connection
from sophia_assets.warehouse.interface import Load, PendingLoad
from sophia_assets.warehouse.loading import Loading
from sophia_assets.warehouse.lock import FileLock
from sophia_assets.warehouse.schema import bring_up, is_current
from sophia_assets.warehouse.stage_folder import StageFolder
from sophia_assets.warehouse.staged_warehouse import StagedWarehouse
from sophia_assets.warehouse.staging import CHECKPOINT_SECONDS

_OPEN_RETRY_SECONDS = 0.05


class DuckDBWarehouse(StagedWarehouse[duckdb.DuckDBPyConnection]):
    """A `Warehouse` in the file `path`, which is created with all its tables where it does not exist.

    `tables` defaults to every registered raw table. What is being read is kept in a folder `staging` beside the
    file, with a checkpoint at most every `checkpoint_seconds`. `accepted_missing` names columns, as
    `system.table.column`, whose vanishing is accepted instead of raised as SchemaDrift. `vault` seals all of that. Safe
    to use from several threads and processes at once; raises WarehouseBusy where another holds the file for longer than
    `wait_seconds`.
    """

    dialect = "duckdb"

    def __init__(
        self,
        path: Path | str,
        *,
        tables: Sequence[Table] | None = None,
        wait_seconds: float = 60.0,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        accepted_missing: Collection[str] = (),
        vault: Vault = PLAIN,
    ) -> None:
        self.path = Path(path).absolute()
        self._warehouse_keys = vault.keys.warehouse_keys() if vault.keys else ()
        self._may_be_plain = vault.reads_plain
        super().__init__(
            self.path.parent / "staging" / self.path.stem,
            tables=tables,
            checkpoint_seconds=checkpoint_seconds,
            accepted_missing=accepted_missing,
            vault=vault,
        )
        self._lock = FileLock(self.path, wait_seconds=wait_seconds)
        self._wait_seconds = wait_seconds
        self._prepare()

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """See `Warehouse.query`; DuckDB's dialect. The result is complete in memory when it returns."""
        with self._reading() as connection:
            return connection.execute(sql, parameters).to_arrow_table()

    def execute_in_transaction(self, statements: Iterable[str]) -> None:
        """See `Warehouse.execute_in_transaction`; DuckDB's dialect."""
        with self._writing() as connection:
            for statement in statements:
                connection.execute(statement)

    def replace_tables(
        self,
        selects: Mapping[str, str],
        began: Callable[[str], None],
        *,
        kept: Collection[str] = (),
        record: Iterable[str] = (),
    ) -> None:
        """See `Warehouse.replace_tables`."""
        with self._writing() as connection:
            for schema in dict.fromkeys(name.partition(".")[0] for name in selects):
                connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            for name, select in selects.items():
                began(name)
                if name in kept:
                    connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM ({select}) LIMIT 0")
                else:
                    connection.execute(f"CREATE OR REPLACE TABLE {name} AS {select}")
            for statement in record:
                connection.execute(statement)

    def close(self) -> None:
        """See `Warehouse.close`: no connection is ever left open."""

    def _loading(self, load: Load, folder: StageFolder) -> PendingLoad:
        return Loading(
            load,
            folder,
            self._writing,
            accepted_missing=self._accepted_missing,
            checkpoint_seconds=self._checkpoint_seconds,
        )

    def _prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            with self._reading() as connection:
                if is_current(connection, self.tables):
                    return
        with self._writing() as connection:
            bring_up(connection, self.tables)

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        assert self._held() is None, "a session reads only: writing in it would wait for itself"
        with self._lock.exclusive(), self._connection(read_only=False) as connection:
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock.shared(), self._connection(read_only=True) as connection:
            yield connection

    @contextmanager
    def _connection(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._open(read_only)
        try:
            yield connection
        finally:
            duckdb_connection.close(connection)

    def _keys(self) -> Sequence[str]:
        if self._may_be_plain and duckdb_connection.is_plain(self.path):
            return ()
        return self._warehouse_keys

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Opens the file, waiting for programs that hold it without our lock, such as the DuckDB shell."""
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return duckdb_connection.connect(self.path, read_only=read_only, keys=self._keys())
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
