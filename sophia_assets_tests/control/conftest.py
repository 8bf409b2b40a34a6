"""Both stores, so that each behaviour is shown on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new store of either kind."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'control.db'}"


@pytest.fixture
def store(store_url: str) -> Iterator[ControlStore]:
    """A new store of either kind, closed at the end."""
    store = ControlStore(store_url)
    yield store
    store.close()
