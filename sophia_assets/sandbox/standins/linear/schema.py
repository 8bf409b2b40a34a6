"""The schema that the stand-in serves, its scalars, and the parsing and validation of documents against it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from sophia_assets.sandbox.standins.answers import millisecond_stamp
from sophia_assets.sandbox.standins.linear.errors import Refused, invalid_variables, validation_failed

# Documents are few, texts are long: what was valid once is not looked at again.
_DOCUMENTS_KEPT = 256


def _moment(value: Any) -> str:
    """An ISO 8601 moment, as the answers write moments, so that texts compare as the moments do."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise GraphQLError("Value is not a valid ISO 8601 date-time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return millisecond_stamp(moment.astimezone(UTC))


def _built() -> GraphQLSchema:
    schema = build_schema(files(__package__).joinpath("schema.graphql").read_text("utf-8"))
    scalar = cast(GraphQLScalarType, schema.type_map["DateTimeOrDuration"])
    scalar.parse_value = _moment  # type: ignore[method-assign]
    return schema


SCHEMA = _built()


class Operation:
    """One validated operation of a document, with its fragments."""

    def __init__(self, document: DocumentNode, definition: OperationDefinitionNode) -> None:
        self.document = document
        self.definition = definition
        self.name = definition.name.value if definition.name is not None else None
        self.fragments: dict[str, FragmentDefinitionNode] = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def variables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given variables in their declared types. Raises Refused."""
        found = get_variable_values(SCHEMA, self.definition.variable_definitions, dict(given))
        if isinstance(found, list):
            raise invalid_variables([error.message for error in found])
        return found


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def _document(text: str) -> DocumentNode | Refused:
    try:
        document = parse(text)
    except GraphQLError as error:
        return validation_failed([error.message], "GRAPHQL_PARSE_FAILED")
    problems = validate(SCHEMA, document)
    return validation_failed([error.message for error in problems]) if problems else document


def operation(text: str, name: str | None) -> Operation:
    """The operation of that name, or the only one. Raises Refused where the document is not valid."""
    document = _document(text)
    if isinstance(document, Refused):
        raise document
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    wanted = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
    if len(wanted) != 1:
        message = f'Unknown operation named "{name}".' if name else "Must provide operation name."
        raise validation_failed([message], "OPERATION_RESOLUTION_FAILURE")
    return Operation(document, wanted[0])
