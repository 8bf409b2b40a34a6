"""Passages of the knowledge base are found by Pinecone, and by full text where Pinecone cannot; nobody sees others'."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from sophia_assets.assistant.searching.document_search import DocumentSearch, account_filter, search_documents
from sophia_assets.assistant.searching.stored_documents import StoredDocuments, document_as_json, shown_title
from sophia_assets.home import Home
from sophia_assets.insight.quotable import may_quote
from sophia_assets.sandbox.company.knowledge import DIMENSION, METRIC, MODEL, embed
from sophia_assets.sandbox.company_data import PineconeData, PineconeModel, PineconeRecord
from sophia_assets.services import Services
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.finished_home import copied_home, services_of
from sophia_assets_tests.sandbox.small_company import Served, served, small_company

OSTERDALE = "18240238498"
HITS = {"result": {"hits": []}, "usage": {"read_units": 1}}


@pytest.fixture(scope="module")
def home(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose circuits may be written."""
    return copied_home(finished_home, tmp_path_factory.mktemp("documents") / "home")


@pytest.fixture(scope="module")
def data(home: Home) -> PineconeData:
    """The index that the home's documents were read from."""
    services = services_of(home)
    rows = services.warehouse.query("SELECT namespace, document_id, metadata FROM pinecone.documents").to_pylist()
    services.close()
    spaces: dict[str, list[PineconeRecord]] = {}
    for row in rows:
        metadata = orjson.loads(row["metadata"])
        spaces.setdefault(row["namespace"], []).append(
            PineconeRecord(row["document_id"], embed(metadata["text"]), metadata)
        )
    return PineconeData("knowledge", DIMENSION, METRIC, spaces, PineconeModel(MODEL, "text", embed))


@pytest.fixture(scope="module")
def _running(data: PineconeData) -> Iterator[Served]:
    with served(small_company(hubspot=None, gong=None, snowflake=None, pinecone=data), limits=False) as started:
        yield started


@pytest.fixture
def running(_running: Served) -> Iterator[Served]:
    yield _running
    _running.app.faults.clear()


@pytest.fixture(scope="module")
def services(home: Home, _running: Served) -> Iterator[Services]:
    made = Services(services_of(home).settings, home, sandbox_env=_running.env)
    yield made
    made.close()


@pytest.fixture
def search(services: Services, running: Served) -> Iterator[DocumentSearch]:
    """A search of its own, in front of a closed circuit."""
    services.reset_circuit("pinecone", "test", "a fresh start")
    made = DocumentSearch(services)
    yield made
    made.close()


def test_pinecone_finds_passages_and_the_answer_says_so(services: Services, running: Served) -> None:
    found = search_documents(services, ["reset the delegation of an approval"], limit=5)
    assert (found.found_by, found.why) == ("Pinecone", "")
    assert len(found.documents) == 5
    assert len({(each.title, each.text, each.account_id) for each in found.documents}) == 5


def test_what_is_shown_is_the_warehouse_s_own_word_for_word(services: Services, search: DocumentSearch) -> None:
    texts = {
        (row["namespace"], row["document_id"]): orjson.loads(row["metadata"])["text"]
        for row in services.warehouse.query(
            "SELECT namespace, document_id, metadata FROM pinecone.documents"
        ).to_pylist()
    }
    shown = [each for word in ("problem", "approvals", "renewal") for each in search.find([word], limit=20).documents]
    assert any(each.text for each in shown)
    for each in shown:
        assert texts[each.namespace, each.document_id][each.start : each.end] == each.text
        assert not each.text or may_quote(each.text)
        assert orjson.dumps(document_as_json(each))


def test_only_passages_about_the_accounts_that_may_be_seen_are_asked_for_and_shown(
    services: Services, search: DocumentSearch, running: Served
) -> None:
    found = search.find(["renewal"], account_ids=[OSTERDALE], limit=50)
    assert found.found_by == "Pinecone"
    assert {each.account_id for each in found.documents} == {OSTERDALE}
    assert search.find(["renewal"], account_ids=[]).documents == ()
    running.app.faults.add("pinecone:down")
    other = search.find(["pricing"], account_ids=[OSTERDALE], limit=50, deadline=5.0)
    assert other.found_by == "full text"
    assert {each.account_id for each in other.documents} == {OSTERDALE}


def test_the_filter_by_account_goes_to_pinecone(home: Home, httpserver: HTTPServer) -> None:
    asked: list[dict[str, object]] = []

    def answer(request: Request) -> Response:
        asked.append(request.get_json())
        return Response(orjson.dumps(HITS), content_type="application/json")

    with _live(home, httpserver, answer) as services:
        services.documents.find(["renewal"], account_ids=[OSTERDALE], deadline=5.0)
    assert asked
    for body in asked:
        query = body["query"]
        assert isinstance(query, dict)
        assert query["filter"] == {"account_id": {"$in": [OSTERDALE, int(OSTERDALE)]}}


def test_hits_that_are_not_stored_or_about_another_account_are_not_shown(home: Home, httpserver: HTTPServer) -> None:
    services = services_of(home)
    [other] = services.warehouse.query(
        "SELECT namespace, document_id FROM pinecone.documents WHERE account_id = '18240293536' LIMIT 1"
    ).to_pylist()
    services.close()
    hits = [
        {"_id": name, "_score": 0.9, "fields": {"account_id": OSTERDALE}} for name in ("gone", other["document_id"])
    ]
    lying = {"result": {"hits": hits}, "usage": {"read_units": 1}}
    with _live(home, httpserver, lambda _: Response(orjson.dumps(lying), content_type="application/json")) as services:
        found = services.documents.find(["renewal"], account_ids=[OSTERDALE], deadline=5.0)
        assert (found.found_by, found.documents) == ("Pinecone", ())
        everything = services.documents.find(["renewal"], deadline=5.0)
        assert [each.document_id for each in everything.documents] == [other["document_id"]]


class _live:
    """Services whose Pinecone is a server of the test's."""

    def __init__(self, home: Home, httpserver: HTTPServer, answer: Callable[[Request], Response]) -> None:
        index = {"name": "knowledge", "host": httpserver.url_for(""), "embed": {"field_map": {"text": "text"}}}
        httpserver.expect_request("/indexes").respond_with_json({"indexes": [index]})
        httpserver.expect_request("/indexes/knowledge").respond_with_json(index)
        httpserver.expect_request(re.compile("/records/.*")).respond_with_handler(answer)
        address = httpserver.url_for("").rstrip("/")
        settings = {"SOPHIA_PINECONE_MODE": "live", "PINECONE_API_KEY": "key", "PINECONE_INDEX_NAME": "knowledge"}
        settings |= {"PINECONE_INDEX_HOST": address, "PINECONE_CONTROL_URL": address}
        self.services = services_of(home, settings)

    def __enter__(self) -> Services:
        return self.services

    def __exit__(self, *_: object) -> None:
        self.services.close()


def test_a_slow_pinecone_is_not_waited_for_and_no_circuit_is_told(
    services: Services, search: DocumentSearch, running: Served
) -> None:
    running.app.faults.add("pinecone:slow:3")
    began = time.monotonic()
    found = search.find(["approvals"], deadline=0.3)
    assert time.monotonic() - began < 1.5
    assert (found.found_by, found.why) == ("full text", "Pinecone did not answer within 0.3 s")
    assert found.documents
    assert services.guard.lets_through("pinecone")


def test_a_failing_pinecone_opens_its_circuit_and_is_then_not_asked(
    services: Services, search: DocumentSearch, running: Served
) -> None:
    running.app.faults.add("pinecone:errors:1")
    for _ in range(10):
        assert search.find(["approvals"], deadline=5.0).found_by == "full text"
    before = running.app.faults.active("pinecone", "errors")
    assert before
    served_before = before.served
    found = search.find(["approvals"])
    assert (found.found_by, found.why) == ("full text", "Pinecone is not asked just now")
    assert found.documents
    assert before.served == served_before


def test_an_index_that_takes_vectors_only_is_not_asked_for_texts(home: Home, data: PineconeData) -> None:
    plain = PineconeData(data.index_name, data.dimension, data.metric, data.namespaces)
    with served(small_company(hubspot=None, gong=None, snowflake=None, pinecone=plain), limits=False) as running:
        services = Services(services_of(home).settings, home, sandbox_env=running.env)
        services.reset_circuit("pinecone", "test", "a fresh start")
        found = services.documents.find(["approvals"], deadline=5.0)
        services.close()
    assert (found.found_by, found.why) == ("full text", "the index does not embed texts by itself")


def test_without_pinecone_full_text_serves(home: Home) -> None:
    services = services_of(home, {"SOPHIA_PINECONE_MODE": "off"})
    found = services.documents.find(["approvals"])
    services.close()
    assert (found.found_by, found.why) == ("full text", "Pinecone is not connected")
    assert all("approv" in each.title.casefold() for each in found.documents)


@pytest.mark.parametrize("words", [[], ["the"], [""], ["🙂"]])
def test_where_there_is_nothing_to_look_for_nothing_is_asked(search: DocumentSearch, words: list[str]) -> None:
    assert search.find(words).documents == ()


@pytest.mark.parametrize("words", [['" OR 1'], ["x" * 100_000], ["\x00\ud800 approvals"], ["'; DROP TABLE x; --"]])
def test_whatever_is_typed_is_only_words(search: DocumentSearch, words: list[str]) -> None:
    search.find(words, deadline=5.0)


def test_without_documents_nothing_is_found(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "empty.duckdb")
    assert StoredDocuments(warehouse).is_empty  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Approvals: permissions", "Approvals: permissions"),
        ("<img src=x onerror=alert(1)> Plan", "img src=x onerror=alert 1 Plan"),
        ("See [here](https://evil.example/canary)", "guide"),
        ("Call jane.doe@example.com", "guide"),
        ("a\u202eb\u0000c\n\nd", "a b c d"),
        ("", "guide"),
        ("x" * 500, "x" * 120),
    ],
)
def test_titles_are_shown_without_markup_and_never_with_anything_personal(title: str, shown: str) -> None:
    assert shown_title(title, "guide") == shown


def test_ids_are_asked_for_as_texts_and_as_the_numbers_that_pinecone_keeps() -> None:
    assert account_filter(["101", "a", "9" * 30]) == {"account_id": {"$in": ["101", "a", "9" * 30, 101]}}
