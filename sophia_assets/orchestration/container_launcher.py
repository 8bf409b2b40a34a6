"""The run launcher where the code server has a container of its own, whose processes the daemon cannot see.

Runs are processes beside the code server. When its container ends, they end with it, and nobody is left to say so: the
server that answers afterwards is another one, and that tells.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus

from sophia_assets.orchestration.watchful_launcher import WatchfulRunLauncher

SERVER_TAG = "sophia/code_server"
_GONE = "The code server that made this run is gone, and its container with it."
_TIMEOUT_S = 5


class ContainerRunLauncher(WatchfulRunLauncher):
    """`WatchfulRunLauncher` that also knows which code server has made a run."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Notes down which code server will make the run, where that is not on this machine."""
        client = None if self._is_here(context) else _client(context)
        if client is not None:
            server = client.get_server_id(timeout=_TIMEOUT_S)
            self._instance.add_run_tags(context.dagster_run.run_id, {SERVER_TAG: server})
        super().launch_run(context)

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Running, unless it is known that the process is gone. While no server answers, nothing is known."""
        found = super().check_run_worker_health(run)
        made_by = run.tags.get(SERVER_TAG)
        if found.status is not WorkerStatus.RUNNING or made_by is None:
            return found
        client: Any = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        try:
            answers = client.get_server_id(timeout=_TIMEOUT_S) if client else made_by
        except DagsterUserCodeUnreachableError:
            return found
        return found if answers == made_by else CheckRunHealthResult(WorkerStatus.NOT_FOUND, _GONE)


def _client(context: LaunchRunContext) -> Any:
    origin: Any = context.dagster_run.remote_job_origin
    if context.workspace is None or origin is None:
        return None
    name = origin.repository_origin.code_location_origin.location_name
    return getattr(context.workspace.get_code_location(name), "client", None)
