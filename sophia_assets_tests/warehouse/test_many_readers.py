"""Four processes write one warehouse file at once while a hundred readers read it: nobody fails, nothing is lost.

Whoever waits longer than the warehouse allows fails, so that a test that passes has seen every wait end in time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import ITEMS, TABLES

pytestmark = [pytest.mark.long, pytest.mark.takes(30)]

WRITERS, LOADS, ROWS = 4, 3, 500
READING_PROCESSES, READERS_EACH = 4, 25
_WRITER = """
import json, pathlib, sys
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import TABLES, item, load, rows
from sophia_assets_tests.warehouse.test_many_readers import LOADS, ROWS
warehouse, number = DuckDBWarehouse(pathlib.Path(sys.argv[1]), tables=TABLES), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for turn in range(LOADS):
    load(warehouse, rows(*(item(f"{number}-{turn}-{place}") for place in range(ROWS))), run_id=f"{number}-{turn}")
print(json.dumps(LOADS), flush=True)
"""

_READERS = """
import json, pathlib, sys, threading
from concurrent.futures import ThreadPoolExecutor
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import TABLES
from sophia_assets_tests.warehouse.test_many_readers import READERS_EACH, ROWS
warehouse, ended = DuckDBWarehouse(pathlib.Path(sys.argv[1]), tables=TABLES), threading.Event()
COUNT = "SELECT count(*) AS n FROM shop.items"
LOADED = "SELECT coalesce(sum(rows_read), 0) AS n FROM _sophia.loads"

def read(_):
    reads, torn, seen = 0, 0, 0
    while not ended.is_set():
        with warehouse.session():
            held = warehouse.query(COUNT)["n"][0].as_py()
            told = warehouse.query(LOADED)["n"][0].as_py()
        torn += held != told or held % ROWS != 0 or held < seen
        reads, seen = reads + 1, held
    return reads, torn

with ThreadPoolExecutor(READERS_EACH) as pool:
    found = pool.map(read, range(READERS_EACH))
    print("ready", flush=True)
    sys.stdin.readline()
    ended.set()
    answers = list(found)
print(json.dumps([list(answer) for answer in answers]), flush=True)
"""


@contextmanager
def _started(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it is ready; it is killed where the test fails."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def _told_to_go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[str]) -> object:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert process.wait() == 0, "a reader or a writer failed"
    return json.loads(line)


def test_four_writers_and_a_hundred_readers_work_at_once(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=TABLES)
    with ExitStack() as started:
        writers = [started.enter_context(_started(_WRITER, warehouse.path, number)) for number in range(WRITERS)]
        readers = [started.enter_context(_started(_READERS, warehouse.path)) for _ in range(READING_PROCESSES)]
        for writer in writers:
            _told_to_go_on(writer)
        assert [_answer(writer) for writer in writers] == [LOADS] * WRITERS
        for reader in readers:
            _told_to_go_on(reader)
        read = [answer for reader in readers for answer in _answer(reader)]  # type: ignore[attr-defined]

    assert warehouse.row_counts()[ITEMS.qualified_name] == WRITERS * LOADS * ROWS
    assert len(read) == READING_PROCESSES * READERS_EACH
    assert all(reads >= 1 for reads, _ in read)
    assert sum(torn for _, torn in read) == 0, "a reader saw half a load"
