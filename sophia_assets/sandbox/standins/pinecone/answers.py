"""The bodies of Pinecone's answers: vectors, matches, and the errors of both planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import PlainTextResponse, Response

from sophia_assets.sandbox.company_data import PineconeRecord
from sophia_assets.sandbox.standins.answers import JsonAnswer, retry_after
from sophia_assets.sandbox.standins.standin import VendorErrors

INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, INTERNAL = 3, 5, 8, 13


def failure(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """An error body as the data plane writes it."""
    return JsonAnswer({"code": code, "message": message, "details": []}, status, headers)


def control_failure(status: int, code: str, message: str) -> JsonAnswer:
    """An error body as the control plane writes it."""
    return JsonAnswer({"error": {"code": code, "message": message}, "status": status}, status)


class PineconeErrors(VendorErrors):
    """The data plane's bodies for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused API key: plain text, no JSON."""
        return PlainTextResponse("Unauthorized", 401)

    def rate_limited(self, seconds: float) -> Response:
        """The limit is spent."""
        message = "You've reached the max list requests per second for the index."
        return failure(429, RESOURCE_EXHAUSTED, message, retry_after(seconds))

    def server_error(self) -> Response:
        """An unexpected failure."""
        return failure(500, INTERNAL, "Internal server error")


def vectors(namespace: str, records: Sequence[PineconeRecord]) -> dict[str, Any]:
    """Vectors by id, as a fetch answers."""
    return {
        "vectors": {record.id: _vector(record) for record in records},
        "namespace": namespace,
        "usage": {"readUnits": max(1, -(-len(records) // 10))},
    }


def _vector(record: PineconeRecord) -> dict[str, Any]:
    found: dict[str, Any] = {"id": record.id, "values": record.values}
    return found | ({"metadata": as_stored(record.metadata)} if record.metadata else {})


def match(record: PineconeRecord, score: float, include: Mapping[str, bool]) -> dict[str, Any]:
    """A vector as a query finds it, with its values and metadata where they are asked for."""
    found: dict[str, Any] = {"id": record.id, "score": score}
    if include["includeValues"]:
        found["values"] = record.values
    if include["includeMetadata"] and record.metadata:
        found["metadata"] = as_stored(record.metadata)
    return found


def as_stored(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Pinecone keeps every number as a double."""
    return {name: float(value) if is_number(value) else value for name, value in metadata.items()}


def is_number(value: Any) -> bool:
    """Whether the value is a number; true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
