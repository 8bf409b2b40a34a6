"""How Linear's answers become rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]
Node = Mapping[str, Any]

_TIMES = {"createdAt": "created_at", "updatedAt": "updated_at", "archivedAt": "archived_at"}
_ISSUE_COLUMNS = {
    "id": "issue_id",
    "identifier": "identifier",
    "title": "title",
    "priority": "priority",
    "estimate": "estimate",
    "dueDate": "due_date",
    "url": "url",
    "startedAt": "started_at",
    "completedAt": "completed_at",
    "canceledAt": "canceled_at",
    **_TIMES,
}
_ISSUE_LINKS = ("team", "assignee", "creator", "project", "cycle", "parent")


def team_row(team: Node) -> Row:
    """A team as a row."""
    names = {"id": "team_id", "key": "key", "name": "name", "description": "description"}
    return _renamed(team, names | _TIMES)


def state_row(state: Node) -> Row:
    """A workflow state as a row."""
    names = {"id": "state_id", "name": "name", "type": "type", "position": "position"}
    return _renamed(state, names | _TIMES) | {"team_id": _id(state["team"])}


def user_row(user: Node) -> Row:
    """A user as a row."""
    names = {"id": "user_id", "name": "name", "displayName": "display_name", "email": "email"}
    return _renamed(user, names | {"active": "active", "admin": "admin"} | _TIMES)


def label_row(label: Node) -> Row:
    """A label as a row."""
    parent = label["parent"]
    of_group = {"parent_id": _id(parent), "parent_name": parent["name"] if parent else None}
    return _renamed(label, {"id": "label_id", "name": "name"} | _TIMES) | of_group | {"team_id": _id(label["team"])}


def project_row(project: Node) -> Row:
    """A project as a row."""
    names = {
        "id": "project_id",
        "name": "name",
        "description": "description",
        "startDate": "start_date",
        "targetDate": "target_date",
        "progress": "progress",
        "startedAt": "started_at",
        "completedAt": "completed_at",
        "canceledAt": "canceled_at",
    }
    status = project["status"]
    return _renamed(project, names | _TIMES) | {
        "status": status["name"],
        "state_type": status["type"],
        "lead_id": _id(project["lead"]),
    }


def cycle_row(cycle: Node) -> Row:
    """A cycle as a row."""
    names = {
        "id": "cycle_id",
        "number": "number",
        "name": "name",
        "startsAt": "starts_at",
        "endsAt": "ends_at",
        "completedAt": "completed_at",
        "progress": "progress",
    }
    return _renamed(cycle, names | _TIMES) | {"team_id": _id(cycle["team"])}


def issue_row(issue: Node) -> Row:
    """An issue as a row."""
    state = issue["state"]
    found = _renamed(issue, _ISSUE_COLUMNS) | {f"{link}_id": _id(issue[link]) for link in _ISSUE_LINKS}
    found |= {"state_id": state["id"], "state_name": state["name"], "state_type": state["type"]}
    # Linear leaves it out, rather than saying false, where an issue was never in the trash.
    found["trashed"] = bool(issue["trashed"])
    return found


def label_rows(issue_id: str, labels: list[Node]) -> list[Row]:
    """The labels that an issue carries."""
    return [{"issue_id": issue_id, "label_id": label["id"], "label_name": label["name"]} for label in labels]


def history_rows(issue_id: str, entries: list[Node]) -> list[Row]:
    """The entries of an issue's history that moved it to another state."""
    return [
        {
            "history_id": entry["id"],
            "issue_id": issue_id,
            "changed_at": entry["createdAt"],
            "from_state_id": entry["fromStateId"],
            "to_state_id": entry["toStateId"],
            "actor_id": entry["actorId"],
        }
        for entry in entries
        if entry["fromStateId"] != entry["toStateId"]
    ]


def _renamed(node: Node, names: Mapping[str, str]) -> Row:
    return {column: node[name] for name, column in names.items()}


def _id(linked: Node | None) -> str | None:
    return linked["id"] if linked else None
