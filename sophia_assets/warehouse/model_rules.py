"""The `expectations` of a model's header, as the Expectation objects that raw tables declare too.

Each is a mapping with a `kind` and what that kind asks for, for example
`{kind: between, column: score, min: 0, max: 100, severity: warn}`. `severity` (error or warn) and
`recovery` (what to do about a failure) may stand in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.sources.declarations import Expectation

SEVERITIES = ("error", "warn")
_COMMON = ("kind", "severity", "recovery")
_NUMBER = (int, float)


@dataclass(frozen=True)
class _Kind:
    """One kind of rule: what it may be given besides columns, by type, what it must be given, and how it is made."""

    arguments: Mapping[str, tuple[type, ...]]
    required: tuple[str, ...]
    build: Callable[[list[str], Mapping[str, Any]], Iterator[tuple[str, dict[str, Any]]]]


def _each_not_null(columns: list[str], given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    more = {"mostly": given["mostly"]} if "mostly" in given else {}
    for column in columns:
        yield "column_values_to_not_be_null", {"column": column, **more}


def _unique(columns: list[str], given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if len(columns) == 1:
        yield "column_values_to_be_unique", {"column": columns[0]}
    else:
        yield "compound_columns_to_be_unique", {"column_list": columns}


def _between(columns: list[str], given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    names = {"min": "min_value", "max": "max_value", "mostly": "mostly"}
    for column in columns:
        yield (
            "column_values_to_be_between",
            {"column": column, **{name: given[key] for key, name in names.items() if key in given}},
        )


def _one_of(columns: list[str], given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    more = {"mostly": given["mostly"]} if "mostly" in given else {}
    for column in columns:
        yield "column_values_to_be_in_set", {"column": column, "value_set": list(given["values"]), **more}


_MOSTLY: dict[str, tuple[type, ...]] = {"mostly": _NUMBER}
KINDS: Mapping[str, _Kind] = {
    "not_null": _Kind(_MOSTLY, (), _each_not_null),
    "unique": _Kind({}, (), _unique),
    "between": _Kind({"min": _NUMBER, "max": _NUMBER, **_MOSTLY}, (), _between),
    "one_of": _Kind({"values": (list,), **_MOSTLY}, ("values",), _one_of),
}


def parse_expectations(entries: Any, columns: Mapping[str, Any], where: str) -> tuple[Expectation, ...]:
    """The rules that a header lists, in order; `columns` are the model's own.

    A rule that names several columns gives one expectation for each, but for `unique`, which is about
    all of them together. Raises ConfigurationError naming `where` (the file), the entry and the key,
    and what is allowed.
    """
    if not isinstance(entries, list):
        raise ConfigurationError(f"expectations in the header of {where} must be a list of rules, one mapping each")
    found = [
        expectation
        for number, entry in enumerate(entries, start=1)
        for expectation in _parse(entry, columns, where, f"expectation {number} in the header of {where}")
    ]
    names = [expectation.name for expectation in found]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(f"expectations in the header of {where} give the check {repeated} twice")
    return tuple(found)


def _parse(entry: Any, columns: Mapping[str, Any], file: str, where: str) -> Iterator[Expectation]:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where} must be a mapping, such as {{kind: not_null, column: account_id}}")
    kind = KINDS.get(str(entry.get("kind")))
    if kind is None:
        raise ConfigurationError(f"kind of {where} must be one of {', '.join(KINDS)}")
    allowed = (*_COMMON, "column", "columns", *kind.arguments)
    if unknown := next((str(key) for key in entry if key not in allowed), None):
        raise ConfigurationError(f"{where} has {unknown}; a {entry['kind']} may have {', '.join(allowed)}")
    if entry.get("severity", SEVERITIES[0]) not in SEVERITIES:
        raise ConfigurationError(f"severity of {where} must be {' or '.join(SEVERITIES)}")
    if not isinstance(entry.get("recovery", ""), str):
        raise ConfigurationError(f"recovery of {where} must be a text")
    _refuse_wrong_arguments(entry, kind, where)
    for ge_kind, arguments in kind.build(_columns(entry, columns, where), entry):
        subject = arguments.get("column") or " and ".join(arguments["column_list"])
        yield Expectation(
            kind=ge_kind,
            arguments=arguments,
            severity=entry.get("severity", SEVERITIES[0]),
            recovery=entry.get("recovery")
            or f"See in {file}, and in the lineage of {subject}, which raw rows give these values; correct them there.",
        )


def _refuse_wrong_arguments(entry: Mapping[str, Any], kind: _Kind, where: str) -> None:
    for name in kind.required:
        if not entry.get(name):
            raise ConfigurationError(f"{where} lacks {name}, without which a {entry['kind']} says nothing")
    for name, types in kind.arguments.items():
        # YAML's true is an int for Python, and no number for anybody else.
        if name in entry and (not isinstance(entry[name], types) or isinstance(entry[name], bool)):
            raise ConfigurationError(f"{name} of {where} must be {'a list' if list in types else 'a number'}")
    if not 0 < entry.get("mostly", 1) <= 1:
        raise ConfigurationError(f"mostly of {where} must be a share of the rows, above 0 and at most 1")
    if entry["kind"] == "between":
        if "min" not in entry and "max" not in entry:
            raise ConfigurationError(f"{where} needs min, max or both")
        if entry.get("min", entry.get("max")) > entry.get("max", entry.get("min")):
            raise ConfigurationError(f"min of {where} is greater than its max")


def _columns(entry: Mapping[str, Any], columns: Mapping[str, Any], where: str) -> list[str]:
    if ("column" in entry) == ("columns" in entry):
        raise ConfigurationError(f"{where} must have either column (one name) or columns (a list of names)")
    named = entry["columns"] if "columns" in entry else [entry["column"]]
    if not isinstance(named, list) or not named:
        raise ConfigurationError(f"columns of {where} must be a list of names")
    for name in named:
        if name not in columns:
            raise ConfigurationError(f"{where} is about {name}, which is not among the model's columns")
    return [str(name) for name in named]
