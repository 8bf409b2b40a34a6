"""Reads Linear into rows: small objects whole, issues by when they were updated or archived.

What each read of issues sees:

- Without a start: everything there is now; held issues that are missing are gone.
- With a start: issues updated in the window, and issues archived or put into the trash in it, which does
  not move `updated_at`. An issue that is updated during the read leaves the window and is found by the
  next one, which begins `LOOKBACK` earlier.
- With an end that reaches to the present: the ids of all issues, too (250 a request), since an issue that
  is deleted for good leaves no other trace.
- The first of these after a Monday's midnight (UTC) reads everything instead: a label or state that was
  renamed, or an issue that was restored from the archive, need not have moved any issue's `updated_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sophia_assets.ingestion.limiter import IN_PROCESS, Limiters
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.declarations import (
    Checkpoint,
    CompleteSet,
    PresentKeys,
    ReadItem,
    ReplacedChildren,
    Rows,
    Window,
)
from sophia_assets.sources.linear import queries
from sophia_assets.sources.linear.api import LinearApi, LinearConnection, read_page
from sophia_assets.sources.linear.permissions import permissions
from sophia_assets.sources.linear.queries import Query
from sophia_assets.sources.linear.rows import (
    Node,
    Row,
    cycle_row,
    history_rows,
    issue_row,
    label_row,
    label_rows,
    project_row,
    state_row,
    team_row,
    user_row,
)
from sophia_assets.sources.linear.tables import LOOKBACK, SYSTEM
from sophia_assets.sources.permissions import Told

CONNECTION = LinearConnection

_DAY = timedelta(days=1)


def create_source(
    connection: LinearConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
) -> LinearSource:
    """A client for the organization's Linear; nothing is contacted yet."""
    return LinearSource(connection, retry=retry, limiters=limiters)


@dataclass(frozen=True)
class _Phase:
    """One paged question of a read; `name` stands in checkpoints."""

    name: str
    query: Query
    items: Callable[[Sequence[Node]], Iterator[ReadItem]]
    variables: Mapping[str, Any]
    complete: tuple[str, ...] = ()


_SNAPSHOTS: Mapping[str, tuple[tuple[str, Query, Callable[[Node], Row]], ...]] = {
    "teams": (("teams", queries.TEAMS, team_row), ("workflow_states", queries.WORKFLOW_STATES, state_row)),
    "users": (("users", queries.USERS, user_row),),
    "labels": (("labels", queries.LABELS, label_row),),
    "projects": (("projects", queries.PROJECTS, project_row),),
    "cycles": (("cycles", queries.CYCLES, cycle_row),),
}
_ALL, _UPDATED, _ARCHIVED, _PRESENT, _DONE = "all", "updated", "archived", "present", "done"


class LinearSource:
    """Linear as a `Source`. Safe to read several groups at once from several threads."""

    system = SYSTEM

    def __init__(
        self, connection: LinearConnection, *, retry: RetryPolicy | None = None, limiters: Limiters = IN_PROCESS
    ) -> None:
        self._connection = connection
        self._api = LinearApi(connection, retry or RetryPolicy(), limiters)

    @property
    def requests_made(self) -> int:
        """HTTP requests so far, repeated ones included."""
        return self._api.transport.requests_made

    def permissions(self) -> Iterator[Told]:
        """What the credential may read, asked as cheaply as can be. Raises a SourceError."""
        return permissions(self._api)

    def ping(self) -> str:
        """See `Source.ping`."""
        name = self._api.account()
        return f"Linear answers at {self._connection.api_url} for {name or 'the organization'} and accepts the key"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """See `Source.read`. All but `issues` are read whole, whatever the window; see the module for `issues`."""
        position = resume if isinstance(resume, Mapping) else {}
        if group == "issues":
            phases = self._issue_phases(window, position.get("phase"))
        else:
            phases = [_snapshot(*part) for part in _SNAPSHOTS[group]]
        yield from self._phases(phases, position)

    def _issue_phases(self, window: Window, resumed: Any) -> list[_Phase]:
        """The phases of a read; one that goes on is of the kind that it was begun as."""
        whole = resumed == _ALL or (resumed not in (_UPDATED, _ARCHIVED, _PRESENT) and _is_whole(window))
        if whole or window.start is None:
            complete = ("issues", "issue_labels", "issue_history")
            return [_Phase(_ALL, queries.ISSUES, self._issues, {}, complete)]
        span = {"gte": _stamp(window.start), "lt": _stamp(window.end)}
        phases = [
            _Phase(_UPDATED, queries.ISSUES, self._issues, {"filter": {"updatedAt": span}}),
            _Phase(_ARCHIVED, queries.ISSUES, self._issues, {"filter": {"archivedAt": span}}),
        ]
        if resumed == _PRESENT or _reaches_the_present(window):
            phases.append(_Phase(_PRESENT, queries.ISSUE_IDS, _present, {}))
        return phases

    def _phases(self, phases: Sequence[_Phase], position: Mapping[str, Any]) -> Iterator[ReadItem]:
        """All phases, or what is left of them behind `position`."""
        names = [*(phase.name for phase in phases), _DONE]
        resumed = names.index(position["phase"]) if position.get("phase") in names else None
        for number, phase in enumerate(phases[resumed or 0 :], start=resumed or 0):
            after = None
            if number == resumed and isinstance(position.get("after"), str):
                after = position["after"]
                self._api.no_more_than(phase.query, position.get("first"))
            for page in self._api.pages(phase.query, phase.variables, after=after):
                yield from phase.items(page.nodes)
                if page.after is not None:
                    yield Checkpoint({"phase": phase.name, "after": page.after, "first": self._api.first(phase.query)})
            for table in phase.complete:
                yield CompleteSet(table)
            yield Checkpoint({"phase": names[number + 1]})

    def _issues(self, issues: Sequence[Node]) -> Iterator[ReadItem]:
        yield Rows("issues", [issue_row(issue) for issue in issues])
        yield from self._children("issue_labels", "labels", queries.MORE_LABELS, label_rows, issues)
        yield from self._children("issue_history", "history", queries.MORE_HISTORY, history_rows, issues)

    def _children(
        self,
        table: str,
        key: str,
        query: Query,
        rows: Callable[[str, list[Node]], list[Row]],
        issues: Sequence[Node],
    ) -> Iterator[ReadItem]:
        """What came with the issues; an issue with more than fits there is asked about again."""
        found: dict[str, list[Node]] = {}
        cut_off = []
        for issue in issues:
            listed = read_page(issue.get(key), key)
            if listed.after is None:
                found[str(issue["id"])] = list(listed.nodes)
            else:
                cut_off.append(str(issue["id"]))
        found |= dict(self._api.children(query, key, cut_off))
        yield Rows(table, [row for issue, entries in found.items() for row in rows(issue, entries)])
        yield ReplacedChildren(table, "issue_id", list(found))


def _snapshot(table: str, query: Query, row: Callable[[Node], Row]) -> _Phase:
    def items(nodes: Sequence[Node]) -> Iterator[ReadItem]:
        yield Rows(table, [row(node) for node in nodes])

    return _Phase(table, query, items, {}, (table,))


def _present(issues: Sequence[Node]) -> Iterator[ReadItem]:
    yield PresentKeys("issues", [(str(issue["id"]),) for issue in issues])


def _reaches_the_present(window: Window) -> bool:
    return window.end > datetime.now(UTC) - _DAY


def _is_whole(window: Window) -> bool:
    """Whether everything is due: there is no start, or a Monday has begun since the last read of the present."""
    if window.start is None:
        return True
    last_day = (window.end - timedelta(microseconds=1)).astimezone(UTC).date()
    monday = last_day - timedelta(days=last_day.weekday())
    midnight = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    return _reaches_the_present(window) and midnight >= window.start + LOOKBACK


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
