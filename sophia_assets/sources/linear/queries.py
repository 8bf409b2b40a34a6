"""What Linear is asked: the documents, and how complex a page of each is.

Belongs here: documents and their cost. Does not belong here: sending them (`api`) or when (`client`).

Linear counts 0.1 for a plain field, 1 for an object, and multiplies what a connection holds by its
`first`; a query may have 10,000 points.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_PER_PAGE = 250
# Below the cap of 10,000, since the vendor may count a little otherwise.
_POINTS_PER_QUERY = 9_000.0
# What comes with each issue; the few issues with more are asked about again.
_LABELS_WITH_ISSUE, _HISTORY_WITH_ISSUE = 10, 20


@dataclass(frozen=True)
class Query:
    """A document that asks for one page of the root connection `root`.

    Its variables are $first, $after and whatever else it declares. `points` is what one node costs.
    """

    name: str
    root: str
    document: str
    points: float

    @property
    def first(self) -> int:
        """How many nodes to ask for, as long as Linear does not find that too complex."""
        return max(1, min(MOST_PER_PAGE, int(_POINTS_PER_QUERY / self.points)))

    def cost(self, first: int) -> float:
        """The complexity of a page of that many nodes; the connection and its pageInfo take a few points."""
        return self.points * first + 4


def _query(name: str, root: str, fields: str, points: float, *, declared: str = "", given: str = "") -> Query:
    # Sorted by creation, since a page's place must not move when an issue is updated meanwhile.
    document = (
        f"query {name}($first: Int!, $after: String{declared}) {{ {root}(first: $first, after: $after, "
        f"includeArchived: true, orderBy: createdAt{given}) {{ "
        f"nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    return Query(name, root, document, points)


_TIMES = "createdAt updatedAt archivedAt"
_LABEL = "id name"
_ENTRY = "id createdAt fromStateId toStateId actorId"
_PAGE_INFO = "pageInfo { hasNextPage endCursor }"
_ISSUE = (
    f"id identifier title priority estimate dueDate url trashed {_TIMES} startedAt completedAt canceledAt "
    "team { id } state { id name type } assignee { id } creator { id } project { id } cycle { id } parent { id } "
    f"labels(first: {_LABELS_WITH_ISSUE}, includeArchived: true) {{ nodes {{ {_LABEL} }} {_PAGE_INFO} }} "
    f"history(first: {_HISTORY_WITH_ISSUE}, includeArchived: true) {{ nodes {{ {_ENTRY} }} {_PAGE_INFO} }}"
)
_LABEL_POINTS, _ENTRY_POINTS, _LIST_POINTS = 1.2, 1.5, 2.2
_ISSUE_POINTS = 10.3 + 2 * _LIST_POINTS + _LABELS_WITH_ISSUE * _LABEL_POINTS + _HISTORY_WITH_ISSUE * _ENTRY_POINTS
_FILTERED = {"declared": ", $filter: IssueFilter", "given": ", filter: $filter"}

TEAMS = _query("Teams", "teams", f"id key name description {_TIMES}", 1.7)
WORKFLOW_STATES = _query("WorkflowStates", "workflowStates", f"id name type position {_TIMES} team {{ id }}", 2.8)
USERS = _query(
    "Users", "users", f"id name displayName email active admin {_TIMES}", 1.9, given=", includeDisabled: true"
)
LABELS = _query("Labels", "issueLabels", f"id name {_TIMES} parent {{ id name }} team {{ id }}", 3.8)
PROJECTS = _query(
    "Projects",
    "projects",
    f"id name description startDate targetDate progress startedAt completedAt canceledAt {_TIMES} "
    "status { name type } lead { id }",
    4.5,
)
CYCLES = _query("Cycles", "cycles", f"id number name startsAt endsAt completedAt progress {_TIMES} team {{ id }}", 3.1)
ISSUES = _query("Issues", "issues", _ISSUE, _ISSUE_POINTS, **_FILTERED)

ISSUE_IDS = _query("IssueIds", "issues", "id", 1.1)


def _more(name: str, key: str, fields: str, points: float) -> Query:
    """Pages of `key` of single issues, as long as the API allows, from $inner on."""
    inner = f"{key}(first: {MOST_PER_PAGE}, after: $inner, includeArchived: true)"
    document_fields = f"id {inner} {{ nodes {{ {fields} }} {_PAGE_INFO} }}"
    declared = f"{_FILTERED['declared']}, $inner: String"
    all_points = 1.1 + _LIST_POINTS + MOST_PER_PAGE * points
    return _query(name, "issues", document_fields, all_points, declared=declared, given=_FILTERED["given"])


MORE_LABELS = _more("MoreLabels", "labels", _LABEL, _LABEL_POINTS)
MORE_HISTORY = _more("MoreHistory", "history", _ENTRY, _ENTRY_POINTS)

ACCOUNT = "query Account { viewer { id } organization { name } }"
ACCOUNT_POINTS = 3.0

QUERIES = (TEAMS, WORKFLOW_STATES, USERS, LABELS, PROJECTS, CYCLES, ISSUES, ISSUE_IDS, MORE_LABELS, MORE_HISTORY)
