"""The steps of a drill: what is done, what is waited for, and where each is seen in Dagster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from sophia_assets.drill.dagster_api import DagsterApi, DagsterError, Run, Tick
from sophia_assets.drill.place import Days, Faults, Place, place_for, rows_read
from sophia_assets.drill.report import Report, Step, timeline
from sophia_assets.errors import SophiaError
from sophia_assets.insight.slots import day_phrase
from sophia_assets.sources import registry

CHECK = "circuit_closed"
PROBE_JOB = "probe_system"
BRIEFING_JOB = "daily_briefing"
BRIEFING = "insight.daily_briefing"
# A step that takes longer than this (seconds) is one that does not happen.
LONGEST_STEP_S = 240.0
_LOOK_S = 0.5
_MISSED_DAYS = 2

Say = Callable[[str], None]
Seen = TypeVar("Seen")


class NotSeen(SophiaError):
    """Something that a drill was to see did not happen."""


@dataclass(frozen=True)
class DrillRequest:
    """What is drilled: the system, the fault that its stand-in plays, whether the home is kept.

    `while_open` is called with the address of Dagster's UI while the circuit is open, before the system is healed.
    """

    system: str
    fault: str = "down"
    keep: bool = False
    while_open: Callable[[str], None] | None = None


def run_drill(request: DrillRequest, say: Say) -> Report:
    """Drills a system; `say` gets a line per step. What does not happen is in the report's `problem`.

    Raises nothing but what comes from outside, such as KeyboardInterrupt, after everything was cleared away.
    """
    began = time.monotonic()
    report = Report(request.system, request.fault)
    companion = "hubspot" if request.system != "hubspot" else "linear"
    days = Days.until(datetime.now(UTC), _MISSED_DAYS)
    with place_for(request.system, companion, days, keep=request.keep) as place:
        report.folder = str(place.folder) if request.keep else None
        drill = Drill(place, request, companion, report, began, say)
        try:
            drill.run()
        except SophiaError as error:
            report.problem = str(error)
        report.ticks = drill.ticks_so_far()
        drill.api.close()
    report.duration_s = time.monotonic() - began
    return report


class Drill:
    """One drill in its place."""

    def __init__(
        self, place: Place, request: DrillRequest, companion: str, report: Report, began: float, say: Say
    ) -> None:
        self.place, self.days, self.request, self.report = place, place.days, request, report
        self.system, self.companion = request.system, companion
        self.name = registry.display_name(self.system)
        self.sensor = f"circuit_{self.system}"
        self.tables = [table.qualified_name for table in registry.tables(self.system)]
        self.api = DagsterApi(place.address)
        self._began, self._say = began, say

    def run(self) -> None:
        """All steps, in order. Raises NotSeen at the first that does not happen."""
        faults = self._first_briefing()
        self._fail(faults)
        self._asked()
        self._opened()
        self._companion_is_read()
        self._briefing()
        if self.request.while_open:
            self.request.while_open(self.place.address)
        healed = self._heal(faults)
        self._probed(healed)
        self._filled(healed)
        self._rests()

    def ticks_so_far(self) -> list[Tick]:
        """The sensor's ticks, as far as Dagster can be asked."""
        try:
            return self.api.ticks(self.sensor)
        except DagsterError:
            return []

    def _first_briefing(self) -> Faults:
        first_run = self.place.start_first_run()
        # All of this takes seconds, and nobody has to wait for it.
        self.place.start_code_server()
        self.place.configure_dagster()
        faults = self.place.start_sandbox()
        self._await("the first run ends", lambda: first_run.process.poll() is not None, minding=False)
        self.place.children.forget(first_run)
        self._seen(f"{self.days.read} is read and briefed", f"{rows_read(first_run):,} rows by `sophia run`")
        return faults

    def _fail(self, faults: Faults) -> None:
        faults.add(f"{self.system}:{self.request.fault}")
        self._seen(f"{self.name} fails", f"the stand-in plays `{self.request.fault}`")
        self._await("the code server listens", lambda: self.place.is_code_server_listening)
        self.place.start_dagster()
        self._await("Dagster has loaded the definitions", self.api.is_loaded)
        if self.sensor not in self.api.sensors():
            raise NotSeen(f"Dagster has no sensor {self.sensor}")
        for system in set(registry.SYSTEMS) - {self.system, self.companion}:
            # It is off, so that its sensor would only take time.
            self.api.stop_sensor(f"circuit_{system}")
        self._seen("Dagster's daemon runs", self.place.address)

    def _asked(self) -> None:
        run = self._await(
            f"the sensor {self.sensor} asks for the missed days", lambda: next(iter(self._sensor_runs()), None)
        )
        self._seen("Its sensor asks for what is due", f"run {run.short_id} of {run.job}, {_days_in_words(run)}")

    def _sensor_runs(self) -> list[Run]:
        return self.api.runs(f"ingest_{self.system}", tags={"dagster/sensor_name": self.sensor})

    def _opened(self) -> None:
        waiting = list(self.tables)
        self._await(f"the check {CHECK} warns on every table of {self.name}", lambda: self._drained(waiting, _warns))
        told = datetime.now(UTC)
        failed = self._sensor_runs()[-1]
        why = self.api.failures_of(failed.id)
        self._seen("The run fails, the circuit opens", why[0] if why else f"run {failed.short_id}: {failed.status}")
        unobserved = [table for table in self.tables if not self.api.observations(table)]
        if unobserved:
            raise NotSeen(f"the change was not observed on {', '.join(unobserved)}")
        self._seen("Every table says so", f"{CHECK} warns on {len(self.tables)} tables, each with an observation")
        tick = self._await(
            f"the sensor {self.sensor} skips", lambda: self._first_tick(told, lambda tick: tick.skip_reason)
        )
        self._seen("The sensor says why it waits", str(tick.skip_reason))

    def _drained(self, waiting: list[str], is_so: Callable[[DagsterApi, str], bool]) -> bool:
        """Takes from the front of `waiting` the tables that are as wanted; whether none is left."""
        while waiting and is_so(self.api, waiting[0]):
            waiting.pop(0)
        return not waiting

    def _first_tick(self, since: datetime, is_wanted: Callable[[Tick], object]) -> Tick | None:
        return next((tick for tick in self.api.ticks(self.sensor) if tick.at >= since and is_wanted(tick)), None)

    def _companion_is_read(self) -> None:
        name, day = registry.display_name(self.companion), self.days.last.isoformat()
        waiting = [table.qualified_name for table in registry.tables(self.companion)]
        self._await(f"{name} is read", lambda: self._drained(waiting, lambda api, table: _is_filled(api, table, day)))
        self._seen(f"{name} is read all the same", f"{len(registry.tables(self.companion))} tables up to {day}")

    def _briefing(self) -> None:
        day = self.days.last.isoformat()
        run_id = self.api.launch(BRIEFING_JOB, partition=day)
        run = self._await("the briefing's run ends", lambda: _ended(self.api.run(run_id)))
        if not run.went_well:
            raise NotSeen(f"the briefing was not written ({'; '.join(self.api.failures_of(run_id)) or run.status})")
        written = self.api.materialization(BRIEFING, day)
        if written is None or written.run_id != run_id:
            raise NotSeen(f"run {run.short_id} went well, but Dagster shows no briefing of {day} by it")
        told = _sentence_on_staleness(self.name, written.metadata)
        self._seen("The briefing is written and says so", told)

    def _heal(self, faults: Faults) -> datetime:
        healed = datetime.now(UTC)
        faults.clear(self.system)
        self._seen(f"{self.name} is healed", "the stand-in plays no fault")
        return healed

    def _probed(self, healed: datetime) -> None:
        waiting = list(self.tables)
        self._await(
            f"the check {CHECK} passes on every table of {self.name}",
            lambda: self._drained(waiting, lambda api, table: _passes_since(api, table, healed)),
        )
        self._await("all probes have ended", lambda: all(run.has_ended for run in self._probes()))
        probes = self._probes()
        well, after = [run for run in probes if run.went_well], [run for run in probes if run.created >= healed]
        keys = [run.run_key for run in probes]
        if len(well) != 1 or len(after) > 1 or len(set(keys)) != len(keys):
            raise NotSeen(f"one probe was to close the circuit, but there were {', '.join(keys) or 'none'}")
        before = len(probes) - 1
        self._seen(
            "One probe goes out and comes back",
            f"run {well[0].short_id}, {well[0].run_key}" + (f"; {before} failed before" if before else ""),
        )
        self._seen("The circuit closes", f"{CHECK} passes on {len(self.tables)} tables")

    def _probes(self) -> list[Run]:
        """The drilled system's probes, the newest first."""
        return [run for run in self.api.runs(PROBE_JOB) if run.run_key.startswith(f"probe:{self.system}:")]

    def _filled(self, healed: datetime) -> None:
        days = [day.isoformat() for day in self.days.missed]
        waiting = [f"{table} {day}" for table in self.tables for day in days]

        def is_filled(api: DagsterApi, place: str) -> bool:
            table, day = place.split()
            return _is_filled(api, table, day)

        self._await(f"all missed days of {self.name} are filled", lambda: self._drained(waiting, is_filled))
        asked = [run for run in self._sensor_runs() if run.created >= healed]
        runs = ", ".join(f"run {run.short_id} for {_days_in_words(run)}" for run in reversed(asked))
        self._seen("The missed days are filled", f"{', '.join(days)} of {len(self.tables)} tables, by {runs}")

    def _rests(self) -> None:
        filled = datetime.now(UTC)
        tick = self._await("the sensor rests", lambda: self._first_tick(filled, lambda tick: tick.skip_reason))
        self._seen("The sensor rests", str(tick.skip_reason))

    def _await(self, what: str, look: Callable[[], Seen | None], *, minding: bool = True) -> Seen:
        """What `look` gives as soon as that is true. Raises NotSeen after LONGEST_STEP_S, SophiaError where a process
        of the drill ends meanwhile (where `minding`)."""
        until = time.monotonic() + LONGEST_STEP_S
        while not (found := look()):
            if minding:
                self.place.children.raise_if_one_ended()
            if time.monotonic() > until:
                raise NotSeen(f"waited {LONGEST_STEP_S:.0f} s in vain until {what}", remedy=self._where_to_look())
            time.sleep(_LOOK_S)
        return found

    def _where_to_look(self) -> str:
        said = timeline(self.ticks_so_far())
        last = f"; its last tick says: {said[-1].says}" if said else ", which has no tick yet"
        return f"Look at the sensor {self.sensor}{last}"

    def _seen(self, what: str, seen: str) -> None:
        step = Step(what, time.monotonic() - self._began, seen)
        self.report.steps.append(step)
        self._say(step.line())


def _warns(api: DagsterApi, table: str) -> bool:
    check = api.check(table, CHECK)
    return check is not None and not check.passed and check.severity == "WARN"


def _passes_since(api: DagsterApi, table: str, since: datetime) -> bool:
    check = api.check(table, CHECK)
    return check is not None and check.passed and check.at >= since


def _is_filled(api: DagsterApi, table: str, day: str) -> bool:
    return api.materialization(table, day) is not None


def _ended(run: Run) -> Run | None:
    return run if run.has_ended else None


def _days_in_words(run: Run) -> str:
    return f"{run.first_day}" if run.first_day == run.last_day else f"{run.first_day} to {run.last_day}"


def _sentence_on_staleness(name: str, metadata: Mapping[str, str]) -> str:
    """What the briefing says of the system. Raises NotSeen where it does not say up to when its data reaches."""
    rows = [[cell.strip() for cell in row.split("|")] for row in metadata.get("sources", "").splitlines()]
    newest = next((row[3] for row in rows if len(row) > 3 and row[1] == name), "")
    reaches = day_phrase(date.fromisoformat(newest)) if newest else "some day"
    sentences = re.split(r"(?<=[.!?])\s+|\n+", metadata.get("briefing", ""))
    found = [sentence.strip("- ") for sentence in sentences if name in sentence and reaches in sentence]
    if not found:
        raise NotSeen(f"the briefing does not say that {name}'s data reaches to {reaches}")
    return found[0]
