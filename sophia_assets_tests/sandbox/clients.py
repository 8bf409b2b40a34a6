"""HTTP clients for the stand-ins, with the credentials that they accept."""

from __future__ import annotations

from typing import Any

import requests


class Client:
    """A session with one system's base URL and credential."""

    def __init__(self, base: str, **session: Any) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False
        for name, value in session.items():
            setattr(self.session, name, value)

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """GET a path."""
        return self.session.get(self.base + path, timeout=20, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """POST to a path."""
        return self.session.post(self.base + path, timeout=20, **arguments)

    def delete(self, path: str, **arguments: Any) -> requests.Response:
        """DELETE a path."""
        return self.session.delete(self.base + path, timeout=20, **arguments)


def hubspot_client(env: dict[str, str]) -> Client:
    """A client with the right HubSpot token."""
    return Client(env["HUBSPOT_BASE_URL"], headers={"Authorization": f"Bearer {env['HUBSPOT_ACCESS_TOKEN']}"})


def gong_client(env: dict[str, str]) -> Client:
    """A client with the right Gong key."""
    return Client(env["GONG_BASE_URL"], auth=(env["GONG_ACCESS_KEY"], env["GONG_ACCESS_KEY_SECRET"]))


def control_client(env: dict[str, str]) -> Client:
    """A client for the sandbox's own controls."""
    return Client(env["HUBSPOT_BASE_URL"].removesuffix("/hubspot"))
