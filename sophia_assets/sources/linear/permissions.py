"""Asks Linear for one node of each kind, and says which kinds the key may not read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sophia_assets.sources.linear import queries
from sophia_assets.sources.linear.api import LinearApi
from sophia_assets.sources.linear.queries import Query
from sophia_assets.sources.permissions import Budget, Remark, Told, tried

_TABLES: tuple[tuple[Query, tuple[str, ...]], ...] = (
    (queries.TEAMS, ("linear.teams",)),
    (queries.WORKFLOW_STATES, ("linear.workflow_states",)),
    (queries.USERS, ("linear.users",)),
    (queries.LABELS, ("linear.labels",)),
    (queries.PROJECTS, ("linear.projects",)),
    (queries.CYCLES, ("linear.cycles",)),
    (queries.ISSUES, ("linear.issues", "linear.issue_labels", "linear.issue_history")),
)


def permissions(api: LinearApi) -> Iterator[Told]:
    """One request per kind. Raises a SourceError where Linear does not answer, or does not know the key."""
    seen: dict[str, int] = {}

    def look(query: Query) -> None:
        seen[query.name] = api.look(query)

    for query, tables in _TABLES:
        yield tried(f"read {query.root}", tables, partial(look, query))
    if seen.get(queries.TEAMS.name) == 0:
        yield Remark("teams", "the key sees no team, so that no issue is read", "Give it access to the teams in Linear")
    for name, left, limit in api.left_of_hour():
        yield Budget(f"the hour's {name}", left, limit)
