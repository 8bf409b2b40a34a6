"""A small simulated company in DuckDB and in fakesnow's Snowflake, each read through the connectors on two days."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.metrics.facts import FactSet
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.unlimited import read_everything

SEED, SCALE, ZONE = 3, 0.1, "America/New_York"
FIRST_DAY, EARLIER_DAY, LAST_DAY = date(2025, 4, 1), date(2025, 8, 31), date(2025, 9, 30)
ENGINES = ("duckdb", "snowflake")


@dataclass(frozen=True)
class Engines:
    """The same company in both engines, with models and the facts of its last day."""

    services: dict[str, Services]
    facts: dict[str, FactSet]

    def rows(self, engine: str, sql: str) -> list[dict[str, Any]]:
        """What a query gives."""
        return list(self.services[engine].warehouse.query(sql).to_pylist())


@contextmanager
def loaded_into_both(folder: Path) -> Iterator[Engines]:
    """Reads the company as of both days into both engines, one after the other, and builds models and facts."""
    with served(_company(EARLIER_DAY), limits=False) as sandbox:
        services = {engine: _services(folder / engine, engine, sandbox) for engine in ENGINES}
        try:
            for day in (EARLIER_DAY, LAST_DAY):
                for standin in sandbox.app.standins.values():
                    standin.load(_company(day))
                for engine in ENGINES:
                    _ingest(services[engine], day)
            models, facts = list(load_models().values()), {}
            for engine in ENGINES:
                build_models(services[engine].warehouse, models, {"timezone": ZONE})
                facts[engine] = services[engine].compute_facts(LAST_DAY)
            yield Engines(services, facts)
        finally:
            for each in services.values():
                each.close()


def _company(day: date) -> CompanyData:
    return simulate_company(SEED, FIRST_DAY, day, scale=SCALE, timezone=ZONE)


def _services(folder: Path, engine: str, sandbox: Served) -> Services:
    home = Home(folder)
    home.prepare()
    environment = {"SOPHIA_HOME": str(folder), "SOPHIA_TIMEZONE": ZONE, "SOPHIA_WAREHOUSE": engine, **sandbox.env}
    return Services(load_settings(environment), home)


def _ingest(services: Services, day: date) -> None:
    services.home.record_company(
        CompanyIdentity("exports", name="Small", first_day=FIRST_DAY.isoformat(), last_day=day.isoformat())
    )
    vars(services).pop("_read_until", None)
    read_everything(services, services.span(FIRST_DAY, day), run_id=f"{day}")
