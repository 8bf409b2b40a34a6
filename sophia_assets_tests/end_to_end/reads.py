"""A day's facts of a simulated company without a whole run: systems are read, models built and facts computed, no more.

A quarter of the work of `sophia run`: no validation worker, no events, no briefing, and stand-ins without rate limits.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.metrics.facts_frame import facts_to_frame
from sophia_assets.quality.serving import record_of_builds
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.whole_runs import WholeRun
from sophia_assets_tests.sources.unlimited import read_everything


def read_day(path: Path, day: date, company: CompanyIdentity) -> WholeRun:
    """Reads all systems of `company` (simulated, or a folder of exports) for `day` into the home at `path`, and leaves
    the day's facts there."""
    home = Home(path)
    home.prepare()
    config = SandboxConfig(limits=False)
    if company.data_dir:
        config = replace(config, data_dir=Path(company.data_dir))
    else:
        first, last = (date.fromisoformat(str(end)) for end in (company.start, company.last_day))
        config = replace(config, seed=int(company.seed or 0), start=first, as_of=last)
    with start_sandbox(config) as sandbox:
        found = sandbox.endpoints
        off = tuple(name for name in registry.SYSTEMS if found.env.get(f"SOPHIA_{name.upper()}_MODE") == "off")
        first_day, last_day = found.first_day.isoformat(), found.last_day.isoformat()
        home.record_company(replace(company, off=off, first_day=first_day, last_day=last_day))
        services = Services(load_settings({"SOPHIA_HOME": str(path)}), home, sandbox_env=found.env)
        try:
            read_everything(services, services.span(day, day), run_id=f"{day}")
            every = load_models()
            record = record_of_builds(list(every.values()), every)
            build_models(services.warehouse, list(every.values()), {"timezone": "UTC"}, record=record)
            frame = facts_to_frame(services.compute_facts(day))
        finally:
            services.close()
    (path / "facts").mkdir(exist_ok=True)
    frame.to_parquet(path / "facts" / f"{day}.parquet", index=False)
    return WholeRun({"date": day.isoformat()}, path)
