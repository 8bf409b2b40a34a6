"""Exports of a vector index and of product usage become what Pinecone and Redis hold."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.exports import load_exports
from sophia_assets_tests.sandbox.test_exports import write


def test_records_become_vectors_by_namespace_with_their_columns_as_metadata(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "namespace": "docs", "title": "One", "tags": ["x"], "account_id": "10", "created_at": "2025-01-02"},
        {"id": "b", "text": "Two", "chunk": 3, "metadata": {"kind": "note", "empty": None}},
    ]
    found = load_exports(
        write(tmp_path, {"pinecone/records.jsonl": "\n".join(map(json.dumps, lines))}), timezone="UTC"
    ).pinecone
    assert found
    assert set(found.namespaces) == {"docs", ""}
    assert found.namespaces["docs"][0].metadata == {
        "title": "One", "tags": ["x"], "account_id": "10", "created_at": "2025-01-02T00:00:00+00:00",
    }  # fmt: skip
    assert found.namespaces[""][0].metadata == {"text": "Two", "chunk": 3, "kind": "note"}
    assert len(found.namespaces[""][0].values) == found.dimension


def test_records_without_values_get_those_of_their_text_always_the_same(tmp_path: Path) -> None:
    text = "id,title,created_at\na,Billing help,2025-01-02\nb,Billing help,2025-01-02\nc,Something else,2025-01-02\n"
    found = load_exports(write(tmp_path, {"pinecone/records.csv": text}), timezone="UTC").pinecone
    assert found
    one, same, other = found.namespaces[""]
    assert one.values == same.values != other.values


def test_values_that_are_given_say_the_indexs_dimension(tmp_path: Path) -> None:
    text = 'id,values,created_at\na,"[0.5, 1]",2025-01-02\nb,,2025-01-02\n'
    found = load_exports(write(tmp_path, {"pinecone/records.csv": text}), timezone="UTC").pinecone
    assert found
    assert found.dimension == 2
    assert [len(record.values) for record in found.namespaces[""]] == [2, 2]


@pytest.mark.parametrize(
    ("cell", "told"), [('"[1, 2, 3]"', "3 values, but 2"), ("abc", "is not JSON"), ('"[]"', "no list of numbers")]
)
def test_values_that_do_not_fit_are_refused_by_their_line(tmp_path: Path, cell: str, told: str) -> None:
    text = f'id,values,created_at\na,"[0.5, 1]",2025-01-02\nb,{cell},2025-01-02\n'
    with pytest.raises(ConfigurationError, match=f"line 3: .*{told}"):
        load_exports(write(tmp_path, {"pinecone/records.csv": text}), timezone="UTC")


def test_usage_becomes_hashes_counters_and_a_stream(tmp_path: Path) -> None:
    company = load_exports(
        write(
            tmp_path,
            {
                "redis/account_usage.csv": "account_id,plan,seats,last_seen_at,features\n"
                '10,pro,5,2025-02-01T10:00:00Z,"{""reports"": 2}"\n',
                "redis/daily_usage.csv": "day,account_id,counter,value\n2025-01-02,10,sessions,7\n"
                "2025-01-02,10,actions,\n2025-01-03,10,sessions,8\n",
                "redis/totals.csv": "counter,value\nsessions,15\n",
                "redis/events.csv": "event,occurred_at,account_id,feature,browser\n"
                "click,2025-01-03T00:00:00Z,10,reports,Fox\nopen,2025-01-02T00:00:00Z,10,,\n"
                "click,2025-01-03T00:00:00Z,10,alerts,\n",
            },
        ),
        timezone="UTC",
    )
    assert company.redis
    assert company.redis.hashes == {
        "usage:account:10": {
            "plan": "pro", "seats": "5", "last_seen_at": "2025-02-01T10:00:00+00:00", "features": '{"reports": 2}',
        },
        "usage:daily:2025-01-02": {"10:sessions": "7"},
        "usage:daily:2025-01-03": {"10:sessions": "8"},
    }  # fmt: skip
    assert company.redis.strings == {"usage:total:sessions": "15"}
    assert company.redis.streams["usage:events"] == [
        ("1735776000000-0", {"event": "open", "account_id": "10"}),
        ("1735862400000-0", {"event": "click", "feature": "reports", "browser": "Fox", "account_id": "10"}),
        ("1735862400000-1", {"event": "click", "feature": "alerts", "account_id": "10"}),
    ]
    assert (company.first_day, company.last_day) == (date(2025, 1, 2), date(2025, 2, 1))


def test_an_event_without_a_date_is_refused_by_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path, {"redis/events.csv": "event,occurred_at\nclick,\n"})
    with pytest.raises(ConfigurationError, match=r"events\.csv, line 2: occurred_at is empty"):
        load_exports(folder, timezone="UTC")
