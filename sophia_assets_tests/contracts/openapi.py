"""The vendors' OpenAPI files as JSON schemas, with the quirks that the vendors' own answers have."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

CONTRACTS = Path(__file__).resolve().parents[2].parent / "shared" / "contracts"

needs_contracts = pytest.mark.skipif(
    not CONTRACTS.is_dir(), reason=f"the vendors' contracts are not there: {CONTRACTS}"
)

_FORMATS = jsonschema.FormatChecker(formats=())
_FORMATS.checks("date-time", raises=ValueError)(lambda text: bool(datetime.fromisoformat(str(text))))

Quirks = Callable[[dict[str, Any]], None]


def gong_quirks(schema: dict[str, Any]) -> None:
    """Every property may be null, and every integer a text of digits."""
    schema["properties"] = {name: _or_null(_digits(part)) for name, part in schema.get("properties", {}).items()}


def hubspot_quirks(schema: dict[str, Any]) -> None:
    """A property that is not required may be null, and so may a CRM property's value."""
    required = schema.get("required", ())
    schema["properties"] = {
        name: part if name in required else _or_null(part) for name, part in schema.get("properties", {}).items()
    }
    values = schema.get("additionalProperties")
    if isinstance(values, dict) and values.get("type") == "string":
        schema["additionalProperties"] = _or_null(values)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _digits(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") != "integer":
        return schema
    return {"anyOf": [schema, {"type": "string", "pattern": r"^\d+$"}]}


def _prepared(node: Any, quirks: Quirks) -> Any:
    """The schema with the quirks, and closed: a field that the contract does not know is an error."""
    if isinstance(node, list):
        return [_prepared(item, quirks) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _prepared(value, quirks) for key, value in node.items() if key not in ("exampleSetFlag", "types")}
    if node.get("type") != "object":
        return node
    if not node.get("properties") and "additionalProperties" not in node:
        # An object without any fields is how the vendors' generators write "any value".
        return {}
    quirks(node)
    node.setdefault("additionalProperties", False)
    return node


@cache
def _contract(file: str, quirks: Quirks) -> dict[str, Any]:
    contract = json.loads((CONTRACTS / file).read_text(encoding="utf-8"))
    contract["components"]["schemas"] = _prepared(contract["components"]["schemas"], quirks)
    return contract  # type: ignore[no-any-return]


def check(answer: Any, file: str, path: str, method: str, status: int, quirks: Quirks) -> None:
    """Fail unless the answer is what the contract says about this path, method and status."""
    contract = _contract(file, quirks)
    content = contract["paths"][path][method]["responses"][str(status)]["content"]
    schema = {**next(iter(content.values()))["schema"], "components": contract["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=_FORMATS).validate(answer)


def check_request(body: Any, file: str, path: str, method: str, quirks: Quirks) -> None:
    """Fail unless the body of a request is what the contract says about this path and method."""
    contract = _contract(file, quirks)
    content = contract["paths"][path][method]["requestBody"]["content"]
    schema = {**next(iter(content.values()))["schema"], "components": contract["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=_FORMATS).validate(body)


def query_parameters(file: str, path: str) -> set[str]:
    """The names of the query parameters that the contract has for reading this path."""
    contract = json.loads((CONTRACTS / file).read_text(encoding="utf-8"))
    return {found["name"] for found in contract["paths"][path]["get"]["parameters"] if found["in"] == "query"}
