"""Pinecone's search by text: what a request may ask for, and how its answer looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sophia_assets.sandbox.company_data import PineconeData, PineconeRecord
from sophia_assets.sandbox.standins.pinecone.answers import as_stored, is_number
from sophia_assets.sandbox.standins.pinecone.filters import Test, compiled

MOST_HITS = 10_000
MOST_FIELDS = 100
_QUERY_FIELDS = {"top_k", "filter", "inputs", "vector", "id", "match_terms"}


class BadSearch(Exception):
    """A search that Pinecone refuses."""


@dataclass(frozen=True)
class Search:
    """A search that Pinecone takes: by `vector`, or by the vector of the record called `id`. `fields` None: all."""

    top_k: int
    passes: Test
    vector: Sequence[float] | None
    id: str | None
    fields: frozenset[str] | None
    tokens: int


def search_of(body: Mapping[str, Any], data: PineconeData) -> Search:
    """What a request's body asks for. Raises BadSearch and BadFilter."""
    _known("the request", body, {"query", "fields", "rerank"})
    query, fields = body.get("query"), body.get("fields")
    if not isinstance(query, Mapping):
        raise BadSearch("query must be an object")
    _known("query", query, _QUERY_FIELDS)
    top_k = query.get("top_k")
    if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= MOST_HITS:
        raise BadSearch(f"top_k must be a whole number from 1 to {MOST_HITS}")
    if fields is not None and not (_texts(fields) and len(fields) <= MOST_FIELDS):
        raise BadSearch(f"fields must be a list of at most {MOST_FIELDS} names")
    if query.get("match_terms") is not None:
        raise BadSearch("match_terms is supported for sparse indexes only")
    if body.get("rerank") is not None:
        raise BadSearch("rerank: the model is not known")
    given = [name for name in ("inputs", "vector", "id") if query.get(name) is not None]
    if len(given) != 1:
        raise BadSearch("exactly one of inputs, vector and id must be given")
    passes = compiled(query.get("filter") or {})
    tokens, vector = _vector(query, data)
    chosen = None if fields is None else frozenset(fields)
    return Search(top_k, passes, vector, None if vector else _identifier(query["id"]), chosen, tokens)


def _vector(query: Mapping[str, Any], data: PineconeData) -> tuple[int, Sequence[float] | None]:
    """How many tokens were embedded, and the vector that is searched with; None where a record is named."""
    if query.get("inputs") is not None:
        if data.model is None:
            raise BadSearch("Integrated inference is not configured for this index")
        text = query["inputs"].get("text") if isinstance(query["inputs"], Mapping) else None
        if not isinstance(text, str) or not text.strip():
            raise BadSearch("inputs must have a text that is not empty")
        return max(1, len(text) // 4), data.model.embed(text)
    if query.get("vector") is None:
        return 0, None
    values = query["vector"].get("values") if isinstance(query["vector"], Mapping) else None
    if not isinstance(values, list) or not all(map(is_number, values)):
        raise BadSearch("vector must have values, a list of numbers")
    if len(values) != data.dimension:
        raise BadSearch(f"Vector dimension {len(values)} does not match the dimension of the index {data.dimension}")
    return 0, values


def _identifier(given: Any) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= 512:
        raise BadSearch("id must be a text of 1 to 512 characters")
    return given


def _known(what: str, given: Mapping[str, Any], names: set[str]) -> None:
    if unknown := sorted(given.keys() - names):
        raise BadSearch(f"{what} has a field that is not known: {unknown[0]}")


def _texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)


def hit(record: PineconeRecord, score: float, fields: frozenset[str] | None) -> dict[str, Any]:
    """A record as a search finds it."""
    held = as_stored(record.metadata)
    if fields is not None:
        held = {name: value for name, value in held.items() if name in fields}
    return {"_id": record.id, "_score": score, "fields": held}


def hits(found: Sequence[Mapping[str, Any]], tokens: int) -> dict[str, Any]:
    """The answer to a search; embedding is accounted for where a text was embedded."""
    usage = {"read_units": 6} | ({"embed_total_tokens": tokens} if tokens else {})
    return {"result": {"hits": list(found)}, "usage": usage}


def embed_of(data: PineconeData) -> dict[str, Any]:
    """What the control plane says of the model that an index embeds texts with."""
    if data.model is None:
        return {}
    return {
        "embed": {
            "model": data.model.name,
            "metric": data.metric,
            "dimension": data.dimension,
            "vector_type": "dense",
            "field_map": {"text": data.model.text_field},
            "read_parameters": {"input_type": "query", "truncate": "END"},
            "write_parameters": {"input_type": "passage", "truncate": "END"},
        }
    }
