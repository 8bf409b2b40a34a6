"""Order: what takes long comes first, so that no core waits for it at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sophia_assets.home import Home


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the modules that are marked `takes(seconds)` first, the longest before all."""
    items.sort(key=_seconds_of_module, reverse=True)


def _seconds_of_module(item: pytest.Item) -> int:
    mark = item.get_closest_marker("takes")
    return int(mark.args[0]) if mark else 0


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with everything in it that readers need; nobody writes into it."""
    from sophia_assets_tests.finished_home import finished_home

    return finished_home(tmp_path_factory)
