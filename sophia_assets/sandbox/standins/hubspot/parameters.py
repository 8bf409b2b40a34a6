"""What HubSpot allows in queries and bodies; anything else is answered with its 400."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from sophia_assets.sandbox.standins.answers import JsonAnswer
from sophia_assets.sandbox.standins.hubspot.answers import invalid
from sophia_assets.sandbox.standins.hubspot.schema import ALIASES, ASSOCIATION_TYPES
from sophia_assets.sandbox.standins.hubspot.store import Shape

MOST_PER_PAGE = 100
MOST_PER_PAGE_WITH_HISTORY = 50
MOST_INPUTS = 100
MOST_ASSOCIATION_INPUTS = 1_000
MOST_OWNERS_PER_PAGE = 500


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, answer: JsonAnswer) -> None:
        super().__init__()
        self.answer = answer


def object_type(name: str) -> str:
    """The plural name of a type by any of its names. Raises Refused."""
    if name not in ALIASES:
        raise Refused(invalid(f"Unable to infer object type from: {name}", "UNKNOWN_OBJECT_TYPE", objectType=name))
    return ALIASES[name]


def association_type(source: str, name: str) -> str:
    """The type by any of its names, where records of `source` can be associated with it. Raises Refused."""
    target = object_type(name)
    if (source, target) not in ASSOCIATION_TYPES:
        message = f"No association type exists from {source} to {target}"
        raise Refused(invalid(message, "INVALID_ASSOCIATION", fromObjectType=source, toObjectType=target))
    return target


def query_shape(request: Request, source: str) -> Shape:
    """What of each record the query asks for."""
    query = request.query_params
    return Shape(
        _names(query.getlist("properties")),
        _names(query.getlist("propertiesWithHistory")),
        tuple(association_type(source, name) for name in _names(query.getlist("associations"))),
    )


def body_shape(body: dict[str, Any]) -> Shape:
    """What of each record the body of a batch read asks for."""
    return Shape(_names(_strings(body, "properties")), _names(_strings(body, "propertiesWithHistory")))


def limit(request: Request, default: int, most: int) -> int:
    """The query's `limit`, 1 to `most`. Raises Refused."""
    text = request.query_params.get("limit", str(default))
    if not re.fullmatch(r"[0-9]+", text) or not 0 < int(text) <= most:
        message = f"Invalid value for limit: {text}. It must be an integer from 1 to {most}"
        raise Refused(invalid(message, "INVALID_LIMIT", limit=text))
    return int(text)


def flag(request: Request, name: str) -> bool:
    """The query's `name`, true or false (the default). Raises Refused."""
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Refused(invalid(f"Invalid value for {name}: {text}. It must be true or false", **{name: text}))
    return text == "true"


def cursor(request: Request, *, expired: bool = False) -> str:
    """The query's `after`, empty where there is none. Raises Refused where it is none that was ever given out."""
    text = request.query_params.get("after", "")
    if text and (expired or not re.fullmatch(r"[0-9]+", text)):
        raise Refused(invalid(f"Invalid value for after: {text}", "INVALID_AFTER", after=text))
    return text


def inputs(body: dict[str, Any], most: int) -> list[dict[str, Any]]:
    """The body's `inputs`, objects with an id. Raises Refused."""
    found = body.get("inputs")
    if not isinstance(found, list) or not all(isinstance(item, dict) and "id" in item for item in found):
        raise Refused(invalid("Invalid input JSON: inputs must be a list of objects with an id", "INVALID_JSON"))
    if len(found) > most:
        raise Refused(invalid(f"The maximum number of inputs is {most}, got {len(found)}", "TOO_MANY_INPUTS"))
    return found


def _names(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for value in values for name in value.split(",") if name))


def _strings(body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise Refused(invalid(f"Invalid input JSON: {name} must be a list of strings", "INVALID_JSON"))
    return value or []
