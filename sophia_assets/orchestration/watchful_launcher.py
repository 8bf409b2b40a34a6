"""Dagster's own launcher on one machine, which can also tell whether the process of a run still lives.

Its run monitoring asks every `run_monitoring.poll_interval_seconds`, and ends what was lost. Without this, a run stays
at work for ever when its code server is killed together with it, or when it was made by `sophia run`.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from sophia_assets.orchestration.launching import MACHINE_TAG
from sophia_assets.orchestration.lost_runs import GONE, is_lost, this_machine

_HERE = ("", "localhost", "127.0.0.1", "::1")


class WatchfulRunLauncher(DefaultRunLauncher):
    """`DefaultRunLauncher` with a look at the run's process."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Notes down on which machine the process will be, where that is this one."""
        run = context.dagster_run
        if self._is_here(context):
            self._instance.add_run_tags(run.run_id, {MACHINE_TAG: this_machine()})
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """See `RunLauncher`."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Running, unless it is known that the process is gone."""
        record = self._instance.get_run_record_by_id(run.run_id)
        if record is not None and is_lost(self._instance, record):
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, GONE)
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _is_here(self, context: LaunchRunContext) -> bool:
        """Whether the code server that will start the process runs on this machine."""
        origin: Any = context.dagster_run.remote_job_origin
        if context.workspace is None or origin is None:
            return False
        name = origin.repository_origin.code_location_origin.location_name
        client: Any = getattr(context.workspace.get_code_location(name), "client", None)
        return client is not None and (bool(client.socket) or str(client.host or "") in _HERE)
