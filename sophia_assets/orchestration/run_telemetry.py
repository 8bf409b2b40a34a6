"""What Dagster's own storage says of runs, sensors, schedules and daemons, for the exporter.

Everything is a look at a few rows by an index, whatever has come together in a year. Nothing is written to Dagster's
storage; the runs that have ended are counted into the control store (`run_counting`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES, RunRecord
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._serdes import deserialize_value
from sqlalchemy import select

from sophia_assets.control.store import ControlStore
from sophia_assets.orchestration.lost_runs import is_lost
from sophia_assets.orchestration.run_counting import COLUMNS, as_ended, count_ended, job_label
from sophia_assets.telemetry import series
from sophia_assets.telemetry.exporter.known_labels import JOBS, OTHER, UNDER_WAY
from sophia_assets.telemetry.exporter.samples import Sample, age

LOST_SHOWN_SECONDS = 900
"""A lost run is ended within seconds where a daemon runs; it is told for so long, so that a rule meets it."""
_FORGOTTEN_SECONDS = 30 * 86_400
_MOST_FAILED = 1000


def count_runs(instance: dg.DagsterInstance, store: ControlStore) -> int:
    """Adds the runs that have ended since the last count to the totals in the control store; returns how many."""
    return count_ended(store, instance.run_storage)


def runs_under_way(instance: dg.DagsterInstance | None) -> list[Sample]:
    """How many runs wait or are at work, how old the oldest is, and how many were lost; zeros without an instance."""
    wanted = dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))
    records = instance.get_run_records(wanted) if instance is not None else ()
    count: dict[tuple[str, str], int] = dict.fromkeys(product((*JOBS, OTHER), UNDER_WAY), 0)
    oldest: dict[tuple[str, str], float] = {}
    lost = dict.fromkeys((*JOBS, OTHER), 0)
    for record in records:
        run = record.dagster_run
        key = job_label(run.job_name), run.status.value.lower()
        count[key] = count.get(key, 0) + 1
        oldest[key] = min(oldest.get(key, math.inf), _since(record))
        if instance is not None and is_lost(instance, record):
            lost[key[0]] += 1
    for job in _lately_lost(instance):
        lost[job] += 1
    found: list[Sample] = []
    for (job, status), number in count.items():
        labels = {"job": job, "status": status}
        found.append(series.RUNS_NOW.set(float(number), **labels))
        since = oldest.get((job, status))
        found.append(series.RUN_AGE.set(0.0, **labels) if since is None else age(series.RUN_AGE, since, **labels))
    found.extend(series.RUNS_LOST.set(float(number), job=job) for job, number in lost.items())
    return found


def _since(record: RunRecord) -> float:
    """Since when a run has been at work, or waits to be."""
    return record.start_time or record.create_timestamp.timestamp()


def _lately_lost(instance: dg.DagsterInstance | None) -> Iterator[str]:
    """The jobs of the runs that were found to be lost within the last minutes, and have been ended."""
    if instance is None:
        return
    storage: Any = instance.run_storage
    since = datetime.fromtimestamp(time.time() - LOST_SHOWN_SECONDS, UTC)
    runs = RunsTable.c
    query = select(*COLUMNS).where(runs.status == "FAILURE", runs.update_timestamp > since.replace(tzinfo=None))
    for run in as_ended(storage, storage.fetchall(query.limit(_MOST_FAILED))):
        # What is written to a run afterwards, such as a tag, does not make it new.
        if run.status == "lost" and run.at > since:
            yield run.job


def ticks(instance: dg.DagsterInstance | None) -> list[Sample]:
    """When each sensor and schedule was last looked at, how long that took, and whether it failed."""
    if instance is None:
        return []
    found: list[Sample] = []
    for state in instance.all_instigator_state():
        # One that somebody has stopped, or that is no longer there, is nobody's worry.
        if state.status is not InstigatorStatus.STOPPED:
            found.extend(_ticks_of(instance, state))
    return found


def _ticks_of(instance: dg.DagsterInstance, state: InstigatorState) -> Iterator[Sample]:
    newest = _newest_ticks(instance, state)
    if not newest or time.time() - newest[0].timestamp > _FORGOTTEN_SECONDS:
        return
    name = state.instigator_name
    yield age(series.TICK_AGE, newest[0].timestamp, instigator=name)
    # One that is under way has neither ended nor failed yet.
    done = next((tick for tick in newest if tick.status is not TickStatus.STARTED), None)
    if done is not None:
        seconds = max(0.0, done.end_timestamp - done.timestamp) if done.end_timestamp else 0.0
        yield series.TICK_SECONDS.set(seconds, instigator=name)
        yield series.TICK_FAILED.set(float(done.status is TickStatus.FAILURE), instigator=name)


def _newest_ticks(instance: dg.DagsterInstance, state: InstigatorState) -> list[TickData]:
    """The newest two, by an index; Dagster's own way would sort all that were ever made."""
    storage: Any = instance.schedule_storage
    ticks = JobTickTable.c
    query = select(ticks.tick_body).where(ticks.selector_id == state.selector_id).order_by(ticks.timestamp.desc())
    return [deserialize_value(row[0], TickData) for row in storage.execute(query.limit(2))]


def daemons(instance: dg.DagsterInstance | None) -> list[Sample]:
    """How long ago each daemon that is needed gave a sign; one that never did, for ever."""
    if instance is None:
        return []
    signs = instance.get_daemon_heartbeats()
    return [
        age(series.HEARTBEAT_AGE, signs[kind].timestamp if kind in signs else -math.inf, daemon=kind)
        for kind in instance.get_required_daemon_types()
    ]
