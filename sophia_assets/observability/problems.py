"""What is broken now, in one list, the worst first: systems, tables, checks, models and the briefing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from sophia_assets.control.attempts import AttemptLog
from sophia_assets.control.breaker import Circuit
from sophia_assets.control.circuits import Circuits
from sophia_assets.observability.freshness import Reading, State, length_in_words, read_freshness
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.ledger import TableLedger, read_ledgers
from sophia_assets.quality.measures import NEWEST_EVENT
from sophia_assets.quality.serving import Serving
from sophia_assets.quality.tables import AS_DECLARED, NOT_SET_ASIDE, QUARANTINE_TOLERATED
from sophia_assets.sources import registry
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.models import load_models

Kind = Literal["system", "briefing", "models", "table", "check", "model", "freshness"]

MODELS = "models"
"""The name under which a failed build of the models is kept among the failed attempts."""

BRIEFING = "insight.daily_briefing"
_ORDER: tuple[Kind, ...] = ("system", "briefing", "models", "table", "check", "model", "freshness")
_NAMED = 5


@dataclass(frozen=True)
class Problem:
    """One thing that is broken, in plain words without any row's values.

    `subject` is a system, or a table or model (`schema.name`), which is an asset's key; `check` names the check of it
    that is broken, where it is one. `since` is UTC. `count` is how many rows, tables or days it concerns.
    """

    kind: Kind
    severity: Literal["error", "warning"]
    subject: str
    expected: str
    observed: str
    recovery: str
    since: datetime | None = None
    count: int | None = None
    check: str = ""


@dataclass(frozen=True)
class Stores:
    """Our own stores, in which all that is broken can be seen. `connected` names the systems that are not off.

    `briefings` are the days that have a briefing; `due` is the day whose briefing had to be there by now, and since
    when; None before the first.
    """

    warehouse: Warehouse
    attempts: AttemptLog
    circuits: Circuits
    failures: FailureLog
    serving: Serving
    connected: Collection[str]
    briefings: Sequence[date]
    due: tuple[date, datetime] | None


def find_problems(stores: Stores, now: datetime) -> list[Problem]:
    """Everything that is broken at `now` (UTC), the worst first."""
    with stores.warehouse.session():
        ledgers = read_ledgers(stores.warehouse)
        readings = read_freshness(stores.warehouse, stores.connected)
    found = [
        *_systems(stores, now),
        *_briefing(stores),
        *_tables(ledgers, stores.connected),
        *_checks(stores.failures, stores.connected),
        *_held_back(stores.serving, stores.failures),
        *_outdated(stores.serving),
        *_freshness([reading for reading in readings if not reading.policy.is_model], now),
    ]
    # What the loader wrote down and what a check found of it are one thing.
    by_key = {(item.subject, item.check or item.kind): item for item in reversed(found)}
    return sorted(by_key.values(), key=_badness)


def digest(problems: Sequence[Problem]) -> str:
    """Changes whenever what is broken does, and with nothing else."""
    return hashlib.blake2b(repr(list(problems)).encode(), digest_size=12).hexdigest()


def _badness(item: Problem) -> tuple[bool, int, datetime, str, str]:
    since = item.since or datetime.max.replace(tzinfo=UTC)
    return item.severity != "error", _ORDER.index(item.kind), since, item.subject, item.check


def _systems(stores: Stores, now: datetime) -> Iterator[Problem]:
    for system in stores.connected:
        circuit, failure = stores.circuits.get(system), stores.attempts.last_failure(system)
        if not circuit.is_closed:
            yield _open_circuit(circuit)
            continue
        if failure is None:
            continue
        tables = registry.groups(system).get(failure.group, ())
        not_before = circuit.not_before
        wait = f" Not before {_stamp(not_before)}." if not_before and now < not_before else ""
        yield Problem(
            "system",
            "error",
            system,
            expected=f"{registry.display_name(system)} can be read",
            observed=failure.reason,
            recovery=f"Do what the message says, then run the job ingest_{system}; the last good data serves.{wait}",
            since=datetime.fromisoformat(failure.since or failure.failed_at),
            count=len(tables) or None,
        )
    failure = stores.attempts.last_failure(MODELS)
    if failure is not None:
        yield Problem(
            "models",
            "error",
            MODELS,
            expected="every model can be built",
            observed=failure.reason,
            recovery="Correct the file that is named, then run the job daily_briefing; every model is as it was.",
            since=datetime.fromisoformat(failure.since or failure.failed_at),
        )


def _open_circuit(circuit: Circuit) -> Problem:
    """Without when the next try is, which would make it another problem after each."""
    force, cause = circuit.force, circuit.cause
    why, since = (f"{cause.kind}: {cause.reason}" if cause else "unknown"), circuit.since
    recovery = f"It is tried again by itself and then read; see the sensor circuit_{circuit.name}."
    if force:
        why, since = f"forced open by {force.by}: {force.reason}", force.since
        recovery = "Take it back with the action reset of the job circuit_control."
    elif circuit.retry_at is None and not circuit.probe_owner:
        recovery = "Renew the credential; it is then tried by itself, or reset it with the job circuit_control."
    return Problem(
        "system",
        "error",
        circuit.name,
        expected=f"{registry.display_name(circuit.name)} can be asked",
        observed=f"its circuit is open ({why})",
        recovery=f"{recovery} The last good data serves.",
        since=since,
        count=len(registry.tables(circuit.name)),
    )


def _briefing(stores: Stores) -> Iterator[Problem]:
    if stores.due is None or any(day >= stores.due[0] for day in stores.briefings):
        return
    day, since = stores.due
    newest = f"the newest is of {stores.briefings[-1]}" if stores.briefings else "there is none at all"
    yield Problem(
        "briefing",
        "error",
        BRIEFING,
        expected=f"the briefing of {day} is there",
        observed=newest,
        recovery=f"See the last run of the job daily_briefing, then launch it for the partition {day}.",
        since=since,
        count=(day - stores.briefings[-1]).days if stores.briefings else None,
    )


def _tables(ledgers: Mapping[str, TableLedger], connected: Collection[str]) -> Iterator[Problem]:
    for name, ledger in ledgers.items():
        if name.split(".")[0] not in connected:
            continue
        if ledger.missing:
            yield _vanished(name, ledger)
        elif ledger.unswept:
            yield _unswept(name, ledger)
        if ledger.set_aside:
            yield _set_aside(name, ledger)


def _vanished(name: str, ledger: TableLedger) -> Problem:
    columns = ", ".join(str(row["column_name"]) for row in ledger.missing)
    return Problem(
        "table",
        "error",
        name,
        expected="every declared column still comes",
        observed=f"{columns} vanished; that load was not stored",
        recovery=f"Change the declaration in sources/{name.split('.')[0]}/tables.py where the field was dropped or "
        "renamed; set SOPHIA_ACCEPT_MISSING for one load where it was really emptied.",
        since=aware_utc(min(row["found_at"] for row in ledger.missing)),
        count=max(int(row["rows_read"]) for row in ledger.missing),
        check=AS_DECLARED,
    )


def _unswept(name: str, ledger: TableLedger) -> Problem:
    return Problem(
        "table",
        "error",
        name,
        expected="what is gone from the system is gone here",
        observed=f"deletions were not taken over: {ledger.unswept}",
        recovery="See whether the system really holds nothing any more; the third such answer is believed.",
        since=ledger.loaded_through,
        check=AS_DECLARED,
    )


def _set_aside(name: str, ledger: TableLedger) -> Problem:
    aside = ledger.rows_set_aside
    return Problem(
        "table",
        "error" if aside > QUARANTINE_TOLERATED * (ledger.rows_total + aside) else "warning",
        name,
        expected="no row is set aside",
        observed=f"{aside:,} {'row was' if aside == 1 else 'rows were'} set aside, for {', '.join(ledger.set_aside)}",
        recovery="Look at their reasons in _sophia.quarantine; correct them in the system, or the column's declared "
        "type. The last good version of each row serves.",
        count=aside,
        check=NOT_SET_ASIDE,
    )


def _checks(failures: FailureLog, connected: Collection[str]) -> Iterator[Problem]:
    tables = [table.qualified_name for table in registry.tables() if table.system in connected]
    for name in (*tables, *load_models()):
        verdict = failures.verdict(name)
        for check, observed in verdict.failing.items():
            told = verdict.told.get(check)
            held = "; what rests on it stays as it was" if check in verdict.holding_back else ""
            yield Problem(
                "check",
                "error",
                name,
                expected=told.expected if told else "the check passes",
                observed=observed + held,
                recovery=(told.recovery if told else "") or "See the check's description and metadata.",
                since=datetime.fromisoformat(told.since) if told else None,
                count=(told.unexpected or None) if told else None,
                check=check,
            )


def _held_back(serving: Serving, failures: FailureLog) -> Iterator[Problem]:
    """One line per table that is held back, not one per model: they are repaired together."""
    waiting: dict[str, list[str]] = {}
    for model, tables in serving.models.items():
        for table in tables:
            waiting.setdefault(table, []).append(model)
    for table, models in waiting.items():
        held, told = serving.tables[table], failures.verdict(table).told
        serves = f"data up to {_stamp(held.good_through)} serves" if held.good_through else "no earlier data serves"
        yield Problem(
            "model",
            "error",
            table,
            expected="models are built on the newest data",
            observed=f"{_some(sorted(models))} wait for {table}; {serves}",
            recovery=f"Repair what breaks {', '.join(held.checks)}; the next run rebuilds them by itself.",
            since=min((datetime.fromisoformat(told[name].since) for name in held.checks if name in told), default=None),
            count=len(models),
        )


def _outdated(serving: Serving) -> Iterator[Problem]:
    """The models that were not rebuilt when another share of a system came to be served."""
    models = sorted(serving.outdated.difference(serving.models))
    if models:
        yield Problem(
            "models",
            "error",
            MODELS,
            expected="models are built from the share of each system that is served",
            observed=f"{_some(models)} were built from other shares, so figures that rest on them are left out",
            recovery="Run the daily_briefing job, or set the flag to its value once more: either rebuilds them.",
            count=len(models),
        )


def _freshness(readings: Sequence[Reading], now: datetime) -> Iterator[Problem]:
    """Tables that are late, one line per system and state, and each that is quiet."""
    late: dict[tuple[str, State], list[Reading]] = {}
    for reading in readings:
        state = reading.state(now)
        if state == "quiet":
            yield _quiet(reading)
        elif state != "fresh":
            late.setdefault((reading.policy.name.split(".")[0], state), []).append(reading)
    for (system, state), every in late.items():
        yield _late(system, state, every)


def _quiet(reading: Reading) -> Problem:
    newest, reaches, limit = reading.newest_event, reading.reaches, reading.policy.newest_event
    return Problem(
        "freshness",
        "warning",
        reading.policy.name,
        expected=f"something new within {length_in_words(limit)}" if limit else "something new",
        observed=f"nothing since {_stamp(newest)}, read up to {_stamp(reaches)}" if newest else "no event at all",
        recovery="Look into the system itself: it answers, but nothing new has happened in it for longer than usual.",
        since=newest,
        count=(reaches - newest).days if newest and reaches else None,
        check=NEWEST_EVENT,
    )


def _late(system: str, state: State, every: Sequence[Reading]) -> Problem:
    limit = max(reading.policy.fail if state == "overdue" else reading.policy.warn for reading in every)
    since = min((reading.loaded_at for reading in every if reading.loaded_at), default=None)
    told = state if since is None else f"last loaded {_stamp(since)}"
    return Problem(
        "freshness",
        "warning" if state == "late" else "error",
        system,
        expected=f"loaded within {length_in_words(limit)}",
        observed=f"{_some([reading.policy.name for reading in every])} {told}",
        recovery=f"See whether the daemon runs and the sensor circuit_{system} is on, then run the job "
        f"ingest_{system}.",
        since=since,
        count=len(every),
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _stamp(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
