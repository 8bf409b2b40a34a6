"""The asset that a data engineer opens first: it shows what is broken, at once and only when that changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from sophia_assets.control.breaker import State
from sophia_assets.observability.problems import Problem
from sophia_assets.orchestration.health_assets import (
    BROKEN_NOW,
    CIRCUITS,
    FRESHNESS,
    HEALTH_JOB,
    NOTHING_BROKEN,
    health_sensor,
)
from sophia_assets.orchestration.jobs import BRIEFING_JOB
from sophia_assets.services import Services
from sophia_assets_tests.orchestration.platform import DAY, QUIET, Platform, evaluations, materializations, shown


def look(platform: Platform) -> Any:
    job = platform.definitions.resolve_job_def(HEALTH_JOB)
    return job.execute_in_process(instance=platform.instance, raise_on_error=False, run_config=QUIET)


def broken(result: Any) -> dict[str, Any]:
    (made,) = materializations(result)[".".join(BROKEN_NOW.path)]
    return shown(made.metadata)


@pytest.fixture
def read_platform(platform: Platform) -> Iterator[Platform]:
    """A platform that has read Pinecone, with a briefing that is not yet due."""
    assert platform.ingest("pinecone").success
    yield platform


def test_it_says_what_is_broken_and_how_to_recover(read_platform: Platform) -> None:
    at = datetime(2026, 1, 31, 5, tzinfo=UTC)
    read_platform.services.attempts.failed("slack", "messages", "the token was refused. Check SLACK_BOT_TOKEN", at)
    result = look(read_platform)
    assert result.success
    told = broken(result)
    table = told["what is broken now"]
    assert "slack" in table.splitlines()[2], "the worst comes first"
    assert "2026-01-31 05:00" in table and "Check SLACK" in table and "ingest" in table
    assert told["1. slack"].startswith("error: since 2026-01-31 05:00 UTC, the token was refused")
    check = evaluations(result)[f"data_health.broken_now.{NOTHING_BROKEN}"]
    assert not check.passed and check.severity == dg.AssetCheckSeverity.ERROR


def test_it_says_so_where_nothing_is_broken(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: object, now: datetime) -> list[Problem]:
        return []

    monkeypatch.setattr("sophia_assets.observability.health.Health.problems", nothing)
    result = look(platform)
    assert broken(result)["what is broken now"] == "**Nothing is broken.**"
    assert evaluations(result)[f"data_health.broken_now.{NOTHING_BROKEN}"].passed


def test_freshness_lists_every_table_with_its_policy_and_its_age(read_platform: Platform) -> None:
    (made,) = materializations(look(read_platform))[".".join(FRESHNESS.path)]
    lines = shown(made.metadata)["freshness"].splitlines()
    documents = next(line for line in lines if "[pinecone.documents]" in line)
    assert documents.startswith(("| quiet |", "| fresh |"))
    assert "(/assets/pinecone/documents)" in documents
    assert any("never loaded" in line and "slack.messages" in line for line in lines)


def test_the_board_has_a_row_for_every_circuit_and_open_ones_come_first(read_platform: Platform) -> None:
    read_platform.services.circuits.force("slack", State.OPEN, "ada", "it is being moved")
    result = look(read_platform)
    (made,) = materializations(result)[".".join(CIRCUITS.path)]
    board = shown(made.metadata)
    lines = board["circuits"].splitlines()[2:]
    assert len(lines) == board["closed"] + board["not closed"] == len(read_platform.services.circuits.names)
    assert lines[0].startswith("| [slack]") and "| forced open |" in lines[0] and "| ada |" in lines[0]
    (pinecone,) = (line for line in lines if line.startswith("| [pinecone]"))
    rows = sum(
        read_platform.services.warehouse.row_counts()[f"pinecone.{name}"] for name in ("documents", "namespaces")
    )
    assert rows > 0 and "| closed |" in pinecone and not pinecone.endswith("|  |")
    assert "its circuit is open (forced open by ada: it is being moved)" in broken(result)["1. slack"]
    assert board["slack"].startswith("forced open by ada"), "to be seen without opening the table"


def ticks(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The sensor's ticks, one after the other, each with the cursor that the one before left."""
    monkeypatch.setattr(Services, "from_environment", classmethod(lambda _: platform.services))
    monkeypatch.setattr(Services, "close", lambda _: None)
    sensor = health_sensor(platform.definitions.resolve_job_def(HEALTH_JOB))
    cursor = None
    while True:
        context = dg.build_sensor_context(instance=platform.instance, cursor=cursor, definitions=platform.definitions)
        yield sensor(context)
        cursor = context.cursor


def test_the_sensor_launches_a_look_only_where_something_has_changed(
    read_platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ticks(read_platform, monkeypatch)
    assert isinstance(next(every), dg.RunRequest), "nothing has been shown yet"
    assert "less than an hour ago" in str(next(every).skip_message)
    look(read_platform)
    assert "Nothing has changed" in str(next(every).skip_message)
    read_platform.services.attempts.failed("slack", "messages", "the token was refused", datetime.now(UTC))
    assert "No run has ended" in str(next(every).skip_message)
    assert read_platform.ingest("pinecone").success
    assert isinstance(next(every), dg.RunRequest), "a run has ended, and something else is broken"


def test_the_sensor_looks_again_as_soon_as_a_circuit_has_changed(
    read_platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ticks(read_platform, monkeypatch)
    look(read_platform)
    assert "Nothing has changed" in str(next(every).skip_message)
    read_platform.services.circuits.force("slack", State.OPEN, "ada", "it is being moved")
    assert isinstance(next(every), dg.RunRequest)


def test_the_sensor_waits_for_the_first_run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.services.home.company_file.unlink()
    assert "no system has been read yet" in str(next(ticks(platform, monkeypatch)).skip_message)


def build(platform: Platform, model: str) -> Any:
    """Builds one model, without its checks."""
    key = dg.AssetKey(model.split("."))
    job = platform.definitions.resolve_job_def(BRIEFING_JOB).get_subset(asset_selection=frozenset({key}))
    return job.execute_in_process(instance=platform.instance, partition_key=DAY, raise_on_error=False, run_config=QUIET)


def test_a_failed_build_of_the_models_is_remembered_until_one_succeeds(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such column")

    with monkeypatch.context() as patched:
        patched.setattr(type(platform.services.warehouse), "replace_tables", refuse)
        assert not build(platform, "staging.stages").success
    assert any("could not be built" in str(value) for value in broken(look(platform)).values())
    assert build(platform, "staging.stages").success
    assert not any("could not be built" in str(value) for value in broken(look(platform)).values())
