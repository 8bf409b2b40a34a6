"""The ground a briefing stands on: how each system's data stands, and who owns what, read from the warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sophia_assets.control.attempts import AttemptLog, FailedAttempt
from sophia_assets.control.breaker import Circuit, State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.wording import in_words
from sophia_assets.insight.slots import day_phrase
from sophia_assets.insight.writing import SourceState, SourceStatus
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.serving import Serving
from sophia_assets.sources import registry
from sophia_assets.warehouse.interface import TableState, Warehouse

_EVERYTHING = Serving()
_OWNERS = """
SELECT 'account:' || accounts.account_id AS subject, owners.owner AS owner
FROM staging.accounts AS accounts INNER JOIN staging.owners AS owners ON accounts.owner_id = owners.owner_id
UNION ALL
SELECT 'deal:' || deal_id AS subject, owner FROM marts.deals WHERE owner <> 'Unassigned'
"""


@dataclass(frozen=True)
class StatusReader:
    """Reads how systems stand. `connected` names the systems that are not off."""

    warehouse: Warehouse
    attempts: AttemptLog
    quality_failures: FailureLog
    circuits: Circuits
    connected: Sequence[str]
    timezone: str

    def statuses(self, day: date, serving: Serving = _EVERYTHING) -> tuple[SourceStatus, ...]:
        """One status per system for a briefing on `day`; `serving` tells which tables are held back."""
        with self.warehouse.session():
            counts = self.warehouse.row_counts()
            return tuple(
                replace(self._status(system, day, counts), held_back=self._held_back(system, day, serving))
                for system in registry.SYSTEMS
            )

    def loaded_through(self) -> dict[str, datetime]:
        """Up to when (UTC) each raw table of a connected system was read; tables never loaded are left out."""
        with self.warehouse.session():
            states = {
                table.qualified_name: self.warehouse.table_state(table.qualified_name)
                for system in self.connected
                for table in registry.tables(system)
            }
        return {name: state.loaded_through for name, state in states.items() if state}

    def _status(self, system: str, day: date, counts: Mapping[str, int]) -> SourceStatus:
        name = registry.display_name(system)
        if system not in self.connected:
            return SourceStatus(system, name, "off", message="not connected")
        tables = registry.tables(system)
        states = [self.warehouse.table_state(table.qualified_name) for table in tables]
        loaded = [state for state in states if state]
        rows = sum(counts[table.qualified_name] for table in tables)
        failure, circuit, now = self.attempts.last_failure(system), self.circuits.get(system), datetime.now(UTC)
        not_asked = self._not_asked(circuit, now)
        state, message = self._judge(day, loaded, len(tables), failure)
        newest = max((self._day_of(state.newest) for state in loaded if state.newest), default=None)
        return SourceStatus(
            system=system,
            display_name=name,
            state=state,
            last_loaded_at=min((state.loaded_at for state in loaded), default=None),
            newest_data=min(newest, day) if newest else None,
            rows=rows,
            message=in_words(circuit, now, ZoneInfo(self.timezone)) if not_asked and not failure else message,
            not_asked=not_asked,
            failed_checks=tuple(sorted(self.quality_failures.failing(system))),
        )

    def _not_asked(self, circuit: Circuit, now: datetime) -> str:
        """Since or until when the system is not asked, and why, as an executive reads it; empty where it is asked."""
        if circuit.force and circuit.force.state is State.OPEN:
            return f"not asked since {self._moment(circuit.force.since)}, because we hold it back"
        if circuit.not_before and now < circuit.not_before:
            return f"not asked until {self._moment(circuit.not_before)}, because its request limit is spent"
        if circuit.is_closed or circuit.since is None or circuit.cause is None:
            return ""
        why = "it refuses our credential" if circuit.cause.kind == "authentication" else "it does not answer"
        return f"not asked since {self._moment(circuit.since)}, because {why}"

    def _moment(self, moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(self.timezone))
        return f"{day_phrase(local.date())}, {local:%H:%M}"

    def _held_back(self, system: str, day: date, serving: Serving) -> dict[str, date | None]:
        """The system's tables that are held back, with the last whole day of the data that serves instead."""
        if system not in self.connected:
            return {}
        instant = timedelta(microseconds=1)
        return {
            held.table: min(self._day_of(held.good_through - instant), day) if held.good_through else None
            for held in serving.tables.values()
            if held.table.split(".")[0] == system
        }

    def _judge(
        self, day: date, loaded: Sequence[TableState], wanted: int, failure: FailedAttempt | None
    ) -> tuple[SourceState, str]:
        if failure:
            return ("failed" if loaded else "empty"), failure.reason
        if not loaded:
            return "empty", "never loaded"
        end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(self.timezone))
        through = min(state.loaded_through for state in loaded)
        if len(loaded) < wanted or through < end.astimezone(UTC):
            return "stale", f"read up to {through:%Y-%m-%d %H:%M} UTC"
        return "fresh", ""

    def _day_of(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.timezone)).date()


def owners_of(warehouse: Warehouse) -> dict[str, str]:
    """Who owns each account and deal, by `account:ID` and `deal:ID`."""
    found = warehouse.query(_OWNERS)
    return dict(zip(found["subject"].to_pylist(), found["owner"].to_pylist(), strict=True))
