"""HubSpot's own CSV exports, as its user interface writes them, as objects of the native layout."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sophia_assets.sandbox.exports.files import ExportFile, Row, header, read_file


@dataclass(frozen=True)
class _Kind:
    """One type of export: headers by which it is known, and what its headers are called in the native layout.

    Headers are in lower case: HubSpot itself spells them differently from type to type.
    """

    object: str
    known_by: frozenset[str]
    columns: dict[str, str]
    id_column: str


_COMMON = {"create date": "created_at", "last modified date": "updated_at"}
_KINDS = (
    _Kind(
        "deals",
        frozenset({"deal name", "deal stage"}),
        {"deal name": "name", "deal stage": "stage", "amount": "amount", "close date": "close_date",
         "deal owner": "owner_id", "deal type": "deal_type", "deal probability": "probability",
         "closed lost reason": "lost_reason", **_COMMON},
        "deal_id",
    ),
    _Kind(
        "tickets",
        frozenset({"ticket name", "ticket status"}),
        {"ticket name": "subject", "ticket status": "stage", "priority": "priority", "category": "category",
         "source": "channel", "ticket owner": "owner_id", "close date": "closed_at", **_COMMON},
        "ticket_id",
    ),
    _Kind(
        "companies",
        frozenset({"company name"}),
        {"company name": "name", "company domain name": "domain", "industry": "industry",
         "country/region": "country", "annual revenue": "annual_revenue", "number of employees": "employees",
         "company owner": "owner_id", **_COMMON},
        "company_id",
    ),
    _Kind(
        "contacts",
        frozenset({"first name", "email"}),
        {"first name": "first_name", "last name": "last_name", "email": "email", "job title": "job_title",
         "lifecycle stage": "lifecycle_stage", "contact owner": "owner_id", **_COMMON},
        "contact_id",
    ),
)  # fmt: skip
_RECORD_ID = "record id"
_ASSOCIATED = {
    "companies": "associated company ids",
    "contacts": "associated contact ids",
    "deals": "associated deal ids",
}


def find(folder: Path) -> dict[str, ExportFile]:
    """The exports in `folder` and its `hubspot` folder, known by their headers; a large one may come in several files.

    Owners are those that the records name; associations come from the columns of associated ids.
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    for path in [*sorted(folder.glob("*.csv")), *sorted(folder.glob("hubspot/*.csv"))]:
        headers = {name.lower() for name in header(path)}
        kind = next((kind for kind in _KINDS if kind.known_by | {_RECORD_ID} <= headers), None)
        if kind is None:
            continue
        file = read_file(path, path.relative_to(folder).as_posix())
        for row in file.rows:
            cells = {name.lower(): value for name, value in row.cells.items()}
            rows[kind.object].append(Row(row.file, row.line, _native(kind, cells)))
            rows["associations"] += _associations(kind, row, cells)
    owners = {
        row.cells["owner_id"]: row
        for members in [rows[kind.object] for kind in _KINDS]
        for row in members
        if row.cells.get("owner_id")
    }
    rows["owners"] = [Row(row.file, row.line, _owner(str(name))) for name, row in owners.items()]
    return {
        f"hubspot/{name}": ExportFile(
            f"hubspot/{name}", frozenset(column for row in listed for column in row.cells), listed
        )
        for name, listed in rows.items()
        if listed
    }


def _native(kind: _Kind, cells: dict[str, str | None]) -> dict[str, str | None]:
    found: dict[str, str | None] = {kind.id_column: cells[_RECORD_ID], "company_id": _first_company(kind, cells)}
    if kind.object == "companies":
        found = {kind.id_column: cells[_RECORD_ID]}
    for name, value in cells.items():
        if name == _RECORD_ID or "associated " in name:
            continue
        found[kind.columns.get(name) or re.sub(r"[^a-z0-9]+", "_", name).strip("_")] = value
    return found


def _first_company(kind: _Kind, cells: dict[str, str | None]) -> str | None:
    """The company that the export calls primary, or the first that it lists."""
    return cells.get("primary associated company id") or next(_listed(cells.get(_ASSOCIATED["companies"])), None)


def _associations(kind: _Kind, row: Row, cells: dict[str, str | None]) -> list[Row]:
    return [
        Row(
            row.file,
            row.line,
            {"from_type": kind.object, "from_id": cells[_RECORD_ID], "to_type": to_type, "to_id": other},
        )
        for to_type, column in _ASSOCIATED.items()
        for other in _listed(cells.get(column))
        if to_type != kind.object
    ]


def _listed(text: str | None) -> Iterator[str]:
    """The values of a cell that holds several, separated by semicolons."""
    return (part.strip() for part in (text or "").split(";") if part.strip())


def _owner(name: str) -> dict[str, str | None]:
    first, _, last = name.partition(" ")
    return {"owner_id": name, "first_name": first, "last_name": last or None}
