"""From a model's text to the JSON that was asked for: what is not exactly that is no answer.

Belongs here: parsing, and the part of JSON Schema that both vendors' structured output takes. Does not belong here:
whether what an answer says is true (`insight`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_LONGEST_PATH = 80
_NO_CONSTRAINT = frozenset({"title", "description", "default", "examples", "$schema", "$defs"})
_KNOWN = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"})
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


class NotWhatWasAsked(ValueError):
    """A text that is not JSON, or JSON that breaks its schema. The message says where, and repeats nothing of it."""


def parsed(text: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON object in `text`, which meets `schema`. Raises NotWhatWasAsked.

    Refused, too: a key that occurs twice, a number that is none, and characters that no text can hold (lone
    surrogates, NUL), since whoever reads the answer next would stumble over them.
    """
    if not text.strip():
        raise NotWhatWasAsked("the answer is empty")
    try:
        found = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except NotWhatWasAsked:
        raise
    except (ValueError, RecursionError):
        raise NotWhatWasAsked("the answer is not JSON") from None
    if not isinstance(found, dict):
        raise NotWhatWasAsked("the answer is JSON, but no object")
    check(found, schema)
    return found


def check(value: Any, schema: Mapping[str, Any], path: str = "") -> None:
    """Raises NotWhatWasAsked where the value breaks the schema; TypeError for a schema beyond what is known here."""
    if unknown := schema.keys() - _KNOWN - _NO_CONSTRAINT:
        raise TypeError(f"a schema has {', '.join(sorted(unknown))}, which is not checked")
    _check_kind(value, schema, path)
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        raise _wrong(path, "is none of the values that are allowed")
    if "const" in schema and not _same(value, schema["const"]):
        raise _wrong(path, "is not the value that is allowed")
    if "anyOf" in schema and not any(_meets(value, each, path) for each in schema["anyOf"]):
        raise _wrong(path, "is nothing of what is allowed")
    if isinstance(value, dict):
        _check_object(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            check(item, schema["items"], f"{path}[{index}]")


def _check_kind(value: Any, schema: Mapping[str, Any], path: str) -> None:
    _check_characters(value, path)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(path, "is beyond every number")
    wanted = schema.get("type")
    if wanted is None:
        return
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    if not any(_is_a(value, name) for name in names):
        raise _wrong(path, f"is not of the type {' or '.join(names)}")


def _check_object(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> None:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        raise _wrong(path, f"lacks {missing[0]}")
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        _check_characters(name, path)
        if name in properties:
            check(item, properties[name], f"{path}.{name}" if path else name)
        elif others is False:
            raise _wrong(path, "has a property that was not asked for")
        else:
            check(item, others if isinstance(others, Mapping) else {}, f"{path}.*")


def _check_characters(value: Any, path: str) -> None:
    if not isinstance(value, str):
        return
    if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise _wrong(path, "has characters that no text can hold")


def _meets(value: Any, schema: Mapping[str, Any], path: str) -> bool:
    try:
        check(value, schema, path)
    except NotWhatWasAsked:
        return False
    return True


def _is_a(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _same(value: Any, other: Any) -> bool:
    """Whether they are equal as JSON, in which `true` is not `1`."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _wrong(path: str, what: str) -> NotWhatWasAsked:
    return NotWhatWasAsked(f"{path[:_LONGEST_PATH] or 'the answer'} {what}")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotWhatWasAsked("the answer has a key twice")
    return found


def _no_number(_: str) -> Any:
    raise NotWhatWasAsked("the answer has a number that is none")
