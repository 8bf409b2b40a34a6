"""The settings of Dagster itself: which `dagster.yaml` every command opens, and what that file takes from outside.

Belongs here: the names, and what a file says. Does not belong here: opening an instance (`orchestration.instance`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading

PREFIX = "SOPHIA_DAGSTER_"
CONFIG = f"{PREFIX}CONFIG"
#: What `deploy/dagster.yaml` reads from the environment: the storage's address, and the folder for what runs print.
POSTGRES_URL = f"{PREFIX}POSTGRES_URL"
FOLDER = f"{PREFIX}FOLDER"
_NAMES = (CONFIG, POSTGRES_URL, FOLDER)


@dataclass(frozen=True)
class DagsterSettings:
    """`config` is another `dagster.yaml` than the project's own, None for the project's, whose storages lie in the
    home. `folder` is where what runs print is kept, None for the home's."""

    config: Path | None
    folder: Path | None


def read_dagster(environment: Mapping[str, str]) -> DagsterSettings:
    """The settings of Dagster. Raises ConfigurationError naming the setting and what is allowed."""
    for name in environment:
        if name.startswith(PREFIX) and name not in _NAMES:
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {', '.join(_NAMES)}")
    # SQLAlchemy takes plain postgresql:// for another driver than the one that is installed.
    example = "postgresql+psycopg2://user:password@host:5432/name"
    reading.address(environment, POSTGRES_URL, ("postgresql+psycopg2",), example)
    return DagsterSettings(config=_path(environment, CONFIG), folder=_path(environment, FOLDER))


def read_config(file: Path) -> dict[str, Any]:
    """What a `dagster.yaml` says, `{"env": NAME}` as it stands. Raises ConfigurationError where it is no such file."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"{file} cannot be read: {why}", remedy=_remedy()) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{file}{where} is no YAML", remedy=_remedy()) from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigurationError(f"{file} holds no settings by name", remedy=_remedy())
    return content


def _remedy() -> str:
    return f"Set {CONFIG} to a dagster.yaml such as deploy/dagster.yaml, or leave it out"


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = (environment.get(name) or "").strip()
    return Path(text).expanduser().resolve() if text else None
