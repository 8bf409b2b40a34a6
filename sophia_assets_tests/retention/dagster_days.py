"""Repeats what a real day left in Dagster's SQLite files, for as many days as are wanted, with shifted times.

The day is what the home's last whole run wrote: its runs with their tags, their logs, what they told of assets and
checks. Ticks are the sensors' own, at the rate at which they really come.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from sophia_assets.sources import registry

_LAST_JOB, _FIRST_OF_ALL = "daily_briefing", "with the whole history"
_TOKEN = re.compile("\x00([A-Z0-9]+)\x00")
_EPOCH = re.compile(r'("(?:timestamp|start_time|end_time|state_change_timestamp)": )(1[0-9]{9}\.[0-9]+)')
_EVENT_COLUMNS = "id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition"
_TAG_COLUMNS = 'event_id, asset_key, "key", value, event_timestamp'
_CHECK_COLUMNS = (
    "asset_key, check_name, partition, run_id, execution_status, evaluation_event, evaluation_event_timestamp, "
    "evaluation_event_storage_id, materialization_event_storage_id, create_timestamp"
)
_RUN_COLUMNS = (
    "run_id, snapshot_id, pipeline_name, mode, status, run_body, partition, partition_set, create_timestamp, "
    "update_timestamp, start_time, end_time, backfill_id"
)
SENSORS = (*(f"circuit_{system}" for system in registry.SYSTEMS), "health")
_SECONDS_BETWEEN = 30
_SAID = (
    "HubSpot was read up to 2026-11-21, and its circuit is closed since 2026-11-22 20:27 UTC; the next day is due at "
    "2026-11-23 05:30 UTC."
)


@dataclass(frozen=True)
class Day:
    """The day that is repeated: when it was, the partition that it wrote, and its rows, their ids as they were."""

    at: datetime
    partition: str
    runs: list[tuple[Any, ...]]
    run_tags: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    event_tags: list[tuple[Any, ...]]
    checks: list[tuple[Any, ...]]


class DagsterDays:
    """Writes days into the Dagster folder of a home. The files must be there, made by Dagster."""

    def __init__(self, folder: Path) -> None:
        self._shards = folder / "history" / "runs"
        self._index = sqlite3.connect(self._shards / "index.db", timeout=60)
        self._runs = sqlite3.connect(folder / "history" / "runs.db", timeout=60)
        self._ticks = sqlite3.connect(folder / "schedules" / "schedules.db", timeout=60)
        for connection in (self._index, self._runs, self._ticks):
            connection.execute("PRAGMA synchronous = OFF")
        self.day = self._read()
        # Retention will remove the logs themselves.
        kept = self._shards.parent / "day"
        kept.mkdir(exist_ok=True)
        self._logs = [kept / f"{run_id}.db" for run_id in self._originals]
        for file in self._logs:
            if (self._shards / file.name).exists():
                shutil.copyfile(self._shards / file.name, file)

    def close(self) -> None:
        """Closes the files."""
        for connection in (self._index, self._runs, self._ticks):
            connection.close()
        shutil.rmtree(self._shards.parent / "day", ignore_errors=True)

    def write(self, number: int) -> None:
        """The records of the day that is so many days after the one that is repeated."""
        shift = timedelta(days=number)
        ids = {f"R{place}": str(uuid.uuid4()) for place in range(len(self.day.runs))}
        partition = (date.fromisoformat(self.day.partition) + shift).isoformat()
        fill = _Fill({**ids, "D": partition}, shift)
        self._write_runs(fill)
        self._write_events(fill)
        for place, source in enumerate(self._logs):
            if source.exists():
                target = self._shards / f"{ids[f'R{place}']}.db"
                shutil.copyfile(source, target)
                moment = (self.day.at + shift).timestamp()
                os.utime(target, (moment, moment))

    def write_ticks(self, instance: dg.DagsterInstance, number: int) -> int:
        """A day of ticks: each sensor looks twice a minute and finds nothing to do; returns how many."""
        midnight = (self.day.at + timedelta(days=number)).replace(hour=0, minute=0, second=0, microsecond=0)
        count, first, every = 86_400 // _SECONDS_BETWEEN, int(midnight.timestamp()), _SECONDS_BETWEEN
        for row in [self._tick_like(instance, name) for name in SENSORS]:
            self._ticks.execute(
                "INSERT INTO job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body) "
                "WITH RECURSIVE looks(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM looks WHERE n + 1 < ?) "
                "SELECT ?, ?, ?, ?, strftime('%Y-%m-%d %H:%M:%f', ? + n * ?, 'unixepoch') || '000', "
                "replace(?, '1111111111.0', (? + n * ?) || '.0') FROM looks",
                (count, *row[:4], first, every, row[4], first, every),
            )
        self._ticks.commit()
        return count * len(SENSORS)

    def _tick_like(self, instance: dg.DagsterInstance, name: str) -> tuple[Any, ...]:
        """A tick of a sensor as Dagster writes it, told by its time."""
        made: dict[str, tuple[Any, ...]] = self.__dict__.setdefault("_made", {})
        if name not in made:
            origin = uuid.uuid5(uuid.NAMESPACE_URL, name).hex + uuid.uuid5(uuid.NAMESPACE_DNS, name).hex[:8]
            tick = instance.create_tick(
                TickData(
                    instigator_origin_id=origin,
                    instigator_name=name,
                    instigator_type=InstigatorType.SENSOR,
                    status=TickStatus.SKIPPED,
                    timestamp=1111111111.0,
                    selector_id=uuid.uuid5(uuid.NAMESPACE_OID, name).hex,
                    skip_reason=_SAID,
                    end_timestamp=1111111111.0,
                )
            )
            columns = "job_origin_id, selector_id, status, type, tick_body"
            query = f"SELECT {columns} FROM job_ticks WHERE id = ?"
            made[name] = self._ticks.execute(query, (tick.tick_id,)).fetchone()
        return made[name]

    def _write_runs(self, fill: _Fill) -> None:
        with self._runs as connection:
            connection.executemany(
                f"INSERT INTO runs ({_RUN_COLUMNS}) VALUES ({_places(13)})",
                (
                    (
                        fill.text(run[0]), run[1], run[2], run[3], run[4], fill.text(run[5]), fill.text(run[6]), run[7],
                        fill.moment(run[8]), fill.moment(run[9]), fill.epoch(run[10]), fill.epoch(run[11]), run[12],
                    )
                    for run in self.day.runs
                ),
            )  # fmt: skip
            connection.executemany(
                'INSERT INTO run_tags (run_id, "key", value) VALUES (?, ?, ?)',
                ((fill.text(run_id), key, fill.text(value)) for run_id, key, value in self.day.run_tags),
            )

    def _write_events(self, fill: _Fill) -> None:
        with self._index as connection:
            last = connection.execute("SELECT coalesce(max(id), 0) FROM event_logs").fetchone()[0]
            numbers = {event[0]: last + place for place, event in enumerate(self.day.events, 1)}
            rows = [
                (numbers[n], fill.text(run), fill.text(text), kind, fill.moment(at), step, key, fill.text(part))
                for n, run, text, kind, at, step, key, part in self.day.events
            ]
            connection.executemany(f"INSERT INTO event_logs ({_EVENT_COLUMNS}) VALUES ({_places(8)})", rows)
            connection.executemany(
                f"INSERT INTO asset_event_tags ({_TAG_COLUMNS}) VALUES ({_places(5)})",
                (
                    (numbers[n], asset, key, fill.text(value), fill.moment(at))
                    for n, asset, key, value, at in self.day.event_tags
                ),
            )
            connection.executemany(
                f"INSERT INTO asset_check_executions ({_CHECK_COLUMNS}) VALUES ({_places(10)})",
                (
                    (
                        row[0], row[1], fill.text(row[2]), fill.text(row[3]), row[4], fill.text(row[5]),
                        fill.moment(row[6]), numbers.get(row[7]), numbers.get(row[8]), fill.moment(row[9]),
                    )
                    for row in self.day.checks
                ),
            )  # fmt: skip
            newest = {row[6]: row for row in rows if row[3] == "ASSET_MATERIALIZATION"}
            connection.executemany(
                "UPDATE asset_keys SET last_materialization = ?, last_run_id = ?, last_materialization_timestamp = ? "
                "WHERE asset_key = ?",
                (
                    (_record(row), row[1], row[4], key)
                    for key, row in newest.items()
                ),
            )  # fmt: skip

    def _read(self) -> Day:
        """The rows of the last whole run: from the first run after the briefing before it to its own last one."""
        ended = "status IN ('SUCCESS', 'FAILURE')"
        runs = self._runs.execute(f"SELECT {_RUN_COLUMNS} FROM runs WHERE {ended} ORDER BY id").fetchall()
        briefings = [place for place, run in enumerate(runs) if run[2] == _LAST_JOB]
        begins = briefings[-2] + 2 if len(briefings) > 1 else 0
        runs = runs[begins : briefings[-1] + 2]
        partition = next(run[6] for run in reversed(runs) if run[2] == _LAST_JOB)
        chosen = self._originals = [run[0] for run in runs]
        marks = _Marks(chosen, partition)
        self._index.execute("CREATE TEMP TABLE chosen (run_id TEXT PRIMARY KEY)")
        self._index.executemany("INSERT INTO chosen VALUES (?)", zip(chosen))
        self._runs.execute("CREATE TEMP TABLE chosen (run_id TEXT PRIMARY KEY)")
        self._runs.executemany("INSERT INTO chosen VALUES (?)", zip(chosen))
        told = self._index.execute(
            f"SELECT {_EVENT_COLUMNS} FROM event_logs WHERE run_id IN (SELECT run_id FROM chosen) ORDER BY id"
        ).fetchall()
        tags = self._index.execute(
            f"SELECT {_TAG_COLUMNS} FROM asset_event_tags WHERE event_id IN "
            "(SELECT id FROM event_logs WHERE run_id IN (SELECT run_id FROM chosen))"
        ).fetchall()
        checks = self._index.execute(
            f"SELECT {_CHECK_COLUMNS} FROM asset_check_executions WHERE run_id IN (SELECT run_id FROM chosen) "
            "ORDER BY id"
        ).fetchall()
        run_tags = self._runs.execute(
            'SELECT run_id, "key", value FROM run_tags WHERE run_id IN (SELECT run_id FROM chosen)'
        ).fetchall()
        self._index.commit()
        self._runs.commit()
        return Day(
            at=datetime.fromisoformat(runs[0][8]).replace(tzinfo=UTC),
            partition=partition,
            runs=[marks.marked(run, 8, 9) for run in runs],
            run_tags=[marks.marked(tag) for tag in run_tags],
            events=[marks.marked(event, 4) for event in told],
            event_tags=[marks.marked(tag, 4) for tag in tags],
            checks=[marks.marked(check, 6, 9) for check in checks],
        )


class _Marks:
    """Puts marks where a run's id or the partition stands."""

    def __init__(self, runs: list[str], partition: str) -> None:
        self._places = {run_id: f"\x00R{place}\x00" for place, run_id in enumerate(runs)} | {partition: "\x00D\x00"}
        self._pattern = re.compile("|".join(map(re.escape, self._places)))

    def marked(self, row: tuple[Any, ...], *moments: int) -> tuple[Any, ...]:
        """The row, marked but in the columns that are times."""
        return tuple(
            self._pattern.sub(lambda found: self._places[found[0]], cell)
            if isinstance(cell, str) and place not in moments
            else cell
            for place, cell in enumerate(row)
        )


class _Fill:
    """Fills the marks of one day, and shifts what is a time."""

    def __init__(self, values: dict[str, str], shift: timedelta) -> None:
        self._values, self._shift, self._seconds = values, shift, shift.total_seconds()
        self._moments: dict[str, str] = {}

    def text(self, cell: str | None) -> Any:
        if not cell:
            return cell
        filled = _TOKEN.sub(lambda found: self._values[found[1]], cell)
        return _EPOCH.sub(lambda found: f"{found[1]}{float(found[2]) + self._seconds!r}", filled)

    def moment(self, cell: str | None) -> str | None:
        if not cell:
            return cell
        return f"{datetime.fromisoformat(cell) + self._shift:%Y-%m-%d %H:%M:%S.%f}"

    def epoch(self, cell: float | None) -> float | None:
        return cell + self._seconds if cell else cell


def _record(row: tuple[Any, ...]) -> str:
    """An asset's newest materialization as Dagster keeps it beside the asset."""
    return f'{{"__class__": "EventLogRecord", "event_log_entry": {row[2]}, "storage_id": {row[0]}}}'


def _places(count: int) -> str:
    return ", ".join("?" * count)
