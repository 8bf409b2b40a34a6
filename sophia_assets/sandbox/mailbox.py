"""The sandbox's mail server: takes every message for everybody, keeps it, and sends nothing on.

It speaks SMTP with a password on a port of its own, as a company's mail server does to an application.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import socket
import warnings
from collections import deque
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

USER = "sandbox"
MOST_KEPT = 200
_LARGEST_BYTES = 10_000_000


class Mailbox:
    """Listens from `settings` on, answers from `start` on. `messages` holds the newest, oldest first."""

    def __init__(self, password: str) -> None:
        self._password = password
        self.messages: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    def settings(self, host: str) -> dict[str, str]:
        """The address of the mail server, on a port that is taken when it is first asked for."""
        if self._listener is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.create_server((host, 0), family=family)
        name = f"[{host}]" if ":" in host else host
        port = self._listener.getsockname()[1]
        return {"SOPHIA_DELIVERY_SMTP_URL": f"smtp://{USER}:{quote(self._password, safe='')}@{name}:{port}"}

    def start(self) -> None:
        """Answer from now on; to be called in the event loop."""
        if self._listener is None:
            self.settings("127.0.0.1")
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def stop(self) -> None:
        """Free the port."""
        if self._serving is not None and not self._serving.done():
            with contextlib.suppress(RuntimeError):
                self._serving.cancel()
        if self._listener is not None:
            self._listener.close()

    async def _serve(self) -> None:
        if self._listener is not None:
            async with await asyncio.get_running_loop().create_server(self._session, sock=self._listener) as server:
                await server.serve_forever()

    def _session(self) -> SMTP:
        # Imported with the first connection: most sandboxes are never sent a message.
        from aiosmtpd.smtp import SMTP

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of passwords without TLS, which never leave this machine
            return SMTP(
                self,
                hostname="sandbox.invalid",
                data_size_limit=_LARGEST_BYTES,
                auth_required=True,
                auth_require_tls=False,
                authenticator=self._authenticate,
                loop=asyncio.get_running_loop(),
            )

    def _authenticate(self, server: SMTP, session: Session, envelope: Envelope, way: str, given: Any) -> AuthResult:
        from aiosmtpd.smtp import AuthResult, LoginPassword

        if not isinstance(given, LoginPassword):
            return AuthResult(success=False, handled=False)
        is_right = hmac.compare_digest(given.password, self._password.encode()) and given.login == USER.encode()
        return AuthResult(success=is_right, handled=is_right)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keeps a message that was sent."""
        self.messages.append(_shown(envelope))
        return "250 OK: kept"


def _shown(envelope: Envelope) -> dict[str, Any]:
    raw = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content or "").encode()
    message = message_from_bytes(raw, policy=policy.default)
    parts = {
        kind: part.get_content() for kind in ("plain", "html") if (part := message.get_body(preferencelist=(kind,)))
    }
    return {
        "at": datetime.now(UTC).isoformat(),
        "from": envelope.mail_from,
        "to": list(envelope.rcpt_tos),
        "headers": [[name, str(value)] for name, value in message.items()],
        "subject": str(message["subject"] or ""),
        "message_id": str(message["message-id"] or ""),
        "text": parts.get("plain", ""),
        "html": parts.get("html", ""),
    }
