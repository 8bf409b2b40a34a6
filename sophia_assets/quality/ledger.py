"""What the loader has written down about tables, read for many tables at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import Warehouse

# A table's rows are compared with those after so many earlier loads.
LOADS_REMEMBERED = 7


@dataclass(frozen=True)
class TableLedger:
    """What is known of one table's loads. Times are UTC and aware; None and empty where it was never loaded.

    `rows_before` gives the live rows after each of the loads before the last one, the latest first. `set_aside` counts
    the quarantined rows per column, `last_set_aside` those of the last load; `undeclared` names fields beyond those
    that are declared. `missing` holds `column_name, rows_read, rows_held, found_at` of columns that have vanished.
    """

    load_id: str = ""
    loaded_through: datetime | None = None
    newest: datetime | None = None
    rows_total: int = 0
    rows_before: tuple[int, ...] = ()
    unswept: str = ""
    last_set_aside: int = 0
    set_aside: Mapping[str, int] = field(default_factory=dict)
    undeclared: tuple[str, ...] = ()
    missing: tuple[Mapping[str, Any], ...] = ()

    @property
    def rows_set_aside(self) -> int:
        """How many rows are set aside: only so many are kept, and the last load knows how many it set aside in all."""
        held = sum(self.set_aside.values())
        return max(held, self.last_set_aside) if held else 0


def read_ledgers(warehouse: Warehouse) -> dict[str, TableLedger]:
    """The ledger of each table (`system.name`) of which it tells; best within a session: it takes five queries."""
    state = _by_table(warehouse, "SELECT table_name, load_id, loaded_through, newest, rows_total FROM", "state")
    loads = _by_table(
        warehouse,
        "SELECT table_name, rows_total, unswept, quarantined FROM (SELECT *, ROW_NUMBER() OVER "
        "(PARTITION BY table_name ORDER BY committed_at DESC, read_from DESC) AS age FROM",
        "loads",
        f") AS aged WHERE age <= {LOADS_REMEMBERED + 1} ORDER BY age",
    )
    missing = _by_table(
        warehouse,
        "SELECT table_name, column_name, rows_read, rows_held, found_at FROM",
        "missing_columns",
        "ORDER BY column_name",
    )
    aside = _by_table(
        warehouse,
        "SELECT table_name, column_name, COUNT(*) AS n FROM",
        "quarantine",
        "GROUP BY table_name, column_name ORDER BY n DESC, column_name",
    )
    fields = _by_table(warehouse, "SELECT DISTINCT table_name, field FROM", "fields", "ORDER BY field")
    parts = (state, loads, missing, aside, fields)
    tables = {table for rows in parts for table in rows}
    return {table: _ledger(*(rows.get(table, ()) for rows in parts)) for table in tables}


def read_builds(warehouse: Warehouse) -> dict[str, dict[str, datetime | None]]:
    """For each model that was ever built, up to when (UTC) each raw table that it rests on had been read then."""
    builds: dict[str, dict[str, datetime | None]] = {}
    for row in warehouse.query('SELECT model, table_name, loaded_through FROM "_sophia"."builds"').to_pylist():
        builds.setdefault(row["model"], {})[row["table_name"]] = aware_utc(row["loaded_through"])
    return builds


def read_build_shares(warehouse: Warehouse) -> dict[str, str]:
    """For each model that was ever built, which systems it was built from in part, as `Shares.as_text` has it."""
    found = warehouse.query('SELECT model, shares FROM "_sophia"."builds" WHERE table_name = \'\'').to_pylist()
    return {row["model"]: row["shares"] or "" for row in found}


def _by_table(warehouse: Warehouse, select: str, ledger: str, rest: str = "") -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in warehouse.query(f'{select} "_sophia"."{ledger}" {rest}').to_pylist():
        found.setdefault(row["table_name"], []).append(row)
    return found


def _ledger(
    state: Sequence[Mapping[str, Any]],
    loads: Sequence[Mapping[str, Any]],
    missing: Sequence[Mapping[str, Any]],
    aside: Sequence[Mapping[str, Any]],
    fields: Sequence[Mapping[str, Any]],
) -> TableLedger:
    now: Mapping[str, Any] = state[0] if state else {}
    last: Mapping[str, Any] = loads[0] if loads else {}
    return TableLedger(
        load_id=now.get("load_id") or "",
        loaded_through=aware_utc(now.get("loaded_through")),
        newest=aware_utc(now.get("newest")),
        rows_total=now.get("rows_total") or 0,
        rows_before=tuple(load["rows_total"] for load in loads[1:]),
        unswept=last.get("unswept") or "",
        last_set_aside=sum(json.loads(last.get("quarantined") or "{}").values()),
        set_aside={row["column_name"]: row["n"] for row in aside},
        undeclared=tuple(row["field"] for row in fields),
        missing=tuple(missing),
    )
