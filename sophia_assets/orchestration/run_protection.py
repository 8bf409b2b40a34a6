"""Which runs are still needed, however old they are.

Belongs here: reading that from Dagster's tables. Does not belong here: removing anything (`run_retention`).
"""

from __future__ import annotations

from typing import Any

from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as checks
from dagster._core.storage.event_log.schema import AssetKeyTable as assets
from dagster._core.storage.runs.schema import BulkActionsTable as backfills
from dagster._core.storage.runs.schema import RunsTable as runs
from sqlalchemy import Connection, and_, func, or_, select

JUDGED = (AssetCheckExecutionRecordStatus.SUCCEEDED.value, AssetCheckExecutionRecordStatus.FAILED.value)
_OVER = [status.value for status in BULK_ACTION_TERMINAL_STATUSES]


def needed_runs(index: Connection) -> set[str]:
    """The runs that the UI leads to from an asset, or from the newest result of a check; at most one of each."""
    shown = index.execute(select(assets.c.last_run_id).where(assets.c.last_run_id.is_not(None))).scalars()
    judged = select(checks.c.run_id).where(checks.c.id.in_(newest_results(index)))
    return {run_id for run_id in (*shown, *index.execute(judged).scalars()) if run_id}


def newest_results(index: Connection) -> set[int]:
    """The ids of each check's newest result, and of the newest time that it was to be made."""
    newest = select(func.max(checks.c.id)).group_by(checks.c.asset_key, checks.c.check_name)
    found = index.execute(
        select(checks.c.id, checks.c.asset_key, checks.c.check_name, checks.c.execution_status).where(
            checks.c.id.in_(newest)
        )
    ).all()
    kept = {row.id for row in found}
    for row in found:
        if row.execution_status not in JUDGED:
            own = and_(checks.c.asset_key == row.asset_key, checks.c.check_name == row.check_name)
            judged = select(func.max(checks.c.id)).where(own, checks.c.execution_status.in_(JUDGED))
            kept.add(index.execute(judged).scalar())
    return kept


def is_needed() -> Any:
    """The newest run of a job by how it ended, which sensors ask for, and those of a backfill that is not over."""
    newest = select(func.max(runs.c.id)).group_by(runs.c.pipeline_name, runs.c.status)
    open_backfills = select(backfills.c.key).where(backfills.c.status.not_in(_OVER))
    belongs = and_(runs.c.backfill_id.is_not(None), runs.c.backfill_id.in_(open_backfills))
    return or_(runs.c.id.in_(newest), belongs)
