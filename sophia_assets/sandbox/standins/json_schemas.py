"""Checks the JSON schemas that vendors of language models take for structured output: a subset, with own rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_DEEPEST = 60


class WrongSchema(Exception):
    """A schema that the vendor does not take. `kind` is the type of the part, `why` what is wrong with it."""

    def __init__(self, kind: str, why: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.path = path


@dataclass(frozen=True)
class Rules:
    """What a vendor asks for: keywords that it refuses, and whether every property has to be required."""

    refused: Collection[str] = ()
    all_required: bool = False


def check_depth(value: Any, deepest: int = _DEEPEST) -> bool:
    """Whether lists and objects are nested no deeper than that."""
    level = [value]
    for _ in range(deepest):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return True
    return False


def check_schema(schema: Any, rules: Rules) -> None:
    """Raises WrongSchema for the first part that does not follow the rules."""
    if not check_depth(schema):
        raise WrongSchema("object", "the schema is nested too deeply")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise WrongSchema("object", "schema must be a JSON Schema of type 'object'")
    left: list[tuple[Any, tuple[str, ...]]] = [(schema, ())]
    while left:
        node, path = left.pop()
        _check_node(node, path, rules)
        left += reversed(list(_children(node, path)))


def _check_node(node: Any, path: tuple[str, ...], rules: Rules) -> None:
    if not isinstance(node, dict):
        raise WrongSchema("object", "a schema must be an object", path)
    kind = node.get("type")
    kinds = kind if isinstance(kind, list) else [] if kind is None else [kind]
    if any(not isinstance(each, str) or each not in _TYPES for each in kinds):
        raise WrongSchema(str(kind), f"{kind!r} is not valid under any of the given schemas", path)
    if not kinds and not any(key in node for key in ("anyOf", "allOf", "enum", "const", "$ref")):
        raise WrongSchema("any", "schema must have a 'type' key", path)
    shown = "object" if "object" in kinds else next(iter(kinds), "any")
    for key in rules.refused:
        if key in node and not (key == "minItems" and node[key] in (0, 1)):
            raise WrongSchema(shown, f"property '{key}' is not supported", path)
    for key, wanted in (("properties", dict), ("required", list), ("$defs", dict), ("enum", list), ("anyOf", list)):
        if key in node and not isinstance(node[key], wanted):
            raise WrongSchema(shown, f"'{key}' is of the wrong type", path)
    if "object" in kinds:
        _check_object(node, path, rules)
    if "array" in kinds and "items" not in node:
        raise WrongSchema("array", "schema missing items", path)


def _check_object(node: dict[str, Any], path: tuple[str, ...], rules: Rules) -> None:
    if node.get("additionalProperties") is not False:
        raise WrongSchema("object", "'additionalProperties' is required to be supplied and to be false", path)
    missing = [name for name in node.get("properties", {}) if name not in node.get("required", [])]
    if rules.all_required and missing:
        raise WrongSchema(
            "object",
            "'required' is required to be supplied and to be an array including every key in properties. "
            f"Missing '{missing[0]}'.",
            path,
        )


def _children(node: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    for key in ("properties", "$defs"):
        for name, child in node.get(key, {}).items():
            yield child, (*path, key, name)
    if "items" in node:
        yield node["items"], (*path, "items")
    for child in node.get("anyOf", []):
        yield child, (*path, "anyOf")


def _parts(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
