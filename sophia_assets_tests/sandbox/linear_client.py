"""Asks the Linear stand-in, with the key that it accepts."""

from __future__ import annotations

from typing import Any

import requests

from sophia_assets_tests.sandbox.clients import Client


class LinearClient(Client):
    """A session with the key in the way that Linear wants it: bare."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__(env["LINEAR_API_URL"], headers={"Authorization": env["LINEAR_API_KEY"]})

    def ask(self, query: str, **variables: Any) -> requests.Response:
        """The answer to a query."""
        return self.post("", json={"query": query, "variables": variables})

    def data(self, query: str, **variables: Any) -> Any:
        """The data of a query that is answered without errors."""
        answer = self.ask(query, **variables)
        body = answer.json()
        assert answer.status_code == 200, body
        assert "errors" not in body, body
        return body["data"]

    def refusal(self, query: str, **variables: Any) -> tuple[int, str, str]:
        """Status, code and message of a query that is refused."""
        answer = self.ask(query, **variables)
        error = answer.json()["errors"][0]
        return answer.status_code, error["extensions"]["code"], error["message"]
