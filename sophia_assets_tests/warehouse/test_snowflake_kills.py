"""A load into Snowflake that is killed loses nothing and doubles nothing, wherever it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.sources.declarations import CompleteSet, ReadItem, Window
from sophia_assets.warehouse.fault_points import KILL_AT
from sophia_assets.warehouse.interface import Load, LoadKey, LoadResult
from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse
from sophia_assets_tests.warehouse.small_source import END, TABLES, item, rows
from sophia_assets_tests.warehouse.snowflake_server import SnowflakeServer, snowflake_server

pytestmark = [pytest.mark.long, pytest.mark.takes(60), pytest.mark.timeout(300)]

WINDOW = Window(None, END)
KEY = LoadKey("shop", "items", WINDOW)
# Replaced, older than what is held, taken away by the complete set, new, and not fitting.
BEFORE = (rows(item("A"), item("B", updated_at="2026-01-05T00:00:00Z"), item("C")),)
AFTER: tuple[ReadItem, ...] = (
    rows(
        item("A", name="Sofa", updated_at="2026-01-02T00:00:00Z"),
        item("B", name="Old", updated_at="2026-01-04T00:00:00Z"),
        item("D"),
        item("E", pieces="many"),
    ),
    CompleteSet("items"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[SnowflakeServer]:
    """One server for all tests."""
    with snowflake_server() as running:
        yield running


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Makes processes in milliseconds: what a load imports is imported once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "dagster_snowflake"])
    return context


def load(account: SnowflakeAccount, folder: Path, kill_at: str | None = None) -> list[LoadResult]:
    """One load that can be gone on with; what the process that is killed does, too."""
    if kill_at:
        os.environ[KILL_AT] = kill_at
    warehouse = SnowflakeWarehouse(account, folder, tables=TABLES)
    results = warehouse.load(Load("after", "after", TABLES, WINDOW, key=KEY), AFTER)
    warehouse.close()
    return results


def prepared(account: SnowflakeAccount, folder: Path) -> SnowflakeWarehouse:
    """A warehouse that holds the first rows."""
    warehouse = SnowflakeWarehouse(account, folder, tables=TABLES)
    warehouse.load(Load("before", "before", TABLES, WINDOW), BEFORE)
    return warehouse


def contents(warehouse: SnowflakeWarehouse) -> dict[str, list[dict[str, Any]]]:
    """Everything that a load leaves, without the moments at which it ran."""
    queries = {
        "rows": "SELECT item_id, name, _row_hash, _deleted_at, _load_id, _known_from FROM shop.items ORDER BY item_id",
        "loads": "SELECT load_id, table_name, rows_read, inserted, updated, unchanged, deleted, quarantined, "
        "rows_total FROM _sophia.loads ORDER BY load_id, table_name",
        "state": "SELECT table_name, loaded_through, newest, load_id, rows_total FROM _sophia.state ORDER BY 1",
        "quarantine": "SELECT table_name, key, column_name, load_id FROM _sophia.quarantine",
    }
    return {name: list(warehouse.query(sql).to_pylist()) for name, sql in queries.items()}


@pytest.fixture(scope="module")
def undisturbed(server: SnowflakeServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What a load leaves that nobody kills."""
    account, folder = server.new_account(), tmp_path_factory.mktemp("undisturbed")
    warehouse = prepared(account, folder)
    load(account, folder)
    return contents(warehouse)


@pytest.mark.parametrize(
    "point",
    [
        "before_merge",
        "before_copy",
        "before_transaction",
        "rows_merged",
        "ledger_written",
        "before_clean_up",
        "committed",
        "clean_up_half_done",
    ],
)
def test_a_load_that_is_killed_is_whole_after_the_next_one(
    point: str,
    server: SnowflakeServer,
    undisturbed: dict[str, list[dict[str, Any]]],
    processes: ForkServerContext,
    tmp_path: Path,
) -> None:
    account = server.new_account()
    warehouse = prepared(account, tmp_path)
    before = contents(warehouse)
    process = processes.Process(target=load, args=(account, tmp_path, f"{point}:1"))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    warehouse.close()
    server.end_sessions()
    is_committed = point in ("before_clean_up", "committed", "clean_up_half_done")
    assert contents(warehouse) == (undisturbed if is_committed else before)

    load(account, tmp_path)

    assert contents(warehouse) == undisturbed
    # Half of a folder is removed by whoever loads next.
    warehouse.load(Load("next", "next", TABLES, WINDOW), [])
    assert list((tmp_path / "staging" / "snowflake").iterdir()) == []


def test_loading_the_same_again_changes_nothing(server: SnowflakeServer, tmp_path: Path) -> None:
    account = server.new_account()
    warehouse = prepared(account, tmp_path)
    first = load(account, tmp_path)
    after = contents(warehouse)

    assert load(account, tmp_path) == first
    again = warehouse.load(Load("again", "again", TABLES, WINDOW), AFTER)
    assert (again[0].inserted, again[0].updated, again[0].deleted) == (0, 0, 0)
    assert contents(warehouse)["rows"] == after["rows"]


def test_what_a_killed_load_left_in_snowflake_is_dropped_a_day_later(server: SnowflakeServer, tmp_path: Path) -> None:
    account = server.new_account()
    warehouse = prepared(account, tmp_path)
    warehouse.replace_tables({"_sophia_stage.l2020010100_abc_0": "SELECT 1 AS a"}, lambda _: None)
    staged = "SELECT table_name FROM information_schema.tables WHERE LOWER(table_schema) = '_sophia_stage'"
    assert warehouse.query(staged).num_rows == 1

    load(account, tmp_path)

    assert warehouse.query(staged).num_rows == 0
