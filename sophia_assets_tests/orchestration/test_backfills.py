"""Ranges of days and parts of groups: what is read, what Dagster is told, and how a run goes on that was cut short."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from sophia_assets.errors import QuotaExhausted
from sophia_assets.orchestration import backfills
from sophia_assets.orchestration.backfills import LoggedProgress
from sophia_assets.orchestration.raw_assets import NOTHING_NEW
from sophia_assets.sources import registry
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.orchestration.platform import DAY, Platform, failure_text, materializations, shown
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import group_contents

MONTH = {"dagster/asset_partition_range_start": "2026-01-01", "dagster/asset_partition_range_end": DAY}
DAYS = [f"2026-01-{day:02}" for day in range(1, 32)]
LOADS = 'SELECT load_id FROM "_sophia"."loads" WHERE table_name = ?'


def partitions_of(platform: Platform, table: str) -> set[str]:
    """The days that Dagster knows a table to be filled for."""
    return set(platform.instance.get_materialized_partitions(dg.AssetKey(table.split("."))))


def deals_of(platform: Platform) -> Any:
    """What the warehouse holds of the deals' group."""
    return group_contents(DuckDBWarehouse(platform.services.home.warehouse_file), "hubspot", "deals")


def failure_metadata(result: Any) -> Mapping[str, Any]:
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data:
            return shown(event.step_failure_data.user_failure_data.metadata)
    raise AssertionError("no step failed")


@pytest.fixture
def by_week(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfills, "DAYS_PER_CHUNK", 7)


@pytest.fixture
def loaded(platform: Platform) -> Platform:
    """A platform that has read the deals' whole history before."""
    assert platform.ingest("hubspot", group="deals").success
    return platform


def test_one_table_of_a_group_can_be_read_and_the_catalog_tells_of_the_others(platform: Platform) -> None:
    result = platform.read("hubspot.deals")
    assert result.success
    assert set(materializations(result)) == {"hubspot.deals"}
    counts = platform.services.warehouse.row_counts()
    for table in registry.groups("hubspot")["deals"]:
        assert counts[table.qualified_name] > 0
        assert DAY in partitions_of(platform, table.qualified_name)
        event = platform.instance.get_latest_materialization_event(dg.AssetKey([table.system, table.name]))
        assert event is not None and event.asset_materialization is not None
        metadata = shown(event.asset_materialization.metadata)
        assert metadata["dagster/row_count"] == counts[table.qualified_name], table.name


def test_a_range_is_read_in_bounded_chunks_each_once(loaded: Platform, by_week: None) -> None:
    result = loaded.ingest("hubspot", group="deals", day=None, **MONTH)

    assert result.success
    for table, made in materializations(result).items():
        assert [item.partition for item in made] == DAYS
        assert len(loaded.services.warehouse.query(LOADS, [table])) == 1 + 5, (
            "the whole history before, and five chunks"
        )


def test_a_first_load_of_a_range_reads_the_history_once(platform: Platform, by_week: None) -> None:
    result = platform.ingest("hubspot", group="deals", day=None, **MONTH)

    assert result.success
    assert len(platform.services.warehouse.query(LOADS, ["hubspot.deals"])) == 1


def test_a_run_that_failed_midway_shows_what_is_stored_and_goes_on_behind_it(
    loaded: Platform, by_week: None, company: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = deals_of(loaded)
    ingest, spans = loaded.services.ingest, []

    def failing_in_the_third(*arguments: Any) -> Any:
        spans.append(arguments[2])
        if len(spans) == 3:
            company.app.faults.add("hubspot:auth")
        return ingest(*arguments)

    monkeypatch.setattr(loaded.services, "ingest", failing_in_the_third)
    failed = loaded.ingest("hubspot", group="deals", day=None, **MONTH)
    assert not failed.success
    assert failure_metadata(failed)["data"] == "2 of 5 chunks are stored; re-executing the run goes on behind them"
    assert failure_metadata(failed)["kind"] == "authentication"
    company.app.faults.clear()
    loaded.services.reset_circuit("hubspot", "ada", "the token is right again")

    again = loaded.ingest("hubspot", group="deals", day=None, **MONTH, **{PARENT_RUN_ID_TAG: failed.run_id})

    assert again.success
    assert len(loaded.services.warehouse.query(LOADS, ["hubspot.deals"])) == 1 + 5, "no chunk was loaded twice"
    assert deals_of(loaded) == expected


def test_executing_a_run_again_that_ended_well_reads_again(loaded: Platform) -> None:
    first = loaded.ingest("hubspot", group="owners")
    before = loaded.services.requests_made("hubspot")
    again = loaded.ingest("hubspot", group="owners", **{PARENT_RUN_ID_TAG: first.run_id})

    assert again.success
    assert loaded.services.requests_made("hubspot") > before


def test_days_that_are_stored_count_as_filled_although_the_run_failed_later(
    loaded: Platform, by_week: None, company: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded.instance.wipe_assets([dg.AssetKey(["hubspot", "deals"])])
    ingest = loaded.services.ingest

    def failing_later(*arguments: Any) -> Any:
        results = ingest(*arguments)
        company.app.faults.add("hubspot:auth")
        return results

    monkeypatch.setattr(loaded.services, "ingest", failing_later)
    assert not loaded.ingest("hubspot", group="deals", day=None, **MONTH).success

    assert partitions_of(loaded, "hubspot.deals") == set(DAYS[:7])


def test_a_limit_of_hours_ends_the_run_with_when_to_go_on_and_nothing_is_asked_before(
    platform: Platform, company: Served
) -> None:
    company.app.faults.add("hubspot:rate_limit:7200")
    told = platform.ingest("hubspot", group="owners")
    asked = platform.services.requests_made("hubspot")
    refused = platform.ingest("hubspot", group="pipelines")
    with pytest.raises(QuotaExhausted, match="not asked"):
        platform.services.ping("hubspot")
    platform.services.start_reading(["hubspot"], platform.services.span(date(2026, 1, 31), date(2026, 1, 31)))

    assert not told.success and not refused.success
    assert platform.services.requests_made("hubspot") == asked == 1
    assert failure_metadata(told)["kind"] == failure_metadata(refused)["kind"] == "quota"
    assert failure_metadata(told)["not before"] == pytest.approx(failure_metadata(refused)["not before"], abs=1)
    assert "not asked, since its limit is spent until" in failure_text(refused)
    failure = platform.services.attempts.last_failure("hubspot")
    assert failure is not None and failure.group == "owners", "why the data is old is what the system said"
    company.app.faults.clear()
    platform.services.reset_circuit("hubspot", "ada", "the limit was raised")
    assert platform.ingest("hubspot", group="pipelines").success


def test_other_systems_go_on_while_one_is_to_be_left_alone(platform: Platform, company: Served) -> None:
    company.app.faults.add("hubspot:rate_limit:7200")
    assert not platform.ingest("hubspot", group="owners").success

    assert platform.ingest("gong", group="users").success


def test_an_answer_with_nothing_new_is_an_outcome_that_is_told(loaded: Platform) -> None:
    day = dict.fromkeys(MONTH, "2026-01-30")
    result = loaded.ingest("gong", group="calls")
    assert result.success
    quiet = loaded.ingest("gong", group="calls", day=None, **day)

    (made,) = materializations(quiet)["gong.calls"]
    assert shown(made.metadata)["outcome"] == NOTHING_NEW
    assert any(NOTHING_NEW in entry.user_message for entry in loaded.instance.all_logs(quiet.run_id))


def test_progress_is_told_every_few_seconds_and_not_with_every_page() -> None:
    clock: list[float] = [0.0]
    said: list[str] = []
    requests = iter(range(100, 1000))
    progress = LoggedProgress(said.append, lambda: next(requests), lambda: clock[0])
    for page in range(1, 101):
        clock[0] += 0.125
        progress("shop.items", page * 100)

    assert len(said) == 2
    assert said[0].startswith("4,000 rows read with 1 requests so far") and "800 rows/s" in said[0]
