"""The circuits' sensors: they read what is due, wait where they must, have probed what is due, and catch up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from sophia_assets.control.breaker import Failure, State
from sophia_assets.orchestration.circuit_checks import CIRCUIT_CLOSED, table_keys
from sophia_assets.orchestration.circuit_jobs import PROBE_JOB
from sophia_assets.orchestration.circuit_sensors import CHECKS_TAG, PROBE_TAG
from sophia_assets.orchestration.launching import FLAGS_TAG, PROCESS_TAG
from sophia_assets_tests.orchestration.watching import NO_ANSWER, POLICY, Watch, watching

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
FAILURE, STARTING = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTING


@pytest.fixture
def watch(tmp_path: Path, definitions: dg.Definitions) -> Iterator[Watch]:
    with watching(tmp_path / "var", definitions) as made:
        yield made


@pytest.fixture
def current(watch: Watch) -> Watch:
    """A watch on a system that was read for every day up to yesterday."""
    watch.filled(watch.day(back) for back in range(1, 34))
    return watch


def test_a_system_that_was_never_read_is_read_for_the_last_day_which_brings_its_history(watch: Watch) -> None:
    request = watch.requested()
    assert (request.job_name, request.partition_key) == ("ingest_gong", watch.yesterday)
    assert request.tags[FLAGS_TAG].endswith("defaults")


def test_a_system_that_is_up_to_date_is_left_alone_and_the_tick_says_until_when(current: Watch) -> None:
    following = f"{current.now.date() + timedelta(days=1)} 05:30 UTC"
    assert current.skipped() == (
        f"Gong was read up to {current.yesterday}, and its circuit is closed; the next day is due at {following}."
    )


def test_a_new_day_is_read_half_an_hour_before_the_briefing(current: Watch) -> None:
    current.wait(hours=17, minutes=29)
    assert "the next day is due" in current.skipped()
    current.wait(minutes=1)
    assert current.requested().partition_key == current.yesterday


def test_days_that_were_missed_are_read_in_one_run_the_newest_gap_first(watch: Watch) -> None:
    watch.filled(watch.day(back) for back in range(1, 34) if back not in (1, 2, 3, 8))
    request = watch.requested()
    assert [request.tags[name] for name in RANGE] == [watch.day(3), watch.day(1)]
    watch.filled(watch.day(back) for back in (1, 2, 3))
    assert watch.requested().partition_key == watch.day(8)
    watch.filled([watch.day(8)])
    assert "was read up to" in watch.skipped()


def test_a_day_that_only_some_tables_lack_is_read_for_those(watch: Watch) -> None:
    watch.filled(watch.day(back) for back in range(2, 34))
    watch.filled([watch.yesterday], but=["calls", "users"])
    request = watch.requested()
    assert {key.path[-1] for key in request.asset_selection or ()} == {"calls", "users"}


def test_a_read_plans_no_checks_which_would_fail_with_it(watch: Watch) -> None:
    assert watch.requested().asset_check_keys == []


def test_what_was_read_is_checked_once_in_a_run_of_its_own(watch: Watch) -> None:
    read = watch.launch(watch.requested(), dg.DagsterRunStatus.SUCCESS)
    watch.filled(watch.day(back) for back in range(1, 34))
    request = watch.requested()
    assert (request.job_name, request.run_key) == ("check_sources", f"checks:{read}")
    assert {key.asset_key for key in request.asset_check_keys or ()} == set(table_keys("gong"))
    watch.launch(request)
    assert "was read up to" in watch.skipped()


def test_a_read_that_somebody_launched_brings_its_own_checks(current: Watch) -> None:
    current.launch(dg.RunRequest(job_name="ingest_gong", run_key=""), dg.DagsterRunStatus.SUCCESS)
    assert "was read up to" in current.skipped()


def test_an_in_flight_run_is_waited_for_whoever_launched_it(watch: Watch) -> None:
    run_id = watch.launch(watch.requested(), STARTING)
    assert f"after run {run_id[:8]}" in watch.skipped()
    watch.ended(run_id)
    by_hand = dg.RunRequest(job_name="__ASSET_JOB", run_key="", asset_selection=[dg.AssetKey(["gong", "calls"])])
    assert watch.launch(by_hand)[:8] in watch.skipped()


def test_an_in_flight_run_of_another_system_is_not_waited_for(watch: Watch) -> None:
    watch.launch(dg.RunRequest(job_name="ingest_slack", run_key=""))
    assert watch.requested().job_name == "ingest_gong"


def test_a_run_that_was_killed_together_with_its_daemon_is_not_waited_for_for_ever(watch: Watch) -> None:
    watch.launch(watch.requested())
    watch.wait(hours=5)
    assert "after run" in watch.skipped()
    watch.wait(hours=24)
    assert watch.requested()


def test_a_run_of_a_process_that_is_gone_is_not_waited_for(watch: Watch) -> None:
    reading = dg.RunRequest(job_name="ingest_gong", run_key="", tags={PROCESS_TAG: str(os.getpid())})
    run_id = watch.launch(reading)
    assert run_id[:8] in watch.skipped()
    watch.instance.add_run_tags(run_id, {PROCESS_TAG: "0"})
    assert watch.requested()
    run = watch.instance.get_run_by_id(run_id)
    assert run is not None and run.status is FAILURE, "it no longer holds the system's place in the queue"


def test_a_day_that_fails_by_itself_is_asked_for_once_an_hour_under_another_key(watch: Watch) -> None:
    first = watch.requested()
    watch.launch(first, FAILURE)
    assert "could not be read once" in watch.skipped()
    watch.wait(minutes=59)
    assert "is asked for again at" in watch.skipped()
    watch.wait(minutes=2)
    second = watch.requested()
    assert second.run_key != first.run_key and second.partition_key == first.partition_key
    watch.launch(second, FAILURE)
    watch.wait(minutes=30)
    assert "could not be read 2 times" in watch.skipped()


def test_a_lost_cursor_changes_nothing(watch: Watch) -> None:
    watch.launch(watch.requested(), FAILURE)
    watch.cursor = None
    assert "could not be read once" in watch.skipped()


def test_an_open_circuit_is_skipped_with_a_reason(watch: Watch) -> None:
    watch.trip()
    assert watch.skipped() == (
        "Gong is not asked. Its circuit is open since 12:00 UTC after 3 failures in a row: no answer; "
        "next try at 12:01 UTC."
    )


def test_a_due_probe_is_requested_once(watch: Watch) -> None:
    watch.trip()
    watch.wait(seconds=61)
    request = watch.requested()
    assert request.job_name == PROBE_JOB
    assert request.run_config == {"ops": {"probe": {"config": {"system": "gong"}}}}
    assert request.run_key == "probe:gong:1:0"
    assert int(request.tags["dagster/max_runtime"]) < POLICY.lease.total_seconds()
    watch.launch(request, STARTING)
    assert "Gong is about to be probed" in watch.skipped()


def test_a_probe_that_is_being_made_is_waited_for(watch: Watch) -> None:
    watch.trip()
    watch.wait(seconds=61)
    run_id = watch.launch(watch.requested())
    assert watch.circuits.take_probe("gong", run_id)
    assert f"a probe is on its way (run {run_id[:8]})" in watch.skipped()


def test_a_probe_that_failed_is_requested_again_when_it_is_due_under_another_key(watch: Watch) -> None:
    watch.trip()
    watch.wait(seconds=61)
    run_id = watch.launch(watch.requested())
    assert watch.circuits.take_probe("gong", run_id)
    watch.circuits.failed("gong", NO_ANSWER, run_id)
    watch.ended(run_id, well=False)
    assert "1 probe without success; next try at 12:03 UTC" in watch.skipped()
    watch.wait(seconds=121)
    assert watch.requested().run_key == "probe:gong:1:1"


def test_a_probe_whose_holder_was_killed_is_requested_again_one_tick_after_its_lease(watch: Watch) -> None:
    watch.trip()
    watch.wait(seconds=61)
    run_id = watch.launch(watch.requested())
    assert watch.circuits.take_probe("gong", run_id)
    watch.wait(seconds=119)
    assert "a probe is on its way" in watch.skipped()
    watch.wait(seconds=1)
    assert watch.requested().run_key == "probe:gong:1:1"


def test_a_probe_run_that_was_killed_before_it_began_is_requested_again_and_not_every_tick(watch: Watch) -> None:
    watch.trip()
    watch.wait(seconds=61)
    first = watch.requested()
    watch.launch(first, FAILURE)
    assert "has not done so" in watch.skipped()
    watch.wait(seconds=125)
    second = watch.requested()
    assert second.run_key != first.run_key and second.tags[PROBE_TAG] == first.tags[PROBE_TAG]
    watch.launch(second)
    assert watch.skipped()


def test_after_the_probe_the_missed_days_are_requested(current: Watch) -> None:
    current.trip()
    current.wait(days=3)
    run_id = current.launch(current.requested())
    assert current.circuits.take_probe("gong", run_id)
    current.circuits.succeeded("gong", run_id)
    current.ended(run_id)
    request = current.requested()
    assert request.job_name == "ingest_gong"
    assert [request.tags[name] for name in RANGE] == [current.day(3), current.day(1)]
    run_id = current.launch(request)
    assert "after run" in current.skipped()
    current.filled(current.day(back) for back in (1, 2, 3))
    current.ended(run_id)
    assert current.requested().tags[CHECKS_TAG] == run_id


def test_days_whose_run_the_circuit_held_back_are_requested_as_soon_as_it_is_closed(watch: Watch) -> None:
    run_id = watch.launch(watch.requested())
    watch.trip()
    watch.ended(run_id, well=False)
    watch.wait(seconds=61)
    assert watch.circuits.take_probe("gong", "run")
    watch.circuits.succeeded("gong", "run")
    assert watch.requested().job_name == "ingest_gong"


def test_a_system_that_answers_probes_and_fails_every_read_is_not_asked_in_a_circle(watch: Watch) -> None:
    requests = 0
    for _ in range(240):
        watch.wait(seconds=30)
        data = watch.tick()
        for request in data.run_requests or ():
            requests += request.job_name != PROBE_JOB
            run_id = watch.launch(request)
            if request.job_name == PROBE_JOB:
                assert watch.circuits.take_probe("gong", run_id)
                watch.circuits.succeeded("gong", run_id)
            else:
                watch.trip()
            watch.ended(run_id, well=request.job_name == PROBE_JOB)
    assert 3 <= requests <= 8, "within two hours"


def test_a_spent_limit_is_waited_for_and_then_the_days_are_requested_at_once(watch: Watch) -> None:
    run_id = watch.launch(watch.requested())
    watch.circuits.failed("gong", Failure("quota", "spent", watch.now + timedelta(minutes=20)))
    watch.ended(run_id, well=False)
    assert "its limit is spent until 12:20 UTC" in watch.skipped()
    watch.wait(minutes=20)
    assert watch.requested().job_name == "ingest_gong"


def test_a_refused_credential_is_probed_when_it_was_renewed(watch: Watch) -> None:
    account = watch.services.connections.account("gong")
    watch.circuits.failed("gong", Failure("authentication", "refused"), credential=account)
    watch.wait(days=2)
    assert "it is not tried again until its credential is renewed" in watch.skipped()
    watch.with_settings(GONG_ACCESS_KEY_SECRET="second")
    assert watch.requested().job_name == PROBE_JOB


def test_a_circuit_that_an_operator_holds_open_is_neither_probed_nor_read(watch: Watch) -> None:
    watch.circuits.force("gong", State.OPEN, "ada", "it is being moved", timedelta(hours=2))
    watch.wait(hours=1, minutes=59)
    assert "forced open by ada since" in watch.skipped()
    watch.wait(minutes=1)
    assert watch.requested().job_name == "ingest_gong"


def test_a_system_that_is_switched_off_is_not_read_and_the_tick_names_the_flag(watch: Watch) -> None:
    watch.services.flags.set("gong.enabled", "off", "ada", "too noisy")
    assert "while the flag gong.enabled is off" in watch.skipped()
    watch.services.flags.set("gong.enabled", "on", "ada", "quiet again")
    assert watch.requested()


def test_a_system_that_is_not_connected_is_not_read_and_the_tick_says_so(watch: Watch) -> None:
    watch.with_settings(SOPHIA_GONG_MODE="off")
    assert watch.skipped() == "Gong is not connected, so there is nothing to read."


def test_a_system_of_a_sandbox_that_does_not_run_is_not_read(watch: Watch) -> None:
    watch.with_settings(GONG_BASE_URL="")
    assert "The sandbox is not running" in watch.skipped()


def test_a_missing_credential_is_named(watch: Watch) -> None:
    watch.with_settings(SOPHIA_GONG_MODE="live", GONG_ACCESS_KEY="")
    assert "GONG_ACCESS_KEY is not set" in watch.skipped()


def test_a_change_is_told_once_on_every_table_and_ticks_without_a_change_tell_nothing(current: Watch) -> None:
    for _ in range(20):
        current.tick()
    assert current.events() == 0
    current.trip()
    for _ in range(20):
        current.tick()
    tables = table_keys("gong")
    assert current.events() == 2 * len(tables)
    (record,) = current.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(tables[0], CIRCUIT_CLOSED), limit=5
    )
    assert record.event is not None
    evaluation = record.event.dagster_event.event_specific_data  # type: ignore[union-attr]
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.WARN
    assert "open since" in str(evaluation.metadata["observed"].value)


def test_a_change_that_was_not_told_because_of_a_kill_is_told_by_the_next_tick(
    current: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    current.trip()
    with monkeypatch.context() as patched:

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(current.circuits, "mark_published", killed)
        with pytest.raises(KeyboardInterrupt):
            current.tick()
    told = current.events()
    current.tick()
    assert current.events() == 2 * told > 0
    current.tick()
    assert current.events() == 2 * told
