"""From text to the JSON that was asked for: the same verdict as a whole implementation of JSON Schema, and stricter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sophia_assets.llm.structured import NotWhatWasAsked, check, parsed

DRAFT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "bottom_line": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "story": {"type": "string"}},
                "required": ["text", "story"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["bottom_line"],
    "additionalProperties": False,
}
GOOD = '{"bottom_line": [{"text": "a", "story": ""}]}'


def test_what_was_asked_for_is_given() -> None:
    assert parsed(f"\n {GOOD} ", DRAFT) == {"bottom_line": [{"text": "a", "story": ""}]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "null",
        "[]",
        "7",
        GOOD[:-1],
        GOOD + GOOD,
        f"```json\n{GOOD}\n```",
        f"Here it is: {GOOD}",
        "{'bottom_line': []}",
        "{}",
        '{"bottom_line": {}}',
        '{"bottom_line": null}',
        '{"bottom_line": [{"text": "a"}]}',
        '{"bottom_line": [{"text": 1, "story": ""}]}',
        '{"bottom_line": [], "extra": 1}',
        '{"bottom_line": [], "bottom_line": []}',
        '{"bottom_line": [{"text": "\\ud800", "story": ""}]}',
        '{"bottom_line": [{"text": "\\u0000", "story": ""}]}',
        '{"bottom_line": NaN}',
        "[" * 100_000,
        '{"a":' * 20_000,
        '{"bottom_line": ' + "9" * 5_000 + "}",
    ],
    ids=range(23),
)
def test_anything_else_is_no_answer_and_is_not_repeated(text: str) -> None:
    with pytest.raises(NotWhatWasAsked) as raised:
        parsed(text, DRAFT)
    assert len(str(raised.value)) < 200


def test_the_message_says_where_and_repeats_nothing_of_the_answer() -> None:
    with pytest.raises(NotWhatWasAsked, match=r"bottom_line\[0\]\.text is not of the type string"):
        parsed('{"bottom_line": [{"text": ["CANARY"], "story": ""}]}', DRAFT)
    with pytest.raises(NotWhatWasAsked) as raised:
        parsed('{"bottom_line": [], "CANARY": 1}', DRAFT)
    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "integer"}),
        (1, {"type": "boolean"}),
        (1.5, {"type": "integer"}),
        (float("inf"), {"type": "number"}),
        (True, {"enum": [1]}),
        (1, {"const": True}),
        ("c", {"enum": ["a", "b"]}),
        ("a", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ({"a": 1}, {"type": "object", "additionalProperties": {"type": "string"}}),
        ({"\ud800": 1}, {"type": "object"}),
    ],
)
def test_values_that_only_look_right_are_refused(value: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(NotWhatWasAsked):
        check(value, schema)


def test_a_schema_beyond_what_is_checked_is_a_mistake_that_shows() -> None:
    with pytest.raises(TypeError, match="pattern"):
        check("a", {"type": "string", "pattern": "b"})


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, -1.25]), st.text("ab", max_size=2)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
SCHEMAS = st.recursive(
    st.one_of(
        st.builds(lambda name: {"type": name}, TYPES),
        st.builds(lambda names: {"type": names}, st.lists(TYPES, min_size=1, max_size=2, unique=True)),
        st.builds(lambda values: {"enum": values}, st.lists(SCALARS, min_size=1, max_size=3)),
        st.builds(lambda value: {"const": value}, SCALARS),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda any_of: {"anyOf": any_of}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda properties, required, others: {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": others,
            },
            st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
            st.one_of(st.booleans(), inner),
        ),
    ),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None)
@given(VALUES, SCHEMAS)
def test_its_verdict_is_that_of_the_standard(value: Any, schema: dict[str, Any]) -> None:
    expected = Draft202012Validator(schema).is_valid(value)
    try:
        check(value, schema)
        found = True
    except NotWhatWasAsked:
        found = False
    assert found == expected


@settings(deadline=None)
@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for each in (text, json.dumps({"bottom_line": [{"text": text, "story": ""}]})):
        try:
            found = parsed(each, DRAFT)
        except NotWhatWasAsked:
            continue
        json.dumps(found).encode()
