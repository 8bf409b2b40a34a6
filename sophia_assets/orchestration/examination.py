"""What Dagster's storage tells about its daemon, runs, schedules and sensors, as plain values: for `sophia doctor`.

Run as a program with a home's path, it prints one JSON object. Nothing is changed, but that an instance which is opened
for the first time has its storages made.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, TickStatus

from sophia_assets.errors import SophiaError
from sophia_assets.home import Home
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.orchestration.lost_runs import lost_runs
from sophia_assets.settings import Settings, load_settings

_AT_WORK = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_LONGEST = 200


def examined(home: Home, settings: Settings) -> dict[str, Any]:
    """Everything at once. Raises ConfigurationError, ControlStoreUnavailable where the instance does not open."""
    with instance_for(home, settings) as instance:
        return {
            "storage": type(instance.run_storage).__name__,
            "revisions": _revisions(instance),
            "monitors_runs": instance.run_monitoring_enabled,
            "daemons": _daemons(instance),
            "running_runs": instance.get_runs_count(dg.RunsFilter(statuses=_AT_WORK)),
            "queued_runs": instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])),
            "lost_runs": [record.dagster_run.run_id for record in lost_runs(instance)],
            "instigators": [_instigator(instance, state) for state in instance.all_instigator_state()],
        }


def _revisions(instance: dg.DagsterInstance) -> dict[str, tuple[str, str]]:
    """The migration at which each storage is, and the newest one."""
    found = {}
    for name, storage in (("run", instance.run_storage), ("event", instance.event_log_storage)):
        version = storage.alembic_version()
        if version:
            found[name] = (str(version[0]), str(version[1]))
    return found


def _daemons(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    beats = instance.get_daemon_heartbeats()
    found = {}
    for name in instance.get_required_daemon_types():
        beat = beats.get(name)
        errors = [each.message.strip().splitlines()[0][:_LONGEST] for each in (beat.errors or ())] if beat else []
        found[name] = {"heartbeat": beat.timestamp if beat else None, "errors": errors}
    return found


def _instigator(instance: dg.DagsterInstance, state: InstigatorState) -> dict[str, Any]:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    failed = ticks[0] if ticks and ticks[0].status is TickStatus.FAILURE else None
    said = failed.error.message.strip().splitlines()[0][:_LONGEST] if failed and failed.error else ""
    kind = "schedule" if state.instigator_type is InstigatorType.SCHEDULE else "sensor"
    return {"name": state.name, "kind": kind, "status": state.status.value, "error": said}


def main() -> None:
    """Prints what is found, or what keeps it from being found."""
    try:
        told = examined(Home(Path(sys.argv[1])), load_settings())
    except SophiaError as error:
        told = {"problem": error.message, "remedy": error.remedy or ""}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
