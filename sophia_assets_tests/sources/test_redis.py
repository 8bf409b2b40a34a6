"""Redis as it really is: scans that repeat, keys that expire, streams that are trimmed, servers that are replaced."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from sophia_assets.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    PermissionMissing,
    ResponseInvalid,
)
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.company_data import RedisData
from sophia_assets.sandbox.standins.redis.process import RedisProcess
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, Notice, ReadItem, ReplacedChildren, Rows, Window
from sophia_assets.sources.redis.client import RedisSource
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import START, Served, served, small_company
from sophia_assets_tests.sandbox.small_redis import make_account, small_redis, stream_id
from sophia_assets_tests.sources.complete_company import EVERYTHING, IMPATIENT, contents, ingest, source_for

PATIENT = RetryPolicy(attempts=15, first_delay=0.001, longest_delay=0.01)
MANY = {f"usage:account:{number}": {"seats": str(number)} for number in range(6_000)}


@pytest.fixture(scope="module")
def _served() -> Iterator[Served]:
    company = small_company(hubspot=None, gong=None, snowflake=None, redis=small_redis())
    with served(company) as running:
        yield running


@pytest.fixture
def running(_served: Served) -> Iterator[Served]:
    yield _served
    _served.app.faults.clear()
    _served.app.standins["redis"].load(_served.app.company)


@pytest.fixture
def server() -> Iterator[RedisProcess]:
    """A server without anything in front of it, whose data a test may change."""
    process = RedisProcess("secret")
    process.start()
    yield process
    process.stop()


def hold(running: Served, data: RedisData) -> None:
    """Serve this data from now on."""
    running.app.standins["redis"].load(small_company(redis=data))


def source(running: Served, *, retry: RetryPolicy = IMPATIENT, **env: str) -> RedisSource:
    made = source_for("redis", {**running.env, **env}, retry=retry)
    assert isinstance(made, RedisSource)
    return made


def direct(server: RedisProcess, user: str = "reader:secret") -> RedisSource:
    """A client of that server."""
    made = source_for("redis", {"REDIS_URL": f"unix://{user}@{server.socket_path}?db=0"})
    assert isinstance(made, RedisSource)
    return made


def rows(items: list[ReadItem]) -> list[dict[str, Any]]:
    return [dict(row) for item in items if isinstance(item, Rows) for row in item.rows]


def notices(items: list[ReadItem]) -> list[tuple[str, str]]:
    return [(item.table, item.text) for item in items if isinstance(item, Notice)]


def read(source: RedisSource, group: str, window: Window = EVERYTHING, resume: Any = None) -> list[dict[str, Any]]:
    return rows(list(source.read(group, window, resume)))


def days(first: int, end: int) -> Window:
    """From the midnight before START, `first` days later, to the midnight `end` days later."""
    midnight = START.replace(hour=0)
    return Window(midnight + timedelta(days=first), midnight + timedelta(days=end))


@contextmanager
def answering(line: bytes) -> Iterator[str]:
    """The URL of a server that answers every command with this line."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while received := self.request.recv(65536):
                self.request.sendall(line * max(1, received.count(b"*")))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as found:
        found.daemon_threads = True
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{found.server_address[1]}/0"
        found.shutdown()


# --- Accounts and totals: scanning ------------------------------------------------------------------------


def test_a_hash_becomes_a_row_and_fields_that_no_column_holds_are_kept(
    running: Served, warehouse: DuckDBWarehouse
) -> None:
    hold(running, RedisData(hashes={"usage:account:7:8": make_account(1) | {"region": "north"}}))
    ingest(source(running), "accounts", warehouse)

    [row] = contents(warehouse, "redis.account_usage")
    assert (row["account_id"], row["seats"], row["features"]) == ("7:8", 20, '{"alerts":7,"reports":3}')
    assert "north" in row["_extra"]


def test_keys_of_others_are_not_read(running: Served) -> None:
    assert sorted(row["counter"] for row in read(source(running), "counters")) == ["accounts", "sessions"]


def test_repeated_keys_and_empty_pages_give_each_account_once(running: Served) -> None:
    hold(running, RedisData(hashes=MANY))
    running.app.faults.add("redis:pages:7")

    found = [row["account_id"] for row in read(source(running), "accounts")]
    assert len(found) == len(set(found)) == 6_000


def test_keys_that_expire_after_they_were_found_are_simply_absent(running: Served) -> None:
    hold(running, RedisData(hashes=MANY))
    running.app.faults.add("redis:expire:10")

    assert len(read(source(running), "accounts")) == 5_990


def test_a_key_of_another_type_fails_no_other_and_is_noticed(running: Served) -> None:
    hold(running, RedisData(hashes=MANY, strings={"usage:total:a": "1"}))
    running.app.faults.add("redis:wrongtype:3")

    items = list(source(running).read("accounts", EVERYTHING))
    assert len(rows(items)) == 5_997
    [(table, text)] = notices(items)
    assert table == "account_usage" and text.startswith("3 of the keys under usage:account: hold another type")


def test_values_that_are_no_utf_8_are_written_as_escapes(server: RedisProcess) -> None:
    server.run([("HSET", "usage:account:1", "plan", b"\xff\x00pro", "seats", "3"), ("SET", b"usage:total:\xfe", "5")])

    assert read(direct(server), "accounts")[0]["plan"] == "\\xff\x00pro"
    assert read(direct(server), "counters") == [{"counter": "\\xfe", "value": "5"}]


def test_a_prefix_is_taken_as_it_is_written(server: RedisProcess) -> None:
    server.run([("SET", "u[1]*:total:a", "1"), ("SET", "u1:total:b", "2"), ("SET", "u1x:total:c", "3")])
    url = f"unix://reader:secret@{server.socket_path}?db=0"

    found = source_for("redis", {"REDIS_URL": url, "REDIS_PREFIX": "u[1]*:"})
    assert [row["counter"] for row in rows(list(found.read("counters", EVERYTHING)))] == ["a"]


def test_a_scan_outlasts_a_server_that_is_replaced_in_its_middle(running: Served) -> None:
    hold(running, RedisData(hashes=MANY))
    reading = source(running, retry=PATIENT).read("accounts", EVERYTHING)
    first = [next(reading), next(reading)]
    running.app.faults.add("redis:restart")

    assert {row["account_id"] for row in rows([*first, *reading])} == {key.rpartition(":")[2] for key in MANY}


def test_a_scan_goes_on_behind_a_checkpoint_of_the_same_server_only(running: Served) -> None:
    hold(running, RedisData(hashes=MANY))
    reading = source(running).read("accounts", EVERYTHING)
    first, checkpoint = next(reading), next(reading)
    assert isinstance(checkpoint, Checkpoint)

    rest = read(source(running), "accounts", resume=checkpoint.position)
    assert len(rest) < 6_000
    assert {row["account_id"] for row in [*rows([first]), *rest]} == {key.rpartition(":")[2] for key in MANY}
    running.app.faults.add("redis:restart")
    assert len(read(source(running, retry=PATIENT), "accounts", resume=checkpoint.position)) == 6_000


def test_a_user_who_may_not_know_the_process_begins_again_after_a_cut(server: RedisProcess) -> None:
    server.fill(RedisData(hashes=MANY))
    server.run([("ACL", "SETUSER", "plain", "on", ">pw", "~*", "+@read")])
    undisturbed, cut = direct(server, "plain:pw"), direct(server, "plain:pw")
    read(undisturbed, "accounts")
    reading = cut.read("accounts", EVERYTHING)
    first = [next(reading), next(reading)]
    server.run([("CLIENT", "KILL", "USER", "plain", "SKIPME", "no")])

    assert len(rows([*first, *reading])) == 6_000
    assert cut.requests_made > undisturbed.requests_made + 2


# --- Daily counters ---------------------------------------------------------------------------------------


def test_only_the_days_of_the_window_are_read(running: Served) -> None:
    found = read(source(running), "daily", days(3, 5))

    assert sorted({row["day"] for row in found}) == [date(2026, 1, 4), date(2026, 1, 5)]
    assert len(found) == 2 * 9


def test_without_a_start_every_day_is_read_in_order(running: Served) -> None:
    found = read(source(running), "daily")

    assert [row["day"] for row in found] == sorted(row["day"] for row in found)
    assert len(found) == 30 * 9


def test_a_field_that_is_gone_is_taken_back_and_a_day_that_has_expired_is_not(
    running: Served, warehouse: DuckDBWarehouse
) -> None:
    ingest(source(running), "daily", warehouse, days(0, 4), "before")
    data = small_redis(4)
    del data.hashes["usage:daily:2026-01-01"]
    del data.hashes["usage:daily:2026-01-02"]["100:actions"]
    data.hashes["usage:daily:2026-01-03"]["100:actions"] = "999"
    hold(running, data)
    [result] = ingest(source(running), "daily", warehouse, days(0, 4), "after")

    assert (result.deleted, result.updated, result.rows_total) == (1, 1, 35)


def test_accounts_with_colons_and_counts_that_are_none_reach_the_loader(server: RedisProcess) -> None:
    server.run([("HSET", "usage:daily:2026-01-01", "a:b:actions", "x"), ("SET", "usage:daily:notes", "y")])

    [row] = read(direct(server), "daily")
    assert (row["account_id"], row["counter"], row["value"]) == ("a:b", "actions", "x")


def test_days_are_read_on_behind_a_checkpoint(running: Served) -> None:
    whole = list(source(running).read("daily", EVERYTHING))
    for place, item in enumerate(whole):
        if isinstance(item, Checkpoint):
            rest = list(source(running).read("daily", EVERYTHING, item.position))
            assert rows([*whole[:place], *rest]) == rows(whole)


def test_each_day_that_is_there_replaces_what_was_counted_on_it(running: Served) -> None:
    replaced = [
        item.parents for item in source(running).read("daily", days(0, 60)) if isinstance(item, ReplacedChildren)
    ]

    assert [day for parents in replaced for day in parents] == [date(2026, 1, 1) + timedelta(n) for n in range(30)]


# --- Events -----------------------------------------------------------------------------------------------


def test_events_are_read_by_their_ids_and_none_from_beyond_the_window(running: Served) -> None:
    window = Window(START + timedelta(hours=10), START + timedelta(hours=20))

    found = read(source(running), "events", window)
    assert [row["event_id"] for row in found] == [stream_id(number) for number in range(10, 20)]
    assert found[0]["occurred_at"] == window.start


def test_what_no_column_holds_is_a_property(server: RedisProcess) -> None:
    server.run([("XADD", "usage:events", "5-1", "event", "click", "x", "1", "properties", '{"y": 2}')])

    [row] = read(direct(server), "events")
    assert (row["event"], row["account_id"], row["properties"]) == ("click", None, {"x": "1", "y": 2})


def test_every_event_of_many_pages_is_read_once_from_any_checkpoint(running: Served) -> None:
    entries = [(f"1767225600000-{number}", {"event": "e", "n": str(number)}) for number in range(3_500)]
    hold(running, RedisData(streams={"usage:events": entries}))
    whole = list(source(running).read("events", EVERYTHING))

    assert [row["event_id"] for row in rows(whole)] == [entry for entry, _ in entries]
    for place, item in enumerate(whole):
        if isinstance(item, Checkpoint):
            rest = list(source(running).read("events", EVERYTHING, item.position))
            assert [row["event_id"] for row in rows([*whole[:place], *rest])] == [entry for entry, _ in entries]


def test_entries_trimmed_between_two_pages_are_noticed(running: Served) -> None:
    entries = [(stream_id(0, number), {"event": "e"}) for number in range(3_500)]
    hold(running, RedisData(streams={"usage:events": entries}))
    items = source(running).read("events", EVERYTHING)
    found = [next(items), next(items)]
    running.app.faults.add("redis:trim:100")
    found += items

    assert len(rows(found)) == 1_100
    [(table, text)] = notices(found)
    assert table == "events" and "trimmed before they could be read" in text


def test_entries_trimmed_since_the_last_load_are_noticed(running: Served) -> None:
    running.app.faults.add("redis:trim:20")
    items = list(source(running).read("events", Window(START + timedelta(hours=50), START + timedelta(hours=500))))

    assert len(rows(items)) == 20
    assert "2026-01-03 12:00:00 UTC and 2026-01-05 13:00:00 UTC" in notices(items)[0][1]


def test_a_stream_that_was_emptied_is_noticed(running: Served) -> None:
    running.app.faults.add("redis:trim:0")
    items = list(source(running).read("events", Window(START + timedelta(hours=50), START + timedelta(hours=500))))

    assert rows(items) == []
    assert len(notices(items)) == 1


@pytest.mark.parametrize("window", [EVERYTHING, Window(START, START + timedelta(hours=500)), days(300, 301)])
def test_a_stream_that_has_lost_nothing_is_not_noticed(running: Served, window: Window) -> None:
    assert notices(list(source(running).read("events", window))) == []


def test_entries_trimmed_after_they_were_read_are_not_noticed(running: Served) -> None:
    running.app.faults.add("redis:trim:20")
    window = Window(START + timedelta(hours=110), START + timedelta(hours=500))

    assert notices(list(source(running).read("events", window))) == []


def test_a_key_in_the_streams_place_is_refused_with_the_settings_to_check(server: RedisProcess) -> None:
    server.run([("SET", "usage:events", "1")])

    with pytest.raises(ResponseInvalid, match="REDIS_PREFIX"):
        read(direct(server), "events")


# --- The server -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["errors:0.3", "storm:0.3", "cut:0.2", "torn:0.2"])
@pytest.mark.parametrize("group", ["accounts", "daily", "counters", "events"])
def test_a_server_in_trouble_is_read_all_the_same(running: Served, group: str, fault: str) -> None:
    whole = read(source(running), group)
    running.app.faults.add(f"redis:{fault}")

    assert read(source(running, retry=PATIENT), group) == whole


def test_a_wrong_password_names_the_setting_and_nothing_secret(running: Served) -> None:
    wrong = running.env["REDIS_URL"].replace("sandbox-redis-password", "wr0ng")

    with pytest.raises(AuthenticationFailed, match="REDIS_URL") as caught:
        source(running, REDIS_URL=wrong).ping()
    assert "wr0ng" not in str(caught.value)


def test_a_password_that_is_missing_is_a_refused_credential(running: Served) -> None:
    with pytest.raises(AuthenticationFailed):
        source(running, REDIS_URL=running.env["REDIS_URL"].replace("reader:sandbox-redis-password@", "")).ping()


def test_a_right_that_is_missing_is_named(server: RedisProcess) -> None:
    server.run([("ACL", "SETUSER", "narrow", "on", ">pw", "~other:*", "+@read")])

    with pytest.raises(PermissionMissing, match="XRANGE"):
        read(direct(server, "narrow:pw"), "events")


def test_a_database_that_is_not_there_is_named(running: Served) -> None:
    with pytest.raises(ResponseInvalid, match="number at the end of REDIS_URL"):
        source(running, REDIS_URL=running.env["REDIS_URL"].removesuffix("0") + "99").ping()


def test_a_database_that_holds_nothing_is_empty(running: Served) -> None:
    elsewhere = source(running, REDIS_URL=running.env["REDIS_URL"].removesuffix("0") + "3")

    assert [read(elsewhere, group) for group in ("accounts", "daily", "counters", "events")] == [[], [], [], []]


@pytest.mark.parametrize("url", ["", "http://localhost", "redis://host:port/0", "localhost:6379"])
def test_a_url_that_is_none_is_refused_by_its_setting(running: Served, url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        source(running, REDIS_URL=url).ping()


def test_a_shard_of_a_cluster_is_not_read_in_part() -> None:
    with answering(b"-MOVED 3999 127.0.0.1:6381\r\n") as url, pytest.raises(ResponseInvalid, match="Sharded"):
        read(source_for("redis", {"REDIS_URL": url}), "counters")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["READONLY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN"])
def test_a_server_that_cannot_answer_now_is_tried_again(code: str) -> None:
    with answering(f"-{code} not now\r\n".encode()) as url:
        asked = source_for("redis", {"REDIS_URL": url})
        with pytest.raises(ConnectionFailed):
            asked.ping()
    assert asked.requests_made == IMPATIENT.attempts


def test_what_does_not_speak_redis_is_a_failed_connection(running: Served) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url, pytest.raises(ConnectionFailed, match="REDIS_URL"):
        source_for("redis", {"REDIS_URL": url}).ping()


@pytest.mark.long
def test_plain_text_where_tls_is_wanted_is_a_failed_connection(running: Served) -> None:
    with pytest.raises(ConnectionFailed):
        source(running, REDIS_URL=running.env["REDIS_URL"].replace("redis://", "rediss://")).ping()


def test_a_complete_set_ends_what_has_no_history(running: Served) -> None:
    for group, table in (("accounts", "account_usage"), ("counters", "totals")):
        assert list(source(running).read(group, EVERYTHING))[-1] == CompleteSet(table)
