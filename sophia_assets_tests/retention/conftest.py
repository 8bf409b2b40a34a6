"""A control store, and a Dagster instance with runs, checks and ticks of several days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.home import Home
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.services import Services
from sophia_assets.settings import load_settings

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    made = Home(tmp_path / "home")
    made.prepare()
    return made


@pytest.fixture
def store(home: Home) -> Iterator[ControlStore]:
    """Its control store, which signs an audit trail."""
    opened = ControlStore.at(home.path / "control.db")
    yield opened
    opened.close()


@pytest.fixture
def services(home: Home) -> Iterator[Services]:
    """Its services; no system can be reached."""
    made = Services(load_settings({"SOPHIA_HOME": str(home.path)}), home)
    yield made
    made.close()


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """Its Dagster, on SQLite as on a laptop."""
    with instance_for(home, load_settings({"SOPHIA_HOME": str(home.path)}), runs_here=True) as opened:
        yield opened
