"""HubSpot's search: validation of the request, filters, the sort, the free-text query."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sophia_assets.sandbox.standins.hubspot.schema import ValueType, comparable, value_type

MOST_GROUPS = 5
MOST_FILTERS_PER_GROUP = 6
MOST_FILTERS = 18
MOST_RESULTS = 10_000
MOST_PER_PAGE = 200

Value = str | float | None
Columns = Callable[[str], list[Value]]


class BadSearch(Exception):
    """A search that HubSpot answers with 400; `context` names the culprit."""

    def __init__(self, message: str, code: str = "INVALID_SEARCH", **context: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.context = context


class SearchBroke(Exception):
    """A search that makes HubSpot itself fail with 500: a date at the epoch."""


@dataclass(frozen=True)
class Filter:
    """One condition on a property, its operands already comparable."""

    name: str
    operator: str
    operand: Value = None
    high: Value = None
    operands: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Search:
    """A validated search. `groups` are alternatives, the filters within a group must all hold."""

    groups: tuple[tuple[Filter, ...], ...] = ()
    sort: str = "createdate"
    descending: bool = False
    query: str = ""
    after: int = 0
    limit: int = 10
    properties: tuple[str, ...] = field(default=(), compare=False)

    @property
    def selection(self) -> tuple[Any, ...]:
        """What decides which records are found and in which order, whatever the page."""
        return self.groups, self.sort, self.descending, self.query


def parse_search(body: dict[str, Any], known: frozenset[str]) -> Search:
    """Validate a search body as HubSpot does. Raises BadSearch, SearchBroke."""
    groups = _list(body, "filterGroups")
    if len(groups) > MOST_GROUPS:
        raise BadSearch(f"Too many filter groups. Maximum is {MOST_GROUPS}", "TOO_MANY_FILTER_GROUPS")
    parsed = tuple(_group(group, known) for group in groups)
    if sum(map(len, parsed)) > MOST_FILTERS:
        raise BadSearch(f"Too many filters in total. Maximum is {MOST_FILTERS}", "TOO_MANY_FILTERS")
    sort, descending = _sort(_list(body, "sorts"), known)
    after, limit = _integer(body, "after", 0), _integer(body, "limit", 10)
    if not 0 < limit <= MOST_PER_PAGE:
        raise BadSearch(f"limit must be between 1 and {MOST_PER_PAGE}", "INVALID_LIMIT")
    if after < 0 or after + limit > MOST_RESULTS:
        raise BadSearch(
            f"The search can return at most {MOST_RESULTS} results: after + limit is beyond it", "API_LIMIT"
        )
    names = tuple(str(name) for name in _list(body, "properties"))
    return Search(parsed, sort, descending, str(body.get("query") or "").lower(), after, limit, names)


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadSearch(f"Invalid input JSON: {name} must be a list", "INVALID_JSON")
    return value


def _integer(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value in (None, ""):
        return default
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        raise BadSearch(f"Invalid input JSON: {name} must be an integer, got {value!r}", "INVALID_JSON")
    return int(str(value))


def _group(group: Any, known: frozenset[str]) -> tuple[Filter, ...]:
    filters = _list(group, "filters") if isinstance(group, dict) else []
    if not filters:
        raise BadSearch("A filter group must have at least one filter", "EMPTY_FILTER_GROUP")
    if len(filters) > MOST_FILTERS_PER_GROUP:
        raise BadSearch(f"Too many filters in a group. Maximum is {MOST_FILTERS_PER_GROUP}", "TOO_MANY_FILTERS")
    return tuple(_filter(item, known) for item in filters)


def _filter(item: Any, known: frozenset[str]) -> Filter:
    if not isinstance(item, dict):
        raise BadSearch("Invalid input JSON: a filter must be an object", "INVALID_JSON")
    name, operator = str(item.get("propertyName", "")), str(item.get("operator", ""))
    if name not in known:
        raise BadSearch(f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST", propertyName=name)
    if operator not in TESTS:
        raise BadSearch(f'Invalid input JSON: unknown operator "{operator}"', "INVALID_OPERATOR", propertyName=name)
    kind = value_type(name)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return Filter(name, operator)
    if operator in ("IN", "NOT_IN"):
        values = item.get("values")
        if not isinstance(values, list) or not values:
            raise BadSearch(f"{operator} needs a list of values", "MISSING_VALUES", propertyName=name)
        return Filter(name, operator, operands=tuple(_operand(value, kind, name) for value in values))
    high = _operand(item.get("highValue"), kind, name) if operator == "BETWEEN" else None
    return Filter(name, operator, _operand(item.get("value"), kind, name), high)


def _operand(value: Any, kind: ValueType, name: str) -> Value:
    if value is None or isinstance(value, dict | list):
        raise BadSearch("A filter on this operator needs a value", "MISSING_VALUE", propertyName=name)
    text = str(value)
    if kind == "datetime":
        if not re.fullmatch(r"-?\d+", text):
            raise BadSearch(f"{text} is not a timestamp in milliseconds", "INVALID_TIMESTAMP", propertyName=name)
        if int(text) == 0:
            raise SearchBroke
        return float(text)
    parsed = comparable(text, kind)
    if parsed is None:
        raise BadSearch(f'"{text}" is not a valid {kind}', "INVALID_VALUE", propertyName=name)
    return parsed


def _sort(sorts: list[Any], known: frozenset[str]) -> tuple[str, bool]:
    if not sorts:
        return "createdate", False
    if len(sorts) > 1:
        raise BadSearch("Only one sort is allowed", "TOO_MANY_SORTS")
    if isinstance(sorts[0], dict):
        name, descending = str(sorts[0].get("propertyName", "")), sorts[0].get("direction") == "DESCENDING"
    else:
        name, descending = str(sorts[0]).removeprefix("-"), str(sorts[0]).startswith("-")
    if name not in known:
        raise BadSearch(f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST", propertyName=name)
    return name, descending


def _has_token(value: Any, pattern: Any) -> bool:
    expression = re.compile(re.escape(str(pattern)).replace(r"\*", ".*"))
    return any(expression.fullmatch(word) for word in re.split(r"[\s@,;/]+", str(value)))


# Each test gets a value that is present; HubSpot's negative operators skip records without a value too.
TESTS: dict[str, Callable[[Any, Filter], bool]] = {
    "EQ": lambda value, f: value == f.operand,
    "NEQ": lambda value, f: value != f.operand,
    "LT": lambda value, f: value < f.operand,
    "LTE": lambda value, f: value <= f.operand,
    "GT": lambda value, f: value > f.operand,
    "GTE": lambda value, f: value >= f.operand,
    "BETWEEN": lambda value, f: f.operand <= value <= f.high,
    "IN": lambda value, f: value in f.operands,
    "NOT_IN": lambda value, f: value not in f.operands,
    "HAS_PROPERTY": lambda value, f: True,
    "NOT_HAS_PROPERTY": lambda value, f: False,
    "CONTAINS_TOKEN": lambda value, f: _has_token(value, f.operand),
    "NOT_CONTAINS_TOKEN": lambda value, f: not _has_token(value, f.operand),
}


def find(search: Search, count: int, columns: Columns, text_properties: tuple[str, ...]) -> list[int]:
    """Positions, in the search's order, of the records that it finds among `count`.

    `columns(name)` gives a property's comparable values by position. Records without the sorted value come last.
    """
    found = list(range(count)) if not search.groups else _matching(search.groups, count, columns)
    if search.query:
        texts = [columns(name) for name in text_properties]
        found = [at for at in found if any(search.query in str(text[at] or "") for text in texts)]
    keys = columns(search.sort)
    present = [at for at in found if keys[at] is not None]
    present.sort(key=lambda at: keys[at], reverse=search.descending)  # type: ignore[arg-type, return-value]
    return present + [at for at in found if keys[at] is None]


def _matching(groups: tuple[tuple[Filter, ...], ...], count: int, columns: Columns) -> list[int]:
    hits: set[int] = set()
    for group in groups:
        candidates = range(count)
        positions: list[int] = list(candidates)
        for condition in group:
            positions = _holding(condition, positions, columns(condition.name))
        hits.update(positions)
    return sorted(hits)


def _holding(condition: Filter, positions: list[int], values: list[Value]) -> list[int]:
    if condition.operator == "NOT_HAS_PROPERTY":
        return [at for at in positions if values[at] is None]
    test = TESTS[condition.operator]
    return [at for at in positions if values[at] is not None and test(values[at], condition)]
