"""The readers of the load benchmark, as locust runs them: `python -m sophia_assets_tests.benchmarks.load` starts it."""

from __future__ import annotations

import os
import random
from typing import Any

from locust import FastHttpUser, between, task

from sophia_assets_tests.benchmarks import load_mix

_TOKENS = os.environ.get("LOAD_TOKENS", "").split()


class Reader(FastHttpUser):
    """Asks every few seconds, and opens the briefing now and then."""

    wait_time = between(1, 3)
    network_timeout = 30.0
    connection_timeout = 30.0

    def on_start(self) -> None:
        """A reader of its own habits, with the token of one of the users."""
        self.chance = random.Random(id(self))
        self.headers = {"Authorization": f"Bearer {self.chance.choice(_TOKENS)}"}

    @task(8)
    def asks(self) -> None:
        """A question of the mix; anything but an answer, a question back or an abstention counts as a failure."""
        self._post(load_mix.question(self.chance))

    @task(1)
    def follows_up(self) -> None:
        """A popular question, and one that refers to it."""
        self._post("And last month?", [load_mix.popular(self.chance)])

    @task(1)
    def reads(self) -> None:
        """The newest briefing."""
        with self.client.get("/api/briefings", headers=self.headers, catch_response=True, name="briefings") as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code}")

    def _post(self, query: str, earlier: list[str] | None = None) -> None:
        body: dict[str, Any] = {"query": query, "context": {"conversation": earlier or []}}
        with self.client.post(
            "/api/chat", json=body, headers=self.headers, catch_response=True, name="chat"
        ) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code}: {(response.text or '')[:200]}")
