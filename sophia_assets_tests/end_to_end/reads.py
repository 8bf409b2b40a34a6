"""A day's facts of a simulated company without a whole run: systems are read, models built and facts computed, no more.

A quarter of the work of `sophia run`: no validation worker, no events, no briefing, and stand-ins without rate limits.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.metrics.facts_frame import facts_to_frame
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.whole_runs import WholeRun
from sophia_assets_tests.sources.unlimited import Unlimited


def read_day(path: Path, day: date, company: CompanyIdentity) -> WholeRun:
    """Reads all systems of `company` for `day` into the home at `path`, and leaves the day's facts there."""
    home = Home(path)
    home.prepare()
    config = SandboxConfig(
        seed=int(company.seed or 0),
        start=date.fromisoformat(str(company.start)),
        as_of=date.fromisoformat(str(company.last_day)),
        limits=False,
    )
    home.record_company(company)
    with start_sandbox(config) as sandbox:
        services = Services(load_settings({"SOPHIA_HOME": str(path)}), home, sandbox_env=sandbox.endpoints.env)
        vars(services)["limiters"] = Unlimited()
        try:
            span = services.span(day, day)
            for system in services.start_reading(registry.SYSTEMS, span):
                for group in registry.groups(system):
                    services.ingest(system, group, span, run_id=f"{day}")
            build_models(services.warehouse, list(load_models().values()), {"timezone": "UTC"})
            frame = facts_to_frame(services.compute_facts(day))
        finally:
            services.close()
    (path / "facts").mkdir(exist_ok=True)
    frame.to_parquet(path / "facts" / f"{day}.parquet", index=False)
    return WholeRun({"date": day.isoformat()}, path)
