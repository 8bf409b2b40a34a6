"""Linear's objects as a graph of nodes, with every value as the API writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sophia_assets.sandbox.company_data import (
    LinearCycle,
    LinearData,
    LinearEntity,
    LinearIssue,
    LinearLabel,
    LinearProject,
    LinearState,
    LinearTeam,
    LinearUser,
)
from sophia_assets.sandbox.standins.answers import millisecond_stamp


@dataclass(slots=True, eq=False)
class Node:
    """One object: `values` are its plain fields, `links` its objects, `lists` its connections, by field name."""

    values: dict[str, Any]
    links: dict[str, Node | None] = field(default_factory=dict)
    lists: dict[str, list[Node]] = field(default_factory=dict)

    @property
    def hidden(self) -> bool:
        """Whether it is listed only with `includeArchived`."""
        return bool(self.values.get("archivedAt") or self.values.get("trashed"))

    def order(self, by: str) -> tuple[str, str]:
        """What it is sorted by: a moment, and its id among those that share the moment."""
        return self.values[by], self.values["id"]


@dataclass
class Graph:
    """Everything the organization holds: one node for `viewer` and `organization`, and every root connection."""

    single: Mapping[str, Node]
    lists: Mapping[str, list[Node]]
    _sorted: dict[tuple[str, str], list[Node]] = field(default_factory=dict)

    def ordered(self, name: str, by: str) -> list[Node]:
        """A root connection's nodes, newest first."""
        if (name, by) not in self._sorted:
            self._sorted[name, by] = newest_first(self.lists[name], by)
        return self._sorted[name, by]


def newest_first(nodes: Iterable[Node], by: str) -> list[Node]:
    """The nodes in the API's order, the same among ties every time."""
    return sorted(nodes, key=lambda node: node.order(by), reverse=True)


def build_graph(data: LinearData) -> Graph:
    """The graph of everything that the company's Linear holds."""
    teams = {team.id: _team(team) for team in data.teams}
    users = {user.id: _user(user) for user in data.users}
    states = {state.id: _state(state, teams) for state in data.states}
    labels = _labels(data.labels, teams)
    projects = {project.id: _project(project, teams, users) for project in data.projects}
    cycles = {cycle.id: _cycle(cycle, teams) for cycle in data.cycles}
    issues = _issues(data, _Known(teams, users, states, labels, projects, cycles))
    organization = Node({"id": _made_id(data.url_key), "name": data.organization, "urlKey": data.url_key})
    lists = {"teams": teams, "users": users, "workflowStates": states, "issueLabels": labels}
    lists |= {"projects": projects, "cycles": cycles, "issues": issues}
    return Graph(
        {"organization": organization, "viewer": next(iter(users.values()), _nobody(data))},
        {name: list(nodes.values()) for name, nodes in lists.items()},
    )


Nodes = dict[str, Node]


@dataclass(frozen=True)
class _Known:
    """What an issue refers to, by id."""

    teams: Nodes
    users: Nodes
    states: Nodes
    labels: Nodes
    projects: Nodes
    cycles: Nodes


def _entity(entity: LinearEntity) -> dict[str, Any]:
    return {
        "id": entity.id,
        "createdAt": millisecond_stamp(entity.created_at),
        "updatedAt": millisecond_stamp(entity.updated_at),
        "archivedAt": _stamp(entity.archived_at),
    }


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else millisecond_stamp(moment)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _made_id(text: str) -> str:
    return str(uuid5(NAMESPACE_URL, text))


def _nobody(data: LinearData) -> Node:
    moment = "1970-01-01T00:00:00.000Z"
    names = dict.fromkeys(("name", "displayName", "email"), "")
    flags = {"active": True, "admin": False, "archivedAt": None}
    return Node({"id": _made_id(f"{data.url_key}/viewer"), "createdAt": moment, "updatedAt": moment, **names, **flags})


def _team(team: LinearTeam) -> Node:
    return Node(_entity(team) | {"key": team.key, "name": team.name, "description": team.description or None})


def _user(user: LinearUser) -> Node:
    names = {"name": user.name, "displayName": user.display_name, "email": user.email}
    return Node(_entity(user) | names | {"active": user.active, "admin": user.admin})


def _state(state: LinearState, teams: Nodes) -> Node:
    values = {"name": state.name, "type": state.type, "position": state.position, "color": state.color}
    return Node(_entity(state) | values, {"team": teams[state.team_id]})


def _labels(labels: list[LinearLabel], teams: Nodes) -> Nodes:
    groups = {label.parent_id for label in labels}
    found = {
        label.id: Node(
            _entity(label) | {"name": label.name, "color": label.color, "isGroup": label.id in groups},
            {"team": teams.get(label.team_id or "")},
        )
        for label in labels
    }
    for label in labels:
        found[label.id].links["parent"] = found.get(label.parent_id or "")
    return found


def _project(project: LinearProject, teams: Nodes, users: Nodes) -> Node:
    status = {"id": _made_id(f"status/{project.status}"), "name": project.status, "type": project.state_type}
    values = {
        "name": project.name,
        "description": project.description,
        "progress": project.progress,
        "startDate": _day(project.start_date),
        "targetDate": _day(project.target_date),
        "startedAt": _stamp(project.started_at),
        "completedAt": _stamp(project.completed_at),
        "canceledAt": _stamp(project.canceled_at),
    }
    return Node(
        _entity(project) | values,
        {"status": Node(status), "lead": users.get(project.lead_id or "")},
        {"teams": [teams[team] for team in project.team_ids]},
    )


def _cycle(cycle: LinearCycle, teams: Nodes) -> Node:
    values = {
        "number": cycle.number,
        "name": cycle.name,
        "startsAt": millisecond_stamp(cycle.starts_at),
        "endsAt": millisecond_stamp(cycle.ends_at),
        "completedAt": _stamp(cycle.completed_at),
        "progress": cycle.progress,
    }
    return Node(_entity(cycle) | values, {"team": teams[cycle.team_id]})


def _issues(data: LinearData, known: _Known) -> Nodes:
    found = {issue.id: _issue(issue, data.url_key, known) for issue in data.issues}
    for issue in data.issues:
        node = found[issue.id]
        node.links["parent"] = found.get(issue.parent_id or "")
        node.lists["history"] = _history(issue, node, known)
    return found


def _issue(issue: LinearIssue, url_key: str, known: _Known) -> Node:
    team = known.teams[issue.team_id]
    identifier = f"{team.values['key']}-{issue.number}"
    values = {
        "identifier": identifier,
        "number": issue.number,
        "title": issue.title,
        "description": issue.description or None,
        "priority": issue.priority,
        "estimate": issue.estimate,
        "dueDate": _day(issue.due_date),
        "startedAt": _stamp(issue.started_at),
        "completedAt": _stamp(issue.completed_at),
        "canceledAt": _stamp(issue.canceled_at),
        "trashed": True if issue.trashed else None,
        "labelIds": list(issue.label_ids),
        "url": f"https://linear.app/{url_key}/issue/{identifier}",
    }
    links = {
        "team": team,
        "state": known.states[issue.state_id],
        "assignee": known.users.get(issue.assignee_id or ""),
        "creator": known.users.get(issue.creator_id or ""),
        "project": known.projects.get(issue.project_id or ""),
        "cycle": known.cycles.get(issue.cycle_id or ""),
    }
    labels = [known.labels[label] for label in issue.label_ids if label in known.labels]
    return Node(_entity(issue) | values, links, {"labels": labels})


def _history(issue: LinearIssue, node: Node, known: _Known) -> list[Node]:
    """The moves through the workflow; an assigned issue has an entry without a move, too, as the vendor's have."""
    entries = [
        _entry(node, known, change.id, millisecond_stamp(change.created_at), change.actor_id, states=(
            change.from_state_id, change.to_state_id,
        ))
        for change in issue.history
    ]  # fmt: skip
    if issue.assignee_id:
        created = node.values["createdAt"]
        made = _made_id(f"{issue.id}/assigned")
        entries.append(_entry(node, known, made, created, issue.creator_id, assignee=issue.assignee_id))
    return entries


def _entry(
    issue: Node,
    known: _Known,
    entry_id: str,
    created: str,
    actor: str | None,
    *,
    states: tuple[str | None, str | None] = (None, None),
    assignee: str | None = None,
) -> Node:
    values = {
        "id": entry_id,
        "createdAt": created,
        "updatedAt": created,
        "archivedAt": None,
        "actorId": actor,
        "fromStateId": states[0],
        "toStateId": states[1],
        "fromAssigneeId": None,
        "toAssigneeId": assignee,
    }
    links = {
        "actor": known.users.get(actor or ""),
        "fromState": known.states.get(states[0] or ""),
        "toState": known.states.get(states[1] or ""),
        "issue": issue,
    }
    return Node(values, links)
