"""What became of the last attempt to read each system, so that a briefing can say why data is old."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sophia_assets.home import write_atomically
from sophia_assets.settings import read_json


@dataclass(frozen=True)
class FailedAttempt:
    """The last attempt on a system failed: which group, why (one line), and when (UTC, ISO 8601)."""

    group: str
    reason: str
    failed_at: str


class AttemptLog:
    """One small file per system under `folder`, there only while the system's last attempt failed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def failed(self, system: str, group: str, reason: str, at: datetime) -> None:
        """Records a failure."""
        attempt = FailedAttempt(group, reason, at.isoformat())
        write_atomically(self._file(system), json.dumps(asdict(attempt)))

    def succeeded(self, system: str, group: str) -> None:
        """Forgets the failure of the same group; another group's stays until that one succeeds."""
        last = self.last_failure(system)
        if last and last.group == group:
            self._file(system).unlink(missing_ok=True)

    def last_failure(self, system: str) -> FailedAttempt | None:
        """The failure that is still standing, or None."""
        stored = read_json(self._file(system))
        return FailedAttempt(**stored) if stored else None

    def _file(self, system: str) -> Path:
        return self._folder / f"{system}.json"
