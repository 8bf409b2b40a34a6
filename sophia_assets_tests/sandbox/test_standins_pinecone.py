"""The Pinecone stand-in behaves as Pinecone's API does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sophia_assets.sandbox.company_data import PineconeData, PineconeRecord
from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_pinecone import DIMENSION, make_vector, pinecone_client, small_pinecone

ONLY_PINECONE: dict[str, Any] = {"hubspot": None, "gong": None, "snowflake": None}


@pytest.fixture(scope="module")
def _served() -> Iterator[Served]:
    with served(small_company(**ONLY_PINECONE, pinecone=small_pinecone()), limits=False) as running:
        yield running


@pytest.fixture
def running(_served: Served) -> Iterator[Served]:
    yield _served
    _served.app.faults.clear()


@pytest.fixture
def index(running: Served) -> Client:
    return pinecone_client(running.env)


@pytest.fixture
def control(running: Served) -> Client:
    return pinecone_client(running.env, control=True)


def listed(index: Client, **params: Any) -> list[str]:
    """All ids of a namespace, page by page."""
    found: list[str] = []
    while True:
        answer = index.get("/vectors/list", params=params).json()
        found += [item["id"] for item in answer["vectors"]]
        if "pagination" not in answer:
            return found
        params["paginationToken"] = answer["pagination"]["next"]


def best(index: Client, **body: Any) -> list[str]:
    """The ids that a query finds."""
    answer = index.post("/query", json={"topK": 5, "namespace": "small"} | body)
    return [match["id"] for match in answer.json()["matches"]]


def test_ids_are_listed_in_order_a_hundred_at_a_time(index: Client) -> None:
    first = index.get("/vectors/list", params={"namespace": "handbook"}).json()
    assert len(first["vectors"]) == 100
    assert listed(index, namespace="handbook") == [make_vector(number).id for number in range(250)]


def test_a_prefix_and_the_namespace_without_a_name_can_be_listed(index: Client) -> None:
    assert listed(index, namespace="handbook", prefix="doc0001") == [make_vector(number).id for number in (3, 4, 5)]
    assert listed(index) == listed(index, namespace="__default__") == ["bare", "doc3000#09001", "doc3000#09002"]


def test_a_namespace_that_is_not_there_holds_nothing(index: Client) -> None:
    answer = index.get("/vectors/list", params={"namespace": "nowhere"})
    assert (answer.status_code, answer.json()["vectors"]) == (200, [])


def test_a_token_is_of_no_use_to_another_request(index: Client) -> None:
    token = index.get("/vectors/list", params={"namespace": "handbook"}).json()["pagination"]["next"]
    other = index.get("/vectors/list", params={"namespace": "__default__", "paginationToken": token})
    assert (other.status_code, other.json()["code"]) == (400, 3)
    assert index.get("/vectors/list", params={"paginationToken": "rubbish"}).status_code == 400


def test_a_fetch_leaves_out_what_is_gone_and_gives_numbers_back_as_doubles(index: Client) -> None:
    wanted = make_vector(4)
    answer = index.get("/vectors/fetch", params={"namespace": "handbook", "ids": [wanted.id, "gone"]}).json()
    assert list(answer["vectors"]) == [wanted.id]
    assert answer["vectors"][wanted.id]["values"] == wanted.values
    assert answer["vectors"][wanted.id]["metadata"]["chunk"] == 1.0


def test_vectors_are_fetched_by_what_their_metadata_says(index: Client) -> None:
    body = {"namespace": "handbook", "filter": {"account_id": {"$eq": "101"}}, "limit": 50}
    first = index.post("/vectors/fetch_by_metadata", json=body).json()
    second = index.post("/vectors/fetch_by_metadata", json=body | {"paginationToken": first["pagination"]["next"]})
    found = [*first["vectors"], *second.json()["vectors"]]
    assert found == [make_vector(number).id for number in range(250) if number % 3 == 1]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"kind": "note"}, [0, 2, 4]),
        ({"kind": {"$ne": "note"}}, [1, 3, 5]),
        ({"chunk": {"$gt": 1}}, [2, 5]),
        ({"chunk": {"$gte": 1, "$lt": 2}}, [1, 4]),
        ({"chunk": {"$lte": 0}}, [0, 3]),
        ({"tags": {"$in": ["tag1", "tag3"]}}, [1, 3, 5]),
        ({"tags": {"$nin": ["tag1", "tag3"]}}, [0, 2, 4]),
        ({"account_id": {"$exists": False}}, [0, 3]),
        ({"$or": [{"account_id": "101"}, {"$and": [{"kind": "note"}, {"chunk": 0}]}]}, [0, 1, 4]),
    ],
)
def test_filters_select_by_metadata(wanted: dict[str, Any], numbers: list[int]) -> None:
    data = PineconeData("i", DIMENSION, "cosine", {"small": [make_vector(number) for number in range(6)]})
    with served(small_company(**ONLY_PINECONE, pinecone=data)) as running:
        body = {"namespace": "small", "filter": wanted}
        found = pinecone_client(running.env).post("/vectors/fetch_by_metadata", json=body).json()
    assert list(found["vectors"]) == [make_vector(number).id for number in numbers]


@pytest.mark.parametrize(
    ("metric", "order", "score"), [("cosine", "abc", 1.0), ("dotproduct", "bac", 10.0), ("euclidean", "acb", 0.0)]
)
def test_queries_rank_by_the_metric(metric: str, order: str, score: float) -> None:
    vectors = {"a": [1.0, 0.0], "b": [10.0, 5.0], "c": [0.0, 1.0]}
    data = PineconeData("i", 2, metric, {"small": [PineconeRecord(name, at) for name, at in vectors.items()]})
    with served(small_company(**ONLY_PINECONE, pinecone=data)) as running:
        index = pinecone_client(running.env)
        matches = index.post("/query", json={"namespace": "small", "topK": 3, "vector": [1, 0]}).json()["matches"]
        assert best(index, id="c", topK=1) == (["b"] if metric == "dotproduct" else ["c"])
    assert "".join(match["id"] for match in matches) == order
    assert matches[0]["score"] == pytest.approx(score)
    assert set(matches[0]) == {"id", "score"}


def test_a_query_gives_values_and_metadata_only_where_they_are_asked_for(index: Client) -> None:
    body = {"namespace": "handbook", "topK": 1, "id": make_vector(4).id, "filter": {"chunk": 1}}
    asked = index.post("/query", json=body | {"includeValues": True, "includeMetadata": True}).json()["matches"][0]
    assert set(asked) == {"id", "score", "values", "metadata"}
    assert asked["metadata"]["chunk"] == 1.0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/query", {"topK": 10_001, "vector": [0.0] * DIMENSION}),
        ("/query", {"topK": 1, "vector": [0.0] * (DIMENSION - 1)}),
        ("/query", {"topK": 1}),
        ("/query", {"topK": 1, "id": "x", "includeValues": "yes"}),
        ("/query", {"topK": 1, "id": "x", "filter": {"kind": {"$like": "a"}}}),
        ("/vectors/fetch_by_metadata", {"namespace": "handbook"}),
        ("/describe_index_stats", {"filter": {"kind": "note"}}),
    ],
)
def test_a_malformed_request_is_refused(index: Client, path: str, body: dict[str, Any]) -> None:
    answer = index.post(path, json=body)
    assert (answer.status_code, set(answer.json())) == (400, {"code", "message", "details"})


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}])
def test_a_page_has_from_1_to_100_ids(index: Client, params: dict[str, Any]) -> None:
    assert index.get("/vectors/list", params=params).status_code == 400


def test_a_url_that_is_too_long_is_refused(index: Client) -> None:
    ids = [f"{number:0500d}" for number in range(20)]
    assert index.get("/vectors/fetch", params={"ids": ids}).status_code == 414


def test_the_version_of_the_api_must_be_given_and_known(index: Client) -> None:
    assert index.get("/namespaces", headers={"X-Pinecone-Api-Version": "1999-01"}).status_code == 400
    assert index.get("/namespaces", headers={"X-Pinecone-Api-Version": None}).status_code == 400


def test_a_wrong_key_is_plain_text_on_the_data_plane_and_json_on_the_control_plane(
    index: Client, control: Client
) -> None:
    wrong = {"Api-Key": "wrong"}
    refused = index.get("/namespaces", headers=wrong)
    assert (refused.status_code, refused.text) == (401, "Unauthorized")
    assert control.get("/indexes", headers=wrong).json()["error"]["code"] == "UNAUTHENTICATED"


def test_the_control_plane_names_the_indexs_host(running: Served, control: Client) -> None:
    described = control.get("/indexes/knowledge").json()
    assert described["host"] == running.env["PINECONE_INDEX_HOST"]
    assert control.get("/indexes").json()["indexes"] == [described]
    missing = control.get("/indexes/other")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_counts_can_lag(running: Served, index: Client) -> None:
    running.app.faults.add("pinecone:stale_counts:50")
    stats = index.post("/describe_index_stats", json={}).json()
    assert stats["namespaces"]["handbook"]["vectorCount"] == 200
    assert len(listed(index, namespace="handbook")) == 250


def test_the_hundred_and_first_fetch_within_a_second_must_wait() -> None:
    with served(small_company(**ONLY_PINECONE, pinecone=small_pinecone(3))) as running:
        index = pinecone_client(running.env)
        while (answer := index.get("/vectors/fetch", params={"ids": "bare"})).status_code == 200:
            continue
    assert (answer.status_code, answer.json()["code"]) == (429, 8)
    assert "fetch" in answer.json()["message"]
