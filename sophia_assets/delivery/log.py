"""The record of what was delivered, in the control store: who may send now, and what has been sent already."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from sophia_assets.control.schema import deliveries
from sophia_assets.control.store import ControlStore, Stale, insert_new
from sophia_assets.delivery.message import Message
from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.home import is_running

#: A sender that has said nothing for so long is taken to be lost.
LEASE = timedelta(minutes=10)
CONTEXT = "control/deliveries.problem"
Standing = Literal["claimed", "sent", "busy"]


@dataclass(frozen=True)
class Claim:
    """What stands in the way of sending, or the right to send.

    `round` counts how often this content was sent anew; `is_uncertain` says that whoever tried before may have sent it.
    `is_update` says that another version was sent before. `sent_at` (UTC) is set where the standing is `sent`.
    """

    standing: Standing
    key: tuple[str, str, str, str, str, str]
    token: str = ""
    round: int = 1
    is_uncertain: bool = False
    is_update: bool = False
    sent_at: datetime | None = None

    @property
    def message_key(self) -> str:
        """What the message is known by in its channel: the same for every try to send it once."""
        return hashlib.sha256("\x1f".join([*self.key, str(self.round)]).encode()).hexdigest()[:32]


class DeliveryLog:
    """The deliveries of one control store. `vault` seals what went wrong, in which the channel's own words stand."""

    def __init__(
        self,
        store: ControlStore,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        vault: Vault = PLAIN,
    ) -> None:
        self._store, self._clock, self._vault = store, clock, vault

    def claim(self, channel: str, place: str, message: Message, *, again: bool = False) -> Claim:
        """Asks for the right to send. Of several processes one gets it; `again` sends what was sent already, too."""
        hashed = hashlib.sha256(place.encode()).hexdigest()
        key = (channel, message.kind, message.day.isoformat(), message.role, hashed, message.digest)
        return self._store.run(lambda connection: self._claim(connection, key, again))

    def sent(self, claim: Claim, receipt: str, note: str = "") -> None:
        """Records that it was sent."""
        self._end(claim, {"state": "sent", "sent_at": self._clock(), "receipt": receipt[:200], "problem": note})

    def failed(self, claim: Claim, problem: str, *, is_uncertain: bool) -> None:
        """Records that it was not sent; with `is_uncertain`, that nobody knows."""
        self._end(claim, {"state": "uncertain" if is_uncertain else "failed", "problem": problem})

    def _claim(self, connection: Connection, key: tuple[str, str, str, str, str, str], again: bool) -> Claim:
        own = _is(key)
        row = connection.execute(select(deliveries).where(own)).one_or_none()
        newest = self._newest_sent(connection, key)
        is_update = newest is not None
        now, token = self._clock(), f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"[:64]
        if row is None:
            insert_new(connection, deliveries, _named(key) | _claimed(token, now, 1))
            return Claim("claimed", key, token, is_update=is_update)
        if row.state == "sending" and not self._is_lost(row, now):
            return Claim("busy", key)
        if row.state == "sent" and not again and (newest is None or newest.digest == row.digest):
            return Claim("sent", key, sent_at=row.sent_at)
        # What was replaced by another version, and is what holds once more, is news to the reader.
        anew = row.state == "sent"
        turn = row.tries + 1 if anew else row.tries
        same = and_(own, deliveries.c.claim == row.claim)
        if connection.execute(deliveries.update().where(same).values(_claimed(token, now, turn))).rowcount != 1:
            raise Stale
        uncertain = row.state in ("sending", "uncertain")
        return Claim("claimed", key, token, turn, is_uncertain=uncertain, is_update=is_update)

    def _newest_sent(self, connection: Connection, key: tuple[str, str, str, str, str, str]) -> Row[Any] | None:
        elsewhere = _is(key[:5])
        query = select(deliveries).where(elsewhere, deliveries.c.sent_at.is_not(None))
        return connection.execute(query.order_by(deliveries.c.sent_at.desc()).limit(1)).one_or_none()

    def _is_lost(self, row: Row[Any], now: datetime) -> bool:
        host, _, rest = row.claim.rpartition(":")[0].rpartition(":")
        if host == socket.gethostname() and rest.isdecimal() and not is_running(int(rest)):
            return True
        return bool(now - row.claimed_at > LEASE)

    def _end(self, claim: Claim, values: dict[str, Any]) -> None:
        if values.get("problem"):
            values["problem"] = self._vault.seal_text(values["problem"], CONTEXT)
        with self._store.transaction() as connection:
            ours = and_(_is(claim.key), deliveries.c.claim == claim.token)
            connection.execute(deliveries.update().where(ours).values(values))


def key_columns() -> tuple[str, ...]:
    """The columns that tell a delivery from every other."""
    return ("channel", "kind", "day", "role", "place", "digest")


def _named(key: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(key_columns(), key, strict=True))


def _is(key: tuple[str, ...]) -> ColumnElement[bool]:
    return and_(*(deliveries.c[name] == value for name, value in zip(key_columns(), key, strict=False)))


def _claimed(token: str, now: datetime, turn: int) -> dict[str, Any]:
    return {"state": "sending", "claim": token, "claimed_at": now, "tries": turn, "receipt": "", "problem": ""}
