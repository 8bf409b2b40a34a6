"""Runs whose process is gone without having said so: killed, out of memory, or taken along by a restart.

Whoever is killed cannot say that a run has ended, so that it would count as at work for ever, hold its place in the
queue, and keep its source from being read. Belongs here: telling such runs, and ending them. Nothing is said of a run
whose process lives on another machine: only that machine, or its launcher, can tell.
"""

from __future__ import annotations

import math
import os
import socket
from functools import cache
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES, RunRecord

from sophia_assets.home import is_running
from sophia_assets.orchestration.launching import MACHINE_TAG, PROCESS_TAG

GONE = "The process that made this run is gone."
# How much later than it was noted down a process may seem to have begun: clocks tick, and boot times are rounded.
_SLACK_SECONDS = 5.0
_MOST_EVENTS = 50


@cache
def this_machine() -> str:
    """Where process numbers mean the same processes: the host, and within it the container."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()


def is_of_this_machine(run: dg.DagsterRun) -> bool:
    """Whether the process of a run is, or was, one of this machine's. Before there was a tag, all were."""
    return run.tags.get(MACHINE_TAG, this_machine() if PROCESS_TAG in run.tags else "") == this_machine()


def lost_runs(instance: dg.DagsterInstance) -> list[RunRecord]:
    """The runs that count as waiting or at work and whose process was on this machine and is gone."""
    wanted = dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))
    return [record for record in instance.get_run_records(wanted) if is_lost(instance, record)]


def is_lost(instance: dg.DagsterInstance, record: RunRecord) -> bool:
    """Whether a run that has not ended never will. One that still waits has no process yet."""
    run = record.dagster_run
    if run.is_finished or run.status is dg.DagsterRunStatus.QUEUED:
        return False
    found = _process(instance, record)
    return found is not None and not _lives(*found)


def settle_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Ends them as failed, and returns their ids: what waits for them goes on."""
    settled = []
    for record in lost_runs(instance):
        run = instance.get_run_by_id(record.dagster_run.run_id)
        # It may just have ended by itself.
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, GONE)
            settled.append(run.run_id)
    return settled


def _process(instance: dg.DagsterInstance, record: RunRecord) -> tuple[int, float] | None:
    """The process of a run, and a moment (seconds of the epoch) at which it lived; None where it is not known here."""
    run = record.dagster_run
    if not is_of_this_machine(run):
        return None
    if PROCESS_TAG in run.tags:
        text = run.tags[PROCESS_TAG]
        # Without the newer tag, nobody promised that the process came before its run.
        since = record.create_timestamp.timestamp() if MACHINE_TAG in run.tags else math.inf
        return (int(text) if text.isdecimal() else 0), since
    return _launched(instance, run.run_id)


def _launched(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """What a process that was launched for the run said of itself when it began; the newest, where it was resumed."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    for entry in reversed(entries[:_MOST_EVENTS]):
        event = entry.dagster_event
        metadata = event.engine_event_data.metadata if event else {}
        pid = metadata.get("pid")
        if pid is not None and str(pid.value).isdecimal():
            return int(str(pid.value)), entry.timestamp
    return None


def _lives(pid: int, since: float) -> bool:
    """Whether the process that had this number then has it still, and is not merely waiting to be buried."""
    if not is_running(pid):
        return False
    try:
        # The name, in brackets, may hold anything; what follows it is numbers.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        state, ticks = fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return True
    if state in "ZX":
        return False
    booted = _booted()
    return booted is None or booted + ticks / os.sysconf("SC_CLK_TCK") <= since + _SLACK_SECONDS


@cache
def _booted() -> float | None:
    """When the machine was booted, in seconds of the epoch; None where nobody says."""
    try:
        lines = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), None)
