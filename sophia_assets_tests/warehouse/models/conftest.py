"""One loaded company for all tests of models, and an empty warehouse to plant rows in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.warehouse.models.loaded_company import Tables, once_per_session
from sophia_assets_tests.warehouse.models.planting import Planting


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The simulated company's raw tables and models. Not to be changed."""
    with default_settings(tmp_path_factory.mktemp("models")):
        warehouse = once_per_session(tmp_path_factory)
    yield Tables(warehouse)


@pytest.fixture
def planting(tmp_path: Path) -> Planting:
    """An empty warehouse with every raw table, for awkward rows."""
    return Planting(tmp_path / "warehouse.duckdb")
