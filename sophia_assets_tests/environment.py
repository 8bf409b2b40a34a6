"""An environment in which no setting of whoever runs the tests has a say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sophia_assets.sources import registry


@contextmanager
def default_settings(folder: Path) -> Iterator[None]:
    """Removes every setting, makes `folder` the working folder (away from any `.env`) and `folder/var` the home."""
    connections = {name for system in registry.SYSTEMS for name in registry.settings_of(system).names}
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("SOPHIA_") or name in connections:
                patch.delenv(name)
        patch.setenv("SOPHIA_HOME", str(folder / "var"))
        patch.chdir(folder)
        yield


def off_but(*systems: str) -> dict[str, str]:
    """The settings that turn every other system off."""
    return {f"SOPHIA_{system.upper()}_MODE": "off" for system in registry.SYSTEMS if system not in systems}
