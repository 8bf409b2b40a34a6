"""A sensor of one circuit, driven tick by tick on an instance and a clock of its own, with staged runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.test_utils import create_run_for_test

from sophia_assets.control.breaker import BreakerPolicy, Failure
from sophia_assets.control.circuits import Circuits
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.circuit_checks import table_keys
from sophia_assets.orchestration.circuit_jobs import PROBE_JOB
from sophia_assets.orchestration.circuit_sensors import circuit_sensors
from sophia_assets.services import Services
from sophia_assets.settings import load_settings

POLICY = BreakerPolicy(failure_threshold=3, jitter=0.0)
NO_ANSWER = Failure("connection", "no answer")
# Nobody listens there, and no tick asks.
NOWHERE = {"GONG_BASE_URL": "http://127.0.0.1:9", "GONG_ACCESS_KEY": "key", "GONG_ACCESS_KEY_SECRET": "first"}


class _Kept(Services):
    """Services that outlast a tick, so that a test can look at them."""

    def close(self) -> None:
        """Nothing: the test closes them."""


class Watch:
    """The sensor `circuit_gong`. `now` is the only clock, for the runs too.

    It begins at noon UTC some days ago, when the day before is due: Dagster knows no partitions of days to come."""

    def __init__(self, path: Path, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions, self.instance = definitions, instance
        self.now = (datetime.now(UTC) - timedelta(days=9)).replace(hour=12, minute=0, second=0, microsecond=0)
        self.home = Home(path)
        self.home.prepare()
        self.home.record_company(CompanyIdentity("live", first_day="2026-01-01"))
        self.system = "gong"
        self.cursor: str | None = None
        self.services: Services
        self.with_settings()

    def with_settings(self, **settings: str) -> None:
        """The same home under other settings, as after a restart."""
        given = {"SOPHIA_HOME": str(self.home.path), **NOWHERE, **settings}
        self.services = _Kept(load_settings(given), self.home)
        self.services.circuits = Circuits(
            self.services.control, lambda _: POLICY, clock=lambda: self.now, jitter=lambda: 0.0
        )

    @property
    def circuits(self) -> Circuits:
        return self.services.circuits

    @property
    def yesterday(self) -> str:
        return self.day(1)

    def day(self, back: int) -> str:
        """The day so many days ago."""
        return (self.now.date() - timedelta(days=back)).isoformat()

    def wait(self, **length: float) -> None:
        self.now += timedelta(**length)

    def tick(self) -> SensorExecutionData:
        """What the sensor says now; its cursor is carried on."""
        jobs = list(self.definitions.jobs or ())
        probing = self.definitions.resolve_job_def(PROBE_JOB)
        sensors = circuit_sensors(jobs, probing, 30, services=lambda: self.services, clock=lambda: self.now)
        sensor = next(item for item in sensors if item.name == f"circuit_{self.system}")
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions, sensor_name=sensor.name
        )
        data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return data

    def requested(self) -> dg.RunRequest:
        """The one run that the sensor asks for now."""
        data = self.tick()
        assert data.run_requests, data.skip_message
        (request,) = data.run_requests
        return request

    def skipped(self) -> str:
        """Why the sensor asks for nothing now."""
        data = self.tick()
        assert not data.run_requests, data.run_requests
        assert data.skip_message is not None
        return data.skip_message

    def launch(self, request: dg.RunRequest, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED) -> str:
        """The run that the daemon makes of a request."""
        tags = {**request.tags, "dagster/sensor_name": f"circuit_{self.system}", "dagster/run_key": request.run_key}
        run = create_run_for_test(
            self.instance,
            job_name=str(request.job_name),
            tags={name: str(value) for name, value in tags.items()},
            status=status,
            asset_selection=frozenset(request.asset_selection) if request.asset_selection else None,
        )
        self._stamp(run.run_id, create_timestamp=self.now, update_timestamp=self.now)
        return str(run.run_id)

    def ended(self, run_id: str, *, well: bool = True) -> None:
        """The run's end."""
        run: Any = self.instance.get_run_by_id(run_id)
        event = dg.DagsterEventType.RUN_SUCCESS if well else dg.DagsterEventType.RUN_FAILURE
        self.instance.report_dagster_event(dg.DagsterEvent(event_type_value=event.value, job_name=run.job_name), run_id)
        self._stamp(run_id, update_timestamp=self.now)

    def _stamp(self, run_id: str, **moments: datetime) -> None:
        """Moves a run onto the watch's clock."""
        storage: Any = self.instance.run_storage
        naive = {name: moment.replace(tzinfo=None) for name, moment in moments.items()}
        with storage.connect() as connection:
            connection.execute(RunsTable.update().where(RunsTable.c.run_id == run_id).values(naive))

    def filled(self, days: Iterable[str], *, but: Iterable[str] = ()) -> None:
        """Every table but those has been read for the days."""
        every = list(days)
        for key in table_keys(self.system):
            if key.path[-1] not in but:
                for day in every:
                    self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))

    def trip(self) -> None:
        """Opens the circuit by failures."""
        for _ in range(POLICY.failure_threshold):
            self.circuits.failed(self.system, NO_ANSWER)

    def events(self) -> int:
        """How many events the instance holds of the system's tables."""
        wanted = (dg.DagsterEventType.ASSET_OBSERVATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        return sum(
            len(self.instance.get_event_records(dg.EventRecordsFilter(event_type=kind), limit=10_000))
            for kind in wanted
        )


@contextmanager
def watching(path: Path, definitions: dg.Definitions) -> Iterator[Watch]:
    """A watch on an instance that is gone afterwards."""
    with dg.DagsterInstance.ephemeral() as instance:
        watch = Watch(path, definitions, instance)
        try:
            yield watch
        finally:
            Services.close(watch.services)
