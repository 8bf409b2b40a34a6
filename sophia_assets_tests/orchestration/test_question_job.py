"""Questions from Dagster's UI: answered in a role, with what they rest on in the metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from sophia_assets.definitions import build_definitions
from sophia_assets.home import Home
from sophia_assets.services import Services
from sophia_assets_tests.finished_home import copied_home, services_of

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="module")
def services(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = services_of(copied_home(finished_home, tmp_path_factory.mktemp("asked") / "var"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def job(services: Services) -> dg.JobDefinition:
    resource = dg.ResourceDefinition.hardcoded_resource(services)
    return build_definitions({"services": resource}, services.home).resolve_job_def("question_job")


def asked(job: dg.JobDefinition, **config: Any) -> Any:
    """A run of the job."""
    run_config = {**QUIET, "ops": {"answer_question": {"config": config}}}
    return job.execute_in_process(run_config=run_config, raise_on_error=False)


def metadata(result: Any) -> dict[str, Any]:
    """What the UI shows of the answer."""
    event = next(event for event in result.all_events if event.is_successful_output)
    return {name: entry.value for name, entry in event.step_output_data.metadata.items()}


def test_the_answer_is_the_ops_output_and_its_evidence_the_metadata(job: dg.JobDefinition) -> None:
    result = asked(job, question="What are bookings this quarter?")
    answer, shown = result.output_for_node("answer_question"), metadata(result)
    assert answer["status"] == "answered"
    assert shown["status"] == "answered"
    assert answer["citations"][0]["display"] in shown["evidence"]
    assert shown["latency_ms"] > 0


def test_a_role_is_not_answered_what_it_may_not_see(job: dg.JobDefinition) -> None:
    result = asked(job, question="What is MRR?", role="engineering_leader")
    assert result.success
    assert metadata(result)["status"] == "denied"
    assert "evidence" not in metadata(result)


def test_a_conversation_is_gone_on_with(job: dg.JobDefinition) -> None:
    result = asked(job, question="And last month?", conversation=["What are bookings this quarter?"])
    answer = result.output_for_node("answer_question")
    assert answer["status"] == "answered"
    assert "ooking" in answer["response"]


def test_an_unknown_role_fails_the_run_with_the_roles_there_are(job: dg.JobDefinition) -> None:
    result = asked(job, question="What is MRR?", role="janitor")
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert "executive" in failure.step_failure_data.user_failure_data.description


def test_whoever_asked_is_in_the_audit_trail(job: dg.JobDefinition, services: Services) -> None:
    asked(job, question="How many deals were won this quarter?", role="sales_leader")
    newest = services.audit.tail(1)[0]
    assert (newest.action, newest.role, newest.channel) == ("ask", "sales_leader", "op")
