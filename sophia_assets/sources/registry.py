"""The one place that knows which systems exist: every sub-package of `sources` that declares tables.

A system's package exports `SETTINGS` (its name and the settings that reach it) and `TABLES` (its
`Table`s); its module `client` has `CONNECTION` (its connection class, with a `from_settings`) and
`create_source(connection, *, retry, limiters)`. Adding a folder adds the system; nothing else has to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import sophia_assets.sources as sources_package
from sophia_assets.errors import ConfigurationError
from sophia_assets.sources.declarations import Source, SystemSettings, Table

if TYPE_CHECKING:
    from sophia_assets.ingestion.limiter import Limiters
    from sophia_assets.ingestion.retrying import RetryPolicy


@cache
def _packages() -> Mapping[str, ModuleType]:
    names = sorted(module.name for module in pkgutil.iter_modules(sources_package.__path__) if module.ispkg)
    found = {name: importlib.import_module(f"{sources_package.__name__}.{name}") for name in names}
    return {name: module for name, module in found.items() if hasattr(module, "TABLES")}


SYSTEMS: tuple[str, ...] = tuple(_packages())


def tables(system: str | None = None) -> tuple[Table, ...]:
    """Every declared raw table, or those of one system. Raises ConfigurationError for an unknown system."""
    if system is not None:
        return tuple(_package(system).TABLES)
    return tuple(table for name in SYSTEMS for table in _packages()[name].TABLES)


def table(qualified_name: str) -> Table:
    """The table called `system.name`. Raises ConfigurationError where there is none."""
    for candidate in tables():
        if candidate.qualified_name == qualified_name:
            return candidate
    raise ConfigurationError(
        f"no source declares a table {qualified_name!r}",
        remedy=f"Use one of {', '.join(candidate.qualified_name for candidate in tables())}",
    )


def groups(system: str) -> Mapping[str, tuple[Table, ...]]:
    """The system's groups, each with the tables that one read of it yields, in declared order."""
    found: dict[str, list[Table]] = {}
    for candidate in tables(system):
        found.setdefault(candidate.group, []).append(candidate)
    return {name: tuple(members) for name, members in found.items()}


def settings_of(system: str) -> SystemSettings:
    """How a system is called and reached. Raises ConfigurationError for an unknown system."""
    return cast(SystemSettings, _package(system).SETTINGS)


def display_name(system: str) -> str:
    """The system's name as people write it."""
    return settings_of(system).display_name


def create_source(
    system: str, connection: Any, *, retry: RetryPolicy | None = None, limiters: Limiters | None = None
) -> Source:
    """A client for `system`; `connection` is that system's own connection object. Nothing is contacted yet.

    `retry` replaces the system's own patience with failing requests; `limiters` are where its request
    limits are kept, by default in this process alone.
    """
    kept = {"limiters": limiters} if limiters is not None else {}
    return cast(Source, _client(system).create_source(connection, retry=retry, **kept))


def create_source_from_settings(
    system: str,
    settings: Mapping[str, str],
    *,
    retry: RetryPolicy | None = None,
    limiters: Limiters | None = None,
) -> Source:
    """A client for `system` from its settings by name, such as HUBSPOT_ACCESS_TOKEN. Nothing is contacted yet."""
    connection = _client(system).CONNECTION.from_settings(settings)
    return create_source(system, connection, retry=retry, limiters=limiters)


def _client(system: str) -> ModuleType:
    """The module that speaks the system's API; imported when it is first needed, since HTTP libraries are slow to."""
    _package(system)
    return importlib.import_module(f"{sources_package.__name__}.{system}.client")


def _package(system: str) -> ModuleType:
    try:
        return _packages()[system]
    except KeyError:
        raise ConfigurationError(f"no source is called {system!r}", remedy=f"Use one of {', '.join(SYSTEMS)}") from None
