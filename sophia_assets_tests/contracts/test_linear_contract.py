"""Our Linear is a part of the vendor's: its schema, the connector's queries, the stand-in's answers and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute,
    parse,
    validate,
)

from sophia_assets.sandbox.standins.linear.errors import too_complex
from sophia_assets.sandbox.standins.linear.schema import SCHEMA
from sophia_assets.sources.linear.queries import ACCOUNT, QUERIES, Query
from sophia_assets_tests.contracts.openapi import CONTRACTS, needs_contracts
from sophia_assets_tests.sandbox.linear_client import LinearClient
from sophia_assets_tests.sandbox.small_company import served, small_company
from sophia_assets_tests.sandbox.small_linear import linear_id

pytestmark = needs_contracts

OURS = sorted(
    name
    for name, kind in SCHEMA.type_map.items()
    if not name.startswith("__") and not isinstance(kind, GraphQLScalarType)
)
by_name = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


@cache
def vendor() -> GraphQLSchema:
    return build_schema((CONTRACTS / "linear" / "schema.graphql").read_text(encoding="utf-8"))


@cache
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONTRACTS / "linear" / "errors.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def linear() -> Iterator[LinearClient]:
    with served(small_company(hubspot=None, gong=None, snowflake=None)) as started:
        yield LinearClient(started.env)


@pytest.mark.parametrize("name", OURS)
def test_every_type_that_we_serve_is_the_vendors_with_nothing_added(name: str) -> None:
    ours, theirs = SCHEMA.type_map[name], vendor().type_map[name]
    assert type(ours) is type(theirs)
    if isinstance(ours, GraphQLEnumType):
        assert isinstance(theirs, GraphQLEnumType)
        assert ours.values.keys() <= theirs.values.keys()
        return
    composite = GraphQLObjectType | GraphQLInputObjectType | GraphQLInterfaceType
    assert isinstance(ours, composite)
    assert isinstance(theirs, composite)
    for field_name, field in ours.fields.items():
        assert str(field.type) == str(theirs.fields[field_name].type), field_name
        for argument, described in getattr(field, "args", {}).items():
            assert str(described.type) == str(theirs.fields[field_name].args[argument].type), (field_name, argument)
    if isinstance(ours, GraphQLObjectType):
        assert isinstance(theirs, GraphQLObjectType)
        assert {kind.name for kind in ours.interfaces} <= {kind.name for kind in theirs.interfaces}


@by_name
def test_every_query_of_the_connector_is_valid_in_the_vendors_schema(query: Query) -> None:
    assert validate(vendor(), parse(query.document)) == []


def test_the_ping_is_valid_in_the_vendors_schema() -> None:
    assert validate(vendor(), parse(ACCOUNT)) == []


@by_name
def test_what_the_stand_in_answers_is_what_the_vendors_schema_allows(linear: LinearClient, query: Query) -> None:
    """Executed in the vendor's schema over the answer itself: a missing or mistyped value is an error there."""
    variables: dict[str, Any] = {"first": min(query.first, 250)}
    if "$filter" in query.document:
        variables["filter"] = {"id": {"in": [linear_id(2, 3), linear_id(2, 4)]}}
    data = linear.data(query.document, **variables)

    assert data[query.root]["nodes"]
    result = execute(vendor(), parse(query.document), root_value=data, variable_values=variables)
    assert result.errors is None  # type: ignore[union-attr]
    assert result.data == data  # type: ignore[union-attr]


@by_name
def test_a_page_costs_no_more_than_the_connector_reckons(linear: LinearClient, query: Query) -> None:
    cost = float(linear.ask(query.document, first=query.first).headers["X-Complexity"])

    assert 0.95 * query.cost(query.first) - 5 <= cost <= query.cost(query.first) <= 10_000


def _shape(value: Any) -> Any:
    """Keys and types, without the values."""
    if isinstance(value, dict):
        return {key: _shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shape(part) for part in value]
    return type(value).__name__


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("first_over_250", "{ issues(first: 251) { nodes { id } } }"),
        ("unknown_argument", "{ issueLabels(sort: 1) { nodes { id } } }"),
        ("too_complex", "{ issues(first: 250) { nodes { history(first: 250) { nodes { id } } } } }"),
    ],
)
def test_refusals_are_shaped_as_recorded(linear: LinearClient, name: str, query: str) -> None:
    answer, expected = linear.ask(query), recorded()[name]

    assert answer.status_code == expected["status"]
    assert _shape(answer.json()) == _shape(expected["body"])
    assert answer.json()["errors"][0]["message"] == expected["body"]["errors"][0]["message"]
    told = {header for header in expected.get("headers", {}) if header.startswith("x-")}
    assert told <= {header.lower() for header in answer.headers}


def test_a_wrong_key_is_refused_as_recorded(linear: LinearClient) -> None:
    answer = linear.post("", json={"query": "{ viewer { id } }"}, headers={"Authorization": "wrong"})

    assert (answer.status_code, answer.json()) == (recorded()["auth"]["status"], recorded()["auth"]["body"])


def test_a_spent_limit_is_shaped_as_recorded() -> None:
    with served(small_company(hubspot=None, gong=None, snowflake=None), faults=("linear:rate_limit:60",)) as limited:
        answer = LinearClient(limited.env).ask("{ viewer { id } }")
    expected = recorded()["ratelimited"]

    assert answer.status_code == expected["status"]
    assert _shape(answer.json()) == _shape(expected["body"])
    assert set(expected["headers"]) <= {name.lower() for name in answer.headers}


def test_the_refusal_of_a_complex_query_has_the_recorded_words() -> None:
    assert too_complex(262_144, 10_000).errors == recorded()["too_complex"]["body"]["errors"]


def test_the_check_itself_notices_a_value_that_the_vendor_does_not_allow(linear: LinearClient) -> None:
    query = QUERIES[0]
    data = linear.data(query.document, first=1)
    data[query.root]["nodes"][0]["name"] = None
    result = execute(vendor(), parse(query.document), root_value=data, variable_values={"first": 1})

    assert result.errors  # type: ignore[union-attr]
