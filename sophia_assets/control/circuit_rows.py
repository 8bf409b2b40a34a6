"""How a circuit lies in the store, and how it is read back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from sophia_assets.control.breaker import Circuit, Failure, Force, State
from sophia_assets.control.schema import circuits


def read_circuit(connection: Connection, name: str) -> tuple[Circuit, Row[Any] | None]:
    """The circuit as it was written last, and its row; a new one and None where it never was."""
    row = connection.execute(select(circuits).where(circuits.c.name == name)).one_or_none()
    return (circuit_of(row), row) if row is not None else (Circuit(name), None)


def circuit_of(row: Row[Any]) -> Circuit:
    """The circuit in a row."""
    cause = Failure(row.cause_kind, row.cause_reason, row.cause_not_before) if row.cause_kind else None
    force = None
    if row.forced_state:
        force = Force(State(row.forced_state), row.forced_by, row.forced_reason, row.forced_since, row.forced_until)
    return Circuit(
        name=row.name,
        state=State(row.state),
        consecutive_failures=row.consecutive_failures,
        outcomes=tuple((datetime.fromisoformat(moment), went_well) for moment, went_well in json.loads(row.outcomes)),
        open_seq=row.open_seq,
        attempt=row.attempt,
        relapses=row.relapses,
        since=row.since,
        cause=cause,
        credential=row.credential,
        retry_at=row.retry_at,
        not_before=row.not_before,
        probe_owner=row.probe_owner,
        probe_lease_until=row.probe_lease_until,
        force=force,
        change_seq=row.change_seq,
    )


def values_of(circuit: Circuit) -> dict[str, Any]:
    """The columns that hold a circuit."""
    cause, force = circuit.cause, circuit.force
    return {
        "state": circuit.state.value,
        "consecutive_failures": circuit.consecutive_failures,
        "outcomes": json.dumps([[moment.isoformat(), went_well] for moment, went_well in circuit.outcomes]),
        "open_seq": circuit.open_seq,
        "attempt": circuit.attempt,
        "relapses": circuit.relapses,
        "since": circuit.since,
        "cause_kind": cause.kind if cause else None,
        "cause_reason": cause.reason if cause else None,
        "cause_not_before": cause.not_before if cause else None,
        "credential": circuit.credential,
        "retry_at": circuit.retry_at,
        "not_before": circuit.not_before,
        "probe_owner": circuit.probe_owner,
        "probe_lease_until": circuit.probe_lease_until,
        "forced_state": force.state.value if force else None,
        "forced_by": force.by if force else None,
        "forced_reason": force.reason if force else None,
        "forced_since": force.since if force else None,
        "forced_until": force.until if force else None,
        "change_seq": circuit.change_seq,
    }
