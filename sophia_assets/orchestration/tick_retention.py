"""Ticks of sensors and schedules, by what came of them. The newest of each stays: what comes next rests on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.schedules.schema import JobTickTable as ticks
from sqlalchemy import and_, func, select

from sophia_assets.orchestration.run_retention import counted, schedule_storage
from sophia_assets.retention.applying import Held

# Ticks come by the thousand: more of them go in one step than of anything else.
_STEP = 2_000
_UNDER_WAY = TickStatus.STARTED.value


class TicksKeeper:
    """Ticks that launched something, failed, or never came to an end."""

    name = "ticks"

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        with schedule_storage(self._instance) as connection:
            mine = self._mine()
            count, first = connection.execute(select(func.count(), func.min(ticks.c.timestamp)).where(mine)).one()
            due = counted(connection, ticks, self._old(cutoff)) if cutoff else 0
        return Held(int(count), first.replace(tzinfo=UTC) if first else None, None, due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`."""
        with schedule_storage(self._instance) as connection:
            ids = connection.execute(select(ticks.c.id).where(self._old(cutoff)).order_by(ticks.c.id)).scalars().all()
        for start in range(0, len(ids), _STEP):
            with schedule_storage(self._instance) as connection:
                doomed = ticks.c.id.in_(ids[start : start + _STEP])
                count = connection.execute(ticks.delete().where(doomed)).rowcount
            yield int(count)

    def _mine(self) -> Any:
        return ticks.c.status != TickStatus.SKIPPED.value

    def _old(self, cutoff: datetime) -> Any:
        newest = select(func.max(ticks.c.id)).group_by(ticks.c.job_origin_id, ticks.c.selector_id)
        before = cutoff.astimezone(UTC).replace(tzinfo=None)
        return and_(self._mine(), ticks.c.timestamp < before, ticks.c.id.not_in(newest))


class SkippedTicksKeeper(TicksKeeper):
    """Ticks of sensors that found nothing to do: eight a minute, each with the words why."""

    name = "skipped_ticks"

    def _mine(self) -> Any:
        return ticks.c.status == TickStatus.SKIPPED.value
