"""What Dagster was told of assets and their checks: the newest stays, earlier ones go, and old ones are kept short.

A partition counts as filled for as long as its newest materialization is there, so that one is never removed. Once it
is old it says no more than that, and how many rows there were: a preview of rows is nothing to keep for years.

Belongs here: the events of assets and checks. Does not belong here: runs and their logs (`run_retention`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as checks
from dagster._core.storage.event_log.schema import AssetEventTagsTable as event_tags
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as events
from dagster._serdes import deserialize_value, serialize_value
from sqlalchemy import ColumnElement, Connection, Table, and_, func, select

from sophia_assets.orchestration.run_protection import newest_results
from sophia_assets.orchestration.run_retention import KEPT_WITH_ASSETS, STEP, index, removed_by_id

SHORTENED = "kept short"
"""The metadata by which a shortened materialization is told."""
_COUNTS = ("dagster/row_count", "dagster/partition_row_count")
_MATERIALIZED = DagsterEventType.ASSET_MATERIALIZATION.value
_OF_CHECKS = (DagsterEventType.ASSET_CHECK_EVALUATION.value, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value)


def repeated_removed(instance: dg.DagsterInstance, cutoff: datetime) -> Iterator[int]:
    """Removes what was told before the cutoff and told anew since, step by step; shortens what stays of it."""
    before = cutoff.astimezone(UTC).replace(tzinfo=None)
    with index(instance) as connection:
        last = _last_before(connection, events, events.c.timestamp, before)
        repeated = _repeated(connection, last)
    for start in range(0, len(repeated), STEP):
        part = repeated[start : start + STEP]
        with index(instance) as connection:
            connection.execute(event_tags.delete().where(event_tags.c.event_id.in_(part)))
        yield from removed_by_id(instance, events, part, events.c.timestamp < before)
    with index(instance) as connection:
        results = _results(connection, _last_before(connection, checks, checks.c.create_timestamp, before))
    yield from removed_by_id(instance, checks, results, checks.c.create_timestamp < before)
    with index(instance) as connection:
        told = _told_of_checks(connection, last)
    yield from removed_by_id(instance, events, told, events.c.timestamp < before)
    yield from _shortened(instance, last, before)


def _last_before(connection: Connection, table: Table, moment: ColumnElement[datetime], before: datetime) -> int:
    """The number of the last row from before a moment; rows are numbered as they came.

    There is no index by time, and reading the time of every row takes as long as reading the whole log. Where a clock
    was set it is not exact, so each row's own time is looked at before anything is done with it.
    """
    low, high = 0, int(connection.execute(select(func.max(table.c.id))).scalar() or 0)
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(
            select(table.c.id, moment).where(table.c.id <= middle).order_by(table.c.id.desc()).limit(1)
        ).one_or_none()
        if found is None or found[1] is None or found[1] < before:
            low = middle
        else:
            high = int(found[0]) - 1
    return low


def _repeated(connection: Connection, last: int) -> list[int]:
    """Events of assets that were followed by another one of the same kind, asset and partition."""
    kinds = [event.value for event in KEPT_WITH_ASSETS]
    of_each = (events.c.asset_key, events.c.dagster_event_type, events.c.partition)
    newest = select(func.max(events.c.id)).where(events.c.dagster_event_type.in_(kinds)).group_by(*of_each)
    old = and_(events.c.dagster_event_type.in_(kinds), events.c.id <= last)
    return list(connection.execute(select(events.c.id).where(old, events.c.id.not_in(newest))).scalars())


def _results(connection: Connection, last: int) -> list[int]:
    """Results of checks that were made again since."""
    kept = newest_results(connection)
    ids = connection.execute(select(checks.c.id).where(checks.c.id <= last).order_by(checks.c.id)).scalars()
    return [number for number in ids if number not in kept]


def _told_of_checks(connection: Connection, last: int) -> list[int]:
    """Events of checks that no result rests on any more."""
    column = checks.c.evaluation_event_storage_id
    used = set(connection.execute(select(column).where(column.is_not(None), column <= last)).scalars())
    old = and_(events.c.dagster_event_type.in_(_OF_CHECKS), events.c.id <= last)
    return [number for number in connection.execute(select(events.c.id).where(old)).scalars() if number not in used]


def _shortened(instance: dg.DagsterInstance, last: int, before: datetime) -> Iterator[int]:
    """Rewrites old materializations of partitions, but an asset's newest; what cannot be read stays as it is."""
    with index(instance) as connection:
        ids = _long(connection, last)
    for start in range(0, len(ids), STEP):
        old = and_(events.c.id.in_(ids[start : start + STEP]), events.c.timestamp < before)
        with index(instance) as connection:
            rows = connection.execute(select(events.c.id, events.c.event, events.c.partition).where(old)).all()
            for number, text, partition in rows:
                short = _short(text) if partition is not None else None
                if short is not None:
                    values = {"event": short, "run_id": RUNLESS_RUN_ID, "step_key": None}
                    connection.execute(events.update().where(events.c.id == number).values(values))
        yield 0


def _long(connection: Connection, last: int) -> list[int]:
    told = events.c.dagster_event_type == _MATERIALIZED
    newest = select(func.max(events.c.id)).where(told).group_by(events.c.asset_key)
    old = and_(told, events.c.id <= last, events.c.run_id != RUNLESS_RUN_ID, events.c.id.not_in(newest))
    return list(connection.execute(select(events.c.id).where(old)).scalars())


def _short(text: str) -> str | None:
    """The event as one that nobody's run has told: asset, partition, versions and counts; None where it is no such."""
    try:
        entry = deserialize_value(text, EventLogEntry)
    except Exception:  # whatever it is: it stays
        return None
    told: Any = entry.dagster_event.event_specific_data if entry.dagster_event else None
    if not isinstance(told, StepMaterializationData):
        return None
    old = told.materialization
    metadata = {name: value for name, value in old.metadata.items() if name in _COUNTS}
    short = dg.AssetMaterialization(
        old.asset_key,
        partition=old.partition,
        tags=dict(old.tags or {}),
        metadata={**metadata, SHORTENED: entry.run_id},
    )
    return serialize_value(
        EventLogEntry(
            error_info=None,
            level=entry.level,
            user_message="",
            run_id=RUNLESS_RUN_ID,
            timestamp=entry.timestamp,
            dagster_event=DagsterEvent(
                event_type_value=_MATERIALIZED,
                job_name=RUNLESS_JOB_NAME,
                event_specific_data=StepMaterializationData(short),
            ),
        )
    )
