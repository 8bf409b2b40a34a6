"""The Dagster instance of a home: the settings of `dagster.yaml`, with every storage under that home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef

from sophia_assets.home import Home, write_atomically
from sophia_assets.settings import PROJECT_ROOT

_DATABASES = ("history/runs.db", "history/runs/index.db")


def instance_for(home: Home) -> dg.DagsterInstance:
    """Opens the instance of a home, creating its storages where there are none."""
    overrides = _storages(home)
    ref = InstanceRef.from_dir(str(home.dagster), config_dir=str(PROJECT_ROOT), overrides=overrides)
    return dg.DagsterInstance.from_ref(ref)


@contextmanager
def swift_storage(home: Home) -> Iterator[None]:
    """Makes the many small writes of a run cheaper while it lasts, for a process that does nothing else.

    SQLite's log is flushed to the disk by its checkpoints, not by each event: what a power cut may take is
    the end of a run's log, and no program's crash takes anything. The databases stay open meanwhile, since
    closing the last connection copies the log back, and Dagster closes its own after every event.
    """
    import sqlite3

    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def relax(connection: Any, _: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(Engine, "connect", relax)
    held = []
    try:
        for name in _DATABASES:
            connection = sqlite3.connect(home.dagster / name)
            held.append(connection)
            connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        yield
    finally:
        event.remove(Engine, "connect", relax)
        for connection in held:
            connection.close()


def dagster_home_for(home: Home) -> Path:
    """The folder to set DAGSTER_HOME to for a home: it holds a `dagster.yaml` with that home's storages."""
    settings: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    settings.update(_storages(home))
    write_atomically(home.dagster / "dagster.yaml", yaml.safe_dump(settings, sort_keys=False))
    return home.dagster


def _storages(home: Home) -> dict[str, Any]:
    base = str(home.dagster)
    return {
        "storage": {"sqlite": {"base_dir": base}},
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
