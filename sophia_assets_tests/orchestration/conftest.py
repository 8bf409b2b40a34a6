"""Definitions with the default settings, and a platform on a served company, each made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from sophia_assets.home import Home
from sophia_assets.quality.client import QualityWorker
from sophia_assets.services import Services
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


@pytest.fixture(scope="module")
def worker() -> Iterator[QualityWorker]:
    """A validation worker for all tests of a module, since each takes seconds to start."""
    with QualityWorker() as running:
        yield running


@pytest.fixture
def briefed(
    company: Served, worker: QualityWorker, good_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """A platform on a copy of the good home that the test's module has made."""
    shutil.copytree(good_home, tmp_path / "var")
    monkeypatch.setattr(Services, "quality", property(lambda _: worker))
    with Platform.on(tmp_path / "var", company.env) as platform:
        yield platform
