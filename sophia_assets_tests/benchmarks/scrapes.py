"""`python -m sophia_assets_tests.benchmarks.scrapes`: what a scrape and the looks behind it cost after a year.

A home is filled with a year of runs, of looks of sensors that nobody has removed, of measures for every day and series,
of calls to models and of briefings; then `sophia exporter` itself runs on it, as a process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psutil
import requests
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy import insert, select

from sophia_assets.control.schema import audit_head, llm_calls, measures, published
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.ports import free_port
from sophia_assets.services import Services
from sophia_assets.settings import Settings, load_settings
from sophia_assets.sources import registry
from sophia_assets.telemetry.exporter.known_labels import JOBS, known_labels
from sophia_assets.telemetry.recording import COUNT, EVER, SUM, VALUE, bound_text, label_text, write
from sophia_assets.telemetry.series import LAST_LOAD, Kind, every_series

RUNS_A_DAY = 20
TODAY = datetime.now(UTC).date()


def days(number: int) -> list[date]:
    """So many days up to yesterday, oldest first."""
    return [TODAY - timedelta(days=back) for back in range(number, 0, -1)]


def fill_runs(instance: dg.DagsterInstance, number_of_days: int) -> int:
    """Runs that have ended, copied from one; returns how many."""
    made = create_run_for_test(instance, job_name="ingest_gong", status=dg.DagsterRunStatus.SUCCESS)
    storage: Any = instance.run_storage
    with storage.connect() as connection:
        row = dict(connection.execute(select(RunsTable).where(RunsTable.c.run_id == made.run_id)).mappings().one())
        row.pop("id")
        rows = []
        for day in days(number_of_days):
            for number in range(RUNS_A_DAY):
                run_id, at = str(uuid4()), datetime(day.year, day.month, day.day, 5, number, tzinfo=UTC)
                naive = at.replace(tzinfo=None)
                rows.append(
                    row
                    | {
                        "run_id": run_id,
                        # A body as large as those of runs with many assets.
                        "run_body": row["run_body"].replace(made.run_id, run_id) + " " * 8000,
                        "pipeline_name": JOBS[number % len(JOBS)],
                        "status": "FAILURE" if number == RUNS_A_DAY - 1 else "SUCCESS",
                        "start_time": at.timestamp(),
                        "end_time": at.timestamp() + 60,
                        "create_timestamp": naive,
                        "update_timestamp": naive,
                    }
                )
        connection.execute(insert(RunsTable), rows)
        tags = [
            {"run_id": each["run_id"], "key": "dagster/failure_reason", "value": "STEP_FAILURE"}
            for each in rows
            if each["status"] == "FAILURE"
        ]
        connection.execute(insert(RunTagsTable), tags)
    return len(rows)


def fill_ticks(instance: dg.DagsterInstance, number: int) -> None:
    """So many looks of the circuits' sensors, one every 30 seconds."""
    target = LoadableTargetOrigin(module_name="sophia_assets.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    storage: Any = instance.schedule_storage
    each = number // len(registry.SYSTEMS)
    for system in registry.SYSTEMS:
        origin = RemoteInstigatorOrigin(repository, f"circuit_{system}")
        state = InstigatorState(
            origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, SensorInstigatorData(min_interval=30)
        )
        instance.add_instigator_state(state)
        tick = instance.create_tick(
            TickData(
                origin.get_id(),
                state.instigator_name,
                InstigatorType.SENSOR,
                TickStatus.SKIPPED,
                time.time(),
                selector_id=state.selector_id,
                end_timestamp=time.time() + 0.4,
                skip_reason="Gong was read up to yesterday, and its circuit is closed; the next day is due tomorrow.",
            )
        )
        with storage.connect() as connection:
            row = dict(
                connection.execute(select(JobTickTable).where(JobTickTable.c.id == tick.tick_id)).mappings().one()
            )
            row.pop("id")
            now = datetime.now(UTC).replace(tzinfo=None)
            for start in range(0, each, 10_000):
                moments = (now - timedelta(seconds=30 * back) for back in range(start + 1, min(each, start + 10_000)))
                connection.execute(insert(JobTickTable), [row | {"timestamp": moment} for moment in moments])


def fill_store(services: Services, number_of_days: int) -> int:
    """Measures of every day, calls of models, the audit trail's head, briefings; returns the number of measures."""
    cells = list(_cells(services.settings))
    count = 0
    with services.control.transaction() as connection:
        for text in (EVER, *(each.isoformat() for each in days(number_of_days))):
            rows = [
                {"day": text, "series": name, "labels": labels, "part": part, "value": 1.0}
                for name, labels, part in cells
            ]
            connection.execute(insert(measures), rows)
            count += len(rows)
        loads = [LAST_LOAD.set(time.time(), source=table.system, table=table.name) for table in registry.tables()]
        write(connection, loads)
        connection.execute(insert(llm_calls), [_call(day) for day in days(number_of_days) for _ in range(20)])
        briefing = {"kind": "daily_briefing", "digest": "0" * 64}
        briefings = [
            briefing | {"day": day.isoformat(), "role": role, "published_at": _at(day)}
            for day in days(number_of_days)
            for role in services.settings.editions
        ]
        connection.execute(insert(published), briefings)
        connection.execute(audit_head.update().values(seq=1_000_000))
    for day in days(number_of_days):
        folder = services.home.briefings / day.isoformat()
        folder.mkdir(parents=True)
        for name in ("briefing.json", "briefing.html", "briefing.md", "manifest.json"):
            (folder / name).write_bytes(b" " * 20_000)
    return count


def _cells(settings: Settings) -> Iterator[tuple[str, str, str]]:
    series = {one.name: one for one in every_series()}
    for name, known in known_labels(settings).items():
        for labels in known:
            if series[name].kind is Kind.HISTOGRAM:
                for part in (*map(bound_text, series[name].buckets), SUM, COUNT):
                    yield name, label_text(labels), part
            else:
                yield name, label_text(labels), VALUE


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)


def _call(day: date) -> dict[str, Any]:
    zeros = ("input_estimate", "estimate_nano_usd", "reserved_nano_usd", "output_tokens", "cached_tokens")
    return {
        "id": uuid4().hex,
        "started_at": _at(day),
        "day": day,
        "purpose": "briefing",
        "key": day.isoformat(),
        "provider": "openai",
        "model": "some",
        "prompt_version": "1",
        "is_simulated": False,
        "state": "ended",
        "outcome": "ok",
        "input_tokens": 1000,
        "is_estimated": False,
        "cost_nano_usd": 1000,
        **dict.fromkeys(zeros, 0),
    }


def fill_files(home: Home, number: int) -> None:
    """The files of runs' events, one each."""
    folder = home.dagster / "history" / "runs"
    for _ in range(number):
        (folder / f"{uuid4()}.db").write_bytes(b" " * 4096)


def measured(home: Home, scrapes: int, seconds: float) -> None:
    """Starts the exporter, scrapes it, and prints what that took and what the looks behind it cost."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("sophia")), "exporter", "--port", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "SOPHIA_HOME": str(home.path)}
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        print(f"listens after {time.monotonic() - began:.1f} s")
        watched = psutil.Process(process.pid)
        url = f"http://127.0.0.1:{port}/metrics"
        text = requests.get(url, timeout=30).text
        _wait_for_count(url)
        print(f"{sum(not line.startswith('#') for line in text.splitlines()):,} samples, {len(text) / 1e3:.0f} kB")
        took = sorted(requests.get(url, timeout=30).elapsed.total_seconds() * 1000 for _ in range(scrapes))
        print(f"a scrape: median {statistics.median(took):.1f} ms, P99 {took[int(0.99 * len(took))]:.1f} ms")
        print(f"   its longest of {scrapes}: {took[-1]:.1f} ms")
        before = watched.cpu_times()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            requests.get(url, timeout=30)
            time.sleep(15)
        after, passed = watched.cpu_times(), seconds
        cpu = after.user + after.system - before.user - before.system
        megabytes = watched.memory_info().rss / 1e6
        print(f"with a scrape every 15 s: {cpu * 60 / passed:.2f} s CPU a minute, {megabytes:.0f} MB")
        for line in requests.get(url, timeout=30).text.splitlines():
            if line.startswith("sophia_exporter_collector_seconds{"):
                name = line.split('"')[1]
                print(f"   {name}: {float(line.split()[-1]) * 1000:.1f} ms")
    finally:
        process.terminate()
        process.wait(20)


def _wait_for_count(url: str) -> None:
    """Until the year of runs has been counted."""
    began = time.monotonic()
    while time.monotonic() - began < 120:
        for line in requests.get(url, timeout=30).text.splitlines():
            if line.startswith("sophia_runs_total{") and '"check_sources"' in line and float(line.split()[-1]) > 100:
                print(f"the year of runs is counted after {time.monotonic() - began:.1f} s more")
                return
        time.sleep(1)


def main() -> None:
    """Fills a home and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--ticks", type=int, default=1_000_000, help="two months of them")
    parser.add_argument("--scrapes", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.prepare()
        home.record_company(CompanyIdentity("live", first_day="2025-01-01"))
        settings = load_settings({"SOPHIA_HOME": folder})
        with instance_for(home, settings) as instance:
            number = fill_runs(instance, given.days)
            fill_ticks(instance, given.ticks)
        fill_files(home, number)
        services = Services(settings, home)
        cells = fill_store(services, given.days)
        services.close()
        print(f"{number:,} runs, {given.ticks:,} looks of sensors, {cells:,} measures, {given.days} briefings")
        measured(home, given.scrapes, given.seconds)


if __name__ == "__main__":
    main()
