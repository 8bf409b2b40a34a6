"""A warehouse with the two tables of the imaginary system."""

from __future__ import annotations

from pathlib import Path

import pytest

from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.warehouse.small_source import TABLES


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """An empty warehouse."""
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=TABLES)
