"""A run that is killed leaves whole tables and no process behind; the next one ends where a run never killed ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.server import make_company
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.environment import default_settings, off_but
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.sources.complete_company import contents

DAY, DAYS = date(2026, 3, 31), 30
FIRST_DAY = date(2026, 3, 2)
SYSTEMS = ("hubspot", "gong")
KILLED_AT = ("Starting the sandbox", "  hubspot.companies:", "Reading Gong")

Rows = dict[str, list[dict[str, Any]]]


pytestmark = [pytest.mark.long, pytest.mark.takes(70)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("killed")
    with default_settings(made):
        yield made


def rows(home: Home) -> Rows:
    warehouse = DuckDBWarehouse(home.warehouse_file)
    tables = [table.qualified_name for system in SYSTEMS for table in registry.tables(system)]
    return {table: contents(warehouse, table) for table in tables}


@pytest.fixture(scope="module")
def never_killed(folder: Path) -> Rows:
    """What the same company's systems give to a load that nothing disturbs."""
    home = Home(folder / "reference")
    home.prepare()
    home.record_company(CompanyIdentity("simulated", first_day=str(FIRST_DAY), last_day=str(DAY)))
    company = replace(make_company(SandboxConfig(start=FIRST_DAY, as_of=DAY)), snowflake=None)
    with served(company, limits=False) as running:
        services = Services(load_settings({"SOPHIA_HOME": str(home.path), **running.env}), home)
        for system in SYSTEMS:
            for group in registry.groups(system):
                services.ingest(system, group, services.span(DAY, DAY), "reference")
        services.close()
    return rows(home)


def start(home: Home) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sophia_assets.cli", "run", "--date", str(DAY), "--days", str(DAYS)]
    environment = {**os.environ, "SOPHIA_HOME": str(home.path), **off_but(*SYSTEMS)}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home.path.parent,
        # A suite that runs in the background ignores interrupts, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def kill_at(home: Home, line_start: str) -> None:
    """Kills a run when it prints a line, and waits until every process that it had started has ended."""
    with start(home) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith(line_start):
                break
        else:
            pytest.fail(f"the run never came to {line_start!r}")
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, left = psutil.wait_procs(children, timeout=60)
        for child in left:
            child.kill()
        assert left == [], "the sandbox and the validation worker end by themselves"


@pytest.mark.timeout(400)
def test_a_run_after_killed_ones_ends_with_the_rows_of_a_run_never_killed(folder: Path, never_killed: Rows) -> None:
    home = Home(folder / "var")
    for line_start in KILLED_AT:
        kill_at(home, line_start)
        if home.warehouse_file.exists():
            for table, held in rows(home).items():
                assert held in ([], never_killed[table]), f"{table} is half loaded after a kill at {line_start!r}"
    assert rows(home)["hubspot.companies"] == never_killed["hubspot.companies"], "what was committed is kept"

    with start(home) as process:
        told, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert f"The briefing of {DAY}" in told
    found = rows(home)
    assert {table: len(there) for table, there in found.items()} == {
        table: len(there) for table, there in never_killed.items()
    }
    assert found == never_killed
    assert min(len(there) for there in found.values()) > 0
    assert not home.sandbox_file.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("line_start", ["Reading HubSpot", "Building models"])
def test_a_run_that_is_interrupted_says_so_and_stops_what_it_started(
    folder: Path, number: signal.Signals, code: int, line_start: str
) -> None:
    home = Home(folder / f"interrupted-{number}-{line_start[:5]}")
    with start(home) as process:
        assert process.stderr
        next(line for line in process.stderr if line.startswith(line_start))
        children = psutil.Process(process.pid).children(recursive=True)
        assert children, "the sandbox runs beside it"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors and "could not be written" not in errors
    assert errors.endswith("Interrupted. The data is as it was; the next run goes on from there.\n")
    _, left = psutil.wait_procs(children, timeout=30)
    assert left == []
