"""Runs before an open circuit: those of the clock go on without the system, those of people fail at once and once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.storage.tags import BACKFILL_ID_TAG, PARENT_RUN_ID_TAG, SENSOR_NAME_TAG

from sophia_assets.control.actions import tail
from sophia_assets.control.breaker import Failure, State
from sophia_assets.orchestration.circuit_jobs import CONTROL_JOB, PROBE_JOB, PROBE_OP
from sophia_assets.orchestration.jobs import ingest_job_name
from sophia_assets_tests.orchestration.platform import (
    DAY,
    QUIET,
    Platform,
    failure_text,
    materializations,
    shown,
)
from sophia_assets_tests.sandbox.small_company import Served

BY_SENSOR = {SENSOR_NAME_TAG: "circuit_hubspot"}
RANGE = {"dagster/asset_partition_range_start": "2026-01-03", "dagster/asset_partition_range_end": "2026-01-05"}


def warnings(platform: Platform, result: Any) -> list[str]:
    return [entry.user_message for entry in platform.instance.all_logs(result.run_id) if entry.level == 30]


def not_before(result: Any) -> float | None:
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data:
            found = shown(event.step_failure_data.user_failure_data.metadata).get("not before")
            return float(found) if found is not None else None
    raise AssertionError("no step failed")


def run(platform: Platform, job: str, op: str, **config: Any) -> Any:
    return platform.definitions.resolve_job_def(job).execute_in_process(
        instance=platform.instance,
        raise_on_error=False,
        run_config={**QUIET, "ops": {op: {"config": config}}},
    )


@pytest.fixture
def held(platform: Platform) -> Platform:
    """A platform whose circuit of HubSpot is held open for half an hour."""
    platform.services.circuits.force("hubspot", State.OPEN, "ada", "HubSpot is moving", timedelta(minutes=30))
    return platform


def test_a_run_of_the_sensor_goes_on_without_the_system_and_says_why(held: Platform) -> None:
    result = held.ingest("hubspot", **BY_SENSOR)
    assert result.success and materializations(result) == {}
    told = warnings(held, result)
    assert any("forced open by ada" in line and "The step is skipped" in line for line in told)
    assert held.services.requests_made("hubspot") == 0
    assert held.services.attempts.last_failure("hubspot") is None


def test_nothing_is_read_ahead_of_a_system_that_is_not_to_be_asked(held: Platform) -> None:
    day = date.fromisoformat(DAY)
    assert list(held.services.start_reading(["hubspot"], held.services.span(day, day))) == ["hubspot"]
    assert held.services.requests_made("hubspot") == 0


@pytest.mark.parametrize(
    "tags",
    [{}, {**BY_SENSOR, PARENT_RUN_ID_TAG: "an earlier run"}, {BACKFILL_ID_TAG: "backfill"}],
    ids=["a click", "a run that is executed again", "a backfill"],
)
def test_a_run_that_somebody_waits_for_fails_at_once_with_when_to_retry(held: Platform, tags: dict[str, str]) -> None:
    result = held.ingest("hubspot", group="owners", **tags)
    assert not result.success
    assert failure_text(result).startswith("hubspot/owners: not asked")
    until = held.services.circuits.get("hubspot").force
    assert until is not None and until.until is not None
    assert not_before(result) == pytest.approx(until.until.timestamp(), abs=1)
    assert held.services.requests_made("hubspot") == 0


def test_a_range_of_days_fails_as_one(held: Platform) -> None:
    result = held.ingest("hubspot", group="owners", day=None, **RANGE, **{BACKFILL_ID_TAG: "backfill"})
    assert not result.success and not_before(result) is not None
    assert held.services.requests_made("hubspot") == 0


def test_a_refused_run_burns_no_retries(held: Platform) -> None:
    keys = frozenset({dg.AssetKey(["hubspot", "owners"])})
    job = held.definitions.resolve_job_def(ingest_job_name("hubspot"))
    patient = job.get_subset(asset_selection=keys, asset_check_selection=frozenset())
    patient._op_retry_policy = dg.RetryPolicy(max_retries=3)
    tags = {"dagster/max_retries": "3", BACKFILL_ID_TAG: "backfill"}
    result = patient.execute_in_process(
        instance=held.instance, partition_key=DAY, tags=tags, raise_on_error=False, run_config=QUIET
    )
    assert not result.success
    kinds = [event.event_type_value for event in result.all_events]
    assert kinds.count("STEP_FAILURE") == 1 and "STEP_UP_FOR_RETRY" not in kinds
    stored = held.instance.get_run_by_id(result.run_id)
    assert stored is not None
    assert not auto_reexecution_should_retry_run(held.instance, stored, RunFailureReason.STEP_FAILURE)


def test_a_read_that_opens_the_circuit_in_a_run_of_the_sensor_fails_and_the_rest_is_skipped(
    platform: Platform, company: Served
) -> None:
    company.app.faults.add("hubspot:auth")
    result = platform.ingest("hubspot", **BY_SENSOR)
    assert not result.success, "what the system said is a failure; what the guard says after it is not"
    steps = [event.step_key for event in result.all_events if event.is_step_failure]
    assert len(steps) == 1
    assert platform.services.circuits.get("hubspot").state is State.OPEN
    assert platform.services.requests_made("hubspot") == 1


@pytest.mark.long
def test_a_scheduled_briefing_is_written_on_the_last_good_data_and_says_so(platform: Platform) -> None:
    assert platform.ingest("hubspot").success
    platform.services.circuits.failed("hubspot", Failure("authentication", "the token was refused"))
    assert platform.ingest("hubspot", day="2026-01-30", **BY_SENSOR).success
    platform.services.attempts.failed("hubspot", "owners", "the token was refused", datetime.now(UTC))
    written = platform.brief()
    assert written.success, failure_text(written)
    text = (platform.services.home.briefings / DAY / "briefing.md").read_text(encoding="utf-8")
    assert "HubSpot: not asked since" in text and "because it refuses our credential" in text
    assert "the last good data serves" in text


def test_a_probe_that_finds_the_system_alive_closes_its_circuit_and_tells_the_tables(platform: Platform) -> None:
    platform.services.circuits.failed("hubspot", Failure("authentication", "refused"), credential="another")
    result = run(platform, PROBE_JOB, PROBE_OP, system="hubspot")
    assert result.success
    assert platform.services.circuits.get("hubspot").state is State.CLOSED
    assert platform.services.circuits.unpublished() == []
    again = run(platform, PROBE_JOB, PROBE_OP, system="hubspot")
    assert again.success, "there is no probe to be made any more"


def test_a_probe_that_fails_leaves_the_circuit_open_for_longer(platform: Platform, company: Served) -> None:
    company.app.faults.add("hubspot:down")
    platform.services.circuits.failed("hubspot", Failure("authentication", "refused"), credential="another")
    result = run(platform, PROBE_JOB, PROBE_OP, system="hubspot")
    assert not result.success and failure_text(result).startswith("The probe failed: hubspot/")
    circuit = platform.services.circuits.get("hubspot")
    assert circuit.state is State.OPEN and circuit.attempt == 1


def test_an_operators_word_in_the_ui_is_obeyed_recorded_and_shown(platform: Platform) -> None:
    said = {"system": "gong", "reason": "moving", "who": "ada"}
    assert run(platform, CONTROL_JOB, "control", action="open", ttl="30m", **said).success
    circuit = platform.services.circuits.get("gong")
    assert circuit.force is not None and circuit.force.state is State.OPEN and circuit.force.until is not None
    assert platform.services.circuits.unpublished() == [], "the tables tell of it at once"
    assert run(platform, CONTROL_JOB, "control", action="reset", **said).success
    assert platform.services.circuits.get("gong").is_closed
    deeds = [(deed.action, deed.actor, deed.target, deed.reason) for deed in tail(platform.services.control)]
    assert deeds == [("circuit.reset", "ada", "gong", "moving"), ("circuit.open", "ada", "gong", "moving")]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"system": "gnog", "reason": "x", "who": "ada"}, "there is no circuit 'gnog'"),
        ({"system": "gong", "reason": " ", "who": "ada"}, "a reason was not given"),
        ({"system": "gong", "reason": "x", "who": ""}, "who does this was not given"),
        ({"system": "gong", "reason": "x", "who": "ada", "ttl": "0m"}, "the ttl is '0m'"),
    ],
    ids=["an unknown system", "no reason", "nobody", "a ttl of zero"],
)
def test_a_wrong_word_is_refused_in_one_line_and_changes_nothing(
    platform: Platform, config: dict[str, str], told: str
) -> None:
    result = run(platform, CONTROL_JOB, "control", action="open", **config)
    assert not result.success
    assert told in failure_text(result) and "\n" not in failure_text(result)
    assert platform.services.circuits.get("gong").is_closed
    assert tail(platform.services.control) == []
