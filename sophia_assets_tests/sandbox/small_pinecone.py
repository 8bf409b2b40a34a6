"""A Pinecone index small enough to know by heart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sophia_assets.sandbox.company_data import PineconeData, PineconeModel, PineconeRecord
from sophia_assets_tests.sandbox.clients import Client
from sophia_assets_tests.sandbox.small_company import START

DIMENSION = 4
API_VERSION = "2026-04"


def make_vector(number: int, **metadata: Any) -> PineconeRecord:
    """Vector `number`: its id sorts by number; every third is about no account; written `number` hours after START."""
    about: dict[str, Any] = {"account_id": str(100 + number % 3), "account_name": f"Company {number % 3}"}
    written = START + timedelta(hours=number)
    return PineconeRecord(
        id=f"doc{number // 3:04d}#{number:05d}",
        values=[1.0, number / 7, float(number % 5), -0.5],
        metadata={
            "title": f"Document {number // 3}",
            "source": "wiki",
            "kind": "runbook" if number % 2 else "note",
            **(about if number % 3 else {}),
            "author": "Una Seller",
            "url": f"https://wiki.example/{number // 3}",
            "chunk": number % 3,
            "created_at": written.isoformat(),
            "updated_at": int((written + timedelta(days=1)).timestamp()),
            "tags": ["public", f"tag{number % 4}"],
        }
        | metadata,
    )


def small_pinecone(documents: int = 250) -> PineconeData:
    """Two namespaces, the one without a name holding three vectors, one of them without metadata."""
    bare = PineconeRecord("bare", [0.0, 0.0, 1.0, 0.0])
    unnamed = [make_vector(number) for number in (9001, 9002)]
    return PineconeData(
        "knowledge",
        DIMENSION,
        "cosine",
        {"": [*unnamed, bare], "handbook": [make_vector(number) for number in range(documents)]},
    )


def embedding_pinecone(documents: int = 30) -> PineconeData:
    """An index that embeds texts by itself: a text of `n` words lies where vector `n` does."""
    data = small_pinecone()
    data.namespaces["handbook"] = [
        make_vector(number, text=f"The text of number {number}.") for number in range(documents)
    ]
    data.model = PineconeModel("counting-words", "text", _counted)
    return data


def _counted(text: str) -> list[float]:
    """Texts lie near each other by how many words they have."""
    words = float(len(text.split()))
    return [1.0, words / 7, words % 5, -0.5]


def pinecone_client(env: dict[str, str], *, control: bool = False) -> Client:
    """A client with the right API key, for the index's host or the control plane."""
    base = env["PINECONE_CONTROL_URL" if control else "PINECONE_INDEX_HOST"]
    return Client(base, headers={"Api-Key": env["PINECONE_API_KEY"], "X-Pinecone-Api-Version": API_VERSION})
