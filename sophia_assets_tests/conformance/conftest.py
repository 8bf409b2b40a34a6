"""One complete company, served once for all tests of the sources; faults are cleared after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import complete_company


@pytest.fixture(scope="session")
def _served_company() -> Iterator[Served]:
    with served(complete_company(), limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_served_company: Served) -> Iterator[Served]:
    """The running stand-ins, without any fault."""
    yield _served_company
    _served_company.app.faults.clear()


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """An empty warehouse with every registered table."""
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")
