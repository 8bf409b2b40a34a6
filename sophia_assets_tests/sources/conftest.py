"""One complete company, served once for all tests of the sources; faults are cleared after each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.sources import registry
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
def warehouse(tmp_path: Path, request: pytest.FixtureRequest) -> DuckDBWarehouse:
    """An empty warehouse with the tables of the system that the test is about, or with all.

    A file with few tables is opened in a third of the time, and these tests open it thousands of times.
    """
    system = _system_of(request)
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=registry.tables(system) if system else None)


def _system_of(request: pytest.FixtureRequest) -> str | None:
    """The system that a test is run for, or that its module is named after."""
    parameters = getattr(request.node, "callspec", None)
    if parameters and parameters.params.get("system") in registry.SYSTEMS:
        return str(parameters.params["system"])
    module = request.path.stem.removeprefix("test_")
    return next((system for system in registry.SYSTEMS if module.startswith(system)), None)
