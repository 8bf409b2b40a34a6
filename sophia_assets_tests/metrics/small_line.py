"""The line from a company's stand-ins to its facts, without Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.metrics.facts import FactSet
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.recomputed_work import MARTS


def facts_of(folder: Path, env: Mapping[str, str], day: date, first_day: date, **settings: str) -> FactSet:
    """Reads the systems that `env` names into a warehouse in `folder`, builds the models, computes the day's facts."""
    off = tuple(system for system in registry.SYSTEMS if env.get(f"SOPHIA_{system.upper()}_MODE") == "off")
    given = load_settings({"SOPHIA_HOME": str(folder), **settings})
    home = Home(given.base_home)
    home.prepare()
    home.record_company(CompanyIdentity("simulated", first_day=first_day.isoformat(), off=off))
    services = Services(given, home, sandbox_env=env)
    try:
        for system in services.connected:
            for group in registry.groups(system):
                services.ingest(system, group, services.span(day, day), f"{system}-{group}")
        build_models(services.warehouse, list(load_models().values()), {"timezone": given.timezone})
        return services.compute_facts(day)
    finally:
        services.close()


def marts_in(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of the marts by which metrics of `recomputed_work` are computed, from the warehouse in `folder`."""
    warehouse = DuckDBWarehouse(Home(folder).warehouse_file)
    return {mart: warehouse.query(f"SELECT * FROM {mart}").to_pylist() for mart in MARTS}
