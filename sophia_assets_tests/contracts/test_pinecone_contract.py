"""Pinecone's connector asks, and its stand-in answers, as the vendor's OpenAPI files say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import pytest
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sophia_assets.sources.pinecone.api import API_VERSION
from sophia_assets.sources.pinecone.client import PineconeSource
from sophia_assets_tests.contracts.openapi import CONTRACTS, needs_contracts
from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company
from sophia_assets_tests.sandbox.small_pinecone import embedding_pinecone, make_vector, pinecone_client, small_pinecone
from sophia_assets_tests.sources.complete_company import EVERYTHING, source_for

pytestmark = needs_contracts

SEARCH = "/records/namespaces/{namespace}/search"
Asked = list[tuple[str, str, dict[str, list[str]], Any, dict[str, str]]]


@cache
def _plane(plane: str) -> dict[str, Any]:
    file = CONTRACTS / "pinecone" / f"db_{plane}_{API_VERSION}.oas.yaml"
    contract: dict[str, Any] = _prepared(yaml.safe_load(file.read_text(encoding="utf-8")))
    return contract


def _prepared(node: Any) -> Any:
    """The contract as JSON Schema, closed: a field that it does not know is an error.

    Left out is `required` on properties that are no objects, which the vendor's generator writes.
    """
    if isinstance(node, list):
        return [_prepared(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {str(key): _prepared(value) for key, value in node.items()}
    if "type" in node and node["type"] != "object":
        node.pop("required", None)
    if node.get("type") == "object" and node.get("properties"):
        node.setdefault("additionalProperties", False)
    return node


def _check(plane: str, schema: dict[str, Any], value: Any) -> None:
    components = {"components": _plane(plane)["components"]}
    jsonschema.Draft202012Validator({**schema, **components}).validate(value)


def _check_answer(plane: str, path: str, method: str, status: int, body: Any) -> None:
    responses = _plane(plane)["paths"][path][method]["responses"]
    said = responses.get(str(status)) or responses[f"{status // 100}XX"]
    _check(plane, said["content"]["application/json"]["schema"], body)


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    company = small_company(hubspot=None, gong=None, snowflake=None, pinecone=small_pinecone())
    with served(company, limits=False) as started:
        yield started


@pytest.fixture(scope="module")
def embedding() -> Iterator[Served]:
    """An index that embeds texts by itself."""
    company = small_company(hubspot=None, gong=None, snowflake=None, pinecone=embedding_pinecone())
    with served(company, limits=False) as started:
        yield started


@pytest.fixture
def searched(embedding: Served) -> Client:
    return pinecone_client(embedding.env)


@pytest.fixture
def index(running: Served) -> Client:
    return pinecone_client(running.env)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/namespaces", {"limit": 1}),
        ("/vectors/list", {"namespace": "handbook"}),
        ("/vectors/list", {"namespace": "nowhere"}),
        ("/vectors/fetch", {"namespace": "handbook", "ids": [make_vector(1).id, "gone"]}),
        ("/vectors/fetch", {}),
        ("/vectors/list", {"limit": 101}),
    ],
)
def test_what_is_got_keeps_the_contract(index: Client, path: str, params: dict[str, Any]) -> None:
    answer = index.get(path, params=params)
    _check_answer("data", path, "get", answer.status_code, answer.json())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/describe_index_stats", {}),
        ("/describe_index_stats", {"filter": {"kind": "note"}}),
        ("/vectors/fetch_by_metadata", {"namespace": "handbook", "filter": {"kind": {"$eq": "note"}}}),
        ("/query", {"topK": 3, "vector": [1, 0, 0, 0], "namespace": "handbook"}),
        ("/query", {"topK": 3, "id": "bare", "includeValues": True, "includeMetadata": True}),
        ("/query", {"topK": 0, "id": "bare"}),
    ],
)
def test_what_is_posted_keeps_the_contract(index: Client, path: str, body: dict[str, Any]) -> None:
    answer = index.post(path, json=body)
    _check_answer("data", path, "post", answer.status_code, answer.json())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"query": {"top_k": 3, "inputs": {"text": "two"}}, "fields": ["title", "kind"]}, 200),
        ({"query": {"top_k": 3, "vector": {"values": [1, 0, 0, 0]}, "filter": {"kind": "note"}}}, 200),
        ({"query": {"top_k": 3, "id": make_vector(1).id}}, 200),
        ({"query": {"top_k": 3, "id": "gone"}}, 200),
        ({"query": {"top_k": 0, "id": "gone"}}, 400),
        ({"query": {"top_k": 3}}, 400),
        ({}, 400),
    ],
)
def test_a_search_keeps_the_contract(searched: Client, body: dict[str, Any], status: int) -> None:
    answer = searched.post("/records/namespaces/handbook/search", json=body)
    assert answer.status_code == status
    _check_answer("data", SEARCH, "post", status, answer.json())


def test_an_index_that_embeds_texts_says_so_as_the_contract_has_it(searched: Client, embedding: Served) -> None:
    answer = pinecone_client(embedding.env, control=True).get("/indexes/knowledge")
    _check_answer("control", "/indexes/{index_name}", "get", 200, answer.json())
    assert answer.json()["embed"]["field_map"] == {"text": "text"}


def test_the_connector_searches_as_the_contract_has_it(embedding: Served, httpserver: HTTPServer) -> None:
    recorder = Recorder(embedding)
    httpserver.expect_request(re.compile(".*")).respond_with_handler(recorder)
    address = httpserver.url_for("").rstrip("/")
    source = source_for("pinecone", embedding.env | {"PINECONE_INDEX_HOST": address, "PINECONE_CONTROL_URL": address})
    assert isinstance(source, PineconeSource)
    assert source.text_field() == "text"
    source.search("two", top_k=3, namespace="handbook", filter={"account_id": {"$in": ["101"]}}, fields=["title"])
    path, method, _, body, headers = recorder.asked[-1]
    assert (path, method, headers["X-Pinecone-Api-Version"]) == (
        "/records/namespaces/handbook/search",
        "post",
        API_VERSION,
    )
    _check(
        "data", _plane("data")["paths"][SEARCH]["post"]["requestBody"]["content"]["application/json"]["schema"], body
    )


@pytest.mark.parametrize(("path", "asked"), [("/indexes", "/indexes"), ("/indexes/{index_name}", "/indexes/knowledge")])
def test_the_control_plane_keeps_the_contract(running: Served, path: str, asked: str) -> None:
    answer = pinecone_client(running.env, control=True).get(asked)
    _check_answer("control", path, "get", answer.status_code, answer.json())


def test_refusals_are_those_that_were_recorded(running: Served, index: Client) -> None:
    recorded = json.loads((CONTRACTS / "pinecone" / "errors.json").read_text(encoding="utf-8"))
    control = pinecone_client(running.env, control=True)
    wrong = index.get("/namespaces", headers={"Api-Key": "wrong"})
    assert (wrong.status_code, wrong.text) == (
        recorded["data_plane_auth"]["status"],
        recorded["data_plane_auth"]["body"],
    )
    missing = control.get("/indexes/example-index")
    assert (missing.status_code, missing.json()) == (
        recorded["control_plane"]["status"],
        recorded["control_plane"]["body"],
    )
    malformed = index.get("/vectors/fetch")
    assert (malformed.status_code, malformed.json()["code"]) == (400, recorded["data_plane"]["body"]["code"])


class Recorder:
    """Passes what the connector asks on to the stand-in, and writes it down."""

    def __init__(self, running: Served) -> None:
        self.asked: Asked = []
        self._data, self._control = pinecone_client(running.env), pinecone_client(running.env, control=True)

    def __call__(self, request: Request) -> Response:
        body = request.get_json() if request.data else None
        self.asked.append(
            (request.path, request.method.lower(), parse_qs(request.query_string.decode()), body, dict(request.headers))
        )
        client = self._control if request.path.startswith("/indexes") else self._data
        path = request.full_path if request.query_string else request.path
        answer = client.session.request(request.method, client.base + path, data=request.data, timeout=20)
        return Response(answer.content, answer.status_code, content_type=answer.headers["content-type"])


@pytest.fixture
def asked(running: Served, httpserver: HTTPServer) -> Asked:
    """Everything that the connector asks for in a read of both groups and a query."""
    recorder = Recorder(running)
    httpserver.expect_request(re.compile(".*")).respond_with_handler(recorder)
    address = httpserver.url_for("").rstrip("/")
    env = running.env | {"PINECONE_INDEX_HOST": address, "PINECONE_CONTROL_URL": address}
    source = source_for("pinecone", env)
    assert isinstance(source, PineconeSource)
    for group in ("index", "documents"):
        list(source.read(group, EVERYTHING))
    source.query([1.0, 0.0, 0.0, 0.0], top_k=3, namespace="handbook", filter={"kind": "note"})
    return recorder.asked


def test_the_connector_asks_only_for_what_the_contract_knows(asked: Asked) -> None:
    for path, method, params, body, _ in asked:
        plane = "control" if path.startswith("/indexes") else "data"
        known = "/indexes/{index_name}" if path.startswith("/indexes/") else path
        operation = _plane(plane)["paths"][known][method]
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert set(params) <= names
        if body is not None:
            _check(plane, operation["requestBody"]["content"]["application/json"]["schema"], body)


def test_the_connector_gives_its_key_and_the_version_with_every_request(running: Served, asked: Asked) -> None:
    given = {(headers["Api-Key"], headers["X-Pinecone-Api-Version"]) for *_, headers in asked}
    assert given == {(running.env["PINECONE_API_KEY"], API_VERSION)}
