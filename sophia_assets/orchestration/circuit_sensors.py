"""One sensor per system acts as its circuit breaker: it asks for what is due, waits where it must, and says why.

A sensor keeps nothing between its ticks: what was asked for is read from the runs themselves, so that no kill, lost
cursor or second daemon can make it forget, or ask twice.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES, RunRecord

from sophia_assets.control.breaker import Circuit, Verdict, admit
from sophia_assets.control.wording import in_words
from sophia_assets.errors import SophiaError
from sophia_assets.ingestion.due_windows import Asked, DayRange, ask_again_at, last_day_due, next_range, read_time
from sophia_assets.orchestration.circuit_checks import publish_changes, table_keys
from sophia_assets.orchestration.circuit_jobs import PROBE_JOB, PROBE_OP
from sophia_assets.orchestration.jobs import CHECK_JOB, ingest_job_name
from sophia_assets.orchestration.launching import MAX_RUNTIME_TAG, PROCESS_TAG, flag_tags
from sophia_assets.orchestration.lost_runs import GONE, is_lost, is_of_this_machine
from sophia_assets.quality.tables import check_names
from sophia_assets.services import Services
from sophia_assets.sources import registry

WINDOW_TAG = "sophia/window"
CIRCUIT_TAG = "sophia/circuit"
PROBE_TAG = "sophia/probe"
CHECKS_TAG = "sophia/checks_of"

# A run that is created, and not started after so long, was forgotten by whoever wanted to launch it.
_LAUNCHED_WITHIN = timedelta(minutes=10)
_MOST_RUNS_LOOKED_AT = 20
# A probe is cheap and everything waits for it.
_BEFORE_OTHERS = {"dagster/priority": "10"}

Answer = dg.RunRequest | dg.SkipReason


def _now() -> datetime:
    return datetime.now(UTC)


def circuit_sensors(
    jobs: Sequence[Any],
    probe_job: dg.JobDefinition,
    seconds: int,
    *,
    services: Callable[[], Services] = Services.from_environment,
    clock: Callable[[], datetime] = _now,
) -> list[dg.SensorDefinition]:
    """The sensors `circuit_<system>`, which look every so many seconds; `jobs` are those that read the systems, and the
    one that checks what was read."""
    by_name = {job.name: job for job in jobs}
    return [
        _sensor(system, [by_name[ingest_job_name(system)], by_name[CHECK_JOB], probe_job], seconds, services, clock)
        for system in registry.SYSTEMS
    ]


def _sensor(
    system: str,
    jobs: Sequence[Any],
    seconds: int,
    services_of: Callable[[], Services],
    clock: Callable[[], datetime],
) -> dg.SensorDefinition:
    name = registry.display_name(system)

    @dg.sensor(
        name=f"circuit_{system}",
        jobs=jobs,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Reads {name} every day before the briefing is written, and what was missed as soon as that is possible; "
            "what was read is checked in a run of its own. "
            "While its circuit is open it says why, and since and until when; it has it probed when that is due."
        ),
    )
    def look(context: dg.SensorEvaluationContext) -> Answer:
        services = services_of()
        try:
            return _Look(system, services, context.instance, clock()).answer()
        except SophiaError as error:
            return dg.SkipReason(f"{name} cannot be looked after: {error}")
        finally:
            services.close()

    return look


class _Look:
    """One look at one system."""

    def __init__(self, system: str, services: Services, instance: dg.DagsterInstance, now: datetime) -> None:
        self._system, self._services, self._instance, self._now = system, services, instance, now
        self._name = registry.display_name(system)
        self._timezone = services.settings.tzinfo

    def answer(self) -> Answer:
        """What to launch now, or why nothing."""
        settings = self._services.settings
        if self._system not in self._services.connected:
            return dg.SkipReason(f"{self._name} is not connected, so there is nothing to read.")
        publish_changes(self._instance, self._services, self._now, [self._system])
        if settings.is_sandboxed(self._system) and self._services.connections.sandbox_env is None:
            return dg.SkipReason("The sandbox is not running. Start it with `sophia sandbox up`.")
        if flag := self._services.switched_off_by(self._system):
            return dg.SkipReason(f"{self._name} is not read while the flag {flag} is off; the last good data serves.")
        circuit = self._services.circuits.get(self._system)
        admission = admit(circuit, self._now, self._services.connections.account(self._system))
        if admission.verdict is Verdict.PROBE_DUE:
            return self._probe(circuit)
        if not admission.is_allowed:
            return dg.SkipReason(f"{self._name} is not asked. Its circuit is {self._words(circuit)}.")
        return self._read(circuit)

    def _words(self, circuit: Circuit) -> str:
        return in_words(circuit, self._now, self._timezone)

    def _probe(self, circuit: Circuit) -> Answer:
        """Asks for the probe, and again under another key where a run has ended without making it."""
        lease = self._services.settings.breaker_policy(self._system).lease
        earlier = self._runs({PROBE_TAG: circuit.probe_key})
        if earlier and (self._is_under_way(earlier[0]) and self._now - earlier[0].create_timestamp < lease):
            return dg.SkipReason(f"{self._name} is about to be probed. Its circuit is {self._words(circuit)}.")
        if earlier:
            wait = min(lease * 2 ** min(len(earlier) - 1, 10), timedelta(hours=1))
            if self._now < earlier[0].create_timestamp + wait:
                return dg.SkipReason(
                    f"{self._name} was to be probed, but run {earlier[0].dagster_run.run_id[:8]} has not done so; it "
                    f"is asked for again at {self._moment(earlier[0].create_timestamp + wait)}."
                )
        return dg.RunRequest(
            run_key=f"{circuit.probe_key}:{len(earlier)}" if earlier else circuit.probe_key,
            job_name=PROBE_JOB,
            run_config={"ops": {PROBE_OP: {"config": {"system": self._system}}}},
            tags={
                PROBE_TAG: circuit.probe_key,
                # A probe that is not over by then is lost.
                MAX_RUNTIME_TAG: str(max(1, int(lease.total_seconds() * 0.75))),
                **_BEFORE_OTHERS,
                **flag_tags(self._services),
            },
        )

    def _read(self, circuit: Circuit) -> Answer:
        """Asks for the newest days that are missing, unless something is being read or they have just failed."""
        settings = self._services.settings
        last = last_day_due(self._now, settings.briefing_hour, self._timezone)
        earliest = self._services.home.history_start(settings)
        filled = {key: self._instance.get_materialized_partitions(key) for key in table_keys(self._system)}
        due = next_range(earliest, last, list(filled.values())) if last >= earliest else None
        if due is None and (unchecked := self._unchecked()):
            return unchecked
        if due is None:
            following = read_time(last + timedelta(days=1), settings.briefing_hour, self._timezone)
            return dg.SkipReason(
                f"{self._name} was read up to {last}, and its circuit is {self._words(circuit)}; the next day is due "
                f"at {self._moment(following)}."
            )
        if run_id := self._run_under_way():
            return dg.SkipReason(f"{due} of {self._name} is due, after run {run_id[:8]}, which is reading it.")
        return self._request(due, filled, circuit)

    def _request(self, due: DayRange, filled: Mapping[dg.AssetKey, set[str]], circuit: Circuit) -> Answer:
        window = f"{self._system}:{due.first}:{due.last}"
        stamp = f"{circuit.change_seq}:{circuit.not_before.isoformat() if circuit.not_before else ''}"
        asked = [
            Asked(record.update_timestamp, record.dagster_run.tags.get(CIRCUIT_TAG, ""))
            for record in reversed(self._runs({WINDOW_TAG: window}))
        ]
        again = ask_again_at(asked, stamp, does_not_answer=circuit.consecutive_failures > 0)
        if again and self._now < again:
            return dg.SkipReason(
                f"{due} of {self._name} could not be read {_times(len(asked))}, see the last run of the job "
                f"{ingest_job_name(self._system)}; it is asked for again at {self._moment(again)}."
            )
        missing = [key for key, days in filled.items() if not all(day in days for day in due.days())]
        range_tags = {
            "dagster/asset_partition_range_start": due.first.isoformat(),
            "dagster/asset_partition_range_end": due.last.isoformat(),
        }
        return dg.RunRequest(
            run_key=f"{window}:{circuit.open_seq}:{len(asked)}",
            job_name=ingest_job_name(self._system),
            partition_key=due.last.isoformat() if due.is_one_day else None,
            asset_selection=missing,
            # Checks that were planned with a read that fails would show as failed, though no data is bad.
            asset_check_keys=[],
            tags={
                WINDOW_TAG: window,
                CIRCUIT_TAG: stamp,
                **({} if due.is_one_day else range_tags),
                **flag_tags(self._services),
            },
        )

    def _unchecked(self) -> dg.RunRequest | None:
        """The checks of what the last run of this sensor has read, where they were not asked for yet."""
        wanted = dg.RunsFilter(job_name=ingest_job_name(self._system), statuses=[dg.DagsterRunStatus.SUCCESS])
        for record in self._instance.get_run_records(wanted, limit=1):
            run_id = record.dagster_run.run_id
            if WINDOW_TAG not in record.dagster_run.tags or self._runs({CHECKS_TAG: run_id}):
                return None
            return dg.RunRequest(
                run_key=f"checks:{run_id}",
                job_name=CHECK_JOB,
                asset_check_keys=[
                    dg.AssetCheckKey(dg.AssetKey([table.system, table.name]), name)
                    for table in registry.tables(self._system)
                    for name in check_names(table)
                ],
                tags={CHECKS_TAG: run_id, **flag_tags(self._services)},
            )
        return None

    def _runs(self, tags: Mapping[str, str]) -> Sequence[RunRecord]:
        """The newest runs with these tags, the newest first."""
        return self._instance.get_run_records(dg.RunsFilter(tags=dict(tags)), limit=_MOST_RUNS_LOOKED_AT)

    def _run_under_way(self) -> str | None:
        """The run that reads the system, or is about to, whoever launched it."""
        keys = set(table_keys(self._system))
        for record in self._instance.get_run_records(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))):
            run = record.dagster_run
            reads = run.job_name == ingest_job_name(self._system) or not keys.isdisjoint(run.asset_selection or ())
            if reads and is_lost(self._instance, record):
                # It holds the system's place in the queue.
                self._instance.report_run_failed(run, GONE)
            elif reads and self._is_under_way(record):
                return run.run_id
        return None

    def _is_under_way(self, record: RunRecord) -> bool:
        """Whether a run that has not ended will: what was killed together with its daemon stays as it was for ever."""
        run, status = record.dagster_run, record.dagster_run.status
        if status not in NOT_FINISHED_STATUSES:
            return False
        if status is dg.DagsterRunStatus.QUEUED or (PROCESS_TAG in run.tags and is_of_this_machine(run)):
            return True
        if status is not dg.DagsterRunStatus.STARTED:
            return self._now - record.update_timestamp < _LAUNCHED_WITHIN
        longest = timedelta(seconds=int(run.tags.get(MAX_RUNTIME_TAG, 0))) or timedelta(days=1)
        return self._now - record.update_timestamp < longest + _LAUNCHED_WITHIN

    def _moment(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._timezone):%Y-%m-%d %H:%M %Z}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
