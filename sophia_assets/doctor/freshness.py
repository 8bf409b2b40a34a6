"""The area `freshness`: how old each table's data is by its policy, and whether the briefing that is due is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.observability.freshness import Reading, State, length_in_words
from sophia_assets.sources import registry
from sophia_assets.warehouse.coercion import aware_utc

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

AREA = "freshness"
_about = Findings(AREA)
_NAMED = 3
_FIRST = 'SELECT MIN(committed_at) AS "first_load" FROM "_sophia"."loads"'
# Of several tables, and of one.
_WORDS: dict[State, tuple[str, str]] = {
    "overdue": ("were not loaded for longer than they may be", "was not loaded for longer than it may be"),
    "late": ("are late", "is late"),
    "quiet": ("have had nothing new for longer than is usual", "has had nothing new for longer than is usual"),
    "never loaded": ("were never loaded", "was never loaded"),
}


def check_freshness(patient: Patient) -> Iterator[Finding]:
    """The tables by system, then the briefing."""
    if not patient.warehouse().is_usable:
        yield _about.skipped("tables", "how old the data is is not known: see the warehouse")
        return
    readings = [each for each in patient.readings() if not each.policy.is_model]
    systems = [name for name in registry.SYSTEMS if patient.wants(name, AREA) and name in patient.services.connected]
    fresh = 0
    for system in systems:
        states: dict[State, list[Reading]] = defaultdict(list)
        for reading in readings:
            if reading.policy.name.startswith(f"{system}."):
                states[reading.state(patient.now)].append(reading)
        fresh += len(states.pop("fresh", ()))
        for state, found in states.items():
            yield _stale(system, state, found)
    if fresh:
        yield _about.ok("tables", f"{fresh} tables are as fresh as they have to be")
    if patient.wants(AREA):
        yield from _briefing(patient)


def _stale(system: str, state: State, found: list[Reading]) -> Finding:
    oldest = min(found, key=lambda reading: reading.loaded_at or datetime.max.replace(tzinfo=UTC))
    names = ", ".join(reading.policy.name for reading in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    told = f"{names}{more} {_WORDS[state][len(found) == 1]}"
    if oldest.loaded_at is not None and state in ("overdue", "late"):
        limit = oldest.policy.fail if state == "overdue" else oldest.policy.warn
        told += (
            f": the last load was at {oldest.loaded_at:%Y-%m-%d %H:%M} UTC, and {length_in_words(limit)} are allowed"
        )
    remedy = f"Run `sophia run`, or the job ingest_{system}; where that fails, it says why"
    if state == "quiet":
        remedy = f"See whether {registry.display_name(system)} really has nothing new: a filter or right may hide it"
    make = _about.problem if state == "overdue" else _about.warning
    return make(system, told, remedy)


def _first_load(patient: Patient) -> datetime | None:
    """When anything was loaded here for the first time (UTC); None where nothing was."""
    warehouse = patient.services.warehouse
    with warehouse.session():
        [row] = warehouse.query(_FIRST).to_pylist()
    return aware_utc(row["first_load"])


def _briefing(patient: Patient) -> Iterator[Finding]:
    from sophia_assets.insight.archive import BriefingArchive
    from sophia_assets.observability.health import due_briefing

    days = BriefingArchive(patient.home.briefings).days()
    due = due_briefing(patient.settings, patient.home, patient.now)
    if due is None:
        yield _about.skipped("briefing", "no briefing is due yet")
    elif days and max(days) >= due[0]:
        yield _about.ok("briefing", f"the briefing of {max(days)} is there")
    elif not days and (first := _first_load(patient)) and first > due[1]:
        told = f"the first load was at {first:%Y-%m-%d %H:%M} UTC, after the newest briefing was due: none is due yet"
        yield _about.skipped("briefing", told)
    else:
        newest = f"; the newest is of {max(days)}" if days else ""
        told = f"the briefing of {due[0]} was due at {due[1]:%Y-%m-%d %H:%M} UTC and is not there{newest}"
        make = _about.warning if patient.company_is_simulated else _about.problem
        yield make("briefing", told, f"Run `sophia run --date {due[0]}`; it says what keeps it from being written")
