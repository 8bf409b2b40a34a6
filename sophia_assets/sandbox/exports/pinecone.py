"""Pinecone's part of an export folder."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from math import isfinite
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company.knowledge import DIMENSION, METRIC, embed
from sophia_assets.sandbox.company_data import PineconeData, PineconeRecord
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.values import Cells, hubspot_id

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {"pinecone/records": ("id",)}

_OWN = ("namespace", "id", "values", "metadata")
_MOMENTS = ("created_at", "updated_at")
# What a record without values is about, the first that it has.
_TEXTS = ("text", "title")


def build(objects: Mapping[str, ExportFile], cells: Cells) -> PineconeData | None:
    """One index with the records by namespace, or None without its file."""
    file = objects.get("pinecone/records")
    if file is None:
        return None
    namespaces: dict[str, dict[str, PineconeRecord]] = defaultdict(dict)
    dimension = next((len(values) for values in map(_given_values, file.rows) if values), DIMENSION)
    for row in file.rows:
        record = _record(row, cells, dimension)
        namespaces[cells.text(row, "namespace") or ""][record.id] = record
    kept = {name: list(records.values()) for name, records in namespaces.items()}
    return PineconeData("exports", dimension, METRIC, kept)


def _record(row: Row, cells: Cells, dimension: int) -> PineconeRecord:
    metadata = _metadata(row, cells)
    values = _given_values(row)
    if values is None:
        about = next((str(metadata[name]) for name in _TEXTS if metadata.get(name)), "")
        # Texts with words in common lie near each other also in an index of another size.
        values = (embed(about) * (dimension // DIMENSION + 1))[:dimension]
    if len(values) != dimension:
        raise ConfigurationError(
            f"{row.file}, line {row.line}: {len(values)} values, but {dimension} in the lines before",
            remedy="An index has vectors of one length.",
        )
    return PineconeRecord(cells.required(row, "id"), values, metadata)


def _metadata(row: Row, cells: Cells) -> dict[str, Any]:
    """Every column that the record does not use itself, and what is in the column `metadata`."""
    given = _json(row, "metadata")
    found: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    found |= {name: value for name, value in row.cells.items() if name not in _OWN and value is not None}
    found = {name: _allowed(value) for name, value in found.items() if value is not None}
    for name in _MOMENTS:
        moment = cells.moment(row, name, event=True)
        if moment is not None:
            found[name] = moment.isoformat()
    if "chunk" in found:
        found["chunk"] = cells.whole(row, "chunk") if "chunk" in row.cells else found["chunk"]
    if "account_id" in found:
        found["account_id"] = hubspot_id(str(found["account_id"]))
    return {name: value for name, value in found.items() if value is not None}


def _allowed(value: Any) -> Any:
    """What Pinecone allows in metadata: text, numbers, truth values and lists of text."""
    if isinstance(value, list):
        return [item if isinstance(item, str) else json.dumps(item) for item in value]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _given_values(row: Row) -> list[float] | None:
    values = _json(row, "values")
    if values is None:
        return None
    if isinstance(values, list) and values and all(_is_number(value) for value in values):
        return [float(value) for value in values]
    raise ConfigurationError(
        f"{row.file}, line {row.line}: values is no list of numbers", remedy="Write it as [0.1, 0.2], or leave it out."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _json(row: Row, column: str) -> Any:
    value = row.cells.get(column)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{row.file}, line {row.line}: {column} is not JSON", remedy="Write it as JSON, or leave it out."
        ) from error
