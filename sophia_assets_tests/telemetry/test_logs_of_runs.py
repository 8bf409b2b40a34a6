"""What the log tells of Dagster's runs, and what a run's own log takes over from it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sophia_assets.orchestration.resources import services_resource
from sophia_assets.orchestration.run_log import run_logger
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.telemetry import logs
from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.telemetry.log_in_json import log_in_json

_log = logs.get_logger("sophia_assets.tests")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The log in JSON."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(logs, "_write", lambda line: found.append(json.loads(line)))
    with log_in_json(monkeypatch):
        yield found


@dg.op(required_resource_keys={"services"})
def says_things(context: dg.OpExecutionContext) -> None:
    """Logs in every way that there is."""
    context.log.info("told by the run")
    context.log.info("with a secret: Bearer CANARYCANARY")
    _log.info("an everyday thing")
    _log.warning("something is wrong", source="gong")
    thread = threading.Thread(target=logs.carried(_log.warning), args=("in a thread",))
    thread.start()
    thread.join()


@dg.job(resource_defs={"services": services_resource}, logger_defs={"console": run_logger})
def telling() -> None:
    """One op."""
    says_things()


def test_lines_of_a_run_have_its_id_and_warnings_are_in_its_own_log(
    tmp_path: Path, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with default_settings(tmp_path), dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("SOPHIA_LOG_FORMAT", "json")
        result = telling.execute_in_process(instance=instance)
        own = [entry for entry in instance.all_logs(result.run_id) if entry.dagster_event is None]
    told = {line["event"]: line for line in lines}
    assert sum(line["event"] == "something is wrong" for line in lines) == 1
    for event in ("told by the run", "an everyday thing", "something is wrong", "in a thread"):
        assert told[event]["run_id"] == result.run_id and told[event]["job"] == "telling", event
    assert told["told by the run"]["step"] == "says_things"
    assert "CANARY" not in json.dumps(lines)
    # Rows of the event log: what the run said, and what our modules warn of; nothing else.
    messages = [entry.user_message for entry in own]
    assert any("something is wrong (source=gong)" in message for message in messages)
    assert not any("everyday" in message or "in a thread" in message for message in messages)
    assert len(messages) == 3
    _log.info("afterwards")
    assert "run_id" not in lines[-1]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_line_of_a_run_from_the_shell_is_json_with_its_fields(tmp_path: Path) -> None:
    environment = {**os.environ, "SOPHIA_HOME": str(tmp_path / "home"), "SOPHIA_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "sophia_assets.cli", "run", "--days", "40", "--json"]
    done = subprocess.run(
        command,
        env={**environment, "SOME_API_TOKEN": "Zq-canary"},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    json.loads(done.stdout)
    # The command's own words, for whoever waits, are no log.
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert all(set(line) >= {"timestamp", "level", "logger", "event", "command"} for line in found)
    loads = [line for line in found if line["event"] == "a load ended"]
    assert {line["source"] for line in loads} >= {
        "gong",
        "hubspot",
        "linear",
        "pinecone",
        "redis",
        "slack",
        "snowflake",
    }
    assert all(line["run_id"] and line["job"] == f"ingest_{line['source']}" for line in loads)
    assert found[-1]["event"] == "a command ended" and found[-1]["code"] == 0
    assert "canary" not in done.stderr
