"""One whole run in one process: reach the systems, read them, check, model, write the briefing.

This is what `sophia run` does. The scheduler does the same in runs of its own, through the same assets.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sophia_assets.errors import ConfigurationError, DateOutOfRange, SophiaError
from sophia_assets.home import CompanyIdentity, Home, history_start_of, home_for, make_current
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.interrupts import remembered_interrupts
from sophia_assets.quality.tables import cross_table_checks
from sophia_assets.sandbox.config import EARLIEST_SIMULATED_DAY, default_start
from sophia_assets.services import Services
from sophia_assets.settings import Settings
from sophia_assets.sources import registry
from sophia_assets.telemetry.logs import bound, writes_json

if TYPE_CHECKING:
    from sophia_assets.sandbox.launch import RunningSandbox

Say = Callable[[str], None]

# Each run of checks costs something of its own, so that several systems are waited for.
_CHECKED_TOGETHER = 3


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked for: `day` None means the last complete one, `seed` and `data_dir` the company."""

    day: date | None = None
    seed: int | None = None
    days: int | None = None
    data_dir: Path | None = None


@dataclass
class RunOutcome:
    """What a run did. `failures` are one line per system that could not be read."""

    day: date
    home: Home
    duration_s: float
    rows: dict[str, int]
    checks: dict[str, Any]
    loads: dict[str, dict[str, int]]
    failures: list[SophiaError | str] = field(default_factory=list)


def run_once(settings: Settings, request: RunRequest, say: Say) -> RunOutcome:
    """Runs everything for one day. `say` gets a line per step.

    Raises SophiaError where no briefing could be written. A system that could not be read does not
    raise: it is named in `failures`, and the briefing says so.
    """
    began = time.monotonic()
    held = home_for(settings, _wanted_company(settings, request))
    held.prepare()
    with ExitStack() as stack:
        stack.enter_context(only_run(held))
        raise_if_interrupted = stack.enter_context(remembered_interrupts())
        company, day, sandbox = _reach(settings, request, held, stack, say)
        addresses = sandbox.endpoints.env if sandbox else None
        _refuse_before(
            day, history_start_of(company, settings), "the first day of the history, see SOPHIA_HISTORY_START"
        )
        services = Services(settings, held, progress=_progress(say), sandbox_env=addresses)
        stack.callback(services.close)
        _ = services.warehouse
        # A credential that is missing is known before anything is read.
        for system in settings.live_systems:
            settings.connection(system, None)
        held.record_company(company)
        make_current(settings, held)
        execution = _Execution(services, day, say, raise_if_interrupted)
        stack.enter_context(execution.instance)
        try:
            failures = execution.read_systems()
            checks = execution.check_tables()
            execution.write_briefing()
        except SophiaError:
            execution.look_at_health()
            raise
        execution.look_at_health()
        return RunOutcome(
            day=day,
            home=held,
            duration_s=round(time.monotonic() - began, 2),
            rows=services.warehouse.row_counts(),
            checks=checks,
            loads=execution.loads,
            failures=failures,
        )


def _wanted_company(settings: Settings, request: RunRequest) -> CompanyIdentity:
    if not settings.uses_sandbox:
        if set(settings.modes.values()) == {"off"}:
            raise ConfigurationError(
                "every system is off", remedy="Set at least one SOPHIA_<SYSTEM>_MODE to sandbox or live"
            )
        if request.seed is not None or request.data_dir is not None:
            raise ConfigurationError(
                "--seed and --data choose the sandbox's company, and no system is read from the sandbox",
                remedy="Leave them out, or set SOPHIA_<SYSTEM>_MODE=sandbox without a base URL of your own",
            )
        return CompanyIdentity("live", name=settings.company_name)
    settled: dict[str, Any] = {"live": settings.live_systems, "timezone": settings.timezone}
    if request.data_dir is not None:
        if not request.data_dir.is_dir():
            raise ConfigurationError(f"{request.data_dir} is not a folder", remedy="Give --data a folder of exports")
        return CompanyIdentity("exports", data_dir=str(request.data_dir.resolve()), **settled)
    if request.seed is None:
        held = Home(settings.base_home).company()
        if held is not None and held.kind != "live" and held.is_same_company(replace(held, **settled)):
            return held
    seed = settings.seed if request.seed is None else request.seed
    return CompanyIdentity("simulated", seed=seed, **settled)


def _reach(
    settings: Settings, request: RunRequest, home: Home, stack: ExitStack, say: Say
) -> tuple[CompanyIdentity, date, RunningSandbox | None]:
    """Starts the sandbox where one is needed, and settles which company and which day the run is for."""
    company = home.company() or _wanted_company(settings, request)
    yesterday = datetime.now(settings.tzinfo).date() - timedelta(days=1)
    if request.day and request.day > yesterday:
        raise DateOutOfRange(f"{request.day} is not over yet", remedy=f"The last complete day is {yesterday}")
    if company.kind == "live":
        return company, request.day or yesterday, None
    from sophia_assets.sandbox.config import SandboxConfig
    from sophia_assets.sandbox.launch import start_sandbox

    if company.live:
        say(_mixed(company.live))
    config = SandboxConfig(timezone=settings.timezone, port=0, parent_pid=os.getpid())
    if company.kind == "exports":
        say(f"Serving the exports in {company.data_dir}")
        config = replace(config, data_dir=Path(str(company.data_dir)))
    else:
        day = request.day or yesterday
        start = date.fromisoformat(company.start) if company.start else _history_start(day, request.days)
        _refuse_before(day, start)
        known = date.fromisoformat(company.last_day) if company.last_day else day
        company = replace(company, start=start.isoformat())
        say(f"Starting the sandbox: the simulated company of seed {company.seed}, {start} to {max(day, known)}")
        config = replace(config, seed=int(company.seed or 0), start=start, as_of=max(day, known))
    sandbox = stack.enter_context(start_sandbox(config, wait_for=None))
    # Importing Dagster takes as long as the sandbox takes to start, so both happen at once.
    import dagster_pandas  # noqa: F401

    endpoints = sandbox.wait("listening")
    for warning in endpoints.warnings:
        say(f"  {warning}")
    day = request.day or min(endpoints.last_day, yesterday)
    _refuse_before(day, endpoints.first_day)
    off = tuple(name for name in registry.SYSTEMS if endpoints.env.get(f"SOPHIA_{name.upper()}_MODE") == "off")
    company = replace(
        company,
        name=endpoints.company,
        first_day=endpoints.first_day.isoformat(),
        last_day=endpoints.last_day.isoformat(),
        off=off,
    )
    return company, day, sandbox


def _mixed(live: Sequence[str]) -> str:
    from sophia_assets.settings.profile import mixture

    found = mixture(live)
    return f"Attention: {found.message}. {found.remedy}"


def _history_start(day: date, days: int | None) -> date:
    _refuse_before(day, EARLIEST_SIMULATED_DAY, "the first that can be simulated")
    if days is not None:
        return day - timedelta(days=days - 1)
    return default_start(day)


def _refuse_before(day: date, first: date, what: str = "the company's first day") -> None:
    if day < first:
        raise DateOutOfRange(f"{day} lies before {first}, {what}", remedy=f"Choose a date from {first} on")


class _Execution:
    """The Dagster runs of one day, in this process, on the home's instance."""

    def __init__(self, services: Services, day: date, say: Say, raise_if_interrupted: Callable[[], None]) -> None:
        import dagster as dg

        from sophia_assets.definitions import build_definitions
        from sophia_assets.orchestration import jobs
        from sophia_assets.orchestration.instance import instance_for
        from sophia_assets.orchestration.launching import LAUNCHED_BY_TAG, MACHINE_TAG, PROCESS_TAG, flag_tags
        from sophia_assets.orchestration.lost_runs import settle_lost_runs, this_machine

        self.services, self.day, self.say = services, day, say
        self.raise_if_interrupted = raise_if_interrupted
        self.dg, self.jobs = dg, jobs
        self.loads: dict[str, dict[str, int]] = {}
        self._unchecked: list[str] = []
        self._checks = {"passed": 0, "warned": 0, "failed": 0, "not_run": 0}
        self._problems: list[str] = []
        self._tags = {
            LAUNCHED_BY_TAG: "sophia run",
            PROCESS_TAG: str(os.getpid()),
            MACHINE_TAG: this_machine(),
            **flag_tags(services),
        }
        resource = dg.ResourceDefinition.hardcoded_resource(services)
        self.definitions = build_definitions({"services": resource}, services.home)
        self.instance = instance_for(services.home, services.settings, runs_here=True)
        # Where no daemon runs, nobody else ends what was killed.
        settle_lost_runs(self.instance)

    def read_systems(self) -> list[SophiaError | str]:
        """Reads every connected system in a run of its own; returns what failed.

        Systems that have been read are checked while others are still being read, as soon as the validation worker
        is there.
        """
        as_they_come = self.services.start_reading(self.services.connected, self.services.span(self.day, self.day))
        _ = self.services.quality
        failures: list[SophiaError | str] = []
        for system in as_they_come:
            self.say(f"Reading {registry.display_name(system)}")
            keys = {self.dg.AssetKey([table.system, table.name]) for table in registry.tables(system)}
            result = self._execute(self.jobs.ingest_job_name(system), assets=keys, day=self.day)
            for event in result.get_asset_materialization_events():
                self._remember(event.materialization)
            if not result.success:
                failures.append(_why(result))
            self._unchecked.append(system)
            if len(self._unchecked) >= _CHECKED_TOGETHER and self.services.quality.is_ready:
                self._check([key for key in self._check_keys(self._unchecked) if not self._looks_across(key)])
                self._unchecked.clear()
        return failures

    def check_tables(self) -> dict[str, Any]:
        """Runs every check that has not been run yet; returns counts and what did not pass.

        Checks that look across tables come last, when all tables are there.
        """
        self.say("Checking what was read")
        across = [key for key in self._check_keys(self.services.connected) if self._looks_across(key)]
        self._check([*across, *(key for key in self._check_keys(self._unchecked) if key not in across)])
        return {**self._checks, "problems": self._problems}

    def _check_keys(self, systems: Collection[str]) -> list[Any]:
        from sophia_assets.orchestration.circuit_checks import CIRCUIT_CLOSED

        every = self.definitions.resolve_asset_graph().asset_check_keys
        return [key for key in every if key.asset_key.path[0] in systems and key.name != CIRCUIT_CLOSED]

    def _looks_across(self, key: Any) -> bool:
        return key.name in cross_table_checks(registry.table(".".join(key.asset_key.path)))

    def _check(self, keys: Collection[Any]) -> None:
        if not keys:
            return
        result = self._execute(self.jobs.CHECK_JOB, checks=set(keys))
        evaluations = result.get_asset_check_evaluations()
        failed = [evaluation for evaluation in evaluations if not evaluation.passed]
        warned = [item for item in failed if item.severity == self.dg.AssetCheckSeverity.WARN]
        for item in failed:
            word = "warning" if item in warned else "FAILED"
            observed = item.metadata["observed"].value
            self.say(f"  {'.'.join(item.asset_key.path)}: {item.check_name}: {word}, {observed}")
        if not result.success:
            self.say(f"  {len(keys) - len(evaluations)} checks could not run: {_why(result)}")
        self._checks["passed"] += len(evaluations) - len(failed)
        self._checks["warned"] += len(warned)
        self._checks["failed"] += len(failed) - len(warned)
        self._checks["not_run"] += len(keys) - len(evaluations)
        self._problems += [f"{'.'.join(item.asset_key.path)}.{item.check_name}" for item in failed]

    def write_briefing(self) -> None:
        """Builds models and facts and writes the briefing, and the review of a week that ends on this day.

        Raises SophiaError where that fails.
        """
        from sophia_assets.orchestration.delivery_assets import delivered_key

        self.say("Building models, facts and the briefing")
        graph = self.definitions.resolve_asset_graph()
        groups = {"staging", "marts", "insight"}
        review = self.dg.AssetKey(["insight", WEEKLY.key])
        keys = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name in groups} - {review}
        self._write(self.jobs.BRIEFING_JOB, "the briefing", keys | {delivered_key(DAILY)}, self.day)
        monday = self.day - timedelta(days=WEEKLY.days - 1)
        weeks = self.definitions.resolve_job_def(self.jobs.WEEKLY_JOB).partitions_def
        if WEEKLY.is_due(self.day) and weeks and weeks.has_partition_key(monday.isoformat()):
            self.say("Writing the week's business review")
            self._write(self.jobs.WEEKLY_JOB, "the weekly review", {review, delivered_key(WEEKLY)}, monday)

    def _write(self, job: str, what: str, keys: set[Any], partition: date) -> None:
        """Makes the assets with their checks, and says which of these did not pass."""
        checks = {key for key in self.definitions.resolve_asset_graph().asset_check_keys if key.asset_key in keys}
        result = self._execute(job, assets=keys, checks=checks, day=partition)
        if not result.success:
            raise SophiaError(f"{what} could not be written ({_why(result)})", remedy="See the run in `make ui`")
        for evaluation in result.get_asset_check_evaluations():
            if not evaluation.passed:
                word = "warning" if evaluation.severity == self.dg.AssetCheckSeverity.WARN else "FAILED"
                self.say(f"  {'.'.join(evaluation.asset_key.path)}: {evaluation.check_name}: {word}")

    def look_at_health(self) -> None:
        """Shows in the UI what is broken now, whether or not the briefing could be written."""
        from sophia_assets.orchestration.circuit_checks import publish_changes
        from sophia_assets.orchestration.health_assets import BROKEN_NOW, CIRCUITS, FRESHNESS, HEALTH_JOB

        publish_changes(self.instance, self.services, datetime.now(UTC))
        keys = {BROKEN_NOW, CIRCUITS, FRESHNESS}
        checks = {key for key in self.definitions.resolve_asset_graph().asset_check_keys if key.asset_key in keys}
        self._execute(HEALTH_JOB, assets=keys, checks=checks)

    def _execute(
        self,
        job_name: str,
        *,
        assets: set[Any] | None = None,
        checks: set[Any] | None = None,
        day: date | None = None,
    ) -> Any:
        job = self.definitions.resolve_job_def(job_name).get_subset(
            asset_selection=frozenset(assets or ()), asset_check_selection=frozenset(checks or ())
        )
        # In a terminal, what the command says itself is enough.
        level = self.services.settings.logs.level.upper() if writes_json() else "CRITICAL"
        run_id = str(uuid4())
        with bound(run_id=run_id, job=job_name):
            result = job.execute_in_process(
                instance=self.instance,
                partition_key=day.isoformat() if day else None,
                tags=self._tags,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": level}}}},
                run_id=run_id,
            )
        self.raise_if_interrupted()
        return result

    def _remember(self, materialization: Any) -> None:
        metadata = materialization.metadata
        counts = {short: int(metadata[name].value) for short, name in _COUNTS.items()}
        table = ".".join(materialization.asset_key.path)
        self.loads[table] = counts
        total = int(metadata["dagster/row_count"].value)
        gone = f", {counts['deleted']:,} deleted" if counts["deleted"] else ""
        self.say(f"  {table}: {total:,} rows, {counts['new']:,} new, {counts['changed']:,} changed{gone}")


_COUNTS = {"new": "rows new", "changed": "rows changed", "deleted": "rows deleted", "unchanged": "rows as they were"}


def _why(result: Any) -> str:
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data:
            return str(event.step_failure_data.user_failure_data.description)
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            return " ".join((error.cause or error).message.split())[:300]
    return "the run failed before its first step"


def _progress(say: Say) -> Callable[[str, int], None]:
    told: dict[str, int] = {}

    def progress(table: str, rows: int) -> None:
        if rows - told.get(table, 0) >= 10_000:
            told[table] = rows
            say(f"  {table}: {rows:,} rows read so far")

    return progress


@contextmanager
def only_run(home: Home) -> Iterator[None]:
    """Refuses a second run in the same home at the same time; so does a change of its encryption."""
    with home.run_lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise SophiaError(
                f"another run (process {lock.read().strip() or 'unknown'}) is working in {home.path}",
                remedy="Wait until it ends, or give this one a SOPHIA_HOME of its own",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


__all__: Sequence[str] = ("RunOutcome", "RunRequest", "run_once")
