"""The simulated company's knowledge base: call notes of real calls, and documents that are revised."""

from __future__ import annotations

from datetime import date, datetime
from math import isclose, sqrt

import pytest

from sophia_assets.sandbox.company.knowledge import embed
from sophia_assets.sandbox.company_data import PineconeRecord
from sophia_assets_tests.sandbox.simulated_company import EARLIER_DAYS, LAST, Simulated, cutoff, simulated

pytestmark = [pytest.mark.long, pytest.mark.takes(25)]

ALWAYS = {"title", "source", "kind", "author", "url", "chunk", "text", "created_at", "updated_at"}


def records(found: Simulated) -> list[PineconeRecord]:
    return [record for namespace in found.pinecone.namespaces.values() for record in namespace]


def stamped(record: PineconeRecord, name: str) -> datetime:
    return datetime.fromisoformat(str(record.metadata[name]))


@pytest.mark.parametrize("earlier", EARLIER_DAYS)
def test_an_earlier_day_shows_exactly_what_was_written_by_then(earlier: date) -> None:
    then, now, end = simulated(as_of=earlier), simulated(), cutoff(earlier)
    assert list(then.pinecone.namespaces) == list(now.pinecone.namespaces)
    for name, old in then.pinecone.namespaces.items():
        new = {record.id: record for record in now.pinecone.namespaces[name] if stamped(record, "created_at") < end}
        assert {record.id for record in old} == set(new)
        for record in old:
            if stamped(new[record.id], "updated_at") < end:
                assert record == new[record.id]
            assert record.metadata["title"] == new[record.id].metadata["title"]
            assert record.metadata["created_at"] == new[record.id].metadata["created_at"]


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 42])
def test_the_index_holds_what_a_company_of_its_size_writes(seed: int) -> None:
    namespaces = simulated(seed).pinecone.namespaces
    assert set(namespaces) == {"call-notes", "docs", "playbooks", "support-articles"}
    assert 1_500 <= sum(map(len, namespaces.values())) <= 2_050
    assert min(map(len, namespaces.values())) >= 50


@pytest.mark.long
@pytest.mark.parametrize(("scale", "least", "most"), [(0.2, 0.12, 0.4), (3.0, 2.2, 3.6)])
def test_the_index_scales_with_the_company(scale: float, least: float, most: float) -> None:
    day = date(2024, 12, 1)
    assert least < len(records(simulated(5, day, scale))) / len(records(simulated(5, day))) < most


def test_call_notes_refer_to_real_calls_and_their_accounts() -> None:
    found = simulated()
    calls = {call.id: call for call in found.gong.calls}
    for record in found.pinecone.namespaces["call-notes"]:
        call = calls[record.metadata["call_id"]]
        assert record.metadata["account_id"] == call.account_id
        assert record.metadata["account_name"] == found.accounts[str(call.account_id)]
        assert record.metadata["title"] == call.title
        assert stamped(record, "created_at") > call.started


def test_every_record_has_its_metadata_and_ids_are_unique() -> None:
    found = simulated()
    assert len({record.id for record in records(found)}) == len(records(found))
    for record in records(found):
        assert set(record.metadata) >= ALWAYS
        assert all(isinstance(value, str | int | list) for value in record.metadata.values())
        assert record.metadata.get("account_id") is None or record.metadata["account_id"] in found.accounts
        assert "{" not in str(record.metadata["text"])


def test_vectors_have_the_dimension_of_the_index_and_length_one() -> None:
    index = simulated().pinecone
    for record in records(simulated()):
        assert len(record.values) == index.dimension
        assert isclose(sqrt(sum(value * value for value in record.values)), 1.0, abs_tol=1e-9)


def test_texts_with_words_in_common_lie_near_each_other() -> None:
    text, similar, other = (
        embed(text)
        for text in ("approvals wait in somebody's inbox", "approvals wait in the inbox", "nightly export lost a row")
    )

    def alike(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert alike(text, similar) > 0.6 > alike(text, other)


@pytest.mark.parametrize("day", [*EARLIER_DAYS, LAST])
def test_nothing_is_written_after_the_end_of_the_last_day(day: date) -> None:
    for record in records(simulated(as_of=day)):
        assert stamped(record, "created_at") <= stamped(record, "updated_at") < cutoff(day)


def test_documents_are_revised_now_and_then() -> None:
    docs = simulated().pinecone.namespaces["docs"]
    revised = [record for record in docs if record.metadata["updated_at"] > record.metadata["created_at"]]
    assert 0.3 < len(revised) / len(docs) < 1.0
