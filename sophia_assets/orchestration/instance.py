"""The Dagster instance that every command opens.

The project's `dagster.yaml`, with every storage under the home; or, where SOPHIA_DAGSTER_CONFIG names another file,
what that file says. Belongs here: which settings count, and opening them. Does not belong here: what a production
installation should say (`deploy/dagster.yaml`), or whether its settings fit together (`settings.profile`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._check import CheckError
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.instance.ref import InstanceRef

from sophia_assets.errors import ConfigurationError, ControlStoreUnavailable
from sophia_assets.home import Home, write_atomically
from sophia_assets.settings import PROJECT_ROOT, Settings, load_settings
from sophia_assets.settings.dagster import CONFIG, FOLDER, read_config
from sophia_assets.settings.profile import launcher_elsewhere, refuse_contradictions

_SWIFT = {"module": "sophia_assets.orchestration.swift_storage", "class": "SwiftSqliteStorage"}
# What steps print goes to the terminal of a process that runs jobs itself; watching it takes two processes a step.
_NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def instance_for(home: Home, settings: Settings | None = None, *, runs_here: bool = False) -> dg.DagsterInstance:
    """Opens the instance of a home, creating its storages where there are none. Close it, or use it as a context.

    `settings` are those of the process where None. `runs_here` is for a process that runs jobs itself. Raises
    ConfigurationError where the settings do not fit together, ControlStoreUnavailable where Dagster's storage cannot
    be reached.
    """
    settings = settings or load_settings()
    refuse_contradictions(settings)
    file = settings.dagster.config or PROJECT_ROOT / "dagster.yaml"
    config = _config(home, settings)
    if runs_here:
        _refuse_runs_here(file, config)
        config["compute_logs"] = _NO_COMPUTE_LOGS
    home.dagster.mkdir(parents=True, exist_ok=True)
    config = {name: _filled_in(value, settings, home, file, keep=False) for name, value in config.items()}
    try:
        ref = InstanceRef.from_dir(
            str(home.dagster), config_dir=str(file.parent), config_filename=file.name, overrides=config
        )
        return dg.DagsterInstance.from_ref(ref)
    except DagsterInvalidConfigError as error:
        said = "; ".join(item.message for item in error.errors or ())[:300] or str(error)
        raise ConfigurationError(f"{file} is no configuration of Dagster: {said}", remedy="Correct it") from None
    except CheckError as error:
        # A class that cannot be imported: the wrong name, or a package that is not installed.
        raise ConfigurationError(
            f"what {file} names cannot be opened: {error}", remedy="Correct it, or install sophia-assets[production]"
        ) from None
    except Exception as error:
        if not _is_of_a_database(error):
            raise
        # The message of a driver may repeat the address with its password.
        raise ControlStoreUnavailable(
            f"Dagster's storage, which {file} names, cannot be reached ({type(error).__name__})",
            remedy="See that PostgreSQL is up and that the login may create tables",
        ) from None


def dagster_home_for(home: Home, settings: Settings | None = None) -> Path:
    """The folder to set DAGSTER_HOME to for a home: it holds a `dagster.yaml` with that home's settings.

    What another file takes from the environment is still taken from there: no password is written. Raises
    ConfigurationError like `instance_for`.
    """
    settings = settings or load_settings()
    refuse_contradictions(settings)
    file = settings.dagster.config or PROJECT_ROOT / "dagster.yaml"
    config = _filled_in(_config(home, settings), settings, home, file, keep=True)
    write_atomically(home.dagster / "dagster.yaml", yaml.safe_dump(config, sort_keys=False))
    return home.dagster


def _config(home: Home, settings: Settings) -> dict[str, Any]:
    if settings.dagster.config is not None:
        return read_config(settings.dagster.config)
    return {**read_config(PROJECT_ROOT / "dagster.yaml"), **_storages(home)}


def _filled_in(value: Any, settings: Settings, home: Home, file: Path, *, keep: bool) -> Any:
    """`{"env": NAME}` replaced by what is set, wherever that is; with `keep`, only by what has a default here.

    Dagster itself looks in the environment alone, and not in `.env`. Raises ConfigurationError for what is not set.
    """
    if isinstance(value, dict) and value.keys() == {"env"} and isinstance(value["env"], str):
        name = value["env"]
        if name == FOLDER:
            return str(settings.dagster.folder or home.dagster)
        if not settings.environment.get(name):
            raise ConfigurationError(f"{name} is not set, which {file} needs", remedy=f"Set it, or leave {CONFIG} out")
        return value if keep else settings.environment[name]
    if isinstance(value, dict):
        return {key: _filled_in(item, settings, home, file, keep=keep) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled_in(item, settings, home, file, keep=keep) for item in value]
    return value


def _refuse_runs_here(file: Path, config: dict[str, Any]) -> None:
    launcher = launcher_elsewhere(config)
    if launcher:
        raise ConfigurationError(
            f"{file} has runs launched by {launcher}, whose monitoring would take a run of this process for lost",
            remedy="Launch the job in Dagster's UI, or with `dagster job launch`",
        )


def _is_of_a_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError) or type(error).__name__ == "DagsterPostgresException"


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
