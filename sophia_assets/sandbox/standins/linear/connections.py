"""Relay connections: what a page's arguments mean, and which nodes it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.linear.errors import Refused, invalid_argument
from sophia_assets.sandbox.standins.linear.filters import Predicate, predicate
from sophia_assets.sandbox.standins.linear.nodes import Node, newest_first

SYSTEM = "linear"
MOST_PER_PAGE = 250
_RENEWED = "~"


@dataclass(frozen=True)
class Request:
    """What one connection is asked for; `nested` ones belong to a node of another."""

    path: tuple[str, ...]
    nested: bool
    first: int
    order_by: str
    after: str | None
    archived: bool
    disabled: bool
    keeps: Predicate | None


class Pager:
    """Cuts pages out of lists of nodes, and plays the faults that spoil pages."""

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._empty_pages = 0

    def request(self, given: Mapping[str, Any], path: Sequence[str], default: int, *, nested: bool) -> Request:
        """The arguments of a connection at `path`. Raises Refused where one is out of bounds."""
        first = given.get("first")
        first = default if first is None else first
        if first > MOST_PER_PAGE:
            raise invalid_argument(path, "first", first, "max", f"first must not be greater than {MOST_PER_PAGE}")
        if first < 1:
            raise invalid_argument(path, "first", first, "min", "first must not be less than 1")
        after = given.get("after")
        if after is not None and self._faults.cursor_expires(SYSTEM):
            raise _bad_cursor(path, after)
        return Request(
            tuple(path),
            nested,
            first,
            given.get("orderBy") or "createdAt",
            after,
            bool(given.get("includeArchived")),
            bool(given.get("includeDisabled")),
            predicate(given.get("filter")),
        )

    def inner(self, nodes: list[Node], request: Request) -> list[Node]:
        """A nested connection's nodes in the order that was asked for."""
        return newest_first(nodes, request.order_by) if len(nodes) > 1 else nodes

    def page(self, ordered: list[Node], request: Request) -> tuple[list[Node], dict[str, Any]]:
        """The page's nodes and its pageInfo. Raises Refused where the cursor is of no use."""
        nodes = [] if self._faults.active(SYSTEM, "empty") else [node for node in ordered if _visible(node, request)]
        start = self._start(ordered, nodes, request) if request.after else 0
        begin, end = start, min(start + request.first, len(nodes))
        # Only a whole list comes in odd pages: an issue's own lists would take a request each.
        if not request.nested and self._faults.active(SYSTEM, "pages"):
            begin, end = self._faults.page(SYSTEM, start, request.first, len(nodes))
        found = nodes[begin:end]
        return found, {
            "startCursor": found[0].values["id"] if found else None,
            "endCursor": self._cursor(nodes, end, renew=end == start) if end else None,
            "hasNextPage": end < len(nodes),
            "hasPreviousPage": begin > 0,
        }

    def _cursor(self, nodes: list[Node], end: int, *, renew: bool) -> str:
        """The id of the last node before `end`; behind an empty page it has to differ from the page's own cursor."""
        cursor = str(nodes[end - 1].values["id"])
        if not renew:
            return cursor
        self._empty_pages += 1
        return f"{cursor}{_RENEWED}{self._empty_pages}"

    @staticmethod
    def _start(ordered: list[Node], nodes: list[Node], request: Request) -> int:
        """Where the nodes behind the cursor begin, also where its node has left the filter meanwhile."""
        wanted = str(request.after).partition(_RENEWED)[0]
        last = next((node for node in ordered if node.values["id"] == wanted), None)
        if last is None:
            raise _bad_cursor(request.path, request.after)
        key, by = last.order(request.order_by), request.order_by
        low, high = 0, len(nodes)
        while low < high:
            middle = (low + high) // 2
            if nodes[middle].order(by) >= key:
                low = middle + 1
            else:
                high = middle
        return low


def _visible(node: Node, request: Request) -> bool:
    if not request.archived and node.hidden:
        return False
    if not request.disabled and node.values.get("active") is False:
        return False
    return request.keeps is None or request.keeps(node)


def _bad_cursor(path: Sequence[str], after: Any) -> Refused:
    return invalid_argument(path, "after", after, "cursor", "after must be a valid cursor")
