"""What became of the last attempt to read each system: why its data is old. Until when it rests, its circuit knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from sophia_assets.control.schema import attempts
from sophia_assets.control.store import ControlStore, insert_new


@dataclass(frozen=True)
class FailedAttempt:
    """The last attempt on a system failed: which group, why (one line), and when (UTC, ISO 8601).

    `kind` is the error's (`SourceError.kind`); `since` when the first of the failures in a row was.
    """

    group: str
    reason: str
    failed_at: str
    kind: str = "source"
    since: str | None = None


class AttemptLog:
    """One row per system, there only while the system's last attempt failed."""

    def __init__(self, store: ControlStore) -> None:
        self._store = store

    def failed(self, system: str, group: str, reason: str, at: datetime, *, kind: str = "source") -> None:
        """Records a failure at a moment (aware)."""
        values = {"group_name": group, "reason": reason, "failed_at": at, "kind": kind}

        def work(connection: Connection) -> None:
            known = attempts.update().where(attempts.c.system == system).values(values)
            if connection.execute(known).rowcount == 0:
                insert_new(connection, attempts, values | {"system": system, "since": at})

        self._store.run(work)

    def succeeded(self, system: str, group: str) -> None:
        """Forgets the failure of the same group; another group's stays until that one succeeds."""
        last = self.last_failure(system)
        if last and last.group == group:
            self._forget(system, attempts.c.group_name == group)

    def forget(self, system: str) -> None:
        """Forgets the system's failure."""
        self._forget(system)

    def last_failure(self, system: str) -> FailedAttempt | None:
        """The failure that is still standing, or None."""
        with self._store.reading() as connection:
            row = connection.execute(select(attempts).where(attempts.c.system == system)).one_or_none()
        if row is None:
            return None
        return FailedAttempt(row.group_name, row.reason, row.failed_at.isoformat(), row.kind, row.since.isoformat())

    def _forget(self, system: str, *conditions: ColumnElement[bool]) -> None:
        with self._store.transaction() as connection:
            connection.execute(attempts.delete().where(attempts.c.system == system, *conditions))
