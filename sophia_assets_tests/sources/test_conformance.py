"""What every source has to do, tried on every group that the registry knows: a new source gets it for free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sophia_assets.errors import AuthenticationFailed, ConnectionFailed, SourceError
from sophia_assets.ingestion.ingest import group_window, ingest_group
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ReadItem, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import Served
from sophia_assets_tests.sources.complete_company import (
    END,
    GROUPS,
    START,
    another,
    group_contents,
    ingest,
    source_for,
)
from sophia_assets_tests.sources.wrapped import Wrapped

each_group = pytest.mark.parametrize(("system", "group"), GROUPS, ids=lambda part: str(part))
each_system = pytest.mark.parametrize("system", registry.SYSTEMS)

# A port, in a URL or by itself.
_PORT = re.compile(r"(?<=:)\d+(?=/|$)|^\d+$")


@each_group
def test_every_table_of_a_group_is_filled_with_values_of_its_types(
    system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    results = ingest(source_for(system, sandbox.env), group, warehouse)

    assert [result.table for result in results] == [t.qualified_name for t in registry.groups(system)[group]]
    for result in results:
        # What the system has archived is stored with its tombstone.
        assert result.rows_read == result.inserted == result.rows_total + result.deleted
        assert result.rows_total > 0
        assert result.quarantined == {}
        assert result.rejected == 0
        assert result.requests > 0


@each_group
def test_a_second_load_changes_nothing(system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    source = source_for(system, sandbox.env)
    ingest(source, group, warehouse, run_id="first")
    before = group_contents(warehouse, system, group)

    for result in ingest(source, group, warehouse, run_id="second"):
        assert (result.inserted, result.updated, result.deleted) == (0, 0, 0)
        assert result.unchanged == result.rows_read > 0
    assert group_contents(warehouse, system, group) == before


@each_group
def test_windows_one_after_another_give_what_one_full_read_gives(
    system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    source = source_for(system, sandbox.env)
    ingest(source, group, warehouse)
    piecewise = another(warehouse, "piecewise")
    for number, day in enumerate((3, 20)):
        end = START + timedelta(days=day)
        partition = Window(end - timedelta(days=1), end)
        window = group_window(system, group, partition, piecewise)
        ingest_group(source, group, window, piecewise, run_id=str(number))
    last = group_window(system, group, Window(END - timedelta(days=1), END), piecewise)
    ingest_group(source, group, last, piecewise, run_id="last")

    assert last.start is not None
    assert group_contents(piecewise, system, group) == group_contents(warehouse, system, group)


@each_group
def test_nothing_beyond_the_end_of_an_incremental_window_is_loaded(
    system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    end = START + timedelta(days=3, seconds=1)
    results = ingest(source_for(system, sandbox.env), group, warehouse, Window(START, end))

    for result in results:
        assert result.newest is None or result.newest < end


class _Doubled(Wrapped):
    """A source whose every page comes twice."""

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for item in self.source.read(group, window, resume):
            yield item
            yield item


@each_group
def test_doubled_pages_collapse(system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    source = source_for(system, sandbox.env)
    ingest(_Doubled(source), group, warehouse)
    plain = another(warehouse, "plain")
    ingest(source, group, plain)

    assert group_contents(warehouse, system, group) == group_contents(plain, system, group)


@each_group
def test_an_empty_answer_is_no_failure(system: str, group: str, sandbox: Served, warehouse: DuckDBWarehouse) -> None:
    sandbox.app.faults.add(f"{system}:empty")

    results = ingest(source_for(system, sandbox.env), group, warehouse)

    assert [result.rows_read for result in results] == [0] * len(results)
    assert warehouse.table_state(results[0].table) is not None


@each_system
@pytest.mark.parametrize("fault", ["auth", "down", "truncate"])
def test_a_failing_system_leaves_the_data_as_it_was_and_says_so_in_one_line(
    system: str, fault: str, sandbox: Served, warehouse: DuckDBWarehouse
) -> None:
    group = next(iter(registry.groups(system)))
    source = source_for(system, sandbox.env)
    ingest(source, group, warehouse, run_id="good")
    before = group_contents(warehouse, system, group)
    state = warehouse.table_state(registry.groups(system)[group][0].qualified_name)
    sandbox.app.faults.add(f"{system}:{fault}")

    with pytest.raises(SourceError) as caught:
        ingest(source, group, warehouse, run_id="bad")

    assert caught.value.system == system
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert group_contents(warehouse, system, group) == before
    assert warehouse.table_state(registry.groups(system)[group][0].qualified_name) == state


@each_system
def test_a_refused_credential_names_the_setting_to_check(system: str, sandbox: Served) -> None:
    sandbox.app.faults.add(f"{system}:auth")

    with pytest.raises(AuthenticationFailed, match=f"{system.upper()}_"):
        source_for(system, sandbox.env).ping()


@each_system
def test_a_system_that_is_not_there_is_a_failed_connection(system: str, sandbox: Served) -> None:
    elsewhere = {name: _PORT.sub("9", value) for name, value in sandbox.env.items()}

    with pytest.raises(ConnectionFailed):
        source_for(system, elsewhere).ping()


@each_system
def test_ping_names_the_system(system: str, sandbox: Served) -> None:
    assert source_for(system, sandbox.env).ping().lower().startswith(system)


@each_system
def test_secrets_are_not_in_a_connections_repr(system: str) -> None:
    from importlib import import_module

    connection = import_module(f"sophia_assets.sources.{system}.client").CONNECTION
    secrets = ("ACCESS_TOKEN", "ACCESS_KEY", "ACCESS_KEY_SECRET", "PASSWORD", "PRIVATE_KEY_PATH", "API_KEY", "URL")
    made = connection.from_settings({f"{system.upper()}_{name}": "canary" for name in secrets})

    assert "canary" not in repr(made)


@pytest.mark.parametrize("table", registry.tables(), ids=lambda table: table.qualified_name)
def test_a_declaration_is_complete(table: object) -> None:
    from sophia_assets.sources.declarations import Table

    assert isinstance(table, Table)
    names = table.column_names
    assert set(table.primary_key) <= set(names)
    assert table.cursor is None or table.cursor in names
    assert table.description.endswith(".")
    assert all(column.description for column in table.columns)
    assert table.owner.startswith("team:")
    assert len({rule.name for rule in table.expectations}) == len(table.expectations)
    assert all(rule.recovery for rule in table.expectations)
    for rule in table.expectations:
        assert set(rule.arguments.get("column_list", [rule.arguments.get("column")])) <= set(names)
