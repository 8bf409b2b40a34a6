"""Pinecone as it really is: ids without times, counts that lag, records that vanish, tokens that expire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from sophia_assets.errors import AuthenticationFailed, ConfigurationError, QuotaExhausted, ResponseInvalid
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.company_data import PineconeData
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Checkpoint, CompleteSet, ReadItem, Rows
from sophia_assets.sources.pinecone.client import PineconeSource
from sophia_assets.sources.pinecone.rows import document_row
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_pinecone import make_vector, small_pinecone
from sophia_assets_tests.sources.complete_company import EVERYTHING, contents, ingest, source_for


def only(data: PineconeData) -> Any:
    """A sandbox with this index and nothing else."""
    return served(small_company(hubspot=None, gong=None, snowflake=None, pinecone=data), limits=False)


def source(running: Served, **env: str) -> PineconeSource:
    made = source_for("pinecone", {**running.env, **env})
    assert isinstance(made, PineconeSource)
    return made


def rows(items: list[ReadItem]) -> list[dict[str, Any]]:
    return [dict(row) for item in items if isinstance(item, Rows) for row in item.rows]


def ids(items: list[ReadItem]) -> list[tuple[str, str]]:
    return [(row["namespace"], row["document_id"]) for row in rows(items)]


ALL = [("handbook", make_vector(number).id) for number in range(250)]
UNNAMED = [("__default__", "bare"), ("__default__", "doc3000#09001"), ("__default__", "doc3000#09002")]


@pytest.fixture(scope="module")
def _served() -> Iterator[Served]:
    with only(small_pinecone()) as running:
        yield running


@pytest.fixture
def running(_served: Served) -> Iterator[Served]:
    yield _served
    _served.app.faults.clear()
    _served.app.standins["pinecone"].load(_served.app.company)


def test_every_vector_of_every_namespace_is_read_with_its_metadata(running: Served) -> None:
    found = list(source(running).read("documents", EVERYTHING))

    assert ids(found) == UNNAMED + ALL
    assert isinstance(found[-1], CompleteSet)
    assert rows(found)[0]["metadata"] == {}


def test_metadata_becomes_columns_whatever_type_it_was_stored_as(warehouse: DuckDBWarehouse) -> None:
    odd = make_vector(1, account_id=101, updated_at=1767345600000, author=["Una", "Ida"])
    with only(PineconeData("i", 4, "cosine", {"n": [odd]})) as running:
        ingest(source(running), "documents", warehouse)

    [row] = contents(warehouse, "pinecone.documents")
    assert (row["account_id"], row["author"], row["chunk"]) == ("101", "Una, Ida", 1)
    assert str(row["updated_at"]) == "2026-01-02 09:20:00"


def test_a_vector_that_vanishes_between_list_and_fetch_is_simply_absent(running: Served) -> None:
    running.app.faults.add("pinecone:vanish:7")

    assert len(ids(list(source(running).read("documents", EVERYTHING)))) == 253 - 7


def test_a_vector_that_is_gone_is_taken_out_of_the_table(running: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(running), "documents", warehouse, run_id="before")
    data = small_pinecone(240)
    running.app.standins["pinecone"].load(small_company(pinecone=data))
    [result] = ingest(source(running), "documents", warehouse, run_id="after")

    assert (result.deleted, result.updated, result.inserted) == (10, 0, 0)


def test_a_change_of_metadata_is_found_without_any_time(running: Served, warehouse: DuckDBWarehouse) -> None:
    ingest(source(running), "documents", warehouse, run_id="before")
    data = small_pinecone()
    data.namespaces["handbook"][7].metadata["reviewed_by"] = "Ida"
    running.app.standins["pinecone"].load(small_company(pinecone=data))
    [result] = ingest(source(running), "documents", warehouse, run_id="after")

    assert (result.deleted, result.updated, result.inserted) == (0, 1, 0)


def test_counts_that_lag_are_no_error(running: Served) -> None:
    running.app.faults.add("pinecone:stale_counts:50")

    found = rows(list(source(running).read("index", EVERYTHING)))
    assert {row["namespace"]: row["vectors"] for row in found if "namespace" in row} == {
        "__default__": 0, "handbook": 200,
    }  # fmt: skip


def test_a_read_goes_on_behind_any_checkpoint(running: Served) -> None:
    whole = list(source(running).read("documents", EVERYTHING))
    for place, item in enumerate(whole):
        if isinstance(item, Checkpoint):
            rest = list(source(running).read("documents", EVERYTHING, resume=item.position))
            assert set(ids(whole[:place])) | set(ids(rest)) == set(UNNAMED + ALL)
            assert not set(ids(whole[:place])) & set(ids(rest))


def test_an_expired_token_has_the_namespace_read_again(running: Served) -> None:
    running.app.faults.add("pinecone:expired_cursor:1")

    assert set(ids(list(source(running).read("documents", EVERYTHING)))) == set(UNNAMED + ALL)


def test_an_expired_token_of_a_checkpoint_has_the_namespace_read_again(running: Served) -> None:
    stale = {"namespace": "handbook", "token": "forgotten"}

    assert set(ids(list(source(running).read("documents", EVERYTHING, resume=stale)))) == set(ALL)


def test_tokens_that_always_expire_end_the_read(running: Served) -> None:
    running.app.faults.add("pinecone:expired_cursor:1000")

    with pytest.raises(ResponseInvalid, match="oken"):
        list(source(running).read("documents", EVERYTHING))


def test_short_empty_and_repeated_pages_give_the_same_vectors(running: Served) -> None:
    running.app.faults.add("pinecone:pages:3")

    assert set(ids(list(source(running).read("documents", EVERYTHING)))) == set(UNNAMED + ALL)


def test_ids_may_hold_any_character() -> None:
    names = ["a/b?c=d&e#f", "ü", "日本語", "50%", "a b", "+", "x" * 512]
    vectors = [make_vector(number) for number in range(len(names))]
    for vector, name in zip(vectors, names, strict=True):
        vector.id = name
    with only(PineconeData("i", 4, "cosine", {"sp/ä ce": vectors})) as running:
        found = ids(list(source(running).read("documents", EVERYTHING)))

    assert sorted(found) == sorted(("sp/ä ce", name) for name in names)


def test_long_ids_are_fetched_in_requests_whose_urls_are_not_refused() -> None:
    vectors = [make_vector(number) for number in range(100)]
    for number, vector in enumerate(vectors):
        vector.id = f"{number:03d}{'ü' * 500}"
    with only(PineconeData("i", 4, "cosine", {"n": vectors})) as running:
        assert len(ids(list(source(running).read("documents", EVERYTHING)))) == 100


def test_the_index_can_be_named_instead_of_its_host(running: Served) -> None:
    named = source(running, PINECONE_INDEX_HOST="", PINECONE_INDEX_NAME="knowledge")

    assert running.env["PINECONE_INDEX_HOST"] in named.ping()


def test_an_index_that_the_control_plane_does_not_know_is_refused_by_name(running: Served) -> None:
    with pytest.raises(ResponseInvalid, match="Index other not found"):
        source(running, PINECONE_INDEX_HOST="", PINECONE_INDEX_NAME="other").ping()


def test_without_a_host_or_a_name_the_settings_are_named(running: Served) -> None:
    with pytest.raises(ConfigurationError, match="PINECONE_INDEX_HOST"):
        source(running, PINECONE_INDEX_HOST="", PINECONE_INDEX_NAME="").ping()


def test_the_index_is_found_by_its_host_where_it_is_not_named(running: Served) -> None:
    [*_, index] = rows(list(source(running, PINECONE_INDEX_NAME="").read("index", EVERYTHING)))

    assert (index["index_name"], index["status"], index["metric"], index["dimension"]) == (
        "knowledge", "Ready", "cosine", 4,
    )  # fmt: skip


def test_a_wrong_key_names_its_setting(running: Served) -> None:
    with pytest.raises(AuthenticationFailed, match="PINECONE_API_KEY"):
        source(running, PINECONE_API_KEY="wrong").ping()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, {"error": {"code": "PAYMENT_REQUIRED", "message": "Pay."}, "status": 402}),
        (403, {"error": {"code": "QUOTA_EXCEEDED", "message": "Too much."}, "status": 403}),
        (429, {"code": 8, "message": "You've reached your read unit limit for the current month", "details": []}),
    ],
)
def test_a_spent_quota_is_not_waited_for(status: int, body: dict[str, Any], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/describe_index_stats").respond_with_json(body, status)
    env = {"PINECONE_API_KEY": "key", "PINECONE_INDEX_HOST": httpserver.url_for("")}
    spent = registry.create_source_from_settings("pinecone", env, limiters=Limiters())

    with pytest.raises(QuotaExhausted):
        spent.ping()
    assert spent.requests_made == 1


def test_a_long_limit_says_when_to_come_back(running: Served) -> None:
    running.app.faults.add("pinecone:rate_limit:7200")

    with pytest.raises(QuotaExhausted):
        registry.create_source_from_settings("pinecone", running.env, limiters=Limiters()).ping()


def test_cut_connections_are_survived(running: Served) -> None:
    running.app.faults.add("pinecone:cut:0.1")
    running.app.faults.add("pinecone:torn:0.1")

    patient = source_for("pinecone", running.env, retry=RetryPolicy(attempts=12, first_delay=0.001, longest_delay=0.01))
    assert set(ids(list(patient.read("documents", EVERYTHING)))) == set(UNNAMED + ALL)


def test_a_query_finds_the_likest_vectors_that_pass_its_filter(running: Served) -> None:
    wanted = make_vector(4)
    [first, second] = source(running).query(
        wanted.values, top_k=2, namespace="handbook", filter={"kind": {"$eq": "note"}}
    )

    assert (first.id, first.metadata["title"]) == (wanted.id, "Document 1")
    assert first.score == pytest.approx(1.0) and second.score < first.score
    assert source(running).query(wanted.values, top_k=3, namespace="nowhere") == []


@pytest.mark.parametrize("top_k", [0, 10_001])
def test_a_query_for_too_many_or_none_is_not_sent(running: Served, top_k: int) -> None:
    asked = source(running)
    with pytest.raises(ValueError, match="top_k"):
        asked.query([0.0] * 4, top_k=top_k)
    assert asked.requests_made == 0


def test_a_row_keeps_a_time_that_makes_no_sense_for_the_loader_to_set_aside() -> None:
    row = document_row("n", "i", {"metadata": {"created_at": 1e300, "updated_at": "soon"}})
    assert (row["created_at"], row["updated_at"]) == (1e300, "soon")
