"""Tells Dagster which days a load has covered beside those that its run reports, so that they do not look missing.

One event per table and day is what Dagster counts partitions by. Reporting them one at a time takes
minutes on SQLite, so they are written in one transaction; other storages have a batch call for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

if TYPE_CHECKING:
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

# Stands for the day in an event that is written once and stored for many days.
_ANY_DAY = "__any_day__"


def report_covered_days(
    instance: dg.DagsterInstance, tables: Iterable[dg.AssetKey], days: Sequence[str], metadata: Mapping[str, Any]
) -> None:
    """Records a materialization of each table for each partition key of `days`, with `metadata`.

    To be called before the load's own materialization is reported, which has to stay the latest one.
    """
    # Imported here: SQLAlchemy would slow every load of the definitions.
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

    keys = list(tables)
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        storage.store_event_batch([_event(key, day, metadata) for key in keys for day in days])
        return
    rows = [row for key in keys for row in _rows(storage, key, days[:-1], metadata)]
    if rows:
        with storage.index_transaction() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
    # The last one is reported the long way, which also tells the catalog what the table's latest one is.
    for key in keys if days else ():
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=days[-1], metadata=metadata))


def _rows(
    storage: SqlEventLogStorage, key: dg.AssetKey, days: Sequence[str], metadata: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The events of the days as rows of the log: equal but for the day, so that one is serialized for all."""
    row = storage._event_to_row(_event(key, _ANY_DAY, metadata))
    for day in days:
        yield row | {"partition": day, "event": row["event"].replace(_ANY_DAY, day)}


def _event(key: dg.AssetKey, day: str, metadata: Mapping[str, Any]) -> EventLogEntry:
    covered = dg.AssetMaterialization(key, partition=day, metadata=metadata)
    return EventLogEntry(
        error_info=None,
        level=logging.INFO,
        user_message="",
        run_id=RUNLESS_RUN_ID,
        timestamp=time.time(),
        dagster_event=DagsterEvent(
            event_type_value=DagsterEventType.ASSET_MATERIALIZATION.value,
            job_name=RUNLESS_JOB_NAME,
            event_specific_data=StepMaterializationData(covered),
        ),
    )
