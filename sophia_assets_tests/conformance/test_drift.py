"""A system that changes the shape of its answers: whatever the source, nothing good is lost and it is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sophia_assets.errors import SchemaDrift
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ColumnType, Table
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.conformance.changes import Altering
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import GROUPS, contents, group_contents, ingest, source_for

each_group = pytest.mark.parametrize(("system", "group"), GROUPS, ids=lambda part: str(part))

_TAKES_ANYTHING = {ColumnType.STRING, ColumnType.JSON}
_ENOUGH_ROWS = 20
_NO_SUCH_TYPE = {"no": "such", "type": [1]}


def _typed_columns(table: Table) -> list[str]:
    """Columns beside the key and the cursor that do not take every value."""
    left_alone = {*table.primary_key, table.cursor}
    return [c.name for c in table.columns if c.type not in _TAKES_ANYTHING and c.name not in left_alone]


def _filled_columns(table: Table, rows: list[dict[str, Any]]) -> list[str]:
    """Columns beside the key and the cursor with a value in every row, where there are enough rows to tell."""
    left_alone = {*table.primary_key, table.cursor}
    names = [name for name in table.column_names if name not in left_alone]
    if len(rows) < _ENOUGH_ROWS:
        return []
    return [name for name in names if all(row[name] is not None for row in rows)]


@each_group
def test_a_new_field_is_kept_and_reported(system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    def change(table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**row, "surprise": "egg"}

    results = ingest(Altering(source_for(system, sandbox.env), change), group, warehouse)

    for result in results:
        assert "surprise" in result.new_fields
        assert all('"surprise":"egg"' in row["_extra"] for row in contents(warehouse, result.table))


@each_group
def test_values_of_another_type_are_set_aside_and_the_last_good_rows_stay(
    system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for(system, sandbox.env)
    ingest(source, group, warehouse, run_id="good")
    before = group_contents(warehouse, system, group)
    tables = {table.name: table for table in registry.groups(system)[group]}
    broken = {name: columns[0] for name, table in tables.items() if (columns := _typed_columns(table))}
    if not broken:
        pytest.skip("every column of these tables takes any value")

    def change(table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**row, broken[table]: _NO_SUCH_TYPE} if table in broken else row

    results = ingest(Altering(source, change), group, warehouse, run_id="drifted")

    assert group_contents(warehouse, system, group) == before
    for result in results:
        name = result.table.partition(".")[2]
        assert sum(result.quarantined.values()) == (result.rows_read if name in broken else 0)


@each_group
def test_a_column_that_has_vanished_fails_the_load_and_leaves_the_rows(
    system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for(system, sandbox.env)
    ingest(source, group, warehouse, run_id="good")
    before = group_contents(warehouse, system, group)
    candidates = [
        (table.name, columns[0])
        for table in registry.groups(system)[group]
        if (columns := _filled_columns(table, before[table.qualified_name]))
    ]
    if not candidates:
        pytest.skip("too few rows, or no column that is always filled")
    vanished_table, vanished = candidates[0]

    def change(table: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: value for name, value in row.items() if table != vanished_table or name != vanished}

    with pytest.raises(SchemaDrift, match=vanished) as caught:
        ingest(Altering(source, change), group, warehouse, run_id="drifted")

    assert caught.value.remedy
    assert group_contents(warehouse, system, group) == before
