"""Ranges of days as people ask for them: in the UI, on the command line, and again after a run was killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient

import sophia_assets.definitions as definitions_module
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.instance import dagster_home_for, instance_for
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.orchestration.platform import DAY, Platform
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import group_contents

DAYS = ["2026-01-29", "2026-01-30", DAY]
LAUNCH = """
mutation ($assets: [AssetKeyInput!]!, $days: [String!]!) {
  launchPartitionBackfill(backfillParams: { assetSelection: $assets, partitionNames: $days }) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
  status
  assetBackfillData { assetBackfillStatuses { ... on AssetPartitionsStatusCounts {
    assetKey { path } numPartitionsTargeted numPartitionsMaterialized numPartitionsFailed
  } } }
} } }
"""
DEALS = dg.AssetKey(["hubspot", "deals"])
_LONGEST_SECONDS = 120.0
# Runs start when they are asked for: the daemon that takes them from the queue is not what is tested.
_AT_ONCE = {"module": "dagster._core.run_coordinator.default_run_coordinator", "class": "DefaultRunCoordinator"}


@dataclass(frozen=True)
class Outside:
    """A home, and the environment in which processes of their own find it and the company's systems."""

    home: Home
    env: dict[str, str]

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts Dagster's command line on the project."""
        return subprocess.Popen(
            [sys.executable, "-m", "dagster", *arguments, "-m", "sophia_assets.definitions"],
            env={**os.environ, **self.env, "DAGSTER_HOME": str(dagster_home_for(self.home))},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip


def deals_of(home: Home) -> Any:
    """What the warehouse holds of the deals' group."""
    return group_contents(DuckDBWarehouse(home.warehouse_file), "hubspot", "deals")


def outside(path: Path, company: Served) -> Outside:
    home = Home(path)
    home.prepare()
    home.record_company(CompanyIdentity("exports", name="Small Company", first_day="2026-01-01", last_day=DAY))
    return Outside(home, {**company.env, "SOPHIA_HOME": str(path)})


pytestmark = [pytest.mark.long, pytest.mark.takes(50)]


@pytest.fixture
def place(company: Served, tmp_path: Path) -> Iterator[Outside]:
    yield outside(tmp_path / "var", company)
    company.app.faults.clear()


def materialize(place: Outside, select: str, days: Sequence[str]) -> subprocess.Popen[str]:
    return place.command("asset", "materialize", "--select", select, "--partition-range", f"{days[0]}...{days[-1]}")


def finished(process: subprocess.Popen[str]) -> str:
    """The output of a process that has to end well."""
    output, _ = process.communicate(timeout=_LONGEST_SECONDS)
    assert process.returncode == 0, output
    return output


def test_a_range_can_be_read_from_the_command_line(place: Outside) -> None:
    finished(materialize(place, "hubspot/deals", DAYS))

    with instance_for(place.home) as instance:
        assert set(instance.get_materialized_partitions(DEALS)) >= set(DAYS)
    assert deals_of(place.home)["hubspot.deals"]


def test_a_range_that_was_killed_and_is_asked_for_again_gives_what_an_uninterrupted_one_gives(
    place: Outside, company: Served, tmp_path: Path
) -> None:
    with Platform.on(tmp_path / "whole", company.env) as uninterrupted:
        assert uninterrupted.ingest("hubspot", group="deals").success
        expected = deals_of(uninterrupted.services.home)
    company.app.faults.add("hubspot:slow:1")
    killed = materialize(place, "hubspot/deals", DAYS)
    assert killed.stdout is not None
    for line in killed.stdout:
        if "Reading HubSpot deals" in line:
            break
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    company.app.faults.clear()

    finished(materialize(place, "hubspot/deals", DAYS))

    assert deals_of(place.home) == expected


@pytest.fixture
def ui(place: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, WorkspaceProcessContext]]:
    """The webserver, with a code server that finds the home, and what the daemon works with."""
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    target = PythonFileTarget(
        python_file=str(Path(definitions_module.__file__)),
        attribute="defs",
        working_directory=None,
        location_name="sophia_assets",
    )
    with (
        dg.instance_for_test(overrides={"run_coordinator": _AT_ONCE}) as instance,
        WorkspaceProcessContext(instance, target, version="test") as context,
        TestClient(create_app_from_workspace_process_context(context)) as client,
    ):
        yield client, context


def test_a_range_of_one_table_that_is_launched_in_the_ui_is_read_in_one_run(
    ui: tuple[TestClient, WorkspaceProcessContext], place: Outside
) -> None:
    client, context = ui
    variables = {"assets": [{"path": ["hubspot", "deals"]}], "days": DAYS}
    launched = client.post("/graphql", json={"query": LAUNCH, "variables": variables}).json()["data"]
    assert launched["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", launched
    backfill = launched["launchPartitionBackfill"]["backfillId"]

    status: dict[str, Any] = {"status": "REQUESTED"}
    until = time.monotonic() + _LONGEST_SECONDS
    while status["status"] == "REQUESTED" and time.monotonic() < until:
        errors = [error for error in execute_backfill_iteration(context, logging.getLogger("daemon")) if error]
        assert errors == []
        answer = client.post("/graphql", json={"query": STATUS, "variables": {"id": backfill}}).json()
        status = answer["data"]["partitionBackfillOrError"]
        time.sleep(0.2)

    assert status["status"] == "COMPLETED_SUCCESS", status
    (counts,) = status["assetBackfillData"]["assetBackfillStatuses"]
    assert counts["assetKey"]["path"] == ["hubspot", "deals"]
    assert (counts["numPartitionsTargeted"], counts["numPartitionsMaterialized"]) == (3, 3)
    assert len(context.instance.get_runs()) == 1
    assert deals_of(place.home)["hubspot.deals"]
