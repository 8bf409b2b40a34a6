"""Linear's own CSV export of issues, as objects of the native layout."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sophia_assets.sandbox.exports.files import ExportFile, Row, header, read_file

# A file with these columns is such an export; all its others are optional.
_RECOGNISED_BY = {"ID", "Team", "Title", "Status", "Created"}
_PRIORITIES = {"urgent": 1, "high": 2, "medium": 3, "low": 4}
_TYPES = {
    "triage": "triage",
    "backlog": "backlog",
    "icebox": "backlog",
    "done": "completed",
    "completed": "completed",
    "released": "completed",
    "closed": "completed",
    "canceled": "canceled",
    "cancelled": "canceled",
    "won't fix": "canceled",
    "duplicate": "duplicate",
    "in progress": "started",
    "in review": "started",
    "started": "started",
    "blocked": "started",
}
# As the export writes moments: Tue Sep 28 2021 14:05:06 GMT+0000 (GMT)
_MOMENT = re.compile(r"\w{3} (\w{3} \d{1,2} \d{4} \d{2}:\d{2}:\d{2}) GMT([+-]\d{4})\b")
_MOMENTS = {
    "created_at": "Created",
    "updated_at": "Updated",
    "started_at": "Started",
    "completed_at": "Completed",
    "canceled_at": "Canceled",
    "archived_at": "Archived",
}


def find(folder: Path) -> dict[str, ExportFile]:
    """The objects in the exports that lie in `folder` or its folder `linear`; none where there is no export.

    Teams, users, states, labels, projects and cycles are those that the issues name. Their ids are made
    from their names, so that they stay the same from one export to the next.
    """
    paths = sorted(path for place in (folder, folder / "linear") for path in place.glob("*.csv"))
    files = [read_file(path, path.name) for path in paths if header(path) >= _RECOGNISED_BY]
    return _Objects(row for file in files for row in file.rows).files() if files else {}


def state_type(name: str) -> str:
    """The type that a state of this name has in most workflows."""
    return _TYPES.get(name.lower(), "unstarted")


def _made_id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "linear/" + "/".join(parts)))


class _Objects:
    """The native objects that the rows of exports name, each once."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._made: dict[str, dict[str, Row]] = {
            name: {} for name in ("teams", "users", "states", "labels", "projects", "cycles", "issues")
        }
        kept = list(rows)
        self._ids = {_text(row, "ID"): _text(row, "UUID") or _made_id("issue", _text(row, "ID")) for row in kept}
        for row in kept:
            self._issue(row)

    def files(self) -> dict[str, ExportFile]:
        """One file per object."""
        return {
            f"linear/{name}": ExportFile(
                f"linear/{name}",
                frozenset(column for row in rows.values() for column in row.cells),
                list(rows.values()),
            )
            for name, rows in self._made.items()
            if rows
        }

    def _add(self, kind: str, row: Row, key: str, /, **cells: Any) -> str:
        self._made[kind].setdefault(key, Row(row.file, row.line, {f"{kind[:-1]}_id": key, **cells}))
        return key

    def _issue(self, row: Row) -> None:
        team, status = _text(row, "Team"), _text(row, "Status")
        key = _text(row, "ID").rpartition("-")[0]
        team_id = self._add("teams", row, _made_id("team", team), name=team, key=key or None)
        labels = [label.strip() for label in _text(row, "Labels").split(",") if label.strip()]
        parent = _text(row, "Parent issue").partition(" ")[0]
        self._add(
            "issues",
            row,
            self._ids[_text(row, "ID")],
            identifier=_text(row, "ID"),
            team_id=team_id,
            title=_text(row, "Title"),
            description=_text(row, "Description"),
            state_id=self._state(row, team_id, status),
            priority=str(_PRIORITIES.get(_text(row, "Priority").lower(), 0)),
            estimate=_text(row, "Estimate") or None,
            assignee_id=self._user(row, "Assignee"),
            creator_id=self._user(row, "Creator"),
            project_id=self._project(row),
            cycle_id=self._cycle(row, team_id),
            parent_id=self._ids.get(parent),
            label_ids=" ".join(self._label(row, label) for label in labels) or None,
            due_date=_moment(_text(row, "Due Date")),
            **{column: _moment(_text(row, given)) for column, given in _MOMENTS.items()},
        )

    def _state(self, row: Row, team_id: str, name: str) -> str:
        kind = state_type(name)
        if kind == "unstarted":
            told = (("Completed", "completed"), ("Canceled", "canceled"), ("Started", "started"))
            kind = next((found for column, found in told if _text(row, column)), kind)
        place = str(len(self._made["states"]))
        return self._add(
            "states", row, _made_id("state", team_id, name), team_id=team_id, name=name, type=kind, position=place
        )

    def _user(self, row: Row, column: str) -> str | None:
        name = _text(row, column)
        if not name:
            return None
        email = name if "@" in name else None
        return self._add("users", row, _made_id("user", name), name=name, display_name=name, email=email)

    def _project(self, row: Row) -> str | None:
        name = _text(row, "Project")
        identifier = _text(row, "Project ID") or (_made_id("project", name) if name else "")
        return self._add("projects", row, identifier, name=name) if identifier else None

    def _cycle(self, row: Row, team_id: str) -> str | None:
        number = _text(row, "Cycle Number").removesuffix(".0")
        if not number:
            return None
        return self._add(
            "cycles",
            row,
            _made_id("cycle", team_id, number),
            team_id=team_id,
            number=number,
            name=_text(row, "Cycle Name") or None,
            starts_at=_moment(_text(row, "Cycle Start")),
            ends_at=_moment(_text(row, "Cycle End")),
        )

    def _label(self, row: Row, name: str) -> str:
        return self._add("labels", row, _made_id("label", name), name=name)


def _text(row: Row, column: str) -> str:
    return str(row.cells.get(column) or "").strip()


def _moment(text: str) -> str | None:
    """The moment as ISO 8601; what is written otherwise is left as it is, for the reader of dates to judge."""
    found = _MOMENT.match(text)
    if found is None:
        return text or None
    return datetime.strptime(" ".join(found.groups()), "%b %d %Y %H:%M:%S %z").astimezone(UTC).isoformat()
