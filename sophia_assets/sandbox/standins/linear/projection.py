"""Turns a validated operation into a function from nodes to answers, and into points of complexity.

An operation is compiled once per request, after which each node costs a few look-ups: executing field by
field would take a hundred times as long.

Complexity is counted as the vendor documents it: 0.1 for a plain field, 1 for an object, and what a
connection holds times its `first` (50 where it is not given), rounded up in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode, GraphQLObjectType, get_named_type, is_leaf_type, is_non_null_type
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from sophia_assets.sandbox.standins.linear.connections import Pager, Request
from sophia_assets.sandbox.standins.linear.nodes import Graph, Node
from sophia_assets.sandbox.standins.linear.schema import SCHEMA, Operation

DEFAULT_FIRST = 50
_LEAF, _OBJECT = 0.1, 1.0

Fields = dict[str, list[FieldNode]]
Project = Callable[[Node], dict[str, Any]]
Answer = Callable[[Graph], Any]


@dataclass(frozen=True)
class Compiled:
    """A compiled operation: `answer` makes its data, `points` is its complexity.

    `fragile` are, per root connection, the nullable fields of its nodes.
    """

    answer: Answer
    points: int
    fragile: dict[str, list[str]]


def compile_operation(operation: Operation, variables: dict[str, Any], pager: Pager) -> Compiled:
    """Compile an operation with its variables. Raises Refused where an argument is out of bounds."""
    return _Compiler(operation, variables, pager).compiled()


class _Compiler:
    def __init__(self, operation: Operation, variables: dict[str, Any], pager: Pager) -> None:
        self._operation = operation
        self._variables = variables
        self._pager = pager
        self._fragile: dict[str, list[str]] = {}

    def compiled(self) -> Compiled:
        root = SCHEMA.query_type
        assert root is not None  # the schema has one
        selected = self._operation.definition.selection_set
        fields = collect_fields(SCHEMA, self._operation.fragments, self._variables, root, selected)
        parts: list[tuple[str, Answer]] = []
        points = 0.0
        for key, nodes in fields.items():
            part, cost = self._root(key, root, nodes)
            parts.append((key, part))
            points += cost
        return Compiled(lambda graph: {key: part(graph) for key, part in parts}, -int(-points // 1), self._fragile)

    def _root(self, key: str, root: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[Answer, float]:
        name = nodes[0].name.value
        if name == "__typename":
            return lambda graph: root.name, _LEAF
        if not _is_connection(root, name):
            project, cost = self._object(_type_of(root, name), nodes)
            return lambda graph: project(graph.single[name]), cost
        request = self._request(root, nodes[0], [key], nested=False)
        page, cost = self._page(_type_of(root, name), nodes, request)
        self._fragile[key] = self._nullable(_type_of(root, name), nodes)
        return lambda graph: page(graph.ordered(name, request.order_by)), cost

    def _object(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[Project, float]:
        leaves: list[tuple[str, str]] = []
        objects: list[tuple[str, str, Project]] = []
        pages: list[tuple[str, str, Request, Callable[[list[Node]], dict[str, Any]]]] = []
        constants: dict[str, str] = {}
        points = _OBJECT
        for key, fields in self._below(kind, nodes).items():
            name = fields[0].name.value
            cost = _LEAF
            if name == "__typename":
                constants[key] = kind.name
            elif _is_connection(kind, name):
                request = self._request(kind, fields[0], [key], nested=True)
                page, cost = self._page(_type_of(kind, name), fields, request)
                pages.append((key, name, request, page))
            elif is_leaf_type(get_named_type(kind.fields[name].type)):
                leaves.append((key, name))
            else:
                project, cost = self._object(_type_of(kind, name), fields)
                objects.append((key, name, project))
            points += cost
        pager = self._pager

        def run(node: Node) -> dict[str, Any]:
            values, links = node.values, node.links
            made = {key: values[name] for key, name in leaves}
            for key, name, project in objects:
                linked = links[name]
                made[key] = None if linked is None else project(linked)
            for key, name, request, page in pages:
                made[key] = page(pager.inner(node.lists[name], request))
            return made | constants if constants else made

        return run, points

    def _page(
        self, kind: GraphQLObjectType, nodes: list[FieldNode], request: Request
    ) -> tuple[Callable[[list[Node]], dict[str, Any]], float]:
        """A connection: from all of its nodes, in order, to the page that was asked for."""
        points = _OBJECT
        projections: list[tuple[str, str, Any]] = []
        for key, fields in self._below(kind, nodes).items():
            name = fields[0].name.value
            if name == "nodes":
                project, cost = self._object(_type_of(kind, name), fields)
                points += cost * request.first
                projections.append((key, name, project))
            elif name == "edges":
                edge, cost = self._edge(_type_of(kind, name), fields)
                points += cost * request.first
                projections.append((key, name, edge))
            elif name == "pageInfo":
                keys = [(k, f[0].name.value) for k, f in self._below(_type_of(kind, name), fields).items()]
                points += _OBJECT + _LEAF * len(keys)
                projections.append((key, name, keys))
            else:
                points += _LEAF
                projections.append((key, name, kind.name))
        pager = self._pager

        def run(items: list[Node]) -> dict[str, Any]:
            found, info = pager.page(items, request)
            made: dict[str, Any] = {}
            for key, name, part in projections:
                if name == "pageInfo":
                    made[key] = {k: info[f] for k, f in part}
                elif name == "__typename":
                    made[key] = part
                else:
                    made[key] = [part(node) for node in found]
            return made

        return run, points

    def _edge(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[Project, float]:
        points = _OBJECT
        project: Project | None = None
        keys: list[tuple[str, str]] = []
        for key, fields in self._below(kind, nodes).items():
            name = fields[0].name.value
            cost = _LEAF
            if name == "node":
                project, cost = self._object(_type_of(kind, name), fields)
            keys.append((key, name))
            points += cost

        def run(node: Node) -> dict[str, Any]:
            constants = {"cursor": node.values["id"], "__typename": kind.name}
            return {key: project(node) if name == "node" and project else constants[name] for key, name in keys}

        return run, points

    def _request(self, kind: GraphQLObjectType, node: FieldNode, path: Sequence[str], *, nested: bool) -> Request:
        given = get_argument_values(kind.fields[node.name.value], node, self._variables)
        return self._pager.request(given, path, DEFAULT_FIRST, nested=nested)

    def _below(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Fields:
        return collect_sub_fields(SCHEMA, self._operation.fragments, self._variables, kind, nodes)

    def _nullable(self, connection: GraphQLObjectType, nodes: list[FieldNode]) -> list[str]:
        """The response keys of the connection's nodes that may be null."""
        inner = self._below(connection, nodes).get("nodes")
        if not inner:
            return []
        kind = _type_of(connection, "nodes")
        return [
            key
            for key, fields in self._below(kind, inner).items()
            if (name := fields[0].name.value) in kind.fields and not is_non_null_type(kind.fields[name].type)
        ]


def _type_of(kind: GraphQLObjectType, name: str) -> GraphQLObjectType:
    found = get_named_type(kind.fields[name].type)
    assert isinstance(found, GraphQLObjectType)  # the schema's composite types are all objects
    return found


def _is_connection(kind: GraphQLObjectType, name: str) -> bool:
    return name in kind.fields and "first" in kind.fields[name].args
