"""Ports: one line, told early, where one is taken; and finding one that is free."""

from __future__ import annotations

import errno
import socket
from random import SystemRandom

from sophia_assets.errors import ConfigurationError, PortTaken

# Below those that the system gives to whoever asks for any: none of them is taken again before it is used.
_FREE = range(15_000, 32_000)


def refuse_taken(host: str, port: int, what: str, remedy: str) -> None:
    """Raises PortTaken where another program listens on the port, ConfigurationError where no one could."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"port {port}, which {what} needs, is taken", remedy=remedy) from None
            raise ConfigurationError(
                f"cannot listen on {host} port {port}: {error.strerror}", remedy="Choose another --host or --port"
            ) from None


def free_port() -> int:
    """A port on which nothing listens, for a program that is about to be started."""
    while True:
        port = SystemRandom().choice(_FREE)
        with socket.socket() as probe:
            try:
                # On every address, so that it is free on each.
                probe.bind(("", port))
            except OSError:
                continue
        return port
