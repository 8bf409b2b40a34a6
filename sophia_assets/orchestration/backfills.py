"""Reading a range of days in one run: in bounded chunks, with progress in the log, going on where a killed run was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC
from typing import Any

import dagster as dg
from dagster._core.execution.stats import StepEventStatus
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from sophia_assets.orchestration.partitions import days_of
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.interface import LoadResult

# A range is read and stored this many days at a time, so that what fails costs at most that much.
DAYS_PER_CHUNK = 31
# The log of a run is slow to write to, so it hears of progress only so often.
_SECONDS_BETWEEN_WORDS = 5.0


def chunks_of(context: dg.AssetExecutionContext) -> list[Window]:
    """The run's days as spans of cursor time (UTC) of at most `DAYS_PER_CHUNK` days, oldest first."""
    partitions = context.assets_def.partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    days = days_of(context)
    chunks = []
    for place in range(0, len(days), DAYS_PER_CHUNK):
        few = days[place : place + DAYS_PER_CHUNK]
        first, last = (partitions.time_window_for_partition_key(day) for day in (few[0], few[-1]))
        chunks.append(Window(first.start.astimezone(UTC), last.end.astimezone(UTC)))
    return chunks


def load_run_id(context: dg.AssetExecutionContext) -> str:
    """The run under whose id loads are recorded: the first of those whose reading this run takes up again.

    What such a run has stored is then not read a second time. A run whose reading ended well is never taken
    up: who executes it again wants to see the system as it is now.
    """
    step = str(context.op_execution_context.op_handle)
    run = context.run
    while parent_id := run.tags.get(PARENT_RUN_ID_TAG):
        parent = context.instance.get_run_by_id(parent_id)
        if parent is None:
            break
        stats = context.instance.get_run_step_stats(parent.run_id, [step])
        if not stats or stats[0].status == StepEventStatus.SUCCESS:
            break
        run = parent
    return run.run_id


def merged(chunks: Sequence[Sequence[LoadResult]]) -> list[LoadResult]:
    """One result per table for several loads one after another: counts added up, notices put together, the rest as it
    is after the last."""
    return [_added_up(loads) for loads in zip(*chunks, strict=True)]


def _added_up(loads: Sequence[LoadResult]) -> LoadResult:
    last = loads[-1]
    if len(loads) == 1:
        return last
    changes: dict[str, Any] = {"window": Window(loads[0].window.start, last.window.end)}
    for field in fields(last):
        values = [getattr(load, field.name) for load in loads]
        if isinstance(values[0], Mapping):
            changes[field.name] = dict(sum((Counter(value) for value in values), Counter()))
        elif isinstance(values[0], tuple):
            changes[field.name] = tuple(dict.fromkeys(line for value in values for line in value))
        elif isinstance(values[0], int | float) and field.name != "rows_total":
            changes[field.name] = sum(values)
    return replace(last, **changes)


class LoggedProgress:
    """Says every few seconds how far a read is: rows and requests so far, and rows a second."""

    def __init__(
        self, say: Callable[[str], None], requests: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._requests, self._clock = say, requests, clock
        self._began = self._said = clock()
        self._requests_before = requests()
        self._rows: dict[str, int] = {}

    def __call__(self, table: str, rows: int) -> None:
        """Takes note of a table's rows so far."""
        self._rows[table] = rows
        moment = self._clock()
        if moment - self._said < _SECONDS_BETWEEN_WORDS:
            return
        self._said = moment
        total = sum(self._rows.values())
        self._say(
            f"{total:,} rows read with {self._requests() - self._requests_before:,} requests so far, "
            f"{total / (moment - self._began):,.0f} rows/s, now at {table}"
        )
