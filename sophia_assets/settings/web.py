"""The settings of the web process: where it listens, who may reach it, its limits and its TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading

PREFIX = "SOPHIA_WEB_"
ALLOWED_HOSTS = f"{PREFIX}ALLOWED_HOSTS"
TRUSTED_PROXIES = f"{PREFIX}TRUSTED_PROXIES"
TLS_CERT, TLS_KEY = f"{PREFIX}TLS_CERT", f"{PREFIX}TLS_KEY"
DEFAULT_PORT = 8000
_NAMES = (
    "HOST",
    "PORT",
    "TLS_CERT",
    "TLS_KEY",
    "ALLOWED_HOSTS",
    "TRUSTED_PROXIES",
    "SESSION_HOURS",
    "THREADS",
    "WAITING",
    "CONNECTIONS",
    "REQUEST_SECONDS",
    "BODY_BYTES",
    "REQUESTS_PER_MINUTE",
    "ADDRESS_REQUESTS_PER_MINUTE",
    "LOGINS_PER_MINUTE",
    "DAGSTER_URL",
)
# A name or an address as it stands in a Host header, without its port; `*.` before a name takes all below it.
_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]")


@dataclass(frozen=True)
class WebSettings:
    """How the web process is reached and what it takes.

    `allowed_hosts` are the names in the Host header that are answered beside loopback's and the one listened on;
    `trusted_proxies` the addresses and networks whose X-Forwarded-For and -Proto are believed behind a proxy.

    `threads` answer questions at once and `waiting` more may wait for them; `connections` may be open at once. A
    request may take `request_seconds` and its body `body_bytes`. Requests per minute are those of one principal, of
    one address, and tries to log in from one address; 0 is no limit, None is left to where the process listens.
    """

    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    session_hours: int
    threads: int
    waiting: int
    connections: int
    request_seconds: float
    body_bytes: int
    requests_per_minute: int | None
    address_requests_per_minute: int | None
    logins_per_minute: int
    dagster_url: str

    @property
    def has_tls(self) -> bool:
        """Whether it speaks TLS itself."""
        return self.tls_cert is not None


def read_web(environment: Mapping[str, str]) -> WebSettings:
    """The settings of the web process. Raises ConfigurationError naming the setting and what is allowed."""
    known = {f"{PREFIX}{name}" for name in _NAMES}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            remedy = f"Use one of {', '.join(sorted(known))}"
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=remedy)
    cert, key = _file(environment, TLS_CERT), _file(environment, TLS_KEY)
    if (cert is None) != (key is None):
        raise ConfigurationError(f"only one of {TLS_CERT} and {TLS_KEY} is set", remedy="Set both, or neither")

    def whole(name: str, default: int, low: int, high: int) -> int:
        return reading.integer(environment, f"{PREFIX}{name}", default, low, high)

    return WebSettings(
        host=(environment.get(f"{PREFIX}HOST") or "127.0.0.1").strip(),
        port=whole("PORT", DEFAULT_PORT, 1, 65535),
        tls_cert=cert,
        tls_key=key,
        allowed_hosts=_hosts(environment),
        trusted_proxies=_proxies(environment),
        session_hours=whole("SESSION_HOURS", 12, 1, 24 * 30),
        threads=whole("THREADS", 16, 1, 256),
        waiting=whole("WAITING", 256, 0, 100_000),
        connections=whole("CONNECTIONS", 1000, 1, 100_000),
        request_seconds=reading.number(environment, f"{PREFIX}REQUEST_SECONDS", 30.0, 1.0, 600.0),
        body_bytes=whole("BODY_BYTES", 65_536, 4_096, 10_000_000),
        requests_per_minute=_rate(environment, "REQUESTS_PER_MINUTE"),
        address_requests_per_minute=_rate(environment, "ADDRESS_REQUESTS_PER_MINUTE"),
        logins_per_minute=whole("LOGINS_PER_MINUTE", 10, 1, 100_000),
        dagster_url=reading.address(
            environment, f"{PREFIX}DAGSTER_URL", ("http", "https"), "https://dagster.example.com"
        )
        or "",
    )


def _rate(environment: Mapping[str, str], name: str) -> int | None:
    setting = f"{PREFIX}{name}"
    return reading.integer(environment, setting, 0, 0, 1_000_000) if environment.get(setting) else None


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    text = (environment.get(name) or "").strip()
    return Path(text).expanduser() if text else None


def _parts(environment: Mapping[str, str], name: str) -> list[str]:
    return [part.strip().lower() for part in (environment.get(name) or "").split(",") if part.strip()]


def _hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    for host in (given := _parts(environment, ALLOWED_HOSTS)):
        if not _HOST.fullmatch(host):
            raise ConfigurationError(
                f"{ALLOWED_HOSTS} holds {host!r}, which is no host",
                remedy="Write names without scheme and port, separated by commas: sophia.example.com,*.example.com",
            )
    return tuple(dict.fromkeys(given))


def _proxies(environment: Mapping[str, str]) -> tuple[str, ...]:
    given = _parts(environment, TRUSTED_PROXIES)
    for address in given:
        try:
            _ = ip_network(address) if "/" in address else ip_address(address)
        except ValueError:
            raise ConfigurationError(
                f"{TRUSTED_PROXIES} holds {address!r}, which is no address",
                remedy="Write the proxies' addresses or networks, separated by commas: 10.0.0.5,10.1.0.0/16",
            ) from None
    return tuple(dict.fromkeys(given))
