"""Who may read and ask: users with a role, the accounts that they are limited to, and the token that proves them.

Belongs here: adding, changing and removing users, and finding the one behind a token. Does not belong here: being
logged in to the reader (`sessions`), or what a role may see (`policies`).

A token holds 256 bits of chance, so that a plain hash of it keeps it secret; the store has no token. Its first part is
no secret and finds the row, whose hash is then compared in constant time.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, get_args

from sqlalchemy import Connection, Row, select

from sophia_assets.access.principal import EVERY_ROW, AccountAttribute, Channel, Principal, RowScope
from sophia_assets.access.roles import role_named
from sophia_assets.control.actions import not_given, record
from sophia_assets.control.circuits import one_line
from sophia_assets.control.schema import sessions, users
from sophia_assets.control.store import ControlStore
from sophia_assets.control.wording import iso_utc
from sophia_assets.errors import ConfigurationError

TOKEN_PREFIX = "sophia_"
ATTRIBUTES: tuple[AccountAttribute, ...] = get_args(AccountAttribute)
#: How long this process may go on believing what it read about a token: a disabled user is out within that time.
BELIEVED_S = 2.0
_MOST_BELIEVED = 4096
_ID_BYTES, _SECRET_BYTES = 9, 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_TOKEN = re.compile(r"sophia_([A-Za-z0-9_-]{12})_([A-Za-z0-9_-]{43})")
_NOBODY = sha256(b"nobody").hexdigest()
_MOST_VALUES, _LONGEST_VALUE = 10_000, 500


@dataclass(frozen=True)
class User:
    """Somebody who may read and ask. Moments are UTC; `expires_at` None: for good."""

    name: str
    role: str
    rows: RowScope
    created_at: datetime
    expires_at: datetime | None = None
    is_disabled: bool = False

    def principal(self, channel: Channel) -> Principal:
        """The user as the one who asks through a channel."""
        return Principal(self.name, self.role, channel, self.rows)

    def may_enter(self, now: datetime) -> bool:
        """Whether the token counts at a moment: neither disabled nor expired."""
        return not self.is_disabled and (self.expires_at is None or now < self.expires_at)


class Users:
    """The users of one control store. Every change is recorded with who made it and why, in its own transaction.

    Whatever changes a user ends the user's sessions. Everything raises ConfigurationError for what cannot be, and
    ControlStoreUnavailable where the store cannot be used.
    """

    def __init__(self, store: ControlStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self._believed: dict[str, tuple[float, User | None]] = {}
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        role: str,
        *,
        rows: RowScope = EVERY_ROW,
        by: str,
        reason: str = "",
        expires_at: datetime | None = None,
    ) -> str:
        """Adds a user and gives the token, which is shown this once and kept nowhere. `expires_at` is aware."""
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no name for a user",
                remedy="Use up to 100 of a-z, 0-9 and . _ @ + -, beginning with a letter or digit, such as ada",
            )
        role_named(role)
        rows, now = checked_rows(rows), self._clock()
        if expires_at is not None and expires_at <= now:
            raise ConfigurationError(f"{name} would have expired already", remedy="Name a day that is to come")
        token, proof = _new_token()
        row = {
            "name": name,
            "role": role,
            "rows": _rows_text(rows),
            "created_at": now,
            "expires_at": expires_at,
            "is_disabled": False,
            "changed_at": now,
        }

        def work(connection: Connection) -> None:
            if _row(connection, name) is not None:
                raise ConfigurationError(
                    f"there is a user {name!r} already", remedy="Choose another name, or change it"
                )
            connection.execute(users.insert().values(row | proof))
            details = {"role": role, "rows": dict(rows.canonical()), "expires_at": iso_utc(expires_at)}
            record(connection, _given(name, by=by), "users.add", name, one_line(reason), details, at=now)

        self._store.run(work)
        self.forget()
        return token

    def renew(self, name: str, *, by: str, reason: str) -> str:
        """Gives a user a new token; the old one, and the user's sessions, end at once."""
        token, proof = _new_token()
        self._change(name, "users.renew", proof, {}, by, reason)
        return token

    def change(self, name: str, *, role: str | None = None, rows: RowScope | None = None, by: str, reason: str) -> None:
        """Gives a user another role, or other rows; the token stays."""
        values: dict[str, Any] = {}
        details: dict[str, Any] = {}
        if role is not None:
            values["role"] = details["role"] = role_named(role).name
        if rows is not None:
            values["rows"], details["rows"] = _rows_text(checked_rows(rows)), dict(rows.canonical())
        if not values:
            raise ConfigurationError(f"nothing of {name} would be changed", remedy="Name a role or rows")
        self._change(name, "users.change", values, details, by, reason)

    def disable(self, name: str, *, by: str, reason: str) -> None:
        """Lets a user in no more, until enabled again."""
        self._change(name, "users.disable", {"is_disabled": True}, {}, by, reason)

    def enable(self, name: str, *, by: str, reason: str) -> None:
        """Lets a disabled user in again, with the same token."""
        self._change(name, "users.enable", {"is_disabled": False}, {}, by, reason)

    def log_out(self, name: str, *, by: str, reason: str) -> None:
        """Ends every session of a user; the token stays."""
        self._change(name, "users.logout", {}, {}, by, reason)

    def remove(self, name: str, *, by: str, reason: str) -> None:
        """Deletes a user; the name may be given to somebody else then, who gets a token of their own."""
        self._change(name, "users.remove", None, {}, by, reason)

    def all(self) -> list[User]:
        """Every user, by name."""
        with self._store.reading() as connection:
            return [user_of(row) for row in connection.execute(select(users).order_by(users.c.name))]

    def named(self, name: str) -> User:
        """The user of that name. Raises ConfigurationError where there is none."""
        with self._store.reading() as connection:
            row = _row(connection, name)
        if row is None:
            raise _unknown(name)
        return user_of(row)

    def with_token(self, token: str) -> User | None:
        """The user whom a token proves; None for any other text, and for users who are disabled or expired.

        What was read is believed for `BELIEVED_S` seconds, so that most requests do not reach the store.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        proof, now = sha256(token.encode()).hexdigest(), time.monotonic()
        until, user = self._believed.get(proof, (0.0, None))
        if until <= now:
            user = self._read(parts[1], proof)
            self._believe(proof, now + BELIEVED_S, user)
        return user if user and user.may_enter(self._clock()) else None

    def forget(self) -> None:
        """Believes nothing that was read before."""
        with self._lock:
            self._believed.clear()

    def _read(self, token_id: str, proof: str) -> User | None:
        with self._store.reading() as connection:
            row = connection.execute(select(users).where(users.c.token_id == token_id)).one_or_none()
        is_right = hmac.compare_digest(row.token_hash if row is not None else _NOBODY, proof)
        return user_of(row) if row is not None and is_right else None

    def _believe(self, proof: str, until: float, user: User | None) -> None:
        with self._lock:
            if len(self._believed) >= _MOST_BELIEVED:
                self._believed.clear()
            self._believed[proof] = (until, user)

    def _change(
        self,
        name: str,
        action: str,
        values: Mapping[str, Any] | None,
        details: Mapping[str, Any],
        by: str,
        reason: str,
    ) -> None:
        """Changes a row, or deletes it where `values` is None; ends the sessions and records the deed with it."""
        by, reason, now = _given(name, by=by), _given(name, reason=reason), self._clock()
        chosen = users.c.name == name

        def work(connection: Connection) -> None:
            before = _row(connection, name)
            if before is None:
                raise _unknown(name)
            if values is None:
                connection.execute(users.delete().where(chosen))
            else:
                connection.execute(users.update().where(chosen).values({**values, "changed_at": now}))
            connection.execute(sessions.delete().where(sessions.c.user_name == name))
            was = {"role_before": before.role} if details else {}
            record(connection, by, action, name, reason, {**details, **was}, at=now)

        self._store.run(work)
        self.forget()


def user_of(row: Row[Any]) -> User:
    """A user as the store keeps it."""
    return User(row.name, row.role, rows_of(row.rows), row.created_at, row.expires_at, row.is_disabled)


def rows_of(text: str) -> RowScope:
    """Row limits as the store keeps them."""
    return RowScope({attribute: frozenset(values) for attribute, values in json.loads(text).items()})


def checked_rows(rows: RowScope) -> RowScope:
    """The same limits. Raises ConfigurationError for an unknown attribute, and for values that cannot be any."""
    for attribute, values in rows.allowed.items():
        if attribute not in ATTRIBUTES:
            raise ConfigurationError(
                f"accounts cannot be limited by {attribute!r}", remedy=f"Use one of {', '.join(ATTRIBUTES)}"
            )
        if not values or len(values) > _MOST_VALUES:
            raise ConfigurationError(
                f"{len(values)} values of {attribute} are given", remedy=f"Give 1 to {_MOST_VALUES:,}"
            )
        for value in values:
            if not value.strip() or len(value) > _LONGEST_VALUE or not value.isprintable():
                raise ConfigurationError(
                    f"{attribute} cannot be {value[:50]!r}", remedy="Give an id, or a name, of printable characters"
                )
    return rows


def _rows_text(rows: RowScope) -> str:
    return json.dumps(dict(rows.canonical()), ensure_ascii=False)


def _new_token() -> tuple[str, dict[str, str]]:
    """A token, and what the store keeps of it."""
    token_id = secrets.token_urlsafe(_ID_BYTES)
    token = f"{TOKEN_PREFIX}{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return token, {"token_id": token_id, "token_hash": sha256(token.encode()).hexdigest()}


def _row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(users).where(users.c.name == name)).one_or_none()


def _unknown(name: str) -> ConfigurationError:
    return ConfigurationError(f"there is no user {name!r}", remedy="`sophia users list` shows who there is")


def _given(name: str, *, by: str | None = None, reason: str | None = None) -> str:
    """Who or why, on one line. Raises ConfigurationError where it was left out."""
    what, text = ("who does this", by) if by is not None else ("a reason", reason)
    line = one_line(text or "")
    if not line:
        raise not_given(what, f"{name} is not changed: ")
    return line
