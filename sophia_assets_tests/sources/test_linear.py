"""Linear as it really is: ties, silent archiving, limits told as 400s, half answers, queries that are too complex."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sophia_assets.errors import ConnectionFailed, QuotaExhausted, ResponseInvalid
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.company_data import LinearData
from sophia_assets.sources.declarations import Checkpoint, PresentKeys, ReadItem, Rows, Source, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_linear import OLD_PROJECT, linear_id, make_issue, small_linear
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, IMPATIENT, START, contents, ingest, source_for

PATIENT = RetryPolicy(attempts=12, first_delay=0.001, longest_delay=0.01, longest_wait=60.0)
MONTHS = Window(START, END)


def company(data: LinearData) -> Any:
    others = dict.fromkeys(("hubspot", "gong", "snowflake", "slack", "pinecone", "redis"))
    return small_company(**others | {"linear": data})


@pytest.fixture
def linear() -> Iterator[Served]:
    """The small Linear of a company that has nothing else, for one test."""
    with served(company(small_linear()), wait_for="listening", limits=False) as running:
        yield running


def source(running: Served, retry: RetryPolicy = IMPATIENT) -> Source:
    return source_for("linear", running.env, retry=retry)


def serve(running: Served, data: LinearData) -> None:
    running.app.standins["linear"].load(company(data))


def rows(items: list[ReadItem], table: str) -> list[Any]:
    return [row for item in items if isinstance(item, Rows) and item.table == table for row in item.rows]


def ids(warehouse: DuckDBWarehouse) -> set[str]:
    return {row["issue_id"] for row in contents(warehouse, "linear.issues")}


def test_three_thousand_issues_of_one_millisecond_are_all_read(warehouse: DuckDBWarehouse) -> None:
    data = company(small_linear(3_100))
    with served(data, wait_for="listening", limits=False, faults=("linear:ties:3000",)) as running:
        newest = max(row["updated_at"] for row in rows(list(source(running).read("issues", MONTHS)), "issues"))
        moment = datetime.fromisoformat(newest)
        ingest(source(running), "issues", warehouse, Window(moment, moment + timedelta(milliseconds=1)))

    assert len(ids(warehouse)) == 3_000


def test_an_issue_that_is_updated_during_the_read_is_found_by_the_next_one(
    linear: Served, warehouse: DuckDBWarehouse
) -> None:
    end = START + timedelta(days=40)
    linear.app.faults.add("linear:complexity:600")
    read = source(linear).read("issues", Window(START, end))
    found = rows([next(read)], "issues")
    changed = small_linear()
    changed.issues[49] = make_issue(50, end + timedelta(hours=1))
    serve(linear, changed)
    found += rows(list(read), "issues")

    assert {row["issue_id"] for row in found} == {linear_id(2, n) for n in range(1, 121) if n != 50}
    later = list(source(linear).read("issues", Window(end, end + timedelta(days=1))))
    assert [row["issue_id"] for row in rows(later, "issues")] == [linear_id(2, 50)]


def test_archiving_is_seen_although_it_moves_no_update(linear: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(linear), "issues", warehouse)
    linear.app.faults.add("linear:archive")
    newest = START + timedelta(hours=120, days=2)
    ingest(source(linear), "issues", warehouse, Window(newest + timedelta(milliseconds=500), END), "next")

    [archived] = [row for row in contents(warehouse, "linear.issues") if row["archived_at"]]
    assert (archived["issue_id"], archived["updated_at"]) == (linear_id(2, 120), newest.replace(tzinfo=None))


def test_a_deleted_issue_is_gone_after_a_full_read(linear: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(linear), "issues", warehouse)
    linear.app.faults.add("linear:delete")
    ingest(source(linear), "issues", warehouse, run_id="next")

    assert linear_id(2, 120) not in ids(warehouse)
    children = contents(warehouse, "linear.issue_history") + contents(warehouse, "linear.issue_labels")
    assert not [row for row in children if row["issue_id"] == linear_id(2, 120)]


def test_a_read_of_the_present_lists_the_ids_of_all_issues(linear: Served) -> None:
    now = datetime.now(UTC)
    items = list(source(linear).read("issues", Window(now - timedelta(days=2, minutes=1), now)))

    if rows(items, "issues"):  # a Monday has begun within the minute: everything was read instead
        assert len(rows(items, "issues")) == 120
    else:
        present = [key for item in items if isinstance(item, PresentKeys) for key in item.keys]
        assert present == [(linear_id(2, number),) for number in range(120, 0, -1)]


def test_a_deleted_issue_is_gone_after_a_read_of_the_present(linear: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(linear), "issues", warehouse)
    linear.app.faults.add("linear:delete")
    now = datetime.now(UTC)
    ingest(source(linear), "issues", warehouse, Window(now - timedelta(days=2, minutes=1), now), "next")

    assert ids(warehouse) == {linear_id(2, number) for number in range(1, 120)}


def test_a_read_of_the_past_lists_no_ids(linear: Served) -> None:
    assert not [item for item in source(linear).read("issues", MONTHS) if isinstance(item, PresentKeys)]


def test_the_first_read_after_a_monday_reads_everything(linear: Served) -> None:
    now = datetime.now(UTC)
    items = list(source(linear).read("issues", Window(now - timedelta(days=9, minutes=1), now)))

    assert len(rows(items, "issues")) == 120


def test_an_archived_project_and_a_suspended_user_are_rows(linear: Served, warehouse: DuckDBWarehouse) -> None:
    for group in ("projects", "users"):
        ingest(source(linear), group, warehouse)

    archived = {row["project_id"] for row in contents(warehouse, "linear.projects") if row["archived_at"]}
    assert archived == {OLD_PROJECT}
    assert [row["active"] for row in contents(warehouse, "linear.users")] == [True, False]


def test_a_label_in_a_group_names_its_group(linear: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(linear), "labels", warehouse)

    named = {row["name"]: row["parent_name"] for row in contents(warehouse, "linear.labels")}
    assert named == {"Customer": None, "Company 1": "Customer", "Bug": None}


def test_only_moves_between_states_are_history(linear: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(linear), "issues", warehouse)

    moves = contents(warehouse, "linear.issue_history")
    assert len(moves) == 240
    assert all(row["to_state_id"] != row["from_state_id"] for row in moves)


@pytest.mark.parametrize("moves", [19, 20, 21, 250, 251, 600])
def test_no_move_of_a_long_history_is_lost(moves: int, warehouse: DuckDBWarehouse) -> None:
    data = small_linear(5)
    data.issues[1:3] = [make_issue(2, moves=moves), make_issue(3, moves=moves)]
    with served(company(data), wait_for="listening", limits=False) as running:
        ingest(source(running), "issues", warehouse)

    assert len(contents(warehouse, "linear.issue_history")) == 2 * moves + 6


def test_no_label_of_an_issue_with_many_is_lost(warehouse: DuckDBWarehouse) -> None:
    data = small_linear(3)
    extra = [type(data.labels[0])(linear_id(5, n), START, START, name=f"Label {n}") for n in range(300)]
    data.labels += extra
    data.issues[0].label_ids = [label.id for label in extra]
    with served(company(data), wait_for="listening", limits=False) as running:
        ingest(source(running), "issues", warehouse)

    assert len(contents(warehouse, "linear.issue_labels")) == 302


def test_a_label_that_was_taken_off_is_tombstoned(linear: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(linear), "issues", warehouse)
    changed = small_linear()
    changed.issues[2] = make_issue(3, START + timedelta(days=50))
    changed.issues[2].label_ids.pop()
    serve(linear, changed)
    ingest(source(linear), "issues", warehouse, Window(START + timedelta(days=49), END), "next")

    left = [
        row["label_name"] for row in contents(warehouse, "linear.issue_labels") if row["issue_id"] == linear_id(2, 3)
    ]
    assert left == ["Company 1"]


@pytest.mark.parametrize("status", [400, 200, 429])
def test_a_spent_limit_is_waited_for_whatever_its_status(
    status: int, linear: Served, warehouse: DuckDBWarehouse
) -> None:
    linear.app.faults.add("linear:rate_limit:0")
    if status != 400:
        linear.app.faults.add(f"linear:limited_as:{status}")

    assert ingest(source(linear, PATIENT), "issues", warehouse)[0].rows_read == 120


@pytest.mark.parametrize("status", [400, 200])
def test_a_limit_that_lasts_for_hours_says_until_when(status: int, linear: Served) -> None:
    linear.app.faults.add("linear:rate_limit:7200")
    linear.app.faults.add(f"linear:limited_as:{status}")

    with pytest.raises(QuotaExhausted, match="linear/users") as caught:
        list(source(linear).read("users", EVERYTHING))
    assert timedelta(minutes=118) < caught.value.not_before - datetime.now(UTC) < timedelta(minutes=122)


def test_half_an_answer_is_asked_for_again(linear: Served, warehouse: DuckDBWarehouse) -> None:
    linear.app.faults.add("linear:complexity:500")
    linear.app.faults.add("linear:partial:0.4")
    ingest(source(linear, PATIENT), "issues", warehouse)

    assert all(row["creator_id"] for row in contents(warehouse, "linear.issues"))


def test_half_an_answer_is_never_taken_for_a_whole_one(linear: Served) -> None:
    linear.app.faults.add("linear:partial:1")

    with pytest.raises(ConnectionFailed, match=r"linear/projects.*beside its data, the first at projects\.nodes\.1"):
        list(source(linear).read("projects", EVERYTHING))


def test_an_expired_cursor_begins_the_phase_again(linear: Served, warehouse: DuckDBWarehouse) -> None:
    linear.app.faults.add("linear:complexity:1000")
    linear.app.faults.add("linear:expired_cursor:2")
    ingest(source(linear), "issues", warehouse)

    assert len(ids(warehouse)) == 120


def test_a_query_that_is_too_complex_is_halved_and_stays_so(linear: Served, warehouse: DuckDBWarehouse) -> None:
    linear.app.faults.add("linear:complexity:250")
    reading = source(linear)
    first = ingest(reading, "issues", warehouse)[0].requests
    second = ingest(reading, "issues", warehouse, run_id="next")[0].requests

    assert len(ids(warehouse)) == 120
    assert first - second == 5  # 158 -> 79 -> 39 -> 19 -> 9 -> 4
    assert second == 30


def test_halving_goes_down_to_single_issues_and_no_further(linear: Served, warehouse: DuckDBWarehouse) -> None:
    linear.app.faults.add("linear:complexity:60")
    assert ingest(source(linear), "issues", warehouse)[0].rows_read == 120
    linear.app.faults.add("linear:complexity:50")

    with pytest.raises(ResponseInvalid, match="too complex"):
        list(source(linear).read("issues", EVERYTHING))


@pytest.mark.parametrize("group", ["issues", "teams"])
def test_a_read_goes_on_behind_every_checkpoint(group: str, linear: Served) -> None:
    linear.app.faults.add("linear:complexity:1500" if group == "issues" else "linear:complexity:12")
    whole = list(source(linear).read(group, MONTHS))
    places = [place for place, item in enumerate(whole) if isinstance(item, Checkpoint)]
    assert len(places) > 3
    for place in places:
        stopped = whole[place]
        assert isinstance(stopped, Checkpoint)
        position = json.loads(json.dumps(stopped.position))
        assert list(source(linear).read(group, MONTHS, position)) == whole[place + 1 :]


def test_a_position_whose_cursor_has_expired_begins_its_phase_again(linear: Served) -> None:
    linear.app.faults.add("linear:complexity:1500")
    checkpoints = [item for item in source(linear).read("issues", EVERYTHING) if isinstance(item, Checkpoint)]
    linear.app.faults.add("linear:expired_cursor:1")
    items = list(source(linear).read("issues", EVERYTHING, checkpoints[2].position))

    assert len(rows(items, "issues")) == 120


@pytest.mark.parametrize("position", [None, {}, [], "text", 7, {"phase": "other"}, {"phase": "all", "after": 3}])
def test_a_position_that_makes_no_sense_begins_at_the_beginning(position: Any, linear: Served) -> None:
    assert len(rows(list(source(linear).read("issues", EVERYTHING, position)), "issues")) == 120
