"""Pinecone's search by text: what is found, what is refused, and what a strange answer becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from sophia_assets.errors import ResponseInvalid
from sophia_assets.sources.pinecone.client import PineconeSource
from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_pinecone import (
    embedding_pinecone,
    make_vector,
    pinecone_client,
    small_pinecone,
)
from sophia_assets_tests.sources.complete_company import source_for

SEARCH = "/records/namespaces/handbook/search"
THREE_WORDS = "three words here"


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    company = small_company(hubspot=None, gong=None, snowflake=None, pinecone=embedding_pinecone())
    with served(company, limits=False) as started:
        yield started


@pytest.fixture
def index(running: Served) -> Client:
    return pinecone_client(running.env)


def _source(env: dict[str, str]) -> PineconeSource:
    source = source_for("pinecone", env)
    assert isinstance(source, PineconeSource)
    return source


def test_the_likest_text_is_found_first_with_the_fields_that_were_asked_for(running: Served) -> None:
    found = _source(running.env).search(THREE_WORDS, top_k=3, namespace="handbook", fields=["title", "chunk"])
    assert len(found) == 3
    assert found[0].id == make_vector(3).id
    assert found[0].score == pytest.approx(1.0)
    assert found[0].fields == {"title": "Document 1", "chunk": 0.0}
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_only_records_that_pass_the_filter_are_found(running: Served) -> None:
    wanted = {"account_id": {"$in": ["101", 101]}}
    found = _source(running.env).search(
        THREE_WORDS, top_k=100, namespace="handbook", filter=wanted, fields=["account_id"]
    )
    assert {hit.fields["account_id"] for hit in found} == {"101"}
    assert len(found) == 10


def test_a_namespace_that_is_not_there_holds_nothing(running: Served) -> None:
    assert _source(running.env).search("two", top_k=3, namespace="no/where ä", fields=[]) == []


def test_an_index_says_whether_it_embeds_texts_itself(running: Served) -> None:
    assert _source(running.env).text_field() == "text"
    company = small_company(hubspot=None, gong=None, snowflake=None, pinecone=small_pinecone(3))
    with served(company, limits=False) as plain:
        assert _source(plain.env).text_field() is None
        with pytest.raises(ResponseInvalid, match="not configured"):
            _source(plain.env).search("two", top_k=3, fields=[])


@pytest.mark.parametrize("top_k", [0, 10_001])
def test_how_many_are_asked_for_is_checked_before_asking(running: Served, top_k: int) -> None:
    with pytest.raises(ValueError, match="top_k"):
        _source(running.env).search("two", top_k=top_k, fields=[])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": {"top_k": True, "id": "bare"}}, "top_k"),
        ({"query": {"top_k": 10_001, "id": "bare"}}, "top_k"),
        ({"query": {"top_k": 1, "inputs": {"text": " "}}}, "not empty"),
        ({"query": {"top_k": 1, "inputs": "two"}}, "not empty"),
        ({"query": {"top_k": 1, "inputs": {"text": "a"}, "id": "bare"}}, "exactly one"),
        ({"query": {"top_k": 1, "vector": {"values": [1, 2]}}}, "does not match the dimension"),
        ({"query": {"top_k": 1, "vector": {}}}, "list of numbers"),
        ({"query": {"top_k": 1, "id": ""}}, "1 to 512"),
        ({"query": {"top_k": 1, "id": "bare", "filter": {"$near": 1}}}, "operator"),
        ({"query": {"top_k": 1, "id": "bare"}, "fields": "text"}, "fields"),
        ({"query": {"top_k": 1, "id": "bare", "topK": 2}}, "topK"),
        ({"query": {"top_k": 1, "id": "bare", "match_terms": {"terms": ["a"]}}}, "sparse"),
        ({"query": [], "fields": []}, "query must be an object"),
    ],
)
def test_the_stand_in_refuses_what_pinecone_refuses(index: Client, body: dict[str, Any], message: str) -> None:
    answer = index.post(SEARCH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    "answer", [{}, {"result": None}, {"result": []}, []], ids=["empty", "no result", "a list for a result", "a list"]
)
def test_an_answer_of_another_shape_is_an_error_that_says_so(httpserver: HTTPServer, answer: Any) -> None:
    httpserver.expect_request("/records/namespaces/__default__/search").respond_with_json(answer)
    source = _source({"PINECONE_API_KEY": "k", "PINECONE_INDEX_HOST": httpserver.url_for("")})
    with pytest.raises(ResponseInvalid, match="no object"):
        source.search("two", top_k=3, fields=[])


def test_hits_without_an_id_are_passed_over(httpserver: HTTPServer) -> None:
    hits = [{"_id": "a", "_score": None, "fields": None}, {"_score": 1.0}, None, {"_id": ""}]
    httpserver.expect_request("/records/namespaces/__default__/search").respond_with_json({"result": {"hits": hits}})
    source = _source({"PINECONE_API_KEY": "k", "PINECONE_INDEX_HOST": httpserver.url_for("")})
    assert [(hit.id, hit.score, hit.fields) for hit in source.search("two", top_k=3, fields=[])] == [("a", 0.0, {})]
