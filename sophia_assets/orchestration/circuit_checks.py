"""What the UI shows of a circuit on its system's tables: the check `circuit_closed`, and an observation of each change.

Both are told when a circuit changes and never else: an event on every look would bury the others.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from sophia_assets.control.breaker import Circuit
from sophia_assets.control.wording import in_words
from sophia_assets.services import Services
from sophia_assets.sources import registry

CIRCUIT_CLOSED = "circuit_closed"


def circuit_checks() -> list[dg.AssetChecksDefinition]:
    """One multi-check per system, for somebody who wants to know at once; no job runs it."""
    return [_system_check(system) for system in registry.SYSTEMS]


def _system_check(system: str) -> dg.AssetChecksDefinition:
    name = registry.display_name(system)

    @dg.multi_asset_check(
        name=f"{system}_circuit",
        specs=[
            dg.AssetCheckSpec(
                CIRCUIT_CLOSED,
                asset=key,
                description=(
                    f"{name} may be asked: its circuit breaker is closed. A warning while it is open: the table then "
                    "stays as it last was, and is read again by itself."
                ),
            )
            for key in table_keys(system)
        ],
        can_subset=True,
    )
    def look(
        context: dg.AssetCheckExecutionContext, services: dg.ResourceParam[Services]
    ) -> Iterator[dg.AssetCheckResult]:
        circuit, now = services.circuits.get(system), datetime.now(UTC)
        passed, metadata = circuit.is_closed, _metadata(circuit, now, services)
        for key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=passed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata=metadata,
            )

    return look


def publish_changes(
    instance: dg.DagsterInstance, services: Services, now: datetime, systems: Collection[str] = registry.SYSTEMS
) -> list[str]:
    """Tells Dagster of the circuits that have changed since it was told last; returns their systems.

    Each is marked as told only after it was: one that is cut short is told again.
    """
    told = [circuit for circuit in services.circuits.unpublished() if circuit.name in systems]
    for circuit in told:
        for event in _events(circuit, now, services):
            instance.report_runless_asset_event(event)
        services.circuits.mark_published(circuit.name, circuit.change_seq)
    return [circuit.name for circuit in told]


def table_keys(system: str) -> list[dg.AssetKey]:
    """The assets of a system's tables."""
    return [dg.AssetKey([table.system, table.name]) for table in registry.tables(system)]


def _events(
    circuit: Circuit, now: datetime, services: Services
) -> Iterator[dg.AssetObservation | dg.AssetCheckEvaluation]:
    metadata = _metadata(circuit, now, services)
    for key in table_keys(circuit.name):
        yield dg.AssetObservation(key, description=str(metadata["observed"]), metadata=metadata)
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=CIRCUIT_CLOSED,
            passed=circuit.is_closed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )


def _metadata(circuit: Circuit, now: datetime, services: Services) -> dict[str, Any]:
    name = registry.display_name(circuit.name)
    found: dict[str, Any] = {
        "expected": f"{name}'s circuit is closed",
        "observed": f"{name}'s circuit is {in_words(circuit, now, services.settings.tzinfo)}",
        "change": str(circuit.change_seq),
    }
    if circuit.since:
        found["since"] = dg.MetadataValue.timestamp(circuit.since)
    if circuit.is_closed:
        return found
    if circuit.cause:
        found["kind"] = circuit.cause.kind
    if circuit.retry_at and not circuit.force:
        found["next try"] = dg.MetadataValue.timestamp(circuit.retry_at)
    found["meanwhile"] = "The last good data serves."
    found["what to do"] = (
        "Nothing, where it is tried again by itself. To decide otherwise, launch the job circuit_control with the "
        f"system {circuit.name}, an action (open, close or reset) and a reason."
    )
    return found
