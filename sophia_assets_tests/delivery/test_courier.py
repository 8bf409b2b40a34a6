"""A home's briefings go out where a flag is on, to each role's own places; else it is said plainly that nothing did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from sophia_assets.cli import main
from sophia_assets.control.flag_names import EMAIL_DELIVERY, SLACK_DELIVERY
from sophia_assets.delivery.courier import Courier
from sophia_assets.errors import BriefingMissing
from sophia_assets.home import Home
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.orchestration.delivery_assets import delivered_key, delivery_asset
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets_tests.delivery.parts import Waits, mailed, posted
from sophia_assets_tests.environment import default_settings, off_but
from sophia_assets_tests.insight.sample_facts import sample_request
from sophia_assets_tests.sandbox.small_company import Served

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
PLACES = {
    "SOPHIA_DELIVERY_SLACK_CHANNEL": "#general",
    "SOPHIA_DELIVERY_EMAIL_TO": "ada@example.com",
    "SOPHIA_DELIVERY_SALES_LEADER_EMAIL_TO": "sam@example.com",
}


def file_briefing(home: Home, day: date = YESTERDAY, role: str = "executive") -> None:
    """Puts a briefing into the archive."""
    briefing = build_briefing(replace(sample_request(), role=role), OfflineWriter())
    request = replace(briefing.request, date=day)
    BriefingArchive(home.briefings).write(replace(briefing, request=request))


@pytest.fixture
def settings(tmp_path: Path, sandbox: Served) -> Iterator[dict[str, str]]:
    """An environment for a home of its own, with the sandbox's addresses."""
    with default_settings(tmp_path):
        given = {**off_but("slack"), **PLACES, "SOPHIA_HOME": str(tmp_path / "var")}
        yield given | {name: value for name, value in sandbox.env.items() if name.startswith("SLACK_")}


@pytest.fixture
def services(settings: dict[str, str], tmp_path: Path, sandbox: Served) -> Iterator[Services]:
    home = Home(tmp_path / "var")
    home.path.mkdir(parents=True, exist_ok=True)
    made = Services(load_settings(settings), home, sandbox_env=sandbox.env)
    file_briefing(home)
    yield made
    made.close()
    sandbox.app.faults.clear()


def switch_on(services: Services, *flags: str) -> None:
    for flag in flags:
        services.flags.set(flag, "on", "tests", "to deliver")


def statuses(services: Services, **arguments: object) -> dict[tuple[str, str], str]:
    outcomes = Courier(services, wait=Waits()).deliver(YESTERDAY, **arguments)  # type: ignore[arg-type]
    return {(outcome.channel, outcome.role): outcome.status for outcome in outcomes}


def test_nothing_goes_out_unless_a_flag_is_on(sandbox: Served, services: Services) -> None:
    before = len(posted(sandbox)), len(mailed(sandbox))
    lines = [outcome.line for outcome in Courier(services).deliver(YESTERDAY)]
    assert lines == [
        "Nothing delivered by Slack: the flag deliver_to_slack is off",
        "Nothing delivered by E-mail: the flag deliver_by_email is off",
    ]
    assert (len(posted(sandbox)), len(mailed(sandbox))) == before


def test_each_edition_goes_to_its_own_role_and_to_nobody_else(sandbox: Served, services: Services) -> None:
    for role in ("sales_leader", "analyst"):
        file_briefing(services.home, role=role)
    switch_on(services, SLACK_DELIVERY, EMAIL_DELIVERY)
    count = len(mailed(sandbox))
    assert statuses(services) == {
        ("slack", "executive"): "sent",
        ("email", "executive"): "sent",
        ("slack", "sales_leader"): "no_address",
        ("email", "sales_leader"): "sent",
        ("slack", "analyst"): "no_address",
        ("email", "analyst"): "no_address",
    }
    assert [message["to"] for message in mailed(sandbox)[count:]] == [["ada@example.com"], ["sam@example.com"]]
    assert statuses(services, role="sales_leader")["email", "sales_leader"] == "already_sent"


def test_a_channel_that_fails_keeps_no_other_from_delivering(sandbox: Served, services: Services) -> None:
    switch_on(services, SLACK_DELIVERY, EMAIL_DELIVERY)
    sandbox.app.faults.add("slack:auth")
    assert statuses(services) == {("slack", "executive"): "failed", ("email", "executive"): "sent"}


def test_a_setting_that_is_missing_is_named(services: Services, settings: dict[str, str]) -> None:
    switch_on(services, SLACK_DELIVERY, EMAIL_DELIVERY)
    live = Services(load_settings({**settings, "SOPHIA_SLACK_MODE": "off"}), services.home)
    lines = [outcome.line for outcome in Courier(live).deliver(YESTERDAY)]
    live.close()
    assert "SOPHIA_SLACK_MODE" in lines[0] and "SOPHIA_DELIVERY_SMTP_URL is not set" in lines[1]


def test_a_day_without_a_briefing_is_refused(services: Services) -> None:
    with pytest.raises(BriefingMissing):
        Courier(services).deliver(date(2020, 1, 1))
    with pytest.raises(BriefingMissing):
        Courier(services).deliver(YESTERDAY, WEEKLY)


def test_a_torn_file_is_told_and_raises_nothing(services: Services) -> None:
    switch_on(services, SLACK_DELIVERY)
    BriefingArchive(services.home.briefings).files(YESTERDAY).json.write_text('{"date":')
    outcomes = Courier(services).deliver(YESTERDAY)
    assert [outcome.status for outcome in outcomes] == ["off", "failed"]


def test_the_asset_tells_what_was_delivered_and_never_fails(sandbox: Served, services: Services) -> None:
    switch_on(services, SLACK_DELIVERY, EMAIL_DELIVERY)
    days = dg.DailyPartitionsDefinition(start_date=(YESTERDAY - timedelta(days=9)).isoformat())
    resources = {"services": dg.ResourceDefinition.hardcoded_resource(services)}

    def materialized(day: date) -> dict[str, object]:
        result = dg.materialize(
            [delivery_asset(DAILY, days)], partition_key=day.isoformat(), resources=resources, raise_on_error=True
        )
        metadata = result.asset_materializations_for_node("delivery__daily_briefing")[0].metadata
        assert result.success
        return {name: value.value for name, value in metadata.items() if name in ("sent", "failed", "outcomes")}

    assert delivered_key(DAILY) == dg.AssetKey(["delivery", "daily_briefing"])
    first = materialized(YESTERDAY)
    assert (first["sent"], first["failed"]) == (2, 0)
    sandbox.app.faults.add("slack:auth")
    file_briefing(services.home, YESTERDAY, "analyst")
    assert materialized(YESTERDAY)["sent"] == 0


def test_a_past_briefing_that_is_written_anew_is_news_to_nobody(services: Services) -> None:
    file_briefing(services.home, YESTERDAY - timedelta(days=1))
    courier = Courier(services)
    assert courier.why_not_by_itself(YESTERDAY) == ""
    assert "is past" in courier.why_not_by_itself(YESTERDAY - timedelta(days=1))
    archive = BriefingArchive(services.home.briefings)
    archive.files(YESTERDAY).json.unlink()
    archive.files(YESTERDAY - timedelta(days=1)).json.unlink()
    file_briefing(services.home, YESTERDAY - timedelta(days=30))
    assert "sophia briefing deliver --date" in courier.why_not_by_itself(YESTERDAY - timedelta(days=30))


def test_the_command_delivers_and_says_so(
    sandbox: Served, services: Services, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**settings, "SOPHIA_DELIVERY_EMAIL_FROM": "sophia@example.com"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SOPHIA_DELIVERY_SMTP_URL", sandbox.env["SOPHIA_DELIVERY_SMTP_URL"])
    runner = CliRunner()
    off = runner.invoke(main, ["briefing", "deliver"])
    assert off.exit_code == 0 and "the flag deliver_to_slack is off" in off.output
    switch_on(services, SLACK_DELIVERY, EMAIL_DELIVERY)
    sent = runner.invoke(main, ["briefing", "deliver", "--date", YESTERDAY.isoformat(), "--json"])
    assert sent.exit_code == 0, sent.output
    assert [(each["channel"], each["status"]) for each in json.loads(sent.stdout)] == [
        ("slack", "sent"),
        ("email", "sent"),
    ]
    sandbox.app.faults.add("slack:auth")
    failed = runner.invoke(main, ["briefing", "deliver", "--again"])
    assert failed.exit_code == 1 and "invalid_auth" in failed.output
    assert runner.invoke(main, ["briefing", "deliver", "--as", "nobody"]).exit_code == 2
