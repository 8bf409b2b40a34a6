"""The definitions: they load quickly and whole, everything in them is described, and nothing changes by accident."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.backfill_policy import BackfillPolicyType

from sophia_assets.home import Home
from sophia_assets.orchestration.circuit_checks import CIRCUIT_CLOSED
from sophia_assets.orchestration.instance import dagster_home_for
from sophia_assets.orchestration.partitions import weekly_partitions
from sophia_assets.quality.measures import NEWEST_EVENT
from sophia_assets.quality.tables import check_names
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.orchestration.snapshot import SNAPSHOT, outline

HEAVY = (
    "great_expectations",
    "snowflake.connector",
    "fakesnow",
    "openai",
    "anthropic",
    "dagster_snowflake",
    "openfeature",
    "alembic",
    "psycopg2",
    "redis",
    "requests",
    "pulumi_esc_sdk",
)


def run(arguments: list[str], home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    homes = {"DAGSTER_HOME": str(home), "SOPHIA_HOME": str(home / "var")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **homes, **environment},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_definitions_load_in_a_fresh_interpreter_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import json, sys; from sophia_assets.definitions import defs; defs.resolve_all_asset_keys(); "
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    loaded = run(["-c", code], tmp_path / "home")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout) == []
    assert loaded.stderr == "", "nothing is said while loading"
    assert not (tmp_path / "home" / "var").exists(), "loading the definitions makes no files"


def test_dagster_finds_nothing_to_object_to(tmp_path: Path) -> None:
    home = Home(tmp_path / "var")
    home.prepare()
    # The command's own successor is another package; only what it says of the definitions counts.
    quiet = {"PYTHONWARNINGS": "ignore:Function `definitions_validate_command` is superseded"}
    command = ["-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    validated = run(command, dagster_home_for(home), **quiet)
    told = validated.stdout + validated.stderr
    assert validated.returncode == 0, told
    assert "All code locations passed validation" in told
    assert not [line for line in told.splitlines() if "warning" in line.lower()]


def test_a_bad_setting_is_named_when_the_definitions_load(tmp_path: Path) -> None:
    loaded = run(["-c", "import sophia_assets.definitions"], tmp_path / "home", SOPHIA_TIMEZONE="Mars/Base")
    assert "SOPHIA_TIMEZONE is 'Mars/Base', which is not a time zone" in loaded.stderr.splitlines()[-1]


def test_nothing_has_changed_by_accident(definitions: dg.Definitions) -> None:
    found, kept = outline(definitions), json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    renew = "where the change is meant: python -m sophia_assets_tests.orchestration.snapshot"
    for part in kept:
        assert sorted(found[part]) == sorted(kept[part]), f"{part} came or went; {renew}"
        changed = {name: (kept[part][name], found[part][name]) for name in kept[part]
                   if found[part][name] != kept[part][name]}  # fmt: skip
        assert not changed, f"{part} changed (before, after); {renew}"


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {".".join(spec.key.path): spec for spec in definitions.resolve_all_asset_specs()}


def test_every_asset_says_what_it_is_who_owns_it_and_what_it_is_made_with(definitions: dg.Definitions) -> None:
    for name, spec in specs(definitions).items():
        assert spec.description and len(spec.description) > 20, name
        assert spec.group_name == name.split(".")[0]
        assert spec.owners and spec.kinds, name
        assert spec.tags["layer"] in {"raw", "staging", "marts", "insight", "delivery", "operations"}, name


def test_every_check_says_what_it_checks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    undescribed = [key for key in graph.asset_check_keys if not graph.get_check_spec(key).description]
    assert undescribed == []


@pytest.mark.parametrize("table", registry.tables(), ids=lambda table: table.qualified_name)
def test_every_raw_table_has_an_asset_with_schema_freshness_and_checks(
    definitions: dg.Definitions, table: Table
) -> None:
    spec = specs(definitions)[table.qualified_name]
    schema = spec.metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == list(table.column_names)
    assert all(column.description and column.type for column in schema.columns)
    assert {column.name for column in schema.columns if "personal" in column.tags} == {
        column.name for column in table.columns if column.personal
    }
    assert spec.metadata["dagster/table_name"] == table.qualified_name
    assert spec.freshness_policy is not None
    assert isinstance(spec.partitions_def, dg.DailyPartitionsDefinition)
    graph = definitions.resolve_asset_graph()
    found = {key.name for key in graph.asset_check_keys if ".".join(key.asset_key.path) == table.qualified_name}
    assert found == {*check_names(table), CIRCUIT_CLOSED}
    assert table.expectations, "every table has at least one rule for Great Expectations"


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_every_source_has_a_check_of_its_newest_event(definitions: dg.Definitions, system: str) -> None:
    keys = definitions.resolve_asset_graph().asset_check_keys
    assert any(key.name == NEWEST_EVENT and key.asset_key.path[0] == system for key in keys)


def test_a_range_of_days_is_one_run_and_any_table_of_a_group_can_be_selected(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for table in registry.tables():
        key = dg.AssetKey([table.system, table.name])
        policy = graph.get(key).backfill_policy
        assert policy is not None and policy.policy_type == BackfillPolicyType.SINGLE_RUN
        assert graph.get(key).execution_set_asset_keys == {key}


def test_every_sql_file_is_an_asset_that_depends_on_what_it_reads(definitions: dg.Definitions) -> None:
    files = {f"{path.parent.name}.{path.stem}" for path in (PROJECT_ROOT / "sql").glob("*/*.sql")}
    found = specs(definitions)
    models = load_models()
    assert files == set(models) <= set(found)
    for name, model in models.items():
        spec = found[name]
        assert {".".join(dep.asset_key.path) for dep in spec.deps} == set(model.dependencies)
        schema = spec.metadata["dagster/column_schema"]
        assert {column.name: column.description for column in schema.columns} == model.columns
        assert all(column.description for column in schema.columns), name
        assert spec.owners == [model.owner]


def test_facts_and_briefing_follow_from_the_marts(definitions: dg.Definitions) -> None:
    found = specs(definitions)
    graph = definitions.resolve_asset_graph()
    upstream = {".".join(key.path) for key in graph.get(dg.AssetKey(["insight", "facts"])).parent_keys}
    assert upstream and all(name.startswith("marts.") for name in upstream)
    for name in ("daily_briefing", "weekly_business_review"):
        assert graph.get(dg.AssetKey(["insight", name])).parent_keys == {dg.AssetKey(["insight", "facts"])}
    assert found["insight.daily_briefing"].partitions_def == found["hubspot.deals"].partitions_def


def test_both_briefings_are_declared_alike(definitions: dg.Definitions) -> None:
    found, graph = specs(definitions), definitions.resolve_asset_graph()
    daily, weekly = (found[f"insight.{name}"] for name in ("daily_briefing", "weekly_business_review"))
    assert (daily.group_name, daily.owners, daily.kinds) == (weekly.group_name, weekly.owners, weekly.kinds)
    assert daily.freshness_policy and weekly.freshness_policy
    checks = [{each.name for each in graph.asset_check_keys if each.asset_key == spec.key} for spec in (daily, weekly)]
    assert (
        checks[0]
        == checks[1]
        >= {
            "every_sentence_is_supported",
            "principles_are_kept",
            "sources_are_disclosed",
            "length_is_readable",
            "form_is_kept",
            "stored_evidence_stands",
        }
    )


def test_a_week_is_known_by_its_monday_and_ends_on_sunday_in_the_business_time_zone() -> None:
    weeks = weekly_partitions(date(2026, 1, 1), "America/New_York")
    assert weeks.get_first_partition_key() == "2026-01-05"
    window = weeks.time_window_for_partition_key("2026-03-02")
    # Clocks go forward on Sunday, 8 March.
    assert f"{window.start:%a %Y-%m-%d %H:%M%z}" == "Mon 2026-03-02 00:00-0500"
    assert f"{window.end:%a %Y-%m-%d %H:%M%z}" == "Mon 2026-03-09 00:00-0400"
