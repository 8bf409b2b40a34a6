"""Dagster's SQLite storage on one machine: the same files, with connections that stay open.

Dagster's own opens a connection, and compiles its statements anew, for each of a run's two thousand events; of each
check it asks twice more whether there is a table of checks. An event is one transaction here, and so are those that
Dagster hands over together. SQLite's log is flushed to the disk by its checkpoints here, not by each event: what a
power cut may take is the end of a run's log, and no program's crash takes anything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import serialize_value
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

_BUSY_SECONDS = 60
_MOST_OPEN = 16


class _Engines:
    """One engine per database, made when first needed; those that were not used for longest are closed.

    Each run has a file of its own, and a daemon that lives for months would else hold all of them open.
    """

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def is_open(self, address: str) -> bool:
        return address in self._engines

    def engine(self, address: str) -> Engine:
        engine = self._engines.pop(address, None)
        if engine is None:
            engine = create_engine(address, poolclass=QueuePool, connect_args={"timeout": _BUSY_SECONDS})
            event.listen(engine, "connect", _flush_seldom)
        self._engines[address] = engine  # the last is the one that was used last
        while len(self._engines) > _MOST_OPEN:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


class SwiftRunStorage(SqliteRunStorage):
    """`SqliteRunStorage` with connections that stay open."""

    def __init__(self, conn_string: str, inst_data: Any = None) -> None:
        self._engines = _Engines()
        super().__init__(conn_string, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        with self._engines.engine(self._conn_string).begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Closes the connections."""
        self._engines.dispose()


class SwiftEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` with connections that stay open."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines = _Engines()
        self._tables: set[str] = set()
        self._open = threading.local()
        super().__init__(base_dir, inst_data)
        # A thread writes to several files at once.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    def store_event(self, event: EventLogEntry) -> None:
        """In one transaction for each file."""
        with self._connect(event.run_id), self._connect(INDEX_SHARD_NAME):
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """In one transaction for each file, for all events together."""
        with ExitStack() as stack:
            for run_id in dict.fromkeys(event.run_id for event in events):
                stack.enter_context(self._connect(run_id))
            stack.enter_context(self._connect(INDEX_SHARD_NAME))
            super().store_event_batch(events)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """The same row as Dagster writes, by a statement that is compiled once: its own, of many rows, never is."""
        planned = event.get_dagster_event().event_specific_data
        if not isinstance(planned, AssetCheckEvaluationPlanned) or planned.partitions_subset:
            super()._store_asset_check_evaluation_planned(event, event_id)
            return
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "partition": None,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": datetime.fromtimestamp(event.timestamp, UTC).replace(tzinfo=None),
            "evaluation_event_storage_id": event_id,
        }
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [row])

    def has_table(self, table_name: str) -> bool:
        """Tables stay, so that one that was there need not be looked for again."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # Within a transaction of this thread on the file, what follows is a part of it.
        begun: dict[str, Connection] = self._open.__dict__
        if shard in begun:
            yield begun[shard]
            return
        with self._db_lock:
            address = self.conn_string_for_shard(shard)
            if not self._engines.is_open(address) and not Path(self.path_for_shard(shard)).exists():
                # The run's log was removed since: then it is to be made anew, with its tables.
                self._initialized_dbs.discard(shard)
            engine = self._engines.engine(address)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                begun[shard] = connection
                try:
                    yield connection
                finally:
                    del begun[shard]

    def dispose(self) -> None:
        """Stops watching, and closes the connections."""
        super().dispose()
        self._engines.dispose()


class SwiftSqliteStorage(DagsterSqliteStorage):
    """`DagsterSqliteStorage` with the two above."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        # What a run plans to do is told in one go; Dagster reads the number from the environment.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
        history = Path(base_dir) / "history"
        self._run_storage = SwiftRunStorage.from_local(f"{history}/")
        self._event_log_storage = SwiftEventLogStorage(f"{history / 'runs'}/")

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> SwiftSqliteStorage:
        """See `DagsterSqliteStorage`."""
        return cls.from_local(inst_data=inst_data, **config_value)


def _flush_seldom(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
