"""Some days of a home's life in fast forward; `year` is the whole of it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from sophia_assets.home import Home
from sophia_assets.services import Services
from sophia_assets.settings import PROJECT_ROOT, load_settings
from sophia_assets_tests.retention.afterwards import verified
from sophia_assets_tests.retention.year import as_of, simulate

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
DAYS = 20


def test_after_twenty_days_what_is_kept_is_there_and_what_may_go_is_bounded(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "SOPHIA_HOME": str(home)}
    command = [sys.executable, "-m", "sophia_assets.cli", "run", "--days", "90"]
    subprocess.run(command, env=environment, cwd=PROJECT_ROOT, check=True, stdout=subprocess.DEVNULL)
    short = {"SOPHIA_RETENTION_RUN_LOGS_DAYS": "3", "SOPHIA_RETENTION_RUNS_DAYS": "8"}
    services = Services(load_settings({"SOPHIA_HOME": str(home), **short}), Home(home))
    last = date.fromisoformat(max(path.name for path in (home / "briefings").iterdir() if path.name[:2] == "20"))
    days = [last, last - timedelta(days=30)]
    before = as_of(services, days)
    year = simulate(services, DAYS, every=1)
    logs, index, ticks = "Dagster: logs of runs", "Dagster: what is known of all runs", "Dagster: ticks"
    assert year.sizes[DAYS][logs] <= year.sizes[6][logs] * 1.05
    assert year.sizes[DAYS][ticks] <= year.sizes[6][ticks] * 1.05
    assert year.sizes[DAYS][index] <= year.sizes[12][index] * 1.1
    assert year.removed["runs"] and year.removed["run_logs"] and year.removed["skipped_ticks"]
    assert as_of(services, days) == before
    assert verified(services, last) == []
    services.close()
