"""A disk that is full, or a folder that cannot be written: one clear error, the data as it was, the next load heals."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sources.declarations import Checkpoint, ReadItem, Window
from sophia_assets.warehouse import loading, staged_load, staging
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.interface import Load, LoadKey
from sophia_assets_tests.warehouse.small_source import END, TABLES, item, live, rows

WINDOW = Window(None, END)


def items(position: Any) -> Iterator[ReadItem]:
    """20,000 rows that do not compress well, in pages."""
    for page in range(position or 0, 20):
        yield rows(*(item(f"{page}-{number}", name=os.urandom(40).hex()) for number in range(1000)))
        yield Checkpoint(page + 1)


def load(warehouse: DuckDBWarehouse, run_id: str = "run") -> None:
    warehouse.load(Load(run_id, run_id, TABLES, WINDOW, key=LoadKey("shop", "items", WINDOW)), items)


def fill_the_disk() -> None:
    """What the operating system refuses from here on looks to a program as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))


def _load_on_a_full_disk(path: Path, when: str) -> None:
    """Exits with 0 where the load told what was wrong."""
    warehouse = DuckDBWarehouse(path, tables=TABLES)

    def fill(point: str) -> None:
        if point == when:
            fill_the_disk()
        reach(point)

    with pytest.MonkeyPatch.context() as patched:
        for module in (loading, staged_load, staging):
            patched.setattr(module, "reach", fill)
        with pytest.raises(ConfigurationError, match="could not be written to disk"):
            load(warehouse, "full")


@pytest.mark.parametrize("when", ["page_received", "before_merge"])
def test_a_full_disk_is_told_in_one_line_and_the_next_load_heals(when: str, warehouse: DuckDBWarehouse) -> None:
    warehouse.load(Load("small", "small", TABLES, WINDOW), [rows(item("old"))])
    # In a process of its own: a database engine that has met a full disk may be unusable until the process ends.
    process = get_context("spawn").Process(target=_load_on_a_full_disk, args=(warehouse.path, when))
    process.start()
    process.join(120)

    assert process.exitcode == 0
    assert live(warehouse) == [("old", "Lamp")]
    load(warehouse)
    assert warehouse.row_counts()["shop.items"] == 20_001
    assert list((warehouse.path.parent / "staging" / "warehouse").iterdir()) == []


def _unwritable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o500)


def _taken_by_a_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.touch()


@pytest.mark.parametrize("spoil", [_unwritable, _taken_by_a_file])
def test_a_staging_folder_that_cannot_be_used_is_told(
    spoil: Callable[[Path], None], warehouse: DuckDBWarehouse
) -> None:
    folder = warehouse.path.parent / "staging" / "warehouse"
    if spoil is _unwritable and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    spoil(folder)

    with pytest.raises(ConfigurationError, match="no files can be made"):
        load(warehouse)
    assert live(warehouse) == []
