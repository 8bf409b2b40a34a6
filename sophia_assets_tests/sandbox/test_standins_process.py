"""The sandbox as a process of its own: it starts, tells where it is, fails in one line, never outlives its parent."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from sophia_assets import errors
from sophia_assets.sandbox.config import Endpoints, SandboxConfig
from sophia_assets.sandbox.launch import RunningSandbox, start_sandbox
from sophia_assets.sources import registry
from sophia_assets_tests.sandbox.clients import gong_client, hubspot_client

SHORT = SandboxConfig(start=date(2026, 1, 1), as_of=date(2026, 3, 31))

PARENT = """
import sys
from datetime import date
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets.sources import registry
with start_sandbox(SandboxConfig(start=date(2026, 1, 1), as_of=date(2026, 3, 31)), wait_for="listening") as sandbox:
    print(sandbox.pid, flush=True)
    sys.stdin.read()
"""


def ended(descriptor: int) -> bool:
    """Whether the process behind a pidfd ends within ten seconds."""
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_a_sandbox_answers_and_tells_where(tmp_path: Path) -> None:
    report = tmp_path / "endpoints.json"
    config = replace(SHORT, endpoints_file=report)
    with start_sandbox(config) as sandbox:
        told = Endpoints.read(report)
        assert told == sandbox.endpoints
        assert (told.pid, told.first_day, told.last_day) == (sandbox.pid, SHORT.start, SHORT.as_of)
        assert told.ready == dict.fromkeys(registry.SYSTEMS, True)
        assert hubspot_client(dict(told.env)).get("/crm/v3/owners").status_code == 200
        assert gong_client(dict(told.env)).get("/v2/users").status_code == 200
        assert oct(report.stat().st_mode & 0o777) == "0o600"
    assert not report.exists()


def test_hubspot_and_gong_answer_before_snowflake_is_there() -> None:
    with start_sandbox(SHORT, wait_for="listening") as sandbox:
        assert hubspot_client(dict(sandbox.endpoints.env)).get("/crm/v3/owners").status_code == 200
        assert sandbox.wait("ready").ready["snowflake"]


@pytest.mark.parametrize(
    ("config", "kind", "told"),
    [
        (SandboxConfig(timezone="Mars/Olympus"), errors.ConfigurationError, "unknown time zone"),
        (SandboxConfig(faults=("gong:explode",)), errors.ConfigurationError, "gong can play"),
        (SandboxConfig(as_of=date(2999, 1, 1)), errors.DateOutOfRange, "lies in the future"),
        (SandboxConfig(port=70_000), errors.ConfigurationError, "70000 is not a port"),
        (SandboxConfig(scale=0), errors.ConfigurationError, "scale 0 is out of range"),
        (
            replace(SHORT, endpoints_file=Path("/proc/nowhere/endpoints.json")),
            errors.ConfigurationError,
            "cannot write",
        ),
        (SandboxConfig(data_dir=Path("/does/not/exist")), errors.ConfigurationError, "not a folder"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why(config: SandboxConfig, kind: type[errors.SophiaError], told: str) -> None:
    with pytest.raises(kind, match=told), start_sandbox(config):
        pass


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(errors.PortTaken, match=rf"port {port} .*--port"), start_sandbox(SandboxConfig(port=port)):
            pass


def test_a_failure_on_the_command_line_is_one_line_and_a_code() -> None:
    command = [sys.executable, "-m", "sophia_assets.sandbox", "--fault", "jira:down"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == errors.ConfigurationError.exit_code
    assert run.stderr.startswith("error: unknown system 'jira' in fault 'jira:down'. Use one of gong, hubspot, ")
    assert run.stderr.count("\n") == 1


def test_a_sandbox_that_is_killed_while_it_starts_does_not_leave_its_parent_waiting() -> None:
    sandbox = RunningSandbox(SHORT)
    os.kill(sandbox.pid, signal.SIGKILL)
    with pytest.raises(errors.SophiaError, match="ended before it was ready"):
        sandbox.wait("ready")
    sandbox.stop()


def test_an_interrupt_stops_the_sandbox_and_removes_its_report(tmp_path: Path) -> None:
    report = tmp_path / "endpoints.json"
    with start_sandbox(replace(SHORT, endpoints_file=report), wait_for="listening") as sandbox:
        descriptor = os.pidfd_open(sandbox.pid)
        os.kill(sandbox.pid, signal.SIGINT)
        assert ended(descriptor)
        assert not report.exists()


def test_a_sandbox_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    descriptor = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    assert ended(descriptor)
