"""Tells early, and in one line, that a port is taken."""

from __future__ import annotations

import socket

from sophia_assets.errors import PortTaken


def refuse_taken(host: str, port: int, what: str, remedy: str) -> None:
    """Raises PortTaken where another program listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise PortTaken(f"port {port}, which {what} needs, is taken", remedy=remedy) from None
