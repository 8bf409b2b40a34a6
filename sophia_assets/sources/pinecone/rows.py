"""How Pinecone's answers become rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

DEFAULT_NAMESPACE = "__default__"

_TEXTS = ("title", "source", "kind", "account_id", "account_name", "author", "url")
# Later than any second since 1970 that a document can have, and earlier than any millisecond.
_FIRST_MILLISECOND = 1e11


def namespace_name(name: str | None) -> str:
    """The namespace's name; some answers write the default one as an empty text."""
    return name or DEFAULT_NAMESPACE


def namespace_row(described: Mapping[str, Any], counted: Mapping[str, Any]) -> Row:
    """A namespace as a row; where it does not say its own count, the index's statistics do."""
    name = namespace_name(described.get("name"))
    count = described.get("record_count")
    return {"namespace": name, "vectors": counted.get(name) if count is None else count}


def counts(stats: Mapping[str, Any]) -> dict[str, Any]:
    """How many vectors each namespace holds, from the index's statistics."""
    return {
        namespace_name(name): (summary or {}).get("vectorCount")
        for name, summary in (stats.get("namespaces") or {}).items()
    }


def index_row(name: str, stats: Mapping[str, Any], index: Mapping[str, Any]) -> Row:
    """The index as a row, from its statistics and what the control plane says of it (nothing where it may not)."""
    return {
        "index_name": name,
        "dimension": stats.get("dimension") or index.get("dimension"),
        "metric": stats.get("metric") or index.get("metric"),
        "total_vectors": stats.get("totalVectorCount"),
        "index_fullness": stats.get("indexFullness"),
        "status": (index.get("status") or {}).get("state"),
    }


def document_row(namespace: str, identifier: str, vector: Mapping[str, Any]) -> Row:
    """A vector's metadata as a row; its numbers are left behind."""
    metadata = vector.get("metadata") or {}
    found: Row = {"namespace": namespace, "document_id": identifier}
    found |= {name: _text(metadata.get(name)) for name in _TEXTS}
    found["chunk"] = metadata.get("chunk")
    found |= {name: _moment(metadata.get(name)) for name in ("created_at", "updated_at")}
    found["metadata"] = metadata
    return found


def _text(value: Any) -> Any:
    """Pinecone keeps every number as a double: an id that was stored as one comes back as 101.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _moment(value: Any) -> Any:
    """Metadata has no type for a time: it is text in ISO 8601, or seconds or milliseconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value or None
    try:
        return datetime.fromtimestamp(value if abs(value) < _FIRST_MILLISECOND else value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return value
