"""Who is logged in to the reader: tickets that a browser holds for a while in place of the user's token.

Belongs here: opening, finding and ending them. Does not belong here: cookies (`web`). The store keeps a ticket's hash
alone, and the word against forged forms is derived from the ticket, so that whoever reads the store can use neither.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest

from sqlalchemy import Connection, func, select

from sophia_assets.access.users import User, user_of
from sophia_assets.control.schema import sessions, users
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import AccessDenied

_ID_BYTES = 32
_LONGEST_ID = 200
#: So many sessions of one user may be open; the oldest ends for a new one.
MOST_OF_A_USER = 20


@dataclass(frozen=True)
class Ticket:
    """What a browser holds. `csrf` goes into its forms, `id` into its cookie; it ends at `expires_at` (UTC)."""

    id: str
    csrf: str
    expires_at: datetime


class Sessions:
    """The sessions of one control store. Everything raises ControlStoreUnavailable where that cannot be used."""

    def __init__(self, store: ControlStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock

    def open(self, user_name: str, seconds: float) -> Ticket:
        """Logs a user in for so long. Raises AccessDenied for one who is unknown, disabled or expired."""
        now = self._clock()
        ticket = _ticket(secrets.token_urlsafe(_ID_BYTES), now + timedelta(seconds=seconds))

        def work(connection: Connection) -> None:
            row = connection.execute(select(users).where(users.c.name == user_name)).one_or_none()
            if row is None or not user_of(row).may_enter(now):
                raise AccessDenied(f"{user_name} may not log in", remedy="Ask whoever looks after the users")
            connection.execute(sessions.delete().where(sessions.c.expires_at <= now))
            _make_room(connection, user_name)
            connection.execute(
                sessions.insert().values(
                    id_hash=_hashed(ticket.id), user_name=user_name, opened_at=now, expires_at=ticket.expires_at
                )
            )

        self._store.run(work)
        return ticket

    def find(self, id: str) -> tuple[User, Ticket] | None:
        """Who is logged in with a ticket, as the user is now; None where it has ended or never was."""
        if not id or len(id) > _LONGEST_ID:
            return None
        joined = select(users, sessions.c.expires_at.label("ends_at")).join(
            sessions, sessions.c.user_name == users.c.name
        )
        with self._store.reading() as connection:
            row = connection.execute(joined.where(sessions.c.id_hash == _hashed(id))).one_or_none()
        now = self._clock()
        if row is None or row.ends_at <= now or not user_of(row).may_enter(now):
            return None
        return user_of(row), _ticket(id, row.ends_at)

    def close(self, id: str) -> None:
        """Ends a session; one that has ended already stays so."""
        with self._store.transaction() as connection:
            connection.execute(sessions.delete().where(sessions.c.id_hash == _hashed(id)))


def _ticket(id: str, expires_at: datetime) -> Ticket:
    return Ticket(id, digest(id.encode("utf-8", "replace"), b"sophia forms", "sha256").hex(), expires_at)


def _hashed(id: str) -> str:
    return sha256(id.encode("utf-8", "replace")).hexdigest()


def _make_room(connection: Connection, user_name: str) -> None:
    """Ends the oldest sessions of a user who has as many as there may be."""
    of_user = sessions.c.user_name == user_name
    count = connection.execute(select(func.count()).select_from(sessions).where(of_user)).scalar_one()
    if count >= MOST_OF_A_USER:
        oldest = select(sessions.c.id_hash).where(of_user).order_by(sessions.c.opened_at)
        ended = connection.execute(oldest.limit(count - MOST_OF_A_USER + 1)).scalars().all()
        connection.execute(sessions.delete().where(sessions.c.id_hash.in_(ended)))
