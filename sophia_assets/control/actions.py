"""The record of what operators did: who, what, to what, why. Written in the transaction of the deed itself.

The newest deeds, to be looked up; the audit trail keeps all of them, signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from sophia_assets.access.audit_chain import CHAIN, Chain, Entry, clean
from sophia_assets.access.principal import Principal
from sophia_assets.control.schema import actions
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import ConfigurationError

MOST_ACTIONS = 10_000
"""So many are kept, the newest."""


@dataclass(frozen=True)
class Action:
    """One deed. `at` is UTC; `action` is such as `circuit.open`, `target` what it was done to."""

    at: datetime
    actor: str
    action: str
    target: str
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


def not_given(what: str, lead: str = "", system: str | None = None) -> ConfigurationError:
    """What is raised where `what`, such as `a reason`, was left out; says with which option it is given."""
    option = "--reason WHY" if what == "a reason" else "--by NAME"
    return ConfigurationError(
        f"{lead}{what} was not given", system=system, remedy=f"Add {option} to the command: it is recorded"
    )


def record(
    connection: Connection,
    actor: str,
    action: str,
    target: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
    *,
    at: datetime | None = None,
) -> None:
    """Adds a deed, and the audit trail's entry of it, to the transaction that does it. `at` is now unless given.

    Raises AuditUnavailable where the trail cannot be continued: then nothing may be done.
    """
    at, details = at or datetime.now(UTC), dict(details or {})
    chain: Chain | None = connection.get_execution_options().get(CHAIN)
    if chain is not None:
        told = {**details, "reason": reason}
        deed = Entry.of(Principal(actor, "", "operator"), action, target, "allowed", told, at=at)
        chain.append(connection, [deed])
    row = {
        "at": at,
        "actor": clean(actor),
        "action": action,
        "target": target,
        "reason": clean(reason),
        "details": json.dumps(details, sort_keys=True),
    }
    newest = connection.execute(actions.insert().values(row)).inserted_primary_key
    if newest:
        connection.execute(actions.delete().where(actions.c.id <= newest[0] - MOST_ACTIONS))


def tail(store: ControlStore, limit: int = 50) -> list[Action]:
    """The newest deeds, newest first."""
    with store.reading() as connection:
        rows = connection.execute(select(actions).order_by(actions.c.id.desc()).limit(limit)).all()
    return [Action(row.at, row.actor, row.action, row.target, row.reason, json.loads(row.details)) for row in rows]
