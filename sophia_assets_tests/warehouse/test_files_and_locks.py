"""The warehouse's file: created whole, brought up to new declarations, shared by threads and processes, kill-proof."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sophia_assets.errors import ConfigurationError, WarehouseBusy
from sophia_assets.sources import registry
from sophia_assets.sources.columns import string
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.lock import FileLock
from sophia_assets_tests.warehouse.small_source import ITEMS, PARTS, TABLES, item, live, load, rows


def test_every_registered_table_exists_from_the_start(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "new" / "warehouse.duckdb")

    assert warehouse.row_counts() == {table.qualified_name: 0 for table in registry.tables()}


def test_a_column_declared_later_is_added_to_an_existing_file(warehouse: DuckDBWarehouse) -> None:
    load(warehouse, rows(item("1", colour="red")), run_id="first")
    wider = replace(ITEMS, columns=(*ITEMS.columns, string("colour", "Colour.")))
    reopened = DuckDBWarehouse(warehouse.path, tables=(wider, PARTS))

    assert live(reopened, "name, colour") == [("Lamp", None)]


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("not a database" * 1000)

    with pytest.raises(ConfigurationError, match=r"warehouse\.duckdb"):
        DuckDBWarehouse(path)


def test_a_folder_may_have_an_apostrophe_in_its_name(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "o'brien" / "warehouse.duckdb", tables=TABLES)
    load(warehouse, rows(item("A")))

    assert warehouse.row_counts()["shop.items"] == 1


def test_threads_load_and_read_at_once_and_nothing_is_lost(warehouse: DuckDBWarehouse) -> None:
    def work(number: int) -> int:
        load(warehouse, rows(item(str(number))), run_id=str(number))
        return len(live(warehouse))

    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(work, range(24)))

    assert min(seen) >= 1
    assert len(live(warehouse)) == 24


def test_a_held_lock_is_waited_for_and_then_explained(warehouse: DuckDBWarehouse) -> None:
    impatient = DuckDBWarehouse(warehouse.path, tables=TABLES, wait_seconds=0.05)

    with FileLock(warehouse.path, wait_seconds=1).exclusive(), pytest.raises(WarehouseBusy, match="this process"):
        impatient.query("SELECT 1")
    assert impatient.query("SELECT 1 AS one").num_rows == 1


def test_a_holder_in_another_process_is_named(warehouse: DuckDBWarehouse) -> None:
    script = (
        "import sys, pathlib; from sophia_assets.warehouse.lock import FileLock\n"
        "with FileLock(pathlib.Path(sys.argv[1]), wait_seconds=1).exclusive():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    impatient = DuckDBWarehouse(warehouse.path, tables=TABLES, wait_seconds=0.05)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(warehouse.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WarehouseBusy, match=f"process {holder.pid} "):
            load(impatient, rows(item("1")))
        holder.kill()

    load(impatient, rows(item("1")))
    assert live(warehouse) == [("1", "Lamp")]


_LOADER = """
import sys, pathlib
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import TABLES, item, load, rows
warehouse = DuckDBWarehouse(pathlib.Path(sys.argv[1]), tables=TABLES)
number = int(sys.argv[2])
while True:
    found = [item(f"{number}-{place}") for place in range(2000)]
    print("start", number, flush=True)
    load(warehouse, rows(*found), run_id=str(number))
    print("done", number, flush=True)
    number += 1
"""


def test_a_killed_load_loses_nothing_and_doubles_nothing(warehouse: DuckDBWarehouse) -> None:
    """Kills the loader at the start of a load, in the middle of one, and right after a commit."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for start, kill_at in ((0, "start 2"), (100, "done 101"), (200, "start 201")):
        with subprocess.Popen(
            [sys.executable, "-c", _LOADER, str(warehouse.path), str(start)],
            stdout=subprocess.PIPE, text=True, env=environment,
        ) as loader:  # fmt: skip
            assert loader.stdout is not None
            for line in loader.stdout:
                if line.strip() == kill_at:
                    loader.send_signal(signal.SIGKILL)
                    break

        ledger = warehouse.query('SELECT sum(inserted)::BIGINT AS n, count(*) AS loads FROM "_sophia"."loads" '
                                 "WHERE table_name = 'shop.items'").to_pylist()[0]  # fmt: skip
        held = warehouse.query("SELECT count(*) AS n, count(DISTINCT item_id) AS keys FROM shop.items").to_pylist()[0]
        state = warehouse.table_state("shop.items")
        assert held["n"] == held["keys"] == ledger["n"] == 2000 * ledger["loads"]
        assert state is not None
        assert state.rows_total == held["n"]


def test_the_queries_of_a_session_see_one_state_and_a_writer_waits_for_its_end(warehouse: DuckDBWarehouse) -> None:
    written = threading.Event()

    def write() -> None:
        warehouse.execute_in_transaction(["CREATE TABLE later AS SELECT 1 AS a"])
        written.set()

    writer = threading.Thread(target=write)
    with warehouse.session():
        before = warehouse.query("SELECT count(*) AS n FROM duckdb_tables()")
        writer.start()
        assert warehouse.query("SELECT count(*) AS n FROM duckdb_tables()") == before
        assert not written.is_set()
    writer.join()
    assert written.is_set()


def test_writing_inside_a_session_is_refused_instead_of_waiting_for_itself(warehouse: DuckDBWarehouse) -> None:
    with warehouse.session(), pytest.raises(AssertionError, match="a session reads only"):
        warehouse.execute_in_transaction(["CREATE TABLE never AS SELECT 1 AS a"])
