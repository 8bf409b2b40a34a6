"""A run whose process was killed shows within a minute, in Dagster and in the exporter's figures.

With Dagster's real daemon, its real code servers and processes that are really killed; the jobs only wait.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.instance import dagster_home_for, instance_for
from sophia_assets.orchestration.launching import MACHINE_TAG, PROCESS_TAG
from sophia_assets.orchestration.lost_runs import settle_lost_runs, this_machine
from sophia_assets.orchestration.run_counting import count_ended
from sophia_assets.orchestration.run_telemetry import runs_under_way
from sophia_assets.settings import load_settings
from sophia_assets.telemetry.series import RUNS_LOST, Point
from sophia_assets_tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
VISIBLE_SECONDS = 60.0
_BIN = Path(sys.executable).parent
_JOBS = """
import time
import dagster as dg

@dg.op
def wait():
    time.sleep(600)

@dg.job(executor_def=dg.in_process_executor)
def ingest_gong():
    wait()

defs = dg.Definitions(jobs=[ingest_gong])
"""
# What `sophia run` does, without what it reads: a run in its own process, with its tags.
_FOREGROUND = """
import os, sys
import dagster as dg
from jobs import defs
from sophia_assets.orchestration.launching import MACHINE_TAG, PROCESS_TAG
from sophia_assets.orchestration.lost_runs import this_machine
tags = {PROCESS_TAG: str(os.getpid()), MACHINE_TAG: this_machine()}
with dg.DagsterInstance.get() as instance:
    defs.resolve_job_def("ingest_gong").execute_in_process(instance=instance, tags=tags, raise_on_error=False)
"""


@dataclass
class Platform:
    """A home with a daemon on it."""

    home: Home
    folder: Path
    environment: dict[str, str]
    daemon: subprocess.Popen[bytes] | None = None

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with instance_for(self.home, load_settings({"SOPHIA_HOME": str(self.home.path)})) as instance:
            yield instance

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """A program in a process group of its own."""
        log = (self.folder / f"{Path(command[0]).name}.log").open("ab")
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def launch(self) -> str:
        """Asks the daemon for a run, which is then queued."""
        command = [str(_BIN / "dagster"), "job", "launch", "-w", "workspace.yaml", "-j", "ingest_gong"]
        before = self.run_ids()
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True, capture_output=True, timeout=120)
        (made,) = self.run_ids() - before
        return made

    def run_ids(self) -> set[str]:
        with self.instance() as instance:
            return set(instance.get_run_ids())

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        with self.instance() as instance:
            run = instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def started(self, run_id: str) -> int:
        """The process of a run, once it is at work."""
        return until(lambda: self._process(run_id) or None, "the run is at work", 180)

    def _process(self, run_id: str) -> int:
        with self.instance() as instance:
            run = instance.get_run_by_id(run_id)
            if run is None or run.status is not dg.DagsterRunStatus.STARTED:
                return 0
            if PROCESS_TAG in run.tags:
                return int(run.tags[PROCESS_TAG])
            assert run.tags[MACHINE_TAG] == this_machine()
            for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
                event = entry.dagster_event
                if event is not None and "pid" in event.engine_event_data.metadata:
                    return int(str(event.engine_event_data.metadata["pid"].value))
        return 0

    def lost(self) -> float:
        """What the exporter says of the job's lost runs."""
        with self.instance() as instance:
            samples = runs_under_way(instance)
        found = {one.labels: one.value for one in samples if isinstance(one, Point) and one.series is RUNS_LOST}
        return found[("ingest_gong",)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("killed")
    home = Home(folder / "home")
    home.prepare()
    home.record_company(CompanyIdentity("live", first_day="2026-01-01"))
    (folder / "jobs.py").write_text(_JOBS, encoding="utf-8")
    (folder / "foreground.py").write_text(_FOREGROUND, encoding="utf-8")
    (folder / "workspace.yaml").write_text("load_from:\n  - python_file: jobs.py\n", encoding="utf-8")
    settings = load_settings({"SOPHIA_HOME": str(home.path)})
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SOPHIA_", "DAGSTER_"))},
        "SOPHIA_HOME": str(home.path),
        "DAGSTER_HOME": str(dagster_home_for(home, settings)),
        "PYTHONPATH": str(folder),
    }
    made = Platform(home, folder, environment)
    with made.instance():
        pass
    made.daemon = made.start(str(_BIN / "dagster-daemon"), "run", "-w", "workspace.yaml")
    try:
        yield made
    finally:
        ended(made.daemon)


def ended(process: subprocess.Popen[bytes]) -> None:
    """Ends a program with everything that it has started."""
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    for each in below:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait(20)


def shows(platform: Platform, run_id: str, before: float) -> None:
    """Waits until the run shows as failed in Dagster, and as lost in the figures, where so many were lost `before`."""
    began = time.monotonic()
    until(lambda: platform.lost() > before, "the run is lost in the figures", VISIBLE_SECONDS)
    in_figures = time.monotonic() - began
    until(lambda: platform.status(run_id) is dg.DagsterRunStatus.FAILURE, "it failed in Dagster", VISIBLE_SECONDS)
    in_dagster = time.monotonic() - began
    print(f"\n  in the figures after {in_figures:.1f} s, failed in Dagster after {in_dagster:.1f} s")


def test_a_run_that_the_daemon_launched_shows_when_its_process_is_killed(platform: Platform) -> None:
    run_id = platform.launch()
    pid, before = platform.started(run_id), platform.lost()
    os.kill(pid, signal.SIGKILL)
    shows(platform, run_id, before)


def test_a_run_in_the_foreground_shows_when_it_is_killed(platform: Platform) -> None:
    before = platform.run_ids()
    process = platform.start(sys.executable, "foreground.py")
    (run_id,) = until(lambda: platform.run_ids() - before or None, "the run is made", 120)
    assert platform.started(run_id) == process.pid
    lost = platform.lost()
    # It is not waited for: a process that nobody buries counts as gone, too.
    os.kill(process.pid, signal.SIGKILL)
    try:
        shows(platform, run_id, lost)
    finally:
        process.wait(30)


def test_what_waits_in_the_queue_goes_on_when_those_before_it_are_killed(platform: Platform) -> None:
    first, second, third = platform.launch(), platform.launch(), platform.launch()
    pids = [platform.started(run_id) for run_id in (first, second)]
    assert platform.status(third) is dg.DagsterRunStatus.QUEUED
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    pid = platform.started(third)
    lost = platform.lost()
    os.kill(pid, signal.SIGKILL)
    shows(platform, third, lost)


def test_a_run_shows_when_its_code_server_is_killed_together_with_it(platform: Platform) -> None:
    run_id = platform.launch()
    pid = platform.started(run_id)
    worker = psutil.Process(pid)
    server = worker.parent()
    while server is not None and "grpc" not in " ".join(server.cmdline()):
        server = server.parent()
    assert server is not None
    lost = platform.lost()
    server.kill()
    worker.kill()
    shows(platform, run_id, lost)


def test_without_a_daemon_the_figures_show_it_and_the_next_run_ends_it(platform: Platform) -> None:
    assert platform.daemon is not None
    ended(platform.daemon)
    before = platform.run_ids()
    process = platform.start(sys.executable, "foreground.py")
    (run_id,) = until(lambda: platform.run_ids() - before or None, "the run is made", 120)
    platform.started(run_id)
    lost = platform.lost()
    process.kill()
    process.wait(30)
    until(lambda: platform.lost() > lost, "the run is lost in the figures", VISIBLE_SECONDS)
    assert platform.status(run_id) is dg.DagsterRunStatus.STARTED
    with platform.instance() as instance:
        assert settle_lost_runs(instance) == [run_id]
        store = ControlStore.at(platform.home.path / "control.db")
        assert count_ended(store, instance.run_storage) == len(before) + 1
        store.close()
    assert platform.status(run_id) is dg.DagsterRunStatus.FAILURE
