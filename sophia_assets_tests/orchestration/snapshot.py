"""The definitions in outline, kept in `snapshot.json` so that a change of keys, deps, checks or schedules is seen.

`python -m sophia_assets_tests.orchestration.snapshot` renews the file; read its diff before you commit it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg

SNAPSHOT = Path(__file__).with_name("snapshot.json")


def outline(definitions: dg.Definitions) -> dict[str, Any]:
    """Asset keys with deps, groups, kinds and checks; jobs with what they select or do; schedules with cron and zone,
    sensors with how often they look and what they launch."""
    graph = definitions.resolve_asset_graph()
    checks: dict[str, list[str]] = {}
    for key in sorted(graph.asset_check_keys):
        checks.setdefault(".".join(key.asset_key.path), []).append(key.name)
    nodes = {".".join(key.path): graph.get(key) for key in graph.get_all_asset_keys()}
    return {
        "assets": {
            name: {
                "group": node.group_name,
                "owners": sorted(node.owners),
                "kinds": sorted(node.kinds),
                "partitioned": node.partitions_def is not None,
                "deps": sorted(".".join(parent.path) for parent in node.parent_keys),
                "checks": checks.get(name, []),
            }
            for name, node in sorted(nodes.items())
        },
        "jobs": {job.name: _selected(job, graph) for job in sorted(definitions.jobs or (), key=lambda job: job.name)},
        "schedules": {
            item.name: {"job": item.job_name, "cron": item.cron_schedule, "time_zone": item.execution_timezone}
            for item in sorted(definitions.schedules or (), key=lambda schedule: schedule.name)
            if isinstance(item, dg.ScheduleDefinition)
        },
        "sensors": {
            item.name: {
                "jobs": sorted(target.job_name for target in item.targets),
                "seconds": item.minimum_interval_seconds,
                "status": item.default_status.value,
            }
            for item in sorted(definitions.sensors or (), key=lambda sensor: sensor.name)
        },
    }


def _selected(job: Any, graph: Any) -> dict[str, Any]:
    if isinstance(job, dg.JobDefinition):
        return {"ops": sorted(node.name for node in job.nodes)}
    groups = {graph.get(key).group_name for key in job.selection.resolve(graph)}
    return {"groups": sorted(groups), "checks": len(job.selection.resolve_checks(graph))}


def _renew() -> None:
    from sophia_assets.definitions import build_definitions
    from sophia_assets.home import Home

    for setting in [name for name in os.environ if name.startswith("SOPHIA_")]:
        del os.environ[setting]
    # Away from any `.env`, and on a home that has never been run.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        found = outline(build_definitions(home=Home(Path(folder))))
    SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"Wrote {SNAPSHOT}")


if __name__ == "__main__":
    _renew()
