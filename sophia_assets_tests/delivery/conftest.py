"""A workspace and a mailbox of the sandbox, a filed briefing, and a log of its own for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.delivery.log import DeliveryLog
from sophia_assets.delivery.mail import MailChannel
from sophia_assets.delivery.slack import SlackChannel
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.settings.delivery import SMTP_URL, mail_server
from sophia_assets_tests.delivery.parts import Json
from sophia_assets_tests.insight.sample_facts import sample_request
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sandbox.small_slack import GENERAL, slack_company


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    """Slack and the mailbox, without rate limits."""
    with served(slack_company(), wait_for="listening", limits=False) as running:
        yield running


@pytest.fixture(scope="session")
def filed() -> Json:
    """A briefing as it lies in the archive."""
    content: Json = json.loads(json.dumps(briefing_as_json(build_briefing(sample_request(), OfflineWriter()))))
    return content


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DeliveryLog]:
    """A log in a new store."""
    store = ControlStore.at(tmp_path / "control.db")
    yield DeliveryLog(store)
    store.close()


@pytest.fixture
def slack(sandbox: Served) -> Iterator[SlackChannel]:
    """The channel #general; faults that a test has added are cleared after it."""
    yield SlackChannel(GENERAL, sandbox.env["SLACK_BASE_URL"], sandbox.env["SLACK_BOT_TOKEN"])
    sandbox.app.faults.clear()


@pytest.fixture
def mail(sandbox: Served) -> MailChannel:
    """Two readers of the sandbox's mailbox."""
    server = mail_server(sandbox.env[SMTP_URL])
    return MailChannel(server, "sophia@example.com", ("ada@example.com", "grace@example.com"))
