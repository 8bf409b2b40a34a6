"""The simplest value that meets a JSON schema, for questions that the toy model does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEEPEST = 20
_LARGEST = 10_000
_MOST_ITEMS = 100
_SIMPLEST = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def simplest(schema: Mapping[str, Any]) -> Any:
    """The simplest instance: the first of an enumeration, empty texts and lists, 0, false, every required property.

    A schema that refers to itself ends in null after twenty levels or ten thousand values.
    """
    return _Maker(schema).make(schema, 0)


class _Maker:
    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._made = 0

    def make(self, schema: Any, depth: int) -> Any:
        self._made += 1
        if not isinstance(schema, Mapping) or depth > _DEEPEST or self._made > _LARGEST:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        if isinstance(schema.get("$ref"), str):
            return self.make(self._resolved(schema["$ref"]), depth + 1)
        for key in ("anyOf", "oneOf", "allOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self.make(schema[key][0], depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        properties, required = schema.get("properties"), schema.get("required")
        if kind == "object" or (kind is None and isinstance(properties, Mapping)):
            named = properties if isinstance(properties, Mapping) else {}
            wanted = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            return {name: self.make(named.get(name), depth + 1) for name in wanted}
        if kind == "array":
            least = schema.get("minItems")
            many = min(least, _MOST_ITEMS) if isinstance(least, int) else 0
            return [self.make(schema.get("items"), depth + 1) for _ in range(many)]
        return _SIMPLEST.get(kind) if isinstance(kind, str) else None

    def _resolved(self, reference: str) -> Any:
        found: Any = self._whole
        for part in filter(None, reference.removeprefix("#").split("/")):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found
