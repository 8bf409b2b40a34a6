"""Linear's part of an export folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import (
    LinearCycle,
    LinearData,
    LinearIssue,
    LinearLabel,
    LinearProject,
    LinearState,
    LinearStateChange,
    LinearTeam,
    LinearUser,
)
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.linear_csv import find, state_type
from sophia_assets.sandbox.exports.values import Cells

__all__ = ["KEYS", "build", "find"]

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {
    "linear/teams": ("team_id",),
    "linear/states": ("state_id", "team_id"),
    "linear/users": ("user_id",),
    "linear/labels": ("label_id", "name"),
    "linear/projects": ("project_id",),
    "linear/cycles": ("cycle_id", "team_id"),
    "linear/issues": ("issue_id", "team_id", "state_id", "created_at"),
    "linear/issue_history": ("issue_id", "to_state_id", "changed_at"),
}

_OPENING = ("triage", "backlog", "unstarted")


def build(objects: Mapping[str, ExportFile], cells: Cells) -> LinearData | None:
    """Everything that the files hold, or None without any Linear file.

    A team or a state that issues refer to and no file describes is made from its id.
    """
    if not any(name.startswith("linear/") for name in objects):
        return None
    return _Builder(objects, cells).built()


@dataclass
class _Builder:
    objects: Mapping[str, ExportFile]
    cells: Cells
    teams: dict[str, LinearTeam] = field(default_factory=dict)
    states: dict[str, LinearState] = field(default_factory=dict)

    def built(self) -> LinearData:
        created = [self.cells.moment(row, "created_at") for name in KEYS for row in self._rows(name)]
        self._earliest = min((moment for moment in created if moment), default=None)
        self.teams = {team.id: team for team in map(self._team, self._rows("linear/teams"))}
        self.states = {state.id: state for state in map(self._state, self._rows("linear/states"))}
        moves: dict[str, list[LinearStateChange]] = defaultdict(list)
        for row in self._rows("linear/issue_history"):
            moves[self.cells.required(row, "issue_id")].append(self._move(row))
        issues = [self._issue(row, number) for number, row in enumerate(self._rows("linear/issues"), start=1)]
        for issue in issues:
            found = sorted(moves.get(issue.id, ()), key=lambda move: move.created_at)
            issue.history = found or self._made_history(issue)
        return LinearData(
            "Exports",
            "exports",
            teams=list(self.teams.values()),
            states=list(self.states.values()),
            users=[self._user(row) for row in self._rows("linear/users")],
            labels=[self._label(row) for row in self._rows("linear/labels")],
            projects=[self._project(row) for row in self._rows("linear/projects")],
            cycles=[self._cycle(row) for row in self._rows("linear/cycles")],
            issues=issues,
        )

    def _rows(self, name: str) -> list[Row]:
        return self.objects[name].rows if name in self.objects else []

    def _entity(self, row: Row, key: str, *, event: bool = False) -> dict[str, Any]:
        created = self.cells.moment(row, "created_at", event=event) or self._earliest
        if created is None:
            raise ConfigurationError(
                f"{row.file}, line {row.line}: created_at is empty", remedy="Without issues it needs a date."
            )
        return {
            "id": self.cells.required(row, key),
            "created_at": created,
            "updated_at": self.cells.moment(row, "updated_at", event=event) or created,
            "archived_at": self.cells.moment(row, "archived_at", event=event),
        }

    def _texts(self, row: Row, *names: str) -> dict[str, Any]:
        return {name: self.cells.text(row, name) or "" for name in names}

    def _moments(self, row: Row, *names: str, event: bool = False) -> dict[str, Any]:
        return {name: self.cells.moment(row, name, event=event) for name in names}

    def _team(self, row: Row) -> LinearTeam:
        found = LinearTeam(**self._entity(row, "team_id"), **self._texts(row, "key", "name", "description"))
        found.key = found.key or _key(found.name or found.id)
        return found

    def _known_team(self, team_id: str, created: datetime) -> str:
        if team_id not in self.teams:
            self.teams[team_id] = LinearTeam(team_id, created, created, key=_key(team_id), name=team_id)
        return team_id

    def _state(self, row: Row) -> LinearState:
        entity = self._entity(row, "state_id")
        name = self.cells.text(row, "name") or entity["id"]
        return LinearState(
            **entity,
            team_id=self._known_team(self.cells.required(row, "team_id"), entity["created_at"]),
            name=name,
            type=self.cells.text(row, "type") or state_type(name),
            position=float(self.cells.number(row, "position") or 0),
        )

    def _known_state(self, state_id: str, team_id: str, created: datetime) -> str:
        if state_id not in self.states:
            kind = state_type(state_id)
            self.states[state_id] = LinearState(
                state_id, created, created, team_id=team_id, name=state_id, type=kind, position=float(len(self.states))
            )
        return state_id

    def _user(self, row: Row) -> LinearUser:
        return LinearUser(
            **self._entity(row, "user_id"),
            **self._texts(row, "name", "display_name", "email"),
            active=self.cells.truth(row, "active", True),
            admin=self.cells.truth(row, "admin", False),
        )

    def _label(self, row: Row) -> LinearLabel:
        return LinearLabel(
            **self._entity(row, "label_id"),
            name=self.cells.required(row, "name"),
            parent_id=self.cells.text(row, "parent_id"),
            team_id=self.cells.text(row, "team_id"),
        )

    def _project(self, row: Row) -> LinearProject:
        return LinearProject(
            **self._entity(row, "project_id"),
            **self._texts(row, "name", "description"),
            status=self.cells.text(row, "status") or "In Progress",
            state_type=self.cells.text(row, "state_type") or "started",
            lead_id=self.cells.text(row, "lead_id"),
            start_date=self.cells.day(row, "start_date"),
            target_date=self.cells.day(row, "target_date"),
            progress=float(self.cells.number(row, "progress") or 0),
            **self._moments(row, "started_at", "completed_at", "canceled_at", event=True),
        )

    def _cycle(self, row: Row) -> LinearCycle:
        entity = self._entity(row, "cycle_id")
        starts = self.cells.moment(row, "starts_at") or entity["created_at"]
        return LinearCycle(
            **entity,
            team_id=self._known_team(self.cells.required(row, "team_id"), entity["created_at"]),
            number=self.cells.whole(row, "number") or 1,
            name=self.cells.text(row, "name"),
            starts_at=starts,
            ends_at=self.cells.moment(row, "ends_at") or starts + timedelta(days=14),
            completed_at=self.cells.moment(row, "completed_at"),
            progress=float(self.cells.number(row, "progress") or 0),
        )

    def _issue(self, row: Row, place: int) -> LinearIssue:
        entity = self._entity(row, "issue_id", event=True)
        team_id = self._known_team(self.cells.required(row, "team_id"), entity["created_at"])
        state_id = self._known_state(self.cells.required(row, "state_id"), team_id, entity["created_at"])
        estimate = self.cells.number(row, "estimate")
        names = ("assignee_id", "creator_id", "project_id", "cycle_id", "parent_id")
        links: dict[str, Any] = {name: self.cells.text(row, name) for name in names}
        return LinearIssue(
            **entity,
            **self._texts(row, "title", "description"),
            number=self._number(row, place),
            team_id=team_id,
            state_id=state_id,
            priority=self.cells.whole(row, "priority") or 0,
            estimate=None if estimate is None else float(estimate),
            **links,
            label_ids=(self.cells.text(row, "label_ids") or "").split(),
            due_date=self.cells.day(row, "due_date"),
            trashed=self.cells.truth(row, "trashed", False),
            **self._moments(row, "started_at", "completed_at", "canceled_at", event=True),
        )

    def _number(self, row: Row, place: int) -> int:
        digits = (self.cells.text(row, "identifier") or "").rpartition("-")[2]
        return int(digits) if digits.isascii() and digits.isdigit() else place

    def _move(self, row: Row) -> LinearStateChange:
        issue, to_state = self.cells.required(row, "issue_id"), self.cells.required(row, "to_state_id")
        moved = self.cells.moment(row, "changed_at", event=True)
        if moved is None:
            raise ConfigurationError(f"{row.file}, line {row.line}: changed_at is empty", remedy="A move has a date.")
        return LinearStateChange(
            self.cells.text(row, "history_id") or f"{issue}-{moved:%Y%m%d%H%M%S%f}-{to_state}",
            moved,
            self.cells.text(row, "from_state_id"),
            to_state,
            self.cells.text(row, "actor_id"),
        )

    def _made_history(self, issue: LinearIssue) -> list[LinearStateChange]:
        """Into the team's first open state when it was created, and on to its present one when it got there."""
        own = [state for state in self.states.values() if state.team_id == issue.team_id and state.type in _OPENING]
        present = self.states[issue.state_id]
        opening = present if present.type in _OPENING else min(own, key=lambda state: state.position, default=present)
        moves = [LinearStateChange(f"{issue.id}-created", issue.created_at, None, opening.id, issue.creator_id)]
        arrived = issue.completed_at or issue.canceled_at or issue.started_at
        if opening is not present and arrived is not None:
            moves.append(LinearStateChange(f"{issue.id}-moved", arrived, opening.id, present.id, None))
        return moves


def _key(name: str) -> str:
    """A team's key, as Linear proposes it: the first letters of its name."""
    letters = [character for character in name.upper() if character.isascii() and character.isalnum()]
    return "".join(letters[:3]) or "TEAM"
