"""Checks of the raw tables: their declared rules on Great Expectations, volume, newest event, drift, quarantine.

One step per system checks all of its tables: they are read in one look at the warehouse, and validated while Dagster
stores what was found of those before. What is found is also kept for later runs: see `holding`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from sophia_assets.quality.measures import LEAST_SHARE, LOADS_NEEDED, MOST_SHARE, NEWEST_EVENT, ROWS_NEEDED, VOLUME
from sophia_assets.quality.outcomes import Outcome, span_in_words
from sophia_assets.quality.tables import AS_DECLARED, NOT_SET_ASIDE, QUARANTINE_TOLERATED, check_names, inspect
from sophia_assets.quality.wording import in_words
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Expectation, Table


def raw_checks() -> list[dg.AssetChecksDefinition]:
    """One multi-check per registered system."""
    return [_system_checks(system) for system in registry.SYSTEMS]


def _system_checks(system: str) -> dg.AssetChecksDefinition:
    tables = registry.tables(system)

    @dg.multi_asset_check(
        name=f"{system}_quality",
        specs=[spec for table in tables for spec in _specs(table)],
        can_subset=True,
    )
    def check_tables(
        context: dg.AssetCheckExecutionContext, services: dg.ResourceParam[Services]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted: dict[str, set[str]] = {}
        for key in context.selected_asset_check_keys:
            wanted.setdefault(".".join(key.asset_key.path), set()).add(key.name)
        chosen = [(table, wanted[table.qualified_name]) for table in tables if table.qualified_name in wanted]
        for found in inspect(services.warehouse, lambda: services.quality, chosen):
            name = found.table.qualified_name
            services.quality_failures.record(name, found.load_id, found.outcomes)
            for outcome in found.outcomes:
                if not outcome.passed:
                    context.log.warning(f"{name}.{outcome.name}: {outcome.observed}")
                yield result_of(outcome, [found.table.system, found.table.name])

    return check_tables


def _specs(table: Table) -> Iterator[dg.AssetCheckSpec]:
    key = dg.AssetKey([table.system, table.name])
    platform = {
        VOLUME: (
            f"The table has at least one row, and {LEAST_SHARE:.0%} to {MOST_SHARE:.0%} of the rows that it usually "
            f"has, where {LOADS_NEEDED} loads or more have left {ROWS_NEEDED} or more. A loss is an error, which holds "
            "back what rests on the table; an empty table, or many more rows, is a warning."
        ),
        AS_DECLARED: (
            "The system still sends every declared column. One that vanishes is an error, and that load is not stored; "
            "new fields are kept in `_extra` and listed."
        ),
        NOT_SET_ASIDE: (
            "No row is set aside because a value does not fit its declared type. An error above "
            f"{QUARANTINE_TOLERATED:.0%} of the table's rows, else a warning."
        ),
    }
    if table.freshness.newest_event:
        platform[NEWEST_EVENT] = (
            f"The newest event is at most {span_in_words(table.freshness.newest_event)} older than the time up to "
            "which the table was read: a source that answers with nothing new still looks fresh otherwise."
        )
    declared = {item.name: description_of(item) for item in table.expectations}
    for name in check_names(table):
        yield dg.AssetCheckSpec(name, asset=key, description={**declared, **platform}[name])


def description_of(expectation: Expectation) -> str:
    """What a declared rule asks for, and what it means where it is broken."""
    meaning = "an error, and what rests on the table is held back" if expectation.severity == "error" else "a warning"
    return f"{in_words(expectation)}. A failure is {meaning}."


def result_of(outcome: Outcome, asset_key: list[str]) -> dg.AssetCheckResult:
    """An outcome as Dagster shows it."""
    metadata: dict[str, Any] = {
        "expected": outcome.expected,
        "observed": outcome.observed,
        "rows checked": outcome.rows,
        "rows that do not meet it": outcome.unexpected,
    }
    if not outcome.passed and outcome.recovery:
        metadata["what to do"] = outcome.recovery
    if outcome.holds_back:
        metadata["consequence"] = "What rests on the table stays as it last was, until this is met again."
    if outcome.errored:
        metadata["check errored"] = "The check itself could not run; this says nothing about the data."
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=outcome.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.WARN if outcome.severity == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
    )
