"""Definitions with the default settings, and a platform on a served company, each made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from sophia_assets.home import Home
from sophia_assets_tests.environment import default_settings
from sophia_assets_tests.orchestration.platform import Platform
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import complete_company


@pytest.fixture(scope="session", autouse=True)
def _default_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with default_settings(tmp_path_factory.mktemp("orchestration")):
        yield


@pytest.fixture(scope="session")
def definitions(_default_settings: None, tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """What Dagster loads on a home that has never been run."""
    from sophia_assets.definitions import build_definitions

    return build_definitions(home=Home(tmp_path_factory.mktemp("unused")))


@pytest.fixture(scope="session")
def company() -> Iterator[Served]:
    """A company that every system serves, without rate limits."""
    with served(complete_company(calls=24, deals=30), limits=False) as running:
        yield running


@pytest.fixture
def platform(_default_settings: None, company: Served, tmp_path: Path) -> Iterator[Platform]:
    """An empty platform that reaches the company's systems."""
    with Platform.on(tmp_path / "var", company.env) as made:
        yield made
    company.app.faults.clear()
