"""What a system has deleted or overwritten is known of the days before, whichever system it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ColumnType, Deleted, ReadItem, Table, Window
from sophia_assets.warehouse.coercion import naive_utc
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.conformance.changes import Altering, after_deletions, renamed
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import END, ingest, source_for, stored_contents
from sophia_assets_tests.sources.wrapped import Wrapped

_DAY, _INSTANT = timedelta(days=1), timedelta(microseconds=1)
_VERSIONED = sorted({(t.system, t.group) for t in registry.tables() if t.keeps_versions})

each_system = pytest.mark.parametrize("system", registry.SYSTEMS)


class _Listening(Wrapped):
    """A source whose deletions are remembered: by table and key, the moment that the system says, if any."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self.deleted: dict[str, dict[tuple[Any, ...], datetime | None]] = {}

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for item in self.source.read(group, window, resume):
            if isinstance(item, Deleted):
                moments = item.at or [None] * len(item.keys)
                self.deleted.setdefault(item.table, {}).update(zip(map(tuple, item.keys), moments, strict=True))
            yield item


def _day(number: int) -> Window:
    return Window(None, END + number * _DAY)


def _last_moment(number: int) -> datetime:
    return naive_utc(END + number * _DAY - _INSTANT)


def _tombstones(warehouse: DuckDBWarehouse, table: Table) -> dict[tuple[Any, ...], datetime]:
    rows = stored_contents(warehouse, table)["rows"]
    return {tuple(row[name] for name in table.primary_key): row["_deleted_at"] for row in rows if row["_deleted_at"]}


@each_system
@pytest.mark.parametrize(
    "loaded_before",
    [pytest.param(True, id="known_before"), pytest.param(False, id="first_seen_gone", marks=pytest.mark.long)],
)
def test_what_is_deleted_is_gone_since_the_moment_that_the_system_says(
    loaded_before: bool, system: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    source = _Listening(source_for(system, sandbox.env))
    groups = registry.groups(system)
    for group in groups if loaded_before else ():
        ingest(source, group, warehouse, _day(0), run_id=f"{group} before")
    company = sandbox.app.company
    sandbox.app.standins[system].load(after_deletions(system, company))
    try:
        for number in (1, 2):
            for group in groups:
                ingest(source, group, warehouse, _day(number), run_id=f"{group} {number}")
    finally:
        sandbox.app.standins[system].load(company)

    for table in registry.tables(system):
        said = source.deleted.get(table.name, {})
        found = _tombstones(warehouse, table)
        # Whatever the system does not date was found to be gone by the first read after it.
        expected = {key: naive_utc(at) if (at := said.get(key)) else _last_moment(1) for key in found}
        assert found == expected, table.qualified_name
        assert found.keys() >= {key for key, at in said.items() if at}, table.qualified_name


@pytest.mark.parametrize(("system", "group"), _VERSIONED, ids=lambda part: str(part))
def test_what_is_overwritten_is_kept_with_the_span_in_which_it_was_known(
    system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    tables = {table.name: table for table in registry.groups(system)[group]}
    source = source_for(system, sandbox.env)

    def change(table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return renamed(tables[table], row)

    ingest(Altering(source, change), group, warehouse, _day(0), run_id="before")
    before = {name: stored_contents(warehouse, table)["rows"] for name, table in tables.items()}
    # The same day again, and the day after without any change.
    for number, run_id in ((1, "after"), (1, "again"), (2, "later")):
        ingest(source, group, warehouse, _day(number), run_id=run_id)

    for name, table in tables.items():
        kept = stored_contents(warehouse, table)
        assert all(row["_known_from"] in (_last_moment(0), _last_moment(1)) for row in kept["rows"])
        if not table.keeps_versions:
            continue
        now = {tuple(row[key] for key in table.primary_key): row for row in kept["rows"]}
        columns = table.column_names
        replaced = [
            {column: row[column] for column in columns}
            | {"_known_from": _last_moment(0), "_known_to": row["_deleted_at"] or _last_moment(1)}
            for row in before[name]
            if any(row[column] != now[tuple(row[key] for key in table.primary_key)][column] for column in columns)
        ]
        assert kept["history"] == replaced, table.qualified_name
        has_text = any(c.type is ColumnType.STRING and c.name not in table.primary_key for c in table.columns)
        assert bool(replaced) is (has_text and bool(before[name])), table.qualified_name


@each_system
def test_since_when_versions_are_known_is_told_of_every_table_that_keeps_them(
    system: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for(system, sandbox.env)
    for number in (0, 1):
        for group in registry.groups(system):
            ingest(source, group, warehouse, _day(number), run_id=f"{group} {number}")

    keeping = {table.qualified_name for table in registry.tables(system) if table.keeps_versions}
    assert dict(warehouse.known_since()) == dict.fromkeys(keeping, END - _INSTANT)


def test_only_what_keeps_versions_carries_its_first_one_back() -> None:
    assert [
        table.qualified_name for table in registry.tables() if table.carries_back and not table.keeps_versions
    ] == []
