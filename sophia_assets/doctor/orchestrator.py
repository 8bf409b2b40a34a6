"""The area `dagster`: whether its instance opens, its daemon lives, and its runs, schedules and sensors are in order.

Dagster is asked in a process of its own, which takes seconds to begin and can be ended: nothing here imports it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.observability.freshness import length_in_words
from sophia_assets.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

AREA = "dagster"
SECONDS = 30.0
_about = Findings(AREA)
# A daemon notes that it lives every 30 s; three in a row are missing then.
_DEAD_AFTER = timedelta(seconds=120)
_MANY_WAITING = 20
_NAMED = 5


def check_dagster(patient: Patient) -> Iterator[Finding]:
    """Everything that Dagster's own storage tells."""
    settings = patient.settings
    if settings.dagster.config is None and not (patient.home.dagster / "history").is_dir():
        yield _about.skipped("instance", "nothing was run here by Dagster yet")
        return
    if patient.is_offline and settings.dagster.config is not None:
        yield _about.skipped("instance", "Dagster's storage was not asked (--offline)")
        return
    told = _examined(patient)
    if "problem" in told:
        remedy = str(told.get("remedy") or "See deploy/README.md")
        if settings.dagster.config is None:
            folder = patient.home.dagster
            remedy = f"Bring {folder} back from a backup, or move it away: the history of runs then begins anew"
        yield _about.problem("instance", str(told["problem"]), remedy)
        return
    yield from judged(told, patient.now, is_daemon_needed=not patient.company_is_simulated)


def _examined(patient: Patient) -> Mapping[str, Any]:
    environment = {**os.environ, **patient.settings.environment, "SOPHIA_HOME": str(patient.settings.base_home)}
    command = [sys.executable, "-m", "sophia_assets.orchestration.examination", str(patient.home.path)]
    remedy = "Run `sophia ui` to see more; where the storage is damaged, bring it back from a backup"
    try:
        done = subprocess.run(
            command, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=SECONDS - 2
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"Dagster did not tell of itself within {SECONDS - 2:g} s", "remedy": remedy}
    lines = done.stdout.strip().splitlines()
    try:
        told = json.loads(lines[-1])
    except (IndexError, ValueError):
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"problem": f"Dagster's instance does not open: {said[:200]}", "remedy": remedy}
    return told if isinstance(told, dict) else {"problem": "Dagster's instance told nothing", "remedy": remedy}


def judged(told: Mapping[str, Any], now: datetime, *, is_daemon_needed: bool) -> Iterator[Finding]:
    """What `orchestration.examination` told, as findings. Where no daemon is needed, one that is gone is a warning."""
    words = "its record of runs opens; whether its jobs and schedules load is not tried here: `sophia ui` does that"
    yield _about.ok("instance", words)
    for name, (current, head) in told["revisions"].items():
        if current != head:
            words = f"its {name} storage is at migration {current} of {head}"
            yield _about.warning("storage", words, "Back it up, then run `dagster instance migrate`")
    if not told["monitors_runs"]:
        words = "runs are not monitored, so that one that was killed counts as at work for ever"
        yield _about.warning("run monitoring", words, "Set run_monitoring: enabled: true in dagster.yaml")
    yield from _daemons(told["daemons"], now, is_daemon_needed=is_daemon_needed)
    yield from _runs(told)
    yield from _instigators(told["instigators"])


def _daemons(daemons: Mapping[str, Any], now: datetime, *, is_daemon_needed: bool) -> Iterator[Finding]:
    make = _about.problem if is_daemon_needed else _about.warning
    remedy = "Start it: `sophia ui`, or the service dagster-daemon; until then nothing is read or written by itself"
    beats = {name: each["heartbeat"] for name, each in daemons.items()}
    if not any(beats.values()):
        words = "no daemon has ever run here, so that nothing is read or written by itself"
        yield make("daemon", words, remedy) if is_daemon_needed else _about.skipped("daemon", words, "Run `sophia ui`")
        return
    dead = {
        name: datetime.fromtimestamp(beat, UTC) if beat else None
        for name, beat in beats.items()
        if not beat or now - datetime.fromtimestamp(beat, UTC) > _DEAD_AFTER
    }
    if len(dead) == len(daemons):
        last = max(moment for moment in dead.values() if moment)
        words = (
            f"the daemon ran here and is not running now: no sign of it since its last heartbeat, {_since(last, now)}"
        )
        yield make("daemon", words, remedy)
        return
    if dead:
        words = f"parts of the daemon do not run: {_some(list(dead))}"
        yield make("daemon", words, "See the daemon's log, and start it again")
    for name, each in daemons.items():
        if each["errors"] and name not in dead:
            words = f"the daemon's {name.lower()} part fails: {each['errors'][0]}"
            yield _about.warning("daemon", words, "See the daemon's log")
    if not dead:
        yield _about.ok("daemon", f"all {len(daemons)} parts of it run")


def _runs(told: Mapping[str, Any]) -> Iterator[Finding]:
    lost, waiting = told["lost_runs"], told["queued_runs"]
    if lost:
        words = f"{len(lost)} runs count as at work, and their process is gone: {_some(lost)}"
        remedy = "The daemon ends them by itself within a minute; or end them in the UI: Runs > Terminate"
        yield _about.problem("runs", words, remedy)
    if waiting > _MANY_WAITING:
        remedy = "See that the daemon runs, and concurrency.runs in dagster.yaml"
        yield _about.warning("runs", f"{waiting} runs wait for their turn", remedy)
    if not lost and waiting <= _MANY_WAITING:
        yield _about.ok("runs", f"{told['running_runs']} at work, {waiting} waiting, none lost")


def _instigators(instigators: list[Mapping[str, Any]]) -> Iterator[Finding]:
    off = [each["name"] for each in instigators if each["status"] == "STOPPED"]
    if off:
        words = f"somebody has switched off {_some(off)}"
        yield _about.warning("schedules and sensors", words, "Switch them on in the UI: Automation, or leave them off")
    for each in instigators:
        if each.get("error"):
            words = f"the last tick of {each['name']} failed: {each['error']}"
            yield _about.warning("schedules and sensors", words, "See the tick in the UI: Automation")
    if not off and instigators:
        yield _about.ok("schedules and sensors", f"none of {len(instigators)} is switched off")


def _since(moment: datetime, now: datetime) -> str:
    """Such as `2026-11-20 07:00 UTC (60 minutes ago)`."""
    minutes = (now - moment) // timedelta(minutes=1)
    ago = f"{minutes} minutes" if minutes < 180 else length_in_words(now - moment)
    return f"{moment:%Y-%m-%d %H:%M} UTC ({ago} ago)"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more
