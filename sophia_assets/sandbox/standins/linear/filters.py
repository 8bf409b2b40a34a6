"""Filters as predicates on nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sophia_assets.sandbox.standins.linear.nodes import Node

Predicate = Callable[[Node], bool]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, bound: bool(value == bound),
    "in": lambda value, bound: value in bound,
    "gt": lambda value, bound: bool(value > bound),
    "gte": lambda value, bound: bool(value >= bound),
    "lt": lambda value, bound: bool(value < bound),
    "lte": lambda value, bound: bool(value <= bound),
}


def predicate(wanted: Mapping[str, Any] | None) -> Predicate | None:
    """What a filter of the schema's types, with coerced values, lets through; None where it lets all through."""
    tests = [_test(name, rule) for name, rule in (wanted or {}).items() if rule is not None]
    return (lambda node: all(test(node) for test in tests)) if tests else None


def _test(name: str, rule: Any) -> Predicate:
    if name in ("and", "or"):
        parts = [predicate(part) or _everything for part in rule]
        combine = all if name == "and" else any
        return lambda node: combine(part(node) for part in parts)
    if name == "team":
        inner = predicate(rule) or _everything
        return lambda node: (team := node.links.get("team")) is not None and inner(team)
    return _compared(name, rule)


def _compared(name: str, rule: Mapping[str, Any]) -> Predicate:
    """Moments are texts of one format and compare as such; a missing value meets only `null: true`."""
    empty = rule.get("null")
    bounds = [(_COMPARISONS[key], bound) for key, bound in rule.items() if key != "null" and bound is not None]

    def test(node: Node) -> bool:
        value = node.values[name]
        if empty is not None and (value is None) != empty:
            return False
        return all(value is not None and compare(value, bound) for compare, bound in bounds)

    return test


def _everything(node: Node) -> bool:
    return True
