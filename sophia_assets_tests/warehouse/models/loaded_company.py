"""A small simulated company in a warehouse, read through the connectors, and its tables as pandas frames.

It is read twice, as it stood a month before its last day and on its last day, so that what systems
forget (an owner who left, seats that were reduced) has a history here.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.sources.unlimited import read_everything

SEED, SCALE = 3, 0.2
FIRST_DAY, EARLIER_DAY, LAST_DAY = date(2025, 1, 1), date(2025, 8, 31), date(2025, 9, 30)
ZONE = "America/New_York"
MODEL_PARAMETERS: Mapping[str, str] = {"timezone": ZONE}


@dataclass(frozen=True)
class Tables:
    """The tables of one warehouse, as frames. Timestamps are naive UTC, days are `datetime64` at midnight."""

    warehouse: DuckDBWarehouse
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    def raw(self, name: str) -> pd.DataFrame:
        """The live rows of a raw table, by `<system>.<name>`; without its tombstones and loader columns."""
        frame = self._frame(f"SELECT * FROM {name} WHERE _deleted_at IS NULL")
        return frame[[column for column in frame.columns if not column.startswith("_")]].copy()

    def stored(self, name: str) -> pd.DataFrame:
        """A raw table as it is stored, with its tombstones and loader columns."""
        return self._frame(f"SELECT * FROM {name}").copy()

    def stored_history(self, name: str) -> pd.DataFrame:
        """The replaced versions of a raw table that keeps them."""
        return self._frame(f"SELECT * FROM {registry.table(name).history_name}").copy()

    def mart(self, name: str) -> pd.DataFrame:
        """A model, by `<schema>.<name>`."""
        return self._frame(f"SELECT * FROM {name}").copy()

    def _frame(self, sql: str) -> pd.DataFrame:
        if sql not in self._frames:
            self._frames[sql] = as_frame(self.warehouse, sql)
        return self._frames[sql]


def as_frame(warehouse: DuckDBWarehouse, sql: str) -> pd.DataFrame:
    """What a query gives: decimals as floats, days as `datetime64`."""
    table = warehouse.query(sql)
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    for field_ in table.schema:
        if str(field_.type).startswith("decimal"):
            frame[field_.name] = frame[field_.name].astype(float)
    return frame


def build_all(warehouse: DuckDBWarehouse, *, only: str | None = None) -> None:
    """Builds every model under `sql/`, or one of them with all that it reads."""
    models = load_models()
    wanted, found = [only] if only else list(models), set[str]()
    while wanted:
        name = wanted.pop()
        if name in models and name not in found:
            found.add(name)
            wanted.extend(models[name].dependencies)
    build_models(warehouse, [model for name, model in models.items() if name in found], MODEL_PARAMETERS)


def load_company(folder: Path) -> DuckDBWarehouse:
    """Reads the company's seven systems as of both days into `folder`, and builds the models."""
    home = Home(folder)
    home.prepare()
    for day in (EARLIER_DAY, LAST_DAY):
        home.record_company(
            CompanyIdentity("exports", name="Small", first_day=FIRST_DAY.isoformat(), last_day=day.isoformat())
        )
        _ingest(home, day)
    warehouse = DuckDBWarehouse(home.warehouse_file)
    build_all(warehouse)
    return warehouse


def _ingest(home: Home, day: date) -> None:
    company = simulate_company(SEED, FIRST_DAY, day, scale=SCALE, timezone=ZONE)
    with served(company, limits=False) as sandbox:
        settings = load_settings({"SOPHIA_HOME": str(home.path), "SOPHIA_TIMEZONE": ZONE, **sandbox.env})
        services = Services(settings, home)
        try:
            read_everything(services, services.span(FIRST_DAY, day), run_id=f"{day}")
        finally:
            services.close()


def once_per_session(factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """The company's warehouse, made by the first of the session's workers and read by the others."""
    root = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    made = root / "modelled-company.made"
    with (root / "modelled-company.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            load_company(root / "modelled-company")
            made.touch()
    return DuckDBWarehouse(Home(root / "modelled-company").warehouse_file)
