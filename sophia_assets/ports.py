"""Tells early, and in one line, that a port is taken."""

from __future__ import annotations

import errno
import socket

from sophia_assets.errors import ConfigurationError, PortTaken


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
