"""Documents beside what people said: verbatim, of accounts that may be seen, by Pinecone or without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sophia_assets.access.principal import EVERY_ROW, Principal, RowScope
from sophia_assets.assistant.interface import Answer, Question
from sophia_assets.assistant.searching.stored_documents import TEXT_FIELDS
from sophia_assets.home import Home
from sophia_assets.services import Services
from sophia_assets_tests.finished_home import copied_home, services_of

QUESTION = "What do customers say about pricing?"


@pytest.fixture(scope="module")
def services(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = services_of(copied_home(finished_home, tmp_path_factory.mktemp("passages") / "var"))
    yield made
    made.close()


def asked(services: Services, role: str = "executive", rows: RowScope = EVERY_ROW) -> Answer:
    return services.assistant.ask(Question(QUESTION, Principal("ada", role, "api", rows)))


def passages(answer: Answer) -> list[dict[str, Any]]:
    return [dict(row) for row in answer.results if row["said_by"] == "a document"]


def test_a_documents_sentence_is_told_with_its_pointer_letter_by_letter(services: Services) -> None:
    answer = asked(services)
    cited = [each.evidence for each in answer.citations if each.evidence.get("system") == "pinecone"]
    assert len(passages(answer)) == len(cited) > 0
    for row, pointer in zip(passages(answer), cited, strict=True):
        namespace, _, document_id = pointer["source_id"].partition("/")
        sql = "SELECT metadata FROM pinecone.documents WHERE namespace = ? AND document_id = ?"
        metadata = json.loads(services.warehouse.query(sql, [namespace, document_id])["metadata"][0].as_py())
        text = next(metadata[name] for name in TEXT_FIELDS if name in metadata)
        assert text[int(pointer["start"]) : int(pointer["end"])] == row["quote"]


def test_without_pinecone_they_are_found_by_their_words_and_the_answer_says_so(services: Services) -> None:
    assert any("not by Pinecone" in caveat for caveat in asked(services).caveats)


def test_who_is_limited_to_accounts_reads_of_no_other(services: Services) -> None:
    everywhere = {row["account"] for row in passages(asked(services))}
    assert everywhere
    found = services.warehouse.query("SELECT account_id, account FROM marts.accounts").to_pylist()
    other = next(row for row in found if row["account"] not in everywhere)
    limited = asked(services, rows=RowScope({"account": frozenset({other["account_id"]})}))
    assert {row["account"] for row in passages(limited)} <= {other["account"]}


@pytest.mark.parametrize("role", ["engineering_leader", "auditor"])
def test_who_sees_no_customers_reads_none(services: Services, role: str) -> None:
    answer = asked(services, role)
    assert answer.status != "answered"
    assert not answer.results
