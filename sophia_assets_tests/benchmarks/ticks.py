"""`python -m sophia_assets_tests.benchmarks.ticks`: what one look of a circuit's sensor costs after years of history.

A home's own instance is filled with a materialization of every raw table for every day, and with a run per system and
day; then each system's sensor is asked, as Dagster's code server does it: new services for each look. Three states are
measured: up to date, a day due, and an open circuit.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.test_utils import create_run_for_test

from sophia_assets.control.breaker import Failure
from sophia_assets.definitions import build_definitions
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.circuit_checks import table_keys
from sophia_assets.orchestration.circuit_jobs import PROBE_JOB
from sophia_assets.orchestration.circuit_sensors import WINDOW_TAG, circuit_sensors
from sophia_assets.orchestration.history import report_covered_days
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.orchestration.jobs import ingest_job_name
from sophia_assets.services import Services
from sophia_assets.settings import Settings, load_settings
from sophia_assets.sources import registry

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def addresses() -> dict[str, str]:
    """Addresses at which nobody is asked: with one of its own, a system needs no sandbox."""
    return {name: "http://127.0.0.1:9" for system in registry.SYSTEMS for name in registry.settings_of(system).names}


def fill(instance: dg.DagsterInstance, days: int) -> None:
    """A history of that many days up to the day before `NOON`."""
    past = [(NOON.date() - timedelta(days=back)).isoformat() for back in range(days, 0, -1)]
    for system in registry.SYSTEMS:
        report_covered_days(instance, table_keys(system), past, {"loaded": "by the benchmark"})
        for day in past:
            tags = {"dagster/partition": day, WINDOW_TAG: f"{system}:{day}:{day}"}
            create_run_for_test(
                instance, job_name=ingest_job_name(system), tags=tags, status=dg.DagsterRunStatus.SUCCESS
            )


def looks_at(
    instance: dg.DagsterInstance, definitions: dg.Definitions, settings: Settings, home: Home
) -> Callable[[datetime], list[float]]:
    """What asks each system's sensor at a moment, with new services for each, and gives how many seconds each took."""

    def look(moment: datetime) -> list[float]:
        sensors = circuit_sensors(
            list(definitions.jobs or ()),
            definitions.resolve_job_def(PROBE_JOB),
            30,
            services=lambda: Services(settings, home),
            clock=lambda: moment,
        )
        took = []
        for sensor in sensors:
            context = dg.build_sensor_context(instance=instance, definitions=definitions, sensor_name=sensor.name)
            began = time.monotonic()
            sensor.evaluate_tick(context)
            took.append(time.monotonic() - began)
        return took

    return look


@contextmanager
def _looks(folder: Path, days: int) -> Iterator[Any]:
    home = Home(folder)
    home.prepare()
    start = (NOON.date() - timedelta(days=days)).isoformat()
    home.record_company(CompanyIdentity("live", first_day=start))
    settings = load_settings({"SOPHIA_HOME": str(folder), **addresses()})
    definitions = build_definitions(home=home)
    with instance_for(home) as instance:
        began = time.monotonic()
        fill(instance, days)
        print(f"{days} days of {len(registry.tables())} tables in {time.monotonic() - began:.0f} s")

        look = looks_at(instance, definitions, settings, home)
        yield look, Services(settings, home)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, _looks(Path(folder), options.days) as (look, services):
        print("| state | looks | s (median) | s (longest) |\n|---|---|---|---|")
        for state, moment in (("up to date", NOON), ("a day due", NOON + timedelta(days=1))):
            _print(state, [took for _ in range(options.repeats) for took in look(moment)])
        for system in registry.SYSTEMS:
            services.circuits.failed(system, Failure("authentication", "refused"))
        _print("just opened, so that its tables are told", look(NOON))
        _print("open", [took for _ in range(options.repeats) for took in look(NOON)])
        services.close()


def _print(state: str, took: list[float]) -> None:
    print(f"| {state} | {len(took)} | {statistics.median(took):.3f} | {max(took):.3f} |")


if __name__ == "__main__":
    main()
