"""What became of the last attempt to read each system: why its data is old, and before when nobody is to ask it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from sophia_assets.home import write_atomically
from sophia_assets.settings import read_json


@dataclass(frozen=True)
class FailedAttempt:
    """The last attempt on a system failed: which group, why (one line), and when (UTC, ISO 8601).

    `kind` is the error's (`SourceError.kind`); `not_before` the moment (UTC, ISO 8601) before which the
    system asked to be left alone, where it did; `since` when the first of the failures in a row was.
    """

    group: str
    reason: str
    failed_at: str
    kind: str = "source"
    not_before: str | None = None
    since: str | None = None


class AttemptLog:
    """One small file per system under `folder`, there only while the system's last attempt failed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def failed(
        self,
        system: str,
        group: str,
        reason: str,
        at: datetime,
        *,
        kind: str = "source",
        not_before: datetime | None = None,
    ) -> None:
        """Records a failure. A `not_before` (UTC) of an earlier one stays in force where it is the later of the two."""
        moments = [moment for moment in (not_before, self.not_before(system)) if moment]
        latest = max(moments).isoformat() if moments else None
        before = self.last_failure(system)
        since = (before.since or before.failed_at) if before else at.isoformat()
        attempt = FailedAttempt(group, reason, at.isoformat(), kind, latest, since)
        write_atomically(self._file(system), json.dumps(asdict(attempt)))

    def succeeded(self, system: str, group: str) -> None:
        """Forgets the failure of the same group; another group's stays until that one succeeds."""
        last = self.last_failure(system)
        if last and last.group == group:
            self.forget(system)

    def forget(self, system: str) -> None:
        """Forgets the system's failure, and with it until when it is not to be asked."""
        self._file(system).unlink(missing_ok=True)

    def last_failure(self, system: str) -> FailedAttempt | None:
        """The failure that is still standing, or None."""
        stored = read_json(self._file(system))
        known = {field.name for field in fields(FailedAttempt)}
        try:
            return FailedAttempt(**{name: value for name, value in stored.items() if name in known}) if stored else None
        except TypeError:  # a file that is none of ours
            return None

    def not_before(self, system: str) -> datetime | None:
        """Until when the system is not to be asked, where that is still to come."""
        last = self.last_failure(system)
        if last is None or last.not_before is None:
            return None
        moment = datetime.fromisoformat(last.not_before)
        return moment if moment > datetime.now(UTC) else None

    def _file(self, system: str) -> Path:
        return self._folder / f"{system}.json"
