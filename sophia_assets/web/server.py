"""Listening: the checks before, TLS, and an orderly end.

Belongs here: `sophia serve`. Does not belong here: what is served (`app`).
"""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from sophia_assets.errors import ConfigurationError
from sophia_assets.ports import refuse_taken
from sophia_assets.settings.web import ALLOWED_HOSTS, TLS_CERT, TLS_KEY, TRUSTED_PROXIES
from sophia_assets.web.app import create_app, is_loopback
from sophia_assets.web.local_login import LocalLogin
from sophia_assets.web.protocol import GuardedProtocol

if TYPE_CHECKING:
    from sophia_assets.services import Services
    from sophia_assets.settings.web import WebSettings

_WILDCARDS = ("0.0.0.0", "::", "[::]")


def serve(
    services: Services, *, host: str | None, port: int | None, is_behind_proxy: bool, tell: Callable[[str], None]
) -> None:
    """Serves until it is interrupted; answers under way are finished first. `tell` takes lines for the terminal.

    Raises ConfigurationError where it would be open to others without TLS or users, PortTaken.
    """
    given = services.settings.web
    settings = replace(given, host=host or given.host, port=port or given.port)
    refuse_unsafe(settings, is_behind_proxy=is_behind_proxy)
    tls = tls_context(settings) if settings.has_tls else None
    refuse_taken(settings.host.strip("[]"), settings.port, "the reader", "Stop what has it, or choose another --port")
    local = local_login(services, settings, is_behind_proxy=is_behind_proxy)
    app = create_app(services, settings=settings, local=local, is_behind_proxy=is_behind_proxy)
    server = Server(configuration(app, settings, is_behind_proxy=is_behind_proxy, tls=tls))
    address = f"{'https' if tls else 'http'}://{_shown_host(settings.host)}:{settings.port}"

    def tell_where() -> None:
        tell(f"Sophia: {address}  (Ctrl-C stops it)")
        if local is not None:
            tell(f"No user exists yet. This link logs you in once: {address}/login?token={local.token}")

    server.on_listening = tell_where
    server.run()


def refuse_unsafe(settings: WebSettings, *, is_behind_proxy: bool) -> None:
    """Raises ConfigurationError where what is asked for would show data, or tokens, to others on the way."""
    if is_behind_proxy:
        if not settings.trusted_proxies:
            raise ConfigurationError(
                "--behind-proxy needs to know the proxy",
                remedy=f"Set {TRUSTED_PROXIES} to its addresses, such as 127.0.0.1",
            )
    elif not is_loopback(settings.host) and not settings.has_tls:
        raise ConfigurationError(
            f"{settings.host} can be reached by others, and what is sent would not be encrypted",
            remedy=f"Set {TLS_CERT} and {TLS_KEY}, or use --behind-proxy with a proxy that speaks TLS",
        )
    if (is_behind_proxy or settings.host in _WILDCARDS) and not settings.allowed_hosts:
        raise ConfigurationError(
            "nobody said under which names readers reach this", remedy=f"Set {ALLOWED_HOSTS}=sophia.example.com"
        )


def local_login(services: Services, settings: WebSettings, *, is_behind_proxy: bool) -> LocalLogin | None:
    """The one-time login where nobody else could log in, on this machine alone. Raises ConfigurationError elsewhere."""
    if services.users.all():
        return None
    if is_behind_proxy or not is_loopback(settings.host):
        raise ConfigurationError(
            "no user exists yet, so that nobody could log in", remedy="Add one: sophia users add NAME --role executive"
        )
    return LocalLogin()


def configuration(
    app: object, settings: WebSettings, *, is_behind_proxy: bool = False, tls: ssl.SSLContext | None = None
) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=settings.host.strip("[]"),
        port=settings.port,
        http=GuardedProtocol.limited(settings.connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=is_behind_proxy,
        forwarded_allow_ips=list(settings.trusted_proxies) if is_behind_proxy else [],
        timeout_keep_alive=20,
        timeout_graceful_shutdown=int(settings.request_seconds) + 5,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )


def tls_context(settings: WebSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate of the settings. Raises ConfigurationError where that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(str(settings.tls_cert), str(settings.tls_key), password=_no_password)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        raise ConfigurationError(
            f"{TLS_CERT} and {TLS_KEY} cannot be used: {why}",
            remedy="Name files with a certificate in PEM form and its key without a password",
        ) from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


def _shown_host(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


class Server(uvicorn.Server):
    """Ends in order at SIGINT and SIGTERM, and is then done with them: uvicorn would raise them once more.

    `on_listening` is called as soon as it can be reached.
    """

    on_listening: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if self.started and self.on_listening:
            self.on_listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles both while it serves; a second Ctrl-C waits for nobody."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
