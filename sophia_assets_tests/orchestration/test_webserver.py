"""The Dagster UI's server, asked over GraphQL as the browser does: what a data engineer finds in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.testclient import TestClient

import sophia_assets.definitions as definitions_module
from sophia_assets.insight.kinds import KINDS
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import load_models

ASSETS = """
query { assetNodes {
  assetKey { path } groupName description kinds isPartitioned jobNames
  owners { ... on TeamAssetOwner { team } ... on UserAssetOwner { email } }
  dependencyKeys { path }
  internalFreshnessPolicy { ... on TimeWindowFreshnessPolicy { failWindowSeconds warnWindowSeconds } }
  assetChecksOrError { ... on AssetChecks { checks { name description } } }
  metadataEntries { label ... on TableSchemaMetadataEntry { schema { columns { name type description } } } }
} }
"""
LOCATION = """
query { repositoriesOrError {
  ... on RepositoryConnection { nodes {
    jobs { name description }
    schedules { name cronSchedule executionTimezone description defaultStatus }
    sensors { name description defaultStatus targets { pipelineName } }
  } }
  ... on PythonError { message }
} }
"""


@pytest.fixture(scope="module")
def ui() -> Iterator[TestClient]:
    """The webserver's app on the definitions, which a code server of its own has loaded."""
    target = PythonFileTarget(
        python_file=str(Path(definitions_module.__file__)),
        attribute="defs",
        working_directory=None,
        location_name="sophia_assets",
    )
    with (
        dg.instance_for_test() as instance,
        WorkspaceProcessContext(instance, target, version="test") as context,
        TestClient(create_app_from_workspace_process_context(context)) as client,
    ):
        yield client


def ask(ui: TestClient, query: str) -> dict[str, Any]:
    answer = ui.post("/graphql", json={"query": query})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert "errors" not in body, body
    data: dict[str, Any] = body["data"]
    return data


@pytest.fixture(scope="module")
def assets(ui: TestClient) -> dict[str, dict[str, Any]]:
    return {".".join(node["assetKey"]["path"]): node for node in ask(ui, ASSETS)["assetNodes"]}


def test_the_graph_holds_every_table_and_model_in_its_group(assets: dict[str, dict[str, Any]]) -> None:
    expected = {table.qualified_name for table in registry.tables()} | set(load_models())
    briefings = {f"{group}.{kind}" for group in ("insight", "delivery") for kind in KINDS}
    health = {"data_health.broken_now", "data_health.freshness", "data_health.circuits"}
    assert set(assets) == expected | health | briefings | {"insight.facts"}
    assert all(node["groupName"] == name.split(".")[0] for name, node in assets.items())


def test_every_node_shows_description_owner_kinds_and_checks(assets: dict[str, dict[str, Any]]) -> None:
    for name, node in assets.items():
        assert node["description"] and node["owners"] and node["kinds"], name
        assert all(owner.get("team") for owner in node["owners"]), name
        checks = node["assetChecksOrError"].get("checks", [])
        without = {"insight.facts", "data_health.freshness", "data_health.circuits"}
        assert checks or name in without or node["groupName"] == "delivery", name
        assert all(check["description"] for check in checks), name
    assert {"hubspot", "duckdb"} == set(assets["hubspot.deals"]["kinds"])


def test_raw_tables_show_their_freshness_deadline(assets: dict[str, dict[str, Any]]) -> None:
    for table in registry.tables():
        policy = assets[table.qualified_name]["internalFreshnessPolicy"]
        assert policy == {
            "failWindowSeconds": table.freshness.fail.total_seconds(),
            "warnWindowSeconds": table.freshness.warn.total_seconds(),
        }
        assert assets[table.qualified_name]["isPartitioned"]


def test_tables_show_their_columns(assets: dict[str, dict[str, Any]]) -> None:
    for table in registry.tables():
        entries = {entry["label"]: entry for entry in assets[table.qualified_name]["metadataEntries"]}
        columns = entries["dagster/column_schema"]["schema"]["columns"]
        assert [column["name"] for column in columns] == list(table.column_names)
        assert all(column["description"] for column in columns)


def test_lineage_leads_from_the_systems_to_the_briefing(assets: dict[str, dict[str, Any]]) -> None:
    upstream = {"insight.daily_briefing"}
    while True:
        further = upstream | {".".join(key["path"]) for name in upstream for key in assets[name]["dependencyKeys"]}
        if further == upstream:
            break
        upstream = further
    read = {name.split(".")[0] for model in load_models().values() for name in model.dependencies}
    modelled = read & set(registry.SYSTEMS)
    assert {name.split(".")[0] for name in upstream} >= {"insight", "marts", "staging"} | modelled


def test_jobs_and_schedules_say_what_they_do_and_when(ui: TestClient) -> None:
    (repository,) = ask(ui, LOCATION)["repositoriesOrError"]["nodes"]
    jobs = {job["name"]: job for job in repository["jobs"] if not job["name"].startswith("__")}
    ingestion = {f"ingest_{system}" for system in registry.SYSTEMS}
    operating = {"probe_system", "circuit_control", "flags_control"}
    assert set(jobs) == ingestion | operating | {
        "daily_briefing",
        "weekly_business_review",
        "check_sources",
        "look_at_data_health",
        "question_job",
        "retention_job",
    }
    assert all(job["description"] for job in jobs.values())
    assert repository["schedules"]
    for schedule in repository["schedules"]:
        assert schedule["description"] and schedule["executionTimezone"] and schedule["cronSchedule"]
        assert schedule["defaultStatus"] == "RUNNING"


def test_every_system_has_a_sensor_that_is_on_and_says_what_it_does(ui: TestClient) -> None:
    (repository,) = ask(ui, LOCATION)["repositoriesOrError"]["nodes"]
    sensors = {sensor["name"]: sensor for sensor in repository["sensors"]}
    for system in registry.SYSTEMS:
        sensor = sensors[f"circuit_{system}"]
        assert sensor["description"] and sensor["defaultStatus"] == "RUNNING"
        targets = {target["pipelineName"] for target in sensor["targets"]}
        assert targets == {f"ingest_{system}", "check_sources", "probe_system"}


def test_the_page_itself_is_served(ui: TestClient) -> None:
    page = ui.get("/")
    assert page.status_code == 200
    assert "<title>" in page.text.lower() or "dagster" in page.text.lower()
