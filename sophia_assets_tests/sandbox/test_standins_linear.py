"""The Linear stand-in behaves as Linear's API does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sophia_assets.sandbox.standins.linear.limits import HourlyLimit
from sophia_assets_tests.sandbox.clients import control_client
from sophia_assets_tests.sandbox.linear_client import LinearClient
from sophia_assets_tests.sandbox.small_company import START, Served, served, small_company
from sophia_assets_tests.sandbox.small_linear import TEAM, USER, linear_id, make_issue, small_linear

PAGE = """query ($first: Int, $after: String, $filter: IssueFilter, $by: PaginationOrderBy) {
  issues(first: $first, after: $after, filter: $filter, orderBy: $by, includeArchived: true) {
    nodes { id updatedAt } pageInfo { hasNextPage endCursor } } }"""


def only_linear(**data: Any) -> Any:
    """The small company without any other system."""
    others = dict.fromkeys(("hubspot", "gong", "snowflake", "slack", "pinecone", "redis"))
    return small_company(**others | {"linear": small_linear(**data)})


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with served(only_linear(), limits=False) as started:
        yield started


@pytest.fixture
def linear(running: Served) -> Iterator[LinearClient]:
    yield LinearClient(running.env)
    running.app.faults.clear()
    running.app.standins["linear"].load(running.app.company)


def walk(linear: LinearClient, **variables: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    while True:
        page = linear.data(PAGE, **variables)["issues"]
        found += [issue["id"] for issue in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        variables["after"] = page["pageInfo"]["endCursor"]


def test_issues_are_paged_newest_first_until_there_is_no_next_page(linear: LinearClient) -> None:
    assert walk(linear, first=50) == [linear_id(2, number) for number in range(120, 0, -1)]


def test_a_page_holds_fifty_where_nothing_is_asked(linear: LinearClient) -> None:
    assert len(linear.data("{ issues { nodes { id } } }")["issues"]["nodes"]) == 50


def test_more_than_250_at_once_is_a_200_without_data(linear: LinearClient) -> None:
    answer = linear.ask("{ issues(first: 251) { nodes { id } } }")
    body = answer.json()
    assert (answer.status_code, body["data"]) == (200, None)
    assert body["errors"][0]["path"] == ["issues"]
    assert body["errors"][0]["extensions"]["validationErrors"][0]["constraints"] == {
        "max": "first must not be greater than 250"
    }
    assert "X-RateLimit-Requests-Remaining" in answer.headers


def test_a_filter_is_half_open_as_it_is_written(linear: LinearClient) -> None:
    third, fifth = (START + timedelta(hours=number, days=2) for number in (3, 5))
    wanted = {"updatedAt": {"gte": third.isoformat(), "lt": fifth.isoformat()}}
    assert walk(linear, filter=wanted) == [linear_id(2, 4), linear_id(2, 3)]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"id": {"eq": linear_id(2, 7)}}, [7]),
        ({"id": {"in": [linear_id(2, 7), linear_id(2, 9)]}}, [9, 7]),
        ({"id": {"in": [linear_id(2, 7)]}, "team": {"id": {"eq": TEAM}}}, [7]),
        ({"id": {"in": [linear_id(2, 7)]}, "team": {"id": {"eq": "other"}}}, []),
        ({"or": [{"id": {"eq": linear_id(2, 1)}}, {"id": {"eq": linear_id(2, 2)}}]}, [2, 1]),
        ({"archivedAt": {"null": False}}, []),
    ],
)
def test_filters_combine(linear: LinearClient, wanted: dict[str, Any], numbers: list[int]) -> None:
    assert walk(linear, filter=wanted) == [linear_id(2, number) for number in numbers]


def test_archived_and_disabled_objects_are_listed_only_on_request(linear: LinearClient) -> None:
    counts = {
        arguments: len(linear.data(f"{{ {arguments} {{ nodes {{ id }} }} }}")[arguments.partition("(")[0]]["nodes"])
        for arguments in ("projects", "projects(includeArchived: true)", "users", "users(includeDisabled: true)")
    }
    assert list(counts.values()) == [1, 2, 1, 2]


def test_ties_are_ordered_in_the_same_way_on_every_page(running: Served, linear: LinearClient) -> None:
    running.app.faults.add("linear:ties:100")
    pages = [walk(linear, first=size, by="updatedAt") for size in (7, 120)]
    assert pages[0] == pages[1]
    assert len(set(pages[0])) == 120
    moments = linear.data(PAGE, first=100, by="updatedAt")["issues"]["nodes"]
    assert len({issue["updatedAt"] for issue in moments}) == 1


def test_a_page_goes_on_where_it_was_although_its_last_issue_left_the_filter(
    running: Served, linear: LinearClient
) -> None:
    before = {"updatedAt": {"lt": (START + timedelta(days=30)).isoformat()}}
    page = linear.data(PAGE, first=10, filter=before)["issues"]
    changed = small_linear()
    changed.issues[110] = make_issue(111, START + timedelta(days=60))
    running.app.standins["linear"].load(small_company(linear=changed))
    rest = walk(linear, first=50, filter=before, after=page["pageInfo"]["endCursor"])
    assert rest == [linear_id(2, number) for number in range(110, 0, -1)]


def test_an_unknown_cursor_and_an_expired_one_are_refused(running: Served, linear: LinearClient) -> None:
    assert linear.refusal(PAGE, after="rubbish")[:2] == (200, "INVALID_INPUT")
    running.app.faults.add("linear:expired_cursor:1")
    cursor = linear.data(PAGE, first=1)["issues"]["pageInfo"]["endCursor"]
    assert linear.refusal(PAGE, after=cursor)[:2] == (200, "INVALID_INPUT")
    assert linear.ask(PAGE, after=cursor).json()["data"]["issues"]["nodes"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{ issueLabels(sort: 1) { nodes { id } } }", 'Unknown argument "sort" on field "Query.issueLabels".'),
        ("{ issues { nodes { id colour } } }", 'Cannot query field "colour" on type "Issue".'),
        ("{ issues(filter: {titel: 1}) { nodes { id } } }", 'Field "titel" is not defined by type "IssueFilter".'),
    ],
)
def test_what_the_schema_does_not_know_is_a_400_without_limits(linear: LinearClient, query: str, told: str) -> None:
    answer = linear.ask(query)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["extensions"]["code"]) == (400, "GRAPHQL_VALIDATION_FAILED")
    assert error["message"].startswith(told)
    assert not [name for name in answer.headers if name.lower().startswith("x-ratelimit")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{ issues {"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": ""}, "BAD_REQUEST"),
        ({"query": PAGE, "variables": []}, "BAD_REQUEST"),
        ({"query": PAGE, "variables": {"first": "ten"}}, "BAD_USER_INPUT"),
        ({"query": PAGE, "variables": {"filter": {"updatedAt": {"gte": "soon"}}}}, "BAD_USER_INPUT"),
        ({"query": "query A { viewer { id } }", "operationName": "B"}, "OPERATION_RESOLUTION_FAILURE"),
    ],
)
def test_a_malformed_request_is_refused(linear: LinearClient, body: dict[str, Any], code: str) -> None:
    answer = linear.post("", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, code)


def test_a_query_beyond_ten_thousand_points_is_too_complex(linear: LinearClient) -> None:
    deep = "{ issues(first: 250) { nodes { id history(first: 250) { nodes { id } } } } }"
    answer = linear.ask(deep)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["message"], error["extensions"]["code"]) == (
        400, "Query too complex", "INPUT_ERROR",
    )  # fmt: skip
    # 250 issues, each of 1 + 0.1 and a connection of 1 + 250 x 1.1; the outer connection is 1.
    assert answer.headers["X-Complexity"] == str(1 + 250 * 277 + 25)
    assert answer.headers["X-Complexity"] in error["extensions"]["userPresentableMessage"]


def test_every_answer_tells_what_it_cost_and_what_is_left() -> None:
    with served(only_linear()) as strict:
        linear = LinearClient(strict.env)
        first, second = (linear.ask("{ issues(first: 10) { nodes { id } } }") for _ in range(2))
    assert first.headers["X-Complexity"] == "12"
    assert first.headers["X-RateLimit-Requests-Limit"] == "2500"
    assert second.headers["X-RateLimit-Requests-Remaining"] == "2498"
    assert second.headers["X-RateLimit-Complexity-Remaining"] == str(3_000_000 - 24)
    assert int(second.headers["X-RateLimit-Requests-Reset"]) > time.time() * 1000


def test_an_hourly_limit_is_whole_again_after_the_hour() -> None:
    present = [0.0]
    limit = HourlyLimit("requests", 3, clock=lambda: present[0])
    limit.take(3)
    assert not limit.allows(1)
    present[0] = 3600.0
    assert limit.allows(3)


@pytest.mark.parametrize("status", [400, 200, 429])
def test_a_spent_limit_is_told_by_its_code_whatever_the_status(
    running: Served, linear: LinearClient, status: int
) -> None:
    running.app.faults.add("linear:rate_limit:60")
    if status != 400:
        running.app.faults.add(f"linear:limited_as:{status}")
    before = running.app.standins["linear"].counters.throttled
    assert linear.refusal("{ viewer { id } }")[:2] == (status, "RATELIMITED")
    assert running.app.standins["linear"].counters.throttled == before + 1
    reset = float(linear.ask("{ viewer { id } }").headers["X-RateLimit-Requests-Reset"]) / 1000
    assert 55 < reset - time.time() < 65


def test_a_wrong_key_and_a_bearer_key_are_refused(running: Served, linear: LinearClient) -> None:
    for credential in ("wrong", f"Bearer {running.env['LINEAR_API_KEY']}"):
        answer = linear.post("", json={"query": "{ viewer { id } }"}, headers={"Authorization": credential})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "AUTHENTICATION_ERROR")


def test_an_answer_can_lack_values_and_say_so_beside_its_data(running: Served, linear: LinearClient) -> None:
    query = "{ issues(first: 3) { nodes { id creator { id } } } }"
    assert linear.data(query)["issues"]["nodes"][2]["creator"] == {"id": USER}
    running.app.faults.add("linear:partial:1")
    body = linear.ask(query).json()
    assert body["data"]["issues"]["nodes"][2]["creator"] is None
    assert body["errors"][0]["path"] == ["issues", "nodes", 2, "creator"]


def test_archiving_the_newest_issue_does_not_move_its_update(running: Served, linear: LinearClient) -> None:
    query = "{ issues(first: 1, includeArchived: true, orderBy: updatedAt) { nodes { id updatedAt archivedAt } } }"
    [before] = linear.data(query)["issues"]["nodes"]
    running.app.faults.add("linear:archive")
    [after] = linear.data(query)["issues"]["nodes"]
    assert (before["archivedAt"], after["updatedAt"]) == (None, before["updatedAt"])
    assert after["archivedAt"] > after["updatedAt"]
    assert before["id"] not in str(linear.data("{ issues(first: 250) { nodes { id } } }"))


def test_a_deleted_issue_is_nowhere(running: Served, linear: LinearClient) -> None:
    running.app.faults.add("linear:delete")
    assert linear_id(2, 120) not in walk(linear, first=250)


def test_history_is_paged_within_its_issue_and_has_entries_without_a_move(linear: LinearClient) -> None:
    query = """query ($id: ID!, $after: String) { issues(filter: {id: {eq: $id}}) { nodes {
      history(first: 2, after: $after) { nodes { id toStateId } pageInfo { hasNextPage endCursor } } } } }"""
    [issue] = linear.data(query, id=linear_id(2, 1))["issues"]["nodes"]
    assert issue["history"]["pageInfo"]["hasNextPage"] is True
    [rest] = linear.data(query, id=linear_id(2, 1), after=issue["history"]["pageInfo"]["endCursor"])["issues"]["nodes"]
    entries = issue["history"]["nodes"] + rest["history"]["nodes"]
    assert len({entry["id"] for entry in entries}) == 3
    assert [entry["toStateId"] for entry in entries].count(None) == 1


def test_aliases_fragments_and_directives_are_understood(linear: LinearClient) -> None:
    query = """query ($with: Boolean!) {
      mine: issues(first: 1) { __typename edges { cursor node { ...Named } } }
      organization { name urlKey @include(if: $with) } }
      fragment Named on Issue { key: identifier team { __typename key } }"""
    data = linear.data(query, **{"with": False})
    assert data == {
        "mine": {
            "__typename": "IssueConnection",
            "edges": [
                {"cursor": linear_id(2, 120), "node": {"key": "ENG-120", "team": {"__typename": "Team", "key": "ENG"}}}
            ],
        },
        "organization": {"name": "Small Company"},
    }


def test_the_schema_can_be_asked_for(linear: LinearClient) -> None:
    fields = linear.data('{ __type(name: "Team") { fields { name } } }')["__type"]["fields"]
    assert "key" in [field["name"] for field in fields]


def test_odd_pages_hold_every_issue_in_the_end(running: Served, linear: LinearClient) -> None:
    for seed in range(1, 8):
        running.app.faults.add(f"linear:pages:{seed}")
        assert set(walk(linear, first=20)) == {linear_id(2, number) for number in range(1, 121)}


def test_empty_answers_hold_no_nodes(running: Served, linear: LinearClient) -> None:
    running.app.faults.add("linear:empty")
    assert linear.data("{ teams { nodes { id } pageInfo { hasNextPage endCursor } } }") == {
        "teams": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    }


def test_the_controls_know_linears_own_faults(running: Served, linear: LinearClient) -> None:
    control = control_client({"HUBSPOT_BASE_URL": linear.base.removesuffix("/linear/graphql") + "/hubspot"})
    assert control.post("/_control/faults", json={"fault": "linear:partial:0.5"}).status_code == 200
