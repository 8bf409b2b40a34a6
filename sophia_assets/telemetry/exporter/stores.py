"""What the control store and the home's small files say: guards, budget, checks, briefings, audit, disk."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import func, select

from sophia_assets import __version__
from sophia_assets.control.breaker import Circuit, State
from sophia_assets.control.flag_names import declared_flags
from sophia_assets.control.schema import audit_head, published
from sophia_assets.observability.health import due_briefing
from sophia_assets.services import Services
from sophia_assets.settings.breakers import CIRCUITS, PROVIDERS
from sophia_assets.sources import registry
from sophia_assets.telemetry import series
from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.samples import Sample, age, one_of

_STATES = tuple(str(state) for state in State)
_MODES = ("live", "sandbox", "off")
# What the parts of a home are called, by the first name below it; the rest is `other`.
_PARTS = {
    "warehouse.duckdb": "warehouse",
    "warehouse.duckdb.wal": "warehouse",
    "control.db": "control",
    "control.db-wal": "control",
    "control.db-shm": "control",
    "dagster": "dagster",
    "briefings": "briefings",
    "facts": "facts",
    "cache": "cache",
    "quality": "quality",
    "audit": "audit",
    "stage": "stage",
    "companies": "companies",
}


def guards(ground: Ground) -> list[Sample]:
    """Circuits, rollouts, flags, and how each system is used."""
    services = ground.services()
    has_store = ground.has_store()
    circuits = services.circuits.all() if has_store else [Circuit(name) for name in CIRCUITS]
    found: list[Sample] = []
    for circuit in circuits:
        state = circuit.force.state if circuit.force else circuit.state
        found.extend(one_of(series.CIRCUIT_STATE, "state", str(state), _STATES, name=circuit.name))
    states = services.flags.states() if has_store else {}
    for name, flag in declared_flags().items():
        value = states[name].value if name in states else flag.default
        if flag.is_percentage:
            found.append(series.ROLLOUT.set(float(value), name=flag.is_about))
        else:
            found.append(series.FLAG.set(float(value), flag=name))
    connected = services.connected
    for system in registry.SYSTEMS:
        is_off = system not in connected or (has_store and services.switched_off_by(system))
        mode = "off" if is_off else services.settings.modes[system]
        found.extend(one_of(series.SYSTEM_MODE, "mode", mode, _MODES, name=system))
    llm = services.settings.llm
    for provider in PROVIDERS:
        mode = llm.modes[provider] if provider in llm.chain else "off"
        found.extend(one_of(series.SYSTEM_MODE, "mode", mode, _MODES, name=provider))
    return found


def spending(ground: Ground) -> list[Sample]:
    """The share of today's budget for language models that is spent or reserved; 0 where there is none."""
    from sophia_assets.llm.budget import business_day, standing

    services, now = ground.services(), datetime.now(UTC)
    settings = services.settings.llm
    if not ground.has_store() or settings.daily_budget_usd <= 0:
        return [series.LLM_BUDGET_USED.set(0.0)]
    is_simulated = bool(settings.chain) and settings.chain[0] in settings.simulated
    day = business_day(now, services.settings.tzinfo)
    with services.control.reading() as connection:
        found = standing(connection, day, is_simulated, settings.daily_budget_usd, now)
    return [series.LLM_BUDGET_USED.set(float((found.spent + found.reserved) / found.budget))]


def checked(ground: Ground) -> list[Sample]:
    """How many tables of each system are held back by what their checks have found."""
    failures = ground.services().quality_failures
    held = dict.fromkeys(registry.SYSTEMS, 0)
    for table in registry.tables():
        held[table.system] += bool(failures.verdict(table.qualified_name).holding_back)
    return [series.HELD_BACK.set(float(number), source=system) for system, number in held.items()]


def briefed(ground: Ground) -> list[Sample]:
    """When briefings were last published, and for how long one has been due that is not there."""
    services = ground.services()
    found: list[Sample] = []
    if ground.has_store():
        newest = select(published.c.kind, func.max(published.c.published_at).label("at")).group_by(published.c.kind)
        with services.control.reading() as connection:
            found.extend(
                series.BRIEFING_PUBLISHED.set(row.at.timestamp(), kind=row.kind) for row in connection.execute(newest)
            )
    due = _overdue(services)
    found.append(age(series.BRIEFING_LATE, due.timestamp()) if due else series.BRIEFING_LATE.set(0.0))
    return found


def _overdue(services: Services) -> datetime | None:
    """Since when the newest briefing has been due; None where it is there, or none is due."""
    if services.home.company() is None:
        return None
    due = due_briefing(services.settings, services.home, datetime.now(UTC))
    if due is None or services.archive.files(due[0]).json.exists():
        return None
    return due[1]


def audited(ground: Ground) -> list[Sample]:
    """How many entries the audit trail has had."""
    number = 0
    if ground.has_store():
        with ground.services().control.reading() as connection:
            number = connection.execute(select(func.max(audit_head.c.seq))).scalar() or 0
    return [series.AUDIT_ENTRIES.set(float(number))]


def machine(ground: Ground) -> list[Sample]:
    """The disk, and what runs here."""
    path = ground.services().home.path
    while not path.exists():
        path = path.parent
    disk = shutil.disk_usage(path)
    versions = {"version": __version__, "dagster": version("dagster"), "python": platform.python_version()}
    return [
        series.DISK_FREE.set(float(disk.free)),
        series.DISK_SIZE.set(float(disk.total)),
        series.BUILD.set(1.0, **versions),
    ]


def sizes(ground: Ground) -> list[Sample]:
    """What each part of the home holds on disk."""
    held = dict.fromkeys((*_PARTS.values(), "other"), 0)
    for name, size in _top_level(ground.services().home.path):
        held[_PARTS.get(name, "other")] += size
    return [series.HOME_BYTES.set(float(size), part=part) for part, size in held.items()]


def _top_level(path: Path) -> Iterator[tuple[str, int]]:
    """The names in a folder with the bytes on disk below each. What vanishes meanwhile counts nothing."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                yield entry.name, _size(entry)
    except OSError:
        return


def _size(entry: os.DirEntry[str]) -> int:
    try:
        found = entry.stat(follow_symlinks=False)
        own = found.st_blocks * 512
        if stat.S_ISDIR(found.st_mode):
            return own + sum(size for _, size in _top_level(Path(entry.path)))
    except OSError:
        return 0
    return own
