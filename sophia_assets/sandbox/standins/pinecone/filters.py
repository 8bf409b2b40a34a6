"""Pinecone's metadata filters: which vectors pass `{"kind": {"$eq": "runbook"}, "$or": [...]}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]

_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "$gt": lambda held, given: held > given,
    "$gte": lambda held, given: held >= given,
    "$lt": lambda held, given: held < given,
    "$lte": lambda held, given: held <= given,
}


class BadFilter(Exception):
    """A filter that Pinecone refuses."""


def compiled(given: Any) -> Test:
    """The test that a filter makes of a vector's metadata. Raises BadFilter."""
    if not isinstance(given, Mapping):
        raise BadFilter("the filter must be an object")
    tests = [_part(name, value) for name, value in given.items()]
    return lambda metadata: all(test(metadata) for test in tests)


def _part(name: str, value: Any) -> Test:
    if name in ("$and", "$or"):
        if not isinstance(value, list) or not value:
            raise BadFilter(f"{name} takes a list of filters")
        tests = [compiled(part) for part in value]
        among = all if name == "$and" else any
        return lambda metadata: among(test(metadata) for test in tests)
    if name.startswith("$"):
        raise BadFilter(f"{name} is not a valid top-level operator")
    conditions = value if isinstance(value, Mapping) else {"$eq": value}
    tests = [_condition(name, operator, operand) for operator, operand in conditions.items()]
    return lambda metadata: all(test(metadata) for test in tests)


def _condition(name: str, operator: str, operand: Any) -> Test:
    if operator in ("$eq", "$ne"):
        _scalar(operator, operand)
        equal = operator == "$eq"
        return lambda metadata: _holds(metadata.get(name), (operand,)) is equal
    if operator in ("$in", "$nin"):
        if not isinstance(operand, list):
            raise BadFilter(f"{operator} takes a list")
        for value in operand:
            _scalar(operator, value)
        wanted = operator == "$in"
        return lambda metadata: _holds(metadata.get(name), operand) is wanted
    if operator in _ORDERS:
        if not _is_number(operand):
            raise BadFilter(f"{operator} takes a number")
        compare = _ORDERS[operator]
        return lambda metadata: _is_number(metadata.get(name)) and compare(metadata[name], operand)
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise BadFilter("$exists takes true or false")
        return lambda metadata: (name in metadata) is operand
    raise BadFilter(f"{operator} is not a valid operator")


def _holds(held: Any, wanted: Any) -> bool:
    """Whether the value, or one of a list of values, is among those wanted; true is not the number 1."""
    values = held if isinstance(held, list) else [held]
    return any(
        value == other and isinstance(value, bool) is isinstance(other, bool)
        for value in values
        for other in wanted
        if value is not None
    )


def _scalar(operator: str, value: Any) -> None:
    if not isinstance(value, str | bool | int | float):
        raise BadFilter(f"{operator} takes text, a number, or true or false")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
