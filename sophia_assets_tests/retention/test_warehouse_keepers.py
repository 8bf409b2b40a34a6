"""The ledger and replaced versions: what checks, models and past days rest on stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sophia_assets.home import Home
from sophia_assets.retention.warehouse_keepers import NEWEST_KEPT, HistoryKeeper, LedgerKeeper
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.retention.conftest import NOW

CUTOFF = NOW - timedelta(days=100)
DEALS = [(f"deals-{number}", "hubspot.deals", 400.0 - number) for number in range(NEWEST_KEPT + 3)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with an empty warehouse: making every table takes a second."""
    home = Home(tmp_path_factory.mktemp("warehouse"))
    DuckDBWarehouse(home.warehouse_file).close()
    return home


@pytest.fixture
def warehouse(shared: Home) -> Iterator[DuckDBWarehouse]:
    """The warehouse, emptied again afterwards."""
    opened = DuckDBWarehouse(shared.warehouse_file)
    yield opened
    tables = (
        '"_sophia"."loads"',
        '"_sophia"."state"',
        '"_sophia"."builds"',
        "history.hubspot_owners",
        "hubspot.owners",
    )
    opened.execute_in_transaction([f"DELETE FROM {table}" for table in tables])


def _at(days_ago: float) -> str:
    return f"TIMESTAMP '{NOW - timedelta(days=days_ago):%Y-%m-%d %H:%M:%S}'"


def _loaded(warehouse: DuckDBWarehouse, *loads: tuple[str, str, float]) -> None:
    """Loads as (id, table, days ago)."""
    rows = (f"('{load_id}', '{table}', {_at(back)}, {_at(back)})" for load_id, table, back in loads)
    into = 'INSERT INTO "_sophia"."loads" (load_id, table_name, committed_at, read_from)'
    warehouse.execute_in_transaction([f"{into} VALUES {', '.join(rows)}"])


def _ids(warehouse: DuckDBWarehouse) -> set[str]:
    return {row["load_id"] for row in warehouse.query('SELECT load_id FROM "_sophia"."loads"').to_pylist()}


def test_old_loads_go_and_the_newest_of_each_table_stay(warehouse: DuckDBWarehouse, shared: Home) -> None:
    _loaded(warehouse, *DEALS)
    _loaded(warehouse, ("calls", "gong.calls", 900))
    keeper = LedgerKeeper(lambda: warehouse, shared)
    assert keeper.held(CUTOFF).due == 3
    assert sum(keeper.remove(CUTOFF)) == 3
    assert _ids(warehouse) == {"calls", *(f"deals-{number}" for number in range(3, NEWEST_KEPT + 3))}
    assert sum(keeper.remove(CUTOFF)) == 0


def test_a_load_that_state_or_a_model_rests_on_stays(warehouse: DuckDBWarehouse, shared: Home) -> None:
    _loaded(warehouse, *DEALS)
    warehouse.execute_in_transaction(
        [
            "INSERT INTO \"_sophia\".\"builds\" (model, load_id) VALUES ('marts.deals', 'deals-1'), ('marts.x', NULL)",
            "INSERT INTO \"_sophia\".\"state\" (table_name, load_id) VALUES ('hubspot.deals', 'deals-2')",
        ]
    )
    assert sum(LedgerKeeper(lambda: warehouse, shared).remove(CUTOFF)) == 1
    assert {"deals-1", "deals-2"} <= _ids(warehouse)


def test_while_a_load_is_being_read_the_ledger_is_left_alone(warehouse: DuckDBWarehouse, shared: Home) -> None:
    _loaded(warehouse, *DEALS)
    stage = shared.path / "staging" / "warehouse" / "hubspot.crm.0123"
    stage.mkdir(parents=True)
    try:
        assert sum(LedgerKeeper(lambda: warehouse, shared).remove(CUTOFF)) == 0
    finally:
        stage.rmdir()
    assert sum(LedgerKeeper(lambda: warehouse, shared).remove(CUTOFF)) == 3


def _versions(warehouse: DuckDBWarehouse, spans: list[tuple[str, float, float]], now: list[tuple[str, float]]) -> None:
    """Replaced versions as (owner, days ago from, days ago to), and those that stand."""
    warehouse.execute_in_transaction(
        [
            *(
                f"INSERT INTO history.hubspot_owners (owner_id, _known_from, _known_to) "
                f"VALUES ('{owner}', {_at(begins)}, {_at(ends)})"
                for owner, begins, ends in spans
            ),
            *(f"INSERT INTO hubspot.owners (owner_id, _known_from) VALUES ('{o}', {_at(since)})" for o, since in now),
            *(
                'INSERT INTO "_sophia"."state" (table_name, known_since, known_through, loaded_through) '
                f"VALUES ('hubspot.{name}', {_at(900)}, {_at(0)}, {_at(0)})"
                for name in ("owners", "deals")
            ),
        ]
    )


def _left(warehouse: DuckDBWarehouse) -> list[tuple[str, float, float]]:
    rows: list[dict[str, Any]] = warehouse.query("SELECT * FROM history.hubspot_owners").to_pylist()
    day = timedelta(days=1)
    now = NOW.replace(tzinfo=None)
    return sorted((row["owner_id"], (now - row["_known_from"]) / day, (now - row["_known_to"]) / day) for row in rows)


def test_versions_go_that_others_followed_before_the_cutoff(warehouse: DuckDBWarehouse, shared: Home) -> None:
    _versions(warehouse, [("1", 500, 400), ("1", 400, 300), ("1", 300, 50)], [("1", 50)])
    keeper = HistoryKeeper(lambda: warehouse)
    assert keeper.held(CUTOFF).due == 2
    assert sum(keeper.remove(CUTOFF)) == 2
    assert _left(warehouse) == [("1", 300, 50)]
    assert warehouse.known_since()["hubspot.owners"] == CUTOFF, "of days before nothing is told as known"
    assert warehouse.known_since()["hubspot.deals"] == NOW - timedelta(days=900)


def test_that_a_record_was_away_for_a_time_stays_known(warehouse: DuckDBWarehouse, shared: Home) -> None:
    away: list[tuple[str, float, float]] = [("1", 300, 200), ("1", 500, 400)]
    _versions(warehouse, away, [("1", 50)])
    assert sum(HistoryKeeper(lambda: warehouse).remove(CUTOFF)) == 0
    assert _left(warehouse) == away


def test_a_version_of_no_length_follows_nothing(warehouse: DuckDBWarehouse, shared: Home) -> None:
    _versions(warehouse, [("1", 500, 400), ("1", 400, 400)], [])
    assert sum(HistoryKeeper(lambda: warehouse).remove(CUTOFF)) == 0


def test_an_empty_warehouse_has_nothing_to_remove(warehouse: DuckDBWarehouse, shared: Home) -> None:
    for keeper in (LedgerKeeper(lambda: warehouse, shared), HistoryKeeper(lambda: warehouse)):
        assert (keeper.held(CUTOFF).count, sum(keeper.remove(CUTOFF))) == (0, 0)
