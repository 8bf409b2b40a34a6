"""Which checks of a system's tables do not hold, kept so that a briefing can say so."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sophia_assets.home import write_atomically
from sophia_assets.settings import read_json


class FailureLog:
    """One small file per system under `folder`: its failing checks of severity error, and what they observed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, system: str, checked: Iterable[str], failing: dict[str, str]) -> None:
        """Replaces what is known of the checks in `checked`; `failing` says what those that fail observed."""
        replaced = set(checked)
        standing = {name: observed for name, observed in self.failing(system).items() if name not in replaced}
        write_atomically(self._folder / f"{system}.json", json.dumps({**standing, **failing}, indent=1))

    def failing(self, system: str) -> dict[str, str]:
        """What each failing check observed, by `table.check`."""
        stored: dict[str, Any] = read_json(self._folder / f"{system}.json") or {}
        return {str(name): str(observed) for name, observed in stored.items()}
