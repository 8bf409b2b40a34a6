"""The settings of delivery: where each role's edition goes in Slack and by e-mail, and through which mail server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from sophia_assets.access.roles import EXECUTIVE, ROLES
from sophia_assets.errors import ConfigurationError

PREFIX = "SOPHIA_DELIVERY_"
SMTP_URL = f"{PREFIX}SMTP_URL"
SMTP_EXAMPLE = "smtp://user:password@mail.example.com:587, or smtps:// for TLS from the first byte"
_FROM = f"{PREFIX}EMAIL_FROM"
_PER_ROLE = ("SLACK_CHANNEL", "EMAIL_TO")
_DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
# One plain address: no name beside it, no comment, no quoting, nothing that could end a header.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_CHANNEL = re.compile(r"[CG][A-Z0-9]{6,20}|#[a-z0-9_-]{1,80}")


@dataclass(frozen=True)
class MailServer:
    """A mail server. With `is_tls` the connection is encrypted from the first byte, else as soon as it can be."""

    host: str
    port: int
    is_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class DeliverySettings:
    """Where briefings go. `slack_channels` and `email_to` are by role; a role without an entry gets nothing there."""

    slack_channels: Mapping[str, str]
    email_to: Mapping[str, tuple[str, ...]]
    email_from: str
    smtp_url: str = field(repr=False)


def read_delivery(environment: Mapping[str, str]) -> DeliverySettings:
    """The settings of delivery. Raises ConfigurationError naming the setting and what is allowed.

    What has no role in its name is the executive's; no other role ever falls back on it.
    """
    known = {SMTP_URL, _FROM, *(_name(what, role) for what in _PER_ROLE for role in (None, *ROLES))}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            remedy = f"Use one of {', '.join(sorted(known))}"
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=remedy)
    smtp_url = (environment.get(SMTP_URL) or "").strip()
    if smtp_url:
        mail_server(smtp_url)
    return DeliverySettings(
        slack_channels={role: _channel(name, text) for role, name, text in _given(environment, "SLACK_CHANNEL")},
        email_to={role: _addresses(name, text) for role, name, text in _given(environment, "EMAIL_TO")},
        email_from=_address(_FROM, (environment.get(_FROM) or "").strip()) if environment.get(_FROM) else "",
        smtp_url=smtp_url,
    )


def mail_server(url: str) -> MailServer:
    """The mail server behind a URL, which is never repeated in an error: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    has_more = parts.path not in ("", "/") or parts.query or parts.fragment
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not port or has_more:
        raise ConfigurationError(f"{SMTP_URL} is no address of a mail server", remedy=f"Write it as {SMTP_EXAMPLE}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.hostname, port, parts.scheme == "smtps", user, password)


def _name(what: str, role: str | None) -> str:
    return f"{PREFIX}{what}" if role is None else f"{PREFIX}{role.upper()}_{what}"


def _given(environment: Mapping[str, str], what: str) -> list[tuple[str, str, str]]:
    """(role, setting, value) of each role that has one; the executive's own name wins over the one without a role."""
    found = []
    for role in ROLES:
        names = (_name(what, role), *((_name(what, None),) if role == EXECUTIVE else ()))
        name = next((name for name in names if (environment.get(name) or "").strip()), None)
        if name:
            found.append((role, name, environment[name].strip()))
    return found


def _channel(name: str, text: str) -> str:
    if not _CHANNEL.fullmatch(text):
        raise ConfigurationError(
            f"{name} is {text!r}, which is no channel", remedy="Use a channel's id such as C0123456789, or #its-name"
        )
    return text


def _addresses(name: str, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_address(name, part.strip()) for part in text.split(",") if part.strip()))


def _address(name: str, text: str) -> str:
    if not _ADDRESS.fullmatch(text) or ".." in text:
        raise ConfigurationError(
            f"{name} holds {text!r}, which is no e-mail address", remedy="Write plain addresses, separated by commas"
        )
    return text
