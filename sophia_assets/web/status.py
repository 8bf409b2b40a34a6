"""How fresh the data is and how the breakers stand, for readers; read at most every few seconds.

Belongs here: the state of the platform as one object. Does not belong here: what is broken and why (`observability`).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.control.wording import iso_utc
from sophia_assets.errors import SophiaError
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from sophia_assets.observability.circuits import CircuitRow
    from sophia_assets.observability.freshness import Reading
    from sophia_assets.observability.problems import Problem
    from sophia_assets.services import Services

KEPT_SECONDS = 10.0


class StatusBoard:
    """The status of one home. Many readers at once read the stores once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._held: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The status, at most `KEPT_SECONDS` old. Raises ControlStoreUnavailable and the warehouse's errors."""
        with self._lock:
            if monotonic() - self._read_at > KEPT_SECONDS:
                self._held = read_status(self._services)
                self._read_at = monotonic()
            return self._held


def read_status(services: Services) -> dict[str, Any]:
    """The status as JSON: `day` that answers are of, `systems` with breaker and freshness, `tables`, `problems`.

    Moments are ISO 8601, UTC. Before anything was read, `day` is None and nothing is fresh.
    """
    now = datetime.now(UTC)
    day = None
    with suppress(SophiaError):
        day = services.readings.current(EXECUTIVE).day.isoformat()
    problems: list[dict[str, Any]] = []
    readings: list[Reading] = []
    rows: list[CircuitRow] = []
    if services.settings.warehouse == "snowflake" or services.home.warehouse_file.exists():
        health = services.health()
        readings = health.freshness()
        rows = health.board(readings, now)
        problems = [_problem(problem) for problem in health.problems(now)]
    return {
        "at": now.isoformat(),
        "day": day,
        "systems": [_system(row) for row in rows],
        "tables": [_table(reading, now) for reading in readings],
        "problems": problems,
    }


def _system(row: CircuitRow) -> dict[str, Any]:
    return {
        "system": row.name,
        "display_name": registry.display_name(row.name) if row.name in registry.SYSTEMS else row.name.capitalize(),
        "is_connected": row.is_connected,
        "breaker": row.standing,
        "told": row.told,
        "freshness": row.freshness,
        "loaded_at": iso_utc(row.loaded_at),
        "next_try": iso_utc(row.next_try),
    }


def _table(reading: Reading, now: datetime) -> dict[str, Any]:
    return {
        "table": reading.policy.name,
        "state": reading.state(now),
        "loaded_at": iso_utc(reading.loaded_at),
        "reaches": iso_utc(reading.reaches),
        "newest_event": iso_utc(reading.newest_event),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "severity": problem.severity,
        "subject": problem.subject,
        "expected": problem.expected,
        "observed": problem.observed,
        "recovery": problem.recovery,
        "since": iso_utc(problem.since),
    }
