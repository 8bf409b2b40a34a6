"""The circuits as a data engineer's board shows them: one row each, with how fresh what rests on it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sophia_assets.control.breaker import Circuit, State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.wording import in_words
from sophia_assets.observability.freshness import Reading
from sophia_assets.observability.freshness import State as Freshness
from sophia_assets.sources import registry
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import Warehouse

Standing = Literal["closed", "open", "half open", "forced open", "forced closed", "left alone"]

_WORST: tuple[Freshness, ...] = ("never loaded", "overdue", "late", "quiet", "fresh")
_LAST_LOADS = """
SELECT table_name, committed_at, rows_read FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY committed_at DESC, read_from DESC) AS age
  FROM "_sophia"."loads"
) AS aged WHERE age = 1
"""
# Tables that are loaded within so long of one another were loaded together.
_TOGETHER = timedelta(hours=6)


@dataclass(frozen=True)
class CircuitRow:
    """How one circuit stands. Moments are UTC; None and empty where there is nothing to tell.

    `name` is a system or an LLM provider, which has no tables. `freshness` is the worst of its tables', `due` until
    when the oldest of them counts as fresh; `rows` is what its last load brought, at `loaded_at`.
    """

    name: str
    is_connected: bool
    standing: Standing
    told: str
    since: datetime | None
    next_try: datetime | None
    forced_by: str
    freshness: str
    due: datetime | None
    loaded_at: datetime | None
    rows: int | None


def standing(circuit: Circuit, now: datetime) -> Standing:
    """Where a settled circuit stands, in one or two words."""
    if circuit.force:
        return "forced open" if circuit.force.state is State.OPEN else "forced closed"
    if circuit.not_before and now < circuit.not_before and circuit.state is State.CLOSED:
        return "left alone"
    return "half open" if circuit.state is State.HALF_OPEN else "open" if circuit.state is State.OPEN else "closed"


def read_circuits(
    circuits: Circuits, warehouse: Warehouse, readings: Sequence[Reading], connected: Collection[str], now: datetime
) -> list[CircuitRow]:
    """A row per circuit: open ones first, then those of connected systems; best within a session of the warehouse."""
    loads = _last_loads(warehouse)
    rows = [_row(circuits, circuit, loads, readings, connected, now) for circuit in circuits.all()]
    return sorted(rows, key=lambda row: (row.standing in ("closed", "forced closed"), not row.is_connected))


def _row(
    circuits: Circuits,
    circuit: Circuit,
    loads: Mapping[str, tuple[datetime, int]],
    readings: Sequence[Reading],
    connected: Collection[str],
    now: datetime,
) -> CircuitRow:
    own = [reading for reading in readings if not reading.policy.is_model and _system(reading) == circuit.name]
    oldest = min((reading for reading in own if reading.loaded_at), key=_deadline, default=None)
    last = loads.get(circuit.name)
    waits = (circuit.not_before,) if circuit.not_before and now < circuit.not_before else ()
    tries = waits if circuit.force or circuit.state is State.CLOSED else (*waits, circuit.retry_at)
    return CircuitRow(
        name=circuit.name,
        is_connected=circuit.name in connected,
        standing=standing(circuit, now),
        told=in_words(circuit, now, circuits.timezone),
        since=circuit.force.since if circuit.force else circuit.since,
        next_try=max((moment for moment in tries if moment), default=None),
        forced_by=circuit.force.by if circuit.force else "",
        freshness=min((reading.state(now) for reading in own), key=_WORST.index, default=""),
        due=_deadline(oldest) if oldest else None,
        loaded_at=last[0] if last else None,
        rows=last[1] if last else None,
    )


def _system(reading: Reading) -> str:
    return reading.policy.name.split(".")[0]


def _deadline(reading: Reading) -> datetime:
    assert reading.loaded_at is not None, "a deadline begins with a load"
    return reading.loaded_at + reading.policy.warn


def _last_loads(warehouse: Warehouse) -> dict[str, tuple[datetime, int]]:
    """When each system was loaded last, and how many rows came then, all of its tables together."""
    by_system: dict[str, list[tuple[datetime, int]]] = {system: [] for system in registry.SYSTEMS}
    for row in warehouse.query(_LAST_LOADS).to_pylist():
        at = aware_utc(row["committed_at"])
        if at is not None:
            by_system.setdefault(row["table_name"].split(".")[0], []).append((at, row["rows_read"]))
    found = {}
    for system, loads in by_system.items():
        if loads:
            newest = max(at for at, _ in loads)
            found[system] = newest, sum(rows for at, rows in loads if newest - at < _TOGETHER)
    return found
