"""Both kinds of control store, and audit trails in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets_tests.access.trails import Trail
from sophia_assets_tests.control.conftest import postgres_server, postgres_url, store, store_url

__all__ = ["postgres_server", "postgres_url", "store", "store_url"]


@pytest.fixture
def trail(store_url: str, tmp_path: Path) -> Iterator[Trail]:
    """An empty trail in a store of either kind, with its key in a file."""
    made = Trail(tmp_path, url=store_url)
    yield made
    made.close()


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Trail]:
    """An empty trail in a file."""
    made = Trail(tmp_path)
    yield made
    made.close()
