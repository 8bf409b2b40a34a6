"""Bad data goes no further: what rests on it stays as it was, in the same run and in later ones, until the repair."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sophia_assets.errors import SophiaError
from sophia_assets.orchestration.jobs import ingest_job_name
from sophia_assets.quality.client import QualityWorker
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Rows, Window
from sophia_assets.warehouse.interface import Load, LoadResult
from sophia_assets_tests.orchestration.platform import DAY, QUIET, Platform, evaluations, materializations, shown
from sophia_assets_tests.sandbox.small_company import Served

pytestmark = [pytest.mark.long, pytest.mark.takes(100)]

BAD = "snowflake.satisfaction"
HELD = {"marts.satisfaction", "staging.account_keys"}
BROKEN = f"{BAD}.score_values_to_be_between"
AFTER = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def good_home(company: Served, worker: QualityWorker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has read, checked, modelled and briefed a day on which everything was good."""
    home = tmp_path_factory.mktemp("good") / "var"
    with pytest.MonkeyPatch.context() as patch, Platform.on(home, company.env) as platform:
        patch.setattr(type(platform.services), "quality", property(lambda _: worker))
        assert platform.ingest("hubspot").success and platform.ingest("snowflake").success
        assert platform.brief().success
    return home


def load(platform: Platform, score: int, days_later: int) -> list[LoadResult]:
    """Loads one more answer, with `score`, as what a later day brought."""
    end = AFTER + timedelta(days=days_later)
    moment = (end - timedelta(hours=1)).isoformat()
    row = {"response_id": "late", "account_id": "101", "account_name": "Company 1", "score": score,
           "comment": "canary.person@private.example", "responded_at": moment, "updated_at": moment}  # fmt: skip
    declared = registry.table(BAD)
    span = Window(end - timedelta(days=1), end)
    return platform.services.warehouse.load(
        Load(f"{days_later}", "run", [declared], span), [Rows(declared.name, [row])]
    )


def reason(result: Any) -> str:
    """What the first failed step raised."""
    failed = [event for event in result.all_events if event.is_step_failure]
    return failed[0].step_failure_data.error.to_string() if failed else ""


def answers_in_mart(platform: Platform) -> int:
    found = platform.services.warehouse.query("SELECT COUNT(*) AS n FROM marts.satisfaction")
    return int(found["n"][0].as_py())


def facts_of(platform: Platform, metric: str) -> list[dict[str, Any]]:
    content = json.loads((platform.services.home.briefings / DAY / "briefing.json").read_text(encoding="utf-8"))
    return [fact for fact in content["facts"] if fact["metric"] == metric]


def briefing(platform: Platform) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((platform.services.home.briefings / DAY / "briefing.json").read_text())
    return found


def test_a_later_run_leaves_what_rests_on_bad_data_as_it_was_and_goes_on_with_the_rest(briefed: Platform) -> None:
    before = answers_in_mart(briefed)
    load(briefed, 9, 1)
    assert not evaluations(briefed.check(BAD))[BROKEN].passed
    later = briefed.brief()
    assert later.success, reason(later)
    made = materializations(later)
    assert HELD.isdisjoint(made)
    assert {"marts.deals", "staging.accounts", "insight.facts", "insight.daily_briefing"} <= set(made)
    assert answers_in_mart(briefed) == before


def test_every_model_that_waits_says_what_for_and_what_to_do(briefed: Platform) -> None:
    load(briefed, 9, 1)
    briefed.check(BAD)
    later = briefed.brief()
    observed = {
        ".".join(event.asset_key.path): shown(event.event_specific_data.asset_observation.metadata)
        for event in later.all_events
        if event.event_type_value == "ASSET_OBSERVATION"
    }
    told = observed["marts.satisfaction"]
    assert told["waits for"] == BAD
    assert told["broken checks"] == [BROKEN]
    assert told["meanwhile"] == "The last good data serves, up to 2026-02-01 00:00 UTC."
    assert "next run rebuilds the model by itself" in told["what to do"]
    assert "canary" not in str(observed)


def test_the_briefing_is_written_on_the_last_good_data_and_says_so(briefed: Platform) -> None:
    known = [(fact["id"], fact["value"], fact["as_of"]) for fact in facts_of(briefed, "satisfaction_score")]
    load(briefed, 9, 1)
    briefed.check(BAD)
    assert briefed.brief().success
    found = briefing(briefed)
    (status,) = (item for item in found["freshness"] if item["system"] == "snowflake")
    assert status["held_back"] == {BAD: DAY}
    texts = " ".join(item["text"] for section in found["sections"] for item in section["sentences"])
    assert "Snowflake: satisfaction did not pass the checks, so figures that rest on that reach to" in texts
    assert found["confidence"]["level"] == "moderate"
    assert BAD in found["confidence"]["reason"]
    assert [(fact["id"], fact["value"], fact["as_of"]) for fact in facts_of(briefed, "satisfaction_score")] == known


def test_in_one_run_with_the_load_what_rests_on_bad_data_is_left_alone_too(
    briefed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answers_in_mart(briefed)

    def bad_read(services: Services, system: str, group: str, *_: Any) -> list[LoadResult]:
        return load(briefed, 9, 1)

    monkeypatch.setattr(Services, "ingest", bad_read)
    graph = briefed.definitions.resolve_asset_graph()
    models = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name in ("staging", "marts")}
    table = dg.AssetKey(BAD.split("."))
    job = dg.define_asset_job("everything", selection=dg.AssetSelection.assets(table, *models))
    whole = dg.Definitions(
        assets=list(briefed.definitions.assets or ()),
        asset_checks=list(briefed.definitions.asset_checks or ()),
        jobs=[job],
        resources=dict(briefed.definitions.resources or {}),
    ).resolve_job_def("everything")
    result = whole.execute_in_process(
        instance=briefed.instance, partition_key=DAY, raise_on_error=False, run_config=QUIET
    )
    assert result.success, reason(result)
    made = materializations(result)
    assert BAD in made and "marts.deals" in made
    assert HELD.isdisjoint(made)
    assert answers_in_mart(briefed) == before


def test_what_was_loaded_and_never_checked_is_checked_before_it_is_built_on(briefed: Platform) -> None:
    before = answers_in_mart(briefed)
    load(briefed, 9, 1)
    later = briefed.brief()
    assert HELD.isdisjoint(materializations(later))
    assert answers_in_mart(briefed) == before
    assert list(briefed.services.quality_failures.verdict(BAD).holding_back) == [BROKEN.rsplit(".", 1)[1]]


def test_after_the_repair_everything_catches_up_by_itself(briefed: Platform) -> None:
    before = answers_in_mart(briefed)
    load(briefed, 9, 1)
    briefed.check(BAD)
    briefed.brief()
    load(briefed, 4, 2)
    later = briefed.brief()
    assert set(materializations(later)) >= HELD
    assert answers_in_mart(briefed) == before + 1
    (status,) = (item for item in briefing(briefed)["freshness"] if item["system"] == "snowflake")
    assert status["held_back"] == {}


def test_without_any_good_data_the_figures_are_left_out_and_the_rest_is_written(
    company: Served, worker: QualityWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Services, "quality", property(lambda _: worker))
    with Platform.on(tmp_path / "first", company.env) as platform:
        platform.ingest("hubspot")
        load(platform, 9, 1)
        first = platform.brief()
        assert first.success, reason(first)
        assert facts_of(platform, "satisfaction_score") == []
        assert facts_of(platform, "pipeline_value") != []
        texts = str(briefing(platform)["sections"])
        assert "Snowflake: satisfaction did not pass the checks, so figures that rest on that are left out." in texts
        assert answers_in_mart(platform) == 0


def test_a_worker_that_fails_stops_no_run(briefed: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise SophiaError("the validation worker ended unexpectedly")

    load(briefed, 4, 1)
    monkeypatch.setattr(QualityWorker, "validate_each", fail)
    later = briefed.brief()
    assert later.success, reason(later)


def test_the_ingestion_job_holds_the_checks_of_what_it_reads(briefed: Platform) -> None:
    job = briefed.definitions.resolve_job_def(ingest_job_name("snowflake"))
    names = {node.name for node in job.nodes}
    assert "snowflake_quality" in names
