"""Gong as it really is: late calls, empty answers that are 404, ids beyond 2^53, cursors that expire."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sophia_assets.errors import AuthenticationFailed, QuotaExhausted
from sophia_assets.ingestion.ingest import group_window
from sophia_assets.sandbox.company_data import GongCall, GongData
from sophia_assets.sources.declarations import Window
from sophia_assets.sources.gong.rows import call_row, tracker_rows
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import BIG_ID, make_call, served, small_company, small_gong
from sophia_assets_tests.sources.complete_company import EVERYTHING, START, contents, ingest, source_for


def _gong(*calls: GongCall) -> GongData:
    data = small_gong(0)
    data.calls = list(calls)
    return data


def _load(
    data: GongData, group: str, warehouse: DuckDBWarehouse, window: Window = EVERYTHING, run_id: str = "run"
) -> int:
    """Loads one group and returns the number of requests."""
    with served(small_company(gong=data, hubspot=None, snowflake=None), wait_for="listening", limits=False) as sandbox:
        return ingest(source_for("gong", sandbox.env), group, warehouse, window, run_id)[0].requests


def test_a_call_carries_the_hubspot_company_and_deal_it_was_about(warehouse: DuckDBWarehouse) -> None:
    _load(_gong(make_call(1)), "calls", warehouse)

    [call] = contents(warehouse, "gong.calls")
    assert (call["call_id"], call["company_id"], call["company_name"], call["deal_id"]) == (
        str(BIG_ID + 1), "101", "Company 1", "5002",
    )  # fmt: skip
    assert "@" not in call["_extra"]


def test_a_call_that_appears_days_late_is_found_by_the_lookback(warehouse: DuckDBWarehouse) -> None:
    day = START + timedelta(days=6)
    early = make_call(1, START)
    _load(_gong(early), "calls", warehouse, Window(None, day))
    window = group_window("gong", "calls", Window(day, day + timedelta(days=1)), warehouse)
    _load(_gong(early, make_call(2, START + timedelta(hours=1))), "calls", warehouse, window, "next")

    assert warehouse.row_counts()["gong.calls"] == 2


def test_a_window_without_calls_is_empty_and_no_failure(warehouse: DuckDBWarehouse) -> None:
    long_ago = Window(START - timedelta(days=300), START - timedelta(days=299))
    _load(_gong(make_call(1)), "calls", warehouse, long_ago)

    state = warehouse.table_state("gong.calls")
    assert state is not None
    assert state.rows_total == 0


def test_a_tracker_that_is_no_longer_heard_is_tombstoned(warehouse: DuckDBWarehouse) -> None:
    call = make_call(3)
    _load(_gong(call), "calls", warehouse)
    call.trackers = {"Pricing": 4}
    _load(_gong(call), "calls", warehouse, run_id="again")

    trackers = [(found["tracker"], found["hits"]) for found in contents(warehouse, "gong.call_trackers")]
    assert trackers == [("Pricing", 4)]


def test_sentences_are_numbered_in_the_order_they_were_spoken(warehouse: DuckDBWarehouse) -> None:
    _load(_gong(make_call(1)), "transcripts", warehouse)

    sentences = [(found["position"], found["text"]) for found in contents(warehouse, "gong.transcripts")]
    assert sentences == [(0, "Hello there."), (1, "How are you?"), (2, "Fine.")]


def test_a_hundred_calls_take_one_request_and_an_expired_cursor_a_new_beginning(warehouse: DuckDBWarehouse) -> None:
    assert _load(small_gong(150), "calls", warehouse) == 2
    data = small_company(gong=small_gong(150), hubspot=None, snowflake=None)
    with served(data, wait_for="listening", limits=False, faults=("gong:expired_cursor",)) as sandbox:
        result, *_ = ingest(source_for("gong", sandbox.env), "calls", warehouse, run_id="again")

    assert (result.rows_total, result.inserted, result.updated, result.deleted) == (150, 0, 0, 0)


def test_a_limit_that_lasts_for_hours_is_reported(warehouse: DuckDBWarehouse) -> None:
    data = small_company(hubspot=None, snowflake=None)
    with served(data, wait_for="listening", faults=("gong:rate_limit:7200",)) as sandbox:
        source = source_for("gong", sandbox.env)
        with pytest.raises(QuotaExhausted, match="gong/users"):
            ingest(source, "users", warehouse)


def test_a_wrong_key_names_the_settings_in_one_line() -> None:
    with served(small_company(hubspot=None, snowflake=None), wait_for="listening") as sandbox:
        source = source_for("gong", sandbox.env | {"GONG_ACCESS_KEY_SECRET": "wrong"})
        with pytest.raises(AuthenticationFailed, match="GONG_ACCESS_KEY_SECRET"):
            source.ping()


def test_of_two_timings_of_an_account_the_present_one_counts() -> None:
    accounts = [
        {"objectType": "Account", "objectId": "then", "timing": "TimeOfCall"},
        {"objectType": "Account", "objectId": "now", "timing": "Now", "fields": [{"name": "Name", "value": "Acme"}]},
    ]
    call = {"metaData": {"id": "1"}, "context": [{"system": "HubSpot", "objects": accounts}]}

    assert (call_row(call)["company_id"], call_row(call)["company_name"]) == ("now", "Acme")


def test_a_tracker_that_was_not_heard_is_no_row_and_null_content_no_error() -> None:
    call = {"metaData": {"id": "1"}, "content": {"trackers": [{"name": "Pricing", "count": 0}]}}

    assert tracker_rows(call) == []
    assert tracker_rows({"metaData": {"id": "1"}, "content": None}) == []
