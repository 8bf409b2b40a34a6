"""The rules in a model's header: what they become, and how wrong ones are told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sophia_assets.errors import ConfigurationError
from sophia_assets.sources.declarations import Expectation
from sophia_assets.warehouse.model_rules import parse_expectations
from sophia_assets.warehouse.models import load_models

COLUMNS = {"account_id": "Id", "day": "Day", "score": "Score"}


def parse(text: str) -> tuple[Expectation, ...]:
    return parse_expectations(yaml.safe_load(text), COLUMNS, "sql/marts/rows.sql")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[{kind: not_null, columns: [account_id, day]}]",
            [("column_values_to_not_be_null", {"column": name}) for name in ("account_id", "day")],
        ),
        (
            "[{kind: not_null, column: score, mostly: 0.5}]",
            [("column_values_to_not_be_null", {"column": "score", "mostly": 0.5})],
        ),
        ("[{kind: unique, column: day}]", [("column_values_to_be_unique", {"column": "day"})]),
        (
            "[{kind: unique, columns: [account_id, day]}]",
            [("compound_columns_to_be_unique", {"column_list": ["account_id", "day"]})],
        ),
        (
            "[{kind: between, column: score, min: 0, max: 100}]",
            [("column_values_to_be_between", {"column": "score", "min_value": 0, "max_value": 100})],
        ),
        (
            "[{kind: one_of, column: score, values: [1, 2], mostly: 0.9}]",
            [("column_values_to_be_in_set", {"column": "score", "value_set": [1, 2], "mostly": 0.9})],
        ),
    ],
)
def test_a_rule_becomes_the_expectation_that_raw_tables_declare(
    text: str, expected: list[tuple[str, dict[str, Any]]]
) -> None:
    assert [(found.kind, dict(found.arguments)) for found in parse(text)] == expected


def test_severity_and_recovery_are_taken_over_and_have_defaults() -> None:
    said, unsaid = parse(
        "[{kind: not_null, column: day, severity: warn, recovery: Ask.}, {kind: between, column: score, min: 0}]"
    )
    assert (said.severity, said.recovery) == ("warn", "Ask.")
    assert unsaid.severity == "error"
    assert "sql/marts/rows.sql" in unsaid.recovery and "score" in unsaid.recovery


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{kind: not_null}", "must be a list of rules"),
        ("[not_null]", "expectation 1 in the header of sql/marts/rows.sql must be a mapping"),
        (
            "[{column: day}]",
            "kind of expectation 1 in the header of sql/marts/rows.sql must be one of not_null, unique",
        ),
        ("[{kind: positive, column: day}]", "must be one of not_null, unique, between, one_of"),
        ("[{kind: not_null, column: day, min: 0}]", "has min; a not_null may have kind, severity, recovery, column"),
        ("[{kind: not_null}]", "must have either column (one name) or columns (a list of names)"),
        ("[{kind: not_null, column: day, columns: [day]}]", "must have either column"),
        (
            "[{kind: not_null, columns: []}]",
            "columns of expectation 1 in the header of sql/marts/rows.sql must be a list",
        ),
        ("[{kind: not_null, columns: day}]", "must be a list of names"),
        ("[{kind: not_null, column: dya}]", "is about dya, which is not among the model's columns"),
        ("[{kind: not_null, column: day, severity: bad}]", "severity of expectation 1"),
        ("[{kind: not_null, column: day, recovery: [a]}]", "recovery of expectation 1"),
        ("[{kind: not_null, column: day, mostly: 50}]", "must be a share of the rows, above 0 and at most 1"),
        ("[{kind: between, column: score}]", "needs min, max or both"),
        ("[{kind: between, column: score, min: 2, max: 1}]", "is greater than its max"),
        ("[{kind: between, column: score, min: low}]", "min of expectation 1"),
        ("[{kind: between, column: score, min: true}]", "must be a number"),
        ("[{kind: one_of, column: score}]", "lacks values, without which a one_of says nothing"),
        ("[{kind: one_of, column: score, values: good}]", "must be a list"),
        (
            "[{kind: not_null, column: day}, {kind: not_null, columns: [score, day]}]",
            "give the check day_values_to_not",
        ),
    ],
)
def test_a_wrong_rule_is_told_in_one_line_with_the_file_and_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse(text)
    line = str(error.value)
    assert told in line and "sql/marts/rows.sql" in line and "\n" not in line


def test_every_mart_says_what_its_rows_must_meet() -> None:
    silent = [name for name, model in load_models().items() if model.schema == "marts" and not model.expectations]
    assert silent == []


def test_every_mart_refuses_rows_without_their_key() -> None:
    for name, model in load_models().items():
        required = {
            rule.arguments["column"]
            for rule in model.expectations
            if rule.kind == "column_values_to_not_be_null" and "mostly" not in rule.arguments
        }
        # An owner can be missing from a deal, and still the rows without one are one row.
        missing = {*model.grain} - required - {"owner_id"}
        assert model.schema != "marts" or not missing, f"{name} lets {missing} be empty"
