"""A home with everything in it that readers need, made once per session: warehouse, models, facts, briefings.

A small simulated company with 18 months, read through the connectors; its last day is `LAST_DAY`, UTC. Tests that write
into a home copy it (`copied_home`), others share it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.metrics.facts_frame import facts_to_frame
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.sources.unlimited import read_everything

SEED, SCALE = 42, 0.25
FIRST_DAY, LAST_DAY = date(2025, 5, 1), date(2026, 11, 20)


def build(folder: Path) -> Home:
    """Reads the company into `folder`, builds its models and writes the last day's briefings. About 20 s."""
    home = Home(folder)
    home.prepare()
    home.record_company(
        CompanyIdentity(
            "simulated",
            seed=SEED,
            start=FIRST_DAY.isoformat(),
            name="Northwind Cloud",
            first_day=FIRST_DAY.isoformat(),
            last_day=LAST_DAY.isoformat(),
        )
    )
    with served(simulate_company(SEED, FIRST_DAY, LAST_DAY, scale=SCALE), limits=False) as sandbox:
        services = services_of(home, sandbox.env)
        try:
            read_everything(services, services.span(FIRST_DAY, LAST_DAY), run_id="made")
            build_models(services.warehouse, list(load_models().values()), {"timezone": "UTC"})
            facts = services.compute_facts(LAST_DAY)
            (folder / "facts").mkdir(exist_ok=True)
            facts_to_frame(facts).to_parquet(folder / "facts" / f"{LAST_DAY}.parquet", index=False)
            services.publisher.write(LAST_DAY, facts)
        finally:
            services.close()
    return home


def services_of(home: Home, settings: dict[str, str] | None = None) -> Services:
    """Services on a finished home; no system can be reached unless `settings` say where."""
    return Services(load_settings({"SOPHIA_HOME": str(home.path), **(settings or {})}), home)


def finished_home(factory: pytest.TempPathFactory) -> Home:
    """The home, made by the first of the session's workers and read by the others. Nobody writes into it."""
    root = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    made = root / "finished-home.made"
    with (root / "finished-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            build(root / "finished-home")
            made.touch()
    return Home(root / "finished-home")


def copied_home(home: Home, folder: Path) -> Home:
    """A copy to write into."""
    shutil.copytree(home.path, folder, ignore=shutil.ignore_patterns("*.lock"))
    return Home(folder)
