"""The login of whoever started the process on their own machine, where no user exists yet: one link, used once.

Belongs here: an executive of this process only, who is never stored. Does not belong here: users (`access.users`).
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import EXECUTIVE

NAME = "local"


@dataclass(frozen=True)
class LocalTicket:
    """A local session, as `access.sessions.Ticket`."""

    id: str
    csrf: str
    expires_at: datetime


class LocalLogin:
    """One token that logs in once. Threads may share it."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._digest = _digest(self.token)
        self._lock = threading.Lock()
        self._is_used = False
        self._ticket: LocalTicket | None = None

    @property
    def principal(self) -> Principal:
        """Who logs in by it."""
        return Principal(NAME, EXECUTIVE, "page")

    @property
    def is_used(self) -> bool:
        """Whether the link has logged in already."""
        return self._is_used

    def is_its_token(self, token: str) -> bool:
        """Whether that is the token, used or not; constant time."""
        return hmac.compare_digest(_digest(token), self._digest)

    def open(self, token: str, seconds: int) -> LocalTicket | None:
        """Logs in: a session, or None for another token or the second use."""
        with self._lock:
            if not self.is_its_token(token) or self._is_used:
                return None
            self._is_used = True
            expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
            self._ticket = LocalTicket(secrets.token_urlsafe(32), secrets.token_urlsafe(32), expires_at)
            return self._ticket

    def find(self, session_id: str) -> LocalTicket | None:
        """The session of that id while it lasts; constant time."""
        ticket = self._ticket
        if ticket is None or datetime.now(UTC) >= ticket.expires_at:
            return None
        return ticket if hmac.compare_digest(_digest(session_id), _digest(ticket.id)) else None

    def close(self, session_id: str) -> None:
        """Logs out."""
        if self.find(session_id) is not None:
            self._ticket = None


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
