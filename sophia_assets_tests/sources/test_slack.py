"""Slack as it really is: replies to old parents, edits, deletions, channels that come and go."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest

from sophia_assets.sandbox.company_data import SlackMessage
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_slack import (
    BOT,
    CLOSED,
    DEALS,
    GENERAL,
    LOBBY,
    START,
    make_channel,
    make_message,
    make_thread,
    small_slack,
    ts,
)
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, contents, ingest, source_for
from sophia_assets_tests.sources.slack_workspace import LAST_DAY, load, now_with, read, rows_of, running, texts


def old_parent(days: int) -> SlackMessage:
    return make_message(0, END - timedelta(days=days), text="parent")


def test_a_reply_to_a_twenty_day_old_parent_is_found(warehouse: DuckDBWarehouse) -> None:
    parent = old_parent(21)
    with running(make_channel(GENERAL, [parent])) as sandbox:
        load(sandbox, warehouse, Window(None, LAST_DAY.start or END))
        sandbox.app.faults.add("slack:old_thread_reply")
        result = load(sandbox, warehouse, LAST_DAY, "next")

    assert result.inserted == 1
    thread = [(row["is_reply"], row["thread_ts"], row["reply_count"]) for row in contents(warehouse, "slack.messages")]
    assert thread == [(False, parent.ts, 1), (True, parent.ts, 0)]


def test_threads_without_new_replies_are_not_asked_for() -> None:
    quiet, lively = old_parent(20), old_parent(19)
    replies = [*make_thread(quiet, 1), *make_thread(lively, 1, after=timedelta(days=18))]
    with running(make_channel(GENERAL, [quiet, lively, *replies])) as sandbox:
        source = source_for("slack", sandbox.env)
        found = rows_of(read(source, LAST_DAY))

    assert [key[1] for key in found] == [lively.ts, quiet.ts, replies[1].ts]
    assert source.requests_made == 3


def test_an_edit_replaces_the_text_and_says_when(warehouse: DuckDBWarehouse) -> None:
    with running(make_channel(GENERAL, [old_parent(5)])) as sandbox:
        load(sandbox, warehouse)
        sandbox.app.faults.add("slack:edit")
        result = load(sandbox, warehouse, LAST_DAY, "next")

    [row] = contents(warehouse, "slack.messages")
    assert (result.updated, row["text"], row["edited_at"]) == (1, "parent (edited)", datetime(2026, 6, 30, 23, 0, 0, 1))


def test_a_deleted_message_is_tombstoned_and_its_neighbours_stay(warehouse: DuckDBWarehouse) -> None:
    moment = END - timedelta(days=5)
    here = [make_message(n, moment + timedelta(minutes=n), text=f"here {n}") for n in range(3)]
    there = [make_message(n, moment + timedelta(minutes=n), text=f"there {n}") for n in range(3)]
    with running(make_channel(GENERAL, here), make_channel(DEALS, there)) as sandbox:
        load(sandbox, warehouse)
        now_with(sandbox, make_channel(GENERAL, [here[0], here[2]]), make_channel(DEALS, there))
        result = load(sandbox, warehouse, LAST_DAY, "next")

    assert (result.deleted, texts(warehouse)) == (1, ["here 0", "here 2", "there 0", "there 1", "there 2"])


def test_a_deleted_reply_of_a_lively_thread_is_tombstoned(warehouse: DuckDBWarehouse) -> None:
    parent = old_parent(3)
    replies = make_thread(parent, 3, after=timedelta(days=2))
    with running(make_channel(GENERAL, [parent, *replies])) as sandbox:
        load(sandbox, warehouse)
        now_with(sandbox, make_channel(GENERAL, [parent, replies[0], replies[2]]))
        load(sandbox, warehouse, LAST_DAY, "next")

    assert texts(warehouse) == ["parent", "Reply 0", "Reply 2"]


def test_when_all_replies_are_deleted_none_stays(warehouse: DuckDBWarehouse) -> None:
    parent = old_parent(12)
    replies = make_thread(parent, 3)
    with running(make_channel(GENERAL, [parent, *replies])) as sandbox:
        load(sandbox, warehouse)
        now_with(sandbox, make_channel(GENERAL, [old_parent(12)]))
        load(sandbox, warehouse, LAST_DAY, "next")

    assert texts(warehouse) == ["parent"]


def test_a_deleted_parent_leaves_slacks_tombstone_and_its_replies(warehouse: DuckDBWarehouse) -> None:
    parent = old_parent(3)
    with running(make_channel(GENERAL, [parent, *make_thread(parent, 1)])) as sandbox:
        load(sandbox, warehouse)
        sandbox.app.faults.add("slack:delete")
        load(sandbox, warehouse, LAST_DAY, "next")

    assert texts(warehouse) == ["This message was deleted.", "Reply 0"]


def test_an_older_window_neither_loads_nor_removes_what_was_replied_after_it(warehouse: DuckDBWarehouse) -> None:
    parent = make_message(1)
    replies = [*make_thread(parent, 1), *make_thread(parent, 1, after=timedelta(days=9), first=1)]
    window = Window(START - timedelta(days=1), START + timedelta(days=1))
    with running(make_channel(GENERAL, [parent, *replies])) as sandbox:
        load(sandbox, warehouse, window, "first")
        alone = texts(warehouse)
        load(sandbox, warehouse, run_id="all")
        result = load(sandbox, warehouse, window, "again")

    assert alone == [parent.text, "Reply 0"]
    assert (result.deleted, len(texts(warehouse))) == (0, 3)


def test_channels_without_the_bot_are_visible_and_skipped(warehouse: DuckDBWarehouse) -> None:
    with running(data=small_slack()) as sandbox:
        source = source_for("slack", sandbox.env)
        ingest(source, "channels", warehouse)
        ingest(source, "messages", warehouse)

    seen = {row["channel_id"]: row["is_member"] for row in contents(warehouse, "slack.channels")}
    assert seen == {GENERAL: True, DEALS: True, LOBBY: False, CLOSED: True}
    assert {row["channel_id"] for row in contents(warehouse, "slack.messages")} == {GENERAL, DEALS, CLOSED}


def test_a_channel_that_the_bot_has_left_keeps_what_was_read(warehouse: DuckDBWarehouse) -> None:
    messages = [old_parent(3)]
    with running(make_channel(GENERAL, messages)) as sandbox:
        load(sandbox, warehouse)
        now_with(sandbox, make_channel(GENERAL, messages, is_member=False))
        result = load(sandbox, warehouse, LAST_DAY, "next")

    assert (result.deleted, texts(warehouse)) == (0, ["parent"])


def test_a_channel_that_the_bot_is_thrown_out_of_meanwhile_is_skipped(warehouse: DuckDBWarehouse) -> None:
    with running(make_channel(GENERAL, [make_message(1)]), make_channel(DEALS, [make_message(2)])) as sandbox:
        sandbox.app.faults.add("slack:not_in_channel")
        load(sandbox, warehouse)

    assert texts(warehouse) == [make_message(2).text]


def test_a_channel_that_vanishes_between_two_pages_is_left_and_the_next_is_read() -> None:
    deals = make_channel(DEALS, [make_message(2)])
    with running(make_channel(GENERAL, [make_message(n) for n in range(450)]), deals) as sandbox:
        reading = source_for("slack", sandbox.env).read("messages", EVERYTHING)
        begun = list(islice(reading, 1))
        now_with(sandbox, deals)
        rest = list(reading)

    channels = [key[0] for key in rows_of([*begun, *rest])]
    assert (channels.count(GENERAL), channels.count(DEALS)) == (200, 1)


def test_a_channel_that_is_renamed_between_two_pages_is_read_whole() -> None:
    messages = [make_message(n) for n in range(450)]
    with running(make_channel(GENERAL, messages)) as sandbox:
        reading = source_for("slack", sandbox.env).read("messages", EVERYTHING)
        begun = list(islice(reading, 1))
        renamed = make_channel(GENERAL, messages)
        renamed.name = "renamed"
        now_with(sandbox, renamed)
        rest = list(reading)

    assert len(rows_of([*begun, *rest])) == 450


def test_a_channel_that_the_bot_has_just_joined_is_read_from_its_beginning(warehouse: DuckDBWarehouse) -> None:
    long_ago = make_message(0)
    replies = make_thread(long_ago, 2)
    arrival = SlackMessage(ts(END - timedelta(hours=9)), BOT, "has joined", subtype="channel_join")
    with running(make_channel(GENERAL, [long_ago, *replies], is_member=False)) as sandbox:
        load(sandbox, warehouse)
        now_with(sandbox, make_channel(GENERAL, [long_ago, *replies, arrival]))
        load(sandbox, warehouse, LAST_DAY, "next")

    assert texts(warehouse) == [long_ago.text, "Reply 0", "Reply 1", arrival.text]


def test_somebody_elses_arrival_changes_nothing() -> None:
    arrival = SlackMessage(ts(END - timedelta(hours=9)), "U1UNASELLER", "has joined", subtype="channel_join")
    with running(make_channel(GENERAL, [make_message(0), arrival])) as sandbox:
        assert list(rows_of(read(source_for("slack", sandbox.env), LAST_DAY))) == [(GENERAL, arrival.ts)]


def test_an_archived_channel_is_read_once() -> None:
    archived = make_channel(CLOSED, [make_message(4)])
    archived.is_archived, archived.updated = True, START + timedelta(days=9)
    with running(archived) as sandbox:
        source = source_for("slack", sandbox.env)
        assert len(rows_of(read(source))) == 1
        before = source.requests_made
        assert rows_of(read(source, LAST_DAY)) == {}
        assert source.requests_made - before == 1


@pytest.mark.parametrize(("start", "end", "count"), [(100, 101, 1), (101, 200, 0), (0, 100, 0), (0, 101, 1)])
def test_a_window_is_exact_to_the_microsecond(start: int, end: int, count: int) -> None:
    moment = START + timedelta(hours=1)
    window = Window(moment + timedelta(microseconds=start), moment + timedelta(microseconds=end))
    with running(make_channel(GENERAL, [make_message(1)])) as sandbox:
        found = rows_of(read(source_for("slack", sandbox.env), window)).values()

    # What is older than the window comes too: it may have new replies.
    assert sum(row["posted_at"] >= window.start for row in found) == count
    assert all(row["posted_at"] < window.end for row in found)


def test_a_window_without_length_asks_for_nothing() -> None:
    with running(make_channel(GENERAL, [make_message(1)])) as sandbox:
        source = source_for("slack", sandbox.env)
        assert read(source, Window(START, START)) == []
        assert source.requests_made == 0


def test_ids_stay_text_and_the_text_stays_as_slack_writes_it(warehouse: DuckDBWarehouse) -> None:
    with running(make_channel(GENERAL, [make_message(1)])) as sandbox:
        load(sandbox, warehouse)

    [row] = contents(warehouse, "slack.messages")
    assert (row["ts"], row["text"]) == ("1767261600.000100", "Message 1 <@U1UNASELLER> & more")
    assert row["posted_at"] == datetime(2026, 1, 1, 10, 0, 0, 100)


def test_messages_of_the_same_moment_in_two_channels_are_two(warehouse: DuckDBWarehouse) -> None:
    with running(make_channel(GENERAL, [make_message(1)]), make_channel(DEALS, [make_message(1)])) as sandbox:
        assert load(sandbox, warehouse).inserted == 2


def test_a_reply_that_was_also_sent_to_the_channel_is_one_row(warehouse: DuckDBWarehouse) -> None:
    parent = make_message(1)
    [reply] = make_thread(parent, 1)
    reply.subtype = "thread_broadcast"
    with running(make_channel(GENERAL, [parent, reply])) as sandbox:
        load(sandbox, warehouse)
        again = load(sandbox, warehouse, run_id="again")

    assert (again.rows_total, again.updated, again.unchanged) == (2, 0, 3)
