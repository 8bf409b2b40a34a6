"""Checks of the raw tables: their declared expectations on Great Expectations, volume, newest event, drift.

One step per system checks all of its tables, since the validation worker is best asked in one go.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from sophia_assets.quality.outcomes import Outcome, span_in_words
from sophia_assets.quality.tables import (
    QUARANTINE_TOLERATED,
    declared_fields,
    newest_event,
    quarantine,
    rows_to_validate,
    volume,
)
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Expectation, Table

NOT_EMPTY = "table_has_rows"
NEWEST_EVENT = "newest_event_is_recent"
AS_DECLARED = "schema_is_as_declared"
NOT_SET_ASIDE = "nothing_in_quarantine"


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
        wanted = {(tuple(key.asset_key.path), key.name) for key in context.selected_asset_check_keys}
        checked: list[str] = []
        failing: dict[str, str] = {}
        for table in tables:
            asset = (table.system, table.name)
            names = {name for path, name in wanted if path == asset}
            for result in _results(services, table, names):
                name = f"{table.qualified_name}.{result.check_name}"
                checked.append(name)
                if not result.passed:
                    observed = str(result.metadata["observed"].value)
                    context.log.warning(f"{name}: {observed}")
                    if result.severity == dg.AssetCheckSeverity.ERROR:
                        failing[name] = observed
                yield result
        services.quality_failures.record(system, checked, failing)

    return check_tables


def _specs(table: Table) -> Iterator[dg.AssetCheckSpec]:
    key = dg.AssetKey([table.system, table.name])
    for expectation in table.expectations:
        yield dg.AssetCheckSpec(expectation.name, asset=key, description=_description(expectation))
    yield dg.AssetCheckSpec(NOT_EMPTY, asset=key, description="The table has at least one live row.")
    yield dg.AssetCheckSpec(
        AS_DECLARED,
        asset=key,
        description=(
            "The system still sends every declared column. One that vanishes is an error, and that load is not stored; "
            "new fields are kept in `_extra` and listed."
        ),
    )
    yield dg.AssetCheckSpec(
        NOT_SET_ASIDE,
        asset=key,
        description=(
            "No row is set aside because a value does not fit its declared type. An error above "
            f"{QUARANTINE_TOLERATED:.0%} of the table's rows, else a warning."
        ),
    )
    if table.freshness.newest_event:
        yield dg.AssetCheckSpec(
            NEWEST_EVENT,
            asset=key,
            description=(
                f"The newest event is at most {span_in_words(table.freshness.newest_event)} older than the time up to "
                "which the table was read: a source that answers with nothing new still looks fresh otherwise."
            ),
        )


def _description(expectation: Expectation) -> str:
    from sophia_assets.quality.client import in_words

    return f"{in_words(expectation)}. A failure is {'an error' if expectation.severity == 'error' else 'a warning'}."


def _results(services: Services, table: Table, names: set[str]) -> list[dg.AssetCheckResult]:
    warehouse = services.warehouse
    chosen = [expectation for expectation in table.expectations if expectation.name in names]
    # One look at the table for all of its checks: opening the warehouse costs more than a check.
    with warehouse.session():
        rows = rows_to_validate(warehouse, table, chosen) if chosen else None
        outcomes = [look(warehouse, table, name) for name, look in _LOOKS.items() if name in names]
    # The worker takes seconds, for which no writer should have to wait.
    validated = services.quality.validate(table.qualified_name, rows, chosen) if rows is not None else []
    return [_result(table, outcome) for outcome in (*validated, *outcomes)]


_LOOKS = {NOT_EMPTY: volume, AS_DECLARED: declared_fields, NOT_SET_ASIDE: quarantine, NEWEST_EVENT: newest_event}


def _result(table: Table, outcome: Outcome) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {
        "expected": outcome.expected,
        "observed": outcome.observed,
        "rows checked": outcome.rows,
        "rows that do not meet it": outcome.unexpected,
    }
    if not outcome.passed and outcome.recovery:
        metadata["what to do"] = outcome.recovery
    if outcome.errored:
        metadata["check errored"] = "The check itself could not run; this says nothing about the data."
    return dg.AssetCheckResult(
        asset_key=[table.system, table.name],
        check_name=outcome.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.WARN if outcome.severity == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
    )
