"""The command line in this process, on a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets_tests.command_line.commands import Sophia
from sophia_assets_tests.environment import default_settings


@pytest.fixture
def sophia(tmp_path: Path) -> Iterator[Sophia]:
    """`sophia` with the default settings and an empty home."""
    with default_settings(tmp_path):
        yield Sophia(tmp_path / "var")
