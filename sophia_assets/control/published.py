"""The register of what was published, in the control store: the seal of each briefing, apart from its files.

Belongs here: keeping a seal's digest and giving it back. Does not belong here: what is sealed (`insight.evidence`), or
holding files against it (`insight.reverification`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from sqlalchemy import Connection, and_, select

from sophia_assets.control.schema import published
from sophia_assets.control.store import ControlStore, insert_new


class Register:
    """The seals of the briefings that were published with one control store."""

    def __init__(self, store: ControlStore, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store, self._clock = store, clock

    def enter(self, kind: str, day: date, role: str, digest: str) -> None:
        """Records the SHA-256 of a briefing's manifest; one that is published again replaces what was there.

        Raises ControlStoreUnavailable.
        """
        key = {"kind": kind, "day": day.isoformat(), "role": role}
        values = {"digest": digest, "published_at": self._clock()}
        own = and_(*(published.c[name] == value for name, value in key.items()))

        def work(connection: Connection) -> None:
            if connection.execute(published.update().where(own).values(values)).rowcount == 0:
                insert_new(connection, published, key | values)

        self._store.run(work)

    def digest(self, kind: str, day: date, role: str) -> str | None:
        """What was recorded for a briefing; None where nothing was. Raises ControlStoreUnavailable."""
        columns = published.c
        own = and_(columns.kind == kind, columns.day == day.isoformat(), columns.role == role)
        with self._store.reading() as connection:
            return connection.execute(select(columns.digest).where(own)).scalar_one_or_none()
