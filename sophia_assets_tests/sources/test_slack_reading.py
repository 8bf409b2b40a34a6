"""How Slack is read: in few requests, gone on with after a kill, and within the limits of each method."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from sophia_assets.errors import AuthenticationFailed, ConnectionFailed, PermissionMissing, QuotaExhausted
from sophia_assets.sources.declarations import Checkpoint, Rows
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_slack import (
    CLOSED,
    DEALS,
    GENERAL,
    START,
    make_channel,
    make_message,
    make_thread,
    small_slack,
)
from sophia_assets_tests.sources.complete_company import EVERYTHING, source_for
from sophia_assets_tests.sources.slack_workspace import PATIENT, load, read, rows_of, running


def test_a_thread_longer_than_a_page_is_read_whole(warehouse: DuckDBWarehouse) -> None:
    parent = make_message(1)
    with running(make_channel(GENERAL, [parent, *make_thread(parent, 450)])) as sandbox:
        result = load(sandbox, warehouse)

    # A list of channels, a page of history, and three pages of replies, each with the parent on it.
    assert (result.rows_total, result.requests) == (451, 5)


def test_ten_thousand_messages_in_a_channel_take_fifty_requests(warehouse: DuckDBWarehouse) -> None:
    messages = [make_message(0, START + timedelta(minutes=number)) for number in range(10_000)]
    with running(make_channel(GENERAL, messages)) as sandbox:
        result = load(sandbox, warehouse)

    assert (result.rows_total, result.requests) == (10_000, 51)


def test_five_hundred_channels_take_a_request_each(warehouse: DuckDBWarehouse) -> None:
    channels = [make_channel(f"C{number:05d}", [make_message(number)]) for number in range(500)]
    with running(*channels) as sandbox:
        result = load(sandbox, warehouse)

    assert (result.rows_total, result.requests) == (500, 503)


def test_killed_anywhere_a_read_goes_on_behind_its_last_checkpoint() -> None:
    long = make_message(2)
    messages = [make_message(number) for number in range(420)]
    replies = [*make_thread(messages[405], 2), *make_thread(messages[10], 2), *make_thread(long, 450)]
    messages[2] = long
    with running(
        make_channel(GENERAL, [*messages, *replies]), make_channel(DEALS, [make_message(3)]), make_channel(CLOSED, [])
    ) as sandbox:
        source = source_for("slack", sandbox.env)
        whole = read(source)
        all_requests = source.requests_made
        places = [number for number, item in enumerate(whole) if isinstance(item, Checkpoint)]
        for place in places:
            position = whole[place]
            assert isinstance(position, Checkpoint)
            other = source_for("slack", sandbox.env)
            rest = read(other, resume=position.position)
            assert rows_of([*whole[:place], *rest]) == rows_of(whole), position
            # The list of channels, and at most the page on which it stopped, are asked for again.
            assert other.requests_made <= all_requests
            missing = rows_of(whole).keys() - rows_of(whole[:place]).keys()
            assert missing <= rows_of(rest).keys()
        assert len(places) > 8
        assert other.requests_made == 1


def test_an_expired_cursor_begins_the_channel_again() -> None:
    with running(make_channel(GENERAL, [make_message(number) for number in range(450)])) as sandbox:
        sandbox.app.faults.add("slack:expired_cursor:1")
        source = source_for("slack", sandbox.env)
        assert len(rows_of(read(source))) == 450
        assert source.requests_made == 6


def test_a_position_whose_cursor_has_expired_begins_the_channel_again() -> None:
    with running(make_channel(GENERAL, [make_message(number) for number in range(450)])) as sandbox:
        source = source_for("slack", sandbox.env)
        found = rows_of(read(source, resume={"channel": GENERAL, "page": "bm9uZQ=="}))

    assert len(found) == 450


@pytest.mark.parametrize("group", ["channels", "users"])
def test_lists_go_on_at_their_page_and_begin_again_where_it_is_unknown(group: str) -> None:
    channels = [make_channel(f"C{number:05d}", []) for number in range(250)]
    with running(*channels) as sandbox:
        source = source_for("slack", sandbox.env)
        whole = list(source.read(group, EVERYTHING))
        again = list(source.read(group, EVERYTHING, {"cursor": "bm9uZQ=="}))
        assert again == whole or group == "channels"
        positions = [item.position for item in whole if isinstance(item, Checkpoint)]
        rest = [list(source.read(group, EVERYTHING, position)) for position in positions]

    assert [len(item.rows) for items in rest for item in items if isinstance(item, Rows)] == [50] * len(positions)


def test_short_empty_and_repeated_pages_lose_nothing(warehouse: DuckDBWarehouse) -> None:
    with running(data=small_slack(300)) as sandbox:
        whole = rows_of(read(source_for("slack", sandbox.env)))
        for seed in (1, 2, 3):
            sandbox.app.faults.add(f"slack:pages:{seed}")
            assert rows_of(read(source_for("slack", sandbox.env))) == whole


def test_a_storm_of_refusals_and_failures_loses_nothing() -> None:
    with running(data=small_slack(300)) as sandbox:
        whole = rows_of(read(source_for("slack", sandbox.env)))
        for kind in ("errors", "torn", "cut"):
            sandbox.app.faults.add(f"slack:{kind}:0.2")
        patient = source_for("slack", sandbox.env, retry=PATIENT)
        assert rows_of(read(patient)) == whole


def test_one_request_a_minute_is_enough_where_the_system_says_so() -> None:
    channels = [make_channel(name, [make_message(n) for n in range(16)]) for name in (GENERAL, DEALS)]
    with running(*channels) as sandbox:
        sandbox.app.faults.add("slack:one_per_minute:0.5")
        source = source_for("slack", sandbox.env, retry=PATIENT)
        assert len(rows_of(read(source))) == 32
        assert sandbox.app.standins["slack"].counters.throttled <= 4


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_short_limit_is_waited_for(seconds: int) -> None:
    with running(make_channel(GENERAL, [make_message(1)]), faults=(f"slack:rate_limit:{seconds}",)) as sandbox:
        assert len(rows_of(read(source_for("slack", sandbox.env)))) == 1


def test_a_long_limit_ends_the_read_and_says_until_when() -> None:
    with running(make_channel(GENERAL, [make_message(1)]), faults=("slack:rate_limit:7200",)) as sandbox:
        source = source_for("slack", sandbox.env)
        with pytest.raises(QuotaExhausted, match="Slack's request limit is spent") as caught:
            read(source)
        assert source.requests_made == 1

    assert timedelta(minutes=119) < caught.value.not_before - datetime.now(UTC) <= timedelta(minutes=120)


def test_a_missing_scope_is_named() -> None:
    with (
        running(make_channel(GENERAL, [make_message(1)]), faults=("slack:missing_scope",)) as sandbox,
        pytest.raises(PermissionMissing, match=r"channels:history.*SLACK_BOT_TOKEN"),
    ):
        read(source_for("slack", sandbox.env))


def test_a_wrong_token_names_the_setting_and_not_the_token() -> None:
    with running(make_channel(GENERAL, [])) as sandbox:
        source = source_for("slack", sandbox.env | {"SLACK_BOT_TOKEN": "xoxb-canary"})
        with pytest.raises(AuthenticationFailed, match="SLACK_BOT_TOKEN") as caught:
            source.ping()
    assert "canary" not in str(caught.value)


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(ConnectionFailed, match="SLACK_BASE_URL"):
        source_for("slack", {"SLACK_BASE_URL": "slack.example", "SLACK_BOT_TOKEN": "x"}).ping()


def test_a_companys_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with running(make_channel(GENERAL, [])) as sandbox:
        assert source_for("slack", sandbox.env).ping()


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    script = (
        "import sys; from sophia_assets.sources import registry; "
        "registry.create_source_from_settings('slack', {'SLACK_BOT_TOKEN': 'x'}); print('slack_sdk' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False"
