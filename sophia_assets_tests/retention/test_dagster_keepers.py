"""Runs go, and what they told of assets and checks stays as far as anybody still needs it."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.test_utils import create_run_for_test
from sqlalchemy import and_, func, select

from sophia_assets.control.schema import measures
from sophia_assets.control.store import ControlStore
from sophia_assets.home import Home
from sophia_assets.orchestration.asset_retention import SHORTENED
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.orchestration.run_counting import count_ended
from sophia_assets.orchestration.run_retention import RunLogsKeeper, RunsKeeper, remove_shard
from sophia_assets.orchestration.tick_retention import SkippedTicksKeeper, TicksKeeper
from sophia_assets.settings import load_settings
from sophia_assets.telemetry.recording import EVER
from sophia_assets.telemetry.series import RUNS

pytestmark = pytest.mark.long
DAYS = dg.DailyPartitionsDefinition("2026-01-01")
KEYS = ["2026-01-01", "2026-01-02", "2026-01-03"]
LATER = datetime.now(UTC) + timedelta(days=40)
CUTOFF = LATER - timedelta(days=30)


@dg.asset(partitions_def=DAYS)
def by_day() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"dagster/row_count": 7, "preview": dg.MetadataValue.md("| Ada |" * 500)})


@dg.asset(deps=[by_day])
def whole() -> None: ...


@dg.asset_check(asset=by_day)
def is_right() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


JOB = dg.define_asset_job("read", selection=[by_day], partitions_def=DAYS)
MODELS = dg.define_asset_job("models", selection=[whole])
DEFINITIONS = dg.Definitions(
    assets=[by_day, whole], asset_checks=[is_right], jobs=[JOB, MODELS], executor=dg.in_process_executor
)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """Each day read twice, models built three times, a run that waits; then retention with a clock forty days on."""
    home = Home(tmp_path_factory.mktemp("past"))
    home.prepare()
    with instance_for(home, load_settings({"SOPHIA_HOME": str(home.path)}), runs_here=True) as instance:
        for key in KEYS + KEYS:
            assert DEFINITIONS.resolve_job_def("read").execute_in_process(instance=instance, partition_key=key).success
        for _ in range(3):
            assert DEFINITIONS.resolve_job_def("models").execute_in_process(instance=instance).success
        create_run_for_test(instance, job_name="waits", status=dg.DagsterRunStatus.STARTED)
        # Stopped after its first step, as by a kill, and begun anew; then once more for nothing.
        next(iter(RunsKeeper(instance).remove(CUTOFF)))
        assert sum(RunsKeeper(instance).remove(CUTOFF)) > 0
        assert sum(RunsKeeper(instance).remove(CUTOFF)) == 0
        yield instance


def test_runs_go_but_for_the_newest_of_each_job_and_those_under_way(past: dg.DagsterInstance) -> None:
    assert sorted(run.job_name for run in past.get_runs()) == ["models", "read", "waits"]


def test_every_partition_still_counts_as_materialized(past: dg.DagsterInstance) -> None:
    assert past.get_materialized_partitions(by_day.key) == set(KEYS)
    record = past.get_asset_records([by_day.key, whole.key])
    assert all(each.asset_entry.last_materialization for each in record)


def test_of_a_repeated_materialization_the_newest_stays(past: dg.DagsterInstance) -> None:
    found = past.fetch_materializations(by_day.key, limit=100).records
    assert sorted(str(each.partition_key) for each in found) == KEYS
    assert len(past.fetch_materializations(whole.key, limit=100).records) == 1


def test_old_days_are_kept_short_and_the_newest_as_it_was(past: dg.DagsterInstance) -> None:
    newest, *older = past.fetch_materializations(by_day.key, limit=100).records
    told = newest.asset_materialization
    assert told is not None and "preview" in told.metadata
    for each in older:
        short = each.asset_materialization
        assert short is not None and set(short.metadata) == {"dagster/row_count", SHORTENED}
        assert short.metadata["dagster/row_count"].value == 7
        assert short.tags and "dagster/data_version" in short.tags
        assert each.timestamp < newest.timestamp


def test_the_newest_result_of_a_check_stays_with_its_run(past: dg.DagsterInstance) -> None:
    key = dg.AssetCheckKey(by_day.key, "is_right")
    history = past.event_log_storage.get_asset_check_execution_history(key, limit=100)
    assert [each.status.value for each in history] == ["SUCCEEDED"]
    assert past.get_run_by_id(history[0].run_id) is not None


def test_the_log_of_a_run_that_is_gone_is_gone_and_asking_for_it_is_no_error(past: dg.DagsterInstance) -> None:
    storage = past.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    logs = {file.stem for file in Path(storage._base_dir).glob("*-*.db")}
    assert logs <= {run.run_id for run in past.get_runs()}
    assert past.all_logs(str(uuid.uuid4())) == []


def test_a_run_that_no_exporter_has_counted_is_counted_before_it_goes(
    instance: dg.DagsterInstance, store: ControlStore
) -> None:
    runs = [create_run_for_test(instance, job_name="read", status=dg.DagsterRunStatus.STARTED) for _ in range(3)]
    for run in runs:
        instance.report_run_failed(run, "it ended")
    assert sum(RunsKeeper(instance, store).remove(CUTOFF)) > 0
    assert len(instance.get_runs()) == 1
    with store.reading() as connection:
        ever = and_(measures.c.series == RUNS.name, measures.c.day == EVER)
        assert connection.execute(select(func.sum(measures.c.value)).where(ever)).scalar() == 3
    assert count_ended(store, instance.run_storage) == 0


def test_a_log_goes_before_its_run_does(instance: dg.DagsterInstance) -> None:
    old = create_run_for_test(instance, job_name="read", status=dg.DagsterRunStatus.STARTED)
    waits = create_run_for_test(instance, job_name="read", status=dg.DagsterRunStatus.STARTED)
    for run in (old, waits):
        instance.report_engine_event("at work", run)
    instance.report_run_failed(old, "it ended")
    keeper = RunLogsKeeper(instance)
    in_20_years = datetime.now(UTC) + timedelta(days=7_300)
    assert keeper.held(in_20_years).due == 1
    assert sum(keeper.remove(in_20_years)) == 1
    assert instance.get_run_by_id(old.run_id) is not None
    assert [each.message for each in instance.all_logs(waits.run_id)], "what is under way keeps its log"


def test_a_log_can_be_removed_while_a_program_lives_that_has_read_it(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    before = len(list(Path("/proc/self/fd").iterdir()))
    runs = [create_run_for_test(instance, job_name="read", status=dg.DagsterRunStatus.STARTED) for _ in range(24)]
    for run in runs:
        instance.report_engine_event("at work", run)
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    assert open_files - before < 100, "a daemon would run out of them within days"
    remove_shard(Path(storage.path_for_shard(runs[0].run_id)))
    assert instance.all_logs(runs[0].run_id) == []
    assert len(instance.all_logs(runs[-1].run_id)) == 1


def _tick(instance: dg.DagsterInstance, name: str, status: TickStatus, at: datetime) -> None:
    instance.create_tick(
        TickData(
            instigator_origin_id=name,
            instigator_name=name,
            instigator_type=InstigatorType.SENSOR,
            status=status,
            timestamp=at.timestamp(),
            selector_id=name,
            run_ids=[],
        )
    )


def test_of_every_sensor_the_newest_tick_stays(instance: dg.DagsterInstance) -> None:
    before = CUTOFF - timedelta(days=1)
    for number in range(5):
        for name in ("circuit_gong", "circuit_slack"):
            _tick(instance, name, TickStatus.SKIPPED, before + timedelta(minutes=number))
    _tick(instance, "circuit_gong", TickStatus.SUCCESS, before)
    _tick(instance, "circuit_gong", TickStatus.SKIPPED, LATER)
    assert sum(SkippedTicksKeeper(instance).remove(CUTOFF)) == 5 + 4
    assert sum(TicksKeeper(instance).remove(CUTOFF)) == 1
    assert [tick.timestamp for tick in instance.get_ticks("circuit_gong", "circuit_gong")] == [LATER.timestamp()]
    assert len(instance.get_ticks("circuit_slack", "circuit_slack")) == 1
