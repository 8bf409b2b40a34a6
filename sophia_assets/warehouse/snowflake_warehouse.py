"""The warehouse in a database of Snowflake: all work is done there, in short sessions and transactions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import SophiaError, WarehouseBusy, WarehouseUnavailable
from sophia_assets.sources.declarations import Table
from sophia_assets.sources.snowflake.connection import SnowflakeConnection
from sophia_assets.sources.snowflake.queries import location_of
from sophia_assets.sources.snowflake.tables import TABLES
from sophia_assets.warehouse.interface import Load, PendingLoad
from sophia_assets.warehouse.lock import FileLock
from sophia_assets.warehouse.snowflake_loading import InPlaceLoad, SnowflakeLoading
from sophia_assets.warehouse.snowflake_replacing import replace_tables
from sophia_assets.warehouse.snowflake_schema import bring_up, described, is_current
from sophia_assets.warehouse.snowflake_session import (
    Session,
    Sessions,
    SnowflakeAccount,
    in_transaction,
    query_tag,
    take_turn,
)
from sophia_assets.warehouse.stage_folder import StageFolder
from sophia_assets.warehouse.staged_load import AlreadyLoaded
from sophia_assets.warehouse.staged_warehouse import StagedWarehouse
from sophia_assets.warehouse.staging import CHECKPOINT_SECONDS


class SnowflakeWarehouse(StagedWarehouse[Session]):
    """A `Warehouse` in the database that `account` names, which exists; its schemas and tables are made.

    Reads are staged in `folder`, on local disk, sealed by `vault`, and a lock there keeps this machine's writers from
    queueing in Snowflake, where waiting keeps a warehouse running. Writers of other machines wait there all the same:
    for each other's commit. `in_place` gives, by qualified name, the raw tables that are views over tables of the same
    account, with where these lie. Safe to use from several threads and processes at once. Each query sees the last
    commit; those of one `session` may see different ones, since Snowflake has no snapshot of several statements.
    Raises WarehouseUnavailable where Snowflake cannot be reached or refuses the login, WarehouseBusy where another
    writes for longer than `wait_seconds`.
    """

    dialect = "snowflake"

    def __init__(
        self,
        account: SnowflakeAccount,
        folder: Path,
        *,
        tables: Sequence[Table] | None = None,
        in_place: Mapping[str, str] | None = None,
        wait_seconds: float = 600.0,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        accepted_missing: Collection[str] = (),
        vault: Vault = PLAIN,
    ) -> None:
        super().__init__(
            folder / "staging" / "snowflake",
            tables=tables,
            checkpoint_seconds=checkpoint_seconds,
            accepted_missing=accepted_missing,
            vault=vault,
        )
        self._sessions = Sessions(account)
        self._lock = FileLock(folder / "snowflake", wait_seconds=wait_seconds)
        folder.mkdir(parents=True, exist_ok=True)
        self.in_place = self._prepare(in_place or {})

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """See `Warehouse.query`. The result is complete in memory when it returns."""
        assert not isinstance(parameters, Mapping), "parameters go by their place"
        with self._reading() as session:
            return session.execute(sql, parameters or ()).arrow()

    def begin(self, load: Load) -> PendingLoad:
        """See `Warehouse.begin`. Tables that are views are not read: their load only records how they stand."""
        if not all(table.qualified_name in self.in_place for table in load.tables):
            return super().begin(load)
        committed = self.recorded(load.id)
        return AlreadyLoaded(committed) if committed else InPlaceLoad(load, self.in_place, self._writing)

    def execute_in_transaction(self, statements: Iterable[str]) -> None:
        """See `Warehouse.execute_in_transaction`; Snowflake's dialect."""
        with self._writing(query_tag()) as session, in_transaction(session):
            take_turn(session, "statements")
            for statement in statements:
                session.execute(statement)

    def replace_tables(
        self,
        selects: Mapping[str, str],
        began: Callable[[str], None],
        *,
        kept: Collection[str] = (),
        record: Iterable[str] = (),
    ) -> None:
        """See `Warehouse.replace_tables`. A table whose columns have changed is replaced on its own."""
        with self._writing(query_tag(models=str(len(selects)))) as session:
            replace_tables(session, selects, began, kept=kept, record=record)

    def close(self) -> None:
        """See `Warehouse.close`."""
        self._sessions.close()

    @contextmanager
    def _opened(self) -> Iterator[Session]:
        with self._sessions.session() as session:
            yield session

    @contextmanager
    def _writing(self, tag: str) -> Iterator[Session]:
        assert self._held() is None, "a session reads only: writing in it would wait for itself"
        with self._lock.exclusive(), self._sessions.session(tag) as session:
            yield session

    def _loading(self, load: Load, folder: StageFolder) -> PendingLoad:
        return SnowflakeLoading(
            load,
            folder,
            self._writing,
            accepted_missing=self._accepted_missing,
            checkpoint_seconds=self._checkpoint_seconds,
        )

    def _prepare(self, in_place: Mapping[str, str]) -> dict[str, str]:
        """Brings the database up to what is declared; the tables that can be read in place."""
        with self._opened() as session:
            there = {name: location for name, location in in_place.items() if _is_there(session, location)}
            if is_current(session, self.tables, there):
                return there
        with self._writing(query_tag()) as session:
            bring_up(session, self.tables, there)
        return there


def _is_there(session: Session, location: str) -> bool:
    """Whether the table exists and may be read; one that may not is told when its load asks for it."""
    try:
        described(session, location)
    except (WarehouseUnavailable, WarehouseBusy):
        raise
    except SophiaError:
        return False
    return True


def tables_in_place(account: SnowflakeAccount, source: SnowflakeConnection) -> dict[str, str]:
    """The source's tables that lie in the warehouse's account, by qualified name, with where they lie there.

    A table that keeps versions is copied all the same: its source holds only the present.
    """
    port = "" if source.port is None else str(source.port)
    if not source.database or not account.is_same_as(source.account, source.host, port):
        return {}
    return {table.qualified_name: location_of(table, source.database) for table in TABLES if not table.keeps_versions}
