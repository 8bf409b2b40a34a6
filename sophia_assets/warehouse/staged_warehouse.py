"""What every warehouse does alike: reads are staged on local disk, and the ledger says what was loaded."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa

from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import ConfigurationError
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Table
from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.connection import Connection
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
from sophia_assets.warehouse.schema import fingerprint
from sophia_assets.warehouse.stage_folder import StageFolder, StageFolders
from sophia_assets.warehouse.staged_load import AlreadyLoaded

C = TypeVar("C", bound=Connection)


class StagedWarehouse(ABC, Generic[C]):
    """The engines' common part of a `Warehouse`; see there for its methods.

    `tables` defaults to every registered raw table. What is being read is kept below `stages`, with a checkpoint at
    most every `checkpoint_seconds`. `accepted_missing` names columns, as `system.table.column`, whose vanishing is
    accepted instead of raised as SchemaDrift. `vault` seals what is kept on disk.
    """

    def __init__(
        self,
        stages: Path,
        *,
        tables: Sequence[Table] | None,
        checkpoint_seconds: float,
        accepted_missing: Collection[str],
        vault: Vault = PLAIN,
    ) -> None:
        self.tables = tuple(registry.tables() if tables is None else tables)
        self._stages = StageFolders(stages, vault)
        self.is_encrypted = vault.is_on
        self._checkpoint_seconds = checkpoint_seconds
        self._accepted_missing = frozenset(accepted_missing)
        self._shared = threading.local()

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """See `Warehouse.query`."""

    @abstractmethod
    def _opened(self) -> AbstractContextManager[C]:
        """A connection to read with, for the block alone."""

    @abstractmethod
    def _loading(self, load: Load, folder: StageFolder) -> PendingLoad:
        """A load that keeps its read in `folder`."""

    def load(
        self, load: Load, items: Iterable[ReadItem] | Reader, progress: Progress | None = None
    ) -> list[LoadResult]:
        """See `Warehouse.load`."""
        with self.begin(load) as pending:
            pending.read(items, progress)
            return pending.merge()

    def begin(self, load: Load) -> PendingLoad:
        """See `Warehouse.begin`. Writers are kept out only for the merge, after the source has been read."""
        declared = fingerprint(load.tables)
        with self._reading() as connection:
            committed, ledger_rows = ledger.recorded(connection, load.id), ledger.length(connection)
        if committed is not None:
            self._discard(load, declared)
            return AlreadyLoaded(committed)
        with _folder_explained(self._stages.root):
            folder = self._stages.open(load, declared, ledger_rows)
        return self._loading(load, folder)

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

    def known_since(self) -> Mapping[str, datetime]:
        """See `Warehouse.known_since`."""
        with self._reading() as connection:
            return ledger.known_since(connection, self.tables)

    @contextmanager
    def session(self) -> Iterator[None]:
        """See `Warehouse.session`."""
        if self._held() is not None:
            yield
            return
        with self._opened() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                self._shared.connection = None

    @contextmanager
    def _reading(self) -> Iterator[C]:
        """The session's connection, or one for the block alone."""
        held = self._held()
        if held is not None:
            yield held
            return
        with self._opened() as connection:
            yield connection

    def _held(self) -> C | None:
        """The connection of the session that this thread is in."""
        return getattr(self._shared, "connection", None)

    def row_counts(self) -> dict[str, int]:
        """See `Warehouse.row_counts`."""
        counts = " UNION ALL ".join(
            f"SELECT '{table.qualified_name}' AS name, COUNT(*) AS n "
            f'FROM "{table.system}"."{table.name}" WHERE _deleted_at IS NULL'
            for table in self.tables
        )
        found = self.query(counts)
        return {str(row["name"]): int(row["n"]) for row in found.to_pylist()}

    def _discard(self, load: Load, declared: str) -> None:
        """Removes the stage of a load that was committed, where its process died before it could."""
        folder = self._stages.find(load.key, declared) if load.key else None
        if folder is None:
            return
        if folder.manifest is not None and folder.manifest.load_id == load.id:
            folder.remove()
        folder.close()


@contextmanager
def _folder_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"no files can be made in {folder} ({error.strerror})",
            remedy="Make room on its disk, and check that it can be written; nothing was changed",
        ) from error
