"""Repeats a day's records in the control store, the warehouse's ledger and history, and the home's files."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from sophia_assets.access.audit_chain import Entry
from sophia_assets.access.principal import Principal
from sophia_assets.control.schema import deliveries, flag_changes, llm_calls, published
from sophia_assets.llm.usage import begin_day
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import Kind, Origin, Series, every_series
from sophia_assets.warehouse.schema import history_of

ACCESSES_A_DAY = 100
VERSIONS_A_DAY = 20


class StoreDays:
    """Writes days into what is not Dagster's; `at` is the moment of the day that is repeated."""

    def __init__(self, services: Services, at: datetime) -> None:
        self._services, self._at = services, at
        with services.control.reading() as connection:
            newest = connection.execute(select(llm_calls.c.day).order_by(llm_calls.c.day.desc()).limit(1)).scalar()
            self._calls = [
                dict(row._mapping) for row in connection.execute(select(llm_calls).where(llm_calls.c.day == newest))
            ]
        self._briefing = max(path for path in services.home.briefings.iterdir() if path.name[:2] == "20")
        # The file itself is removed one night.
        self._facts = max((services.home.path / "facts").glob("*.parquet")).read_bytes()
        self._last_day = datetime.fromisoformat(self._briefing.name)

    def write(self, number: int) -> None:
        """The records of the day that is so many days later."""
        now = self._at + timedelta(days=number)
        with self._services.control.transaction() as connection:
            self._write_control(connection, now, number)
        self._write_files(now, number)
        self._write_ledger(number)

    def _write_control(self, connection: Connection, now: datetime, number: int) -> None:
        write(connection, (point for series in every_series() for point in _points(series)), now)
        begin_day(connection, now.date(), is_simulated=False)
        if self._calls:
            shifted = [row | {"id": uuid.uuid4().hex, "day": now.date(), "started_at": now} for row in self._calls]
            connection.execute(llm_calls.insert(), shifted)
        day = (self._last_day + timedelta(days=number)).date().isoformat()
        connection.execute(deliveries.insert(), [_delivery(channel, day, now) for channel in ("slack", "email")])
        for role in ("executive", "sales_leader", "engineering_leader"):
            sealed = {"kind": "daily_briefing", "day": day, "role": role, "digest": "0" * 64, "published_at": now}
            connection.execute(published.insert().values(sealed))
        change = {
            "name": "enable_caching",
            "at": now,
            "by": "ada",
            "reason": "once a day",
            "before": "on",
            "after": "on",
        }
        connection.execute(flag_changes.insert().values(change))
        chain = self._services.control.chain
        assert chain is not None
        reader = Principal("ada", "executive", "page")
        entries = [
            Entry.of(reader, "question.ask", f"question {n}", "allowed", {"rows": 7}, at=now + timedelta(seconds=n))
            for n in range(ACCESSES_A_DAY)
        ]
        chain.append(connection, entries)

    def _write_files(self, now: datetime, number: int) -> None:
        home = self._services.home
        day = (self._last_day + timedelta(days=number)).date().isoformat()
        folder = home.briefings / day
        shutil.copytree(self._briefing, folder)
        facts = home.path / "facts" / f"{day}.parquet"
        facts.write_bytes(self._facts)
        limit = home.path / "limits" / f"gong-{uuid.uuid4().hex[:16]}-day.limit"
        limit.parent.mkdir(exist_ok=True)
        limit.write_bytes(bytes(2160))
        for path in (*folder.glob("**/*"), facts, limit):
            os.utime(path, (now.timestamp(), now.timestamp()))

    def _write_ledger(self, number: int) -> None:
        """A load of every table, and a few versions that were replaced."""
        self._services.warehouse.execute_in_transaction(self._statements(number))

    def _statements(self, number: int) -> Iterator[str]:
        moment = f"INTERVAL {number} DAY"
        mark = f"{number:05d}"
        yield (
            "CREATE TEMP TABLE day AS SELECT * REPLACE (md5(load_id || '" + mark + "') AS load_id, "
            f"committed_at + {moment} AS committed_at, read_from + {moment} AS read_from, "
            f"window_end + {moment} AS window_end) "
            "FROM (SELECT *, row_number() OVER (PARTITION BY table_name ORDER BY committed_at) AS place "
            'FROM "_sophia"."loads") WHERE place = 1'
        )
        yield 'INSERT INTO "_sophia"."loads" SELECT * EXCLUDE (place) FROM day'
        yield (
            'UPDATE "_sophia"."state" SET load_id = day.load_id, loaded_at = day.committed_at FROM day '
            "WHERE day.table_name = state.table_name"
        )
        yield "DROP TABLE day"
        for table in registry.tables():
            if table.keeps_versions and table.name in ("deals", "companies"):
                keys = ", ".join(f'"{key}"' for key in table.primary_key)
                raw = '"{}"."{}"'.format(*table.qualified_name.split("."))
                columns = ", ".join(f'"{name}"' for name in table.column_names)
                at = f"TIMESTAMP '{self._at:%Y-%m-%d %H:%M:%S}' + {moment}"
                some = f"ORDER BY hash({keys}, {number}) LIMIT {VERSIONS_A_DAY}"
                chosen = f"SELECT {keys} FROM {raw} WHERE _deleted_at IS NULL {some}"
                yield (
                    f"INSERT INTO {history_of(table)} ({columns}, _known_from, _known_to) "
                    f"SELECT {columns}, _known_from, {at} FROM {raw} WHERE ({keys}) IN ({chosen})"
                )
                yield f"UPDATE {raw} SET _known_from = {at} WHERE ({keys}) IN ({chosen})"


def _points(series: Series) -> Iterator[Any]:
    """What a day measures: every recorded series, with as many label values as systems have tables."""
    if series.origin is not Origin.RECORDED:
        return
    for system in registry.SYSTEMS if series.labels else ("",):
        tables = registry.tables(system) if "table" in series.labels else [None]
        for table in tables:
            values = {name: table.name if name == "table" and table else system for name in series.labels}
            if series.kind is Kind.COUNTER:
                yield series.add(3, **values)
            elif series.kind is Kind.GAUGE:
                yield series.set(3, **values)
            else:
                yield from (series.observe(seconds, **values) for seconds in (0.2, 3, 40))


def _delivery(channel: str, day: str, now: datetime) -> dict[str, Any]:
    return {
        "channel": channel, "kind": "daily_briefing", "day": day, "role": "executive", "place": "0" * 64,
        "digest": "1" * 64, "state": "sent", "claim": "", "claimed_at": now, "sent_at": now, "tries": 1,
        "receipt": "1", "problem": "",
    }  # fmt: skip


def copied(home: Path, folder: Path) -> Path:
    """A copy of a home to write into, without its locks."""
    shutil.copytree(home, folder, ignore=shutil.ignore_patterns("*.lock", "companies"))
    return folder
