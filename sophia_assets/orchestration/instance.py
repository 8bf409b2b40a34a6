"""The Dagster instance of a home: the settings of `dagster.yaml`, with every storage under that home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef

from sophia_assets.home import Home, write_atomically
from sophia_assets.settings import PROJECT_ROOT

_SWIFT = {"module": "sophia_assets.orchestration.swift_storage", "class": "SwiftSqliteStorage"}
# What steps print goes to the terminal of a process that runs jobs itself; watching it takes two processes a step.
_NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def instance_for(home: Home, *, runs_here: bool = False) -> dg.DagsterInstance:
    """Opens the instance of a home, creating its storages where there are none.

    `runs_here` is for a process that runs jobs itself.
    """
    overrides = _storages(home)
    if runs_here:
        overrides["compute_logs"] = _NO_COMPUTE_LOGS
    ref = InstanceRef.from_dir(str(home.dagster), config_dir=str(PROJECT_ROOT), overrides=overrides)
    return dg.DagsterInstance.from_ref(ref)


def dagster_home_for(home: Home) -> Path:
    """The folder to set DAGSTER_HOME to for a home: it holds a `dagster.yaml` with that home's storages."""
    settings: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    settings.update(_storages(home))
    write_atomically(home.dagster / "dagster.yaml", yaml.safe_dump(settings, sort_keys=False))
    return home.dagster


def _storages(home: Home) -> dict[str, Any]:
    base = str(home.dagster)
    return {
        "storage": {"custom": {**_SWIFT, "config": {"base_dir": base}}},
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": base},
        },
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(home.dagster / "logs")},
        },
    }
