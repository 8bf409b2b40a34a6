"""Runs against systems that refuse or do not answer: the others are read, the briefing says so, old data stays."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import Result

from sophia_assets.home import Home
from sophia_assets.quality import client
from sophia_assets.sources import registry
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.command_line.commands import Sophia
from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import complete_company, contents

GOOD_DAY, BAD_DAY = "2026-01-30", "2026-01-31"


pytestmark = [pytest.mark.long, pytest.mark.takes(90)]


@pytest.fixture(scope="module")
def company() -> Iterator[Served]:
    with served(complete_company(calls=24, deals=30), limits=False) as running:
        yield running


def rows(home: Home, *systems: str) -> dict[str, list[dict[str, Any]]]:
    warehouse = DuckDBWarehouse(home.warehouse_file)
    return {
        table.qualified_name: contents(warehouse, table.qualified_name)
        for system in systems
        for table in registry.tables(system)
    }


@dataclass(frozen=True)
class TwoDays:
    """A good day, then one on which HubSpot refuses the token and nobody answers for Gong."""

    home: Home
    good: Result
    rows_of_good_day: dict[str, list[dict[str, Any]]]
    bad: Result


@pytest.fixture(scope="module")
def _one_worker() -> Iterator[None]:
    """Both runs share a validation worker, since each takes seconds to start."""
    with client.QualityWorker() as worker, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "QualityWorker", lambda: worker)
        patch.setattr(worker, "close", lambda: None)
        yield
        patch.undo()


@pytest.fixture(scope="module")
def days(_one_worker: None, company: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDays]:
    folder = tmp_path_factory.mktemp("failing")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with default_settings(folder):
        sophia = Sophia(folder / "var")
        home = Home(sophia.base_home)
        good = sophia("run", "--date", GOOD_DAY, "--json", **company.env)
        kept = rows(home, "hubspot", "gong")
        broken = {**company.env, "HUBSPOT_ACCESS_TOKEN": "wrong", "GONG_BASE_URL": nobody}
        yield TwoDays(home, good, kept, sophia("run", "--date", BAD_DAY, "--json", **broken))


def test_systems_elsewhere_are_read_without_a_sandbox(days: TwoDays) -> None:
    assert days.good.exit_code == 0, days.good.stderr
    assert "sandbox" not in days.good.stderr
    result = json.loads(days.good.stdout)
    assert result["failures"] == []
    assert result["date"] == GOOD_DAY
    assert set(result["rows"]) == {table.qualified_name for table in registry.tables()}
    assert result["checks"]["not_run"] == 0


def test_each_failed_system_is_told_in_one_line_that_says_what_to_do(days: TwoDays) -> None:
    assert days.bad.exit_code == 5
    assert "Traceback" not in days.bad.output
    errors = sorted(line for line in days.bad.stderr.splitlines() if line.startswith("error: "))
    assert len(errors) == 2, errors
    gong, hubspot = errors
    assert gong.startswith("error: gong/") and "GONG_BASE_URL" in gong
    assert hubspot.startswith("error: hubspot/") and "HUBSPOT_ACCESS_TOKEN" in hubspot
    assert days.bad.stderr.splitlines()[-1] == "The briefing was written on the last good data and says so."
    assert json.loads(days.bad.stdout)["failures"] == [line.removeprefix("error: ") for line in (hubspot, gong)]


def test_the_data_of_failed_systems_stays_as_it_was(days: TwoDays) -> None:
    assert rows(days.home, "hubspot", "gong") == days.rows_of_good_day
    loads = json.loads(days.bad.stdout)["loads"]
    failed = ("gong", "hubspot")
    assert set(loads) == {table.qualified_name for table in registry.tables() if table.system not in failed}


def test_the_briefing_is_written_and_names_the_failed_systems(days: TwoDays) -> None:
    briefing = json.loads((days.home.briefings / BAD_DAY / "briefing.json").read_text(encoding="utf-8"))
    text = (days.home.briefings / BAD_DAY / "briefing.md").read_text(encoding="utf-8")
    assert briefing["date"] == BAD_DAY
    states = {item["system"]: item["state"] for item in briefing["freshness"]}
    assert states == dict.fromkeys(registry.SYSTEMS, "fresh") | {"hubspot": "failed", "gong": "failed"}
    assert "HubSpot" in text and "Gong" in text
