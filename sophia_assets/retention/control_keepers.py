"""What grows in the control store: day rows of measures, deliveries, changes of flags, the audit trail.

Elsewhere in it, whoever writes throws away what is too old: changes and outcomes of circuits, deeds (`actions`), calls
and answers of language models, sessions. Users, flags, circuits and marks do not grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, func, literal, select, tuple_

from sophia_assets.access.audit_chain import Chain
from sophia_assets.control.schema import audit, deliveries, flag_changes, measures
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import AuditUnavailable, ConfigurationError
from sophia_assets.retention.applying import Held, Keeper
from sophia_assets.retention.sqlite_space import size_of
from sophia_assets.telemetry.recording import EVER

_STEP = 500
ARCHIVED_DAYS = 30
"""So many days at least go into an archive together: each is a file that is read by every verification."""


class MeasuresKeeper:
    """The day rows; what has come together since ever is never removed: a counter does not fall."""

    name = "measures"

    def __init__(self, store: ControlStore) -> None:
        self._store = store

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        days = measures.c.day
        with self._store.reading() as connection:
            count, first = connection.execute(select(func.count(), func.min(days)).where(days != EVER)).one()
            due = _counted(connection, measures, self._old(cutoff)) if cutoff else 0
        return Held(int(count), _day(first), _size(self._store), due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`: a day is a step."""
        with self._store.reading() as connection:
            query = select(measures.c.day).where(self._old(cutoff)).distinct().order_by(measures.c.day)
            days = connection.execute(query).scalars().all()
        for day in days:
            with self._store.transaction() as connection:
                count = connection.execute(measures.delete().where(measures.c.day == day)).rowcount
            yield count

    @staticmethod
    def _old(cutoff: datetime) -> ColumnElement[bool]:
        return and_(measures.c.day != EVER, measures.c.day < cutoff.astimezone(UTC).date().isoformat())


class _RowsKeeper:
    """Rows of one table that are older than a moment, a few hundred at a time."""

    def __init__(self, store: ControlStore, table: Table, moment: str) -> None:
        self._store, self._table, self._moment = store, table, table.c[moment]

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        with self._store.reading() as connection:
            count, first = connection.execute(select(func.count(), func.min(self._moment))).one()
            due = _counted(connection, self._table, self._old(cutoff)) if cutoff else 0
        return Held(int(count), first, _size(self._store), due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`."""
        key = list(self._table.primary_key.columns)
        while True:
            with self._store.transaction() as connection:
                rows = connection.execute(select(*key).where(self._old(cutoff)).limit(_STEP)).all()
                if not rows:
                    return
                doomed = tuple_(*key).in_([tuple(row) for row in rows])
                count = connection.execute(self._table.delete().where(doomed)).rowcount
            yield count

    def _old(self, cutoff: datetime) -> ColumnElement[bool]:
        return self._moment < cutoff


class DeliveriesKeeper(_RowsKeeper):
    """What was sent to whom."""

    name = "deliveries"

    def __init__(self, store: ControlStore) -> None:
        super().__init__(store, deliveries, "claimed_at")


class FlagChangesKeeper(_RowsKeeper):
    """Changes of flags, but the newest of each flag."""

    name = "flag_changes"

    def __init__(self, store: ControlStore) -> None:
        super().__init__(store, flag_changes, "at")

    def _old(self, cutoff: datetime) -> ColumnElement[bool]:
        newest = select(func.max(flag_changes.c.id)).group_by(flag_changes.c.name)
        return and_(super()._old(cutoff), flag_changes.c.id.not_in(newest))


class AuditKeeper:
    """The trail: entries move to an archive that stays in the chain and verifies. Nothing of it is ever removed."""

    name = "audit"

    def __init__(self, store: ControlStore, chain: Chain | None, *, by: str, reason: str) -> None:
        self._store, self._chain, self._by, self._reason = store, chain, by, reason

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        from sophia_assets.access.audit_chain import stamp

        with self._store.reading() as connection:
            count, first = connection.execute(select(func.count(), func.min(audit.c.at))).one()
            due = _counted(connection, audit, audit.c.at < stamp(cutoff)) if cutoff else 0
        since = datetime.fromisoformat(first) if first else None
        return Held(int(count), since, _size(self._store), due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`: one archive, and one step."""
        from sophia_assets.access.audit_archives import archive
        from sophia_assets.access.audit_verification import verify

        if self._chain is None or not self.held(cutoff - timedelta(days=ARCHIVED_DAYS)).due:
            return
        told = verify(self._store, self._chain)
        if not told.is_whole:
            raise AuditUnavailable(
                f"the audit trail is not whole: {told.findings[0]}", remedy="`sophia audit verify` says more"
            )
        try:
            yield archive(self._store, self._chain, cutoff, self._by, self._reason).entries
        except ConfigurationError:
            return  # another was faster, so that nothing is that old


def control_keepers(store: ControlStore, *, by: str, reason: str) -> list[Keeper]:
    """The keepers of a control store; what they do to the audit trail is `by`'s deed."""
    return [
        MeasuresKeeper(store),
        DeliveriesKeeper(store),
        FlagChangesKeeper(store),
        AuditKeeper(store, store.chain, by=by, reason=reason),
    ]


def _counted(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count(literal(1))).select_from(table).where(where)).scalar_one())


def _day(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _size(store: ControlStore) -> int | None:
    """What the whole store takes on this machine's disk."""
    return size_of(store.place) if store.is_sqlite else None
