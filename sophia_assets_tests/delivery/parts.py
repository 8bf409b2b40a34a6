"""What the tests of delivery share: waits that are noted instead of slept, and what the stand-ins have received."""

from __future__ import annotations

from typing import Any

import requests

from sophia_assets_tests.sandbox.small_company import Served

Json = dict[str, Any]


class Waits(list[float]):
    """Takes the place of `time.sleep`, and remembers how long it would have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def posted(sandbox: Served) -> list[Json]:
    """What was posted to Slack, oldest first, as the sandbox tells it."""
    return _told(sandbox, "slack/posted")


def mailed(sandbox: Served) -> list[Json]:
    """What was sent by e-mail, oldest first, as the sandbox tells it."""
    return _told(sandbox, "mailbox")


def _told(sandbox: Served, what: str) -> list[Json]:
    address = sandbox.env["SLACK_BASE_URL"].removesuffix("slack/api/")
    session = requests.Session()
    session.trust_env = False
    found: list[Json] = session.get(f"{address}_control/{what}", timeout=20).json()["messages"]
    return found
