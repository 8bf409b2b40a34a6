"""Whether the settings of an installation fit together: what each of them allows may still contradict another one.

Belongs here: rules across settings and Dagster's own file, without asking anybody. Does not belong here: whether
something can be reached (`doctor`), or the check of a single setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings.dagster import CONFIG, POSTGRES_URL, read_config
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from sophia_assets.settings import Settings

# The packages of launchers that start each run on a machine, or in a container, of its own.
_ELSEWHERE = ("dagster_k8s", "dagster_celery", "dagster_docker", "dagster_aws", "dagster_azure")


@dataclass(frozen=True)
class Contradiction:
    """Settings that do not fit together. With `is_refused` nothing starts; else it is for an operator to know."""

    message: str
    remedy: str
    is_refused: bool


def contradictions(settings: Settings) -> list[Contradiction]:
    """What does not fit together, the worst first. Raises ConfigurationError where Dagster's file cannot be read."""
    if settings.dagster.config is None:
        found = list(_of_stores(settings, {}))
    else:
        config = read_config(settings.dagster.config)
        launcher = launcher_elsewhere(config)
        found = [*(_of_runs_elsewhere(settings, config, launcher) if launcher else ()), *_of_stores(settings, config)]
    return sorted(found, key=lambda item: not item.is_refused)


def refuse_contradictions(settings: Settings) -> None:
    """Raises ConfigurationError for the first contradiction with which nothing should start."""
    for found in contradictions(settings):
        if found.is_refused:
            raise ConfigurationError(found.message, remedy=found.remedy)


def mixture(live: Sequence[str]) -> Contradiction:
    """What is so where these systems are live, and the rest is read from the sandbox."""
    names = ", ".join(registry.display_name(system) for system in live)
    are = "is" if len(live) == 1 else "are"
    return Contradiction(
        f"{names} {are} live and the rest is the sandbox, so this briefing mixes two companies",
        "Set SOPHIA_<SYSTEM>_MODE=live or off for the others",
        is_refused=False,
    )


def launcher_elsewhere(config: Mapping[str, Any]) -> str | None:
    """The run launcher of a `dagster.yaml` that starts runs beyond this machine; None for one that does not."""
    launcher = config.get("run_launcher")
    if not isinstance(launcher, Mapping):
        return None
    module = str(launcher.get("module", ""))
    return str(launcher.get("class", module)) if module.startswith(_ELSEWHERE) else None


def _of_runs_elsewhere(settings: Settings, config: Mapping[str, Any], launcher: str) -> Iterator[Contradiction]:
    """Every run has a disk and a memory of its own, so that nothing that runs share may lie there."""
    if settings.warehouse == "duckdb":
        yield Contradiction(
            f"{launcher} gives every run a machine of its own, and a DuckDB file serves one machine only",
            "Set SOPHIA_WAREHOUSE=snowflake, or have runs launched here, as in deploy/dagster.yaml",
            is_refused=True,
        )
    if not _is_on_a_server(settings.control_url):
        yield Contradiction(
            f"{launcher} gives every run a machine of its own, and the control store is a file",
            "Set SOPHIA_CONTROL_URL to a PostgreSQL database",
            is_refused=True,
        )
    if not settings.access.audit_key:
        yield Contradiction(
            f"{launcher} gives every run a machine of its own, and each would sign the audit trail with another key",
            "Set SOPHIA_AUDIT_KEY to the same key everywhere",
            is_refused=True,
        )
    if not _storage_is_on_a_server(config):
        yield Contradiction(
            f"{launcher} gives every run a machine of its own, and Dagster's storage is a file",
            f"Give {settings.dagster.config} a `storage` on PostgreSQL, as in deploy/dagster.yaml",
            is_refused=True,
        )
    if not settings.cache_url:
        yield Contradiction(
            "every process has a cache of its own, so that an answer is computed once for each",
            "Set SOPHIA_CACHE_URL to a Redis of the platform's own",
            is_refused=False,
        )


def _of_stores(settings: Settings, config: Mapping[str, Any]) -> Iterator[Contradiction]:
    if settings.cache_url and _place(settings.cache_url) == _place(settings.environment.get("REDIS_URL") or ""):
        yield Contradiction(
            "SOPHIA_CACHE_URL is the product's Redis, REDIS_URL, which the platform only ever reads",
            "Give the cache a Redis, or a database in it, of its own",
            is_refused=True,
        )
    if not config:
        return
    dagster_url = settings.environment.get(POSTGRES_URL) or ""
    if settings.control_url and _place(settings.control_url) == _place(dagster_url):
        yield Contradiction(
            f"SOPHIA_CONTROL_URL and {POSTGRES_URL} name the same database, so that neither can be restored alone",
            "Give each a database of its own; they may lie on the same server",
            is_refused=False,
        )
    if _is_on_a_server(settings.control_url) != _storage_is_on_a_server(config):
        yield Contradiction(
            "one of the control store and Dagster's storage is on a server, and the other one is a file",
            f"Set SOPHIA_CONTROL_URL to PostgreSQL, and `storage` in {CONFIG}'s file, too",
            is_refused=False,
        )
    if settings.live_systems and not settings.access.audit_checkpoints:
        yield Contradiction(
            "the audit trail's checkpoints lie in the home, where whoever can rewrite the trail reaches them, too",
            "Set SOPHIA_AUDIT_CHECKPOINTS to a folder on another disk",
            is_refused=False,
        )


def _is_on_a_server(url: str | None) -> bool:
    return bool(url) and urlsplit(url or "").scheme.startswith("postgresql")


def _storage_is_on_a_server(config: Mapping[str, Any]) -> bool:
    storage = config.get("storage")
    if isinstance(storage, Mapping):
        custom = storage.get("custom")
        is_custom = isinstance(custom, Mapping) and "postgres_url" in (custom.get("config") or {})
        return is_custom or "postgres" in storage or "mysql" in storage
    runs = config.get("run_storage")
    return isinstance(runs, Mapping) and str(runs.get("module", "")).startswith(("dagster_postgres", "dagster_mysql"))


def _place(url: str) -> tuple[str, int | None, str] | None:
    """Host, port and database of an address, whatever its login; None where it has no host."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"redis": 6379, "rediss": 6379, "postgresql": 5432}.get(parts.scheme.split("+")[0])
    except ValueError:
        return None
    database = parts.path.strip("/") or ("0" if parts.scheme in ("redis", "rediss") else "")
    return (parts.hostname, port, database) if parts.hostname else None
