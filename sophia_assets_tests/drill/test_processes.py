"""What a drill starts ends with it, however the drill ends, and a process that ends too early is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sophia_assets.drill.processes import Children
from sophia_assets.errors import SophiaError

# Starts a process of its own, says both ids, and stays.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
# A drill in short: starts that in the folder that it is given, says its id, and waits for the end of its input.
DRILL = f"""
import os, sys, time
from pathlib import Path
from sophia_assets.drill.processes import Children, ended_by_signals
with ended_by_signals(), Children(Path(sys.argv[1]), os.environ, keep=False) as children:
    child = children.start("parent", "-c", {PARENT!r})
    while not child.log.read_text().strip():
        time.sleep(0.02)
    print(child.process.pid, child.log.read_text().strip(), flush=True)
    sys.stdin.read()
"""
GONE_WITHIN_S = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "drill"
    made.mkdir()
    return made


def begin(folder: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A drill under way, and all the processes that it has started, its guard among them."""
    drill = subprocess.Popen(
        [sys.executable, "-c", DRILL, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert drill.stdout is not None
    started = {int(word) for word in drill.stdout.readline().split()}
    found = psutil.Process(drill.pid).children(recursive=True)
    assert started <= {process.pid for process in found} and len(found) == 3
    return drill, found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_drill_that_is_asked_to_end_leaves_no_process(folder: Path, number: signal.Signals) -> None:
    drill, started = begin(folder)
    drill.send_signal(number)
    drill.communicate()

    assert psutil.wait_procs(started, timeout=GONE_WITHIN_S)[1] == []


def test_a_drill_that_is_killed_leaves_no_process_and_no_folder(folder: Path) -> None:
    drill, started = begin(folder)
    drill.kill()
    drill.communicate()

    assert psutil.wait_procs(started, timeout=GONE_WITHIN_S)[1] == []
    assert not folder.exists()


def test_a_process_that_ends_by_itself_is_told_with_the_last_thing_that_it_said(folder: Path) -> None:
    with Children(folder, os.environ, keep=False) as children:
        child = children.start("daemon", "-c", "import sys; print('no disk left'); sys.exit(3)")
        child.process.wait()
        with pytest.raises(SophiaError, match="the daemon has ended with 3; the last it said is: no disk left"):
            children.raise_if_one_ended()


def test_a_process_that_was_to_end_is_not_missed(folder: Path) -> None:
    with Children(folder, os.environ, keep=False) as children:
        child = children.start("first run", "-c", "print('done')")
        child.process.wait()
        children.forget(child)

        children.raise_if_one_ended()


def test_a_process_that_ignores_the_request_to_end_is_killed(folder: Path) -> None:
    ignoring = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    with Children(folder, os.environ, keep=False) as children:
        child = children.start("deaf", "-c", f"import signal, time; {ignoring}; time.sleep(600)")
        while "deaf" not in child.log.read_text():
            assert child.process.poll() is None

    assert child.process.returncode == -signal.SIGKILL
